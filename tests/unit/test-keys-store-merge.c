/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-store-merge.c: copies of one OpenPGP key that are put into the store become one, and
 * nothing that revokes is lost on the way.
 */
#include "core/frontend-keys.h"
#include "test-pgp.h"

#include <sqlite3.h>
#include <string.h>

#define ALICE   "alice@example.org"
#define MALLORY "mallory@example.org"

enum {
    COPIES = 30,
    HEAD = 6,
    OWN = 1000, /* signatures of a key's own that are read */
    OTHERS = 8, /* others' revocations of one user id, likewise */
};

typedef struct {
    Pgp pgp;
    const SealSource *source;
    SealModule *store;
    GBytes *first; /* Alice's key as gpg has made it */
} Shelf;

static void shelf_start(Shelf *shelf)
{
    static const char conf[] = "[module keys-store]\n";
    g_autoptr(GError) error = NULL;

    pgp_prepare(&shelf->pgp);
    g_free(pgp_write(&shelf->pgp, "conf.d/20-store.conf", conf, strlen(conf)));
    pgp_open(&shelf->pgp, NULL, &error);
    g_assert_no_error(error);
    shelf->source = seal_dispatcher_source(shelf->pgp.dispatcher, "store", &shelf->store);
    g_assert_nonnull(shelf->source);
    gpg_generate(&shelf->pgp, shelf->pgp.theirs, ALICE, NULL);
    shelf->first = gpg_export(&shelf->pgp, shelf->pgp.theirs, ALICE, FALSE);
}

static void shelf_end(Shelf *shelf)
{
    g_clear_pointer(&shelf->first, g_bytes_unref);
    pgp_end(&shelf->pgp);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shelf, shelf_end)

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

static SealPut put(Shelf *shelf, GBytes *data, GError **error)
{
    g_autoptr(GPtrArray) keys = new_keys();
    SealPut become = SEAL_PUT_UNTOLD;

    g_ptr_array_add(keys, pgp_key(&shelf->pgp, data));
    gboolean ok = shelf->source->put_each(shelf->store, keys, &become, error);
    return ok ? become : SEAL_PUT_UNTOLD;
}

static void assert_put(Shelf *shelf, GBytes *data, SealPut expected)
{
    g_autoptr(GError) error = NULL;
    SealPut become = put(shelf, data, &error);

    g_assert_no_error(error);
    g_assert_cmpint(become, ==, expected);
}

static gboolean take_octets(SealModule *self, SealKey *key, GBytes *octets, gpointer user_data,
                            GError **error)
{
    GBytes **found = user_data;

    g_assert_null(*found);
    *found = g_bytes_ref(octets);
    return TRUE;
}

/* The octets of the one row that there is. (transfer full) */
static GBytes *row_octets(Shelf *shelf)
{
    const SealKeyFilter all = {.size = sizeof all};
    g_autoptr(GError) error = NULL;
    GBytes *octets = NULL;

    shelf->source->list(shelf->store, &all, take_octets, &octets, &error);
    g_assert_no_error(error);
    g_assert_nonnull(octets);
    return octets;
}

/* By name, and nothing is changed. */
static void assert_refused(Shelf *shelf, GBytes *data, const char *why)
{
    g_autoptr(GBytes) before = row_octets(shelf);
    g_autoptr(SealKey) key = pgp_key(&shelf->pgp, before);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(put(shelf, data, &error), ==, SEAL_PUT_UNTOLD);
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, seal_key_fingerprint(key)));
    g_assert_nonnull(strstr(error->message, "sealctl keys remove"));
    g_assert_nonnull(strstr(error->message, why));
    g_autoptr(GBytes) after = row_octets(shelf);
    g_assert_true(g_bytes_equal(before, after));
}

/* As the Format writes it. (transfer full) */
static GBytes *written(Shelf *shelf, GBytes *data)
{
    g_autoptr(SealKey) key = pgp_key(&shelf->pgp, data);
    g_autoptr(GError) error = NULL;
    GBytes *octets = seal_module_write_key(shelf->store, key, &error);

    g_assert_no_error(error);
    return octets;
}

