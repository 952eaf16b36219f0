/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * anchors.c: the trust anchors: those that the operator names in files, and Mozilla's for mail.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

enum {
    MAX_ANCHORS = 10000,
    MANY = 50, /* of one file: nobody has looked at each */
};

/* -------------------------------------------------------------------------------------------
 * Reading them
 */

static gboolean add_anchor(SmimeModule *module, X509 *cert, GError **error)
{
    if (module->anchor_count >= MAX_ANCHORS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "more than %d trust anchors in all",
                    MAX_ANCHORS);
        return FALSE;
    }
    if (!module->store || !X509_STORE_add_cert(module->store, cert)) {
        smime_set_error(error, SEAL_ERROR_CONFIG, "a certificate in it cannot be kept");
        return FALSE;
    }
    /* Two files may have the same one. */
    module->anchor_count += !smime_pool_find(module->anchors, cert);
    smime_pool_add(module->anchors, cert, TRUE);
    return TRUE;
}

static void named_free(gpointer named)
{
    g_free(((SmimeNamed *)named)->place);
    g_free(named);
}

static void note_named(SmimeModule *module, X509 *cert, const char *path)
{
    SmimeNamed *named = g_new0(SmimeNamed, 1);

    named->cert = smime_pool_find(module->anchors, cert);
    named->place = g_strdup(path);
    g_ptr_array_add(module->named, named);
}

/* Debian's ca-certificates and its like: of Mozilla's roots for mail many are missing there, and
 * many that are there are trusted for web servers alone. */
static void note_bundle(SmimeModule *module, const char *path, guint count)
{
    static const char *const names[] = {"ca-certificates.crt", "ca-bundle.crt", "tls-ca-bundle.pem",
                                        NULL};
    g_autofree char *name = g_path_get_basename(path);

    if (count <= MANY && !g_strv_contains(names, name))
        return;
    if (module->notes->len > 0)
        g_string_append(module->notes, "; ");
    g_string_append_printf(module->notes,
                           "trust_anchors: %s looks like a bundle of CAs that are trusted for web "
                           "servers, which is no list for mail; trust_anchors=mail takes Mozilla's "
                           "roots for mail",
                           path);
}

static gboolean read_anchors(SmimeModule *module, GBytes *data, const char *path, guint *count,
                             GError **error)
{
    g_auto(SmimeBundle) bundle = {0};

    if (!smime_bundle_read(&bundle, data, error))
        return FALSE;
    if (bundle.broken > 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "%u of the certificates in it cannot be read, and %u can", bundle.broken,
                    bundle.certs->len);
        return FALSE;
    }
    for (guint i = 0; i < bundle.certs->len; i++) {
        X509 *cert = g_ptr_array_index(bundle.certs, i);
        gboolean known = smime_pool_find(module->anchors, cert) != NULL;

        if (!add_anchor(module, cert, error))
            return FALSE;
        if (!known)
            note_named(module, cert, path);
    }
    *count = bundle.certs->len;
    note_bundle(module, path, *count);
    return TRUE;
}

/* One that a file has as well is the operator's. */
static gboolean take_root(SmimeModule *module, X509 *cert, gint64 distrusted_after, GError **error)
{
    if (smime_pool_find(module->anchors, cert))
        return TRUE;
    if (!add_anchor(module, cert, error))
        return FALSE;
    g_hash_table_insert(module->mail_roots, smime_pool_find(module->anchors, cert),
                        g_memdup2(&distrusted_after, sizeof distrusted_after));
    return TRUE;
}

static gboolean load_mail_roots(SealModule *self, GError **error)
{
    const SmimeModule *module = seal_module_data(self);

    if (!seal_module_has_word(self, "trust_anchors", "mail"))
        return TRUE;
    if (!smime_mail_roots_visit(self, take_root, error))
        return FALSE;
    return module->anchor_count > 0 ||
           seal_module_refuse(self, "trust_anchors", error,
                              "mail: no root that is trusted for mail is in the library");
}

gboolean smime_anchors_load(SealModule *self, GError **error)
{
    SmimeModule *module = seal_module_data(self);

    module->store = X509_STORE_new();
    module->anchors = smime_pool_new();
    module->named = g_ptr_array_new_with_free_func(named_free);
    module->mail_roots = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return smime_read_setting(self, "trust_anchors", "certificate", read_anchors, error) &&
           load_mail_roots(self, error);
}

void smime_anchors_free(SmimeModule *module)
{
    g_clear_pointer(&module->mail_roots, g_hash_table_unref);
    g_clear_pointer(&module->named, g_ptr_array_unref);
    X509_STORE_free(module->store);
    smime_pool_free(module->anchors);
}

/* -------------------------------------------------------------------------------------------
 * What is asked of one
 */

gboolean smime_anchor_is_named(const SmimeModule *module, X509 *anchor)
{
    return !g_hash_table_contains(module->mail_roots, anchor);
}

gboolean smime_anchor_is_for(const SmimeModule *module, X509 *anchor, X509 *cert, gint64 *after)
{
    const gint64 *until = g_hash_table_lookup(module->mail_roots, anchor);
    gint64 issued;

    *after = until ? *until : G_MAXINT64;
    return *after == G_MAXINT64 ||
           (smime_time(X509_get0_notBefore(cert), &issued) && issued <= *after);
}
