/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-read.c: bytes to certificates: forms, addresses, purposes, ids.
 */
#include "test-smime-pki.h"

#include <openssl/cms.h>
#include <string.h>

static GBytes *text_bytes(const char *text)
{
    return g_bytes_new(text, strlen(text));
}

static GBytes *join(GBytes *const *parts)
{
    GByteArray *all = g_byte_array_new();

    for (; *parts; parts++)
        g_byte_array_append(all, g_bytes_get_data(*parts, NULL), (guint)g_bytes_get_size(*parts));
    return g_byte_array_free_to_bytes(all);
}

static guint count_keys(Smime *smime, GBytes *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys = smime_read_keys(smime, data, &error);

    g_assert_no_error(error);
    return keys->len;
}

/* Something is broken, and that many beside it are not. */
static void assert_beside_broken(Smime *smime, GBytes *data, guint good, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys = smime_read_keys(smime, data, &error);

    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    g_assert_nonnull(strstr(error->message, why));
    g_assert_cmpuint(keys->len, ==, good);
}

static void assert_broken(Smime *smime, GBytes *data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(smime_read_keys(smime, data, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
}

static void assert_addresses(Smime *smime, X509 *cert, const char *expected)
{
    g_autoptr(SealKey) key = smime_key(smime, cert, SEAL_TRUST_VERIFIED);
    GPtrArray *addresses = seal_key_addresses(key);
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 0; i < addresses->len; i++)
        g_string_append_printf(all, "%s%s", i ? " " : "",
                               seal_address_text(g_ptr_array_index(addresses, i)));
    g_assert_cmpstr(all->str, ==, expected);
}

static void test_forms(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) one = pki_person("one@example.org", "RSA", NULL, ca);
    g_autoptr(X509) two = pki_person("two@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) der = pki_der(one);
    g_autoptr(GBytes) pem_one = pki_pem(one);
    g_autoptr(GBytes) pem_two = pki_pem(two);
    g_autoptr(GBytes) private = pki_key_pem(pki_key("RSA"));
    g_autoptr(GBytes) prose = text_bytes("Subject: CN=one\n-----BEGIN NOTHING\nsome text\n");
    GBytes *const parts[] = {prose, pem_one, private, prose, pem_two, NULL};
    g_autoptr(GBytes) all = join(parts);

    g_assert_cmpuint(count_keys(&smime, der), ==, 1);
    g_assert_cmpuint(count_keys(&smime, pem_one), ==, 1);
    g_assert_cmpuint(count_keys(&smime, private), ==, 0);
    g_assert_cmpuint(count_keys(&smime, all), ==, 2);

    g_autoptr(GBytes) der_two = pki_der(two);
    GBytes *const ders[] = {der, der_two, der, NULL};
    g_autoptr(GBytes) row = join(ders);
    /* What is there twice is one. */
    g_assert_cmpuint(count_keys(&smime, row), ==, 2);
}

static GBytes *bundle(X509 *first, X509 *second, gboolean pem, gboolean cms_label)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    BIO *bio = BIO_new(BIO_s_mem());

    sk_X509_push(certs, first);
    sk_X509_push(certs, second);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, certs, NULL, CMS_DETACHED | CMS_PARTIAL);
    g_assert_nonnull(cms);
    PKCS7 *p7 = PKCS7_sign(NULL, NULL, certs, NULL, PKCS7_DETACHED | PKCS7_PARTIAL);
    if (!pem)
        g_assert_true(i2d_CMS_bio(bio, cms));
    else if (cms_label)
        g_assert_true(PEM_write_bio_CMS(bio, cms));
    else
        g_assert_true(PEM_write_bio_PKCS7(bio, p7));
    CMS_ContentInfo_free(cms);
    PKCS7_free(p7);
    sk_X509_free(certs);

    char *data;
    long length = BIO_get_mem_data(bio, &data);
    GBytes *bytes = g_bytes_new(data, (gsize)length);
    BIO_free(bio);
    return bytes;
}

static void test_bundles(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) one = pki_person("one@example.org", "RSA", NULL, ca);
    g_autoptr(GBytes) der = bundle(one, ca, FALSE, FALSE);
    g_autoptr(GBytes) p7b = bundle(one, ca, TRUE, FALSE);
    g_autoptr(GBytes) cms = bundle(one, ca, TRUE, TRUE);

    g_assert_cmpuint(count_keys(&smime, der), ==, 2);
    g_assert_cmpuint(count_keys(&smime, p7b), ==, 2);
    g_assert_cmpuint(count_keys(&smime, cms), ==, 2);
}

