/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-import.c: what people have certificates in, entry by entry; and private keys that are
 * put where the module finds them.
 */
#include "test-smime-pki.h"

#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was heard: "K name", "L name: what", "F name: why", one a line. */
static void hear(const SealImportEntry *entry, gpointer user_data)
{
    GString *heard = user_data;
    const char *name = entry->entry ? entry->entry : "-";

    g_assert_true(!entry->format || g_str_equal(entry->format, "smime"));
    if (entry->what == SEAL_IMPORT_KEY)
        g_string_append_printf(heard, "K %s\n", name);
    else if (entry->what == SEAL_IMPORT_LEFT)
        g_string_append_printf(heard, "L %s: %s\n", name, entry->text);
    else
        g_string_append_printf(heard, "F %s: %s%s\n", name, entry->problem->message,
                               entry->problem->code == SEAL_ERROR_UNAVAILABLE ? " (shut)" : "");
}

/* (transfer full) */
static char *import_with(Smime *smime, GBytes *data, const char *passphrase)
{
    g_autoptr(GString) heard = g_string_new(NULL);
    g_autoptr(SealSecret) secret = NULL;
    g_autoptr(GError) error = NULL;
    guint added = 0;

    if (passphrase) {
        g_autoptr(GBytes) text = g_bytes_new(passphrase, strlen(passphrase));
        g_autofree char *path = smime_write_secret(smime, "passphrase", text);
        secret = seal_secret_read(path, &error);
        g_assert_no_error(error);
    }
    SealShelving how = {
        .place = "test", .trust = SEAL_TRUST_MANUAL, .passphrase = secret, .dry = TRUE};
    g_assert_true(
        seal_dispatcher_add_keys(smime->dispatcher, data, &how, hear, heard, &added, &error));
    g_assert_no_error(error);
    return g_strdup(heard->str);
}

static void assert_heard(Smime *smime, GBytes *data, const char *passphrase, const char *expected)
{
    g_autofree char *heard = import_with(smime, data, passphrase);

    g_assert_cmpstr(heard, ==, expected);
}

static GBytes *joined(GBytes *one, ...)
{
    GByteArray *all = g_byte_array_new();
    va_list more;

    va_start(more, one);
    for (; one; one = va_arg(more, GBytes *))
        g_byte_array_append(all, g_bytes_get_data(one, NULL), (guint)g_bytes_get_size(one));
    va_end(more);
    return g_byte_array_free_to_bytes(all);
}

static GBytes *text_of(const char *text)
{
    return g_bytes_new(text, strlen(text));
}

static GBytes *taken(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    GBytes *bytes = g_bytes_new(data, (gsize)length);

    BIO_free(bio);
    return bytes;
}

static void test_pem(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(X509_CRL) crl = pki_crl(ca, pki_key("RSA"), cert, -1, 5);
    g_autoptr(GBytes) pem = pki_pem(cert);
    g_autoptr(GBytes) ca_pem = pki_pem(ca);
    g_autoptr(GBytes) key = pki_key_pem(pki_other_key("P-256"));
    g_autoptr(GBytes) list = pki_crl_pem(crl);
    g_autoptr(GBytes) ahead = text_of("Bag Attributes\n    friendlyName: Alice\n");
    g_autoptr(GBytes) broken =
        text_of("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    g_autoptr(GBytes) openpgp = text_of("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n"
                                        "-----END PGP PUBLIC KEY BLOCK-----\n");
    g_autoptr(GBytes) one = joined(ahead, pem, NULL);
    g_autoptr(GBytes) all = joined(ahead, pem, key, openpgp, ca_pem, list, broken, NULL);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    assert_heard(&smime, one, NULL, "K -\n");
    assert_heard(&smime, all, NULL,
                 "L entry 2: a private key\nL entry 4: a revocation list\n"
                 "F entry 5: a certificate that cannot be read\nK entry 1\nK entry 3\n");
    assert_heard(&smime, openpgp, NULL, "");
    assert_heard(&smime, broken, NULL, "F -: a certificate that cannot be read\n");
}

