/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-server-keys.c: private keys in every form that people have them in, made by the
 * openssl command; and what is no key is said to be none.
 */
#include "test-smime-pki.h"

#include <glib/gstdio.h>
#include <openssl/pkcs12.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* OpenSSL 3.4 is the first that does. */
#define KNOWS_PBMAC1 (OpenSSL_version_num() >= 0x30400000UL)

/* A key, its certificate and the CA's, in files; not yet a module. */
typedef struct {
    Smime smime;
    X509 *ca;
    X509 *cert;
    EVP_PKEY *key;
    char *key_path;
    char *pem_path; /* key and certificates */
} Fixture;

static void fixture_open(Fixture *fixture, const char *kind)
{
    smime_prepare(&fixture->smime);
    fixture->ca = pki_ca("Test CA", NULL);
    fixture->cert = pki_signer("alice@example.org", kind, fixture->ca);
    fixture->key = pki_other_key(kind);
    g_autoptr(GBytes) bare = pki_key_pem(fixture->key);
    g_autoptr(GBytes) all = pki_bundle(fixture->key, fixture->cert, fixture->ca, NULL);
    fixture->key_path = smime_write_secret(&fixture->smime, "made/key.pem", bare);
    fixture->pem_path = smime_write_secret(&fixture->smime, "made/all.pem", all);
}

static void fixture_close(Fixture *fixture)
{
    X509_free(fixture->ca);
    X509_free(fixture->cert);
    g_free(fixture->key_path);
    g_free(fixture->pem_path);
    smime_end(&fixture->smime);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, fixture_close)

/* Opens the module with @path as server_keys and, unless NULL, a passphrase file of @passphrase. */
static gboolean open_with(Fixture *fixture, const char *path, const char *passphrase,
                          GError **error)
{
    g_autoptr(GString) lines = g_string_new(NULL);

    g_string_printf(lines, "server_keys=%s\n", path);
    if (passphrase) {
        g_autofree char *line = g_strconcat(passphrase, "\nanother line\n", NULL);
        g_autoptr(GBytes) bytes = g_bytes_new(line, strlen(line));
        g_autofree char *file = smime_write_secret(&fixture->smime, "passphrase", bytes);
        g_string_append_printf(lines, "passphrase_file=%s\n", file);
    }
    return smime_open_with(&fixture->smime, lines->str, NULL, error);
}

static void close_module(Fixture *fixture)
{
    seal_dispatcher_free(fixture->smime.dispatcher);
    fixture->smime.dispatcher = NULL;
}

/* (transfer full) */
static GPtrArray *signers(Fixture *fixture, const char *address)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(
        fixture->smime.format->signers(fixture->smime.module, parsed, NULL, keys, &error));
    g_assert_no_error(error);
    return keys;
}

/* It signs, and openssl finds the signature right. */
static void assert_signs(Fixture *fixture, const char *place)
{
    g_autoptr(GPtrArray) keys = signers(fixture, "alice@example.org");
    g_autoptr(SealContent) entity = seal_content_new_copy("\nHello\n", 7);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(keys->len, ==, 1);
    SealKey *key = g_ptr_array_index(keys, 0);
    g_assert_cmpstr(seal_key_source(key), ==, "server");
    g_assert_cmpstr(seal_key_place(key), ==, place);
    g_assert_cmpint(seal_key_trust(key), ==, SEAL_TRUST_MANUAL);
    SealSealing sealing = {.size = sizeof sealing, .entity = entity, .signer = key};
    g_autoptr(SealContent) made =
        fixture->smime.format->sign(fixture->smime.module, &sealing, NULL, &error);
    g_assert_no_error(error);

    g_autoptr(GBytes) bytes = seal_content_to_bytes(made, G_MAXINT32, NULL);
    g_autoptr(GBytes) anchor = pki_pem(fixture->ca);
    g_autofree char *in = smime_write(&fixture->smime, "signed.eml", bytes);
    g_autofree char *ca = smime_write(&fixture->smime, "ca.pem", anchor);
    const char *argv[] = {"openssl", "cms", "-verify", "-in",       in,
                          "-CAfile", ca,    "-out",    "/dev/null", NULL};
    g_assert_true(command_succeeds(argv));
}

