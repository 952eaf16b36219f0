/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-keys.c: which keys are found in bytes, and which of them may be used.
 */
#include "test-pgp.h"

#include <string.h>

static const gint64 NOW = 2000000000; /* 2033 */

#define ALICE "Alice <alice@example.org>"

static gsize packet_length(const guint8 *data, gsize *head)
{
    g_assert_true(data[0] & 0x80);
    if (!(data[0] & 0x40)) {
        guint bytes = 1u << (data[0] & 3);
        gsize length = 0;
        for (guint i = 0; i < bytes; i++)
            length = length << 8 | data[1 + i];
        *head = 1 + bytes;
        return length;
    }
    if (data[1] < 192) {
        *head = 2;
        return data[1];
    }
    g_assert_cmpuint(data[1], <, 224);
    *head = 3;
    return (gsize)(data[1] - 192) * 256 + data[2] + 192;
}

/* The packet with that tag, head included, the @nth of them. (transfer full) */
static GBytes *packet(GBytes *key, guint8 tag, guint nth)
{
    gsize size, at = 0, head;
    const guint8 *data = g_bytes_get_data(key, &size);

    while (at < size) {
        guint8 this = data[at] & 0x40 ? data[at] & 0x3f : (data[at] >> 2) & 0x0f;
        gsize length = packet_length(data + at, &head);
        if (this == tag && nth-- == 0)
            return g_bytes_new(data + at, head + length);
        at += head + length;
    }
    g_assert_not_reached();
}

