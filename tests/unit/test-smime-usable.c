/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-usable.c: which certificates may serve, and the reason given for each that may not.
 */
#include "test-smime-pki.h"

#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>
#include <unistd.h>

static gint64 now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* Judges at verified trust for encryption. */
static void assert_code(Smime *smime, X509 *cert, const char *code)
{
    g_autoptr(SealKey) key = smime_key(smime, cert, SEAL_TRUST_VERIFIED);
    g_autofree char *text = NULL;
    g_autofree char *got = smime_judge(smime, key, SEAL_PURPOSE_ENCRYPT, now(), &text);

    g_test_message("%s", text);
    g_assert_cmpstr(got, ==, code);
    /* A refusal names what it is about. */
    g_assert_nonnull(strstr(text, "certificate of "));
}

static void assert_spec(Smime *smime, const CertSpec *spec, const char *kind, X509 *ca,
                        const char *code)
{
    g_autoptr(X509) cert = pki_cert(spec, pki_other_key(kind), ca, pki_key("RSA"));

    assert_code(smime, cert, code);
}

static void test_good(void)
{
    static const char *const kinds[] = {"RSA",   "RSA3072",         "P-256",          "P-384",
                                        "P-521", "brainpoolP256r1", "brainpoolP384r1"};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(X509) cert = pki_person("alice@example.org", kinds[i], NULL, ca);
        assert_code(&smime, cert, "usable");
    }
    CertSpec bare = {.name = "bare", .san = "email:alice@example.org"};
    assert_spec(&smime, &bare, "RSA", ca, "usable");
    CertSpec any = {.name = "any", .ext_usage = "clientAuth,anyExtendedKeyUsage"};
    assert_spec(&smime, &any, "RSA", ca, "usable");
}

static void test_address(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_autoptr(SealAddress) alice = seal_address_parse("Alice@example.org", NULL);
    g_autoptr(SealAddress) bob = seal_address_parse("bob@example.org", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
    SealAddress *whose[] = {NULL, alice, bob};

    for (guint i = 0; i < G_N_ELEMENTS(whose); i++) {
        g_autoptr(SealDecision) decision = seal_decision_new("key", "test");
        g_autoptr(GError) error = NULL;

        g_assert_true(smime.format->usable(smime.module, key, whose[i], SEAL_PURPOSE_ENCRYPT,
                                           g_get_real_time() / G_USEC_PER_SEC, decision, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(seal_decision_code(decision), ==, whose[i] == bob ? "address" : "usable");
    }
}

static void test_validity(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    CertSpec old = {.name = "old", .from_days = -20, .until_days = -2};
    assert_spec(&smime, &old, "RSA", ca, "expired");
    CertSpec young = {.name = "young", .from_days = 3};
    assert_spec(&smime, &young, "RSA", ca, "not-yet-valid");

    /* The date is in the text, and the time asked about counts. */
    CertSpec plain = {.name = "plain"};
    g_autoptr(X509) cert = pki_cert(&plain, pki_key("RSA"), ca, pki_key("RSA"));
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
    g_autoptr(GDateTime) end = g_date_time_new_from_unix_utc(seal_key_valid_until(key));
    g_autofree char *date = g_date_time_format(end, "%Y-%m-%d");
    g_autofree char *text = NULL;
    g_autofree char *code =
        smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, seal_key_valid_until(key) + 1, &text);
    g_assert_cmpstr(code, ==, "expired");
    g_assert_nonnull(strstr(text, date));
    g_autofree char *last =
        smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, seal_key_valid_until(key), NULL);
    g_assert_cmpstr(last, ==, "usable");
}

/* OpenSSL 3.5 refuses to read what older ones judge. */
static gboolean is_no_certificate(X509 *cert)
{
    g_autoptr(GBytes) der = pki_der(cert);
    const guint8 *at = g_bytes_get_data(der, NULL);
    g_autoptr(X509) again = d2i_X509(NULL, &at, (long)g_bytes_get_size(der));

    return !again;
}

static void assert_not_read(Smime *smime, X509 *cert)
{
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GError) error = NULL;

    g_assert_null(smime_read_keys(smime, der, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    g_assert_nonnull(strstr(error->message, "cannot be read as one"));
}

/* RFC 5280 4.1.2.5: seconds, and no zone but Z. OpenSSL reads other forms, but not in chains. */
static void test_odd_dates(void)
{
    static const char *const dates[] = {"2001010000Z", "200101000000+0000"};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(dates); i++) {
        CertSpec spec = {.name = "odd"};
        g_autoptr(X509) cert = pki_cert(&spec, pki_key("RSA"), ca, pki_key("RSA"));
        g_assert_true(ASN1_STRING_set(X509_getm_notBefore(cert), dates[i], -1));
        g_assert_cmpint(X509_sign(cert, pki_key("RSA"), EVP_sha256()), >, 0);
        if (is_no_certificate(cert)) {
            assert_not_read(&smime, cert);
            continue;
        }
        g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
        g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), NULL);
        g_assert_cmpstr(code, ==, "invalid");
        assert_code(&smime, cert, "invalid");
    }
}