static void assert_opens(Fixture *fixture, const char *path, const char *passphrase)
{
    g_autoptr(GError) error = NULL;

    open_with(fixture, path, passphrase, &error);
    g_assert_no_error(error);
    assert_signs(fixture, path);
    close_module(fixture);
}

/* Nothing runs, and file and reason are named. */
static void assert_refused(Fixture *fixture, const char *path, const char *passphrase,
                           const char *file, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(open_with(fixture, path, passphrase, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, file));
    g_assert_nonnull(strstr(error->message, why));
}

/* -------------------------------------------------------------------------------------------
 * PEM and DER
 */

/* Runs `openssl @command ... -in @in -out NEW`. (transfer full) */
static char *convert(Fixture *fixture, const char *name, const char *command, const char *in, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    char *out = g_build_filename(fixture->smime.dir, "made", name, NULL);
    va_list args;

    g_ptr_array_add(argv, (gpointer) "openssl");
    g_ptr_array_add(argv, (gpointer)command);
    va_start(args, in);
    for (gpointer word; (word = va_arg(args, gpointer));)
        g_ptr_array_add(argv, word);
    va_end(args);
    g_ptr_array_add(argv, (gpointer) "-in");
    g_ptr_array_add(argv, (gpointer)in);
    g_ptr_array_add(argv, (gpointer) "-out");
    g_ptr_array_add(argv, out);
    g_ptr_array_add(argv, NULL);
    g_assert_true(command_succeeds((const char *const *)argv->pdata));
    g_assert_cmpint(g_chmod(out, 0600), ==, 0);
    return out;
}

/* A file of @first, then the certificates. (transfer full) */
static char *with_certs(Fixture *fixture, const char *name, const char *first)
{
    g_autoptr(GBytes) cert = pki_pem(fixture->cert);
    g_autoptr(GBytes) ca = pki_pem(fixture->ca);
    g_autofree char *key = NULL;
    gsize size;
    g_autoptr(GByteArray) all = g_byte_array_new();

    g_assert_true(g_file_get_contents(first, &key, &size, NULL));
    g_byte_array_append(all, g_bytes_get_data(ca, NULL), (guint)g_bytes_get_size(ca));
    g_byte_array_append(all, (guint8 *)key, (guint)size);
    g_byte_array_append(all, (const guint8 *)"Bag Attributes\n", 15);
    g_byte_array_append(all, g_bytes_get_data(cert, NULL), (guint)g_bytes_get_size(cert));
    g_autoptr(GBytes) bytes = g_bytes_new(all->data, all->len);
    return smime_write_secret(&fixture->smime, name, bytes);
}

static void check_pem(const char *kind)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, kind);
    const char *old = g_str_equal(kind, "RSA") ? "rsa" : "ec";
    g_autofree char *modern = convert(&fixture, "1", "pkcs8", fixture.key_path, "-topk8",
                                      "-passout", "pass:secret", NULL);
    g_autofree char *weak = convert(&fixture, "2", "pkcs8", fixture.key_path, "-topk8", "-v1",
                                    "PBE-SHA1-3DES", "-passout", "pass:secret", NULL);
    g_autofree char *header =
        convert(&fixture, "3", old, fixture.key_path, "-aes128", "-passout", "pass:secret", NULL);
    g_autofree char *des =
        convert(&fixture, "4", old, fixture.key_path, "-des3", "-passout", "pass:secret", NULL);
    g_autofree char *bare =
        g_str_equal(old, "rsa")
            ? convert(&fixture, "5", old, fixture.key_path, "-traditional", NULL)
            : convert(&fixture, "5", old, fixture.key_path, NULL);
    const char *const sealed[] = {modern, weak, header, des};

    assert_opens(&fixture, fixture.pem_path, NULL);
    g_autofree char *traditional = with_certs(&fixture, "traditional.pem", bare);
    assert_opens(&fixture, traditional, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(sealed); i++) {
        g_autofree char *path = with_certs(&fixture, "alice.pem", sealed[i]);
        assert_opens(&fixture, path, "secret");
        assert_refused(&fixture, path, "wrong", path, "does not open it");
        assert_refused(&fixture, path, NULL, path, "does not open it");
    }
}

static void test_pem(void)
{
    check_pem("RSA");
    check_pem("P-256");
}

