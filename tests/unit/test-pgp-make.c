/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-make.c: what is encrypted and signed comes out again through gpg, byte for byte; and
 * whatever goes wrong on the way is an error.
 */
#include "test-pgp.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char ENTITY[] = "Content-Type: text/plain; charset=utf-8\n\nthe secret words\n";
static const char CANONICAL[] =
    "Content-Type: text/plain; charset=utf-8\r\n\r\nthe secret words\r\n";

static GPtrArray *keys_of(SealKey *first, SealKey *second)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    g_ptr_array_add(keys, seal_key_ref(first));
    if (second)
        g_ptr_array_add(keys, seal_key_ref(second));
    return keys;
}

static SealKey *person(Pgp *pgp, const char *address)
{
    gpg_generate(pgp, pgp->theirs, address, NULL);
    g_autoptr(GBytes) data = gpg_export(pgp, pgp->theirs, address, TRUE);
    return pgp_key(pgp, data);
}

static GBytes *make(Pgp *pgp, GPtrArray *keys, SealKey *signer, gboolean hide)
{
    g_autoptr(GError) error = NULL;
    GBytes *made = pgp_make(pgp, ENTITY, strlen(ENTITY), keys, signer, hide, &error);

    g_assert_no_error(error);
    return made;
}

static void assert_fails(Pgp *pgp, GPtrArray *keys, SealKey *signer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) made = pgp_make(pgp, ENTITY, strlen(ENTITY), keys, signer, FALSE, &error);

    g_assert_null(made);
    g_assert_nonnull(error);
    g_assert_true(error->domain == SEAL_ERROR);
    g_test_message("%s", error->message);
}

static void assert_opens(Pgp *pgp, GBytes *made, const char *expected, gsize length)
{
    g_autoptr(GBytes) armor = pgp_armor_of(made, "MESSAGE");
    g_autofree char *path =
        pgp_write(pgp, "sealed.asc", g_bytes_get_data(armor, NULL), g_bytes_get_size(armor));
    g_autoptr(GBytes) opened = gpg_decrypt(pgp, pgp->theirs, path);

    g_assert_cmpmem(g_bytes_get_data(opened, NULL), g_bytes_get_size(opened), expected, length);
}

static void assert_detected(Pgp *pgp, GBytes *made, guint named, guint hidden)
{
    g_autoptr(SealDetection) found =
        pgp_look(pgp, g_bytes_get_data(made, NULL), g_bytes_get_size(made));

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_ENCRYPTED);
    g_assert_cmpuint(seal_detection_ids(found)->len, ==, named);
    g_assert_cmpuint(seal_detection_hidden(found), ==, hidden);
}

static void test_encrypt(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    g_autoptr(SealKey) bob = person(&pgp, "Bob <bob@example.org>");
    g_autoptr(GPtrArray) one = keys_of(alice, NULL);
    g_autoptr(GPtrArray) two = keys_of(alice, bob);
    g_autoptr(GPtrArray) twice = keys_of(alice, alice);

    g_autoptr(GBytes) to_one = make(&pgp, one, NULL, FALSE);
    assert_detected(&pgp, to_one, 1, 0);
    assert_opens(&pgp, to_one, CANONICAL, strlen(CANONICAL));
    g_autoptr(GBytes) to_two = make(&pgp, two, NULL, FALSE);
    assert_detected(&pgp, to_two, 2, 0);
    assert_opens(&pgp, to_two, CANONICAL, strlen(CANONICAL));
    /* One that is there twice is named once. */
    g_autoptr(GBytes) to_twice = make(&pgp, twice, NULL, FALSE);
    assert_detected(&pgp, to_twice, 1, 0);
    g_autoptr(GBytes) unnamed = make(&pgp, two, NULL, TRUE);
    assert_detected(&pgp, unnamed, 0, 2);
    assert_opens(&pgp, unnamed, CANONICAL, strlen(CANONICAL));
    /* Nothing of it is left in the home. */
    g_autoptr(GBytes) listed = gpg(&pgp, pgp.ours, "--list-keys", NULL);
    g_assert_cmpuint(g_bytes_get_size(listed), ==, 0);
}