static void test_usage(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    CertSpec sign_only = {.name = "s", .usage = "digitalSignature"};
    assert_spec(&smime, &sign_only, "RSA", ca, "key-usage");
    assert_spec(&smime, &sign_only, "P-256", ca, "key-usage");
    CertSpec encipher = {.name = "e", .usage = "keyEncipherment"};
    assert_spec(&smime, &encipher, "RSA", ca, "usable");
    assert_spec(&smime, &encipher, "P-256", ca, "key-usage");
    CertSpec agree = {.name = "a", .usage = "keyAgreement"};
    assert_spec(&smime, &agree, "RSA", ca, "key-usage");
    assert_spec(&smime, &agree, "P-256", ca, "usable");
    CertSpec web = {.name = "w", .ext_usage = "serverAuth"};
    assert_spec(&smime, &web, "RSA", ca, "ext-key-usage");

    g_autoptr(X509) signer = pki_cert(&sign_only, pki_key("RSA"), ca, pki_key("RSA"));
    g_autoptr(SealKey) key = smime_key(&smime, signer, SEAL_TRUST_VERIFIED);
    g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_SIGN, now(), NULL);
    g_assert_cmpstr(code, ==, "usable");
    g_autoptr(X509) person = pki_person("alice@example.org", "RSA", NULL, ca);
    g_autoptr(SealKey) other = smime_key(&smime, person, SEAL_TRUST_VERIFIED);
    g_autofree char *no = smime_judge(&smime, other, SEAL_PURPOSE_SIGN, now(), NULL);
    g_assert_cmpstr(no, ==, "key-usage");
}

static void test_keys(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    CertSpec plain = {.name = "k"};

    assert_spec(&smime, &plain, "RSA1024", ca, "weak-key");
    assert_spec(&smime, &plain, "RSA2040", ca, "weak-key");
    assert_spec(&smime, &plain, "X25519", ca, "unsupported");
    assert_spec(&smime, &plain, "ED25519", ca, "algorithm");
    assert_spec(&smime, &plain, "secp256k1", ca, "algorithm");
    assert_spec(&smime, &plain, "P-192", ca, "algorithm");

    g_autoptr(X509) x25519 = pki_cert(&plain, pki_key("X25519"), ca, pki_key("RSA"));
    g_autoptr(SealKey) key = smime_key(&smime, x25519, SEAL_TRUST_MANUAL);
    g_autofree char *text = NULL;
    g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), &text);
    g_assert_cmpstr(code, ==, "unsupported");
    g_assert_nonnull(strstr(text, "X25519"));
}

/* A certificate with a key of a kind that has this number. */
static X509 *cert_of_kind(const char *oid, const char *usage, X509 *ca)
{
    CertSpec spec = {.name = "k", .usage = usage, .san = "email:alice@example.org"};
    X509 *cert = pki_cert(&spec, pki_key("RSA"), ca, pki_key("RSA"));
    guint8 *octets = OPENSSL_zalloc(1184);

    g_assert_true(X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(cert), OBJ_txt2obj(oid, 1),
                                         V_ASN1_UNDEF, NULL, octets, 1184));
    g_assert_cmpint(X509_sign(cert, pki_key("RSA"), EVP_sha256()), >, 0);
    return cert;
}

