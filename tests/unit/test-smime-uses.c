/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-uses.c: what private keys are used for, and what they are not: OpenSSL checks the
 * signatures, and makes the messages whose content keys are opened.
 */
#include "test-smime-pki.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define WORDS "the words that were encrypted"

/* -------------------------------------------------------------------------------------------
 * One key, in the module
 */

typedef struct {
    Smime smime;
    X509 *cert;
    guint number;
} Fixture;

static void note_number(guint key, const guint8 *octets, gsize length, gpointer user_data)
{
    (void)octets;
    (void)length;
    if (key != G_MAXUINT)
        *(guint *)user_data = key;
}

static void fixture_open(Fixture *fixture, const char *kind, const char *usage)
{
    CertSpec spec = {.name = "Alice", .san = "email:alice@example.org", .usage = usage};
    g_autoptr(X509) ca = pki_ca("Test CA", NULL);
    g_autoptr(GError) error = NULL;

    smime_prepare(&fixture->smime);
    fixture->cert = pki_cert(&spec, pki_other_key(kind), ca, pki_key("RSA"));
    g_autoptr(GBytes) pem = pki_bundle(pki_other_key(kind), fixture->cert, NULL);
    g_autofree char *path = smime_write_secret(&fixture->smime, "key.pem", pem);
    g_autofree char *line = g_strconcat("server_keys=", path, NULL);
    smime_open_with(&fixture->smime, line, NULL, &error);
    g_assert_no_error(error);
    fixture->number = G_MAXUINT;
    seal_module_list_private(fixture->smime.module, note_number, &fixture->number, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->number, !=, G_MAXUINT);
}

static void fixture_close(Fixture *fixture)
{
    X509_free(fixture->cert);
    smime_end(&fixture->smime);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_close)

/* -------------------------------------------------------------------------------------------
 * Signing
 */

static const struct {
    SealHash hash;
    const char *name;
} HASHES[] = {
    {SEAL_HASH_SHA256, "SHA256"}, {SEAL_HASH_SHA384, "SHA384"}, {SEAL_HASH_SHA512, "SHA512"}};

static gboolean sign(Fixture *fixture, SealSignScheme scheme, SealHash hash, const guint8 *digest,
                     GByteArray *signature, GError **error)
{
    SealDigestSigning signing = {.size = sizeof signing,
                                 .key = fixture->number,
                                 .scheme = scheme,
                                 .hash = hash,
                                 .digest = digest};

    return seal_module_sign_digest(fixture->smime.module, &signing, signature, error);
}

static gboolean verifies(EVP_PKEY *key, SealSignScheme scheme, const EVP_MD *md,
                         const GByteArray *signature, const guint8 *digest)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

    g_assert_cmpint(EVP_PKEY_verify_init(ctx), >, 0);
    if (scheme != SEAL_SIGN_ECDSA)
        g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(ctx, scheme == SEAL_SIGN_RSA_PSS
                                                              ? RSA_PKCS1_PSS_PADDING
                                                              : RSA_PKCS1_PADDING),
                        >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_signature_md(ctx, md), >, 0);
    if (scheme == SEAL_SIGN_RSA_PSS)
        g_assert_cmpint(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, EVP_MD_get_size(md)), >, 0);
    int rc =
        EVP_PKEY_verify(ctx, signature->data, signature->len, digest, (gsize)EVP_MD_get_size(md));
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return rc == 1;
}

static void assert_signs(Fixture *fixture, const char *kind, SealSignScheme scheme)
{
    for (guint i = 0; i < G_N_ELEMENTS(HASHES); i++) {
        const EVP_MD *md = EVP_get_digestbyname(HASHES[i].name);
        g_autoptr(GByteArray) signature = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        guint8 digest[EVP_MAX_MD_SIZE];

        g_assert_true(EVP_Digest(WORDS, strlen(WORDS), digest, NULL, md, NULL));
        sign(fixture, scheme, HASHES[i].hash, digest, signature, &error);
        g_assert_no_error(error);
        g_assert_true(verifies(pki_other_key(kind), scheme, md, signature, digest));
        digest[0] ^= 1;
        g_assert_false(verifies(pki_other_key(kind), scheme, md, signature, digest));
    }
}

