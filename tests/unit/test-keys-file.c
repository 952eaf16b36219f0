/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-file.c: the key source `file`, with certificates as its keys.
 */
#include "test-smime-pki.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* Opens keys-file over @paths, with more lines for its group. */
static const SealSource *open_source(Smime *smime, const char *paths, const char *lines,
                                     SealModule **module)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *group =
        g_strdup_printf("[module keys-file]\npaths=%s\n%s\n", paths, lines ? lines : "");

    g_assert_true(smime_open(smime, NULL, group, &error));
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

    g_assert_nonnull(parsed);
    if (!source->lookup(module, parsed, format, trust, NULL, keys, error))
        return NULL;
    return g_steal_pointer(&keys);
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
    g_assert_false(smime_logged(&smime, "README"));
}

static void assert_unavailable(Smime *smime, const char *paths, const char *named)
{
    SealModule *module;
    g_autoptr(GError) error = NULL;
    const SealSource *source = open_source(smime, paths, NULL, &module);

    g_assert_null(lookup(source, module, "a@example.org", "smime", SEAL_TRUST_VERIFIED, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, named));
}

/* A key may be in what cannot be read: no lookup may say that there is none. */
static void test_unreadable(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    smime_prepare(&smime);
    g_autofree char *folder = g_build_filename(smime.dir, "keys", NULL);
    g_autofree char *link = g_build_filename(folder, "link.pem", NULL);

    g_free(write_person(&smime, "keys/a.pem", "alice@example.org", ca));
    g_assert_cmpint(symlink("/nonexistent/key.pem", link), ==, 0);
    assert_unavailable(&smime, folder, link);
}

static void test_no_permission(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);

    if (geteuid() == 0) {
        g_test_skip("root can read everything");
        return;
    }
    smime_prepare(&smime);
    g_autofree char *path = write_person(&smime, "keys/a.pem", "alice@example.org", ca);
    g_autofree char *folder = g_path_get_dirname(path);
    g_assert_cmpint(g_chmod(path, 0), ==, 0);
    assert_unavailable(&smime, folder, path);
    g_assert_cmpint(g_chmod(folder, 0), ==, 0);
    seal_dispatcher_free(g_steal_pointer(&smime.dispatcher));
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

    g_assert_true(smime_open(&smime, settings, group, &error));
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

/* Which certificate a message is sealed to. */
static gint64 sealed_to(Smime *smime)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    static const char text[] = "From: bob@example.org\nTo: alice@example.org\n\nx\n";
    g_autoptr(SealContent) content = seal_content_new_copy(text, sizeof text - 1);
    const SealJobSpec spec = {.recipients = recipients, .message = content, .one_output = TRUE};
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    g_assert_true(seal_dispatcher_run(smime->dispatcher, job, NULL, NULL));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 1);
    GPtrArray *keys = seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0));
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_valid_from(g_ptr_array_index(keys, 0));
}

/* The newest that can be used, wherever it stands among the others. */
static void test_newest(void)
{
    g_auto(Smime) smime = {0};
    g_autoptr(X509) ca = pki_ca("CA", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) anchor = pki_pem(ca);
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC, day = 24 * 60 * 60;

    smime_prepare(&smime);
    g_autofree char *anchor_path = smime_write(&smime, "anchor.pem", anchor);
    g_autoptr(X509) old = write_alice(&smime, "keys/a.pem", 30, 365, ca);
    g_autoptr(X509) newest = write_alice(&smime, "keys/b.pem", 3, 365, ca);
    g_autoptr(X509) middle = write_alice(&smime, "keys/c.pem", 10, 365, ca);
    /* Newer, and over. */
    g_autoptr(X509) expired = write_alice(&smime, "keys/d.pem", 2, -1, ca);
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s", anchor_path);
    g_autofree char *group = g_strdup_printf("[module keys-file]\npaths=%s/keys\n", smime.dir);
    g_assert_true(smime_open(&smime, settings, group, &error));
    g_assert_no_error(error);
    g_assert_cmpint(ABS(now - 3 * day - sealed_to(&smime)), <, day / 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-file/folder", test_folder);
    g_test_add_func("/keys-file/format", test_format);
    g_test_add_func("/keys-file/trust", test_trust);
    g_test_add_func("/keys-file/broken", test_broken);
    g_test_add_func("/keys-file/unreadable", test_unreadable);
    g_test_add_func("/keys-file/no-permission", test_no_permission);
    g_test_add_func("/keys-file/intermediate", test_intermediate);
    g_test_add_func("/keys-file/newest", test_newest);
    return g_test_run();
}
