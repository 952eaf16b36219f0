/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-file.c: the key source `file`, with certificates as its keys.
 */
#include "test-smime-pki.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens keys-file over @paths, with more lines for its group. */
static const SealSource *open_source(Smime *smime, const char *paths, const char *lines,
                                     SealModule **module)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *group =
        g_strdup_printf("[module keys-file]\npaths=%s\n%s\n", paths, lines ? lines : "");

    g_assert_true(smime_open_with(smime, NULL, group, &error));
    g_assert_no_error(error);
    const SealSource *source = seal_dispatcher_source(smime->dispatcher, "file", module);
    g_assert_nonnull(source);
    return source;
}

static GPtrArray *lookup(const SealSource *source, SealModule *module, const char *address,
                         const char *format, SealTrust trust, GError **error)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    g_autofree char *doubt = NULL;

    g_assert_nonnull(parsed);
    if (!source->lookup(module, parsed, format, trust, NULL, keys, &doubt, error))
        return NULL;
    return g_steal_pointer(&keys);
}

/* What is said to be in doubt about an address that nobody has; NULL for nothing. */
static char *doubt_of(const SealSource *source, SealModule *module, const char *format)
{
    g_autoptr(SealAddress) nobody = seal_address_parse("nobody@example.org", NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;
    char *doubt = NULL;

    g_assert_true(
        source->lookup(module, nobody, format, SEAL_TRUST_VERIFIED, NULL, keys, &doubt, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 0);
    return doubt;
}

static guint count(const SealSource *source, SealModule *module, const char *address)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys =
        lookup(source, module, address, "smime", SEAL_TRUST_VERIFIED, &error);

    g_assert_no_error(error);
    return keys->len;
}

static char *write_person(Smime *smime, const char *file, const char *address, X509 *ca)
{
    g_autoptr(X509) cert = pki_person(address, "P-256", NULL, ca);
    g_autoptr(GBytes) pem = pki_pem(cert);

    return smime_write(smime, file, pem);
}

static void write_text(Smime *smime, const char *file, const char *text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    g_free(smime_write(smime, file, bytes));
}

static void test_folder(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    g_free(write_person(&smime, "keys/a.pem", "Alice@Example.org", ca));
    g_free(write_person(&smime, "keys/b.pem", "alice@example.org", ca));
    g_free(write_person(&smime, "keys/c.pem", "bob@example.org", ca));
    g_free(write_person(&smime, "keys/.hidden.pem", "carol@example.org", ca));
    g_free(write_person(&smime, "keys/below/d.pem", "dave@example.org", ca));
    const SealSource *source = open_source(&smime, folder, NULL, &module);

    g_assert_cmpint(source->trust, ==, SEAL_TRUST_VERIFIED);
    g_assert_false(source->may_skip);
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 2);
    g_assert_cmpuint(count(source, module, "ALICE@EXAMPLE.ORG"), ==, 2);
    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 1);
    g_assert_cmpuint(count(source, module, "carol@example.org"), ==, 0);
    g_assert_cmpuint(count(source, module, "dave@example.org"), ==, 0);
    /* Taking the subaddress off is core's. */
    g_assert_cmpuint(count(source, module, "alice+list@example.org"), ==, 0);

    g_autoptr(GPtrArray) keys =
        lookup(source, module, "bob@example.org", "smime", SEAL_TRUST_VERIFIED, NULL);
    g_autofree char *place = g_build_filename(folder, "c.pem", NULL);
    g_assert_cmpstr(seal_key_source(g_ptr_array_index(keys, 0)), ==, "file");
    g_assert_cmpstr(seal_key_place(g_ptr_array_index(keys, 0)), ==, place);
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_VERIFIED);
}

/* One for all of a domain, in the forms that are looked through and in one that is read at once. */
static void test_domain(void)
{
    CertSpec spec = {.name = "gate", .san = "DNS:example.org", .ext_usage = "emailProtection"};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_cert(&spec, pki_key("P-256"), ca, pki_key("RSA"));
    g_autoptr(GBytes) pem = pki_pem(cert);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autofree char *bare = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
    g_auto(Smime) smime = {0};
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    g_free(smime_write(&smime, "keys/gate.pem", pem));
    g_free(smime_write(&smime, "keys/gate.der", der));
    write_text(&smime, "keys/gate.txt", bare);
    g_free(write_person(&smime, "keys/a.pem", "alice@example.org", ca));
    const SealSource *source = open_source(&smime, folder, NULL, &module);

    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 4);
    g_assert_cmpuint(count(source, module, "bob@Example.ORG"), ==, 3);
    g_assert_cmpuint(count(source, module, "bob@sub.example.org"), ==, 0);
    g_assert_cmpuint(count(source, module, "bob@example.com"), ==, 0);
}

