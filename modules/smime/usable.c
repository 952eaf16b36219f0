/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usable.c: the rules by which a certificate may serve (RFC 8550): each refusal names what is wrong
 * in a way that its owner can act upon.
 */
#include "smime.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>

enum {
    MIN_RSA_BITS = 2048,
    MAX_RSA_BITS = 16384,
};

/* What is asked, and where the answer goes. */
typedef struct {
    SealKey *key;
    X509 *cert;
    SealPurpose purpose;
    gint64 at;
    SealDecision *decision; /* NULL where only yes or no is wanted */
} Question;

/* @supported: another version or library would judge it no better. */
static gboolean settle_question(Question *question, gboolean supported, const char *code,
                                const char *why)
{
    if (question->decision)
        seal_decision_set_usable(question->decision,
                                 supported ? SEAL_KEY_UNUSABLE : SEAL_KEY_UNSUPPORTED, code,
                                 "the certificate of %s %s", seal_key_label(question->key), why);
    return FALSE;
}

G_GNUC_PRINTF(3, 4)
static gboolean refuse_cert(Question *question, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    return settle_question(question, TRUE, code, why);
}

/* It may be fit, but not here. */
G_GNUC_PRINTF(2, 3)
static gboolean lack_support(Question *question, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    return settle_question(question, FALSE, SEAL_CODE_UNSUPPORTED, why);
}

static const char *purpose_text(SealPurpose purpose)
{
    return purpose == SEAL_PURPOSE_ENCRYPT ? "encryption"
           : purpose == SEAL_PURPOSE_SIGN  ? "signatures"
                                           : "issuing certificates";
}

/* Comparing is stricter than reading: with a date of another form no comparison is made. */
static gboolean is_cert_date(const ASN1_TIME *date)
{
    time_t any = 0;
    gboolean yes = X509_cmp_time(date, &any) != 0;

    ERR_clear_error();
    return yes;
}

static gboolean check_form(Question *question)
{
    guint32 flags = X509_get_extension_flags(question->cert);

    if (!is_cert_date(X509_get0_notBefore(question->cert)) ||
        !is_cert_date(X509_get0_notAfter(question->cert)))
        return refuse_cert(question, "invalid",
                           "has dates that are not written as RFC 5280 wants them");
    if (flags & EXFLAG_INVALID)
        return refuse_cert(question, "invalid",
                           "contradicts itself or has parts that cannot be read");
    if (flags & EXFLAG_CRITICAL)
        return refuse_cert(question, "invalid", "has a critical extension that is not known here");
    /* RFC 3820: whoever has a certificate can make such, and no CA has looked at it. */
    if (flags & EXFLAG_PROXY)
        return refuse_cert(question, "invalid", "is a proxy certificate, which is for programs");
    return TRUE;
}

