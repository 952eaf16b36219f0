/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-import.c: files that people have OpenPGP keys in, entry by entry, and hostile ones.
 */
#include "core/frontend-keys.h"
#include "test-pgp.h"

#include <string.h>

#define ALICE "Alice <alice@example.org>"
#define BOB   "bob@example.org"

/* What was said of the entries, a line each. */
typedef struct {
    GString *text;
    guint keys;
    guint left;
    guint failed;
    guint alive; /* keys with an address */
} Told;

static void told_clear(Told *told)
{
    g_string_free(told->text, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Told, told_clear)

static void visit(const SealImportEntry *entry, gpointer user_data)
{
    Told *told = user_data;
    const char *name = entry->entry ? entry->entry : "-";

    if (entry->what == SEAL_IMPORT_KEY) {
        told->keys++;
        told->alive += seal_key_addresses(entry->key)->len > 0;
        g_string_append_printf(told->text, "key %s\n", name);
    } else if (entry->what == SEAL_IMPORT_LEFT) {
        told->left++;
        g_string_append_printf(told->text, "left %s: %s\n", name, entry->text);
    } else {
        told->failed++;
        g_string_append_printf(told->text, "failed %s: %s\n", name, entry->problem->message);
    }
}

static Told import(Pgp *pgp, const void *data, gsize length)
{
    const SealShelving how = {.place = "test", .trust = SEAL_TRUST_VERIFIED, .dry = TRUE};
    g_autoptr(GBytes) bytes = g_bytes_new(data, length);
    g_autoptr(GError) error = NULL;
    Told told = {.text = g_string_new(NULL)};
    guint added;

    g_assert_true(
        seal_dispatcher_add_keys(pgp->dispatcher, bytes, &how, visit, &told, &added, &error));
    g_assert_no_error(error);
    if (told.text->len < 4096)
        g_test_message("%s", told.text->str);
    return told;
}

static void assert_told(Pgp *pgp, const GByteArray *data, guint keys, guint left, guint failed,
                        const char *part)
{
    g_auto(Told) told = import(pgp, data->data, data->len);

    g_assert_cmpuint(told.keys, ==, keys);
    g_assert_cmpuint(told.left, ==, left);
    g_assert_cmpuint(told.failed, ==, failed);
    g_assert_nonnull(strstr(told.text->str, part));
}

static void add(GByteArray *to, GBytes *bytes)
{
    g_byte_array_append(to, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
}

static void add_text(GByteArray *to, const char *text)
{
    g_byte_array_append(to, (const guint8 *)text, (guint)strlen(text));
}

static void put_head(GByteArray *to, guint8 tag, guint32 length)
{
    const guint8 head[] = {
        0xc0 | tag,    255, (guint8)(length >> 24), (guint8)(length >> 16), (guint8)(length >> 8),
        (guint8)length};

    g_byte_array_append(to, head, sizeof head);
}

static void put_packet(GByteArray *to, guint8 tag, const void *data, gsize length)
{
    put_head(to, tag, (guint32)length);
    g_byte_array_append(to, data, (guint)length);
}

static void prepare(Pgp *pgp)
{
    pgp_start(pgp);
    gpg_generate(pgp, pgp->theirs, ALICE, NULL);
    gpg_generate(pgp, pgp->theirs, BOB, NULL);
}

static GBytes *secret_of(Pgp *pgp, const char *whose, gboolean armor)
{
    return gpg(pgp, pgp->theirs, armor ? "--armor" : "--no-armor", "--pinentry-mode", "loopback",
               "--passphrase", "", "--export-secret-keys", whose, NULL);
}

/* -------------------------------------------------------------------------------------------
 * What people have
 */

static void test_blocks(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) alice = gpg_export(&pgp, pgp.theirs, "alice@example.org", TRUE);
    g_autoptr(GBytes) bob = gpg_export(&pgp, pgp.theirs, BOB, TRUE);
    g_autoptr(GBytes) secret = secret_of(&pgp, BOB, TRUE);
    g_autoptr(GByteArray) file = g_byte_array_new();

    add_text(file, "Hello,\n\nhere are keys:\n");
    add(file, alice);
    add_text(file, "and\n");
    add(file, secret);
    /* Broken in the middle: the next one is read all the same. */
    guint from = file->len;
    add(file, alice);
    memset(file->data + from + 100, '!', 40);
    add_text(file, "-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n");
    add_text(file, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ntext\n"
                   "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n");
    add(file, bob);
    assert_told(&pgp, file, 2, 3, 1, "key " ALICE "\n");
    assert_told(&pgp, file, 2, 3, 1, "left bob@example.org: a private key");
    assert_told(&pgp, file, 2, 3, 1, "failed block 3: ");
    assert_told(&pgp, file, 2, 3, 1, "left block 4: an OpenPGP message");
    assert_told(&pgp, file, 2, 3, 1, "left block 5: a signed text");
}

static void test_octets(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) all = gpg(&pgp, pgp.theirs, "--export", NULL);
    g_autoptr(GBytes) secret = secret_of(&pgp, BOB, FALSE);
    g_autofree char *path = pgp_write(&pgp, "text", "text\n", 5);
    g_autofree char *made = g_strdup_printf("%s.sig", path);
    g_autofree char *sealed = g_strdup_printf("%s.gpg", path);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--output", made, "--detach-sign", path, NULL));
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--output", sealed, "--trust-model", "always", "-r", BOB,
                      "--encrypt", path, NULL));
    g_autoptr(GByteArray) file = g_byte_array_new();
    char *text;
    gsize size;

    add(file, all);
    add(file, secret);
    assert_told(&pgp, file, 2, 1, 0, "left bob@example.org: a private key");
    /* It breaks off within the second. */
    g_byte_array_set_size(file, (guint)g_bytes_get_size(all) - 20);
    assert_told(&pgp, file, 1, 0, 1, "failed -: the OpenPGP key cannot be read");

    g_byte_array_set_size(file, 0);
    g_assert_true(g_file_get_contents(made, &text, &size, NULL));
    g_byte_array_append(file, (guint8 *)text, (guint)size);
    g_free(text);
    assert_told(&pgp, file, 0, 1, 0, "left -: a signature");

    g_byte_array_set_size(file, 0);
    g_assert_true(g_file_get_contents(sealed, &text, &size, NULL));
    g_byte_array_append(file, (guint8 *)text, (guint)size);
    g_free(text);
    assert_told(&pgp, file, 0, 1, 0, "left -: an OpenPGP message");

    /* What is another's is passed over. */
    static const char others[][8] = {"0\x82\x01", "\xfe\xed\xfe\xed", "plain", ""};
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(Told) told = import(&pgp, others[i], strlen(others[i]));
        g_assert_cmpstr(told.text->str, ==, "");
    }
}