static void test_not_ours(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    static const guint8 openpgp[] = {0x99, 0x01, 0x0d, 0x04, 0x5e, 0x30, 0x82};
    static const guint8 zeros[100] = {0};
    g_autoptr(GBytes) binary = g_bytes_new(openpgp, sizeof openpgp);
    g_autoptr(GBytes) empty = g_bytes_new(NULL, 0);
    g_autoptr(GBytes) nothing = g_bytes_new(zeros, sizeof zeros);
    g_autoptr(GBytes) armour =
        text_bytes("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF4w\n=abcd\n"
                   "-----END PGP PUBLIC KEY BLOCK-----\n");
    g_autoptr(GBytes) prose = text_bytes("how to write -----BEGIN CERT and so on\n");
    g_autoptr(GBytes) brace = text_bytes("0123 a text that begins like a sequence");

    g_assert_cmpuint(count_keys(&smime, binary), ==, 0);
    g_assert_cmpuint(count_keys(&smime, empty), ==, 0);
    g_assert_cmpuint(count_keys(&smime, nothing), ==, 0);
    g_assert_cmpuint(count_keys(&smime, armour), ==, 0);
    g_assert_cmpuint(count_keys(&smime, prose), ==, 0);
    g_assert_cmpuint(count_keys(&smime, brace), ==, 0);
}

static void test_broken(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) one = pki_person("one@example.org", "RSA", NULL, ca);
    g_autoptr(GBytes) der = pki_der(one);
    g_autoptr(GBytes) pem = pki_pem(one);
    g_autoptr(GBytes) short_der = g_bytes_new_from_bytes(der, 0, g_bytes_get_size(der) - 1);
    g_autoptr(GBytes) short_pem = g_bytes_new_from_bytes(pem, 0, g_bytes_get_size(pem) - 40);
    g_autoptr(GBytes) garbage =
        text_bytes("-----BEGIN CERTIFICATE-----\nMIIB\n*not base64*\n-----END CERTIFICATE-----\n");
    g_autoptr(GBytes) wrong =
        text_bytes("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

    assert_broken(&smime, short_der);
    assert_broken(&smime, short_pem);
    assert_broken(&smime, garbage);
    assert_broken(&smime, wrong);

    /* An end that is another block's. */
    g_autofree char *text = g_strndup(g_bytes_get_data(pem, NULL), g_bytes_get_size(pem));
    memcpy(strstr(text, "END CERT"), "END CART", 8);
    g_autoptr(GBytes) mixed = text_bytes(text);
    assert_broken(&smime, mixed);

    /* One broken block hides nothing, wherever it stands. */
    GBytes *const before[] = {garbage, wrong, pem, NULL};
    g_autoptr(GBytes) first = join(before);
    assert_beside_broken(&smime, first, 1, "place: passed over 2 of 3");
    GBytes *const around[] = {short_pem, pem, short_pem, NULL};
    g_autoptr(GBytes) middle = join(around);
    assert_beside_broken(&smime, middle, 1, "passed over 2 of 3");
}

/* Every prefix of a certificate, and many damaged ones: no crash, nothing wrong accepted. */
static void test_hostile(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    smime_start(&smime, ca, NULL);
    g_autoptr(X509) one = pki_person("one@example.org", "P-256", CAP_AES256_GCM, ca);
    g_autoptr(GBytes) der = pki_der(one);
    gsize size = g_bytes_get_size(der);
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (gsize n = 0; n < size; n++) {
        g_autoptr(GBytes) part = g_bytes_new_from_bytes(der, 0, n);
        g_autoptr(GPtrArray) keys = smime_read_keys(&smime, part, NULL);
        g_assert_true(!keys || keys->len == 0);
    }
    for (int i = 0; i < 3000; i++) {
        g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(der, NULL), size);
        for (int flips = g_rand_int_range(rand, 1, 5); flips > 0; flips--)
            copy[g_rand_int_range(rand, 0, (gint32)size)] = (guint8)g_rand_int(rand);
        g_autoptr(GBytes) damaged = g_bytes_new_static(copy, size);
        g_autoptr(GPtrArray) keys = smime_read_keys(&smime, damaged, NULL);
        for (guint k = 0; keys && k < keys->len; k++)
            g_free(smime_judge(&smime, g_ptr_array_index(keys, k), SEAL_PURPOSE_ENCRYPT,
                               g_get_real_time() / G_USEC_PER_SEC, NULL));
    }
}

static GENERAL_NAME *mailbox(const char *data, int length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    ASN1_STRING_set(string, data, length);
    GENERAL_NAME_set0_value(name, GEN_EMAIL, string);
    return name;
}