static gboolean check_validity(Question *question)
{
    gint64 from = seal_key_valid_from(question->key);
    gint64 until = seal_key_valid_until(question->key);

    if (question->at < from) {
        g_autofree char *date = seal_text_day(from);
        return refuse_cert(question, "not-yet-valid", "is valid only from %s", date);
    }
    if (question->at > until) {
        g_autofree char *date = seal_text_day(until);
        return refuse_cert(question, "expired", "expired on %s", date);
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The public key
 */

static gboolean number_is_odd(EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    gboolean yes =
        EVP_PKEY_get_bn_param(key, name, &number) && BN_is_odd(number) && !BN_is_one(number);

    BN_free(number);
    ERR_clear_error();
    return yes;
}

/* An exponent of one would leave the content key in clear; with an even modulus OpenSSL cannot
 * encrypt, and the message would wait for a key that never serves. */
static gboolean check_rsa(Question *question, EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    if (bits < MIN_RSA_BITS)
        return refuse_cert(question, "weak-key", "has an RSA key of %d bits; %d are the least",
                           bits, MIN_RSA_BITS);
    if (bits > MAX_RSA_BITS)
        return refuse_cert(question, "algorithm", "has an RSA key of %d bits; %d are the most",
                           bits, MAX_RSA_BITS);

    if (!number_is_odd(key, OSSL_PKEY_PARAM_RSA_E) || !number_is_odd(key, OSSL_PKEY_PARAM_RSA_N))
        return refuse_cert(
            question, "weak-key",
            "has an RSA key that protects nothing: its modulus or exponent is even or 1");
    return TRUE;
}

static gboolean is_known_curve(const char *name)
{
    static const int curves[] = {NID_X9_62_prime256v1, NID_secp384r1,       NID_secp521r1,
                                 NID_brainpoolP256r1,  NID_brainpoolP384r1, NID_brainpoolP512r1};

    for (guint i = 0; i < G_N_ELEMENTS(curves); i++) {
        if (OBJ_sn2nid(name) == curves[i])
            return TRUE;
    }
    return FALSE;
}

static gboolean check_ec(Question *question, EVP_PKEY *key)
{
    char group[80] = "", encoding[40] = "";

    EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding,
                                   NULL);
    ERR_clear_error();
    if (g_str_equal(encoding, OSSL_PKEY_EC_ENCODING_EXPLICIT) || !*group)
        return refuse_cert(question, "algorithm",
                           "has a curve of its own; it should be one with a name, as NIST P-256");
    if (!is_known_curve(group))
        return refuse_cert(
            question, "algorithm",
            "has a key on the curve %s; NIST P-256, P-384, P-521 and Brainpool are accepted",
            group);
    return TRUE;
}

/* Kinds that OpenSSL 3.0 has no name for (FIPS 203, RFC 9935). */
static const struct {
    const char *oid;
    const char *name;
} KINDS[] = {
    {"2.16.840.1.101.3.4.4.1", "ML-KEM-512"},
    {"2.16.840.1.101.3.4.4.2", "ML-KEM-768"},
    {"2.16.840.1.101.3.4.4.3", "ML-KEM-1024"},
};

/* The kind of the key, by name or number. */
static void name_kind(X509 *cert, char *name, int size)
{
    ASN1_OBJECT *oid = NULL;

    g_strlcpy(name, "unknown", (gsize)size);
    if (!X509_PUBKEY_get0_param(&oid, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert)))
        return;
    OBJ_obj2txt(name, size, oid, 0);
    for (guint i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        if (g_str_equal(name, KINDS[i].oid))
            g_strlcpy(name, KINDS[i].name, (gsize)size);
    }
}

static gboolean is_rsa(X509 *cert)
{
    ASN1_OBJECT *oid = NULL;

    return X509_PUBKEY_get0_param(&oid, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert)) &&
           OBJ_obj2nid(oid) == NID_rsaEncryption;
}

/* A key that cannot be read, or that cannot be used in CMS: broken, for something else, or of a
 * kind that another library knows. */
static gboolean check_other_key(Question *question, gboolean readable)
{
    guint32 usage = X509_get_key_usage(question->cert);
    char kind[80];

    name_kind(question->cert, kind, sizeof kind);
    if (!readable && is_rsa(question->cert))
        return refuse_cert(question, "algorithm", "has an RSA key that cannot be read");
    if (question->purpose == SEAL_PURPOSE_ENCRYPT &&
        !(usage & (KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT)))
        return refuse_cert(question, "key-usage",
                           "is not for encryption: its keyUsage has neither keyEncipherment nor "
                           "keyAgreement");
    return lack_support(question, "has a key of the kind %s, which cannot be used in CMS here",
                        kind);
}

static gboolean check_key(Question *question)
{
    EVP_PKEY *key = X509_get0_pubkey(question->cert);
    int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

    ERR_clear_error();
    switch (type) {
    case EVP_PKEY_NONE:
        return check_other_key(question, FALSE);
    case EVP_PKEY_RSA:
        return check_rsa(question, key);
    case EVP_PKEY_EC:
        return check_ec(question, key);
    case EVP_PKEY_RSA_PSS:
        if (question->purpose != SEAL_PURPOSE_ENCRYPT)
            return check_rsa(question, key);
        return refuse_cert(question, "algorithm", "has an RSA-PSS key, which can only sign");
    case EVP_PKEY_DSA:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        if (question->purpose == SEAL_PURPOSE_ENCRYPT)
            return refuse_cert(question, "algorithm", "has a %s key, which can only sign",
                               OBJ_nid2sn(type));
        if (question->purpose == SEAL_PURPOSE_SIGN && type != EVP_PKEY_DSA)
            return refuse_cert(question, "algorithm",
                               "has an %s key, with which S/MIME cannot sign here; RSA or EC can",
                               OBJ_nid2ln(type));
        break;
    case EVP_PKEY_DH:
    case EVP_PKEY_DHX:
        break;
    default:
        return check_other_key(question, TRUE);
    }
    return refuse_cert(question, "algorithm",
                       "has a key of the kind %s, which cannot be used in CMS here",
                       OBJ_nid2sn(type));
}