static GByteArray *copy_of(GBytes *bytes)
{
    GByteArray *array = g_byte_array_new();

    g_byte_array_append(array, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
    return array;
}

static void add(GByteArray *to, GBytes *bytes)
{
    g_byte_array_append(to, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
}

static void assert_judged_for(Pgp *pgp, GBytes *data, const char *whose, const char *code,
                              const char *part)
{
    g_autoptr(SealKey) key = pgp_key(pgp, data);
    g_autofree char *text = NULL;
    g_autofree char *got = pgp_judge_for(pgp, key, whose, SEAL_PURPOSE_ENCRYPT, NOW, &text);

    g_test_message("%s", text);
    g_assert_cmpstr(got, ==, code);
    g_assert_nonnull(strstr(text, seal_key_fingerprint(key)));
    if (part)
        g_assert_nonnull(strstr(text, part));
}

static void assert_judged(Pgp *pgp, GBytes *data, const char *code, const char *part)
{
    assert_judged_for(pgp, data, NULL, code, part);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static guint count_keys(Pgp *pgp, GBytes *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys = pgp_keys(pgp, data, &error);

    g_assert_no_error(error);
    return keys->len;
}

static void test_forms(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    gpg_generate(&pgp, pgp.theirs, "bob@example.org", NULL);
    g_autoptr(GBytes) armored = gpg_export(&pgp, pgp.theirs, "alice@example.org", TRUE);
    g_autoptr(GBytes) binary = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(GBytes) both = gpg(&pgp, pgp.theirs, "--export", NULL);
    g_autoptr(GBytes) both_armored = gpg(&pgp, pgp.theirs, "--armor", "--export", NULL);
    g_autofree char *kbx_path = g_build_filename(pgp.theirs, "pubring.kbx", NULL);
    char *kbx;
    gsize kbx_size;
    g_assert_true(g_file_get_contents(kbx_path, &kbx, &kbx_size, NULL));
    g_autoptr(GBytes) keybox = g_bytes_new_take(kbx, kbx_size);
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autoptr(SealKey) key = pgp_key(&pgp, armored);
    g_autoptr(SealKey) same = pgp_key(&pgp, binary);

    g_assert_cmpstr(seal_key_fingerprint(key), ==, seal_key_fingerprint(same));
    g_assert_cmpstr(seal_key_label(key), ==, ALICE);
    g_assert_cmpuint(seal_key_addresses(key)->len, ==, 1);
    g_assert_cmpint(seal_key_valid_until(key), ==, G_MAXINT64);
    g_assert_cmpuint(count_keys(&pgp, both), ==, 2);
    g_assert_cmpuint(count_keys(&pgp, both_armored), ==, 2);
    g_assert_cmpuint(count_keys(&pgp, keybox), ==, 2);
    /* Two blocks among other text. */
    g_byte_array_append(text, (const guint8 *)"Hello,\n\nmy key:\n", 16);
    add(text, armored);
    g_byte_array_append(text, (const guint8 *)"\nand again:\n", 12);
    add(text, armored);
    g_autoptr(GBytes) mail = g_bytes_new(text->data, text->len);
    g_assert_cmpuint(count_keys(&pgp, mail), ==, 2);
}

/* Of a key file's armour: headers of any length, and as many as there are. */
static void test_headers(void)
{
    static const gsize sizes[] = {10, 300, 1500, 65000, 65536, 70000, 200000};
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) armored = gpg_export(&pgp, pgp.theirs, "alice@example.org", TRUE);
    gsize length;
    const char *text = g_bytes_get_data(armored, &length);
    const char *after = (const char *)memchr(text, '\n', length) + 1;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *words = g_strnfill(sizes[i], 'x');
        for (guint lines = 1; lines <= 10; lines += 9) {
            g_autoptr(GString) file = g_string_new_len(text, after - text);
            for (guint line = 0; line < lines; line++)
                g_string_append_printf(file, "Comment: %s\n", words);
            g_string_append_len(file, after, (gssize)length - (after - text));
            g_autoptr(GBytes) data = g_bytes_new(file->str, file->len);
            g_assert_cmpuint(count_keys(&pgp, data), ==, 1);
        }
    }
}

static void test_none(void)
{
    static const char *const texts[] = {"", "nothing", "\x30\x82\x01\x01xx",
                                        ":-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n",
                                        "-----BEGIN CERTIFICATE-----\nAAAA\n"};
    static const char *const broken[] = {
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ!\n",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\nno header\n\nmDME\n",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
        "> -----BEGIN PGP PUBLIC KEY BLOCK-----\n> \n> mDME\n",
        "mDME\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
        "\x99\x01\x0d\x04\x01\x02"};
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) secret = gpg(&pgp, pgp.theirs, "--pinentry-mode", "loopback", "--passphrase",
                                   "", "--export-secret-keys", "alice@example.org", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GBytes) data = g_bytes_new_static(texts[i], strlen(texts[i]));
        g_assert_cmpuint(count_keys(&pgp, data), ==, 0);
    }
    g_assert_cmpuint(count_keys(&pgp, secret), ==, 0);
    g_assert_true(pgp_logged(&pgp, "secret key"));
    for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
        g_autoptr(GBytes) data = g_bytes_new_static(broken[i], strlen(broken[i]));
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) keys = pgp_keys(&pgp, data, &error);
        g_assert_null(keys);
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    }
}

/* Two keys, of which the second breaks off: the first counts, and that there was another is said.
 */
static void test_second_cut(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) one = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    gsize size = g_bytes_get_size(one);

    for (guint cut = 1; cut < size; cut += 7) {
        g_autoptr(GByteArray) both = g_byte_array_new();
        g_byte_array_append(both, g_bytes_get_data(one, NULL), (guint)size);
        g_byte_array_append(both, g_bytes_get_data(one, NULL), cut);
        g_autoptr(GBytes) data = g_bytes_new(both->data, both->len);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) keys = pgp_keys(&pgp, data, &error);

        /* Packets have no end mark: where one ends, so may the key. */
        g_assert_true(error || (keys && keys->len == 2));
    }
}

/* -------------------------------------------------------------------------------------------
 * Which may be used
 */