static GBytes *pkcs7_of(X509 *cert, gboolean pem)
{
    PKCS7 *bag = PKCS7_new();
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(PKCS7_set_type(bag, NID_pkcs7_signed) && PKCS7_content_new(bag, NID_pkcs7_data) &&
                  PKCS7_add_certificate(bag, cert));
    g_assert_true(pem ? PEM_write_bio_PKCS7(bio, bag) : i2d_PKCS7_bio(bio, bag));
    PKCS7_free(bag);
    return taken(bio);
}

/* Without the lines that should stand about it. */
static GBytes *bare_of(GBytes *der)
{
    g_autofree char *text = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));

    return g_bytes_new(text, strlen(text));
}

static void test_forms(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GBytes) bare = bare_of(der);
    g_autoptr(GBytes) pkcs7 = pkcs7_of(cert, FALSE);
    g_autoptr(GBytes) pkcs7_pem = pkcs7_of(cert, TRUE);
    g_autoptr(GBytes) pkcs7_bare = bare_of(pkcs7);
    GBytes *forms[] = {der, bare, pkcs7, pkcs7_pem, pkcs7_bare};
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++)
        assert_heard(&smime, forms[i], NULL, "K -\n");
}

/* -------------------------------------------------------------------------------------------
 * PKCS#12
 */

static GBytes *pkcs12_of(X509 *cert, X509 *ca, const char *passphrase, const char *name,
                         int iterations)
{
    STACK_OF(X509) *more = sk_X509_new_null();
    BIO *bio = BIO_new(BIO_s_mem());

    if (ca)
        sk_X509_push(more, ca);
    PKCS12 *file = PKCS12_create(passphrase, name, pki_other_key("P-256"), cert, more, 0, 0, 2048,
                                 iterations, 0);
    g_assert_nonnull(file);
    g_assert_true(i2d_PKCS12_bio(bio, file));
    PKCS12_free(file);
    sk_X509_free(more);
    return taken(bio);
}

static GBytes *as_pem(GBytes *der, const char *label)
{
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(
        PEM_write_bio(bio, label, "", g_bytes_get_data(der, NULL), (long)g_bytes_get_size(der)));
    return taken(bio);
}

static void test_pkcs12(void)
{
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) file = pkcs12_of(cert, ca, "secret", "Gr\xc3\xbc\xc3\x9f\x65", 2048);
    g_autoptr(GBytes) pem = as_pem(file, "PKCS12");
    g_autoptr(GBytes) bare = bare_of(file);
    g_autoptr(GBytes) ahead = text_of("from my browser\n");
    g_autoptr(GBytes) behind = joined(ahead, file, NULL);
    GBytes *forms[] = {file, pem, bare, behind};
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        assert_heard(&smime, forms[i], "secret",
                     "L entry 3: a private key\nK Gr\xc3\xbc\xc3\x9f\x65\nK entry 2\n");
        assert_heard(&smime, forms[i], "wrong",
                     "F -: a PKCS#12 file that the passphrase does not open (shut)\n");
        assert_heard(&smime, forms[i], NULL,
                     "F -: a PKCS#12 file that takes a passphrase; give it with "
                     "--passphrase-file (shut)\n");
    }
}

static void test_empty_passphrase(void)
{
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, NULL);
    g_autoptr(GBytes) empty = pkcs12_of(cert, NULL, "", NULL, 2048);
    g_autoptr(GBytes) none = pkcs12_of(cert, NULL, NULL, NULL, 2048);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    assert_heard(&smime, empty, NULL, "L entry 2: a private key\nK entry 1\n");
    assert_heard(&smime, none, NULL, "L entry 2: a private key\nK entry 1\n");
}

/* With another number in place of the 65537 iterations. */
static GBytes *with_iterations(GBytes *file, guint number)
{
    static const guint8 before[] = {2, 3, 1, 0, 1};
    gsize size;
    guint8 *data = g_bytes_unref_to_data(g_bytes_ref(file), &size);

    for (guint8 *at = data; (at = memmem(at, size - (gsize)(at - data), before, sizeof before));) {
        for (guint i = 0; i < 3; i++)
            at[2 + i] = (guint8)(number >> (16 - 8 * i));
    }
    return g_bytes_new_take(data, size);
}

