/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * anchors.c: the trust anchors: those that the operator names in files, and Mozilla's for mail.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

enum {
    MAX_ANCHORS = 10000,
    MANY = 50,         /* of one file: nobody has looked at each */
    SOON = 30 * 86400, /* seconds */
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
 * What an operator is told of them
 */

/* FALSE where it vouches for nobody. */
static gboolean check_anchor(const SmimeNamed *named, gint64 now, SealOut *out)
{
    g_autofree char *name = smime_name_text(X509_get_subject_name(named->cert));
    gint64 until = 0;
    gboolean dated = smime_time(X509_get0_notAfter(named->cert), &until);
    g_autofree char *day = seal_text_day(until);

    if (!dated || until <= now)
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "anchors",
                         "get the CA's new certificate, and put it in its place",
                         "%s: the CA %s expired on %s: no certificate of it can be used",
                         named->place, name, day);
    else if (!(X509_get_extension_flags(named->cert) & (EXFLAG_CA | EXFLAG_V1)))
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "anchors",
                         "name the certificate of the CA that issued it, or, of a partner's own "
                         "certificate, give it by hand: sealctl keys add",
                         "%s: the certificate of %s is not that of a CA, and vouches for nobody",
                         named->place, name);
    else if (!smime_cert_allows_mail(named->cert))
        seal_out_finding(out, SEAL_FINDING_WARNING, "anchors",
                         "name a CA whose certificates are for mail",
                         "%s: the CA %s is not for mail: its extendedKeyUsage does not have "
                         "emailProtection",
                         named->place, name);
    else if (until < now + SOON)
        seal_out_finding(out, SEAL_FINDING_WARNING, "anchors",
                         "get the CA's new certificate, and put it beside it",
                         "%s: the CA %s expires on %s", named->place, name, day);
    else
        return TRUE;
    return FALSE;
}

void smime_anchors_check(SealModule *self, SealOut *out)
{
    const SmimeModule *module = seal_module_data(self);
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    guint roots = g_hash_table_size(module->mail_roots);
    gboolean fine = TRUE;

    /* Nobody has named each of a whole bundle. */
    for (guint i = 0; i < module->named->len && module->named->len <= MANY; i++)
        fine = check_anchor(g_ptr_array_index(module->named, i), now, out) && fine;
    if (module->anchor_count == 0)
        seal_out_finding(
            out, SEAL_FINDING_WARNING, "anchors",
            "name the CAs of those whom mail goes to: trust_anchors= in [module smime]",
            "no trust anchor is named: of certificates, only those that were given by "
            "hand can be used");
    else if (fine)
        seal_out_finding(out, SEAL_FINDING_OK, "anchors", NULL,
                         "%u %s that the operator has named, %u of Mozilla's for mail",
                         module->named->len, module->named->len == 1 ? "CA" : "CAs", roots);
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
