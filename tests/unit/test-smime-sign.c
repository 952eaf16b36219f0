/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-sign.c: what is signed is verified by openssl and gpgsm, and found by detect(); one
 * changed octet is found by all.
 */
#include "test-smime-pki.h"

#include <openssl/cms.h>
#include <openssl/rsa.h>
#include <string.h>

#define TEXT                                                                                       \
    "Content-Type: text/plain; charset=us-ascii\n\nHello Bob,\n\nthis is the amount: 1000 EUR.\n"

/* The module with one key in a folder, its CA and the root; gpgsm knows the root. */
typedef struct {
    Smime smime;
    X509 *root;
    X509 *ca;
    X509 *cert;
    SealKey *key;
    char *root_path;
    char *home;
} Fixture;

static void write_keys(Fixture *fixture, const char *kind)
{
    g_autoptr(GBytes) pair = pki_bundle(pki_other_key(kind), fixture->cert, NULL);
    g_autoptr(GBytes) ca = pki_pem(fixture->ca);
    g_autoptr(GBytes) root = pki_pem(fixture->root);

    g_free(smime_write_secret(&fixture->smime, "keys/alice.pem", pair));
    /* Certificates are no secret. */
    g_free(smime_write(&fixture->smime, "keys/ca.pem", ca));
    g_free(smime_write(&fixture->smime, "keys/root.pem", root));
}

/* (transfer full) */
static SealKey *find_signer(Smime *smime, const char *address)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(smime->format->signers(smime->module, parsed, NULL, keys, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_ref(g_ptr_array_index(keys, 0));
}

static void fixture_open_cert(Fixture *fixture, const char *kind, X509 *cert, const char *settings)
{
    g_autoptr(GError) error = NULL;

    smime_prepare(&fixture->smime);
    fixture->root = pki_ca("Test Root", NULL);
    fixture->ca = pki_ca("Test CA", fixture->root);
    fixture->cert = cert ? cert : pki_signer("alice@example.org", kind, fixture->ca);
    write_keys(fixture, kind);
    g_autoptr(GBytes) root = pki_pem(fixture->root);
    fixture->root_path = smime_write(&fixture->smime, "root.pem", root);
    g_autofree char *lines =
        g_strdup_printf("server_keys=%s/keys\n%s", fixture->smime.dir, settings ? settings : "");
    smime_open_with(&fixture->smime, lines, NULL, &error);
    g_assert_no_error(error);
    fixture->key = find_signer(&fixture->smime, "alice@example.org");
}

static void fixture_open(Fixture *fixture, const char *kind, const char *settings)
{
    fixture_open_cert(fixture, kind, NULL, settings);
}

static void fixture_close(Fixture *fixture)
{
    if (fixture->home) {
        const char *argv[] = {"gpgconf", "--homedir", fixture->home, "--kill", "all", NULL};
        g_assert_true(command_succeeds(argv));
    }
    seal_key_unref(fixture->key);
    X509_free(fixture->root);
    X509_free(fixture->ca);
    X509_free(fixture->cert);
    g_free(fixture->root_path);
    g_free(fixture->home);
    smime_end(&fixture->smime);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_close)

static SealContent *sign_content(Fixture *fixture, SealContent *entity, gboolean opaque,
                                 GError **error)
{
    SealSealing sealing = {
        .size = sizeof sealing, .entity = entity, .signer = fixture->key, .opaque = opaque};

    return fixture->smime.format->sign(fixture->smime.module, &sealing, NULL, error);
}

static GBytes *sign(Fixture *fixture, const char *text, gsize length, gboolean opaque)
{
    g_autoptr(SealContent) entity = seal_content_new_copy(text, length);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealContent) made = sign_content(fixture, entity, opaque, &error);

    g_assert_no_error(error);
    return seal_content_to_bytes(made, G_MAXINT32, NULL);
}

static GBytes *sign_text(Fixture *fixture, gboolean opaque)
{
    return sign(fixture, TEXT, strlen(TEXT), opaque);
}

