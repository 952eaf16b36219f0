/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-encrypt.c: what is encrypted comes out again, byte for byte, through the openssl
 * command; and how ciphers are chosen.
 */
#include "test-smime-pki.h"

#include <openssl/cms.h>
#include <openssl/rsa.h>
#include <string.h>

static GBytes *text_bytes(const char *text)
{
    return g_bytes_new(text, strlen(text));
}

/* An entity of about @size octets with every octet value in it, CRLF line ends only. */
static GBytes *make_entity(gsize size)
{
    GByteArray *all = g_byte_array_new();
    const char *head = "Content-Type: application/octet-stream\r\n"
                       "Content-Transfer-Encoding: binary\r\n\r\n";
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)size);

    g_byte_array_append(all, (const guint8 *)head, (guint)strlen(head));
    while (all->len < size) {
        guint8 octet = (guint8)g_rand_int(rand);
        if (octet == '\n')
            g_byte_array_append(all, (const guint8 *)"\r", 1);
        g_byte_array_append(all, &octet, 1);
    }
    return g_byte_array_free_to_bytes(all);
}

static void assert_opens(Smime *smime, GBytes *sealed, X509 *cert, EVP_PKEY *key, GBytes *expected)
{
    g_autoptr(GBytes) opened = openssl_decrypt(smime, sealed, cert, key);

    g_assert_cmpmem(g_bytes_get_data(opened, NULL), g_bytes_get_size(opened),
                    g_bytes_get_data(expected, NULL), g_bytes_get_size(expected));
}

static GBytes *seal(Smime *smime, X509 *const *certs, GBytes *entity)
{
    g_autoptr(GError) error = NULL;
    GBytes *sealed = smime_seal(smime, certs, entity, &error);

    g_assert_no_error(error);
    return sealed;
}

static gboolean has(GBytes *bytes, const char *text)
{
    return memmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text)) !=
           NULL;
}

/* The CMS in a sealed entity. */
static CMS_ContentInfo *parse(GBytes *sealed)
{
    gsize size;
    const char *data = g_bytes_get_data(sealed, &size);
    BIO *bio = BIO_new_mem_buf(data, (int)size);
    CMS_ContentInfo *cms = SMIME_read_CMS(bio, NULL);

    g_assert_nonnull(cms);
    BIO_free(bio);
    return cms;
}

/* What detect() says; "AES-256-CBC" and so on are in its text. */
static void assert_cipher(Smime *smime, GBytes *sealed, const char *cipher, guint recipients)
{
    g_autoptr(SealDetection) found =
        smime_look(smime, g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed));
    gboolean gcm = g_str_has_suffix(cipher, "GCM");

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_nonnull(strstr(seal_detection_text(found), cipher));
    g_assert_cmpuint(seal_detection_ids(found)->len, ==, recipients);
    g_assert_cmpuint(seal_detection_hidden(found), ==, 0);
    g_assert_true(
        has(sealed, gcm ? "smime-type=authEnveloped-data;" : "smime-type=enveloped-data;"));
}

static void test_kinds(void)
{
    static const char *const kinds[] = {"RSA",   "RSA4096",         "P-256",          "P-384",
                                        "P-521", "brainpoolP256r1", "brainpoolP512r1"};
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GBytes) entity = make_entity(3000);

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(X509) cert = pki_person("alice@example.org", kinds[i], NULL, ca);
        X509 *const certs[] = {cert, NULL};
        g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

        assert_cipher(&smime, sealed, "AES-256-CBC", 1);
        assert_opens(&smime, sealed, cert, pki_other_key(kinds[i]), entity);
    }
}

static void test_several(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) rsa = pki_person("a@example.org", "RSA", NULL, ca);
    g_autoptr(X509) ec = pki_person("b@example.org", "P-256", NULL, ca);
    g_autoptr(X509) oaep = pki_person("c@example.org", "RSA3072", CAP_AES256_CBC CAP_OAEP, ca);
    X509 *const certs[] = {rsa, ec, oaep, rsa, NULL};
    g_autoptr(GBytes) entity = make_entity(100000);
    g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

    /* The one that is there twice is named once. */
    assert_cipher(&smime, sealed, "AES-256-CBC", 3);
    assert_opens(&smime, sealed, rsa, pki_other_key("RSA"), entity);
    assert_opens(&smime, sealed, ec, pki_other_key("P-256"), entity);
    assert_opens(&smime, sealed, oaep, pki_other_key("RSA3072"), entity);
}