static void assert_does_not_sign(Fixture *fixture, guint scheme, guint hash)
{
    static const guint8 digest[64] = {1};
    g_autoptr(GByteArray) signature = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(sign(fixture, scheme, hash, digest, signature, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    g_assert_cmpuint(signature->len, ==, 0);
}

static void test_signatures(void)
{
    static const struct {
        const char *kind;
        guint least;
        guint most;
    } cases[] = {
        {"RSA", SEAL_SIGN_RSA_PKCS1, SEAL_SIGN_RSA_PSS},
        {"RSA-PSS", SEAL_SIGN_RSA_PSS, SEAL_SIGN_RSA_PSS},
        {"P-256", SEAL_SIGN_ECDSA, SEAL_SIGN_ECDSA},
        {"P-384", SEAL_SIGN_ECDSA, SEAL_SIGN_ECDSA},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Fixture) fixture;

        fixture_open(&fixture, cases[i].kind, "critical,digitalSignature");
        for (guint scheme = 0; scheme < 6; scheme++) {
            if (scheme >= cases[i].least && scheme <= cases[i].most)
                assert_signs(&fixture, cases[i].kind, scheme);
            else
                assert_does_not_sign(&fixture, scheme, SEAL_HASH_SHA256);
        }
    }
}

/* There is no way to name SHA-1, MD5, or no hash at all. */
static void test_no_other_hash(void)
{
    g_auto(Fixture) fixture;

    fixture_open(&fixture, "RSA", "critical,digitalSignature");
    for (guint hash = 0; hash < 10; hash++) {
        if (!seal_hash_length(hash))
            assert_does_not_sign(&fixture, SEAL_SIGN_RSA_PKCS1, hash);
    }
    fixture.number++;
    assert_does_not_sign(&fixture, SEAL_SIGN_RSA_PKCS1, SEAL_HASH_SHA256);
    fixture.number = G_MAXUINT;
    assert_does_not_sign(&fixture, SEAL_SIGN_RSA_PKCS1, SEAL_HASH_SHA256);
}

/* -------------------------------------------------------------------------------------------
 * Messages whose content key is asked for
 */

/* What a message of OpenSSL's says of its content key. */
typedef struct {
    GByteArray *encrypted;
    GByteArray *point;
    GByteArray *iv;
    GByteArray *content;
} Envelope;

static void envelope_clear(Envelope *envelope)
{
    g_byte_array_unref(envelope->encrypted);
    g_byte_array_unref(envelope->point);
    g_byte_array_unref(envelope->iv);
    g_byte_array_unref(envelope->content);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Envelope, envelope_clear)

static void set_octets(GByteArray *array, const guint8 *octets, long length)
{
    g_byte_array_set_size(array, 0);
    g_byte_array_append(array, octets, (guint)length);
}

/* The last octet string before the IV is the encrypted key; the one bit string is the point; what
 * is implicitly tagged 0 and no sequence is the content. */
static void walk_der(Envelope *envelope, const guint8 *at, const guint8 *end)
{
    while (at < end) {
        long length;
        int tag, class;
        int rc = ASN1_get_object(&at, &length, &tag, &class, end - at);

        g_assert_cmpint(rc & 0x80, ==, 0);
        if (rc & V_ASN1_CONSTRUCTED)
            walk_der(envelope, at, at + length);
        else if (class == V_ASN1_UNIVERSAL && tag == V_ASN1_BIT_STRING)
            set_octets(envelope->point, at + 1, length - 1);
        else if (class == V_ASN1_UNIVERSAL && tag == V_ASN1_OCTET_STRING)
            set_octets(length == 16 ? envelope->iv : envelope->encrypted, at, length);
        else if (class == V_ASN1_CONTEXT_SPECIFIC && tag == 0)
            set_octets(envelope->content, at, length);
        at += length;
    }
}

static void make_envelope(Envelope *envelope, X509 *cert, const EVP_CIPHER *cipher,
                          const EVP_MD *md)
{
    BIO *words = BIO_new_mem_buf(WORDS, -1);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_PARTIAL | CMS_BINARY);
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, cert, CMS_KEY_PARAM);
    EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(info);
    guint8 *der = NULL;

    if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
        g_assert_cmpint(EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, md), >, 0);
    else if (md)
        g_assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
                      EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) > 0 &&
                      EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0);
    g_assert_true(CMS_final(cms, words, NULL, CMS_BINARY));
    int length = i2d_CMS_ContentInfo(cms, &der);
    g_assert_cmpint(length, >, 0);
    envelope->encrypted = g_byte_array_new();
    envelope->point = g_byte_array_new();
    envelope->iv = g_byte_array_new();
    envelope->content = g_byte_array_new();
    walk_der(envelope, der, der + length);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(words);
}