static const char *find(GBytes *bytes, const char *text)
{
    return memmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

/* -------------------------------------------------------------------------------------------
 * Referees
 */

/* The entity with CRLF. */
static GBytes *canonical(const char *text, gsize length)
{
    g_autoptr(SealContent) content = seal_content_new_copy(text, length);
    g_autoptr(GInputStream) in = seal_content_read_canonical(content);
    g_autofree char *out = g_malloc(2 * length + 1);
    gsize got = 0;

    g_assert_true(g_input_stream_read_all(in, out, 2 * length + 1, &got, NULL, NULL));
    return g_bytes_new(out, got);
}

/* Does openssl verify it? The content then has to be what was signed. */
static gboolean openssl_verifies(Fixture *fixture, GBytes *made, GBytes *expected)
{
    g_autofree char *in = smime_write(&fixture->smime, "signed.eml", made);
    g_autofree char *out = g_build_filename(fixture->smime.dir, "verified", NULL);
    const char *argv[] = {"openssl",          "cms",  "-verify", "-in", in, "-CAfile",
                          fixture->root_path, "-out", out,       NULL};
    g_autofree char *data = NULL;
    gsize length = 0;

    if (!command_succeeds(argv))
        return FALSE;
    g_assert_true(g_file_get_contents(out, &data, &length, NULL));
    g_assert_cmpmem(data, length, g_bytes_get_data(expected, NULL), g_bytes_get_size(expected));
    return TRUE;
}

/* A home for gpgsm that trusts the root. */
static void make_home(Fixture *fixture)
{
    guint8 digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    g_autoptr(GString) trust = g_string_new(NULL);

    g_assert_true(X509_digest(fixture->root, EVP_sha1(), digest, &length));
    for (unsigned i = 0; i < length; i++)
        g_string_append_printf(trust, "%02X", digest[i]);
    g_string_append(trust, " S relax\n");
    g_autoptr(GBytes) list = g_bytes_new(trust->str, trust->len);
    g_autofree char *path = smime_write_secret(&fixture->smime, "gpg/trustlist.txt", list);
    fixture->home = g_path_get_dirname(path);
    const char *argv[] = {"gpgsm",    "--homedir", fixture->home,      "--batch",
                          "--import", "--",        fixture->root_path, NULL};
    g_assert_true(command_succeeds(argv));
}

static gboolean gpgsm_verifies(Fixture *fixture, const guchar *der, gsize size, GBytes *content)
{
    g_autoptr(GBytes) bytes = g_bytes_new(der, size);
    g_autofree char *in = smime_write(&fixture->smime, "signature.der", bytes);
    g_autofree char *beside = content ? smime_write(&fixture->smime, "content", content) : NULL;

    if (!fixture->home)
        make_home(fixture);
    const char *argv[] = {"gpgsm",    "--homedir", fixture->home, "--batch", "--disable-crl-checks",
                          "--verify", in,          beside,        NULL};
    return command_succeeds(argv);
}

/* The octets of the CMS in an entity, opaque or multipart/signed. */
static guchar *extract(GBytes *made, gsize *size)
{
    const char *end = (const char *)g_bytes_get_data(made, NULL) + g_bytes_get_size(made);
    const char *fields = find(made, "filename=\"smime.p7");

    g_assert_nonnull(fields);
    const char *body = strstr(fields, "\n\n") + 2;
    const char *stop = memmem(body, (gsize)(end - body), "\n--", 3);
    g_autofree char *base64 = g_strndup(body, (gsize)((stop ? stop : end) - body));
    return g_base64_decode(base64, size);
}

/* -------------------------------------------------------------------------------------------
 * Tests
 */

static void assert_detected(Fixture *fixture, GBytes *made)
{
    g_autoptr(SealDetection) found =
        smime_look(&fixture->smime, g_bytes_get_data(made, NULL), g_bytes_get_size(made));

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpuint(seal_detection_ids(found)->len, ==, 1);
    g_assert_cmpuint(seal_detection_hidden(found), ==, 0);
    g_assert_true(g_strv_contains(seal_key_detected_ids(fixture->key),
                                  g_ptr_array_index(seal_detection_ids(found), 0)));
}

/* One octet of what is signed, another in the signature. */
static void assert_flips_fail(Fixture *fixture, GBytes *made, gboolean opaque, GBytes *expected)
{
    gsize size;
    g_autofree guchar *der = extract(made, &size);
    guchar *at = opaque ? memmem(der, size, "1000 EUR", 8) : der + size - 10;

    g_assert_nonnull(at);
    *at ^= 1;
    g_assert_false(gpgsm_verifies(fixture, der, size, opaque ? NULL : expected));
    if (opaque) {
        g_autoptr(GBytes) bytes = g_bytes_new(der, size);
        g_autofree char *in = smime_write(&fixture->smime, "flipped.der", bytes);
        const char *argv[] = {"openssl",   "cms", "-verify", "-inform",          "DER",
                              "-in",       in,    "-CAfile", fixture->root_path, "-out",
                              "/dev/null", NULL};
        g_assert_false(command_succeeds(argv));
        return;
    }
    g_autofree char *copy = g_memdup2(g_bytes_get_data(made, NULL), g_bytes_get_size(made));
    copy[find(made, "1000 EUR") - (const char *)g_bytes_get_data(made, NULL)] = '9';
    g_autoptr(GBytes) changed = g_bytes_new(copy, g_bytes_get_size(made));
    g_assert_false(openssl_verifies(fixture, changed, expected));
}

static void check_kind(const char *kind, const char *settings, const char *micalg, gboolean gpgsm)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, kind, settings);
    g_autoptr(GBytes) expected = canonical(TEXT, strlen(TEXT));
    g_autofree char *parameter = g_strdup_printf("; micalg=%s;", micalg);

    for (int opaque = 0; opaque < 2; opaque++) {
        g_autoptr(GBytes) made = sign_text(&fixture, opaque);
        gsize size;
        g_autofree guchar *der = extract(made, &size);

        g_assert_true(openssl_verifies(&fixture, made, expected));
        g_assert_true((find(made, parameter) != NULL) == !opaque);
        if (gpgsm)
            g_assert_true(gpgsm_verifies(&fixture, der, size, opaque ? NULL : expected));
        assert_detected(&fixture, made);
        assert_flips_fail(&fixture, made, opaque, expected);
    }
}