static GByteArray *keybox_of(Pgp *pgp)
{
    g_autofree char *path = g_build_filename(pgp->theirs, "pubring.kbx", NULL);
    char *data;
    gsize size;

    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    return g_byte_array_new_take((guint8 *)data, size);
}

static guint32 number_at(const GByteArray *data, gsize at)
{
    return (guint32)data->data[at] << 24 | (guint32)data->data[at + 1] << 16 |
           (guint32)data->data[at + 2] << 8 | data->data[at + 3];
}

static void put_number(GByteArray *data, gsize at, guint32 number)
{
    for (guint i = 0; i < 4; i++)
        data->data[at + i] = (guint8)(number >> (24 - 8 * i));
}

static void test_keybox(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GByteArray) whole = keybox_of(&pgp);
    gsize first = number_at(whole, 0);
    static const guint8 certificate[20] = {0, 0, 0, 20, 3, 1};

    g_byte_array_append(whole, certificate, sizeof certificate);
    assert_told(&pgp, whole, 2, 1, 0, "left entry 4: an X.509 certificate");

    /* The key of the first entry lies outside it. */
    g_autoptr(GByteArray) outside = keybox_of(&pgp);
    put_number(outside, first + 8, 0x7fffffff);
    assert_told(&pgp, outside, 1, 0, 1, "failed entry 2: an entry of the keybox points outside");
    /* It says to be longer than the file. */
    g_autoptr(GByteArray) longer = keybox_of(&pgp);
    put_number(longer, first + number_at(longer, first), 0xffffffff);
    assert_told(&pgp, longer, 1, 0, 1, "failed entry 3: the keybox breaks off");
    /* It has no length at all. */
    g_autoptr(GByteArray) none = keybox_of(&pgp);
    put_number(none, first, 0);
    assert_told(&pgp, none, 0, 0, 1, "failed entry 2: the keybox breaks off");
    /* No packet where the key should be. */
    g_autoptr(GByteArray) empty = keybox_of(&pgp);
    put_number(empty, first + 12, 0);
    assert_told(&pgp, empty, 1, 0, 1, "failed entry 2: it should be a key");
}

