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

struct SmimeCrls {
    GPtrArray *lists;
};

/* While a setting is read. */
typedef struct {
    SmimeCrls *crls;
    const char *setting;
} Loading;

static void list_free(gpointer data)
{
    List *list = data;

    X509_CRL_free(list->crl);
    g_hash_table_unref(list->verified);
    g_free(list->place);
    g_free(list);
}

SmimeCrls *smime_crls_new(void)
{
    SmimeCrls *crls = g_new0(SmimeCrls, 1);

    crls->lists = g_ptr_array_new_with_free_func(list_free);
    return crls;
}

void smime_crls_free(SmimeCrls *crls)
{
    if (!crls)
        return;
    g_ptr_array_unref(crls->lists);
    g_free(crls);
}

static gboolean add(SmimeCrls *crls, const guint8 *data, gsize length, const char *place)
{
    const guint8 *at = data;
    X509_CRL *crl = crls->lists->len < MAX_LISTS ? d2i_X509_CRL(NULL, &at, (long)length) : NULL;

    ERR_clear_error();
    if (!crl)
        return FALSE;
    List *list = g_new0(List, 1);
    list->crl = crl;
    list->place = g_strdup(place);
    list->verified =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_ptr_array_add(crls->lists, list);
    return TRUE;
}

static gboolean add_pem(SmimeCrls *crls, const char *text, gsize length, const char *place)
{
    g_auto(SmimePem) pem = {.at = text, .end = text + length};

    while (smime_pem_next(&pem)) {
        if (g_str_equal(pem.label, "X509 CRL") &&
            (!pem.der ||
             !add(crls, g_bytes_get_data(pem.der, NULL), g_bytes_get_size(pem.der), place)))
            return FALSE;
    }
    return TRUE;
}

/* A list that cannot be read may be the one that matters: nothing runs then. */
static gboolean visit(SealModule *self, const char *path, GBytes *data, const GError *problem,
                      gpointer user_data, GError **error)
{
    Loading *loading = user_data;
    SmimeCrls *crls = loading->crls;
    guint before = crls->lists->len;

    if (problem)
        return seal_module_refuse(self, "crls", error, "%s: %s", path, problem->message);

    gsize length;
    const guint8 *bytes = g_bytes_get_data(data, &length);
    gboolean der = length > 0 && *bytes == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED;
    if (der ? !add(crls, bytes, length, path) : !add_pem(crls, (const char *)bytes, length, path))
        return seal_module_refuse(self, "crls", error, "%s: a revocation list that cannot be read",
                                  path);
    if (crls->lists->len > before)
        return TRUE;
    /* A README may stand in a folder of lists; a file that was named should be one. */
    if (g_str_equal(path, loading->setting))
        return seal_module_refuse(self, "crls", error, "%s: no revocation list in it", path);
    seal_module_warn(self, "%s: no revocation list in it", path);
    return TRUE;
}

gboolean smime_crls_load(SmimeCrls *crls, SealModule *self, GError **error)
{
    const char *const *paths = seal_module_list(self, "crls");

    for (; *paths; paths++) {
        Loading loading = {crls, *paths};
        if (!seal_module_visit_files(self, *paths, visit, &loading, error))
            return FALSE;
    }
    return TRUE;
}

/* A large list takes time to verify, so that the answer is kept. */
static gboolean signed_by(List *list, X509 *issuer)
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

static char *describe(X509 *cert, X509_REVOKED *entry, const char *place)
{
    g_autofree char *subject = smime_name_text(X509_get_subject_name(cert));
    gint64 when = 0;
    g_autofree char *date = smime_time(X509_REVOKED_get0_revocationDate(entry), &when)
                                ? seal_text_day(when)
                                : g_strdup("a date that cannot be read");

    return g_strdup_printf("the certificate of %s was revoked on %s (%s)", subject, date, place);
}

gboolean smime_crls_revoked(SmimeCrls *crls, SealModule *self, X509 *cert, X509 *issuer, gint64 at,
                            char **why)
{
    for (guint i = 0; i < crls->lists->len; i++) {
        List *list = g_ptr_array_index(crls->lists, i);
        X509_REVOKED *entry = NULL;

        if (!signed_by(list, issuer))
            continue;
        warn_if_old(list, self, at);
        int listed = X509_CRL_get0_by_cert(list->crl, &entry, cert);
        ERR_clear_error();
        if (listed > 0 && listed != REMOVED) {
            *why = describe(cert, entry, list->place);
            return TRUE;
        }
    }
    return FALSE;
}