/* Key, certificate and CA each in a file of its own; and something that is none. */
static void test_folder(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA");
    g_autoptr(GError) error = NULL;
    g_autoptr(X509) stranger = pki_signer("bob@example.org", "P-384", fixture.ca);
    g_autofree char *folder = g_build_filename(fixture.smime.dir, "keys", NULL);
    g_autofree char *der = convert(&fixture, "key.der", "pkcs8", fixture.key_path, "-topk8",
                                   "-nocrypt", "-outform", "DER", NULL);
    g_autoptr(GBytes) cert = pki_der(fixture.cert);
    g_autoptr(GBytes) ca = pki_pem(fixture.ca);
    g_autoptr(GBytes) other = pki_pem(stranger);
    g_autoptr(GBytes) readme = g_bytes_new("0 is a digit.\n", 14);
    g_autofree char *place = g_build_filename(folder, "z.key", NULL);

    g_free(smime_write(&fixture.smime, "keys/a.crt", cert));
    g_free(smime_write(&fixture.smime, "keys/b.crt", ca));
    g_free(smime_write(&fixture.smime, "keys/c.crt", other));
    g_free(smime_write(&fixture.smime, "keys/README", readme));
    g_free(smime_write(&fixture.smime, "keys/.hidden.key", readme));
    g_free(smime_write(&fixture.smime, "keys/below/d.key", readme));
    g_assert_cmpint(g_rename(der, place), ==, 0);
    open_with(&fixture, folder, NULL, &error);
    g_assert_no_error(error);
    assert_signs(&fixture, place);
    g_assert_true(smime_logged(&fixture.smime, "README: neither a private key nor a certificate"));
    g_assert_true(smime_logged(&fixture.smime, "bob@example.org has no private key here"));

    g_autoptr(GPtrArray) none = signers(&fixture, "bob@example.org");
    g_autoptr(GPtrArray) other_case = signers(&fixture, "Alice@EXAMPLE.org");
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmpuint(other_case->len, ==, 1);
}

/* A renewed certificate for the same key: both are there, once each. */
static void test_renewed(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autoptr(GError) error = NULL;
    g_autoptr(X509) again = pki_signer("alice@example.org", "P-256", fixture.ca);
    g_autoptr(GBytes) both = pki_bundle(fixture.key, fixture.cert, again, fixture.cert, NULL);
    g_autofree char *one = smime_write_secret(&fixture.smime, "keys/1.pem", both);
    g_autofree char *two = smime_write_secret(&fixture.smime, "keys/2.pem", both);
    g_autofree char *folder = g_path_get_dirname(one);

    open_with(&fixture, folder, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) keys = signers(&fixture, "alice@example.org");
    g_assert_cmpuint(keys->len, ==, 2);
}

/* Of our own: the signer that ends first and the one that takes its place, the CA that goes along,
 * and the anchor, which a file names. */
