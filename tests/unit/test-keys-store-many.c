/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-store-many.c: the store with many processes at it, some of which die, and with a
 * database that is damaged.
 */
#include "test-store-box.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__ /* under which every reader is slow */
enum { READERS = 40 };
#else
enum { READERS = 200 };
#endif

enum {
    BATCH = 12,  /* keys of one import */
    IMPORTS = 6, /* while readers read */
    KILLS = 16,
    FLIPS = 150,
};

/* As much as there is to read, by whoever is told to end. */
static gboolean is_told(int fd)
{
    GPollFD poll = {.fd = fd, .events = G_IO_IN};

    return g_poll(&poll, 1, 0) > 0;
}

static GPtrArray *make_batch(Box *box, const char *address)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    for (guint i = 0; i < BATCH; i++)
        g_ptr_array_add(keys, box_person(box, address, SEAL_TRUST_VERIFIED, NULL));
    return keys;
}

static void put_batch(Box *box, GPtrArray *keys)
{
    g_autoptr(GError) error = NULL;
    guint added;
    gboolean ok = box->source->put(box->module, keys, &added, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void remove_address(Box *box, const char *address)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    const SealKeyFilter filter = {.size = sizeof filter, .address = parsed};
    g_autoptr(GError) error = NULL;
    guint removed;

    g_assert_true(box->source->remove(box->module, &filter, &removed, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(removed, ==, BATCH);
}

/* -------------------------------------------------------------------------------------------
 * Readers
 */

/* All of an import is there or nothing of it, and what was there before always. */
static int read_until_told(Box *box, int end)
{
    gboolean seen[2] = {FALSE, FALSE};

    do {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) old =
            box_find_in(box, box->source, "alice@example.org", "smime", NULL, &error);
        g_autoptr(GPtrArray) fresh =
            old ? box_find_in(box, box->source, "bob@example.org", "smime", NULL, &error) : NULL;

        if (!fresh) {
            g_printerr("# %s\n", error->message);
            return 1;
        }
        if (old->len != 1 || (fresh->len != 0 && fresh->len != BATCH))
            return 2;
        seen[fresh->len > 0] = TRUE;
        g_usleep(20000); /* the others' turn */
    } while (!is_told(end));
    return seen[0] || seen[1] ? 0 : 3;
}

static void test_readers(void)
{
    g_auto(Box) box = {0};
    pid_t readers[READERS];
    int end[2];

    box_start(&box);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_autoptr(GPtrArray) keys = make_batch(&box, "bob@example.org");
    g_assert_cmpint(pipe(end), ==, 0);
    box_reopen(&box);
    for (guint i = 0; i < READERS; i++) {
        readers[i] = fork();
        g_assert_cmpint(readers[i], >=, 0);
        if (readers[i] == 0)
            _exit(read_until_told(&box, end[0]));
    }
    for (guint i = 0; i < IMPORTS; i++) {
        put_batch(&box, keys);
        if (i + 1 < IMPORTS)
            remove_address(&box, "bob@example.org");
    }
    g_assert_cmpint(write(end[1], "x", 1), ==, 1);
    for (guint i = 0; i < READERS; i++) {
        int status = -1;
        g_assert_cmpint(waitpid(readers[i], &status, 0), ==, readers[i]);
        g_assert_cmpint(status, ==, 0);
    }
    close(end[0]);
    close(end[1]);
    g_assert_cmpuint(box_count(&box, "bob@example.org"), ==, BATCH);
}

/* -------------------------------------------------------------------------------------------
 * Who is killed
 */

/* Imports one batch after the other, and says after each that it is done. */
static void import_for_ever(Box *box, GPtrArray *keys, int out)
{
    for (;;) {
        put_batch(box, keys);
        if (write(out, "+", 1) != 1)
            _exit(1);
        remove_address(box, "bob@example.org");
        if (write(out, "-", 1) != 1)
            _exit(1);
    }
}

/* What the last words were, once nobody can say any more; '-' where there were none. */
static char last_word(int in)
{
    char word = '-', next;

    while (read(in, &next, 1) == 1)
        word = next;
    return word;
}

static void kill_one(Box *box, GPtrArray *keys, guint after_us)
{
    int words[2];

    g_assert_cmpint(pipe(words), ==, 0);
    box_reopen(box);
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        close(words[0]);
        import_for_ever(box, keys, words[1]);
    }
    close(words[1]);
    g_usleep(after_us);
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    char word = last_word(words[0]);
    close(words[0]);

    /* What was said to be done is; what came after it is there as a whole or not at all. */
    guint now = box_count(box, "bob@example.org");
    g_assert_true(now == 0 || now == BATCH);
    g_test_message("%u us: '%c', then %u", after_us, word, now);
    g_assert_cmpint(box_ask_sql(box, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                    ==, 1);
    g_assert_cmpint(box_ask_sql(box, "SELECT count(*) FROM pragma_foreign_key_check"), ==, 0);
    g_assert_cmpint(box_ask_sql(box, "SELECT count(*) FROM keys"), ==, now + 1);
    if (now > 0)
        remove_address(box, "bob@example.org");
}

static void test_killed(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_autoptr(GPtrArray) keys = make_batch(&box, "bob@example.org");
    for (guint i = 0; i < KILLS; i++) {
        kill_one(&box, keys, 2000 + (guint)g_test_rand_int_range(0, 40000));
        g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);
    }
}

/* Before anything is there: who is killed while he makes the database. */
static void test_killed_making(void)
{
    for (guint i = 0; i < KILLS; i++) {
        g_auto(Box) box = {0};
        pid_t pid;

        box_start(&box);
        g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
            box_put_into(&box, box.source, key);
            pause();
        }
        g_usleep((gulong)g_test_rand_int_range(500, 30000));
        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        g_assert_cmpuint(box_count(&box, "alice@example.org"), <=, 1);
        box_put_into(&box, box.source, key);
        g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);
    }
}