static void test_format(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GError) error = NULL;
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "a.pem", "alice@example.org", ca);
    const SealSource *source = open_source(&smime, path, NULL, &module);
    g_autoptr(GPtrArray) keys =
        lookup(source, module, "alice@example.org", "pgp", SEAL_TRUST_VERIFIED, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 0);
}

static void test_trust(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GError) error = NULL;
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "a.pem", "alice@example.org", ca);
    const SealSource *source = open_source(&smime, path, "trust=manual", &module);
    g_autoptr(GPtrArray) keys =
        lookup(source, module, "alice@example.org", "smime", SEAL_TRUST_MANUAL, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_MANUAL);
    /* No key is handed out under another trust than it was read with. */
    g_assert_null(
        lookup(source, module, "alice@example.org", "smime", SEAL_TRUST_VERIFIED, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_FAILED);
}

/* One broken file hides no other; it is named, and in doubt is whom it may concern. */
static void test_broken(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    write_text(&smime, "keys/0.pem",
               "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write_text(&smime, "keys/README", "keys of the others\n");
    g_free(write_person(&smime, "keys/a.pem", "alice@example.org", ca));
    const SealSource *source = open_source(&smime, folder, NULL, &module);

    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_assert_true(smime_logged(&smime, "keys/0.pem"));
    g_assert_true(smime_logged(&smime, "README"));
    g_autofree char *doubt = doubt_of(source, module, "smime");
    g_assert_nonnull(strstr(doubt, "keys/0.pem"));
    g_assert_null(strstr(doubt, "README"));
    g_assert_null(doubt_of(source, module, "pgp"));
}

static GBytes *in_utf16(const char *text, gsize length, gboolean mark, gboolean big)
{
    GByteArray *octets = g_byte_array_new();

    for (gssize i = mark ? -1 : 0; i < (gssize)length; i++) {
        guint16 unit = i < 0 ? 0xfeff : (guint8)text[i];
        const guint8 pair[] = {(guint8)(big ? unit >> 8 : unit), (guint8)(big ? unit : unit >> 8)};
        g_byte_array_append(octets, pair, 2);
    }
    return g_byte_array_free_to_bytes(octets);
}

/* A certificate however an editor, a mail program or a hasty hand has left it. */
static void test_spellings(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) pem = pki_pem(cert);
    SealModule *module;
    gsize length = 0;
    const char *data = g_bytes_get_data(pem, &length);
    g_autofree char *text = g_strndup(data, length);
    g_autofree char *body = g_strndup(strchr(text, '\n') + 1,
                                      (gsize)(strstr(text, "-----END") - strchr(text, '\n') - 1));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *dos = g_strjoinv("\r\n", lines);
    g_autofree char *mac = g_strjoinv("\r", lines);
    g_autofree char *indented = g_strjoinv("\n    ", lines);
    g_autofree char *quoted = g_strjoinv("\n> ", lines);
    g_autofree char *marked = g_strconcat("\xef\xbb\xbf", text, NULL);
    g_autofree char *blanks = g_strconcat("\n  \n", body, "\n", NULL);
    g_autofree char *half = g_strndup(text, length / 2);
    g_autofree char *half_body = g_strndup(body, strlen(body) / 2 / 4 * 4);
    g_autofree char *uneven = g_strndup(body, strlen(body) / 2 / 4 * 4 + 1);
    const struct {
        GBytes *octets;
        const char *text;
        gboolean reads;
    } rows[] = {
        {.text = dos, .reads = TRUE},
        {.text = mac, .reads = TRUE},
        {.text = indented, .reads = TRUE},
        {.text = marked, .reads = TRUE},
        {.text = body, .reads = TRUE},
        {.text = blanks, .reads = TRUE},
        {in_utf16(text, length, TRUE, FALSE), NULL, TRUE},
        {in_utf16(text, length, TRUE, TRUE), NULL, TRUE},
        {in_utf16(text, length, FALSE, FALSE), NULL, TRUE},
        {in_utf16(body, strlen(body), TRUE, FALSE), NULL, TRUE},
        {.text = quoted},
        {.text = half},
        {.text = half_body},
        {.text = uneven},
        {.text = strchr(text, '\n')},
        {.text = ""},
        {.text = " \n\n"},
        {in_utf16(text, length / 2, TRUE, FALSE), NULL, FALSE},
    };
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GBytes *octets =
            rows[i].octets ? rows[i].octets : g_bytes_new(rows[i].text, strlen(rows[i].text));

        g_test_message("row %u", i);
        g_free(smime_write(&smime, "keys/a.pem", octets));
        g_bytes_unref(octets);
        const SealSource *source = open_source(&smime, folder, NULL, &module);
        g_autofree char *doubt = doubt_of(source, module, "smime");
        g_assert_cmpuint(count(source, module, "alice@example.org"), ==, rows[i].reads ? 1 : 0);
        g_assert_cmpint(doubt != NULL, ==, !rows[i].reads);
        g_assert_true(rows[i].reads || strstr(doubt, "keys/a.pem"));
        g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
    }
}