static void test_sizes(void)
{
    static const gsize sizes[] = {1, 2, 100, 4095, 65535, 65536, 65537, 3000000};
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    g_autoptr(GPtrArray) keys = keys_of(alice, NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *text = g_malloc(sizes[i]);
        g_autoptr(GError) error = NULL;

        for (gsize at = 0; at < sizes[i]; at++) {
            text[at] = (char)g_rand_int(rand);
            if (text[at] == '\n')
                text[at] = 0;
        }
        g_autoptr(GBytes) made = pgp_make(&pgp, text, sizes[i], keys, NULL, FALSE, &error);
        g_assert_no_error(error);
        assert_detected(&pgp, made, 1, 0);
        assert_opens(&pgp, made, text, sizes[i]);
    }
}

/* Keys from the home and from files in one message. */
static void test_home(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    g_autoptr(SealKey) other = person(&pgp, "bob@example.org");
    g_autoptr(GBytes) export = gpg_export(&pgp, pgp.theirs, "bob@example.org", FALSE);
    g_autofree char *path =
        pgp_write(&pgp, "bob.pgp", g_bytes_get_data(export, NULL), g_bytes_get_size(export));
    g_bytes_unref(gpg(&pgp, pgp.ours, "--import", path, NULL));
    g_autoptr(SealKey) bob = pgp_home_key(&pgp, "bob@example.org");
    g_assert_nonnull(bob);
    g_assert_cmpstr(seal_key_fingerprint(bob), ==, seal_key_fingerprint(other));
    g_autofree char *code = pgp_judge(&pgp, bob, SEAL_PURPOSE_ENCRYPT, 2000000000, NULL);
    g_assert_cmpstr(code, ==, "usable");
    g_autofree char *sign = pgp_judge(&pgp, bob, SEAL_PURPOSE_SIGN, 2000000000, NULL);
    /* No other has one either: it may be the folder that is gone. */
    g_assert_cmpstr(sign, ==, SEAL_CODE_IN_DOUBT);
    gpg_generate(&pgp, pgp.ours, "dave@example.org", NULL);
    g_autofree char *sure = pgp_judge(&pgp, bob, SEAL_PURPOSE_SIGN, 2000000000, NULL);
    g_assert_cmpstr(sure, ==, "no-secret-key");

    for (guint hide = 0; hide < 2; hide++) {
        g_autoptr(GPtrArray) keys = keys_of(bob, alice);
        g_autoptr(GBytes) made = make(&pgp, keys, NULL, hide == 1);
        assert_detected(&pgp, made, hide ? 0 : 2, hide ? 2 : 0);
        assert_opens(&pgp, made, CANONICAL, strlen(CANONICAL));
    }

    /* What is encrypted to is what was chosen and judged, whatever the home has by then. */
    g_bytes_unref(gpg(&pgp, pgp.ours, "--delete-keys", seal_key_fingerprint(bob), NULL));
    g_autoptr(GPtrArray) gone = keys_of(alice, bob);
    g_bytes_unref(make(&pgp, gone, NULL, FALSE));
    g_autoptr(SealKey) none = pgp_home_key(&pgp, "bob@example.org");
    g_assert_null(none);
}

static void assert_home_key(Pgp *pgp, const char *expected)
{
    g_autoptr(SealKey) key = pgp_home_key(pgp, "carol@example.org");
    g_autofree char *code = pgp_judge(pgp, key, SEAL_PURPOSE_ENCRYPT, 2000000000, NULL);

    g_assert_cmpstr(code, ==, expected);
}

/* What was judged is remembered no longer than it is so. */
static void test_disabled(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    assert_home_key(&pgp, "usable");
    assert_home_key(&pgp, "usable");

    g_bytes_unref(gpg(&pgp, pgp.ours, "--command-fd", "0", "--edit-key", "carol@example.org",
                      "disable", "save", NULL));
    assert_home_key(&pgp, "disabled");
}

/* -------------------------------------------------------------------------------------------
 * Signing
 */

static void assert_signed(Pgp *pgp, GBytes *made, SealKey *signer)
{
    g_autoptr(SealDetection) found =
        pgp_look(pgp, g_bytes_get_data(made, NULL), g_bytes_get_size(made));
    GPtrArray *ids = seal_detection_ids(found);

    g_assert_cmpint(seal_detection_what(found), ==, SEAL_DETECTED_SIGNED);
    g_assert_cmpuint(ids->len, ==, 1);
    g_assert_true(g_strv_contains(seal_key_detected_ids(signer), g_ptr_array_index(ids, 0)));
}

