/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl.c: what revocation lists say of a certificate: those that `crls` names, and what was fetched.
 * One that is out of date still revokes what it lists, and an issuer without one revokes nothing:
 * OpenSSL's own check would fail every chain in both cases. crl=hard alone asks for more.
 */
#include "crl.h"

enum {
    MAX_LISTS = 10000,
    SKEW = 300,            /* seconds that clocks may differ */
    LOOK_AGAIN = 6 * 3600, /* what is wanted is said anew then */
};

typedef struct {
    SmimeList *list;
    char *place;
    gboolean warned;
} Named;

static void named_free(gpointer data)
{
    Named *named = data;

    smime_list_free(named->list);
    g_free(named->place);
    g_free(named);
}

/* -------------------------------------------------------------------------------------------
 * The setting
 */

static gboolean add_list(GPtrArray *lists, const guint8 *data, gsize length, const char *place,
                         GError **error)
{
    if (lists->len >= MAX_LISTS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "more than %d revocation lists in all",
                    MAX_LISTS);
        return FALSE;
    }
    SmimeList *list = smime_list_new(data, length, error);
    if (!list)
        return FALSE;
    Named *named = g_new0(Named, 1);
    named->list = list;
    named->place = g_strdup(place);
    g_ptr_array_add(lists, named);
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

static gboolean check_proxy(SealModule *self, GError **error)
{
    const char *proxy = seal_module_string(self, "crl_proxy"), *why;

    return !proxy || !*proxy || smime_point_is_fit(proxy, TRUE, &why) ||
           seal_module_refuse(self, "crl_proxy", error,
                              "\"%s\" is no proxy such as http://proxy.example.org:3128: %s", proxy,
                              why);
}

gboolean smime_crls_load(SealModule *self, GError **error)
{
    SmimeModule *module = seal_module_data(self);

    module->crls = g_ptr_array_new_with_free_func(named_free);
    module->crl_mode = (SmimeCrlMode)seal_module_choice(self, "crl");
    module->crl_most = (gsize)seal_module_number(self, "crl_size_limit");
    module->store_of_lists = smime_store_new(4 * module->crl_most);
    return check_proxy(self, error) &&
           smime_read_setting(self, "crls", "revocation list", read_lists, error);
}

void smime_crls_unload(SmimeModule *module)
{
    g_clear_pointer(&module->crls, g_ptr_array_unref);
    g_clear_pointer(&module->store_of_lists, smime_store_free);
}

guint64 smime_crls_seen(SealModule *self)
{
    SmimeModule *module = seal_module_data(self);

    return module->crl_mode == SMIME_CRL_OFF ? 0 : smime_store_look(self);
}

/* -------------------------------------------------------------------------------------------
 * One certificate
 */

/* What is asked of a certificate, and what was found. */
typedef struct {
    SealModule *self;
    SmimeCerts *chain;
    int place; /* in it, of this: */
    X509 *cert;
    X509 *issuer;
    gint64 at;
    gint64 until;    /* when to ask again */
    gboolean listed; /* there is a list of the issuer's, whatever it is */
    gboolean known;  /* a current one covers it */
    char *why;       /* it is revoked */
} Asked;

static void warn_if_old(Named *named, SealModule *self, gint64 at)
{
    gint64 until = smime_list_until(named->list);

    if (named->warned || until == 0 || at <= until)
        return;
    g_autofree char *date = seal_text_day(until);
    seal_module_warn(self, "%s: a revocation list that should have been renewed by %s",
                     named->place, date);
    named->warned = TRUE;
}

static char *describe_revoked(X509 *cert, gint64 when, const char *place)
{
    g_autofree char *subject = smime_name_text(X509_get_subject_name(cert));
    g_autofree char *date = when ? seal_text_day(when) : g_strdup("a date that cannot be read");

    return g_strdup_printf("the certificate of %s was revoked on %s (%s)", subject, date, place);
}

