/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-detect.c: what is taken for encrypted, and what is not.
 */
#include "test-smime-pki.h"

#include <openssl/cms.h>
#include <string.h>

#define HEAD(type)                                                                                 \
    "Content-Type: application/pkcs7-mime; smime-type=" type "; name=smime.p7m\n"                  \
    "Content-Transfer-Encoding: base64\n\n"

/* A module and a message for one recipient, sealed by AES-256-CBC or, at @gcm, AES-256-GCM. */
typedef struct {
    Smime smime;
    X509 *cert;
    char *text;
    gsize size;
    gsize body; /* where it begins */
    guchar *der;
    gsize der_size;
} Fixture;

static void fixture_open(Fixture *fixture, gboolean gcm, gsize content_size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autofree char *content = g_strnfill(content_size, 'x');

    smime_start(&fixture->smime, NULL, NULL);
    fixture->cert = pki_person("a@example.org", "RSA", gcm ? CAP_AES256_GCM : NULL, ca);
    X509 *const certs[] = {fixture->cert, NULL};
    g_autoptr(GBytes) entity = g_bytes_new(content, content_size);
    g_autoptr(GBytes) sealed = smime_seal(&fixture->smime, certs, entity, &error);
    g_assert_no_error(error);
    fixture->size = g_bytes_get_size(sealed);
    fixture->text = g_strndup(g_bytes_get_data(sealed, NULL), fixture->size);
    fixture->body =
        (gsize)((const char *)memmem(fixture->text, fixture->size, "\n\n", 2) + 2 - fixture->text);
    g_autofree char *body = g_strndup(fixture->text + fixture->body, fixture->size - fixture->body);
    fixture->der = g_base64_decode(body, &fixture->der_size);
}

static void fixture_close(Fixture *fixture)
{
    X509_free(fixture->cert);
    g_free(fixture->text);
    g_free(fixture->der);
    smime_end(&fixture->smime);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_close)

static SealDetected look(Smime *smime, const void *message, gsize size)
{
    g_autoptr(SealDetection) found = smime_look(smime, message, size);

    return seal_detection_what(found);
}

static SealDetected look_text(Smime *smime, const char *message)
{
    return look(smime, message, strlen(message));
}

/* A message with this head, and @der in base64. */
static SealDetected look_der(Smime *smime, const char *head, const void *der, gsize size)
{
    g_autofree char *base64 = g_base64_encode(der, size);
    g_autofree char *message = g_strconcat(head, base64, "\n", NULL);

    return look_text(smime, message);
}

static void test_own(void)
{
    for (int gcm = 0; gcm < 2; gcm++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, gcm, 1000);
        g_autoptr(SealKey) key = smime_key(&fixture.smime, fixture.cert, SEAL_TRUST_MANUAL);
        g_autoptr(SealDetection) found = smime_look(&fixture.smime, fixture.text, fixture.size);

        g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
        g_assert_cmpuint(seal_detection_content_size(found), ==, gcm ? 1000 : 1008);
        g_assert_cmpuint(seal_detection_hidden(found), ==, 0);
        g_assert_cmpuint(seal_detection_ids(found)->len, ==, 1);
        g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==,
                        seal_key_detected_ids(key)[0]);
    }
}

/* In raw BER, with CRLF, with odd blanks, under its other names. */
static void test_forms(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 1000);
    Smime *smime = &fixture.smime;
    const char *raw =
        "Content-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: binary\n\n";
    g_autoptr(GByteArray) message = g_byte_array_new();

    g_byte_array_append(message, (const guint8 *)raw, (guint)strlen(raw));
    g_byte_array_append(message, fixture.der, (guint)fixture.der_size);
    g_assert_cmpint(look(smime, message->data, message->len), ==, SEAL_DETECTED_ENCRYPTED);

    g_auto(GStrv) lines = g_strsplit(fixture.text, "\n", -1);
    g_autofree char *crlf = g_strjoinv("\r\n", lines);
    g_assert_cmpint(look_text(smime, crlf), ==, SEAL_DETECTED_ENCRYPTED);

    const char *octets = "Content-Type: application/octet-stream; name=\"SMIME.P7M\"\n"
                         "Content-Transfer-Encoding: BASE64\n\n";
    g_assert_cmpint(look_der(smime, octets, fixture.der, fixture.der_size), ==,
                    SEAL_DETECTED_ENCRYPTED);
    const char *disposed = "Content-Type: application/octet-stream\n"
                           "Content-Disposition: attachment; filename=smime.p7m\n"
                           "Content-Transfer-Encoding: base64\n\n";
    g_assert_cmpint(look_der(smime, disposed, fixture.der, fixture.der_size), ==,
                    SEAL_DETECTED_ENCRYPTED);
    const char *other = "Content-Type: application/octet-stream; name=a.bin\n"
                        "Content-Transfer-Encoding: base64\n\n";
    g_assert_cmpint(look_der(smime, other, fixture.der, fixture.der_size), ==,
                    SEAL_DETECTED_NOTHING);
    /* The type is a hint, the ASN.1 rules. */
    g_assert_cmpint(look_der(smime, HEAD("signed-data"), fixture.der, fixture.der_size), ==,
                    SEAL_DETECTED_ENCRYPTED);
}

