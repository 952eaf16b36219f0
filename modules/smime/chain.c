/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * chain.c: from a certificate to a trust anchor (RFC 5280 6). OpenSSL builds and verifies the
 * chain without a purpose, because its S/MIME purpose refuses EC certificates for keyAgreement and
 * anyExtendedKeyUsage; what mail asks of the CAs between is checked here.
 */
#include "smime.h"

#include <openssl/err.h>

enum {
    MAX_CHAIN = 10,
    /* OpenSSL's name for 112 bits: no SHA-1 or MD5 signature, no RSA key under 2048 bits. The
     * anchor's own signature proves nothing and is not looked at. */
    AUTH_LEVEL = 2,
    MAX_HELD = 4096, /* chains that are remembered */
};

/* -------------------------------------------------------------------------------------------
 * What becomes of a chain that does not hold
 */

/* @decision is NULL where only yes or no is wanted. */
G_GNUC_PRINTF(3, 4)
static void refuse_key(SealDecision *decision, const char *code, const char *format, ...)
{
    va_list args;

    if (!decision)
        return;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    seal_decision_set_usable(decision, SEAL_KEY_UNUSABLE, code, "%s", why);
}

static const char *chain_code(int problem)
{
    switch (problem) {
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
        return "weak-chain";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "chain-expired";
    case X509_V_ERR_CERT_REVOKED:
        return "revoked";
    default:
        return "untrusted";
    }
}

/* The library failed rather than the chain: whether the key is good is not known. */
static gboolean is_failure(int problem)
{
    return problem == X509_V_OK || problem == X509_V_ERR_UNSPECIFIED ||
           problem == X509_V_ERR_OUT_OF_MEM || problem == X509_V_ERR_INVALID_CALL ||
           problem == X509_V_ERR_STORE_LOOKUP;
}

static gboolean is_issuer_missing(int problem)
{
    return problem == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           problem == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           problem == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

static void refuse_chain(X509_STORE_CTX *ctx, SealKey *key, SealDecision *decision)
{
    int problem = X509_STORE_CTX_get_error(ctx);
    X509 *culprit = X509_STORE_CTX_get_current_cert(ctx);
    g_autofree char *where =
        culprit ? smime_name_text(X509_get_subject_name(culprit)) : g_strdup(seal_key_label(key));
    g_autofree char *why = NULL;
    gint64 until = 0;

    if (problem == X509_V_ERR_CERT_HAS_EXPIRED && culprit &&
        smime_time(X509_get0_notAfter(culprit), &until)) {
        g_autofree char *day = seal_text_day(until);
        why = g_strdup_printf("%s expired on %s", where, day);
    } else if (problem == X509_V_ERR_CA_MD_TOO_WEAK) {
        why = g_strdup_printf("the signature on %s is of a kind that can be forged (SHA-1, MD5)",
                              where);
    } else if (culprit && is_issuer_missing(problem)) {
        g_autofree char *issuer = smime_name_text(X509_get_issuer_name(culprit));
        why = g_strdup_printf("the issuer of %s, %s, is neither among trust_anchors nor here",
                              where, issuer);
    } else {
        why = g_strdup_printf("%s, at %s", X509_verify_cert_error_string(problem), where);
    }
    refuse_key(decision, chain_code(problem),
               "the certificate of %s has no valid chain to a trust anchor: %s",
               seal_key_label(key), why);
}

/* -------------------------------------------------------------------------------------------
 * The chain
 */

static gboolean prepare_context(X509_STORE_CTX *ctx, SmimeModule *module, X509 *cert,
                                SmimeCerts *path, gint64 at)
{
    if (!X509_STORE_CTX_init(ctx, module->store, cert, path))
        return FALSE;

    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set_depth(param, MAX_CHAIN);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) &&
           X509_VERIFY_PARAM_set_trust(param, X509_TRUST_EMAIL);
}

/* The CAs between: OpenSSL takes some for CAs that do not say they are one, and what their
 * extendedKeyUsage leaves out they cannot vouch for. */
static gboolean check_between(SmimeCerts *chain, X509 *cert, SealDecision *decision)
{
    for (int i = 1; i < sk_X509_num(chain) - 1; i++) {
        X509 *ca = sk_X509_value(chain, i);
        gboolean is_ca = (X509_get_extension_flags(ca) & EXFLAG_CA) != 0;

        if (is_ca && smime_cert_allows_mail(ca))
            continue;
        g_autofree char *subject = smime_name_text(X509_get_subject_name(cert));
        g_autofree char *name = smime_name_text(X509_get_subject_name(ca));
        refuse_key(decision, "untrusted",
                   "the certificate of %s has no chain to a trust anchor: %s is %s", subject, name,
                   is_ca ? "a CA, but not for mail" : "no CA");
        return FALSE;
    }
    return TRUE;
}