static void test_good(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) data = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(SealKey) key = pgp_key(&pgp, data);

    assert_judged(&pgp, data, "usable", NULL);
    /* Before it was made. */
    g_autofree char *early = pgp_judge(&pgp, key, SEAL_PURPOSE_ENCRYPT, 1000000000, NULL);
    g_assert_cmpstr(early, ==, "not-yet-valid");
    g_autofree char *issue = pgp_judge(&pgp, key, SEAL_PURPOSE_ISSUE, NOW, NULL);
    g_assert_cmpstr(issue, ==, "purpose");
}

/* The certificate that gpg has laid aside, its colon taken away. */
static void test_revoked(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) before = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(SealKey) key = pgp_key(&pgp, before);
    g_autofree char *upper = g_ascii_strup(seal_key_fingerprint(key), -1);
    g_autofree char *name = g_strdup_printf("%s/openpgp-revocs.d/%s.rev", pgp.theirs, upper);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(name, &text, NULL, NULL));
    char *block = strstr(text, ":-----BEGIN");
    g_assert_nonnull(block);
    g_autofree char *path = pgp_write(&pgp, "revoke.asc", block + 1, strlen(block + 1));
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--import", path, NULL));
    g_autoptr(GBytes) after = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    assert_judged(&pgp, after, "revoked", "revoked");
}

static GBytes *generate_at(Pgp *pgp, const char *time, const char *user_id, const char *algorithm,
                           const char *usage, const char *expires)
{
    g_bytes_unref(gpg(pgp, pgp->theirs, "--faked-system-time", time, "--pinentry-mode", "loopback",
                      "--passphrase", "", "--quick-gen-key", user_id, algorithm, usage, expires,
                      NULL));
    return gpg_export(pgp, pgp->theirs, user_id, FALSE);
}

static void test_expired(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(GBytes) data =
        generate_at(&pgp, "20200101T000000", ALICE, "future-default", "default", "1y");

    assert_judged(&pgp, data, "expired", "expired on 2020-12-31");
}

static void add_subkey(Pgp *pgp, const char *fingerprint, const char *time, const char *expires)
{
    g_bytes_unref(gpg(pgp, pgp->theirs, "--faked-system-time", time, "--pinentry-mode", "loopback",
                      "--passphrase", "", "--quick-add-key", fingerprint, "cv25519", "encr",
                      expires, NULL));
}

/* A dead subkey hides no living one; alone it does not serve. */
static void test_subkeys(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autoptr(GBytes) bare =
        generate_at(&pgp, "20200101T000000", ALICE, "ed25519", "sign,cert", "never");
    g_autoptr(SealKey) key = pgp_key(&pgp, bare);
    g_autofree char *fingerprint = g_strdup(seal_key_fingerprint(key));

    assert_judged(&pgp, bare, "no-encryption-key", "no subkey for encryption");
    add_subkey(&pgp, fingerprint, "20200102T000000", "1y");
    g_autoptr(GBytes) dead = gpg_export(&pgp, pgp.theirs, fingerprint, FALSE);
    assert_judged(&pgp, dead, "expired", "the last expired on 2021-01-01");
    add_subkey(&pgp, fingerprint, "20200103T000000", "never");
    g_autoptr(GBytes) alive = gpg_export(&pgp, pgp.theirs, fingerprint, FALSE);
    assert_judged(&pgp, alive, "usable", NULL);
    /* The newest is the dead one. */
    add_subkey(&pgp, fingerprint, "20200104T000000", "1y");
    g_autoptr(GBytes) newest_dead = gpg_export(&pgp, pgp.theirs, fingerprint, FALSE);
    assert_judged(&pgp, newest_dead, "usable", NULL);

    g_autoptr(SealKey) last = pgp_key(&pgp, newest_dead);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_ptr_array_add(keys, last);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) made = pgp_make(&pgp, "x\n\ny\n", 5, keys, NULL, FALSE, &error);
    g_assert_no_error(error);
}