static void test_truncated(void)
{
    for (int gcm = 0; gcm < 2; gcm++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, gcm, 10000);

        /* Cut in the text; the last character is a line end, which is nothing. */
        for (gsize n = fixture.body; n + 1 < fixture.size; n += n < fixture.body + 800 ? 1 : 97)
            g_assert_cmpint(look(&fixture.smime, fixture.text, n), !=, SEAL_DETECTED_ENCRYPTED);
        /* Cut between octets, the base64 being whole. */
        for (gsize n = 0; n < fixture.der_size; n += n < 600 || n + 60 > fixture.der_size ? 1 : 61)
            g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), fixture.der, n), !=,
                            SEAL_DETECTED_ENCRYPTED);
        g_assert_cmpint(
            look_der(&fixture.smime, HEAD("enveloped-data"), fixture.der, fixture.der_size), ==,
            SEAL_DETECTED_ENCRYPTED);
    }
}

static SealDetected look_with(Fixture *fixture, const char *before, const char *after)
{
    g_autoptr(GString) message = g_string_new_len(fixture->text, (gssize)fixture->body);

    g_string_append(message, before);
    g_string_append_len(message, fixture->text + fixture->body,
                        (gssize)(fixture->size - fixture->body));
    g_string_append(message, after);
    return look(&fixture->smime, message->str, message->len);
}

static void test_beside(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 1000);
    g_autofree guchar *longer = g_malloc0(fixture.der_size + 20);
    memcpy(longer, fixture.der, fixture.der_size);

    g_assert_cmpint(look_with(&fixture, "", "\r\n \t\n"), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpint(look_with(&fixture, "\n\n", ""), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpint(look_with(&fixture, "", "Hello, in clear.\n"), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_with(&fixture, "", "AAAA\n"), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_with(&fixture, "", "="), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_with(&fixture, "Hello!\n", ""), !=, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpint(look_with(&fixture, "QUJD\n", ""), !=, SEAL_DETECTED_ENCRYPTED);
    for (gsize more = 1; more < 20; more++)
        g_assert_cmpint(
            look_der(&fixture.smime, HEAD("enveloped-data"), longer, fixture.der_size + more), ==,
            SEAL_DETECTED_PARTLY);

    /* Two messages, one after the other. */
    g_autofree guchar *twice = g_malloc(2 * fixture.der_size);
    memcpy(twice, fixture.der, fixture.der_size);
    memcpy(twice + fixture.der_size, fixture.der, fixture.der_size);
    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), twice, 2 * fixture.der_size),
                    ==, SEAL_DETECTED_PARTLY);
}

/* Base64 that does not end as it should, with every number of characters of padding. */
static void test_ends(void)
{
    static const char *const tails[] = {"A", "AA", "AAA", "=", "==", "A=", "QUI=", "QQ==", "QUJD"};
    gboolean seen[3] = {FALSE};

    for (gsize size = 100; size < 103; size++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, TRUE, size);
        gsize end = fixture.size - 1;
        guint pads = 0;

        while (fixture.text[end - 1 - pads] == '=')
            pads++;
        seen[pads] = TRUE;
        for (guint i = 0; i < G_N_ELEMENTS(tails); i++)
            g_assert_cmpint(look_with(&fixture, "", tails[i]), ==, SEAL_DETECTED_PARTLY);
        /* Padding that is missing, and bits that encode nothing and are set. */
        for (guint cut = 1; cut <= pads; cut++)
            g_assert_cmpint(look(&fixture.smime, fixture.text, end - cut), ==,
                            SEAL_DETECTED_PARTLY);
        g_assert_cmpint(fixture.text[end - 1 - pads], ==, 'A');
        fixture.text[end - 1 - pads] = 'B';
        g_assert_cmpint(look(&fixture.smime, fixture.text, fixture.size), ==, SEAL_DETECTED_PARTLY);
    }
    g_assert_true(seen[0] && seen[1] && seen[2]);
}