/* ECC-CMS-SharedInfo with aes128-wrap or aes256-wrap, and no UKM (RFC 5753 7.2). */
static const guint8 INFO_128[] = {0x30, 0x15, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
                                  0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x05, 0xa2,
                                  0x06, 0x04, 0x04, 0x00, 0x00, 0x00, 0x80};
static const guint8 INFO_256[] = {0x30, 0x15, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
                                  0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d, 0xa2,
                                  0x06, 0x04, 0x04, 0x00, 0x00, 0x01, 0x00};

static SealKeyUnwrapping ask_for(const Fixture *fixture, SealUnwrapScheme scheme,
                                 const Envelope *envelope, gsize length)
{
    SealKeyUnwrapping asked = {.size = sizeof asked,
                               .key = fixture->number,
                               .scheme = scheme,
                               .hash = SEAL_HASH_SHA256,
                               .encrypted = envelope->encrypted->data,
                               .encrypted_length = envelope->encrypted->len,
                               .length = length};

    if (scheme != SEAL_UNWRAP_ECDH)
        return asked;
    asked.originator = envelope->point->data;
    asked.originator_length = envelope->point->len;
    asked.shared_info = length == 16 ? INFO_128 : INFO_256;
    asked.shared_info_length = sizeof INFO_128;
    asked.wrap_length = length;
    return asked;
}

static gboolean unwrap(Fixture *fixture, const SealKeyUnwrapping *asked, guint8 *key,
                       GError **error)
{
    return seal_module_unwrap_key(fixture->smime.module, asked, key, error);
}

/* Which of them it was, nobody is told. */
static void assert_does_not_open(Fixture *fixture, const SealKeyUnwrapping *asked)
{
    g_autoptr(GError) error = NULL;
    guint8 key[64];

    g_assert_false(unwrap(fixture, asked, key, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    g_assert_cmpstr(error->message, ==, "the content key cannot be opened");
}

static gboolean opens_words(const Envelope *envelope, const EVP_CIPHER *cipher, const guint8 *key)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    guint8 words[256];
    int length = 0, rest = 0;

    g_assert_cmpuint(envelope->content->len, <, sizeof words - 32);
    gboolean ok = EVP_DecryptInit_ex(ctx, cipher, NULL, key, envelope->iv->data) > 0 &&
                  EVP_DecryptUpdate(ctx, words, &length, envelope->content->data,
                                    (int)envelope->content->len) > 0 &&
                  EVP_DecryptFinal_ex(ctx, words + length, &rest) > 0;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok && (gsize)(length + rest) == strlen(WORDS) &&
           memcmp(words, WORDS, strlen(WORDS)) == 0;
}

typedef struct {
    const char *kind;
    const char *usage;
    SealUnwrapScheme scheme;
    gboolean md;
} UnwrapCase;

static const UnwrapCase UNWRAP_CASES[] = {
    {"RSA", "keyEncipherment", SEAL_UNWRAP_RSA_PKCS1, FALSE},
    {"RSA", "keyEncipherment", SEAL_UNWRAP_RSA_OAEP, TRUE},
    {"P-256", "keyAgreement", SEAL_UNWRAP_ECDH, TRUE},
    {"P-384", "keyAgreement", SEAL_UNWRAP_ECDH, TRUE},
};

static const EVP_CIPHER *cipher_of(gsize length)
{
    return length == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
}

static void test_content_keys(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(UNWRAP_CASES); i++) {
        const UnwrapCase *test = &UNWRAP_CASES[i];
        g_auto(Fixture) fixture;

        fixture_open(&fixture, test->kind, test->usage);
        for (gsize length = 16; length <= 32; length += 16) {
            g_autoptr(GError) error = NULL;
            g_auto(Envelope) envelope;
            guint8 key[32];

            make_envelope(&envelope, fixture.cert, cipher_of(length),
                          test->md ? EVP_sha256() : NULL);
            SealKeyUnwrapping asked = ask_for(&fixture, test->scheme, &envelope, length);
            unwrap(&fixture, &asked, key, &error);
            g_assert_no_error(error);
            g_assert_true(opens_words(&envelope, cipher_of(length), key));
        }
    }
}