/* Of two in one file, the whole one counts, and the other is in doubt. In DER as in PEM. */
static void test_second_cut(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) alice = pki_person("alice@example.org", "P-256", NULL, ca);
    g_autoptr(X509) bob = pki_person("bob@example.org", "P-256", NULL, ca);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    for (guint der = 0; der < 2; der++) {
        g_autoptr(GBytes) one = der ? pki_der(alice) : pki_pem(alice);
        g_autoptr(GBytes) other = der ? pki_der(bob) : pki_pem(bob);
        GByteArray *both = g_byte_array_new();
        g_byte_array_append(both, g_bytes_get_data(one, NULL), (guint)g_bytes_get_size(one));
        g_byte_array_append(both, g_bytes_get_data(other, NULL),
                            (guint)g_bytes_get_size(other) / 2);
        g_autoptr(GBytes) octets = g_byte_array_free_to_bytes(both);

        g_free(smime_write(&smime, "keys/both.pem", octets));
        const SealSource *source = open_source(&smime, folder, NULL, &module);
        g_autofree char *doubt = doubt_of(source, module, "smime");
        g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
        g_assert_nonnull(doubt);
        g_assert_nonnull(strstr(doubt, "both.pem"));
        g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
    }
}

/* Whom a certificate leaves out that names too many nobody could tell. */
static void test_many_addresses(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);

    for (guint most = 10000; most <= 10001; most++) {
        g_autoptr(GString) names = g_string_new("email:alice@example.org");
        for (guint i = 1; i < most; i++)
            g_string_append_printf(names, ",email:u%u@example.org", i);
        const CertSpec spec = {.name = "many", .san = names->str};
        g_autoptr(X509) cert = pki_cert(&spec, pki_key("P-256"), ca, pki_key("RSA"));
        g_autoptr(GBytes) pem = pki_pem(cert);

        g_free(smime_write(&smime, "keys/many.pem", pem));
        const SealSource *source = open_source(&smime, folder, NULL, &module);
        g_autofree char *doubt = doubt_of(source, module, "smime");
        g_assert_cmpuint(count(source, module, "u9999@example.org"), ==, most == 10000 ? 1 : 0);
        g_assert_cmpint(doubt != NULL, ==, most == 10001);
        g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
    }
}

/* Where nobody could look, a key may be; that hides no other, and nothing waits for it for ever. */
static void test_no_file(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);
    g_autofree char *gone = g_build_filename(folder, "0-gone.pem", NULL);
    g_autofree char *round = g_build_filename(folder, "1-round.pem", NULL);
    g_autofree char *fifo = g_build_filename(folder, "2-fifo.pem", NULL);
    g_autofree char *large = g_build_filename(folder, "3-large.pem", NULL);
    const char *const paths[] = {gone, round, fifo, large};

    g_free(write_person(&smime, "keys/a.pem", "alice@example.org", ca));
    g_assert_cmpint(symlink("/nonexistent/key.pem", gone), ==, 0);
    g_assert_cmpint(symlink("1-round.pem", round), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    write_text(&smime, "keys/3-large.pem", "x");
    g_assert_cmpint(truncate(large, 200 * 1024 * 1024), ==, 0);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_autofree char *doubt = doubt_of(source, module, "smime");
    g_autofree char *other = doubt_of(source, module, "pgp");
    g_assert_cmpstr(doubt, ==, other);
    g_assert_nonnull(strstr(doubt, "and 1 more"));
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_assert_true(smime_logged(&smime, paths[i]));
        g_assert_true(i == 3 || strstr(doubt, paths[i]));
    }
}