static void test_fields(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 1000);
    const guchar *der = fixture.der;
    gsize size = fixture.der_size;
    Smime *smime = &fixture.smime;

    g_assert_cmpint(look_der(smime, "Content-Type: text/plain\n" HEAD("enveloped-data"), der, size),
                    ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(
        look_der(smime, "Content-Transfer-Encoding: 7bit\n" HEAD("enveloped-data"), der, size), ==,
        SEAL_DETECTED_PARTLY);
    g_assert_cmpint(
        look_der(smime, "Content-Type: application/pkcs7-mime\n" HEAD("enveloped-data"), der, size),
        ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_der(smime,
                             "Content-Type: application/pkcs7-mime\n"
                             "Content-Transfer-Encoding: quoted-printable\n\n",
                             der, size),
                    ==, SEAL_DETECTED_PARTLY);
    /* Base64 that says it is none. */
    g_assert_cmpint(look_der(smime, "Content-Type: application/pkcs7-mime\n\n", der, size), ==,
                    SEAL_DETECTED_NOTHING);
}

static void test_bait(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    Smime *smime = &fixture.smime;
    g_autofree char *quoted =
        g_strconcat("Subject: look\n\nOn Monday you wrote:\n", fixture.text, NULL);
    g_autofree char *body =
        g_strconcat("Content-Type: text/plain\n\n", fixture.text + fixture.body, NULL);
    g_autofree char *multipart =
        g_strconcat("Content-Type: multipart/mixed; boundary=b\n\nclear\n--b\n", fixture.text,
                    "--b--\nclear too\n", NULL);

    g_assert_cmpint(look_text(smime, quoted), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, body), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, multipart), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, HEAD("enveloped-data") "Hello, this is all in clear.\n"), ==,
                    SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, HEAD("enveloped-data")), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, HEAD("enveloped-data") "SGVsbG8sIHdvcmxkIQ==\n"), ==,
                    SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime, "\n"), ==, SEAL_DETECTED_NOTHING);
}

/* -------------------------------------------------------------------------------------------
 * Messages that OpenSSL makes otherwise than encrypt() does
 */

static GBytes *encode(CMS_ContentInfo *cms)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    g_assert_true(i2d_CMS_bio(bio, cms));
    long length = BIO_get_mem_data(bio, &data);
    GBytes *bytes = g_bytes_new(data, (gsize)length);
    BIO_free(bio);
    CMS_ContentInfo_free(cms);
    return bytes;
}

static CMS_ContentInfo *envelope(Fixture *fixture, const EVP_CIPHER *cipher, guint flags,
                                 const char *content)
{
    BIO *in = BIO_new_mem_buf(content, -1);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_BINARY | CMS_PARTIAL);

    g_assert_nonnull(cms);
    g_assert_nonnull(CMS_add1_recipient_cert(cms, fixture->cert, flags));
    g_assert_true(CMS_final(cms, in, NULL, CMS_BINARY));
    BIO_free(in);
    return cms;
}

static SealDetection *look_cms(Fixture *fixture, CMS_ContentInfo *cms)
{
    g_autoptr(GBytes) der = encode(cms);
    g_autofree char *base64 = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
    g_autofree char *message = g_strconcat(HEAD("enveloped-data"), base64, "\n", NULL);

    return smime_look(&fixture->smime, message, strlen(message));
}

static void test_definite(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autoptr(SealDetection) found =
        look_cms(&fixture, envelope(&fixture, EVP_aes_192_cbc(), 0, "some content"));

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpuint(seal_detection_content_size(found), ==, 16);
}

static void test_key_identifier(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autoptr(SealKey) key = smime_key(&fixture.smime, fixture.cert, SEAL_TRUST_MANUAL);
    g_autoptr(SealDetection) found =
        look_cms(&fixture, envelope(&fixture, EVP_aes_256_cbc(), CMS_USE_KEYID, "some content"));

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==,
                    seal_key_detected_ids(key)[1]);
}

static void test_weak_cipher(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autoptr(SealDetection) found =
        look_cms(&fixture, envelope(&fixture, EVP_des_ede3_cbc(), 0, "some content"));

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_PARTLY);
    g_assert_nonnull(strstr(seal_detection_text(found), "DES-EDE3-CBC"));
}

/* Someone who is no known person can read it too. */
static void test_hidden(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    BIO *in = BIO_new_mem_buf("some content", -1);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), CMS_BINARY | CMS_PARTIAL);
    char *password = OPENSSL_strdup("password");

    g_assert_nonnull(CMS_add1_recipient_cert(cms, fixture.cert, 0));
    g_assert_nonnull(
        CMS_add0_recipient_password(cms, -1, NID_undef, NID_undef, (guchar *)password, -1, NULL));
    g_assert_true(CMS_final(cms, in, NULL, CMS_BINARY));
    g_autoptr(SealDetection) found = look_cms(&fixture, cms);
    BIO_free(in);

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_PARTLY);
    g_assert_nonnull(strstr(seal_detection_text(found), "other than by certificate"));
}

static void test_no_content(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    CMS_ContentInfo *cms = envelope(&fixture, EVP_aes_256_cbc(), 0, "some content");

    /* The ciphertext is elsewhere. */
    g_assert_true(CMS_set_detached(cms, 1));
    g_autoptr(SealDetection) found = look_cms(&fixture, cms);
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_PARTLY);
}