static void test_ciphers(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    static const struct {
        const char *list;
        const char *code;
    } cases[] = {{"3DES SHA1 ZIP", "algorithm"},
                 {"CAST5 3DES", "algorithm"},
                 {"AES", "usable"},
                 {"CAST5 AES192", "usable"},
                 {"none", "algorithm"}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *user_id = g_strdup_printf("person%u@example.org", i);
        g_bytes_unref(gpg(&pgp, pgp.theirs, "--default-preference-list", cases[i].list,
                          "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key",
                          user_id, "future-default", "default", "never", NULL));
        g_autoptr(GBytes) data = gpg_export(&pgp, pgp.theirs, user_id, FALSE);
        assert_judged(&pgp, data, cases[i].code, NULL);
    }
}

/* An address that somebody has put there: a user id with no signature, with one that is another's,
 * with one that is made up. */
static void test_user_ids(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    gpg_generate(&pgp, pgp.theirs, "mallory@example.org", NULL);
    g_autoptr(GBytes) alice = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(GBytes) mallory = gpg_export(&pgp, pgp.theirs, "mallory@example.org", FALSE);
    g_autoptr(GBytes) user_id = packet(mallory, 13, 0);
    g_autoptr(GBytes) her_signature = packet(mallory, 2, 0);
    g_autoptr(GBytes) his_signature = packet(alice, 2, 0);
    g_autoptr(GByteArray) unsigned_one = copy_of(alice);
    add(unsigned_one, user_id);
    g_autoptr(GByteArray) of_another = copy_of(alice);
    add(of_another, user_id);
    add(of_another, her_signature);
    g_autoptr(GByteArray) forged = copy_of(alice);
    add(forged, user_id);
    add(forged, his_signature);
    const GByteArray *harmless[] = {unsigned_one, of_another};

    for (guint i = 0; i < G_N_ELEMENTS(harmless); i++) {
        g_autoptr(GBytes) data = g_bytes_new(harmless[i]->data, harmless[i]->len);
        g_autoptr(SealKey) key = pgp_key(&pgp, data);
        g_assert_cmpuint(seal_key_addresses(key)->len, ==, 1);
        assert_judged(&pgp, data, "usable", NULL);
    }
    g_autoptr(GBytes) data = g_bytes_new(forged->data, forged->len);
    assert_judged(&pgp, data, "usable", NULL);
    assert_judged_for(&pgp, data, "alice@example.org", "usable", NULL);
    assert_judged_for(&pgp, data, "mallory@example.org", "user-id", "mallory@example.org");
}

static void test_user_id_revoked(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--pinentry-mode", "loopback", "--passphrase", "",
                      "--quick-add-uid", "alice@example.org", "old@example.org", NULL));
    g_autoptr(GBytes) both = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(SealKey) before = pgp_key(&pgp, both);
    g_assert_cmpuint(seal_key_addresses(before)->len, ==, 2);
    assert_judged(&pgp, both, "usable", NULL);

    g_bytes_unref(gpg(&pgp, pgp.theirs, "--pinentry-mode", "loopback", "--passphrase", "",
                      "--quick-revoke-uid", "alice@example.org", "old@example.org", NULL));
    g_autoptr(GBytes) one = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    /* It is found under the old address, so that the reason can be said. */
    assert_judged_for(&pgp, one, "alice@example.org", "usable", NULL);
    assert_judged_for(&pgp, one, "old@example.org", "user-id", "old@example.org");
}

/* Certifications by others do not make a key large; its own do. */
static void test_flooded(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    gpg_generate(&pgp, pgp.theirs, "mallory@example.org", NULL);
    g_autoptr(GBytes) alice = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(GBytes) mallory = gpg_export(&pgp, pgp.theirs, "mallory@example.org", FALSE);
    g_autoptr(GBytes) primary = packet(alice, 6, 0);
    g_autoptr(GBytes) user_id = packet(alice, 13, 0);
    g_autoptr(GBytes) his = packet(alice, 2, 0);
    g_autoptr(GBytes) hers = packet(mallory, 2, 0);
    g_autoptr(GBytes) subkey = packet(alice, 14, 0);
    g_autoptr(GBytes) binding = packet(alice, 2, 1);

    for (guint own = 0; own < 2; own++) {
        g_autoptr(GByteArray) flood = copy_of(primary);
        add(flood, user_id);
        add(flood, his);
        for (guint i = 0; i < 20000; i++)
            add(flood, own ? his : hers);
        add(flood, subkey);
        add(flood, binding);
        g_autoptr(GBytes) data = g_bytes_new(flood->data, flood->len);
        assert_judged(&pgp, data, own ? "flooded" : "usable", NULL);
        if (!own)
            g_assert_true(pgp_logged(&pgp, "is flooded: 19992 certifications are left out"));
    }
}