static void assert_unavailable(Smime *smime, const char *paths, const char *named)
{
    SealModule *module;
    g_autoptr(GError) error = NULL;
    const SealSource *source = open_source(smime, paths, NULL, &module);

    g_assert_null(lookup(source, module, "a@example.org", "smime", SEAL_TRUST_VERIFIED, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, named));
    g_clear_pointer(&smime->dispatcher, seal_dispatcher_free);
}

/* What the setting names itself is there to be read: no lookup may say that there is none. */
static void test_named(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *alice = write_person(&smime, "a.pem", "alice@example.org", ca);
    g_autofree char *empty = g_build_filename(smime.dir, "empty.pem", NULL);
    g_autofree char *both = g_strdup_printf("%s;%s", empty, alice);

    write_text(&smime, "empty.pem", "\n");
    assert_unavailable(&smime, empty, empty);
    assert_unavailable(&smime, both, empty);
    const SealSource *source = open_source(&smime, both, NULL, &module);
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
}

static void test_no_permission(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;

    if (geteuid() == 0) {
        g_test_skip("root can read everything");
        return;
    }
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(path);
    g_assert_cmpint(g_chmod(path, 0), ==, 0);
    assert_unavailable(&smime, path, path);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    g_autofree char *doubt = doubt_of(source, module, "smime");
    g_assert_nonnull(strstr(doubt, path));
    g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
    g_assert_cmpint(g_chmod(folder, 0), ==, 0);
    assert_unavailable(&smime, folder, folder);
    g_assert_cmpint(g_chmod(folder, 0700), ==, 0);
}

/* A CA that stands among the keys fills the gap below a root. */
static void test_intermediate(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) root = pki_ca("Root", NULL);
    CertSpec spec = {.name = "Middle", .constraints = "CA:TRUE", .usage = "keyCertSign"};
    g_autoptr(X509) middle = pki_cert(&spec, pki_key("P-256"), root, pki_key("RSA"));
    CertSpec person = {.name = "alice", .san = "email:alice@example.org"};
    g_autoptr(X509) cert = pki_cert(&person, pki_other_key("RSA"), middle, pki_key("P-256"));
    g_autoptr(GBytes) root_pem = pki_pem(root);
    g_autoptr(GBytes) middle_pem = pki_pem(middle);
    g_autoptr(GBytes) cert_pem = pki_pem(cert);
    g_autoptr(GError) error = NULL;
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *anchor = smime_write(&smime, "root.pem", root_pem);
    g_autofree char *path = smime_write(&smime, "keys/z-ca.pem", middle_pem);
    g_autofree char *folder = g_path_get_dirname(path);
    g_free(smime_write(&smime, "keys/alice.pem", cert_pem));
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s\n", anchor);
    g_autofree char *group = g_strdup_printf("[module keys-file]\npaths=%s\n", folder);

    g_assert_true(smime_open_with(&smime, settings, group, &error));
    const SealSource *source = seal_dispatcher_source(smime.dispatcher, "file", &module);
    g_autoptr(GPtrArray) keys =
        lookup(source, module, "alice@example.org", "smime", SEAL_TRUST_VERIFIED, &error);
    g_assert_cmpuint(keys->len, ==, 1);
    g_autofree char *code = smime_judge(&smime, g_ptr_array_index(keys, 0), SEAL_PURPOSE_ENCRYPT,
                                        g_get_real_time() / G_USEC_PER_SEC, NULL);
    g_assert_cmpstr(code, ==, "usable");
}

/* Writes a certificate of alice's that began that many days ago. (transfer full) */
static X509 *write_alice(Smime *smime, const char *file, int days_ago, int until, X509 *ca)
{
    const CertSpec spec = {.name = "alice",
                           .san = "email:alice@example.org",
                           .usage = "critical,keyAgreement",
                           .ext_usage = "emailProtection",
                           .constraints = "critical,CA:FALSE",
                           .from_days = -days_ago,
                           .until_days = until};
    X509 *cert = pki_cert(&spec, pki_key("P-256"), ca, pki_key("RSA"));
    g_autoptr(GBytes) pem = pki_pem(cert);

    g_free(smime_write(smime, file, pem));
    return cert;
}