static void test_signed(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    Smime *smime = &fixture.smime;
    BIO *in = BIO_new_mem_buf("Content-Type: text/plain\r\n\r\nHello\r\n", -1);
    g_autoptr(GBytes) opaque =
        encode(CMS_sign(fixture.cert, pki_other_key("RSA"), NULL, in, CMS_BINARY | CMS_NOSMIMECAP));
    STACK_OF(X509) *certs = sk_X509_new_null();
    sk_X509_push(certs, fixture.cert);
    g_autoptr(GBytes) only_certs = encode(CMS_sign(NULL, NULL, certs, NULL, CMS_PARTIAL));
    sk_X509_free(certs);
    BIO_free(in);

    /* Whatever the type says, it can be read by all. */
    g_assert_cmpint(look_der(smime, HEAD("signed-data"), g_bytes_get_data(opaque, NULL),
                             g_bytes_get_size(opaque)),
                    ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpint(look_der(smime, HEAD("enveloped-data"), g_bytes_get_data(opaque, NULL),
                             g_bytes_get_size(opaque)),
                    ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpint(look_der(smime, HEAD("signed-data"), g_bytes_get_data(opaque, NULL),
                             g_bytes_get_size(opaque) - 1),
                    ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_der(smime, HEAD("certs-only"), g_bytes_get_data(only_certs, NULL),
                             g_bytes_get_size(only_certs)),
                    ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime,
                              "Content-Type: multipart/signed; boundary=b; micalg=sha-256;\n"
                              " protocol=\"application/pkcs7-signature\"\n\n--b\n\nx\n--b--\n"),
                    ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_text(smime,
                              "Content-Type: multipart/signed; boundary=b;\n"
                              " protocol=\"application/pgp-signature\"\n\n--b\n\nx\n--b--\n"),
                    ==, SEAL_DETECTED_NOTHING);
}

/* -------------------------------------------------------------------------------------------
 * multipart/signed
 */

/* A detached signature by the fixture's key, or what else @flags make of it. (transfer full) */
static char *signature(Fixture *fixture, unsigned flags)
{
    BIO *in = BIO_new_mem_buf("Content-Type: text/plain\r\n\r\nHello\r\n", -1);
    g_autoptr(GBytes) der = encode(CMS_sign(fixture->cert, pki_other_key("RSA"), NULL, in,
                                            CMS_BINARY | CMS_NOSMIMECAP | flags));

    BIO_free(in);
    return g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
}

#define SIGNED                                                                                     \
    "Content-Type: multipart/signed; boundary=b; micalg=sha-256;\n"                                \
    " protocol=\"application/pkcs7-signature\"\n"
#define CLEAR_PART "--b\nContent-Type: text/plain\n\nHello\n\n"
#define SIGNATURE_PART                                                                             \
    "--b\nContent-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\n"

static SealDetection *look_joined(Smime *smime, const char *front, const char *base64,
                                  const char *end)
{
    g_autofree char *message = g_strconcat(front, base64, end, NULL);

    return smime_look(smime, message, strlen(message));
}

/* Nothing, nobody's, and the text says why. */
static void assert_bait(Smime *smime, const char *front, const char *base64, const char *end,
                        const char *why)
{
    g_autoptr(SealDetection) found = look_joined(smime, front, base64, end);

    g_test_message("%s", seal_detection_text(found));
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_NOTHING);
    g_assert_cmpuint(seal_detection_ids(found)->len + seal_detection_hidden(found), ==, 0);
    g_assert_nonnull(strstr(seal_detection_text(found), why));
}

static void assert_signed_by(Fixture *fixture, const char *front, const char *base64, guint id)
{
    g_autoptr(SealKey) key = smime_key(&fixture->smime, fixture->cert, SEAL_TRUST_MANUAL);
    g_autoptr(SealDetection) found = look_joined(&fixture->smime, front, base64, "\n--b--\n");

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpuint(seal_detection_ids(found)->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(seal_detection_ids(found), 0), ==,
                    seal_key_detected_ids(key)[id]);
}

static void test_clear_signed(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autofree char *good = signature(&fixture, CMS_DETACHED);
    g_autofree char *by_key_id = signature(&fixture, CMS_DETACHED | CMS_USE_KEYID);

    assert_signed_by(&fixture, SIGNED "\n" CLEAR_PART SIGNATURE_PART, good, 0);
    assert_signed_by(&fixture, SIGNED "\n" CLEAR_PART SIGNATURE_PART, by_key_id, 1);
    assert_signed_by(&fixture, SIGNED "\nAn old reader sees this.\n" CLEAR_PART SIGNATURE_PART,
                     good, 0);
    assert_signed_by(&fixture,
                     "Content-Type: multipart/signed; boundary=b;\n"
                     " protocol=\"application/x-pkcs7-signature\"\n\n" CLEAR_PART
                     "--b\nContent-Type: application/x-pkcs7-signature; name=smime.p7s\n"
                     "Content-Transfer-Encoding: BASE64\n\n",
                     good, 0);
}