/* What another library could use is told apart from what nobody could. */
static void test_unsupported(void)
{
    static const struct {
        const char *oid;
        const char *usage;
        const char *code;
        const char *text;
    } rows[] = {
        {"2.16.840.1.101.3.4.4.2", "keyEncipherment", "unsupported", "ML-KEM-768"},
        {"2.16.840.1.101.3.4.4.2", NULL, "unsupported", "ML-KEM-768"},
        {"1.3.6.1.4.1.99999.1", NULL, "unsupported", "1.3.6.1.4.1.99999.1"},
        {"1.2.840.113549.1.1.7", "keyEncipherment", "unsupported", "rsaesOaep"},
        {"2.16.840.1.101.3.4.3.18", "digitalSignature", "key-usage", "not for encryption"},
        {"1.2.840.113549.1.1.1", "keyEncipherment", "algorithm", "cannot be read"},
    };
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(X509) cert = cert_of_kind(rows[i].oid, rows[i].usage, ca);
        g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
        g_autofree char *text = NULL;
        g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), &text);

        g_test_message("%s", text);
        g_assert_cmpstr(code, ==, rows[i].code);
        g_assert_nonnull(strstr(text, rows[i].text));
    }
}

static EVP_PKEY *rsa_key(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, "n", n);
    OSSL_PARAM_BLD_push_BN(build, "e", e);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    g_assert_cmpint(EVP_PKEY_fromdata_init(ctx), >, 0);
    g_assert_cmpint(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), >, 0);

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* With e = 1 the "encrypted" key is the key; with an even modulus there is none. */
static void test_unsound_rsa(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    g_assert_true(EVP_PKEY_get_bn_param(pki_key("RSA"), "n", &n));
    g_assert_true(EVP_PKEY_get_bn_param(pki_key("RSA"), "e", &e));

    g_assert_true(BN_one(e));
    EVP_PKEY *clear = rsa_key(n, e);
    g_assert_true(BN_set_word(e, RSA_F4) && BN_clear_bit(n, 0));
    EVP_PKEY *even = rsa_key(n, e);
    CertSpec spec = {.name = "one"};
    g_autoptr(X509) one = pki_cert(&spec, clear, ca, pki_key("RSA"));
    g_autoptr(X509) other = pki_cert(&spec, even, ca, pki_key("RSA"));
    assert_code(&smime, one, "weak-key");
    assert_code(&smime, other, "weak-key");
    EVP_PKEY_free(clear);
    EVP_PKEY_free(even);
    BN_free(n);
    BN_free(e);
}

static void test_extensions(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    CertSpec critical = {.name = "c", .unknown = "critical,DER:0500"};
    assert_spec(&smime, &critical, "RSA", ca, "invalid");
    CertSpec harmless = {.name = "h", .unknown = "DER:0500"};
    assert_spec(&smime, &harmless, "RSA", ca, "usable");
    CertSpec contradiction = {.name = "x", .constraints = "DER:30060101000201ff"};
    g_autoptr(X509) cert = pki_cert(&contradiction, pki_key("RSA"), ca, pki_key("RSA"));
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
    g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), NULL);
    g_assert_cmpstr(code, ==, "invalid");
}

/* RFC 3820: any end entity can issue one in its own name, for a program that acts for it. */
static void test_proxy(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    CertSpec spec = {.name = "p", .proxy = "critical,DER:300c300a06082b06010505071501"};
    g_autoptr(X509) cert = pki_cert(&spec, pki_key("RSA"), ca, pki_key("RSA"));
    assert_code(&smime, cert, "invalid");
    g_autoptr(SealKey) manual = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
    g_autofree char *code = smime_judge(&smime, manual, SEAL_PURPOSE_ENCRYPT, now(), NULL);
    g_assert_cmpstr(code, ==, "invalid");
}

static void test_trust(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) impostor = NULL;
    CertSpec spec = {.name = "CA", .constraints = "critical,CA:TRUE", .usage = "keyCertSign"};
    impostor = pki_cert(&spec, pki_other_key("RSA"), NULL, NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);

    CertSpec own = {.name = "self", .san = "email:alice@example.org"};
    g_autoptr(X509) self_signed = pki_cert(&own, pki_other_key("RSA"), NULL, NULL);
    assert_code(&smime, self_signed, "untrusted");
    g_autoptr(X509) forged = pki_cert(&own, pki_key("P-256"), impostor, pki_other_key("RSA"));
    assert_code(&smime, forged, "untrusted");

    g_autoptr(SealKey) manual = smime_key(&smime, self_signed, SEAL_TRUST_MANUAL);
    g_autofree char *code = smime_judge(&smime, manual, SEAL_PURPOSE_ENCRYPT, now(), NULL);
    g_assert_cmpstr(code, ==, "usable");
}

static void test_no_anchors(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
    g_autofree char *text = NULL;
    g_autofree char *code = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now(), &text);

    g_assert_cmpstr(code, ==, "untrusted");
    g_assert_nonnull(strstr(text, "trust_anchors"));
}