/* The age in days of each certificate that a message is sealed to. */
static char *sealed_to(Smime *smime)
{
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC, day = 24 * 60 * 60;
    g_autoptr(GString) ages = g_string_new(NULL);
    static const char *const recipients[] = {"alice@example.org", NULL};
    static const char text[] = "From: bob@example.org\nTo: alice@example.org\n\nx\n";
    g_autoptr(SealContent) content = seal_content_new_copy(text, sizeof text - 1);
    const SealJobSpec spec = {.recipients = recipients, .message = content, .one_output = TRUE};
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    g_assert_true(seal_dispatcher_run(smime->dispatcher, job, NULL, NULL));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 1);
    GPtrArray *keys = seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0));
    for (guint i = 0; i < keys->len; i++) {
        gint64 from = seal_key_valid_from(g_ptr_array_index(keys, i));

        g_string_append_printf(ages, "%" G_GINT64_FORMAT " ", (now - from + day / 2) / day);
    }
    return g_strdup(ages->str);
}

/* Those that can be used, wherever they stand among the others: all, or the newest. */
static void test_newest(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) anchor = pki_pem(ca);

    smime_prepare(&smime);
    g_autofree char *anchor_path = smime_write(&smime, "anchor.pem", anchor);
    g_autoptr(X509) old = write_alice(&smime, "keys/a.pem", 30, 365, ca);
    g_autoptr(X509) newest = write_alice(&smime, "keys/b.pem", 3, 365, ca);
    g_autoptr(X509) middle = write_alice(&smime, "keys/c.pem", 10, 365, ca);
    /* Newer, and over. */
    g_autoptr(X509) expired = write_alice(&smime, "keys/d.pem", 2, -1, ca);
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s", anchor_path);
    for (guint i = 0; i < 2; i++) {
        g_autofree char *group =
            g_strdup_printf("[module keys-file]\npaths=%s/keys\n[policy]\nkeys_per_recipient=%s\n",
                            smime.dir, i == 0 ? "all" : "newest");
        g_clear_pointer(&smime.dispatcher, seal_dispatcher_free);
        g_assert_true(smime_open_with(&smime, settings, group, &error));
        g_assert_no_error(error);
        g_autofree char *ages = sealed_to(&smime);
        g_assert_cmpstr(ages, ==, i == 0 ? "3 10 30 " : "3 ");
    }
}

/* -------------------------------------------------------------------------------------------
 * While the process runs
 */

/* How many keys there are for the address, once there are as many as that. */
static void wait_for_keys(const SealSource *source, SealModule *module, const char *address,
                          guint wanted)
{
    gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    guint found = G_MAXUINT;

    while (found != wanted && g_get_monotonic_time() < end) {
        g_autoptr(GPtrArray) keys =
            lookup(source, module, address, "smime", SEAL_TRUST_VERIFIED, NULL);

        found = keys ? keys->len : G_MAXUINT;
        if (found != wanted)
            g_usleep(10000);
    }
    g_assert_cmpuint(found, ==, wanted);
}

static guint64 changes_of(const SealSource *source, SealModule *module, const char *address)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);

    return source->changes(module, parsed, "smime");
}

static void test_added_and_removed(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *alice = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(alice);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    guint64 first = changes_of(source, module, "alice@example.org");

    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 0);
    g_assert_cmpuint(changes_of(source, module, "alice@example.org"), ==, first);
    g_autofree char *bob = write_person(&smime, "keys/b.pem", "bob@example.org", ca);
    wait_for_keys(source, module, "bob@example.org", 1);
    guint64 second = changes_of(source, module, "alice@example.org");
    g_assert_cmpuint(second, >, first);
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    /* Another one for her beside the first. */
    g_autofree char *other = write_person(&smime, "keys/0.pem", "alice@example.org", ca);
    wait_for_keys(source, module, "alice@example.org", 2);
    g_unlink(alice);
    g_unlink(bob);
    wait_for_keys(source, module, "alice@example.org", 1);
    wait_for_keys(source, module, "bob@example.org", 0);
    g_assert_cmpuint(changes_of(source, module, "alice@example.org"), >, second);
}