/* Nothing but a content key of AES is given, however it is asked for. */
static void test_lengths(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(UNWRAP_CASES); i++) {
        const UnwrapCase *test = &UNWRAP_CASES[i];
        g_auto(Fixture) fixture;
        g_auto(Envelope) envelope;

        fixture_open(&fixture, test->kind, test->usage);
        make_envelope(&envelope, fixture.cert, cipher_of(16), test->md ? EVP_sha256() : NULL);
        for (gsize length = 0; length < 50; length++) {
            SealKeyUnwrapping asked = ask_for(&fixture, test->scheme, &envelope, 16);
            gboolean one = length == 16 || length == 24 || length == 32;

            if (length == 16)
                continue;
            asked.length = length;
            /* PKCS#1 gives one that is made up. */
            if (!one || test->md)
                assert_does_not_open(&fixture, &asked);
            if (test->scheme != SEAL_UNWRAP_ECDH)
                continue;
            asked.length = 16;
            asked.wrap_length = length;
            assert_does_not_open(&fixture, &asked);
        }
        SealKeyUnwrapping asked = ask_for(&fixture, test->scheme, &envelope, 16);
        asked.encrypted_length--;
        assert_does_not_open(&fixture, &asked);
        asked.encrypted_length = 0;
        assert_does_not_open(&fixture, &asked);
    }
}

static void test_other_ways(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(UNWRAP_CASES); i++) {
        const UnwrapCase *test = &UNWRAP_CASES[i];
        g_auto(Fixture) fixture;
        g_auto(Envelope) envelope;
        gboolean rsa = test->scheme != SEAL_UNWRAP_ECDH;

        fixture_open(&fixture, test->kind, "keyEncipherment,keyAgreement");
        make_envelope(&envelope, fixture.cert, cipher_of(16), test->md ? EVP_sha256() : NULL);
        for (guint scheme = 0; scheme < 8; scheme++) {
            SealKeyUnwrapping asked = ask_for(&fixture, test->scheme, &envelope, 16);

            asked.scheme = scheme;
            /* PKCS#1 gives one that is made up. */
            if (scheme != test->scheme && !(rsa && scheme == SEAL_UNWRAP_RSA_PKCS1))
                assert_does_not_open(&fixture, &asked);
        }
        /* SHA-1 has no number. */
        for (guint hash = 0; test->md && hash < 8; hash++) {
            SealKeyUnwrapping asked = ask_for(&fixture, test->scheme, &envelope, 16);

            asked.hash = hash;
            if (hash != SEAL_HASH_SHA256)
                assert_does_not_open(&fixture, &asked);
        }
    }
}