/* An anchor may be any certificate: a CA below the root, or the person's own. */
static void test_partial(void)
{
    g_autoptr(X509) root = pki_ca("Root", NULL);
    g_autoptr(X509) middle = pki_ca("Middle", root);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, middle);
    g_auto(Smime) by_middle = {0};
    smime_start(&by_middle, middle, NULL);
    assert_code(&by_middle, cert, "usable");
    g_auto(Smime) by_itself = {0};
    smime_start(&by_itself, cert, NULL);
    assert_code(&by_itself, cert, "usable");
}

static void learn(Smime *smime, X509 *cert)
{
    seal_key_unref(smime_key(smime, cert, SEAL_TRUST_UNVERIFIED));
}

static void test_intermediates(void)
{
    g_autoptr(X509) root = pki_ca("Root", NULL);
    CertSpec spec = {.name = "Middle", .constraints = "CA:TRUE", .usage = "keyCertSign"};
    g_autoptr(X509) middle = pki_cert(&spec, pki_key("P-256"), root, pki_key("RSA"));
    /* The same name and identifier, another key: put there to get in the way. */
    g_autoptr(X509) decoy = pki_cert(&spec, pki_other_key("P-256"), NULL, NULL);
    CertSpec person = {.name = "alice"};
    g_autoptr(X509) cert = pki_cert(&person, pki_other_key("RSA"), middle, pki_key("P-256"));
    g_auto(Smime) smime = {0};
    smime_start(&smime, root, NULL);

    assert_code(&smime, cert, "untrusted");
    learn(&smime, decoy);
    assert_code(&smime, cert, "untrusted");
    learn(&smime, middle);
    assert_code(&smime, cert, "usable");
}

static void test_bad_intermediates(void)
{
    g_autoptr(X509) root = pki_ca("Root", NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, root, NULL);
    CertSpec person = {.name = "alice"};

    /* For web servers only. */
    CertSpec web = {.name = "Web CA",
                    .constraints = "CA:TRUE",
                    .usage = "keyCertSign",
                    .ext_usage = "serverAuth"};
    g_autoptr(X509) web_ca = pki_cert(&web, pki_key("P-256"), root, pki_key("RSA"));
    learn(&smime, web_ca);
    g_autoptr(X509) one = pki_cert(&person, pki_other_key("RSA"), web_ca, pki_key("P-256"));
    assert_code(&smime, one, "untrusted");

    /* A person that plays CA. */
    CertSpec leaf = {.name = "Mallory", .constraints = "CA:FALSE"};
    g_autoptr(X509) mallory = pki_cert(&leaf, pki_key("P-384"), root, pki_key("RSA"));
    learn(&smime, mallory);
    g_autoptr(X509) two = pki_cert(&person, pki_other_key("RSA"), mallory, pki_key("P-384"));
    assert_code(&smime, two, "untrusted");

    CertSpec stale = {.name = "Stale CA",
                      .constraints = "CA:TRUE",
                      .usage = "keyCertSign",
                      .from_days = -30,
                      .until_days = -10};
    g_autoptr(X509) stale_ca = pki_cert(&stale, pki_key("P-521"), root, pki_key("RSA"));
    learn(&smime, stale_ca);
    g_autoptr(X509) three = pki_cert(&person, pki_other_key("RSA"), stale_ca, pki_key("P-521"));
    assert_code(&smime, three, "chain-expired");
}

/* The whole chain is judged at the time that is asked about. */
static void test_chain_time(void)
{
    CertSpec spec = {
        .name = "Short", .constraints = "CA:TRUE", .usage = "keyCertSign", .until_days = 100};
    g_autoptr(X509) ca = pki_cert(&spec, pki_key("RSA"), NULL, NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
    g_autofree char *before =
        smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now() + 99 * 86400, NULL);
    g_autofree char *after =
        smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, now() + 101 * 86400, NULL);

    g_assert_cmpstr(before, ==, "usable");
    g_assert_cmpstr(after, ==, "chain-expired");
}