/* gpgsm 2.2 fails on P-521, whoever signs ("hash length to be a multiple of 8 bits"). */
static void test_kinds(void)
{
    check_kind("RSA", NULL, "sha-256", TRUE);
    check_kind("RSA", "rsa_signature=pkcs1", "sha-256", TRUE);
    check_kind("RSA4096", NULL, "sha-256", TRUE);
    check_kind("P-256", NULL, "sha-256", TRUE);
    check_kind("P-384", NULL, "sha-384", TRUE);
    check_kind("P-521", NULL, "sha-512", FALSE);
    check_kind("brainpoolP256r1", NULL, "sha-256", TRUE);
    check_kind("brainpoolP384r1", NULL, "sha-384", TRUE);
    check_kind("RSA", "rsa_signature=pss", "sha-256", TRUE);
    check_kind("RSA-PSS", NULL, "sha-256", TRUE);
}

/* The CMS in an entity. */
static CMS_ContentInfo *parse(GBytes *made)
{
    gsize size;
    g_autofree guchar *der = extract(made, &size);
    const guchar *at = der;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)size);

    g_assert_nonnull(cms);
    return cms;
}

static int signature_algorithm(GBytes *made)
{
    CMS_ContentInfo *cms = parse(made);
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid;

    CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0), NULL, NULL,
                             NULL, &algorithm);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int nid = OBJ_obj2nid(oid);
    CMS_ContentInfo_free(cms);
    return nid;
}

static void assert_algorithm(const char *kind, const char *settings, int nid)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, kind, settings);
    g_autoptr(GBytes) made = sign_text(&fixture, FALSE);

    g_assert_cmpint(signature_algorithm(made), ==, nid);
}

static void test_rsa(void)
{
    assert_algorithm("RSA", NULL, NID_rsaEncryption);
    assert_algorithm("RSA", "rsa_signature=pkcs1", NID_rsaEncryption);
    assert_algorithm("RSA", "rsa_signature=pss", NID_rsassaPss);
    assert_algorithm("RSA-PSS", "rsa_signature=pkcs1", NID_rsassaPss);
    assert_algorithm("P-384", "rsa_signature=pss", NID_ecdsa_with_SHA384);
}

static void assert_warns(const char *kind, const char *settings, gboolean warns)
{
    g_auto(Fixture) fixture = {0};

    fixture_open(&fixture, kind, settings);
    g_assert_true(smime_logged(&fixture.smime, "is for RSA-PSS alone") == warns);
}

/* Thunderbird finds the signatures of no such key good. */
static void test_warning(void)
{
    assert_warns("RSA-PSS", NULL, TRUE);
    assert_warns("RSA", "rsa_signature=pss", FALSE);
    assert_warns("P-256", NULL, FALSE);
}