/* It is refused before it is begun, whatever passphrase is given. */
static void test_endless(void)
{
    static const struct {
        guint iterations;
        const char *why;
    } rows[] = {
        {2500001, "hashed 2500001 times or more"},
        {0x7fffff, "at most 2500000 times are allowed"},
        {0x800000, "iteration count is not valid"}, /* which is negative */
    };
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, NULL);
    g_autoptr(GBytes) file = pkcs12_of(cert, NULL, "secret", NULL, 65537);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) endless = with_iterations(file, rows[i].iterations);
        g_autofree char *heard = import_with(&smime, endless, "secret");

        g_test_message("%s", heard);
        g_assert_nonnull(strstr(heard, rows[i].why));
        g_assert_null(strstr(heard, "(shut)"));
    }
}

/* As many as guides recommend. */
static void test_slow(void)
{
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, NULL);
    g_autoptr(GBytes) file = pkcs12_of(cert, NULL, "secret", NULL, 600000);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    assert_heard(&smime, file, "secret", "L entry 2: a private key\nK entry 1\n");
}

static void add_head(GByteArray *to, guint8 tag, gsize length)
{
    const guint8 head[] = {tag, 0x83, (guint8)(length >> 16), (guint8)(length >> 8),
                           (guint8)length};

    g_byte_array_append(to, head, sizeof head);
}

/* SignedData with @cert so many times, in BER without its end where @open. */
static GBytes *bag_with(X509 *cert, guint times, gboolean open)
{
    static const guint8 type[] = {6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2};
    static const guint8 front[] = {2,    1,    1,    0x31, 0,    0x30, 11, 6, 9,
                                   0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,  7, 1};
    static const guint8 unended[] = {0xa0, 0x80, 0x30, 0x80};
    g_autoptr(GBytes) der = pki_der(cert);
    gsize certs = times * g_bytes_get_size(der);
    gsize inner = sizeof front + 5 + certs + 2;
    GByteArray *bag = g_byte_array_new();

    if (open)
        g_byte_array_append(bag, unended + 2, 2);
    else
        add_head(bag, 0x30, sizeof type + 10 + inner);
    g_byte_array_append(bag, type, sizeof type);
    if (open) {
        g_byte_array_append(bag, unended, sizeof unended);
    } else {
        add_head(bag, 0xa0, 5 + inner);
        add_head(bag, 0x30, inner);
    }
    g_byte_array_append(bag, front, sizeof front);
    if (open)
        g_byte_array_append(bag, unended, 2);
    else
        add_head(bag, 0xa0, certs);
    for (guint i = 0; i < times; i++)
        g_byte_array_append(bag, g_bytes_get_data(der, NULL), (guint)g_bytes_get_size(der));
    if (!open)
        g_byte_array_append(bag, (const guint8 *)"\x31", 2);
    return g_byte_array_free_to_bytes(bag);
}

static GBytes *repeated(GBytes *bytes, guint times)
{
    GByteArray *all = g_byte_array_new();

    for (guint i = 0; i < times; i++)
        g_byte_array_append(all, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
    return g_byte_array_free_to_bytes(all);
}

/* None is read twice; what is read as a whole is counted before. */
static void test_many_times(void)
{
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, NULL);
    g_autoptr(GBytes) pem = pki_pem(cert);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GBytes) pems = repeated(pem, 15000);
    g_autoptr(GBytes) ders = repeated(der, 15000);
    g_autoptr(GBytes) few = bag_with(cert, 2, FALSE);
    g_autoptr(GBytes) many = bag_with(cert, 4001, FALSE);
    g_autoptr(GBytes) open = bag_with(cert, 2, TRUE);
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    assert_heard(&smime, pems, NULL, "K -\n");
    assert_heard(&smime, ders, NULL, "K -\n");
    assert_heard(&smime, few, NULL, "K entry 1\n");
    assert_heard(&smime, many, NULL, "F -: more than 4000 certificates in PKCS#7 in one file\n");
    assert_heard(&smime, open, NULL, "F -: a certificate that cannot be read\n");
}