static gboolean succeeds(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) child = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);

    g_assert_no_error(error);
    return g_subprocess_wait_check(child, NULL, NULL);
}

/* What Sequoia and RNP say of it. */
static void assert_others_agree(Pgp *pgp, const char *signature, const char *text, gboolean good)
{
    g_autoptr(GBytes) key = gpg_export(pgp, pgp->ours, "carol@example.org", TRUE);
    g_autofree char *ring =
        pgp_write(pgp, "carol.asc", g_bytes_get_data(key, NULL), g_bytes_get_size(key));
    g_autofree char *home = g_build_filename(pgp->dir, "rnp", NULL);
    const char *sqv[] = {"sqv", "--keyring", ring, signature, text, NULL};
    const char *import[] = {"rnpkeys", "--homedir", home, "--import-keys", ring, NULL};
    const char *rnp[] = {"rnp", "--homedir", home, "--verify", signature, "--source", text, NULL};

    g_mkdir(home, 0700);
    g_assert_true(succeeds(sqv) == good);
    g_assert_true(succeeds(import));
    g_assert_true(succeeds(rnp) == good);
}

static void test_sign(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "Carol <carol@example.org>", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "CAROL@example.org");
    g_assert_nonnull(carol);

    g_autoptr(GBytes) made = make(&pgp, NULL, carol, FALSE);
    assert_signed(&pgp, made, carol);
    gsize size;
    const char *data = g_bytes_get_data(made, &size);
    g_assert_nonnull(g_strstr_len(data, (gssize)size, ENTITY));

    g_autoptr(GBytes) armor = pgp_armor_of(made, "SIGNATURE");
    g_autofree char *signature =
        pgp_write(&pgp, "signature.asc", g_bytes_get_data(armor, NULL), g_bytes_get_size(armor));
    g_autofree char *text = pgp_write(&pgp, "text", CANONICAL, strlen(CANONICAL));
    g_bytes_unref(gpg(&pgp, pgp.ours, "--verify", signature, text, NULL));
    assert_others_agree(&pgp, signature, text, TRUE);
    g_autofree char *other = pgp_write(&pgp, "other", "another text", 12);
    assert_others_agree(&pgp, signature, other, FALSE);
    /* The hash that was used is the one that micalg names. */
    g_autoptr(GBytes) packets = gpg(&pgp, pgp.ours, "--list-packets", signature, NULL);
    const char *digest = g_strstr_len(g_bytes_get_data(packets, NULL),
                                      (gssize)g_bytes_get_size(packets), "digest algo ");
    g_assert_nonnull(digest);
    const char *names[] = {[8] = "sha256", [9] = "sha384", [10] = "sha512"};
    guint64 hash = g_ascii_strtoull(digest + strlen("digest algo "), NULL, 10);
    g_assert_true(hash >= 8 && hash <= 10);
    g_autofree char *micalg = g_strdup_printf("micalg=\"pgp-%s\"", names[hash]);
    g_assert_nonnull(g_strstr_len(data, (gssize)size, micalg));
}

static void test_sign_and_encrypt(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_autoptr(GPtrArray) keys = keys_of(alice, NULL);
    g_autoptr(GBytes) made = make(&pgp, keys, carol, FALSE);
    g_autoptr(GBytes) public_key = gpg_export(&pgp, pgp.ours, "carol@example.org", FALSE);
    g_autofree char *path = pgp_write(&pgp, "carol.pgp", g_bytes_get_data(public_key, NULL),
                                      g_bytes_get_size(public_key));

    assert_detected(&pgp, made, 1, 0);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--import", path, NULL));
    assert_opens(&pgp, made, CANONICAL, strlen(CANONICAL));
    g_autofree char *sealed = g_build_filename(pgp.dir, "sealed.asc", NULL);
    g_autoptr(GBytes) status = gpg(&pgp, pgp.theirs, "--status-fd", "1", "--output", "/dev/null",
                                   "--decrypt", sealed, NULL);
    g_assert_nonnull(
        g_strstr_len(g_bytes_get_data(status, NULL), (gssize)g_bytes_get_size(status), "GOODSIG"));
}