/* Sizes around those of cipher blocks, base64 lines and buffers. */
static void test_sizes(void)
{
    static const gsize sizes[] = {1,    15,    16,    17,    56,    57,      58,     4095, 4096,
                                  4097, 65535, 65536, 65537, 65600, 1000001, 200000, 114};
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cbc = pki_person("a@example.org", "P-256", NULL, ca);
    g_autoptr(X509) gcm = pki_person("b@example.org", "P-256", CAP_AES256_GCM, ca);

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GBytes) whole = make_entity(sizes[i] + 200);
        g_autoptr(GBytes) entity = g_bytes_new_from_bytes(whole, 0, sizes[i]);
        X509 *const one[] = {cbc, NULL};
        X509 *const two[] = {gcm, NULL};
        g_autoptr(GBytes) by_cbc = seal(&smime, one, entity);
        g_autoptr(GBytes) by_gcm = seal(&smime, two, entity);
        g_autoptr(SealDetection) found =
            smime_look(&smime, g_bytes_get_data(by_cbc, NULL), g_bytes_get_size(by_cbc));
        g_autoptr(SealDetection) found_gcm =
            smime_look(&smime, g_bytes_get_data(by_gcm, NULL), g_bytes_get_size(by_gcm));

        /* A cut may leave a CR at the end, which canonical form keeps. */
        g_assert_cmpuint(seal_detection_content_size(found), ==, (sizes[i] / 16 + 1) * 16);
        g_assert_cmpuint(seal_detection_content_size(found_gcm), ==, sizes[i]);
        assert_opens(&smime, by_cbc, cbc, pki_other_key("P-256"), entity);
        assert_opens(&smime, by_gcm, gcm, pki_other_key("P-256"), entity);
    }
}

static void test_canonical(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", NULL, ca);
    X509 *const certs[] = {cert, NULL};
    g_autoptr(GBytes) unix_ends =
        text_bytes("Content-Type: text/plain\n\n\nF\xfcr dich\nFrom me\n");
    g_autoptr(GBytes) canonical =
        text_bytes("Content-Type: text/plain\r\n\r\n\r\nF\xfcr dich\r\nFrom me\r\n");
    g_autoptr(GBytes) sealed = seal(&smime, certs, unix_ends);

    assert_opens(&smime, sealed, cert, pki_other_key("RSA"), canonical);
    g_assert_false(has(sealed, "\r"));
    g_assert_false(has(sealed, "\t"));
    g_autofree char *text = g_strndup(g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed));
    g_assert_true(
        g_str_has_prefix(text, "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; "
                               "name=\"smime.p7m\"\nContent-Transfer-Encoding: base64\n"
                               "Content-Disposition: attachment; filename=\"smime.p7m\"\n\nMI"));

    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines + 4; *line && line[1]; line++)
        g_assert_cmpuint(strlen(*line), <=, 76);
}

/* Each row: what two recipients announce, the cipher that follows. */
static void test_choice(void)
{
    static const struct {
        const char *first;
        const char *second;
        const char *cipher;
    } rows[] = {
        {NULL, NULL, "AES-256-CBC"},
        {CAP_AES256_GCM, NULL, "AES-256-CBC"},
        {CAP_AES256_GCM, CAP_AES256_CBC CAP_AES256_GCM, "AES-256-GCM"},
        {CAP_AES256_GCM CAP_AES128_GCM, CAP_AES128_GCM, "AES-128-GCM"},
        {CAP_AES256_GCM, CAP_AES128_GCM, "AES-256-CBC"},
        {CAP_AES128_CBC, NULL, "AES-128-CBC"},
        {CAP_AES128_CBC CAP_AES256_CBC, NULL, "AES-256-CBC"},
        {CAP_3DES, CAP_3DES, "AES-256-CBC"},
        {CAP_3DES CAP_AES128_CBC, CAP_AES256_CBC, "AES-128-CBC"},
    };
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GBytes) entity = make_entity(500);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(X509) one = pki_person("a@example.org", "RSA", rows[i].first, ca);
        g_autoptr(X509) two = pki_person("b@example.org", "P-256", rows[i].second, ca);
        X509 *const certs[] = {one, two, NULL};
        g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

        assert_cipher(&smime, sealed, rows[i].cipher, 2);
        assert_opens(&smime, sealed, one, pki_other_key("RSA"), entity);
        assert_opens(&smime, sealed, two, pki_other_key("P-256"), entity);
    }
}

static void test_settings(void)
{
    static const struct {
        const char *setting;
        const char *cipher;
        gboolean warns;
    } rows[] = {
        {"cipher=auto", "AES-256-GCM", FALSE},        {"cipher=aes-256-cbc", "AES-256-CBC", FALSE},
        {"cipher=aes-128-cbc", "AES-128-CBC", FALSE}, {"cipher=aes-256-gcm", "AES-256-GCM", TRUE},
        {"cipher=aes-128-gcm", "AES-128-GCM", TRUE},
    };
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", CAP_AES256_GCM, ca);
    X509 *const certs[] = {cert, NULL};
    g_autoptr(GBytes) entity = make_entity(500);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Smime) smime = {0};
        smime_start(&smime, NULL, rows[i].setting);
        g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

        g_assert_true(smime_logged(&smime, "cannot open") == rows[i].warns);
        assert_cipher(&smime, sealed, rows[i].cipher, 1);
        assert_opens(&smime, sealed, cert, pki_other_key("RSA"), entity);
    }
}