static void test_corpus(void)
{
    static const struct {
        const char *file;
        const char *passphrase;
        const char *has; /* part of what is heard */
    } rows[] = {
        {"openssl-p12/certs/v3-certs-RC2.p12", "v3-certs", "K "},
        {"openssl-p12/certs/v3-certs-TDES.p12", "v3-certs", "K "},
        {"openssl-p12/shibboleth.pfx",
         "\xcf\x83\xcf\x8d\xce\xbd\xce\xb8\xce\xb7\xce\xbc\xce\xb1 "
         "\xce\xb3\xce\xbd\xcf\x8e\xcf\x81\xce\xb9\xcf\x83\xce\xbc\xce\xb1",
         "K "},
        {"openssl-p12/recipes/90-test_store_cases_data/test-BER.p12", "12345", "K "},
        {"openssl-p12/recipes/80-test_pkcs12_data/bad1.p12", "1234", "F "},
        {"openssl-p12/recipes/80-test_pkcs12_data/bad2.p12", "1234", "F "},
        {"openssl-p12/recipes/80-test_pkcs12_data/bad3.p12", "1234", "F "},
        {"openssl-p12/recipes/80-test_pkcs12_data/pbmac1_cert.oct-is-null.p12", "1234", "F "},
        {"p7b/acserprorfbv5.p7b", NULL, "K "},
        {"p7b/pkcs7.pem", NULL, "K "},
        {"p7b/pkcs7-1.pem", NULL, ""},
        {"p7b/testp7.pem", NULL, "K "},
        {"p7b/recipes/25-test_pkcs7_data/malformed.pkcs7", NULL, ""},
    };
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *corpus = g_getenv("SEALPIPE_TEST_CORPUS");
        g_autofree char *path =
            g_build_filename(corpus ? corpus : "", "keystores", rows[i].file, NULL);
        g_autofree char *data = NULL;
        gsize size;

        if (!g_file_get_contents(path, &data, &size, NULL)) {
            g_test_skip("the corpus is not at hand");
            return;
        }
        g_autoptr(GBytes) bytes = g_bytes_new(data, size);
        g_autofree char *heard = import_with(&smime, bytes, rows[i].passphrase);
        g_test_message("%s: %s", rows[i].file, heard);
        g_assert_nonnull(strstr(heard, rows[i].has));
    }
}

/* -------------------------------------------------------------------------------------------
 * Private keys
 */

static void note_installed(const char *format, guint count, const char *where, gpointer user_data)
{
    g_assert_cmpstr(format, ==, "smime");
    g_string_append_printf(user_data, "%u %s", count, where);
}

static gboolean install(Smime *smime, GBytes *data, const char *name, GString *said, GError **error)
{
    return seal_dispatcher_install_keys(smime->dispatcher, data, NULL, name, note_installed, said,
                                        error);
}

static void open_folder(Smime *smime, char **folder)
{
    g_autoptr(GError) error = NULL;

    smime_prepare(smime);
    *folder = g_build_filename(smime->dir, "keys", NULL);
    g_assert_cmpint(g_mkdir_with_parents(*folder, 0700), ==, 0);
    g_autofree char *settings = g_strdup_printf("server_keys=%s", *folder);
    g_assert_true(smime_open_with(smime, settings, NULL, &error));
    g_assert_no_error(error);
}