static void assert_judged(Shelf *shelf, const char *code)
{
    g_autoptr(GBytes) octets = row_octets(shelf);
    g_autoptr(SealKey) key = pgp_key(&shelf->pgp, octets);
    g_autofree char *got =
        pgp_judge(&shelf->pgp, key, SEAL_PURPOSE_ENCRYPT, g_get_real_time() / G_USEC_PER_SEC, NULL);

    g_assert_cmpstr(got, ==, code);
}

/* As gpg lays it beside each new key. (transfer full) */
static GBytes *revocation(Shelf *shelf)
{
    g_autofree char *folder = g_build_filename(shelf->pgp.theirs, "openpgp-revocs.d", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *path = g_build_filename(folder, g_dir_read_name(dir), NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *block = strstr(text, ":-----BEGIN");
    g_assert_nonnull(block);
    return g_bytes_new(block + 1, strlen(block + 1));
}

/* -------------------------------------------------------------------------------------------
 * Copies by gpg
 */

/* What one who fetched it then has: in each another user id beside the first. */
static GPtrArray *make_copies(Shelf *shelf)
{
    GPtrArray *copies = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    Pgp *pgp = &shelf->pgp;

    for (guint i = 0; i < COPIES; i++) {
        g_autofree char *name = g_strdup_printf("alice-%u@example.net", i);
        g_bytes_unref(gpg(pgp, pgp->theirs, "--quick-add-uid", ALICE, name, NULL));
    }
    for (guint i = 0; i < COPIES; i++) {
        g_autofree char *filter =
            g_strdup_printf("keep-uid=uid =~ alice@ || uid =~ alice-%u@example.net", i);
        g_ptr_array_add(copies,
                        gpg(pgp, pgp->theirs, "--export-filter", filter, "--export", ALICE, NULL));
    }
    return copies;
}

static void assert_row_is(Shelf *shelf, GBytes *expected)
{
    g_autoptr(GBytes) octets = row_octets(shelf);

    g_assert_true(g_bytes_equal(octets, expected));
}

static void test_union(void)
{
    g_auto(Shelf) shelf = {0};
    Pgp *pgp = &shelf.pgp;

    shelf_start(&shelf);
    g_autoptr(GPtrArray) copies = make_copies(&shelf);
    for (guint i = 0; i < COPIES; i++) /* in no order: 7 and 30 have no common part */
        assert_put(&shelf, g_ptr_array_index(copies, i * 7 % COPIES),
                   i == 0 ? SEAL_PUT_ADDED : SEAL_PUT_CHANGED);

    /* gpg's own copy has all of it, and nothing more. */
    g_autoptr(GBytes) row = row_octets(&shelf);
    g_autoptr(GBytes) all = gpg_export(pgp, pgp->theirs, ALICE, FALSE);
    g_autoptr(GBytes) expected = written(&shelf, all);
    g_assert_cmpuint(g_bytes_get_size(row), ==, g_bytes_get_size(expected));
    g_autoptr(SealKey) key = pgp_key(pgp, row);
    g_assert_cmpuint(seal_key_addresses(key)->len, ==, COPIES + 1);
    assert_judged(&shelf, "usable");

    /* What it has already changes nothing, in whatever order it comes. */
    for (guint i = 0; i < COPIES; i++)
        assert_put(&shelf, g_ptr_array_index(copies, i), SEAL_PUT_KNOWN);
    assert_put(&shelf, all, SEAL_PUT_KNOWN);
    assert_put(&shelf, shelf.first, SEAL_PUT_KNOWN);
    assert_row_is(&shelf, row);
}

static void test_revoked(void)
{
    g_auto(Shelf) shelf = {0};

    shelf_start(&shelf);
    g_autoptr(GBytes) revoked = revocation(&shelf);
    for (guint after = 0; after < 2; after++) {
        const SealKeyFilter all = {.size = sizeof all};
        guint removed;

        assert_put(&shelf, after ? shelf.first : revoked, SEAL_PUT_ADDED);
        assert_put(&shelf, after ? shelf.first : revoked, SEAL_PUT_KNOWN);
        assert_put(&shelf, after ? revoked : shelf.first, SEAL_PUT_CHANGED);
        g_autoptr(GBytes) row = row_octets(&shelf);
        assert_judged(&shelf, "revoked");
        assert_put(&shelf, shelf.first, SEAL_PUT_KNOWN);
        assert_put(&shelf, revoked, SEAL_PUT_KNOWN);
        assert_row_is(&shelf, row);
        g_assert_true(shelf.source->remove(shelf.store, &all, &removed, NULL));
        g_assert_cmpuint(removed, ==, 1);
    }
}

static void replace_octets(Shelf *shelf, const GByteArray *octets)
{
    g_autofree char *path =
        g_build_filename(shelf->pgp.dir, "state", "keys-store", "keys.db", NULL);
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;

    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_prepare_v2(db, "UPDATE keys SET octets = ?1", -1, &statement, NULL), ==,
                    SQLITE_OK);
    sqlite3_bind_blob(statement, 1, octets->data, (int)octets->len, SQLITE_STATIC);
    g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void add(GByteArray *to, GBytes *bytes)
{
    g_byte_array_append(to, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
}

/* Rows of before have copies one behind the other, a revocation among them. */
static void test_old_row(void)
{
    g_auto(Shelf) shelf = {0};
    Pgp *pgp = &shelf.pgp;
    g_autoptr(GByteArray) row = g_byte_array_new();

    shelf_start(&shelf);
    g_autoptr(GBytes) armored = revocation(&shelf);
    g_autoptr(GBytes) bare = written(&shelf, armored);
    assert_put(&shelf, shelf.first, SEAL_PUT_ADDED);
    g_bytes_unref(gpg(pgp, pgp->theirs, "--quick-add-uid", ALICE, "alice@example.net", NULL));
    g_autoptr(GBytes) exported = gpg_export(pgp, pgp->theirs, ALICE, FALSE);
    g_autoptr(GBytes) newer = written(&shelf, exported);
    add(row, newer);
    add(row, shelf.first);
    add(row, bare);
    replace_octets(&shelf, row);
    assert_put(&shelf, newer, SEAL_PUT_CHANGED);
    g_autoptr(GBytes) merged = row_octets(&shelf);
    g_assert_cmpuint(g_bytes_get_size(merged), ==,
                     g_bytes_get_size(newer) + g_bytes_get_size(bare));
    assert_judged(&shelf, "revoked");
    assert_put(&shelf, newer, SEAL_PUT_KNOWN);
}

/* -------------------------------------------------------------------------------------------
 * Copies by others
 */

/* A signature that was never made, by the key whose id these digits are; each @number is another
 * one. */
static void add_signature(GByteArray *to, guint8 type, const char *issuer, guint number,
                          const guint8 *revoker)
{
    guint8 body[70] = {4, type, 22, 8, 0, revoker ? 30 : 6, 5, 2, 0x60, 0, 0, 0}, *end = body + 12;
    guint8 head[HEAD] = {0xc2, 255};

    if (revoker) {
        const guint8 packet[] = {23, 12, 0x80, 22};
        memcpy(end, packet, sizeof packet);
        memcpy(end + 4, revoker, 20);
        end += 24;
    }
    memcpy(end, (const guint8[]){0, 10, 9, 16}, 4);
    for (guint i = 0; i < 8; i++)
        end[4 + i] = (guint8)(g_ascii_xdigit_value(issuer[2 * i]) << 4 |
                              g_ascii_xdigit_value(issuer[2 * i + 1]));
    memcpy(end + 12, (const guint8[]){0, 0, 0, 16, 0xff, (guint8)number, 0, 16, 0xff}, 9);
    end[21] = (guint8)(number >> 8);
    end += 22;
    head[5] = (guint8)(end - body);
    g_byte_array_append(to, head, HEAD);
    g_byte_array_append(to, body, (guint)(end - body));
}

/* The octets of Alice's key up to its subkey, then signatures, then the rest. */
static GBytes *with_signatures(Shelf *shelf, guint8 type, const char *issuer, guint from, guint to,
                               gboolean over_primary)
{
    g_autoptr(GBytes) octets = written(shelf, shelf->first);
    const guint8 *data = g_bytes_get_data(octets, NULL);
    gsize size = g_bytes_get_size(octets), at = 0;
    GByteArray *made = g_byte_array_new();

    while (data[at] != (0xc0 | (over_primary ? 13 : 14))) {
        g_assert_cmpuint(data[at + 1], ==, 255);
        at += HEAD + ((gsize)data[at + 4] << 8 | data[at + 5]);
        g_assert_cmpuint(at, <, size);
    }
    g_byte_array_append(made, data, (guint)at);
    for (guint i = from; i < to; i++)
        add_signature(made, type, issuer, i, NULL);
    g_byte_array_append(made, data + at, (guint)(size - at));
    return g_byte_array_free_to_bytes(made);
}

static char *key_id(Shelf *shelf, const char *whose)
{
    g_autoptr(GBytes) octets = gpg_export(&shelf->pgp, shelf->pgp.theirs, whose, FALSE);
    g_autoptr(SealKey) key = pgp_key(&shelf->pgp, octets);

    return g_strdup(seal_key_detected_ids(key)[0]);
}

/* Each is a key by itself, and together they are more than one may be. */
static void test_flooded(void)
{
    g_auto(Shelf) shelf = {0};

    shelf_start(&shelf);
    g_autofree char *own = key_id(&shelf, ALICE);
    g_autoptr(GBytes) one = with_signatures(&shelf, 0x13, own, 0, OWN * 6 / 10, FALSE);
    g_autoptr(GBytes) other = with_signatures(&shelf, 0x13, own, OWN, OWN * 16 / 10, FALSE);
    assert_put(&shelf, one, SEAL_PUT_ADDED);
    assert_refused(&shelf, other, "is flooded");
    assert_put(&shelf, one, SEAL_PUT_KNOWN);
}

/* What a stranger has revoked, too: of more of these than are kept none may be lost. */
static void test_strangers(void)
{
    g_auto(Shelf) shelf = {0};

    shelf_start(&shelf);
    gpg_generate(&shelf.pgp, shelf.pgp.theirs, MALLORY, NULL);
    g_autofree char *hers = key_id(&shelf, MALLORY);
    g_autoptr(GBytes) one = with_signatures(&shelf, 0x30, hers, 0, OTHERS - 2, FALSE);
    g_autoptr(GBytes) two = with_signatures(&shelf, 0x30, hers, OTHERS - 2, OTHERS, FALSE);
    g_autoptr(GBytes) three = with_signatures(&shelf, 0x30, hers, OTHERS, OTHERS + 1, FALSE);
    g_autoptr(GBytes) certified = with_signatures(&shelf, 0x10, hers, 0, OTHERS + 5, FALSE);
    assert_put(&shelf, one, SEAL_PUT_ADDED);
    assert_put(&shelf, two, SEAL_PUT_CHANGED);
    assert_refused(&shelf, three, "more than pgp keeps of one");
    /* What they certify is no such thing: it may go. */
    assert_put(&shelf, certified, SEAL_PUT_CHANGED);
    assert_judged(&shelf, "usable");
}

/* One whom the key has named may have revoked it; others who say so leave no room for him. */
static void test_revokers(void)
{
    g_auto(Shelf) shelf = {0};

    shelf_start(&shelf);
    gpg_generate(&shelf.pgp, shelf.pgp.theirs, MALLORY, NULL);
    g_autofree char *own = key_id(&shelf, ALICE);
    g_autofree char *hers = key_id(&shelf, MALLORY);
    g_autoptr(GBytes) octets = written(&shelf, shelf.first);
    g_autoptr(GByteArray) naming = g_byte_array_new();
    const guint8 *data = g_bytes_get_data(octets, NULL);
    const guint8 revoker[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    guint primary = HEAD + ((guint)data[4] << 8 | data[5]);

    g_byte_array_append(naming, data, primary);
    add_signature(naming, 0x1f, own, 0, revoker);
    add_signature(naming, 0x20, "0d0e0f1011121300", 0, NULL);
    g_byte_array_append(naming, data + primary, (guint)g_bytes_get_size(octets) - primary);
    g_autoptr(GBytes) named = g_bytes_new(naming->data, naming->len);
    g_autoptr(GBytes) crowd = with_signatures(&shelf, 0x20, hers, 0, 20, TRUE);
    assert_put(&shelf, crowd, SEAL_PUT_ADDED);
    assert_refused(&shelf, named, "is flooded");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-store-merge/union", test_union);
    g_test_add_func("/keys-store-merge/revoked", test_revoked);
    g_test_add_func("/keys-store-merge/old-row", test_old_row);
    g_test_add_func("/keys-store-merge/flooded", test_flooded);
    g_test_add_func("/keys-store-merge/strangers", test_strangers);
    g_test_add_func("/keys-store-merge/revokers", test_revokers);
    return g_test_run();
}