static void test_clear_signed_bait(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    Smime *smime = &fixture.smime;
    g_autofree char *good = signature(&fixture, CMS_DETACHED);
    g_autofree char *opaque = signature(&fixture, 0);
    g_autofree char *cut = g_strndup(good, strlen(good) / 8 * 4);
    g_autofree char *sealed = g_base64_encode(fixture.der, fixture.der_size);
    const char *front = SIGNED "\n" CLEAR_PART SIGNATURE_PART;
    const char *end = "\n--b--\n";

    assert_bait(smime, front, "", end, "it says that it is signed");
    assert_bait(smime, front, "SGVsbG8=", end, "it says that it is signed");
    assert_bait(smime, front, cut, end, "without a signature");
    assert_bait(smime, front, opaque, end, "it encloses what it signs");
    assert_bait(smime, front, sealed, end, "CMS, but not SignedData");
    assert_bait(smime, front, good, "\nand more\n--b--\n", "beside the base64");
    assert_bait(smime, SIGNED "\n" CLEAR_PART CLEAR_PART SIGNATURE_PART, good, end,
                "two parts, and has 3");
    assert_bait(smime, SIGNED "\n" SIGNATURE_PART, good, end, "two parts, and has 1");
    assert_bait(smime, SIGNED "Content-Type: text/plain\n\n" CLEAR_PART SIGNATURE_PART, good, end,
                "more than one Content-Type field");
    assert_bait(smime,
                SIGNED "\n" CLEAR_PART
                       "--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n",
                good, end, "should be application/pkcs7-signature, and is application/pdf");
    assert_bait(smime,
                SIGNED "\n" CLEAR_PART "--b\nContent-Type: application/pkcs7-signature\n"
                       "Content-Transfer-Encoding: quoted-printable\n\n",
                good, end, "transfer encoding that S/MIME does not have: quoted-printable");
    assert_bait(smime,
                SIGNED "\n" CLEAR_PART "--b\nContent-Type: application/pkcs7-signature\n"
                       "Content-Transfer-Encoding: base64\nContent-Type: text/plain\n\n",
                good, end, "more than one Content-Type field");
    /* The other way round: an opaque one that has nothing in it. */
    assert_bait(smime, HEAD("signed-data"), good, "\n", "not in it");
}

/* More parts than are looked at. */
static void test_clear_signed_endless(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(GString) message = g_string_new(SIGNED "\n");

    for (int i = 0; i < 20000; i++)
        g_string_append(message, "--b\n\nx\n");
    g_autoptr(SealDetection) found = smime_look(&smime, message->str, message->len);
    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_NOTHING);
    g_assert_nonnull(strstr(seal_detection_text(found), "10000 parts"));
}

/* Octets changed anywhere: never a name that is not the signer's. */
static void test_signed_damaged(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autofree char *good = signature(&fixture, 0);
    gsize size;
    g_autofree guchar *der = g_base64_decode(good, &size);
    g_autoptr(GRand) rand = g_rand_new_with_seed(17);
    for (int i = 0; i < 8000; i++) {
        g_autofree guchar *copy = g_memdup2(der, size);
        gsize length = i % 4 ? size : (gsize)g_rand_int_range(rand, 0, (gint32)size);

        for (int flips = g_rand_int_range(rand, 1, 4); flips > 0; flips--)
            copy[g_rand_int_range(rand, 0, (gint32)size)] = (guchar)g_rand_int(rand);
        g_autofree char *text = g_base64_encode(copy, length);
        g_autoptr(SealDetection) found =
            look_joined(&fixture.smime, HEAD("signed-data"), text, "\n");
        g_assert_cmpint(seal_detection_what(found), !=, SEAL_DETECTED_ENCRYPTED);
        if (length < size)
            g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_NOTHING);
    }
}

/* -------------------------------------------------------------------------------------------
 * Parts that are there and should not be, or the other way round
 */

/* encrypt() writes lengths that are not told beforehand, so that octets can be put in and taken
 * out without mending those before. */
static SealDetected look_changed(Fixture *fixture, gsize from_end, gsize cut, const char *put,
                                 gsize put_size)
{
    g_autoptr(GByteArray) der = g_byte_array_new();
    gsize at = fixture->der_size - from_end;

    g_byte_array_append(der, fixture->der, (guint)at);
    g_byte_array_append(der, (const guint8 *)put, (guint)put_size);
    g_byte_array_append(der, fixture->der + at + cut, (guint)(from_end - cut));
    return look_der(&fixture->smime, HEAD("enveloped-data"), der->data, der->len);
}