static void test_weak_chains(void)
{
    CertSpec old_root = {
        .name = "Old", .constraints = "CA:TRUE", .usage = "keyCertSign", .digest = "SHA1"};
    g_autoptr(X509) root = pki_cert(&old_root, pki_key("RSA"), NULL, NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, root, NULL);

    /* The signature of a root on itself proves nothing and harms nothing. */
    CertSpec fine = {.name = "fine"};
    assert_spec(&smime, &fine, "RSA", root, "usable");
    CertSpec sha1 = {.name = "sha1", .digest = "SHA1"};
    assert_spec(&smime, &sha1, "RSA", root, "weak-chain");
    CertSpec md5 = {.name = "md5", .digest = "MD5"};
    assert_spec(&smime, &md5, "RSA", root, "weak-chain");

    CertSpec middle = {
        .name = "Middle", .constraints = "CA:TRUE", .usage = "keyCertSign", .digest = "SHA1"};
    g_autoptr(X509) sha1_ca = pki_cert(&middle, pki_key("P-256"), root, pki_key("RSA"));
    learn(&smime, sha1_ca);
    g_autoptr(X509) under = pki_cert(&fine, pki_other_key("RSA"), sha1_ca, pki_key("P-256"));
    assert_code(&smime, under, "weak-chain");

    CertSpec small = {.name = "Small", .constraints = "CA:TRUE", .usage = "keyCertSign"};
    g_autoptr(X509) small_ca = pki_cert(&small, pki_key("RSA1024"), root, pki_key("RSA"));
    learn(&smime, small_ca);
    g_autoptr(X509) below = pki_cert(&fine, pki_other_key("RSA"), small_ca, pki_key("RSA1024"));
    assert_code(&smime, below, "weak-chain");
}

/* -------------------------------------------------------------------------------------------
 * Revocation
 */

typedef struct {
    X509 *ca;
    X509 *cert;
    EVP_PKEY *signer;
    int reason;
    int next_days;
    gboolean der;
} CrlCase;

/* That a chain holds is remembered, and no longer than it does. */
static void test_remembered_chain(void)
{
    const gint64 day = 86400;
    CertSpec spec = {.name = "Short",
                     .constraints = "critical,CA:TRUE",
                     .usage = "critical,keyCertSign,cRLSign",
                     .until_days = 10};
    g_autoptr(X509) ca = pki_cert(&spec, pki_key("RSA"), NULL, pki_key("RSA"));
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    g_auto(Smime) smime = {0};
    smime_start(&smime, ca, NULL);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_VERIFIED);
    const struct {
        gint64 at;
        const char *code;
    } rows[] = {
        {now(), "usable"},           {now() + 1, "usable"},
        {now() + 9 * day, "usable"}, {now() + 11 * day, "chain-expired"},
        {now() + 1, "usable"},       {now() - 2 * day, "not-yet-valid"},
        {now() + 1, "usable"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = smime_judge(&smime, key, SEAL_PURPOSE_ENCRYPT, rows[i].at, NULL);

        g_assert_cmpstr(got, ==, rows[i].code);
    }
}

static void open_with_crl(Smime *smime, const CrlCase *test)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(X509_CRL) crl =
        pki_crl(test->ca, test->signer, test->cert, test->reason, test->next_days);
    guint8 *der = NULL;
    int length = i2d_X509_CRL(crl, &der);
    g_autoptr(GBytes) bytes = test->der ? g_bytes_new(der, (gsize)length) : pki_crl_pem(crl);
    g_autoptr(GBytes) anchor = pki_pem(test->ca);

    OPENSSL_free(der);
    smime_prepare(smime);
    g_autofree char *anchor_path = smime_write(smime, "anchor.pem", anchor);
    g_autofree char *crl_path = smime_write(smime, "crls/list", bytes);
    g_autofree char *folder = g_path_get_dirname(crl_path);
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s\ncrls=%s\n", anchor_path, folder);
    smime_open_with(smime, settings, NULL, &error);
    g_assert_no_error(error);
}

static void assert_crl(CrlCase test, const char *code)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) other = pki_person("other@example.org", "RSA", NULL, test.ca);

    open_with_crl(&smime, &test);
    assert_code(&smime, test.cert, code);
    assert_code(&smime, other, "usable");
    g_assert_cmpint(smime_logged(&smime, "should have been renewed"), ==, test.next_days < 0);

    g_autoptr(SealKey) manual = smime_key(&smime, test.cert, SEAL_TRUST_MANUAL);
    g_autofree char *got = smime_judge(&smime, manual, SEAL_PURPOSE_ENCRYPT, now(), NULL);
    g_assert_cmpstr(got, ==, code);
}