/* Sets *@until to when this is to be asked again: at once where it is not known, and passes since
 * nobody asks for a reason. */
static gboolean check_lists(SealModule *self, SmimeCerts *chain, gint64 at, SealDecision *decision,
                            gint64 *until)
{
    g_autofree char *why = NULL;
    SmimeRevocation found = smime_crls_judge(self, chain, TRUE, at, until, &why);

    if (found == SMIME_REVOCATION_NONE)
        return TRUE;
    if (found != SMIME_REVOCATION_REVOKED && !decision) {
        *until = 0;
        return TRUE;
    }
    refuse_key(decision, smime_crls_code(found), "%s", why);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What is remembered: that the chain of a certificate holds, as long as nothing in it ends, no list
 * is to be renewed, and no CA was met that might lead another way
 */

typedef struct {
    gint64 from;
    gint64 until;
    guint met;    /* CAs */
    X509 *anchor; /* the pool's */
    guint64 seen; /* of lists that are fetched */
} Held;

SealCache *smime_chains_new(void)
{
    return seal_cache_new(MAX_HELD, g_free);
}

/* The anchor, or NULL. */
static X509 *held_anchor(SealModule *self, const SealKey *key, gint64 at)
{
    SmimeModule *module = seal_module_data(self);
    const Held *held = seal_cache_find(module->chains, seal_key_fingerprint(key));

    return held && held->from <= at && at <= held->until &&
                   held->met == smime_pool_count(module->pool) &&
                   held->seen == smime_crls_seen(self)
               ? held->anchor
               : NULL;
}

static void hold_chain(SealModule *self, const SealKey *key, SmimeCerts *chain, X509 *anchor,
                       gint64 at, gint64 until)
{
    SmimeModule *module = seal_module_data(self);
    Held held = {at, until, smime_pool_count(module->pool), anchor, smime_crls_seen(self)};

    for (int i = 0; i < sk_X509_num(chain); i++) {
        gint64 end;

        if (!smime_time(X509_get0_notAfter(sk_X509_value(chain, i)), &end))
            return;
        held.until = MIN(held.until, end);
    }
    seal_cache_put(module->chains, seal_key_fingerprint(key), g_memdup2(&held, sizeof held), 1);
}

/* -------------------------------------------------------------------------------------------
 * Verifying
 */

/* The one that the chain ends at. Mozilla trusts some for what they had issued before a day, and no
 * more. */
static X509 *accept_anchor(const SmimeModule *module, SmimeCerts *chain, SealKey *key,
                           SealDecision *decision)
{
    X509 *end = smime_pool_find(module->anchors, sk_X509_value(chain, sk_X509_num(chain) - 1));
    gint64 after;

    if (smime_anchor_is_for(module, end, sk_X509_value(chain, 0), &after))
        return end;
    g_autofree char *day = seal_text_day(after);
    g_autofree char *name = smime_name_text(X509_get_subject_name(end));
    refuse_key(decision, "untrusted",
               "the certificate of %s has no valid chain to a trust anchor: %s is trusted for mail "
               "for what it issued until %s alone",
               seal_key_label(key), name, day);
    return NULL;
}

static gboolean verify_chain(SealModule *self, X509_STORE_CTX *ctx, SealKey *key, gint64 at,
                             SealDecision *decision, X509 **anchor, GError **error)
{
    gboolean valid = X509_verify_cert(ctx) > 0;
    SmimeCerts *chain = X509_STORE_CTX_get0_chain(ctx);
    SmimeModule *module = seal_module_data(self);
    gint64 until = G_MAXINT64;
    X509 *end;

    *anchor = NULL;
    if (!valid && is_failure(X509_STORE_CTX_get_error(ctx))) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot find out whether the chain of %s holds",
                        seal_key_label(key));
        return FALSE;
    }
    ERR_clear_error();
    if (!valid) {
        refuse_chain(ctx, key, decision);
    } else if (check_between(chain, sk_X509_value(chain, 0), decision) &&
               (end = accept_anchor(module, chain, key, decision)) &&
               check_lists(self, chain, at, decision, &until)) {
        hold_chain(self, key, chain, end, at, until);
        *anchor = end;
    }
    return TRUE;
}