static void test_attributes(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);

    /* Behind encryptedContentInfo; the ends of three elements follow. */
    g_assert_cmpint(look_changed(&fixture, 6, 0, "", 0), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpint(look_changed(&fixture, 6, 0, "\xa1\x07\x04\x05plain", 9), ==,
                    SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 6, 0, "\x04\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 4, 0, "\x04\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 2, 0, "\x04\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
    /* Behind the ciphertext, within encryptedContentInfo; and among its pieces. */
    g_assert_cmpint(look_changed(&fixture, 8, 0, "\x04\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 10, 0, "\x0c\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 10, 0, "\x0c\x10sixteen of plain", 18), ==,
                    SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 10, 0, "\x04\x10sixteen of plain", 18), ==,
                    SEAL_DETECTED_ENCRYPTED);
    /* Ciphertext that is no row of blocks. */
    g_assert_cmpint(look_changed(&fixture, 10, 0, "\x04\x05plain", 7), ==, SEAL_DETECTED_PARTLY);
}

static void test_mac(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, TRUE, 100);
    char mac[34] = {4, 32};

    /* The authentication tag: two octets of head, sixteen, and three ends. */
    g_assert_cmpint(fixture.der[fixture.der_size - 24], ==, 4);
    g_assert_cmpint(look_changed(&fixture, 24, 18, "", 0), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 24, 18, "\x04\x00", 2), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 24, 18,
                                 "\x04\x08"
                                 "12345678",
                                 10),
                    ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 24, 18,
                                 "\x04\x0c"
                                 "123456789012",
                                 14),
                    ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpint(look_changed(&fixture, 24, 18, mac, 34), ==, SEAL_DETECTED_PARTLY);
    g_assert_cmpint(look_changed(&fixture, 6, 0, "\xa2\x07\x04\x05plain", 9), ==,
                    SEAL_DETECTED_PARTLY);
}

/* A GCM message that calls itself EnvelopedData: nothing would check it. */
static void test_wrong_form(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    static const guint8 cbc[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
    static const guint8 data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
    guint8 *cipher = memmem(fixture.der, fixture.der_size, cbc, sizeof cbc);
    guint8 *inner = memmem(fixture.der, fixture.der_size, data, sizeof data);

    g_assert_nonnull(cipher);
    g_assert_nonnull(inner);
    cipher[8] = 0x2e;
    g_assert_cmpint(look_changed(&fixture, 6, 0, "", 0), ==, SEAL_DETECTED_PARTLY);
    cipher[8] = 0x2a;
    /* The length of its initialisation vector follows. */
    g_assert_cmpint(cipher[10], ==, 16);
    cipher[9] = 0x0c;
    g_assert_cmpint(look_changed(&fixture, 6, 0, "", 0), ==, SEAL_DETECTED_PARTLY);
    cipher[9] = 0x04;
    inner[8] = 0x77;
    g_assert_cmpint(look_changed(&fixture, 6, 0, "", 0), ==, SEAL_DETECTED_PARTLY);
    inner[8] = 0x02;
    g_assert_cmpint(look_changed(&fixture, 6, 0, "", 0), ==, SEAL_DETECTED_ENCRYPTED);
}

/* -------------------------------------------------------------------------------------------
 * Hostile bytes
 */

/* The object identifier of the type, changed: to data, signedData, nonsense. */
static void test_flipped_type(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);

    for (int type = 0; type < 256; type++) {
        g_autofree guchar *copy = g_memdup2(fixture.der, fixture.der_size);
        g_assert_cmpint(copy[12], ==, 3);
        copy[12] = (guchar)type;
        SealDetected found =
            look_der(&fixture.smime, HEAD("enveloped-data"), copy, fixture.der_size);
        if (type == 3)
            g_assert_cmpint(found, ==, SEAL_DETECTED_ENCRYPTED);
        else
            g_assert_cmpint(found, !=, SEAL_DETECTED_ENCRYPTED);
    }
}

/* Lengths that promise too much, nesting without end. */
static void test_lengths(void)
{
    static const guint8 huge[] = {0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x06};
    static const guint8 longer[] = {0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x06};
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    const gsize size = 900000;
    g_autofree guint8 *deep = g_malloc(size);

    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), huge, sizeof huge), ==,
                    SEAL_DETECTED_NOTHING);
    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), longer, sizeof longer), ==,
                    SEAL_DETECTED_NOTHING);
    /* SEQUENCE, OID, [0], SEQUENCE, INTEGER, then sets within sets. */
    memcpy(deep, fixture.der, 13);
    memcpy(deep + 13, "\xa0\x80\x30\x80\x02\x01\x00", 7);
    for (gsize i = 20; i < size; i += 2)
        memcpy(deep + i, "\x31\x80", 2);
    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), deep, size), ==,
                    SEAL_DETECTED_PARTLY);
}