static void test_detached_form(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256", NULL);
    g_autoptr(GBytes) made = sign_text(&fixture, FALSE);
    g_autoptr(GBytes) again = sign_text(&fixture, FALSE);
    g_autofree char *text = g_strndup(g_bytes_get_data(made, NULL), g_bytes_get_size(made));
    g_auto(GStrv) quoted = g_strsplit(text, "\"", 5);
    const char *boundary = quoted[3];
    g_autofree char *front =
        g_strdup_printf("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
                        "micalg=sha-256; boundary=\"%s\"\n\n--%s\n" TEXT
                        "\n--%s\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\n"
                        "Content-Transfer-Encoding: base64\n"
                        "Content-Disposition: attachment; filename=\"smime.p7s\"\n\nMI",
                        boundary, boundary, boundary);
    g_autofree char *end = g_strdup_printf("\n--%s--\n", boundary);

    g_assert_true(g_str_has_prefix(text, front));
    g_assert_true(g_str_has_suffix(text, end));
    g_assert_cmpuint(strlen(boundary), >=, 32);
    g_assert_cmpuint(strlen(boundary), <=, 70);
    g_assert_null(find(again, boundary));
    g_assert_null(find(made, "\r"));
}

static void test_opaque_form(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256", NULL);
    g_autoptr(GBytes) made = sign_text(&fixture, TRUE);
    g_autofree char *text = g_strndup(g_bytes_get_data(made, NULL), g_bytes_get_size(made));

    g_assert_true(g_str_has_prefix(
        text, "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"\n"
              "Content-Transfer-Encoding: base64\n"
              "Content-Disposition: attachment; filename=\"smime.p7m\"\n\nMI"));
    g_assert_null(find(made, "\r"));
    g_assert_cmpuint(fixture.smime.format->flags & SEAL_FORMAT_OPAQUE, !=, 0);
}

/* Lines that look like boundaries and ends, entities without a line end, CRLF, any octets. */
static void test_contents(void)
{
    static const char *const texts[] = {
        "\nx",
        "\n",
        "Content-Type: text/plain\n\nno line end",
        "Content-Type: text/plain\r\n\r\nCRLF\r\n",
        "Content-Type: text/plain\n\n--=_x\n--\n\n--=_x--\n\n\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
    };
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        for (int opaque = 0; opaque < 2; opaque++) {
            g_autoptr(GBytes) made = sign(&fixture, texts[i], strlen(texts[i]), opaque);
            g_autoptr(GBytes) expected = canonical(texts[i], strlen(texts[i]));

            g_assert_true(openssl_verifies(&fixture, made, expected));
            assert_detected(&fixture, made);
        }
    }
}

/* Sizes around those of base64 lines and buffers, all octets, in opaque signatures. */
static void test_sizes(void)
{
    static const gsize sizes[] = {1, 56, 57, 58, 4095, 4096, 65535, 65536, 65537, 1000001};
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256", NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *data = g_malloc(sizes[i]);
        for (gsize n = 0; n < sizes[i]; n++)
            data[n] = (char)g_rand_int(rand);
        g_autoptr(GBytes) made = sign(&fixture, data, sizes[i], TRUE);
        g_autoptr(GBytes) expected = canonical(data, sizes[i]);

        g_assert_true(openssl_verifies(&fixture, made, expected));
    }
}

/* -------------------------------------------------------------------------------------------
 * Attributes and certificates
 */

static const ASN1_STRING *attribute(CMS_ContentInfo *cms, int nid)
{
    CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    int at = CMS_signed_get_attr_by_NID(info, nid, -1);

    g_assert_cmpint(CMS_signed_get_attr_count(info), >, 0);
    if (at < 0)
        return NULL;
    X509_ATTRIBUTE *found = CMS_signed_get_attr(info, at);
    g_assert_cmpint(X509_ATTRIBUTE_count(found), ==, 1);
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(found, 0);
    return value->value.asn1_string;
}