/* What a file that is used has become counts at once. */
static void test_replaced(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(path);
    const SealSource *source = open_source(&smime, folder, NULL, &module);

    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_free(write_person(&smime, "keys/a.pem", "bob@example.org", ca));
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 0);
    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 1);
    g_unlink(path);
    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 0);
}

/* In place, so that the folder does not show it, and beside what is there already. */
static void test_appended(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(X509) bob = pki_person("bob@example.org", "P-256", NULL, ca);
    g_autoptr(GBytes) pem = pki_pem(bob);
    gsize size = 0;
    const char *octets = g_bytes_get_data(pem, &size);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "keys/all.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(path);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    FILE *file = fopen(path, "a");

    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 0);
    g_assert_cmpuint(fwrite(octets, 1, size / 2, file), ==, size / 2);
    fflush(file);
    /* Half of it is what may hold one. */
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_autofree char *doubt = doubt_of(source, module, "smime");
    g_assert_nonnull(doubt);
    g_assert_cmpuint(fwrite(octets + size / 2, 1, size - size / 2, file), ==, size - size / 2);
    fclose(file);
    wait_for_keys(source, module, "bob@example.org", 1);
    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_assert_null(doubt_of(source, module, "smime"));
}

static void test_folder_gone(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *elsewhere = g_strconcat(folder, ".away", NULL);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(count(source, module, "alice@example.org"), ==, 1);
    g_assert_cmpint(g_rename(folder, elsewhere), ==, 0);
    /* Not "no key". */
    g_assert_null(
        lookup(source, module, "alice@example.org", "smime", SEAL_TRUST_VERIFIED, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_cmpint(g_rename(elsewhere, folder), ==, 0);
    wait_for_keys(source, module, "alice@example.org", 1);
    /* Not mounted, it is an empty one. */
    g_assert_cmpint(g_rename(folder, elsewhere), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    wait_for_keys(source, module, "alice@example.org", 0);
    g_autofree char *lack = source->lack(module);
    g_assert_nonnull(strstr(lack, "mounted"));
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_assert_cmpint(g_rename(elsewhere, folder), ==, 0);
    wait_for_keys(source, module, "alice@example.org", 1);
}

/* A file that others can write is not believed, and its owner's mail waits. */
static void test_writable(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    SealModule *module;
    smime_prepare(&smime);
    g_autofree char *alice = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_free(write_person(&smime, "keys/b.pem", "bob@example.org", ca));
    g_autofree char *folder = g_path_get_dirname(alice);
    const SealSource *source = open_source(&smime, folder, NULL, &module);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_chmod(alice, 0666), ==, 0);
    g_assert_null(
        lookup(source, module, "alice@example.org", "smime", SEAL_TRUST_VERIFIED, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, alice));
    g_assert_cmpuint(count(source, module, "bob@example.org"), ==, 1);
    g_assert_cmpint(g_chmod(alice, 0644), ==, 0);
    wait_for_keys(source, module, "alice@example.org", 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-file/domain", test_domain);
    g_test_add_func("/keys-file/folder", test_folder);
    g_test_add_func("/keys-file/format", test_format);
    g_test_add_func("/keys-file/trust", test_trust);
    g_test_add_func("/keys-file/broken", test_broken);
    g_test_add_func("/keys-file/spellings", test_spellings);
    g_test_add_func("/keys-file/second-cut", test_second_cut);
    g_test_add_func("/keys-file/many-addresses", test_many_addresses);
    g_test_add_func("/keys-file/no-file", test_no_file);
    g_test_add_func("/keys-file/named", test_named);
    g_test_add_func("/keys-file/no-permission", test_no_permission);
    g_test_add_func("/keys-file/intermediate", test_intermediate);
    g_test_add_func("/keys-file/newest", test_newest);
    g_test_add_func("/keys-file/changes/added-and-removed", test_added_and_removed);
    g_test_add_func("/keys-file/changes/replaced", test_replaced);
    g_test_add_func("/keys-file/changes/appended", test_appended);
    g_test_add_func("/keys-file/changes/folder-gone", test_folder_gone);
    g_test_add_func("/keys-file/changes/writable", test_writable);
    return g_test_run();
}