/* What is inside is longer than what it is in. */
static void test_longer_inside(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, FALSE, 100);
    g_autoptr(GByteArray) der = g_byte_array_new();

    /* A definite length for the outermost element, one short. */
    guint8 head[] = {0x30, 0x82, (guint8)((fixture.der_size - 5) >> 8),
                     (guint8)(fixture.der_size - 5)};
    g_byte_array_append(der, head, sizeof head);
    g_byte_array_append(der, fixture.der + 2, (guint)fixture.der_size - 4);
    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), der->data, der->len), ==,
                    SEAL_DETECTED_PARTLY);
    der->data[3]++;
    g_assert_cmpint(look_der(&fixture.smime, HEAD("enveloped-data"), der->data, der->len), ==,
                    SEAL_DETECTED_ENCRYPTED);
}

/* @count times @one, as the set that ends an open CMS structure. */
static SealDetection *look_at_many(Smime *smime, const char *head, const char *front,
                                   gsize front_size, const char *one, gsize one_size, guint count)
{
    g_autoptr(GByteArray) der = g_byte_array_new();

    g_byte_array_append(der, (const guint8 *)front, (guint)front_size);
    for (guint i = 0; i < count; i++)
        g_byte_array_append(der, (const guint8 *)one, (guint)one_size);
    g_autofree char *base64 = g_base64_encode(der->data, der->len);
    g_autofree char *message = g_strconcat(head, base64, "\n", NULL);
    return smime_look(smime, message, strlen(message));
}

/* Recipients and signers without end. */
static void test_endless(void)
{
    static const char enveloped[] = "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0"
                                    "\x80\x30\x80\x02\x01\x00\x31\x80";
    static const char recipient[] = "\x30\x15\x02\x01\x02\x80\x01\x07\x30\x0b\x06\x09\x2a\x86\x48"
                                    "\x86\xf7\x0d\x01\x01\x01\x04\x00";
    static const char signed_data[] =
        "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01"
        "\x31\x00\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x31\x80";
    static const char signer[] = "\x30\x0c\x02\x01\x03\x80\x01\x07\x30\x00\x30\x00\x04\x00";
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < 2; i++) {
        guint count = i == 0 ? 10000 : 10001;
        g_autoptr(SealDetection) to =
            look_at_many(&smime, HEAD("enveloped-data"), enveloped, sizeof enveloped - 1, recipient,
                         sizeof recipient - 1, count);
        g_autoptr(SealDetection) by =
            look_at_many(&smime, HEAD("signed-data"), signed_data, sizeof signed_data - 1, signer,
                         sizeof signer - 1, count);

        g_test_message("%s; %s", seal_detection_text(to), seal_detection_text(by));
        g_assert_cmpint(seal_detection_what(to), ==, SEAL_DETECTED_PARTLY);
        g_assert_cmpint(seal_detection_what(by), ==, SEAL_DETECTED_NOTHING);
        g_assert_true((strstr(seal_detection_text(to), "more than 10000") != NULL) == (i == 1));
        g_assert_true((strstr(seal_detection_text(by), "more than 10000") != NULL) == (i == 1));
    }
}

/* Many damaged messages. What still counts as encrypted has every octet of the ciphertext, or
 * less: never more than there is. */
static void test_damaged(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (int gcm = 0; gcm < 2; gcm++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, gcm, 200);
        for (int i = 0; i < 8000; i++) {
            g_autofree guchar *copy = g_memdup2(fixture.der, fixture.der_size);
            gsize size = fixture.der_size;

            for (int flips = g_rand_int_range(rand, 1, 6); flips > 0; flips--)
                copy[g_rand_int_range(rand, 0, (gint32)size)] = (guchar)g_rand_int(rand);
            if (i % 4 == 0)
                size = (gsize)g_rand_int_range(rand, 0, (gint32)size);
            g_autofree char *base64 = g_base64_encode(copy, size);
            g_autofree char *message = g_strconcat(HEAD("enveloped-data"), base64, NULL);
            g_autoptr(SealDetection) found = smime_look(&fixture.smime, message, strlen(message));
            g_assert_cmpuint(seal_detection_content_size(found), <=, fixture.der_size);
        }
    }
}

/* Any octets as a body, in any encoding. */
static void test_noise(void)
{
    static const char *const heads[] = {
        HEAD("enveloped-data"),
        "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: binary\n\n"};
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(13);

    for (int i = 0; i < 3000; i++) {
        g_autoptr(GString) message = g_string_new(heads[i % 2]);
        for (int n = g_rand_int_range(rand, 0, 300); n > 0; n--)
            g_string_append_c(message, (char)g_rand_int(rand));
        g_assert_cmpint(look(&smime, message->str, message->len), ==, SEAL_DETECTED_NOTHING);
    }
}