static void test_own(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autoptr(GError) error = NULL;
    g_autofree char *trouble = NULL;
    const CertSpec soon = {.name = "Alice", .email = "alice@example.org", .until_days = 10};
    g_autoptr(X509) ending = pki_cert(&soon, fixture.key, fixture.ca, pki_key("RSA"));
    g_autoptr(X509) root = pki_ca("Root of others", NULL);
    g_autoptr(GBytes) all = pki_bundle(fixture.key, ending, fixture.cert, fixture.ca, NULL);
    g_autoptr(GBytes) anchor = pki_pem(root);
    g_autofree char *keys = smime_write_secret(&fixture.smime, "keys.pem", all);
    g_autofree char *ca = smime_write(&fixture.smime, "root.pem", anchor);
    /* Another file has the CA along, too: it is one. */
    g_autoptr(GBytes) again = pki_pem(fixture.ca);
    g_autofree char *more = smime_write_secret(&fixture.smime, "more.pem", again);
    g_autofree char *lines =
        g_strdup_printf("server_keys=%s;%s\ntrust_anchors=%s\n", keys, more, ca);
    g_auto(SealLooking) looking = {0};
    g_autoptr(GPtrArray) endings = NULL;
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    smime_open_with(&fixture.smime, lines, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) own = seal_dispatcher_own_endings(fixture.smime.dispatcher, &trouble);
    g_assert_null(trouble);
    guint counts[SEAL_ENDING_RECIPIENT + 1] = {0};
    for (guint i = 0; i < own->len; i++)
        counts[((SealEnding *)g_ptr_array_index(own, i))->what]++;
    g_assert_cmpuint(counts[SEAL_ENDING_SIGNER], ==, 2);
    g_assert_cmpuint(counts[SEAL_ENDING_CHAIN], ==, 1);
    g_assert_cmpuint(counts[SEAL_ENDING_ANCHOR], ==, 1);
    g_assert_cmpuint(own->len, ==, 4);

    seal_dispatcher_list_endings(fixture.smime.dispatcher, now + 30 * 86400, &looking, &endings,
                                 &trouble, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(endings->len, ==, 1);
    const SealEnding *first = g_ptr_array_index(endings, 0);
    g_assert_cmpint(first->what, ==, SEAL_ENDING_SIGNER);
    g_assert_cmpint(first->until, <, now + 11 * 86400);
    g_assert_nonnull(strstr(first->text, "Alice"));
    g_assert_nonnull(first->successor);
    g_assert_cmpint(seal_key_valid_until(first->successor), >, now + 300 * 86400);
}

static void test_refused_pem(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA");
    g_autoptr(GBytes) cert = pki_pem(fixture.cert);
    g_autofree char *wrong_key = NULL;
    g_autoptr(GBytes) mismatch = pki_bundle(pki_key("RSA"), fixture.cert, NULL);
    g_autofree char *text = NULL;
    gsize size;

    assert_refused(&fixture, fixture.key_path, NULL, fixture.key_path, "without its certificate");
    /* The wrong key for the certificate. */
    wrong_key = smime_write_secret(&fixture.smime, "wrong.pem", mismatch);
    assert_refused(&fixture, wrong_key, NULL, wrong_key, "without its certificate");
    g_assert_cmpint(g_chmod(fixture.pem_path, 0644), ==, 0);
    assert_refused(&fixture, fixture.pem_path, NULL, fixture.pem_path, "others can read");
    g_assert_cmpint(g_chmod(fixture.pem_path, 0640), ==, 0);
    assert_opens(&fixture, fixture.pem_path, NULL);

    /* Cut in the middle of the key, and other damage. */
    g_assert_true(g_file_get_contents(fixture.pem_path, &text, &size, NULL));
    g_autoptr(GBytes) cut = g_bytes_new(text, 600);
    g_autofree char *cut_path = smime_write_secret(&fixture.smime, "cut.pem", cut);
    assert_refused(&fixture, cut_path, NULL, cut_path, "broken");
    memset(text + 30, 'A', 50);
    g_autoptr(GBytes) damaged = g_bytes_new(text, size);
    g_autofree char *damaged_path = smime_write_secret(&fixture.smime, "damaged.pem", damaged);
    assert_refused(&fixture, damaged_path, NULL, damaged_path, "cannot be read");

    static const char ssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
                              "-----END OPENSSH PRIVATE KEY-----\n";
    g_autoptr(GBytes) other = g_bytes_new(ssh, strlen(ssh));
    g_autofree char *ssh_path = smime_write_secret(&fixture.smime, "id_ed25519", other);
    assert_refused(&fixture, ssh_path, NULL, ssh_path, "openssl pkcs8");

    g_autoptr(GBytes) nothing = g_bytes_new("nothing", 7);
    g_autofree char *named = smime_write_secret(&fixture.smime, "nothing", nothing);
    assert_refused(&fixture, named, NULL, named, "neither a private key");
    g_autofree char *in_folder = smime_write_secret(&fixture.smime, "folder/x.P12", nothing);
    g_autofree char *folder = g_path_get_dirname(in_folder);
    assert_refused(&fixture, folder, NULL, in_folder, "neither a private key");
    g_autofree char *missing = g_build_filename(fixture.smime.dir, "missing", NULL);
    assert_refused(&fixture, missing, NULL, missing, "No such file");
}

/* What cannot be read is no key that is not there. */
static void test_unreadable(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA");
    g_autofree char *folder = g_build_filename(fixture.smime.dir, "keys", NULL);
    g_autofree char *link = g_build_filename(folder, "gone.pem", NULL);
    g_autofree char *pipe = g_build_filename(fixture.smime.dir, "pipe", NULL);
    g_autoptr(GString) large = g_string_new(NULL);

    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_assert_cmpint(symlink("/nonexistent", link), ==, 0);
    assert_refused(&fixture, folder, NULL, link, "No such file");
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    assert_refused(&fixture, pipe, NULL, pipe, "not a regular file");
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(fixture.pem_path, &text, NULL, NULL));
    g_string_append(large, text);
    while (large->len < 70000)
        g_string_append(large, "a line of text\n");
    g_autoptr(GBytes) bytes = g_bytes_new(large->str, large->len);
    g_autofree char *path = smime_write_secret(&fixture.smime, "large.pem", bytes);
    assert_refused(&fixture, path, NULL, path, "larger than 64 KiB");
}