static void test_revoked(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "RSA", NULL, ca);
    EVP_PKEY *key = pki_key("RSA");
    const int remove_from_crl = 8, hold = 6;

    assert_crl((CrlCase){ca, cert, key, -1, 10, FALSE}, "revoked");
    assert_crl((CrlCase){ca, cert, key, hold, 10, TRUE}, "revoked");
    /* Out of date, it still revokes. */
    assert_crl((CrlCase){ca, cert, key, 1, -10, FALSE}, "revoked");
    assert_crl((CrlCase){ca, cert, key, remove_from_crl, 10, FALSE}, "usable");
    /* Signed by someone else. */
    assert_crl((CrlCase){ca, cert, pki_other_key("RSA"), 1, 10, FALSE}, "usable");
}

static void test_broken_crl(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    const char *text = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    smime_prepare(&smime);
    g_autofree char *path = smime_write(&smime, "list.pem", bytes);
    g_autofree char *settings = g_strdup_printf("crls=%s\n", path);
    g_assert_false(smime_open_with(&smime, settings, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, path));
}

static void test_broken_anchor(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    const char *text = "no certificate here\n";
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    smime_prepare(&smime);
    g_autofree char *path = smime_write(&smime, "anchor.pem", bytes);
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s\n", path);
    g_assert_false(smime_open_with(&smime, settings, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
}

/* One that cannot be read may be the one that matters: nothing runs then. */
static void assert_setting_refused(const char *key, const char *text, goffset size, const char *why)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    smime_prepare(&smime);
    g_autofree char *path = smime_write(&smime, "folder/file", bytes);
    if (size > 0)
        g_assert_cmpint(truncate(path, size), ==, 0);
    g_autofree char *folder = g_path_get_dirname(path);
    /* A named file that holds nothing is an error; within a folder, one that cannot be read. */
    g_autofree char *settings = g_strdup_printf("%s=%s\n", key, size > 0 ? folder : path);
    g_assert_false(smime_open_with(&smime, settings, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, why));
}

static void test_unreadable(void)
{
    enum { TOO_LARGE = 16 * 1024 * 1024 + 1 };

    assert_setting_refused("crls", "no list\n", TOO_LARGE, "octets, and at most");
    assert_setting_refused("crls", "no list\n", 0, "no revocation list in it");
    assert_setting_refused("trust_anchors", "no certificate\n", TOO_LARGE, "octets, and at most");
    assert_setting_refused("trust_anchors", "no certificate\n", 0, "no certificate in it");
}

static void test_folder_of_other_things(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) text = g_bytes_new_static("About these.\n", 13);

    smime_prepare(&smime);
    g_autofree char *readme = smime_write(&smime, "crls/README", text);
    g_autofree char *folder = g_path_get_dirname(readme);
    g_autofree char *settings = g_strdup_printf("crls=%s\n", folder);
    g_assert_true(smime_open_with(&smime, settings, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(smime_logged(&smime, "no revocation list in it"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/usable/good", test_good);
    g_test_add_func("/smime/usable/address", test_address);
    g_test_add_func("/smime/usable/validity", test_validity);
    g_test_add_func("/smime/usable/odd-dates", test_odd_dates);
    g_test_add_func("/smime/usable/usage", test_usage);
    g_test_add_func("/smime/usable/unsupported", test_unsupported);
    g_test_add_func("/smime/usable/keys", test_keys);
    g_test_add_func("/smime/usable/unsound-rsa", test_unsound_rsa);
    g_test_add_func("/smime/usable/extensions", test_extensions);
    g_test_add_func("/smime/usable/proxy", test_proxy);
    g_test_add_func("/smime/usable/trust", test_trust);
    g_test_add_func("/smime/usable/no-anchors", test_no_anchors);
    g_test_add_func("/smime/usable/partial", test_partial);
    g_test_add_func("/smime/usable/intermediates", test_intermediates);
    g_test_add_func("/smime/usable/bad-intermediates", test_bad_intermediates);
    g_test_add_func("/smime/usable/chain-time", test_chain_time);
    g_test_add_func("/smime/usable/weak-chains", test_weak_chains);
    g_test_add_func("/smime/usable/revoked", test_revoked);
    g_test_add_func("/smime/usable/broken-crl", test_broken_crl);
    g_test_add_func("/smime/usable/broken-anchor", test_broken_anchor);
    g_test_add_func("/smime/usable/unreadable", test_unreadable);
    g_test_add_func("/smime/usable/folder-of-other-things", test_folder_of_other_things);
    g_test_add_func("/smime/usable/remembered-chain", test_remembered_chain);
    return g_test_run();
}