static void test_usage(void)
{
    static const struct {
        const char *kind;
        const char *usage;
        SealUnwrapScheme scheme;
    } cases[] = {
        {"RSA", "digitalSignature,keyAgreement", SEAL_UNWRAP_RSA_PKCS1},
        {"RSA", "digitalSignature,dataEncipherment", SEAL_UNWRAP_RSA_OAEP},
        {"P-256", "digitalSignature,keyEncipherment", SEAL_UNWRAP_ECDH},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Fixture) fixture;
        g_auto(Envelope) envelope;
        g_autoptr(X509) ca = pki_ca("Test CA", NULL);
        g_autoptr(X509) other = pki_person("alice@example.org", cases[i].kind, NULL, ca);
        g_autoptr(GError) error = NULL;
        guint8 key[32];

        fixture_open(&fixture, cases[i].kind, cases[i].usage);
        make_envelope(&envelope, other, cipher_of(16), i > 0 ? EVP_sha256() : NULL);
        SealKeyUnwrapping asked = ask_for(&fixture, cases[i].scheme, &envelope, 16);
        g_assert_false(unwrap(&fixture, &asked, key, &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
        g_assert_nonnull(strstr(error->message, "for what its certificate is not for"));
    }
}

static void test_signing_usage(void)
{
    g_auto(Fixture) fixture;

    fixture_open(&fixture, "RSA", "keyEncipherment");
    assert_does_not_sign(&fixture, SEAL_SIGN_RSA_PKCS1, SEAL_HASH_SHA256);
}

/* -------------------------------------------------------------------------------------------
 * PKCS#1: what is wrong does not show
 */

static GByteArray *encrypt_pkcs1(EVP_PKEY *key, const guint8 *octets, gsize length)
{
    GByteArray *made = g_byte_array_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    gsize size = (gsize)EVP_PKEY_get_size(key);

    g_byte_array_set_size(made, (guint)size);
    g_assert_true(EVP_PKEY_encrypt_init(ctx) > 0 &&
                  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
                  EVP_PKEY_encrypt(ctx, made->data, &size, octets, length) > 0);
    EVP_PKEY_CTX_free(ctx);
    return made;
}

static void unwrap_pkcs1(Fixture *fixture, const GByteArray *encrypted, gsize length, guint8 *key)
{
    g_autoptr(GError) error = NULL;
    SealKeyUnwrapping asked = {.size = sizeof asked,
                               .key = fixture->number,
                               .scheme = SEAL_UNWRAP_RSA_PKCS1,
                               .encrypted = encrypted->data,
                               .encrypted_length = encrypted->len,
                               .length = length};

    memset(key, 0, 32);
    unwrap(fixture, &asked, key, &error);
    g_assert_no_error(error);
}

/* A key of the length that was asked for, the same each time, and of each length another: else
 * asking for two lengths would tell whether the padding was right. */
static void assert_made_up(Fixture *fixture, const GByteArray *encrypted, guint8 *key)
{
    guint8 again[32], shorter[32], middle[32];

    unwrap_pkcs1(fixture, encrypted, 32, key);
    unwrap_pkcs1(fixture, encrypted, 32, again);
    g_assert_cmpmem(key, 32, again, 32);
    unwrap_pkcs1(fixture, encrypted, 24, middle);
    unwrap_pkcs1(fixture, encrypted, 16, shorter);
    g_assert_cmpint(memcmp(key, shorter, 16), !=, 0);
    g_assert_cmpint(memcmp(key, middle, 16), !=, 0);
    g_assert_cmpint(memcmp(middle, shorter, 16), !=, 0);
}

static void test_pkcs1_faults(void)
{
    static const guint8 content_key[48] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    g_auto(Fixture) fixture;
    EVP_PKEY *pair = pki_other_key("RSA");
    guint8 right[32], one[32], other[32];

    fixture_open(&fixture, "RSA", "keyEncipherment");
    g_autoptr(GByteArray) good = encrypt_pkcs1(pair, content_key, 32);
    unwrap_pkcs1(&fixture, good, 32, right);
    g_assert_cmpmem(right, 32, content_key, 32);
    unwrap_pkcs1(&fixture, good, 16, one);
    g_assert_cmpint(memcmp(one, content_key, 16), !=, 0);

    /* Of another length. */
    for (gsize length = 0; length <= 48; length += 6) {
        g_autoptr(GByteArray) made = encrypt_pkcs1(pair, content_key, length);

        if (length == 24)
            continue;
        assert_made_up(&fixture, made, one);
        g_assert_cmpint(memcmp(one, content_key, 16), !=, 0);
    }
    /* Of no padding at all. */
    g_autoptr(GByteArray) garbled = encrypt_pkcs1(pair, content_key, 32);
    garbled->data[garbled->len - 1] ^= 1;
    assert_made_up(&fixture, garbled, one);
    garbled->data[garbled->len - 2] ^= 1;
    assert_made_up(&fixture, garbled, other);
    g_assert_cmpint(memcmp(one, other, 32), !=, 0);
    /* 0, 1 and what is larger than the modulus are numbers that RSA does not take apart. */
    memset(garbled->data, 0, garbled->len);
    assert_made_up(&fixture, garbled, one);
    garbled->data[garbled->len - 1] = 1;
    assert_made_up(&fixture, garbled, one);
    memset(garbled->data, 0xff, garbled->len);
    assert_made_up(&fixture, garbled, one);
}

/* Another start of the same keys makes up the same. */
static void test_pkcs1_again(void)
{
    g_autoptr(GByteArray) garbled = g_byte_array_new();
    guint8 one[32], other[32];

    g_byte_array_set_size(garbled, 256);
    memset(garbled->data, 0x11, garbled->len);
    for (guint i = 0; i < 2; i++) {
        g_auto(Fixture) fixture;

        fixture_open(&fixture, "RSA", "keyEncipherment");
        assert_made_up(&fixture, garbled, i ? other : one);
    }
    g_assert_cmpmem(one, 32, other, 32);
}

/* -------------------------------------------------------------------------------------------
 * ECDH: points
 */

static void assert_refuses_point(Fixture *fixture, const Envelope *envelope, const guint8 *point,
                                 gsize length)
{
    SealKeyUnwrapping asked = ask_for(fixture, SEAL_UNWRAP_ECDH, envelope, 16);

    asked.originator = point;
    asked.originator_length = length;
    assert_does_not_open(fixture, &asked);
}

static void test_points(void)
{
    static const char *const kinds[] = {"P-256", "P-384"};
    static const guint8 infinity[97] = {0};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_auto(Fixture) fixture;
        g_auto(Envelope) envelope;
        guint8 *foreign = NULL;

        fixture_open(&fixture, kinds[i], "keyAgreement");
        make_envelope(&envelope, fixture.cert, cipher_of(16), EVP_sha256());
        gsize length = envelope.point->len;
        g_autofree guint8 *point = g_memdup2(envelope.point->data, length);

        /* Off the curve, by a bit of either coordinate. */
        point[length - 1] ^= 1;
        assert_refuses_point(&fixture, &envelope, point, length);
        point[length - 1] ^= 1;
        point[1] ^= 1;
        assert_refuses_point(&fixture, &envelope, point, length);
        point[1] ^= 1;
        /* Larger than the field. */
        memset(point + 1, 0xff, length / 2);
        assert_refuses_point(&fixture, &envelope, point, length);
        /* Infinity, as it is written, and in other forms. */
        assert_refuses_point(&fixture, &envelope, infinity, 1);
        assert_refuses_point(&fixture, &envelope, infinity, length);
        memset(point + 1, 0, length - 1);
        assert_refuses_point(&fixture, &envelope, point, length);
        /* None, and one that breaks off. */
        assert_refuses_point(&fixture, &envelope, NULL, 0);
        assert_refuses_point(&fixture, &envelope, envelope.point->data, length - 1);
        /* Of another curve. */
        gsize foreign_length = EVP_PKEY_get1_encoded_public_key(pki_key(kinds[1 - i]), &foreign);
        g_assert_cmpuint(foreign_length, >, 0);
        assert_refuses_point(&fixture, &envelope, foreign, foreign_length);
        OPENSSL_free(foreign);
    }
}