/* -------------------------------------------------------------------------------------------
 * PKCS#12
 */

/* Runs `openssl pkcs12 -export` with @password and more words. (transfer full) */
static char *export(Fixture *fixture, const char *name, const char *password, ...)
{
    g_autofree char *pass = g_strconcat("pass:", password, NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    char *out = g_build_filename(fixture->smime.dir, name, NULL);
    const char *words[] = {"openssl", "pkcs12", "-export",  "-in", fixture->pem_path,
                           "-out",    out,      "-passout", pass};
    va_list args;

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        g_ptr_array_add(argv, (gpointer)words[i]);
    va_start(args, password);
    for (gpointer word; (word = va_arg(args, gpointer));)
        g_ptr_array_add(argv, word);
    va_end(args);
    g_ptr_array_add(argv, NULL);
    g_assert_true(command_succeeds((const char *const *)argv->pdata));
    g_assert_cmpint(g_chmod(out, 0600), ==, 0);
    return out;
}

static void check_pkcs12(const char *kind)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, kind);
    g_autofree char *modern = export(&fixture, "modern.p12", "secret", NULL);
    g_autofree char *des = export(&fixture, "3des.p12", "secret", "-keypbe", "PBE-SHA1-3DES",
                                  "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", NULL);
    g_autofree char *legacy = export(&fixture, "rc2.p12", "secret", "-legacy", NULL);
    g_autofree char *rc2_key =
        export(&fixture, "rc2-key.p12", "secret", "-legacy", "-keypbe", "PBE-SHA1-RC2-40", NULL);
    g_autofree char *no_mac = export(&fixture, "no-mac.p12", "secret", "-nomac", NULL);
    g_autofree char *clear =
        export(&fixture, "clear.p12", "secret", "-keypbe", "NONE", "-certpbe", "NONE", NULL);
    const char *const paths[] = {modern, des, legacy, rc2_key, no_mac, clear};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        assert_opens(&fixture, paths[i], "secret");
        assert_refused(&fixture, paths[i], "wrong", paths[i], "does not open it");
        assert_refused(&fixture, paths[i], NULL, paths[i], "does not open it");
    }
}

static void test_pkcs12(void)
{
    check_pkcs12("RSA");
    check_pkcs12("P-384");
}

/* Each row: the octets given to openssl, and those in passphrase_file. */
static void test_passwords(void)
{
    static const struct {
        const char *made;
        const char *given;
    } rows[] = {
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"gr\xfc\xdf", "gr\xfc\xdf"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xfc\xdf"},
        {"gr\xfc\xdf", "gr\xc3\xbc\xc3\x9f"},
        {"gr\xc3\x83\xc2\xbc", "gr\xc3\xbc"},
        {"\xce\xba\xce\xbb\xce\xb5\xce\xb9\xce\xb4\xce\xaf",
         "\xce\xba\xce\xbb\xce\xb5\xce\xb9\xce\xb4\xce\xaf"},
        {" blanks ", " blanks "},
    };
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *modern = export(&fixture, "modern.p12", rows[i].made, NULL);
        g_autofree char *old = export(&fixture, "old.p12", rows[i].made, "-legacy", NULL);
        assert_opens(&fixture, modern, rows[i].given);
        assert_opens(&fixture, old, rows[i].given);
        assert_refused(&fixture, old, "gr\xc3\xb6\xc3\x9f", old, "does not open it");
    }
}

/* The empty passphrase is tried after another one. */
static void test_empty_password(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *modern = export(&fixture, "modern.p12", "", NULL);
    g_autofree char *old = export(&fixture, "old.p12", "", "-legacy", NULL);

    for (guint i = 0; i < 3; i++) {
        const char *given = i == 0 ? NULL : i == 1 ? "" : "for other files";
        assert_opens(&fixture, modern, given);
        assert_opens(&fixture, old, given);
    }
}

