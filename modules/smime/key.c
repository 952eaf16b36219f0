/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.c: the Format's read(): bytes to keys.
 */
#include "smime.h"

/* What one file has that is broken hides nothing that is good in it. */
static gboolean report(SealModule *self, const SmimeBundle *bundle, guint good,
                       const SealOrigin *origin, GError **error)
{
    const char *place = origin->place ? origin->place : origin->source;

    if (bundle->broken > 0 && good == 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "%s: a certificate that cannot be read",
                    place);
        return FALSE;
    }
    if (bundle->broken > 0)
        seal_module_warn(self, "%s: passed over %u that cannot be read among %u certificates",
                         place, bundle->broken, bundle->broken + good);
    if (bundle->trailing > 0)
        seal_module_warn(self, "%s: passed over %" G_GSIZE_FORMAT " octets after the certificate",
                         place, bundle->trailing);
    return TRUE;
}

gboolean smime_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                    GError **error)
{
    SmimeModule *module = seal_module_data(self);
    g_auto(SmimeBundle) bundle = {0};
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!smime_bundle_read(&bundle, data, error))
        return FALSE;
    for (guint i = 0; i < bundle.certs->len; i++) {
        X509 *cert = g_ptr_array_index(bundle.certs, i);
        SealKey *key = smime_key_new(cert, NULL, origin);

        if (!key) {
            bundle.broken++;
            continue;
        }
        g_ptr_array_add(found, key);
        if (seal_key_purposes(key) & SEAL_PURPOSE_ISSUE)
            smime_pool_add(module->pool, cert, origin->trust >= SEAL_TRUST_VERIFIED);
    }
    if (!report(self, &bundle, found->len, origin, error))
        return FALSE;
    for (guint i = 0; i < found->len; i++)
        g_ptr_array_add(keys, seal_key_ref(g_ptr_array_index(found, i)));
    return TRUE;
}