static void test_wraps(void)
{
    g_auto(Fixture) fixture;
    g_auto(Envelope) envelope;

    fixture_open(&fixture, "P-256", "keyAgreement");
    make_envelope(&envelope, fixture.cert, cipher_of(32), EVP_sha256());
    SealKeyUnwrapping asked = ask_for(&fixture, SEAL_UNWRAP_ECDH, &envelope, 32);
    asked.shared_info = INFO_128;
    assert_does_not_open(&fixture, &asked);
    asked.shared_info_length = 0;
    assert_does_not_open(&fixture, &asked);
    asked = ask_for(&fixture, SEAL_UNWRAP_ECDH, &envelope, 32);
    envelope.encrypted->data[3] ^= 1;
    assert_does_not_open(&fixture, &asked);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/uses/signatures", test_signatures);
    g_test_add_func("/smime/uses/no-other-hash", test_no_other_hash);
    g_test_add_func("/smime/uses/signing-usage", test_signing_usage);
    g_test_add_func("/smime/uses/content-keys", test_content_keys);
    g_test_add_func("/smime/uses/lengths", test_lengths);
    g_test_add_func("/smime/uses/other-ways", test_other_ways);
    g_test_add_func("/smime/uses/usage", test_usage);
    g_test_add_func("/smime/uses/pkcs1-faults", test_pkcs1_faults);
    g_test_add_func("/smime/uses/pkcs1-again", test_pkcs1_again);
    g_test_add_func("/smime/uses/points", test_points);
    g_test_add_func("/smime/uses/wraps", test_wraps);
    return g_test_run();
}