/* What would take for ever is not tried, and is not said to be a matter of the passphrase. */
static void test_iterations(void)
{
    static const guint8 few[] = {2, 3, 1, 0, 1}, many[] = {2, 3, 0x4c, 0x4b, 0x41};
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *made =
        convert(&fixture, "few.der", "pkcs8", fixture.key_path, "-topk8", "-outform", "DER",
                "-iter", "65537", "-passout", "pass:secret", NULL);
    g_autofree char *der = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(made, &der, &size, NULL));

    void *iterations = memmem(der, size, few, sizeof few);
    g_assert_nonnull(iterations);
    memcpy(iterations, many, sizeof many);
    g_autoptr(GBytes) bytes = g_bytes_new(der, size);
    g_autofree char *path = smime_write_secret(&fixture.smime, "many.der", bytes);
    assert_refused(&fixture, path, "secret", path, "at most 2500000 times");
}

/* RFC 9579: the count that a MAC of PBMAC1 takes stands within its parameters. */
static GBytes *with_pbmac1(const char *path, int iterations)
{
    g_autofree char *der = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &der, &size, NULL));
    const guint8 *at = (const guint8 *)der;
    PKCS12 *file = d2i_PKCS12(NULL, &at, (long)size);
    PBE2PARAM *parameters = PBE2PARAM_new();
    const X509_ALGOR *mac = NULL;
    guint8 *out = NULL;

    PKCS12_get0_mac(NULL, &mac, NULL, NULL, file);
    g_assert_nonnull(mac);
    X509_ALGOR_free(parameters->keyfunc);
    parameters->keyfunc = PKCS5_pbkdf2_set(iterations, NULL, 8, NID_hmacWithSHA256, 32);
    X509_ALGOR_set0(parameters->encryption, OBJ_nid2obj(NID_hmacWithSHA256), V_ASN1_NULL, NULL);
    ASN1_STRING *packed = ASN1_item_pack(parameters, ASN1_ITEM_rptr(PBE2PARAM), NULL);
    X509_ALGOR_set0((X509_ALGOR *)mac, OBJ_nid2obj(NID_pbmac1), V_ASN1_SEQUENCE, packed);
    int length = i2d_PKCS12(file, &out);
    g_assert_cmpint(length, >, 0);
    GBytes *bytes = g_bytes_new(out, (gsize)length);
    OPENSSL_free(out);
    PBE2PARAM_free(parameters);
    PKCS12_free(file);
    return bytes;
}

static void test_pbmac1_iterations(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *made = export(&fixture, "made.p12", "secret", NULL);

    for (int i = 0; i < 2; i++) {
        g_autoptr(GBytes) bytes = with_pbmac1(made, 2500000 + i);
        g_autofree char *path = smime_write_secret(&fixture.smime, "mac.p12", bytes);
        const char *why = KNOWS_PBMAC1 ? "does not open it" : "PBMAC1";

        assert_refused(&fixture, path, "secret", path, i > 0 ? "at most 2500000 times" : why);
    }
}

/* PEM that is called .p12, a PEM block of PKCS#12, text ahead, base64 alone. */
static void test_wrapped(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA");
    g_autofree char *path = export(&fixture, "a.p12", "secret", NULL);
    g_autofree char *pem = convert(&fixture, "pem.p12", "pkcs12", path, "-passin", "pass:secret",
                                   "-passout", "pass:secret", NULL);
    g_autofree char *der = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &der, &size, NULL));
    g_autofree char *base64 = g_base64_encode((guchar *)der, size);
    g_autoptr(GString) block = g_string_new("-----BEGIN PKCS12-----\n");
    g_autoptr(GString) text = g_string_new("Exported on Monday, 0 errors\n\n");

    for (gsize i = 0; i < strlen(base64); i += 64)
        g_string_append_printf(block, "%.64s\n", base64 + i);
    g_string_append(block, "-----END PKCS12-----\n");
    g_string_append_len(text, der, (gssize)size);
    g_autoptr(GBytes) block_bytes = g_bytes_new(block->str, block->len);
    g_autoptr(GBytes) text_bytes = g_bytes_new(text->str, text->len);
    g_autoptr(GBytes) base64_bytes = g_bytes_new(base64, strlen(base64));
    g_autofree char *block_path = smime_write_secret(&fixture.smime, "block.p12", block_bytes);
    g_autofree char *text_path = smime_write_secret(&fixture.smime, "text.p12", text_bytes);
    g_autofree char *base64_path = smime_write_secret(&fixture.smime, "base64.p12", base64_bytes);

    assert_opens(&fixture, pem, "secret");
    assert_opens(&fixture, block_path, "secret");
    assert_opens(&fixture, text_path, "secret");
    assert_opens(&fixture, base64_path, "secret");
}