/* -------------------------------------------------------------------------------------------
 * Damage
 */

/* A call that fails says why. */
static void ended(gboolean ok, GError **error)
{
    g_assert_true(ok != (*error != NULL));
    if (*error)
        g_assert_true((*error)->domain == SEAL_ERROR);
    g_clear_error(error);
}

static gboolean visit(SealModule *self, SealKey *key, GBytes *octets, gpointer user_data,
                      GError **error)
{
    return seal_key_fingerprint(key) != NULL;
}

static void check_found(Box *box, GHashTable *known)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *doubt = NULL;

    ended(box->source->lookup(box->module, alice, "smime", SEAL_TRUST_MANUAL, NULL, keys, &doubt,
                              &error),
          &error);
    /* Whatever the database says, a key is what its octets are. */
    for (guint i = 0; i < keys->len; i++)
        g_assert_true(
            g_hash_table_contains(known, seal_key_fingerprint(g_ptr_array_index(keys, i))));
}

static void use_all(Box *box, GHashTable *known, SealKey *key)
{
    const SealKeyFilter all = {.size = sizeof all};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) one = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
    g_autoptr(GError) error = NULL;
    SealRecollection asked = {.size = sizeof asked,
                              .source = "ldap",
                              .format = "smime",
                              .address = alice,
                              .keys = one,
                              .until = 1};
    gboolean is_known;
    guint number;

    check_found(box, known);
    ended(box->source->copies(box->module, key, SEAL_TRUST_MANUAL, NULL, keys, &error), &error);
    ended(box->source->list(box->module, &all, visit, NULL, &error), &error);
    ended(box->source->book->read(box->module, NULL, NULL, SEAL_STANDING_NONE, keys, &error),
          &error);
    ended(box->source->book->read(box->module, alice, "smime", SEAL_STANDING_NONE, keys, &error),
          &error);
    ended(box->source->recall(box->module, &asked, &is_known, &error), &error);
    box->source->changes(box->module, alice, "smime");
    g_ptr_array_set_size(one, 0);
    g_ptr_array_add(one, seal_key_ref(key));
    ended(box->source->put(box->module, one, &number, &error), &error);
    ended(box->source->remember(box->module, &asked, &error), &error);
    ended(box->source->book->write(box->module, alice, key, SEAL_STANDING_PINNED, &error), &error);
    ended(box->source->remove(box->module, &all, &number, &error), &error);
    check_found(box, known);
}

static char *filled_database(Box *box, GHashTable *known, gsize *length)
{
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
    g_autoptr(GPtrArray) keys = make_batch(box, "alice@example.org");
    const SealRecollection told = {.size = sizeof told,
                                   .source = "ldap",
                                   .format = "smime",
                                   .address = alice,
                                   .keys = keys,
                                   .until = G_MAXINT32};
    char *data = NULL;

    put_batch(box, keys);
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        g_hash_table_add(known, g_strdup(seal_key_fingerprint(key)));
        g_assert_true(box->source->book->write(
            box->module, alice, key, i == 0 ? SEAL_STANDING_PINNED : SEAL_STANDING_SERVING, NULL));
    }
    g_assert_true(box->source->remember(box->module, &told, NULL));
    box_run_sql(box, "PRAGMA wal_checkpoint(TRUNCATE)");
    g_assert_true(g_file_get_contents(box->path, &data, length, NULL));
    return data;
}

/* Any octet, but often one of the heads of pages, where the structure is. */
static void flip(char *data, gsize length)
{
    gsize at = (gsize)g_test_rand_int_range(0, (gint32)length);

    if (g_test_rand_bit())
        at = at / 4096 * 4096 + (gsize)g_test_rand_int_range(0, 64);
    data[MIN(at, length - 1)] = (char)g_test_rand_int();
}

static void put_in_place(Box *box, const char *data, gsize length)
{
    static const char *const beside[] = {"-wal", "-shm"};

    for (guint i = 0; i < G_N_ELEMENTS(beside); i++) {
        g_autofree char *path = g_strconcat(box->path, beside[i], NULL);
        unlink(path);
    }
    g_assert_true(g_file_set_contents_full(box->path, data, (gssize)length,
                                           G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL));
}

static void test_damaged(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gsize length = 0;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "bob@example.org", SEAL_TRUST_VERIFIED, NULL);
    g_autofree char *data = filled_database(&box, known, &length);
    g_hash_table_add(known, g_strdup(seal_key_fingerprint(key)));
    for (guint i = 0; i < FLIPS; i++) {
        g_autofree char *copy = g_memdup2(data, length);
        gsize size = i % 10 == 9 ? (gsize)g_test_rand_int_range(0, (gint32)length) : length;

        for (gint flips = g_test_rand_int_range(1, 12); i > 0 && flips > 0 && size > 0; flips--)
            flip(copy, size);
        put_in_place(&box, copy, size);
        use_all(&box, known, key);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-store-many/readers", test_readers);
    g_test_add_func("/keys-store-many/killed", test_killed);
    g_test_add_func("/keys-store-many/killed-making", test_killed_making);
    g_test_add_func("/keys-store-many/damaged", test_damaged);
    return g_test_run();
}