static void test_capabilities(void)
{
    static const char expected[] = "\x30\x34\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a"
                                   "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02"
                                   "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e"
                                   "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x06";

    for (int opaque = 0; opaque < 2; opaque++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, "P-256", NULL);
        g_autoptr(GBytes) made = sign_text(&fixture, opaque);
        CMS_ContentInfo *cms = parse(made);
        const ASN1_STRING *value = attribute(cms, NID_SMIMECapabilities);

        g_assert_nonnull(attribute(cms, NID_pkcs9_signingTime));
        g_assert_nonnull(attribute(cms, NID_pkcs9_messageDigest));
        g_assert_nonnull(attribute(cms, NID_pkcs9_contentType));
        g_assert_nonnull(value);
        g_assert_cmpmem(ASN1_STRING_get0_data(value), ASN1_STRING_length(value), expected,
                        sizeof expected - 1);
        CMS_ContentInfo_free(cms);
    }
}

/* The attribute names @cert: [0] with its issuer and serial number. */
static void assert_preference(CMS_ContentInfo *cms, X509 *cert)
{
    CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    int at = CMS_signed_get_attr_by_NID(info, NID_id_smime_aa_encrypKeyPref, -1);

    if (!cert) {
        g_assert_cmpint(at, <, 0);
        return;
    }
    g_assert_cmpint(at, >=, 0);
    X509_ATTRIBUTE *found = CMS_signed_get_attr(info, at);
    ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(found, 0);
    guint8 *der = NULL;
    int length = i2d_ASN1_TYPE(value, &der);
    const guint8 *inside = der;
    long size;
    int tag, class;
    g_assert_cmpint(ASN1_get_object(&inside, &size, &tag, &class, length), ==, V_ASN1_CONSTRUCTED);
    g_assert_cmpint(tag, ==, 0);
    g_assert_cmpint(class, ==, V_ASN1_CONTEXT_SPECIFIC);
    X509_NAME *issuer = d2i_X509_NAME(NULL, &inside, size);
    g_assert_nonnull(issuer);
    ASN1_INTEGER *serial = d2i_ASN1_INTEGER(NULL, &inside, der + length - inside);
    g_assert_nonnull(serial);
    g_assert_true(inside == der + length);
    g_assert_cmpint(X509_NAME_cmp(issuer, X509_get_issuer_name(cert)), ==, 0);
    g_assert_cmpint(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(cert)), ==, 0);
    X509_NAME_free(issuer);
    ASN1_INTEGER_free(serial);
    OPENSSL_free(der);
}

static guint count_cert(CMS_ContentInfo *cms, X509 *cert, guint *all)
{
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    guint count = 0;

    *all = (guint)sk_X509_num(certs);
    for (int i = 0; i < sk_X509_num(certs); i++)
        count += X509_cmp(sk_X509_value(certs, i), cert) == 0 ? 1 : 0;
    sk_X509_pop_free(certs, X509_free);
    return count;
}

static void test_preference_own(void)
{
    static const char *const kinds[] = {"RSA", "P-256"};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_auto(Fixture) fixture = {0};
        fixture_open(&fixture, kinds[i], NULL);
        g_autoptr(GBytes) made = sign_text(&fixture, FALSE);
        CMS_ContentInfo *cms = parse(made);
        guint all;

        assert_preference(cms, fixture.cert);
        g_assert_cmpuint(count_cert(cms, fixture.cert, &all), ==, 1);
        g_assert_cmpuint(count_cert(cms, fixture.ca, &all), ==, 1);
        g_assert_cmpuint(count_cert(cms, fixture.root, &all), ==, 0);
        g_assert_cmpuint(all, ==, 2);
        CMS_ContentInfo_free(cms);
    }
}

/* A certificate for signatures alone, and others beside it: of another address, out of date, and
 * right. */