/* A long chain of large certificates is not too large. */
static void test_long_chain(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "RSA4096");
    g_autoptr(GByteArray) all = g_byte_array_new();
    g_autofree char *first = NULL;
    gsize size;

    g_assert_true(g_file_get_contents(fixture.pem_path, &first, &size, NULL));
    g_byte_array_append(all, (guint8 *)first, (guint)size);
    for (int i = 0; i < 9; i++) {
        g_autofree char *name = g_strdup_printf("CA %d", i);
        CertSpec spec = {.name = name, .constraints = "critical,CA:TRUE"};
        g_autoptr(X509) cert = pki_cert(&spec, pki_key("RSA4096"), fixture.ca, pki_key("RSA4096"));
        g_autoptr(GBytes) pem = pki_pem(cert);
        g_byte_array_append(all, g_bytes_get_data(pem, NULL), (guint)g_bytes_get_size(pem));
    }
    g_autoptr(GBytes) bytes = g_bytes_new(all->data, all->len);
    g_free(fixture.pem_path);
    fixture.pem_path = smime_write_secret(&fixture.smime, "chain.pem", bytes);
    g_autofree char *path = export(&fixture, "chain.p12", "secret", NULL);
    assert_opens(&fixture, path, "secret");
    assert_opens(&fixture, fixture.pem_path, NULL);
}

static void test_damaged(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *path = export(&fixture, "a.p12", "secret", NULL);
    g_autofree char *der = NULL;
    gsize size;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    g_assert_true(g_file_get_contents(path, &der, &size, NULL));

    for (int i = 0; i < 60; i++) {
        g_autofree char *copy = g_memdup2(der, size);
        g_autoptr(GError) error = NULL;
        gsize length = i % 2 ? size : (gsize)g_rand_int_range(rand, 1, (gint32)size);

        /* Within the part that the MAC covers. */
        if (i % 2)
            copy[g_rand_int_range(rand, 60, (gint32)size - 120)] ^= 0x10;
        g_autoptr(GBytes) bytes = g_bytes_new(copy, length);
        g_autofree char *file = smime_write_secret(&fixture.smime, "damaged.p12", bytes);
        g_assert_false(open_with(&fixture, file, "secret", &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, file));
    }
}

/* -------------------------------------------------------------------------------------------
 * Files of others
 */