static GENERAL_NAME *utf8_mailbox(const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_UTF8STRING *string = ASN1_UTF8STRING_new();

    ASN1_STRING_set(string, text, -1);
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, string);
    GENERAL_NAME_set0_othername(name, OBJ_txt2obj("1.3.6.1.5.5.7.8.9", 1), value);
    return name;
}

static void test_addresses(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    CertSpec subject = {.name = "A", .email = "subject@example.org"};
    g_autoptr(X509) only_subject = pki_cert(&subject, pki_key("RSA"), NULL, NULL);
    assert_addresses(&smime, only_subject, "subject@example.org");

    CertSpec both = {.name = "A", .email = "subject@example.org", .san = "email:san@example.org"};
    g_autoptr(X509) san_wins = pki_cert(&both, pki_key("RSA"), NULL, NULL);
    assert_addresses(&smime, san_wins, "san@example.org");

    CertSpec dns = {.name = "A", .email = "subject@example.org", .san = "DNS:example.org"};
    g_autoptr(X509) no_mailbox = pki_cert(&dns, pki_key("RSA"), NULL, NULL);
    assert_addresses(&smime, no_mailbox, "subject@example.org");

    CertSpec several = {.name = "A", .san = "email:a@example.org,email:B@Example.ORG"};
    g_autoptr(X509) two = pki_cert(&several, pki_key("RSA"), NULL, NULL);
    assert_addresses(&smime, two, "a@example.org B@example.org");
}

static void test_strange_addresses(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    sk_GENERAL_NAME_push(names, mailbox("victim@example.org\0.evil.example", 32));
    sk_GENERAL_NAME_push(names, mailbox("a\r\nb@example.org", 16));
    sk_GENERAL_NAME_push(names, mailbox("j\xc3\xb6rg@example.org", 17));
    sk_GENERAL_NAME_push(names, mailbox("", 0));
    CertSpec bad = {.name = "A", .email = "subject@example.org", .names = names};
    g_autoptr(X509) none = pki_cert(&bad, pki_key("RSA"), NULL, NULL);
    /* There are mailboxes in the SAN, if useless ones: the subject does not come in. */
    assert_addresses(&smime, none, "");

    sk_GENERAL_NAME_push(names, utf8_mailbox("j\xc3\xb6rg@example.org"));
    sk_GENERAL_NAME_push(names, utf8_mailbox("bad\xff@example.org"));
    g_autoptr(X509) utf8 = pki_cert(&bad, pki_key("RSA"), NULL, NULL);
    assert_addresses(&smime, utf8, "j\xc3\xb6rg@example.org");
    GENERAL_NAMES_free(names);
}

static void test_properties(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("The CA", NULL);
    g_autoptr(X509) one = pki_person("one@example.org", "RSA", NULL, ca);
    g_autoptr(SealKey) key = smime_key(&smime, one, SEAL_TRUST_DISCOVERED);
    g_autoptr(SealKey) issuer = smime_key(&smime, ca, SEAL_TRUST_VERIFIED);
    const char *const *ids = seal_key_detected_ids(key);
    g_autoptr(GBytes) der = pki_der(one);
    g_autofree char *sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, der);
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    g_assert_cmpstr(seal_key_fingerprint(key), ==, sha256);
    g_assert_cmpstr(seal_key_label(key), ==, "CN=one@example.org");
    g_assert_cmpint(seal_key_trust(key), ==, SEAL_TRUST_DISCOVERED);
    g_assert_cmpuint(seal_key_purposes(key), ==, SEAL_PURPOSE_ENCRYPT);
    g_assert_cmpuint(seal_key_purposes(issuer), ==, SEAL_PURPOSE_ISSUE);
    g_assert_cmpuint(seal_key_addresses(issuer)->len, ==, 0);
    g_assert_cmpint(ABS(seal_key_valid_until(key) - now - 365 * 86400), <, 100);
    g_assert_cmpint(ABS(seal_key_valid_from(key) - now + 86400), <, 100);
    g_assert_true(g_str_has_prefix(ids[0], "is:"));
    g_assert_true(g_str_has_prefix(ids[1], "ski:"));
    g_assert_null(ids[2]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/read/forms", test_forms);
    g_test_add_func("/smime/read/bundles", test_bundles);
    g_test_add_func("/smime/read/not-ours", test_not_ours);
    g_test_add_func("/smime/read/broken", test_broken);
    g_test_add_func("/smime/read/hostile", test_hostile);
    g_test_add_func("/smime/read/addresses", test_addresses);
    g_test_add_func("/smime/read/strange-addresses", test_strange_addresses);
    g_test_add_func("/smime/read/properties", test_properties);
    return g_test_run();
}
