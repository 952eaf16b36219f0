/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl.c: revocation lists. One that is out of date still revokes what it lists, and an issuer
 * without one revokes nothing: OpenSSL's own check would fail every chain in both cases.
 */
#include "smime.h"

#include <openssl/err.h>

enum {
    MAX_LISTS = 10000,
    REMOVED = 2, /* X509_CRL_get0_by_cert: listed, but with removeFromCRL */
};

typedef struct {
    X509_CRL *crl;
    char *place;
    GHashTable *verified; /* GBytes digest of an issuer to whether it signed this */
    gboolean warned;
} List;

static void list_free(gpointer data)
{
    List *list = data;

    X509_CRL_free(list->crl);
    g_hash_table_unref(list->verified);
    g_free(list->place);
    g_free(list);
}

static gboolean add_list(GPtrArray *lists, const guint8 *data, gsize length, const char *place,
                         GError **error)
{
    const guint8 *at = data;

    if (lists->len >= MAX_LISTS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "more than %d revocation lists in all",
                    MAX_LISTS);
        return FALSE;
    }
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)length);
    if (!crl) {
        smime_set_error(error, SEAL_ERROR_CONFIG, "a revocation list in it cannot be read");
        return FALSE;
    }
    List *list = g_new0(List, 1);
    list->crl = crl;
    list->place = g_strdup(place);
    list->verified =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_ptr_array_add(lists, list);
    return TRUE;
}

static gboolean read_lists(SmimeModule *module, GBytes *data, const char *path, guint *count,
                           GError **error)
{
    GPtrArray *lists = module->crls;
    guint before = lists->len;
    gsize length;
    const char *bytes = g_bytes_get_data(data, &length);
    g_auto(SmimePem) pem = {.at = bytes, .end = bytes + length};
    gboolean ok = TRUE;

    if (length > 0 && *bytes == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED) {
        ok = add_list(lists, (const guint8 *)bytes, length, path, error);
        pem.at = pem.end;
    }
    while (ok && length > 0 && smime_pem_next(&pem)) {
        gsize size = 0;
        const guint8 *der = pem.der ? g_bytes_get_data(pem.der, &size) : NULL;

        if (g_str_equal(pem.label, "X509 CRL"))
            ok = add_list(lists, der, size, path, error);
    }
    *count = lists->len - before;
    return ok;
}

gboolean smime_crls_load(SealModule *self, GError **error)
{
    SmimeModule *module = seal_module_data(self);

    module->crls = g_ptr_array_new_with_free_func(list_free);
    return smime_read_setting(self, "crls", "revocation list", read_lists, error);
}

/* A large list takes time to verify, so that the answer is kept. */
static gboolean is_signed_by(List *list, X509 *issuer)
{
    gpointer known;

    if (X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_subject_name(issuer)) != 0)
        return FALSE;
    g_autoptr(GBytes) digest = smime_cert_digest(issuer);
    if (!digest)
        return FALSE;
    if (g_hash_table_lookup_extended(list->verified, digest, NULL, &known))
        return GPOINTER_TO_INT(known);
    EVP_PKEY *public = X509_get0_pubkey(issuer);
    gboolean yes = public && X509_CRL_verify(list->crl, public) == 1;
    ERR_clear_error();
    g_hash_table_insert(list->verified, g_steal_pointer(&digest), GINT_TO_POINTER(yes));
    return yes;
}

static void warn_if_old(List *list, SealModule *self, gint64 at)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list->crl);
    gint64 until;

    if (list->warned || !next || !smime_time(next, &until) || at <= until)
        return;
    g_autofree char *date = seal_text_day(until);
    seal_module_warn(self, "%s: a revocation list that should have been renewed by %s", list->place,
                     date);
    list->warned = TRUE;
}

static char *describe_revoked(X509 *cert, X509_REVOKED *entry, const char *place)
{
    g_autofree char *subject = smime_name_text(X509_get_subject_name(cert));
    gint64 when = 0;
    g_autofree char *date = smime_time(X509_REVOKED_get0_revocationDate(entry), &when)
                                ? seal_text_day(when)
                                : g_strdup("a date that cannot be read");

    return g_strdup_printf("the certificate of %s was revoked on %s (%s)", subject, date, place);
}

gboolean smime_crls_revoked(SealModule *self, X509 *cert, X509 *issuer, gint64 at, char **why)
{
    SmimeModule *module = seal_module_data(self);

    for (guint i = 0; i < module->crls->len; i++) {
        List *list = g_ptr_array_index(module->crls, i);
        X509_REVOKED *entry = NULL;

        if (!is_signed_by(list, issuer))
            continue;
        warn_if_old(list, self, at);
        int listed = X509_CRL_get0_by_cert(list->crl, &entry, cert);
        ERR_clear_error();
        if (listed > 0 && listed != REMOVED) {
            *why = describe_revoked(cert, entry, list->place);
            return TRUE;
        }
    }
    return FALSE;
}

gint64 smime_crls_next_update(SealModule *self, gint64 at)
{
    SmimeModule *module = seal_module_data(self);
    gint64 next = G_MAXINT64;

    for (guint i = 0; i < module->crls->len; i++) {
        List *list = g_ptr_array_index(module->crls, i);
        const ASN1_TIME *time = X509_CRL_get0_nextUpdate(list->crl);
        gint64 until;

        if (time && smime_time(time, &until) && until >= at)
            next = MIN(next, until);
    }
    return next;
}