static void remove_home(Pgp *pgp)
{
    const char *argv[] = {"rm", "-rf", pgp->ours, NULL};
    g_autoptr(GSubprocess) rm = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, NULL);

    g_assert_true(g_subprocess_wait_check(rm, NULL, NULL));
}

/* Not to find out is not "no": gpg cannot be run. */
static void test_no_gpg(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, ALICE, NULL);
    g_autoptr(SealKey) key = pgp_home_key(&pgp, "alice@example.org");
    g_autoptr(SealDecision) decision = seal_decision_new("key", "test");
    g_autoptr(GError) error = NULL;

    /* gpg cannot use a home that is a file; it ends without having judged anything. */
    remove_home(&pgp);
    g_free(pgp_write(&pgp, "ours", "", 0));
    g_assert_false(
        pgp.format->usable(pgp.module, key, NULL, SEAL_PURPOSE_ENCRYPT, NOW, decision, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
}

/* What was known of it does not outlive it. */
static void test_home_gone(void)
{
    g_auto(Pgp) pgp = {0};
    g_autoptr(SealAddress) address = seal_address_parse("alice@example.org", NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;

    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, ALICE, NULL);
    g_assert_true(pgp.format->signers(pgp.module, address, NULL, keys, NULL));
    g_assert_cmpuint(keys->len, ==, 1);
    remove_home(&pgp);
    g_assert_false(pgp.format->signers(pgp.module, address, NULL, keys, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "there is no such folder"));
    g_assert_cmpuint(keys->len, ==, 1);
}

/* The home's own keybox, wherever it is cut: between two entries nobody can see it. */
static void test_ring_cut(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.ours, ALICE, NULL);
    g_autofree char *path = g_build_filename(pgp.ours, "pubring.kbx", NULL);
    g_autofree char *octets = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &octets, &size, NULL));
    g_autoptr(SealAddress) address = seal_address_parse("alice@example.org", NULL);

    for (gsize length = 0; length < size; length += length < 48 ? 1 : 29) {
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
        g_autoptr(GError) error = NULL;
        g_assert_true(g_file_set_contents(path, octets, (gssize)length, NULL));
        gboolean ok = pgp.format->signers(pgp.module, address, NULL, keys, &error);
        g_assert_cmpuint(keys->len, ==, 0);
        g_assert_true(ok == (length == 32));
        if (!ok)
            g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgp/forms", test_forms);
    g_test_add_func("/pgp/headers", test_headers);
    g_test_add_func("/pgp/none", test_none);
    g_test_add_func("/pgp/second-cut", test_second_cut);
    g_test_add_func("/pgp/good", test_good);
    g_test_add_func("/pgp/revoked", test_revoked);
    g_test_add_func("/pgp/expired", test_expired);
    g_test_add_func("/pgp/subkeys", test_subkeys);
    g_test_add_func("/pgp/ciphers", test_ciphers);
    g_test_add_func("/pgp/user-ids", test_user_ids);
    g_test_add_func("/pgp/user-id-revoked", test_user_id_revoked);
    g_test_add_func("/pgp/flooded", test_flooded);
    g_test_add_func("/pgp/no-gpg", test_no_gpg);
    g_test_add_func("/pgp/home-gone", test_home_gone);
    g_test_add_func("/pgp/ring-cut", test_ring_cut);
    return g_test_run();
}