static void test_preference_other(void)
{
    CertSpec signs = {.name = "Alice signs",
                      .san = "email:alice@example.org",
                      .usage = "critical,digitalSignature"};
    CertSpec opens = {.name = "Alice opens",
                      .san = "email:ALICE@example.org",
                      .usage = "critical,keyEncipherment"};
    CertSpec expired = {.name = "Alice opened",
                        .san = "email:alice@example.org",
                        .usage = "critical,keyEncipherment",
                        .until_days = -1,
                        .from_days = -9};
    g_autoptr(X509) root = pki_ca("Test Root", NULL);
    g_autoptr(X509) other = pki_signer("bob@example.org", "RSA", root);
    g_autoptr(X509) cert = pki_cert(&signs, pki_key("P-256"), root, pki_key("RSA"));
    g_autoptr(X509) wanted = pki_cert(&opens, pki_key("RSA4096"), root, pki_key("RSA"));
    g_autoptr(X509) old = pki_cert(&expired, pki_key("RSA4096"), root, pki_key("RSA"));

    for (int with = 0; with < 2; with++) {
        Fixture fixture = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) one = pki_bundle(pki_key("P-256"), cert, NULL);
        g_autoptr(GBytes) two = pki_bundle(pki_other_key("RSA"), other, NULL);
        g_autoptr(GBytes) three = pki_bundle(pki_key("RSA4096"), old, with ? wanted : NULL, NULL);
        guint all;

        smime_prepare(&fixture.smime);
        g_free(smime_write_secret(&fixture.smime, "keys/1.pem", one));
        g_free(smime_write_secret(&fixture.smime, "keys/2.pem", two));
        g_free(smime_write_secret(&fixture.smime, "keys/3.pem", three));
        g_autofree char *lines = g_strdup_printf("server_keys=%s/keys", fixture.smime.dir);
        smime_open_with(&fixture.smime, lines, NULL, &error);
        g_assert_no_error(error);

        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
        g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
        fixture.smime.format->signers(fixture.smime.module, alice, NULL, keys, NULL);
        g_assert_cmpuint(keys->len, ==, with ? 3 : 2);
        fixture.key = seal_key_ref(g_ptr_array_index(keys, 0));
        g_autoptr(GBytes) made = sign_text(&fixture, FALSE);
        CMS_ContentInfo *cms = parse(made);
        assert_preference(cms, with ? wanted : NULL);
        g_assert_cmpuint(count_cert(cms, wanted, &all), ==, with);
        g_assert_cmpuint(all, ==, 1 + with);
        CMS_ContentInfo_free(cms);
        fixture_close(&fixture);
    }
}

/* -------------------------------------------------------------------------------------------
 * Fit or not
 */

static char *judge(Fixture *fixture, char **text)
{
    return smime_judge(&fixture->smime, fixture->key, SEAL_PURPOSE_SIGN,
                       g_get_real_time() / G_USEC_PER_SEC, text);
}

static void assert_judged(const char *kind, const CertSpec *spec, const char *code,
                          const char *words)
{
    g_autoptr(X509) ca = pki_ca("Test CA", NULL);
    X509 *cert = pki_cert(spec, pki_other_key(kind), ca, pki_key("RSA"));
    g_auto(Fixture) fixture = {0};
    g_autofree char *text = NULL;

    fixture_open_cert(&fixture, kind, cert, NULL);
    g_autofree char *got = judge(&fixture, &text);
    g_assert_cmpstr(got, ==, code);
    g_assert_nonnull(strstr(text, words));
}

static void test_usable(void)
{
#define ALICE .name = "Alice", .san = "email:alice@example.org"
    const CertSpec good = {ALICE, .usage = "digitalSignature", .ext_usage = "emailProtection"};
    const CertSpec commits = {ALICE, .usage = "nonRepudiation"};
    const CertSpec opens = {ALICE, .usage = "keyEncipherment"};
    const CertSpec serves = {ALICE, .usage = "digitalSignature", .ext_usage = "serverAuth"};
    const CertSpec expired = {ALICE, .from_days = -9, .until_days = -1};
    const CertSpec future = {ALICE, .from_days = 2};

    assert_judged("RSA", &good, "usable", "valid until");
    assert_judged("RSA-PSS", &good, "usable", "valid until");
    assert_judged("P-256", &commits, "usable", "valid until");
    assert_judged("RSA", &opens, "key-usage", "digitalSignature or nonRepudiation");
    assert_judged("RSA", &serves, "ext-key-usage", "emailProtection");
    assert_judged("RSA", &expired, "expired", "expired on");
    assert_judged("RSA", &future, "not-yet-valid", "only from");
    assert_judged("RSA1024", &good, "weak-key", "1024 bits");
    assert_judged("ED25519", &good, "algorithm", "ED25519 key, with which S/MIME cannot sign");
    assert_judged("secp256k1", &good, "algorithm", "secp256k1");
}