/* One goes with its key, in whatever order they come, and by itself without it. */
static void test_revocation(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) alice = gpg_export(&pgp, pgp.theirs, "alice@example.org", TRUE);
    g_autoptr(SealKey) key = pgp_key(&pgp, alice);
    g_autofree char *upper = g_ascii_strup(seal_key_fingerprint(key), -1);
    g_autofree char *name = g_strdup_printf("%s.rev", upper);
    g_autofree char *path = g_build_filename(pgp.theirs, "openpgp-revocs.d", name, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GByteArray) file = g_byte_array_new();

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    add_text(file, text);
    assert_told(&pgp, file, 0, 1, 0, "a colon");
    char *colon = strstr(text, ":-----BEGIN");
    memmove(colon, colon + 1, strlen(colon));
    g_byte_array_set_size(file, 0);
    add_text(file, text);
    g_auto(Told) alone = import(&pgp, file->data, file->len);
    g_assert_cmpuint(alone.keys, ==, 1);
    g_assert_cmpuint(alone.alive, ==, 0);
    add(file, alice);
    assert_told(&pgp, file, 1, 0, 0, "key " ALICE);
}

/* -------------------------------------------------------------------------------------------
 * Private keys
 */

static guint install(Pgp *pgp, GBytes *data, GError **error)
{
    g_autofree char *where = NULL;
    guint count = G_MAXUINT;

    if (!pgp->format->install(pgp->module, data, NULL, "file.asc", &count, &where, error))
        return G_MAXUINT;
    g_assert_cmpint(count > 0, ==, where != NULL);
    return count;
}

static void assert_signs(Pgp *pgp, const char *whose, const char *code)
{
    g_autoptr(SealKey) key = pgp_home_key(pgp, whose);
    g_autofree char *got =
        pgp_judge_for(pgp, key, whose, SEAL_PURPOSE_SIGN, g_get_real_time() / G_USEC_PER_SEC, NULL);

    g_assert_cmpstr(got, ==, code);
}

static void test_install(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) public_part = gpg_export(&pgp, pgp.theirs, BOB, TRUE);
    g_autoptr(GBytes) alice = secret_of(&pgp, "alice@example.org", TRUE);
    g_autoptr(GBytes) both = secret_of(&pgp, "example.org", FALSE);
    g_autoptr(GByteArray) mail = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(install(&pgp, public_part, &error), ==, 0);
    g_assert_no_error(error);
    add_text(mail, "my key:\n");
    add(mail, alice);
    add(mail, public_part);
    g_autoptr(GBytes) text = g_bytes_new(mail->data, mail->len);
    g_assert_cmpuint(install(&pgp, text, &error), ==, 1);
    g_assert_no_error(error);
    assert_signs(&pgp, "alice@example.org", "usable");
    g_assert_null(pgp_home_key(&pgp, BOB));
    /* One that is there already is there as well. */
    g_assert_cmpuint(install(&pgp, both, &error), ==, 2);
    g_assert_no_error(error);
    assert_signs(&pgp, BOB, "usable");
}

static void test_install_refused(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) alice = secret_of(&pgp, "alice@example.org", FALSE);
    g_autoptr(GByteArray) none = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    put_packet(none, 5, "\4\1\2\3\4\1", 6);
    g_autoptr(GBytes) broken = g_bytes_new(none->data, none->len);
    g_assert_cmpuint(install(&pgp, broken, &error), ==, G_MAXUINT);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "private key"));
    g_clear_error(&error);
    pgp_open(&pgp, "", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(install(&pgp, alice, &error), ==, G_MAXUINT);
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "home"));
}

/* -------------------------------------------------------------------------------------------
 * Hostile ones. What takes too long ends the test by its own limit.
 */

/* A primary key of version 4, with any numbers. */
static void put_primary_and(GByteArray *to, gsize more)
{
    /* A curve of nine octets, a number of 263 bits. */
    guint8 key[60] = {4, 1, 2, 3, 4, 22, 9, [16] = 1, 7};

    put_packet(to, 6, key, 51 + more);
}

static void put_primary(GByteArray *to)
{
    put_primary_and(to, 0);
}

static const guint8 SIGNATURE[] = {4, 0x13, 22, 8, 0, 6, 5, 2, 0x60, 0,    0, 0, 0, 10, 9, 16,
                                   1, 2,    3,  4, 5, 6, 7, 8, 0xaa, 0xbb, 0, 8, 1, 0,  8, 1};

