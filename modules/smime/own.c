/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * own.c: the certificates that somebody here has to renew: the server's own, the CAs that go along
 * with its signatures, and the anchors that files name. Mozilla's come with the system.
 */
#include "smime.h"

/* While they are visited. */
typedef struct {
    SealModule *self;
    SealOwnVisitor visit;
    gpointer user_data;
} Visiting;

static void tell_key(const Visiting *visiting, SealKey *key, SealOwnUse use)
{
    const SealOwn own = {
        .size = sizeof own, .key = key, .use = use, .until = seal_key_valid_until(key)};

    visiting->visit(visiting->self, &own, visiting->user_data);
}

/* One that cannot be read as a key vouches for nobody. */
static void tell_cert(const Visiting *visiting, X509 *cert, SealOwnUse use, const char *source,
                      const char *place)
{
    const SealOrigin origin = {
        .size = sizeof origin, .source = source, .place = place, .trust = SEAL_TRUST_MANUAL};
    g_autoptr(SealKey) key = smime_key_new(cert, SMIME_NO_KEY, &origin);

    if (key)
        tell_key(visiting, key, use);
}

gboolean smime_own(SealModule *self, SealOwnVisitor visit, gpointer user_data, GError **error)
{
    const SmimeModule *module = seal_module_data(self);
    const Visiting visiting = {self, visit, user_data};

    for (guint i = 0; i < module->server_list->len; i++)
        tell_key(&visiting, g_ptr_array_index(module->server_list, i), SEAL_OWN_SIGNER);
    for (guint i = 0; i < module->server_chain->len; i++)
        tell_cert(&visiting, g_ptr_array_index(module->server_chain, i), SEAL_OWN_CHAIN, "server",
                  NULL);
    for (guint i = 0; i < module->named->len; i++) {
        const SmimeNamed *named = g_ptr_array_index(module->named, i);

        tell_cert(&visiting, named->cert, SEAL_OWN_ANCHOR, "anchors", named->place);
    }
    return TRUE;
}