static void test_revoked(void)
{
    g_autoptr(X509) root = pki_ca("Test Root", NULL);
    g_autoptr(X509) ca = pki_ca("Test CA", root);
    X509 *cert = pki_signer("alice@example.org", "RSA", ca);
    g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), cert, -1, 9);
    g_autoptr(GBytes) pem = pki_crl_pem(crl);
    g_autofree char *dir = g_dir_make_tmp("sealpipe-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "crl.pem", NULL);
    g_autofree char *lines = g_strdup_printf("crls=%s", path);
    g_auto(Fixture) fixture = {0};
    const char *argv[] = {"rm", "-rf", dir, NULL};

    g_assert_true(g_file_set_contents(path, g_bytes_get_data(pem, NULL),
                                      (gssize)g_bytes_get_size(pem), NULL));
    fixture_open_cert(&fixture, "RSA", cert, lines);
    g_autofree char *code = judge(&fixture, NULL);
    g_assert_cmpstr(code, ==, "revoked");
    g_assert_true(command_succeeds(argv));
}

/* -------------------------------------------------------------------------------------------
 * Refusals
 */

static void assert_refused(Fixture *fixture, SealSealing *sealing, GQuark domain, int code)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(fixture->smime.format->sign(fixture->smime.module, sealing, NULL, &error));
    g_assert_error(error, domain, code);
}

static void test_refusals(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA", NULL);
    g_autoptr(SealKey) public = smime_key(&fixture.smime, fixture.cert, SEAL_TRUST_MANUAL);
    g_autoptr(SealContent) entity = seal_content_new_copy("\nx", 2);
    g_autoptr(SealContent) empty = seal_content_new_copy("", 0);
    SealSealing sealing = {.size = sizeof sealing, .entity = entity};

    assert_refused(&fixture, &sealing, SEAL_ERROR, SEAL_ERROR_KEY);
    /* The same certificate, but its private key is not here. */
    sealing.signer = public;
    assert_refused(&fixture, &sealing, SEAL_ERROR, SEAL_ERROR_KEY);
    sealing.signer = fixture.key;
    sealing.entity = empty;
    assert_refused(&fixture, &sealing, SEAL_ERROR, SEAL_ERROR_FAILED);
}

/* A key that OpenSSL cannot sign with is an error, not an empty signature. */
static void test_ed25519(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "ED25519", NULL);
    g_autoptr(SealContent) entity = seal_content_new_copy("\nx", 2);

    for (int opaque = 0; opaque < 2; opaque++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(sign_content(&fixture, entity, opaque, &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    }
}

static void test_cancelled(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA", NULL);
    g_autoptr(SealContent) entity = seal_content_new_copy("\nx", 2);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_cancellable_cancel(cancellable);

    for (int opaque = 0; opaque < 2; opaque++) {
        g_autoptr(GError) error = NULL;
        SealSealing sealing = {
            .size = sizeof sealing, .entity = entity, .signer = fixture.key, .opaque = opaque};
        g_assert_null(
            fixture.smime.format->sign(fixture.smime.module, &sealing, cancellable, &error));
        g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
}

/* Where there is no room, there is an error and no signature. */
static void test_no_space(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA", NULL);
    g_autofree char *text = g_strnfill(3000000, 'x');
    g_autoptr(SealContent) entity = seal_content_new_copy(text, 3000000);
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"rm", "-rf", fixture.smime.dir, NULL};

    g_assert_true(command_succeeds(argv));
    g_assert_null(sign_content(&fixture, entity, TRUE, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "temporary file"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/sign/kinds", test_kinds);
    g_test_add_func("/smime/sign/rsa", test_rsa);
    g_test_add_func("/smime/sign/warning", test_warning);
    g_test_add_func("/smime/sign/detached-form", test_detached_form);
    g_test_add_func("/smime/sign/opaque-form", test_opaque_form);
    g_test_add_func("/smime/sign/contents", test_contents);
    g_test_add_func("/smime/sign/sizes", test_sizes);
    g_test_add_func("/smime/sign/capabilities", test_capabilities);
    g_test_add_func("/smime/sign/preference-own", test_preference_own);
    g_test_add_func("/smime/sign/preference-other", test_preference_other);
    g_test_add_func("/smime/sign/usable", test_usable);
    g_test_add_func("/smime/sign/revoked", test_revoked);
    g_test_add_func("/smime/sign/refusals", test_refusals);
    g_test_add_func("/smime/sign/ed25519", test_ed25519);
    g_test_add_func("/smime/sign/cancelled", test_cancelled);
    g_test_add_func("/smime/sign/no-space", test_no_space);
    return g_test_run();
}