/* FALSE where it is revoked. */
static gboolean ask_list(Asked *asked, SmimeList *list, const char *place)
{
    gint64 from = smime_list_from(list), until = smime_list_until(list), when = 0;

    asked->listed = TRUE;
    if (smime_list_revokes(list, asked->cert, &when)) {
        asked->why = describe_revoked(asked->cert, when, place);
        return FALSE;
    }
    if (until < asked->at)
        return TRUE;
    asked->until = MIN(asked->until, until);
    if (from > 0 && from <= asked->at + SKEW && smime_list_covers(list, asked->cert) &&
        (X509_get_key_usage(asked->issuer) & KU_CRL_SIGN))
        asked->known = TRUE;
    return TRUE;
}

static gboolean ask_named(Asked *asked)
{
    SmimeModule *module = seal_module_data(asked->self);

    for (guint i = 0; i < module->crls->len; i++) {
        Named *named = g_ptr_array_index(module->crls, i);

        if (!smime_list_is_signed_by(named->list, asked->issuer))
            continue;
        warn_if_old(named, asked->self, asked->at);
        if (!ask_list(asked, named->list, named->place))
            return FALSE;
    }
    return TRUE;
}

static gboolean ask_fetched(Asked *asked, const char *const *points, gboolean want)
{
    g_autofree char *id = smime_points_id(points, asked->issuer);

    if (want) {
        asked->until = MIN(asked->until, asked->at + LOOK_AGAIN);
        smime_store_want(asked->self, id, asked->chain, asked->place);
    }
    SmimeList *list = smime_store_find(asked->self, id);
    return !list || !smime_list_is_signed_by(list, asked->issuer) ||
           ask_list(asked, list, points[0]);
}

static SmimeRevocation miss_list(const Asked *asked, const char *const *points, char **why)
{
    g_autofree char *subject = smime_name_text(X509_get_subject_name(asked->cert));
    g_autofree char *issuer = smime_name_text(X509_get_subject_name(asked->issuer));

    if (!points && !asked->listed) {
        *why =
            g_strdup_printf("the certificate of %s does not say where a revocation list could be "
                            "fetched, crls has none of %s, and crl=hard asks for one",
                            subject, issuer);
        return SMIME_REVOCATION_NOWHERE;
    }
    *why =
        g_strdup_printf("whether the certificate of %s was revoked is not known: there is no "
                        "current list of %s%s%s; `sealctl keys refresh` says why",
                        subject, issuer, points ? " from " : " in crls", points ? points[0] : "");
    return SMIME_REVOCATION_UNKNOWN;
}

static SmimeRevocation judge_one(SealModule *self, SmimeCerts *chain, int place, gint64 at,
                                 gboolean want, gint64 *until, char **why)
{
    SmimeModule *module = seal_module_data(self);
    Asked asked = {.self = self,
                   .chain = chain,
                   .place = place,
                   .cert = sk_X509_value(chain, place),
                   .issuer = sk_X509_value(chain, place + 1),
                   .at = at,
                   .until = G_MAXINT64};
    g_auto(GStrv) points = module->crl_mode == SMIME_CRL_OFF ? NULL : smime_points_of(asked.cert);
    const char *const *names = (const char *const *)points;

    gboolean good = ask_named(&asked) && (!names || ask_fetched(&asked, names, want));
    *until = MIN(*until, asked.until);
    if (!good) {
        *why = asked.why;
        return SMIME_REVOCATION_REVOKED;
    }
    if (asked.known || module->crl_mode != SMIME_CRL_HARD)
        return SMIME_REVOCATION_NONE;
    return miss_list(&asked, names, why);
}

SmimeRevocation smime_crls_judge(SealModule *self, SmimeCerts *chain, gboolean want, gint64 at,
                                 gint64 *until, char **why)
{
    SmimeRevocation worst = SMIME_REVOCATION_NONE;

    *why = NULL;
    for (int i = 0; i < sk_X509_num(chain) - 1; i++) {
        g_autofree char *text = NULL;
        SmimeRevocation found = judge_one(self, chain, i, at, want, until, &text);

        if (found <= worst)
            continue;
        worst = found;
        g_free(*why);
        *why = g_steal_pointer(&text);
    }
    return worst;
}

const char *smime_crls_code(SmimeRevocation revocation)
{
    return revocation == SMIME_REVOCATION_REVOKED   ? "revoked"
           : revocation == SMIME_REVOCATION_NOWHERE ? "no-crl"
                                                    : SEAL_CODE_IN_DOUBT;
}