gboolean smime_chain_check(SealModule *self, SealKey *key, gint64 at, SealDecision *decision,
                           X509 **anchor, GError **error)
{
    SmimeModule *module = seal_module_data(self);
    X509 *cert = ((SmimeKey *)seal_key_native(key))->cert;

    *anchor = NULL;
    if (module->anchor_count == 0) {
        refuse_key(decision, "untrusted",
                   "the certificate of %s cannot be trusted: no CA is trusted; name some, or mail, "
                   "with trust_anchors in [module smime]",
                   seal_key_label(key));
        return TRUE;
    }

    if ((*anchor = held_anchor(self, key, at)))
        return TRUE;

    g_autoptr(SmimeCerts) path = smime_pool_path(module->pool, cert);
    g_autoptr(X509_STORE_CTX) ctx = X509_STORE_CTX_new();
    /* The chain in ctx has references of its own. */
    if (ctx && path && prepare_context(ctx, module, cert, path, at))
        return verify_chain(self, ctx, key, at, decision, anchor, error);
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to verify the certificate of %s",
                    seal_key_label(key));
    return FALSE;
}

/* @cert and those that have signed it, as far as they are known. *@anchored: it has come to an
 * anchor. */
static SmimeCerts *follow_issuers(SmimeModule *module, X509 *cert, gboolean *anchored)
{
    g_autoptr(SmimeCerts) chain = sk_X509_new_null();
    gboolean ok = chain && X509_add_cert(chain, cert, X509_ADD_FLAG_UP_REF);

    *anchored = FALSE;
    for (int i = 0; i < MAX_CHAIN && ok; i++) {
        X509 *anchor = smime_pool_issuer(module->anchors, cert);
        X509 *issuer = anchor ? anchor : smime_pool_issuer(module->pool, cert);

        if (!issuer || issuer == cert || X509_cmp(issuer, cert) == 0)
            break;
        *anchored = *anchored || anchor;
        ok = X509_add_cert(chain, issuer, X509_ADD_FLAG_UP_REF);
        cert = issuer;
    }
    return ok ? g_steal_pointer(&chain) : NULL;
}

gboolean smime_chain_is_unrevoked(SealModule *self, SealKey *key, gint64 at, SealDecision *decision)
{
    SmimeModule *module = seal_module_data(self);
    gint64 until = G_MAXINT64;
    gboolean anchored;
    g_autofree char *why = NULL;
    g_autoptr(SmimeCerts) chain =
        follow_issuers(module, ((SmimeKey *)seal_key_native(key))->cert, &anchored);

    if (!chain ||
        smime_crls_judge(self, chain, anchored, at, &until, &why) != SMIME_REVOCATION_REVOKED)
        return chain != NULL;
    refuse_key(decision, "revoked", "%s", why);
    return FALSE;
}

gboolean smime_chain_leads(SealModule *self, SmimeCerts *chain)
{
    g_autoptr(X509_STORE_CTX) ctx = X509_STORE_CTX_new();

    if (!ctx || !prepare_context(ctx, seal_module_data(self), sk_X509_value(chain, 0), chain, 0))
        return FALSE;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    gboolean ok = X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME) &&
                  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME) &&
                  X509_verify_cert(ctx) > 0 &&
                  check_between(X509_STORE_CTX_get0_chain(ctx), sk_X509_value(chain, 0), NULL);
    ERR_clear_error();
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * What goes along with a signature
 */

/* A root is for whoever verifies to have; a certificate that is no CA's or not valid helps nobody.
 */
static gboolean stands_between(X509 *cert, gint64 at)
{
    gint64 from, until;

    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) != 0 &&
           (X509_get_extension_flags(cert) & EXFLAG_CA) &&
           smime_time(X509_get0_notBefore(cert), &from) &&
           smime_time(X509_get0_notAfter(cert), &until) && from <= at && at <= until;
}

/* Adds what @pool has above @cert. */
static gboolean add_between(SmimeCerts *between, SmimePool *pool, X509 *cert, gint64 at)
{
    g_autoptr(SmimeCerts) path = smime_pool_path(pool, cert);
    gboolean ok = path != NULL;

    for (int i = 0; ok && i < sk_X509_num(path); i++) {
        X509 *above = sk_X509_value(path, i);

        if (stands_between(above, at) && sk_X509_num(between) < MAX_CHAIN)
            ok = X509_add_cert(between, above, X509_ADD_FLAG_UP_REF);
    }
    return ok;
}

SmimeCerts *smime_chain_between(SealModule *self, X509 *cert, gint64 at)
{
    SmimeModule *module = seal_module_data(self);
    g_autoptr(SmimeCerts) between = sk_X509_new_null();
    gboolean ok = between && add_between(between, module->pool, cert, at);
    int met = sk_X509_num(between);

    /* An intermediate may be among the trust anchors only, below it or at the end of it. */
    ok = ok && add_between(between, module->anchors, cert, at);
    for (int i = 0; ok && i < met; i++)
        ok = add_between(between, module->anchors, sk_X509_value(between, i), at);
    return ok ? g_steal_pointer(&between) : NULL;
}