/* To those whose keys know SHA-1 only, the signature goes apart, and is no SHA-1 either. */
static void test_old_hash(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--default-preference-list", "AES256 SHA1",
                      "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key",
                      "old@example.org", "future-default", "default", "never", NULL));
    g_autoptr(GBytes) data = gpg_export(&pgp, pgp.theirs, "old@example.org", FALSE);
    g_autoptr(SealKey) old = pgp_key(&pgp, data);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_autoptr(GPtrArray) keys = keys_of(old, NULL);
    g_autoptr(GBytes) made = make(&pgp, keys, carol, FALSE);
    g_autoptr(GBytes) block = pgp_armor_of(made, "MESSAGE");
    g_autofree char *path =
        pgp_write(&pgp, "sealed.asc", g_bytes_get_data(block, NULL), g_bytes_get_size(block));
    g_autoptr(GBytes) opened = gpg_decrypt(&pgp, pgp.theirs, path);
    gsize size;
    const char *text = g_bytes_get_data(opened, &size);

    assert_detected(&pgp, made, 1, 0);
    assert_signed(&pgp, opened, carol);
    g_assert_nonnull(g_strstr_len(text, (gssize)size, "micalg=\"pgp-sha"));
    g_assert_nonnull(g_strstr_len(text, (gssize)size, CANONICAL));
}

/*
 * While the agent is ended again and again, a signature is made or it is an error. A gpg whose
 * agent is ended before it answers waits for it for up to 10 seconds, so the time is bounded, not
 * the number of tries alone; the pauses are there for some to get through.
 */
static void test_agent_killed(void)
{
    const gint64 most_us = 60 * G_USEC_PER_SEC;
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_autofree char *flag = pgp_write(&pgp, "flag", "", 0);
    g_autofree char *text = pgp_write(&pgp, "text", CANONICAL, strlen(CANONICAL));
    g_autofree char *loop = g_strdup_printf(
        "while [ -e %s ]; do gpgconf --homedir %s --kill gpg-agent; sleep 0.02; done", flag,
        pgp.ours);
    const char *argv[] = {"sh", "-c", loop, NULL};
    g_autoptr(GSubprocess) killer = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);
    gint64 start = g_get_monotonic_time();
    guint made_count = 0;
    guint tried = 0;

    for (; tried < 15 && g_get_monotonic_time() - start < most_us; tried++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) made = pgp_make(&pgp, ENTITY, strlen(ENTITY), NULL, carol, FALSE, &error);

        g_assert_true((made == NULL) == (error != NULL));
        if (!made)
            continue;
        made_count++;
        assert_signed(&pgp, made, carol);
    }
    g_remove(flag);
    g_assert_true(g_subprocess_wait_check(killer, NULL, NULL));
    g_test_message("%u of %u were signed", made_count, tried);
    /* Once it is left alone, all is well. */
    g_autoptr(GBytes) last = make(&pgp, NULL, carol, FALSE);
    g_autoptr(GBytes) block = pgp_armor_of(last, "SIGNATURE");
    g_autofree char *signature =
        pgp_write(&pgp, "last.asc", g_bytes_get_data(block, NULL), g_bytes_get_size(block));
    g_bytes_unref(gpg(&pgp, pgp.ours, "--verify", signature, text, NULL));
}

static void test_cancelled(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    g_autoptr(GPtrArray) keys = keys_of(alice, NULL);
    g_autoptr(SealContent) content = seal_content_new_copy(ENTITY, strlen(ENTITY));
    SealSealing sealing = {.size = sizeof sealing, .entity = content, .keys = keys};
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;

    g_cancellable_cancel(cancellable);
    g_assert_null(pgp.format->encrypt(pgp.module, &sealing, cancellable, &error));
    g_assert_nonnull(error);
}

static void test_passphrase(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_prepare(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", "right words");
    static const struct {
        const char *line;
        gboolean works;
    } cases[] = {{"wrong\n", FALSE}, {"", FALSE}, {NULL, FALSE}, {"right words\nmore\n", TRUE}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) settings = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        g_string_printf(settings, "home=%s\n", pgp.ours);
        if (cases[i].line) {
            g_autofree char *path =
                pgp_write(&pgp, "passphrase", cases[i].line, strlen(cases[i].line));
            g_chmod(path, 0600);
            g_string_append_printf(settings, "passphrase_file=%s\n", path);
        }
        /* What an agent remembers would make any passphrase right. */
        const char *argv[] = {"gpgconf", "--homedir", pgp.ours, "--kill", "gpg-agent", NULL};
        g_autoptr(GSubprocess) kill = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);
        g_assert_true(g_subprocess_wait_check(kill, NULL, NULL));

        g_assert_true(pgp_open(&pgp, settings->str, &error));
        g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
        if (cases[i].works)
            g_bytes_unref(make(&pgp, NULL, carol, FALSE));
        else
            assert_fails(&pgp, NULL, carol);
    }
}