/* -------------------------------------------------------------------------------------------
 * Messages of others
 */

static void test_corpus(void)
{
    static const struct {
        const char *file;
        SealDetected what;
        guint recipients;
    } rows[] = {
        {"bc-java-mail/test128.message", SEAL_DETECTED_ENCRYPTED, 1},
        {"bc-java-mail/test192.message", SEAL_DETECTED_ENCRYPTED, 1},
        {"bc-java-mail/test256.message", SEAL_DETECTED_ENCRYPTED, 1},

        /* Triple DES */
        {"openssl/recipes/80-test_cms_data/ciphertext_from_1_1_1.cms", SEAL_DETECTED_PARTLY, 2},
        {"bc-java-mail/dotnet_encrypted_mail.eml", SEAL_DETECTED_PARTLY, 1},
        {"bc-java-mail/outlook_2010_beta_sime_msg.eml", SEAL_DETECTED_PARTLY, 1},
        {"rfc4134/5.3.eml", SEAL_DETECTED_PARTLY, 1},
        {"protected-headers-draft/smime-enc+legacy-disp.eml", SEAL_DETECTED_PARTLY, 2},
        {"protected-headers-draft/smime-sign+enc.eml", SEAL_DETECTED_PARTLY, 2},
        {"protected-headers-draft/smime-onepart-signed.eml", SEAL_DETECTED_SIGNED, 1},
        {"protected-headers-draft/smime-multipart-signed.eml", SEAL_DETECTED_SIGNED, 1},
        {"rfc4134/4.8.eml", SEAL_DETECTED_SIGNED, 1},
        {"rfc4134/4.9.eml", SEAL_DETECTED_SIGNED, 1},
        {"protected-headers-draft/pgpmime-sign+enc.eml", SEAL_DETECTED_NOTHING, 0},
        {"protected-headers-draft/pgpmime-signed.eml", SEAL_DETECTED_NOTHING, 0},
        {"bc-java-mail/attachonly.eml", SEAL_DETECTED_NOTHING, 0},
    };
    const char *corpus = g_getenv("SEALPIPE_TEST_CORPUS");
    g_auto(Smime) smime = {0};
    guint absent = 0;
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(corpus ? corpus : "", "smime", rows[i].file, NULL);
        g_autofree char *data = NULL;
        gsize size;

        if (!g_file_get_contents(path, &data, &size, NULL)) {
            absent++;
            continue;
        }
        g_autoptr(SealDetection) found = smime_look(&smime, data, size);
        g_test_message("%s: %s", rows[i].file, seal_detection_text(found));
        g_assert_cmpint(seal_detection_what(found), ==, rows[i].what);
        g_assert_cmpuint(seal_detection_ids(found)->len, ==, rows[i].recipients);
    }
    if (absent > 0) {
        g_autofree char *why = g_strdup_printf("%u messages are not at hand", absent);
        g_test_skip(why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/detect/own", test_own);
    g_test_add_func("/smime/detect/forms", test_forms);
    g_test_add_func("/smime/detect/truncated", test_truncated);
    g_test_add_func("/smime/detect/beside", test_beside);
    g_test_add_func("/smime/detect/ends", test_ends);
    g_test_add_func("/smime/detect/fields", test_fields);
    g_test_add_func("/smime/detect/bait", test_bait);
    g_test_add_func("/smime/detect/definite", test_definite);
    g_test_add_func("/smime/detect/key-identifier", test_key_identifier);
    g_test_add_func("/smime/detect/weak-cipher", test_weak_cipher);
    g_test_add_func("/smime/detect/hidden", test_hidden);
    g_test_add_func("/smime/detect/no-content", test_no_content);
    g_test_add_func("/smime/detect/signed", test_signed);
    g_test_add_func("/smime/detect/clear-signed", test_clear_signed);
    g_test_add_func("/smime/detect/clear-signed-bait", test_clear_signed_bait);
    g_test_add_func("/smime/detect/clear-signed-endless", test_clear_signed_endless);
    g_test_add_func("/smime/detect/signed-damaged", test_signed_damaged);
    g_test_add_func("/smime/detect/attributes", test_attributes);
    g_test_add_func("/smime/detect/mac", test_mac);
    g_test_add_func("/smime/detect/wrong-form", test_wrong_form);
    g_test_add_func("/smime/detect/flipped-type", test_flipped_type);
    g_test_add_func("/smime/detect/lengths", test_lengths);
    g_test_add_func("/smime/detect/longer-inside", test_longer_inside);
    g_test_add_func("/smime/detect/endless", test_endless);
    g_test_add_func("/smime/detect/damaged", test_damaged);
    g_test_add_func("/smime/detect/noise", test_noise);
    g_test_add_func("/smime/detect/corpus", test_corpus);
    return g_test_run();
}