static void test_corpus(void)
{
    static const struct {
        const char *file;
        const char *passphrase;
        const char *why; /* NULL where it opens */
        gboolean pbmac1; /* RFC 9579; opens, or not, with OpenSSL 3.4 as @why says */
    } rows[] = {
        {"certs/v3-certs-RC2.p12", "v3-certs", NULL},
        {"certs/v3-certs-TDES.p12", "v3-certs", NULL},
        {"shibboleth.pfx",
         "\xcf\x83\xcf\x8d\xce\xbd\xce\xb8\xce\xb7\xce\xbc\xce\xb1 "
         "\xce\xb3\xce\xbd\xcf\x8e\xcf\x81\xce\xb9\xcf\x83\xce\xbc\xce\xb1",
         NULL},
        {"recipes/90-test_store_cases_data/test-BER.p12", "12345", NULL},
        {"recipes/90-test_store_cases_data/garbage-pkcs12.p12", "12345", "does not open it"},
        {"recipes/80-test_pkcs12_data/nomac_parse.p12", "password", "neither a private key"},
        {"recipes/80-test_pkcs12_data/pbmac1_256_256.good.p12", "1234", NULL, TRUE},
        {"recipes/80-test_pkcs12_data/pbmac1_512_512.good.p12", "1234", NULL, TRUE},
        {"recipes/80-test_pkcs12_data/pbmac1_256_256.bad-iter.p12", "1234", "does not open it",
         TRUE},
        {"recipes/80-test_pkcs12_data/pbmac1_256_256.very-big-len.p12", "1234", "does not open it",
         TRUE},
    };
    const char *corpus = g_getenv("SEALPIPE_TEST_CORPUS");
    guint absent = 0;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path =
            g_build_filename(corpus ? corpus : "", "keystores", "openssl-p12", rows[i].file, NULL);
        g_autofree char *data = NULL;
        gsize size;
        g_auto(Fixture) fixture = {0};
        g_autoptr(GError) error = NULL;

        if (!g_file_get_contents(path, &data, &size, NULL)) {
            absent++;
            continue;
        }
        smime_prepare(&fixture.smime);
        g_autoptr(GBytes) bytes = g_bytes_new(data, size);
        g_autofree char *copy = smime_write_secret(&fixture.smime, "file.p12", bytes);
        open_with(&fixture, copy, rows[i].passphrase, &error);
        g_test_message("%s: %s", rows[i].file, error ? error->message : "opens");
        const char *why = rows[i].pbmac1 && !KNOWS_PBMAC1 ? "PBMAC1" : rows[i].why;
        if (why) {
            g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
            g_assert_nonnull(strstr(error->message, why));
        } else {
            g_assert_no_error(error);
        }
    }
    if (absent > 0) {
        g_autofree char *why = g_strdup_printf("%u files are not at hand", absent);
        g_test_skip(why);
    }
}

/* -------------------------------------------------------------------------------------------
 * Settings
 */

static void test_passphrase_file(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *path = export(&fixture, "a.p12", "secret", NULL);
    g_autofree char *lines = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) open = g_bytes_new("secret\n", 7);
    g_autoptr(GBytes) nul = g_bytes_new("sec\0ret\n", 8);
    g_autofree char *file = smime_write(&fixture.smime, "open", open);

    lines = g_strdup_printf("server_keys=%s\npassphrase_file=%s\n", path, file);
    g_assert_false(smime_open_with(&fixture.smime, lines, NULL, &error));
    g_assert_nonnull(strstr(error->message, "others can read"));
    g_clear_error(&error);
    g_free(smime_write_secret(&fixture.smime, "open", nul));
    g_assert_false(smime_open_with(&fixture.smime, lines, NULL, &error));
    g_assert_nonnull(strstr(error->message, "NUL"));
    g_assert_null(strstr(error->message, "ret"));
}

/* An empty folder is no error: keys may come. */
static void test_no_keys(void)
{
    g_auto(Fixture) fixture = {0};
    fixture_open(&fixture, "P-256");
    g_autofree char *folder = g_build_filename(fixture.smime.dir, "keys", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    open_with(&fixture, folder, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(smime_logged(&fixture.smime, "there is no private key in "));
    g_autoptr(GPtrArray) keys = signers(&fixture, "alice@example.org");
    g_assert_cmpuint(keys->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smime/server-keys/pem", test_pem);
    g_test_add_func("/smime/server-keys/folder", test_folder);
    g_test_add_func("/smime/server-keys/renewed", test_renewed);
    g_test_add_func("/smime/server-keys/own", test_own);
    g_test_add_func("/smime/server-keys/refused-pem", test_refused_pem);
    g_test_add_func("/smime/server-keys/unreadable", test_unreadable);
    g_test_add_func("/smime/server-keys/pkcs12", test_pkcs12);
    g_test_add_func("/smime/server-keys/passwords", test_passwords);
    g_test_add_func("/smime/server-keys/empty-password", test_empty_password);
    g_test_add_func("/smime/server-keys/iterations", test_iterations);
    g_test_add_func("/smime/server-keys/pbmac1-iterations", test_pbmac1_iterations);
    g_test_add_func("/smime/server-keys/wrapped", test_wrapped);
    g_test_add_func("/smime/server-keys/long-chain", test_long_chain);
    g_test_add_func("/smime/server-keys/damaged", test_damaged);
    g_test_add_func("/smime/server-keys/corpus", test_corpus);
    g_test_add_func("/smime/server-keys/passphrase-file", test_passphrase_file);
    g_test_add_func("/smime/server-keys/no-keys", test_no_keys);
    return g_test_run();
}