static void test_signatures(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GBytes) alice = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_autoptr(GByteArray) file = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    put_primary(file);
    put_packet(file, 13, "m@example.org", 13);
    for (guint i = 0; i < 100000; i++)
        put_packet(file, 2, SIGNATURE, sizeof SIGNATURE);
    for (guint i = 0; i < 10000; i++) {
        g_autofree char *id = g_strdup_printf("m%u@example.org", i);
        put_packet(file, 13, id, strlen(id));
        put_packet(file, 2, SIGNATURE, sizeof SIGNATURE);
    }
    add(file, alice);
    assert_told(&pgp, file, 1, 0, 1, "key " ALICE);
    /* What is kept of it is little. */
    g_autoptr(GBytes) data = g_bytes_new(file->data, file->len);
    g_autoptr(GPtrArray) keys = pgp_keys(&pgp, data, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 2);
    g_autofree char *code =
        pgp_judge(&pgp, g_ptr_array_index(keys, 0), SEAL_PURPOSE_ENCRYPT, 2000000000, NULL);
    g_assert_cmpstr(code, ==, "flooded");
}

static void test_packets(void)
{
    static const guint8 partial[] = {0xc6, 0xef, 4, 1, 2};
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GByteArray) file = g_byte_array_new();

    /* A number of 8 MiB in a key. */
    g_autofree guint8 *large = g_malloc0(8 * 1024 * 1024);
    memcpy(large, "\4\1\2\3\4\1\xff\xff", 8);
    put_packet(file, 6, large, 8 * 1024 * 1024);
    g_auto(Told) huge = import(&pgp, file->data, file->len);
    g_assert_cmpuint(huge.alive, ==, 0);

    /* Octets behind the numbers, where anything could be hidden; and a number that is cut. */
    for (guint i = 0; i < 2; i++) {
        g_byte_array_set_size(file, 0);
        put_primary_and(file, i == 0 ? 1 : (gsize)-1);
        g_auto(Told) odd = import(&pgp, file->data, file->len);
        g_assert_cmpuint(odd.failed, ==, 1);
        g_assert_nonnull(strstr(odd.text->str, "do not end where it ends"));
    }

    /* A length that reaches beyond the file. */
    g_byte_array_set_size(file, 0);
    put_head(file, 6, 0xffffffff);
    put_primary(file);
    g_auto(Told) beyond = import(&pgp, file->data, file->len);
    g_assert_cmpuint(beyond.failed, ==, 1);

    /* Partial lengths without an end. */
    g_byte_array_set_size(file, 0);
    g_byte_array_append(file, partial, sizeof partial);
    for (guint i = 0; i < 100000; i++)
        g_byte_array_append(file, (const guint8 *)"\xe0\4", 2);
    g_auto(Told) pieces = import(&pgp, file->data, file->len);
    g_assert_cmpuint(pieces.alive, ==, 0);
    g_assert_cmpuint(pieces.failed, ==, 1);

    /* Compressed data are never opened. */
    g_byte_array_set_size(file, 0);
    for (guint i = 0; i < 1000; i++)
        put_packet(file, 8, "\1\1\0\0\xff\xff", 6);
    assert_told(&pgp, file, 0, 1, 0, "an OpenPGP message");
}

/* Many keys, blocks and entries are one file's, and no more is read than is to be believed. */
static void test_many(void)
{
    g_auto(Pgp) pgp = {0};
    prepare(&pgp);
    g_autoptr(GByteArray) file = g_byte_array_new();

    for (guint i = 0; i < 110000; i++)
        add_text(file, "-----BEGIN PGP MESSAGE-----\n");
    g_auto(Told) blocks = import(&pgp, file->data, file->len);
    g_assert_cmpuint(blocks.left, ==, 100000);
    g_assert_cmpuint(blocks.failed, ==, 1);

    g_byte_array_set_size(file, 0);
    for (guint i = 0; i < 110000; i++)
        put_packet(file, 5, "\4\1\2\3\4\1", 6);
    g_auto(Told) secrets = import(&pgp, file->data, file->len);
    g_assert_cmpuint(secrets.left, ==, 100000);
    g_assert_cmpuint(secrets.failed, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgp/import/blocks", test_blocks);
    g_test_add_func("/pgp/import/octets", test_octets);
    g_test_add_func("/pgp/import/keybox", test_keybox);
    g_test_add_func("/pgp/import/revocation", test_revocation);
    g_test_add_func("/pgp/import/install", test_install);
    g_test_add_func("/pgp/import/install-refused", test_install_refused);
    g_test_add_func("/pgp/import/signatures", test_signatures);
    g_test_add_func("/pgp/import/packets", test_packets);
    g_test_add_func("/pgp/import/many", test_many);
    return g_test_run();
}