/* systemd's credential stands in where there is no setting. */
static void test_credential(void)
{
    g_auto(Pgp) pgp = {0};
    g_autoptr(GError) error = NULL;
    pgp_prepare(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", "right words");
    g_autofree char *settings = g_strdup_printf("home=%s", pgp.ours);
    g_autofree char *path = pgp_write(&pgp, "sealpipe-pgp-passphrase", "right words\n", 12);
    const char *argv[] = {"gpgconf", "--homedir", pgp.ours, "--kill", "gpg-agent", NULL};
    g_autoptr(GSubprocess) kill = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);
    g_assert_true(g_subprocess_wait_check(kill, NULL, NULL));
    g_chmod(path, 0600);

    g_setenv("CREDENTIALS_DIRECTORY", pgp.dir, TRUE);
    gboolean opened = pgp_open(&pgp, settings, &error);
    g_unsetenv("CREDENTIALS_DIRECTORY");
    g_assert_true(opened);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_bytes_unref(make(&pgp, NULL, carol, FALSE));
}

static void test_signing_key(void)
{
    g_auto(Pgp) pgp = {0};
    g_autoptr(GError) error = NULL;
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_autofree char *upper = g_ascii_strup(seal_key_fingerprint(carol), -1);
    g_autofree char *right = g_strdup_printf("home=%s\nsigning_key=%s", pgp.ours, upper);
    g_autofree char *other = g_strdup_printf("home=%s\nsigning_key=%040d", pgp.ours, 7);
    g_autofree char *bad = g_strdup_printf("home=%s\nsigning_key=carol", pgp.ours);

    g_assert_true(pgp_open(&pgp, right, NULL));
    g_autoptr(SealKey) same = pgp_home_key(&pgp, "carol@example.org");
    g_assert_nonnull(same);
    g_assert_true(pgp_open(&pgp, other, NULL));
    g_autoptr(SealKey) none = pgp_home_key(&pgp, "carol@example.org");
    g_assert_null(none);
    g_assert_false(pgp_open(&pgp, bad, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
}

/* The secret key is removed between the choice and the signature. */
static void test_secret_removed(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, "carol@example.org", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_autofree char *code = pgp_judge(&pgp, carol, SEAL_PURPOSE_SIGN, 2000000000, NULL);
    g_assert_cmpstr(code, ==, "usable");

    g_autofree char *folder = g_build_filename(pgp.ours, "private-keys-v1.d", NULL);
    const char *argv[] = {"rm", "-r", folder, NULL};
    g_autoptr(GSubprocess) rm = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);
    g_assert_true(g_subprocess_wait_check(rm, NULL, NULL));
    const char *kill_argv[] = {"gpgconf", "--homedir", pgp.ours, "--kill", "gpg-agent", NULL};
    g_autoptr(GSubprocess) kill = g_subprocess_newv(kill_argv, G_SUBPROCESS_FLAGS_NONE, NULL);
    g_assert_true(g_subprocess_wait_check(kill, NULL, NULL));
    assert_fails(&pgp, NULL, carol);
}

/* -------------------------------------------------------------------------------------------
 * The home
 */

static void assert_refused(Pgp *pgp, const char *home, const char *why)
{
    g_autofree char *settings = g_strdup_printf("home=%s", home);
    g_autoptr(GError) error = NULL;

    g_assert_false(pgp_open(pgp, settings, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, why));
}

static void test_home_refused(void)
{
    static const char *const names[] = {"gpg.conf", "gpg.conf-2.2", "gpg-agent.conf", "options"};
    g_auto(Pgp) pgp = {0};
    pgp_prepare(&pgp);
    g_autofree char *link = g_build_filename(pgp.dir, "link", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_build_filename("ours", names[i], NULL);
        g_autofree char *path = pgp_write(&pgp, name, "encrypt-to mallory\n", 19);
        assert_refused(&pgp, pgp.ours, names[i]);
        g_remove(path);
    }
    g_chmod(pgp.ours, 0750);
    assert_refused(&pgp, pgp.ours, "0700");
    g_chmod(pgp.ours, 0700);
    g_assert_cmpint(g_file_test(link, G_FILE_TEST_EXISTS), ==, FALSE);
    g_autoptr(GFile) file = g_file_new_for_path(link);
    g_assert_true(g_file_make_symbolic_link(file, pgp.ours, NULL, NULL));
    assert_refused(&pgp, link, "not a folder");
    if (geteuid() == 0) {
        /* Root would become its owner. */
        g_assert_cmpint(chown(pgp.ours, 12345, 12345), ==, 0);
        assert_refused(&pgp, pgp.ours, "no user 12345");
        g_assert_cmpint(chown(pgp.ours, 0, 0), ==, 0);
    }
}

/* A path that is just short enough signs; one more octet is refused. */
static void test_home_length(void)
{
    g_auto(Pgp) pgp = {0};
    g_autoptr(GError) error = NULL;
    pgp_prepare(&pgp);
    gsize most = 106 - strlen("/S.gpg-agent.browser") - strlen(pgp.dir) - 1;
    g_autofree char *fits = g_strnfill(most, 'h');
    g_autofree char *long_name = g_strnfill(most + 1, 'h');
    g_autofree char *home = g_build_filename(pgp.dir, fits, NULL);
    g_autofree char *too_long = g_build_filename(pgp.dir, long_name, NULL);
    g_autofree char *settings = g_strdup_printf("home=%s", home);

    g_assert_cmpint(g_mkdir(home, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(too_long, 0700), ==, 0);
    assert_refused(&pgp, too_long, "too long");
    g_assert_true(pgp_open(&pgp, settings, &error));
    gpg_generate(&pgp, home, "carol@example.org", NULL);
    g_autoptr(SealKey) carol = pgp_home_key(&pgp, "carol@example.org");
    g_bytes_unref(make(&pgp, NULL, carol, FALSE));
    const char *argv[] = {"gpgconf", "--homedir", home, "--kill", "gpg-agent", NULL};
    g_autoptr(GSubprocess) kill = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);
    g_assert_true(g_subprocess_wait_check(kill, NULL, NULL));
}

/* Without a home, nothing is left behind. */
static void test_no_home(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_prepare(&pgp);
    g_assert_true(pgp_open(&pgp, NULL, NULL));
    g_autoptr(SealKey) alice = person(&pgp, "alice@example.org");
    g_autoptr(GPtrArray) keys = keys_of(alice, NULL);

    g_autofree char *code = pgp_judge(&pgp, alice, SEAL_PURPOSE_ENCRYPT, 2000000000, NULL);
    g_assert_cmpstr(code, ==, "usable");
    g_autoptr(GBytes) made = make(&pgp, keys, NULL, FALSE);
    assert_opens(&pgp, made, CANONICAL, strlen(CANONICAL));
    g_clear_pointer(&pgp.dispatcher, seal_dispatcher_free);

    g_autofree char *state = g_build_filename(pgp.dir, "state", NULL);
    g_autoptr(GDir) dir = g_dir_open(state, 0, NULL);
    g_assert_null(g_dir_read_name(dir));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgp/encrypt", test_encrypt);
    g_test_add_func("/pgp/sizes", test_sizes);
    g_test_add_func("/pgp/home", test_home);
    g_test_add_func("/pgp/disabled", test_disabled);
    g_test_add_func("/pgp/sign", test_sign);
    g_test_add_func("/pgp/sign-and-encrypt", test_sign_and_encrypt);
    g_test_add_func("/pgp/old-hash", test_old_hash);
    g_test_add_func("/pgp/agent-killed", test_agent_killed);
    g_test_add_func("/pgp/cancelled", test_cancelled);
    g_test_add_func("/pgp/passphrase", test_passphrase);
    g_test_add_func("/pgp/credential", test_credential);
    g_test_add_func("/pgp/signing-key", test_signing_key);
    g_test_add_func("/pgp/secret-removed", test_secret_removed);
    g_test_add_func("/pgp/home-refused", test_home_refused);
    g_test_add_func("/pgp/home-length", test_home_length);
    g_test_add_func("/pgp/no-home", test_no_home);
    return g_test_run();
}