/* The algorithm by which the first recipient's key is encrypted. */
static int key_algorithm(GBytes *sealed)
{
    CMS_ContentInfo *cms = parse(sealed);
    CMS_RecipientInfo *info = sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0);
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid;

    if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_TRANS)
        g_assert_true(CMS_RecipientInfo_ktri_get0_algs(info, NULL, NULL, &algorithm));
    else
        g_assert_true(CMS_RecipientInfo_kari_get0_alg(info, &algorithm, NULL));
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int nid = OBJ_obj2nid(oid);
    CMS_ContentInfo_free(cms);
    return nid;
}

static void assert_rsa(const char *setting, const char *capabilities, int nid)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", capabilities, ca);
    X509 *const certs[] = {cert, NULL};
    g_autoptr(GBytes) entity = make_entity(500);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, setting);
    g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

    g_assert_cmpint(key_algorithm(sealed), ==, nid);
    assert_opens(&smime, sealed, cert, pki_other_key("RSA"), entity);
}

static void test_rsa(void)
{
    assert_rsa(NULL, NULL, NID_rsaEncryption);
    assert_rsa(NULL, CAP_AES256_CBC CAP_OAEP, NID_rsaesOaep);
    assert_rsa("rsa=oaep", NULL, NID_rsaesOaep);
    assert_rsa("rsa=pkcs1", CAP_OAEP, NID_rsaEncryption);
}

static void test_ec_digest(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "P-256", NULL, ca);
    X509 *const certs[] = {cert, NULL};
    g_autoptr(GBytes) entity = make_entity(500);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(GBytes) sealed = seal(&smime, certs, entity);

    g_assert_cmpint(key_algorithm(sealed), ==, NID_dhSinglePass_stdDH_sha256kdf_scheme);
}

static void assert_refused(Smime *smime, SealSealing *sealing, int code)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(smime->format->encrypt(smime->module, sealing, NULL, &error));
    g_assert_error(error, SEAL_ERROR, code);
}

static void test_refusals(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", NULL, ca);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(SealContent) entity = seal_content_new_copy("\nx", 2);
    g_autoptr(SealContent) empty = seal_content_new_copy("", 0);
    SealSealing sealing = {.size = sizeof sealing, .entity = entity, .keys = keys};

    assert_refused(&smime, &sealing, SEAL_ERROR_FAILED);
    g_ptr_array_add(keys, key);
    sealing.signer = key;
    assert_refused(&smime, &sealing, SEAL_ERROR_UNSUPPORTED);
    sealing.signer = NULL;
    sealing.hide = TRUE;
    assert_refused(&smime, &sealing, SEAL_ERROR_UNSUPPORTED);
    sealing.hide = FALSE;
    sealing.entity = empty;
    assert_refused(&smime, &sealing, SEAL_ERROR_FAILED);

    /* A key that OpenSSL cannot encrypt to is an error, not an empty message. */
    g_autoptr(X509) x25519 = pki_person("b@example.org", "X25519", NULL, ca);
    g_autoptr(SealKey) other = smime_key(&smime, x25519, SEAL_TRUST_MANUAL);
    g_ptr_array_add(keys, other);
    sealing.entity = entity;
    assert_refused(&smime, &sealing, SEAL_ERROR_KEY);
}

static void test_cancelled(void)
{
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", NULL, ca);
    g_autoptr(SealKey) key = smime_key(&smime, cert, SEAL_TRUST_MANUAL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(SealContent) entity = seal_content_new_copy("\nx", 2);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    SealSealing sealing = {.size = sizeof sealing, .entity = entity, .keys = keys};

    g_ptr_array_add(keys, key);
    g_cancellable_cancel(cancellable);
    g_assert_null(smime.format->encrypt(smime.module, &sealing, cancellable, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Where the disk is full, there is an error and no ciphertext. */
static void test_no_space(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("a@example.org", "RSA", NULL, ca);
    X509 *const certs[] = {cert, NULL};
    g_autoptr(GBytes) entity = make_entity(3000000);

    smime_start(&smime, NULL, NULL);
    /* The folder of the spool goes away. */
    const char *argv[] = {"rm", "-rf", smime.dir, NULL};
    g_bytes_unref(run_command(argv));
    g_assert_null(smime_seal(&smime, certs, entity, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "temporary file"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/encrypt/kinds", test_kinds);
    g_test_add_func("/smime/encrypt/several", test_several);
    g_test_add_func("/smime/encrypt/sizes", test_sizes);
    g_test_add_func("/smime/encrypt/canonical", test_canonical);
    g_test_add_func("/smime/encrypt/choice", test_choice);
    g_test_add_func("/smime/encrypt/settings", test_settings);
    g_test_add_func("/smime/encrypt/rsa", test_rsa);
    g_test_add_func("/smime/encrypt/ec-digest", test_ec_digest);
    g_test_add_func("/smime/encrypt/refusals", test_refusals);
    g_test_add_func("/smime/encrypt/cancelled", test_cancelled);
    g_test_add_func("/smime/encrypt/no-space", test_no_space);
    return g_test_run();
}