static void assert_installed(Smime *smime, GBytes *data, const char *name, const char *folder,
                             const char *as)
{
    g_autoptr(GString) said = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf("1 %s/%s", folder, as);
    g_autofree char *path = g_build_filename(folder, as, NULL);
    g_autofree char *written = NULL;
    struct stat st;
    gsize size;

    install(smime, data, name, said, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(said->str, ==, expected);
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
    g_assert_cmpuint(st.st_nlink, ==, 1);
    g_assert_true(g_file_get_contents(path, &written, &size, NULL));
    g_assert_cmpmem(written, size, g_bytes_get_data(data, NULL), g_bytes_get_size(data));
}

static void test_install(void)
{
    g_autoptr(X509) cert = pki_signer("alice@example.org", "P-256", NULL);
    g_autoptr(GBytes) pem = pki_bundle(pki_other_key("P-256"), cert, NULL);
    g_autoptr(GBytes) file = pkcs12_of(cert, NULL, "", NULL, 2048);
    g_autofree char *folder = NULL;
    g_auto(Smime) smime = {0};
    open_folder(&smime, &folder);

    assert_installed(&smime, pem, "alice.pem", folder, "alice.pem");
    assert_installed(&smime, pem, "alice.pem", folder, "alice-2.pem");
    assert_installed(&smime, file, "/x/../..hidden; rm.p12", folder, "hidden__rm.p12");
    assert_installed(&smime, pem, "../../..", folder, "key.pem");
    /* The module finds them where they are. */
    g_autofree char *settings = g_strdup_printf("server_keys=%s", folder);
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
    g_assert_true(smime_open_with(&smime, settings, NULL, &error));
    g_assert_no_error(error);
    /* What is there is not put there again, whatever it is called. */
    g_autofree char *again = g_build_filename(folder, "again.pem", NULL);
    g_autoptr(GString) said = g_string_new(NULL);
    g_assert_true(install(&smime, pem, "again.pem", said, &error));
    g_assert_no_error(error);
    g_assert_nonnull(strstr(said->str, folder));
    g_assert_false(g_file_test(again, G_FILE_TEST_EXISTS));
}

static void test_not_installed(void)
{
    g_autoptr(X509) cert = pki_signer("alice@example.org", "P-256", NULL);
    g_autoptr(GBytes) key = pki_key_pem(pki_other_key("P-256"));
    g_autoptr(GBytes) other = pki_bundle(pki_key("P-256"), cert, NULL);
    g_autoptr(GBytes) shut = pkcs12_of(cert, NULL, "secret", NULL, 2048);
    g_autoptr(GBytes) public = pki_pem(cert);
    const struct {
        GBytes *data;
        const char *why;
    } rows[] = {
        {key, "without its certificate"},
        {other, "without its certificate"},
        {shut, "does not open it"},
        {public, "no private key"},
    };
    g_autofree char *folder = NULL;
    g_auto(Smime) smime = {0};
    open_folder(&smime, &folder);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) said = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(install(&smime, rows[i].data, "x.pem", said, &error));
        g_assert_nonnull(strstr(error->message, rows[i].why));
    }
    /* Nothing is left behind. */
    g_assert_cmpint(rmdir(folder), ==, 0);
}

static void test_no_folder(void)
{
    g_autoptr(X509) cert = pki_signer("alice@example.org", "P-256", NULL);
    g_autoptr(GBytes) pem = pki_bundle(pki_other_key("P-256"), cert, NULL);
    g_autoptr(GString) said = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_auto(Smime) smime = {0};
    smime_start(&smime, NULL, NULL);

    g_assert_false(install(&smime, pem, "x.pem", said, &error));
    g_assert_nonnull(strstr(error->message, "server_keys"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/import/pem", test_pem);
    g_test_add_func("/smime/import/forms", test_forms);
    g_test_add_func("/smime/import/pkcs12", test_pkcs12);
    g_test_add_func("/smime/import/empty-passphrase", test_empty_passphrase);
    g_test_add_func("/smime/import/endless", test_endless);
    g_test_add_func("/smime/import/slow", test_slow);
    g_test_add_func("/smime/import/many-times", test_many_times);
    g_test_add_func("/smime/import/corpus", test_corpus);
    g_test_add_func("/smime/install/files", test_install);
    g_test_add_func("/smime/install/refused", test_not_installed);
    g_test_add_func("/smime/install/no-folder", test_no_folder);
    return g_test_run();
}