/* -------------------------------------------------------------------------------------------
 * Usage
 */

/* The keyUsage bit that this key needs for this purpose. */
static guint32 needed_usage(Question *question, const char **name)
{
    EVP_PKEY *key = X509_get0_pubkey(question->cert);

    switch (question->purpose) {
    case SEAL_PURPOSE_SIGN:
        *name = "digitalSignature or nonRepudiation";
        return KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION;
    case SEAL_PURPOSE_ISSUE:
        *name = "keyCertSign";
        return KU_KEY_CERT_SIGN;
    case SEAL_PURPOSE_ENCRYPT:
    default:
        break;
    }
    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        *name = "keyAgreement";
        return KU_KEY_AGREEMENT;
    }
    *name = "keyEncipherment";
    return KU_KEY_ENCIPHERMENT;
}

static gboolean check_usage(Question *question)
{
    const char *name;
    guint32 needed = needed_usage(question, &name);

    /* All bits are set where there is no keyUsage. */
    if (!(X509_get_key_usage(question->cert) & needed))
        return refuse_cert(question, "key-usage", "is not for %s: its keyUsage does not have %s",
                           purpose_text(question->purpose), name);
    if (question->purpose == SEAL_PURPOSE_ISSUE) {
        if (!(X509_get_extension_flags(question->cert) & EXFLAG_CA))
            return refuse_cert(question, "key-usage",
                               "is not for issuing certificates: it is not that of a CA");
        return TRUE;
    }
    if (!smime_cert_allows_mail(question->cert))
        return refuse_cert(question, "ext-key-usage",
                           "is not for mail: its extendedKeyUsage does not have emailProtection");
    return TRUE;
}

static gboolean check_cert(Question *question)
{
    return check_form(question) && check_validity(question) && check_key(question) &&
           check_usage(question);
}

gboolean smime_fits(SealModule *self, SealKey *key, SealPurpose purpose, gint64 at)
{
    SmimeKey *native = seal_key_native(key);
    Question question = {key, native->cert, purpose, at, NULL};

    return check_cert(&question) && smime_chain_is_unrevoked(self, key, at, NULL);
}

/* See proof.c. */
static gboolean check_domain(Question *question, X509 *anchor, const SmimeModule *module)
{
    return !*seal_key_domains(question->key) || smime_anchor_is_named(module, anchor) ||
           refuse_cert(question, "untrusted",
                       "is a whole domain's, and is of a CA that no file of trust_anchors names; "
                       "those that Mozilla trusts vouch for mailboxes alone");
}

gboolean smime_usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                      gint64 at, SealDecision *decision, GError **error)
{
    SmimeKey *native = seal_key_native(key);
    /* What a certificate may sign with does not depend on who has the private key. */
    SealPurpose asked = purpose == SEAL_PURPOSE_VERIFY ? SEAL_PURPOSE_SIGN : purpose;
    Question question = {key, native->cert, asked, at, decision};
    X509 *anchor;
    gboolean ok;

    if (address && !seal_key_is_for(key, address)) {
        refuse_cert(&question, "address", "is not for %s", seal_address_text(address));
        return TRUE;
    }
    if (!check_cert(&question))
        return TRUE;
    /* An operator who vouches for a key needs no CA to do so. */
    if (seal_key_trust(key) == SEAL_TRUST_MANUAL)
        ok = smime_chain_is_unrevoked(self, key, at, decision);
    else if (smime_chain_check(self, key, at, decision, &anchor, error))
        ok = anchor && check_domain(&question, anchor, seal_module_data(self));
    else
        return FALSE;
    if (ok) {
        g_autofree char *date = seal_text_day(seal_key_valid_until(key));
        seal_decision_set_usable(decision, SEAL_KEY_USABLE, "usable",
                                 "the certificate of %s is valid until %s", seal_key_label(key),
                                 date);
    }
    return TRUE;
}
