/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-store.c: the key sources `store` and `harvested`, and the book, with certificates as
 * keys.
 */
#include "test-smime-pki.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A dispatcher with the store, and the certificates of a CA. */
typedef struct {
    Smime smime;
    X509 *ca;
    char *state; /* the folder */
    char *path;  /* of the database */
    const SealSource *source;
    const SealSource *harvested;
    SealModule *module;
} Box;

static void box_open(Box *box)
{
    g_autoptr(GError) error = NULL;

    smime_open(&box->smime, NULL, "[module keys-store]\n", &error);
    g_assert_no_error(error);
    box->source = seal_dispatcher_source(box->smime.dispatcher, "store", &box->module);
    box->harvested = seal_dispatcher_source(box->smime.dispatcher, "harvested", &box->module);
    g_assert_nonnull(box->source);
    g_assert_nonnull(box->harvested);
}

static void box_start(Box *box)
{
    smime_prepare(&box->smime);
    box->ca = pki_ca("CA", NULL);
    box->state = g_build_filename(box->smime.dir, "state", NULL);
    g_assert_cmpint(g_mkdir(box->state, 0700), ==, 0);
    box->path = g_build_filename(box->state, "keys-store", "keys.db", NULL);
    g_autofree char *text = g_strdup_printf("[core]\nstate_dir=%s\n", box->state);
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));
    g_free(smime_write(&box->smime, "conf.d/20-state.conf", data));
    box_open(box);
}

static void box_end(Box *box)
{
    smime_end(&box->smime);
    X509_free(box->ca);
    g_free(box->state);
    g_free(box->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Box, box_end)

static void box_reopen(Box *box)
{
    seal_dispatcher_free(box->smime.dispatcher);
    box_open(box);
}

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

/* A person's key as it would be read from a file, that may be given to more. */
static SealKey *person(Box *box, const char *address, SealTrust trust, const char *bound)
{
    g_autoptr(X509) cert = pki_person(address, "P-256", NULL, box->ca);
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    const char *const list[] = {bound, NULL};
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "test",
                               .place = "a/file.pem",
                               .trust = trust,
                               .bound = list};

    g_assert_true(box->smime.format->read(box->smime.module, der, &origin, keys, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_ref(g_ptr_array_index(keys, 0));
}

static guint put_into(Box *box, const SealSource *source, SealKey *key)
{
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    guint added = 99;

    g_ptr_array_add(keys, seal_key_ref(key));
    gboolean ok = source->put(box->module, keys, &added, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return added;
}

/* The same, and the key is gone. */
static guint put(Box *box, SealKey *key)
{
    g_autoptr(SealKey) own = key;

    return put_into(box, box->source, own);
}

static GPtrArray *find_in(Box *box, const SealSource *source, const char *address,
                          const char *format, char **doubt, GError **error)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autofree char *own = NULL;

    g_assert_nonnull(parsed);
    if (!source->lookup(box->module, parsed, format, source->trust, NULL, keys, &own, error))
        return NULL;
    if (doubt)
        *doubt = g_steal_pointer(&own);
    else
        g_assert_null(own);
    return g_steal_pointer(&keys);
}

static GPtrArray *find(Box *box, const char *address)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *keys = find_in(box, box->source, address, "smime", NULL, &error);

    g_assert_no_error(error);
    return keys;
}

static guint count(Box *box, const char *address)
{
    g_autoptr(GPtrArray) keys = find(box, address);

    return keys->len;
}

static gboolean take_key(SealModule *self, SealKey *key, GBytes *octets, gpointer user_data,
                         GError **error)
{
    g_ptr_array_add(user_data, seal_key_ref(key));
    g_assert_cmpuint(g_bytes_get_size(octets), >, 100);
    return TRUE;
}

static GPtrArray *list(Box *box, const SealKeyFilter *filter)
{
    GPtrArray *keys = new_keys();
    g_autoptr(GError) error = NULL;

    g_assert_true(box->source->list(box->module, filter, take_key, keys, &error));
    g_assert_no_error(error);
    return keys;
}

static guint count_listed(Box *box, const SealKeyFilter *filter)
{
    g_autoptr(GPtrArray) keys = list(box, filter);

    return keys->len;
}

static guint64 changes(Box *box)
{
    g_autoptr(SealAddress) address = seal_address_parse("a@b.example", NULL);

    return box->source->changes(box->module, address, "smime");
}

/* What another process does, in words of SQL. */
static void run_sql(Box *box, const char *sql)
{
    sqlite3 *db = NULL;

    g_assert_cmpint(sqlite3_open(box->path, &db), ==, SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        g_error("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

static void test_none(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    const SealKeyFilter filter = {.size = sizeof filter};
    guint removed = 99;

    box_start(&box);
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 0);
    g_assert_cmpuint(count_listed(&box, &filter), ==, 0);
    g_assert_true(box.source->remove(box.module, &filter, &removed, &error));
    g_assert_cmpuint(removed, ==, 0);
    changes(&box);
    /* Who only asks makes nothing. */
    g_assert_cmpint(g_rmdir(box.state), ==, 0);
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 0);
}

static void test_put(void)
{
    g_auto(Box) box = {0};
    struct stat st;

    box_start(&box);
    g_autoptr(SealKey) key = person(&box, "Alice@Example.org", SEAL_TRUST_VERIFIED, NULL);
    g_assert_cmpuint(put_into(&box, box.source, key), ==, 1);
    g_assert_cmpuint(put_into(&box, box.source, key), ==, 0);
    box_reopen(&box);

    g_autoptr(GPtrArray) keys = find(&box, "alice@example.ORG");
    g_assert_cmpuint(keys->len, ==, 1);
    const SealKey *found = g_ptr_array_index(keys, 0);
    g_assert_cmpstr(seal_key_fingerprint(found), ==, seal_key_fingerprint(key));
    g_assert_cmpstr(seal_key_source(found), ==, "store");
    g_assert_cmpstr(seal_key_place(found), ==, "a/file.pem");
    g_assert_cmpint(seal_key_trust(found), ==, SEAL_TRUST_VERIFIED);
    g_assert_nonnull(seal_key_native(found));
    g_assert_cmpint(ABS(seal_key_added(found) - g_get_real_time() / G_USEC_PER_SEC), <, 600);
    g_assert_cmpint(seal_key_last_used(found), ==, 0);
    g_assert_cmpuint(count(&box, "bob@example.org"), ==, 0);

    g_assert_cmpint(g_lstat(box.path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
    g_autofree char *folder = g_path_get_dirname(box.path);
    g_assert_cmpint(g_lstat(folder, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0700);
}

static void test_put_again(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    g_autoptr(X509) cert = pki_person("alice@example.org", "P-256", NULL, box.ca);
    g_autoptr(GBytes) der = pki_der(cert);
    const char *bounds[] = {"bob@example.net", "@example.com"};
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GPtrArray) keys = new_keys();
        const char *const bound[] = {bounds[i], NULL};
        const SealOrigin origin = {.size = sizeof origin,
                                   .source = "test",
                                   .place = "p",
                                   .trust = SEAL_TRUST_VERIFIED + (SealTrust)i,
                                   .bound = bound};
        g_assert_true(box.smime.format->read(box.smime.module, der, &origin, keys, NULL));
        g_assert_cmpuint(put_into(&box, box.source, g_ptr_array_index(keys, 0)), ==, 1 - i);
    }

    g_autoptr(GPtrArray) keys = find(&box, "alice@example.org");
    g_assert_cmpuint(keys->len, ==, 1);
    const SealKey *found = g_ptr_array_index(keys, 0);
    g_assert_cmpint(seal_key_trust(found), ==, SEAL_TRUST_MANUAL);
    g_assert_true(g_strv_contains(seal_key_bound(found), "bob@example.net"));
    g_assert_true(g_strv_contains(seal_key_bound(found), "@example.com"));
    g_autoptr(SealAddress) bob = seal_address_parse("bob@example.net", NULL);
    g_assert_cmpint(seal_key_serves(found, bob), ==, SEAL_SERVES_BOUND);
}

static void test_domains(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    put(&box, person(&box, "gateway@example.org", SEAL_TRUST_MANUAL, "@example.org"));
    put(&box, person(&box, "below@example.com", SEAL_TRUST_MANUAL, "@.example.org"));
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_MANUAL, "Carol@Other.example"));

    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 2);
    g_assert_cmpuint(count(&box, "nobody@Example.org"), ==, 1);
    g_assert_cmpuint(count(&box, "nobody@a.b.example.org"), ==, 1);
    g_assert_cmpuint(count(&box, "nobody@bexample.org"), ==, 0);
    g_assert_cmpuint(count(&box, "nobody@example.com"), ==, 0);
    g_assert_cmpuint(count(&box, "carol@other.example"), ==, 1);
    g_assert_cmpuint(count(&box, "dave@other.example"), ==, 0);

    /* The person's own key comes first. */
    g_autoptr(GPtrArray) keys = find(&box, "alice@example.org");
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
    g_assert_cmpint(seal_key_serves(g_ptr_array_index(keys, 0), alice), ==, SEAL_SERVES_ADDRESS);
    g_assert_cmpint(seal_key_serves(g_ptr_array_index(keys, 1), alice), ==, SEAL_SERVES_DOMAIN);
}

static void test_sources(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = person(&box, "alice@example.org", SEAL_TRUST_MANUAL, NULL);
    put_into(&box, box.harvested, key);
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 0);
    g_autoptr(GPtrArray) keys =
        find_in(&box, box.harvested, "alice@example.org", "smime", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    /* Whatever was said when it was put there. */
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_HARVESTED);
    g_assert_cmpstr(seal_key_source(g_ptr_array_index(keys, 0)), ==, "harvested");

    /* Another format's are others. */
    put_into(&box, box.source, key);
    g_autoptr(GPtrArray) none = find_in(&box, box.source, "alice@example.org", "pgp", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_copies(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) copies = new_keys();

    box_start(&box);
    g_autoptr(SealKey) key = person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    put_into(&box, box.source, key);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_true(box.source->copies(box.module, key, SEAL_TRUST_MANUAL, NULL, copies, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(copies->len, ==, 1);
    g_assert_cmpstr(seal_key_fingerprint(g_ptr_array_index(copies, 0)), ==,
                    seal_key_fingerprint(key));
}

static void test_list(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    guint removed;

    box_start(&box);
    g_autoptr(SealKey) carol = person(&box, "carol@example.org", SEAL_TRUST_VERIFIED, NULL);
    put_into(&box, box.source, carol);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, "@example.net"));
    put(&box, person(&box, "bob@example.org", SEAL_TRUST_MANUAL, "alice@example.org"));

    g_autoptr(SealAddress) alice = seal_address_parse("ALICE@example.org", NULL);
    const SealKeyFilter all = {.size = sizeof all};
    SealKeyFilter some = all;
    g_autoptr(GPtrArray) keys = list(&box, &all);
    g_assert_cmpuint(keys->len, ==, 3);
    SealKey *last = g_ptr_array_index(keys, 2);
    g_assert_cmpstr(seal_key_fingerprint(last), ==, seal_key_fingerprint(carol));
    g_assert_null(seal_key_native(last));
    g_assert_true(seal_key_is_for(last, g_ptr_array_index(seal_key_addresses(carol), 0)));
    g_assert_cmpstr(seal_key_label(last), ==, seal_key_label(carol));
    g_assert_cmpint(seal_key_valid_until(last), ==, seal_key_valid_until(carol));
    g_assert_cmpuint(seal_key_purposes(last), ==, seal_key_purposes(carol));
    g_assert_true(g_strv_equal(seal_key_detected_ids(last), seal_key_detected_ids(carol)));

    some.address = alice;
    g_assert_cmpuint(count_listed(&box, &some), ==, 2);
    some = all;
    some.domain = "@example.net";
    g_assert_cmpuint(count_listed(&box, &some), ==, 1);
    some = all;
    some.format = "pgp";
    g_assert_cmpuint(count_listed(&box, &some), ==, 0);
    some = all;
    some.expires_before = seal_key_valid_until(carol);
    g_assert_cmpuint(count_listed(&box, &some), <, 3);
    some.expires_before = seal_key_valid_until(carol) + 100000;
    g_assert_cmpuint(count_listed(&box, &some), ==, 3);
    g_autofree char *beginning = g_strndup(seal_key_fingerprint(carol), 16);
    some = all;
    some.fingerprint = beginning;
    g_assert_cmpuint(count_listed(&box, &some), ==, 1);

    g_assert_true(box.source->remove(box.module, &some, &removed, &error));
    g_assert_cmpuint(removed, ==, 1);
    g_assert_cmpuint(count(&box, "carol@example.org"), ==, 0);
    g_assert_cmpuint(count_listed(&box, &all), ==, 2);
    some = all;
    some.address = alice;
    g_assert_true(box.source->remove(box.module, &some, &removed, &error));
    g_assert_cmpuint(removed, ==, 2);
    /* Nothing of them is left behind. */
    run_sql(&box,
            "CREATE TEMP TABLE t (x CHECK (x = 0));"
            "INSERT INTO t SELECT (SELECT count(*) FROM names) + (SELECT count(*) FROM keys)");
}

static void test_changes(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    guint64 before = changes(&box);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_cmpuint(changes(&box), >, before);
    before = changes(&box);
    g_assert_cmpuint(changes(&box), ==, before);
    /* Another process: within a second or so. */
    run_sql(&box, "UPDATE counts SET changes = changes + 1 WHERE part = 'store'");
    for (guint i = 0; i < 100 && changes(&box) == before; i++)
        g_usleep(100000);
    g_assert_cmpuint(changes(&box), >, before);
    before = changes(&box);
    /* What concerns others does not count. */
    run_sql(&box, "UPDATE counts SET changes = changes + 1 WHERE part = 'book'");
    g_usleep(1100000);
    g_assert_cmpuint(changes(&box), ==, before);
}

/* -------------------------------------------------------------------------------------------
 * The book
 */

static void set_standing(Box *box, const char *address, SealKey *key, SealStanding standing)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(box->source->book->write(box->module, parsed, key, standing, &error));
    g_assert_no_error(error);
}

static GPtrArray *read_book(Box *box, const char *address, SealStanding standing)
{
    g_autoptr(SealAddress) parsed = address ? seal_address_parse(address, NULL) : NULL;
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;

    g_assert_true(box->source->book->read(box->module, parsed, address ? "smime" : NULL, standing,
                                          keys, &error));
    g_assert_no_error(error);
    return g_steal_pointer(&keys);
}

static SealStanding standing_of(Box *box, const char *address, const SealKey *key)
{
    g_autoptr(GPtrArray) keys = read_book(box, address, SEAL_STANDING_NONE);

    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)),
                        seal_key_fingerprint(key)))
            return seal_key_standing(g_ptr_array_index(keys, i));
    }
    return SEAL_STANDING_NONE;
}

static void test_book(void)
{
    g_auto(Box) box = {0};
    const char *alice = "alice@example.org";

    box_start(&box);
    g_autoptr(SealKey) one = person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    g_autoptr(SealKey) two = person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    g_assert_cmpint(standing_of(&box, alice, one), ==, SEAL_STANDING_NONE);
    set_standing(&box, alice, one, SEAL_STANDING_NONE);
    g_assert_cmpint(g_access(box.path, F_OK), !=, 0);
    guint64 before = box.source->book->changes(box.module);
    set_standing(&box, alice, one, SEAL_STANDING_SERVING);
    set_standing(&box, "bob@example.org", one, SEAL_STANDING_PENDING);
    set_standing(&box, alice, two, SEAL_STANDING_PENDING);
    g_assert_cmpuint(box.source->book->changes(box.module), >, before);
    box_reopen(&box);
    g_assert_cmpint(standing_of(&box, alice, one), ==, SEAL_STANDING_SERVING);
    g_assert_cmpint(standing_of(&box, alice, two), ==, SEAL_STANDING_PENDING);

    g_autoptr(GPtrArray) keys = read_book(&box, alice, SEAL_STANDING_SERVING);
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_nonnull(seal_key_native(g_ptr_array_index(keys, 0)));
    g_assert_cmpstr(seal_key_source(g_ptr_array_index(keys, 0)), ==, "test");
    g_assert_cmpstr(seal_key_place(g_ptr_array_index(keys, 0)), ==, "a/file.pem");
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_DISCOVERED);

    g_autoptr(GPtrArray) pending = read_book(&box, NULL, SEAL_STANDING_PENDING);
    g_assert_cmpuint(pending->len, ==, 2);
    g_assert_cmpstr(seal_key_bound(g_ptr_array_index(pending, 0))[0], ==, alice);
    g_assert_cmpstr(seal_key_bound(g_ptr_array_index(pending, 1))[0], ==, "bob@example.org");
    g_autoptr(GPtrArray) all = read_book(&box, NULL, SEAL_STANDING_NONE);
    g_assert_cmpuint(all->len, ==, 3);

    set_standing(&box, alice, one, SEAL_STANDING_NONE);
    g_assert_cmpint(standing_of(&box, alice, one), ==, SEAL_STANDING_NONE);
    g_assert_cmpint(standing_of(&box, alice, two), ==, SEAL_STANDING_PENDING);
}

static void test_pin(void)
{
    g_auto(Box) box = {0};
    const char *alice = "alice@example.org";

    box_start(&box);
    g_autoptr(SealKey) one = person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    g_autoptr(SealKey) two = person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    set_standing(&box, alice, one, SEAL_STANDING_PINNED);
    set_standing(&box, "bob@example.org", one, SEAL_STANDING_PINNED);
    set_standing(&box, alice, two, SEAL_STANDING_PINNED);
    g_assert_cmpint(standing_of(&box, alice, one), ==, SEAL_STANDING_NONE);
    g_assert_cmpint(standing_of(&box, alice, two), ==, SEAL_STANDING_PINNED);
    g_assert_cmpint(standing_of(&box, "bob@example.org", one), ==, SEAL_STANDING_PINNED);
}

static void test_pending(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);

    box_start(&box);
    g_autoptr(SealKey) first = person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
    set_standing(&box, "alice@example.org", first, SEAL_STANDING_PENDING);
    for (guint i = 1; i < 8; i++) {
        g_autoptr(SealKey) key = person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
        set_standing(&box, "alice@example.org", key, SEAL_STANDING_PENDING);
    }
    g_autoptr(SealKey) ninth = person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
    g_assert_false(
        box.source->book->write(box.module, alice, ninth, SEAL_STANDING_PENDING, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
    /* One of the eight, and somebody else's, may still be. */
    set_standing(&box, "alice@example.org", first, SEAL_STANDING_PENDING);
    set_standing(&box, "bob@example.org", ninth, SEAL_STANDING_PENDING);
    set_standing(&box, "alice@example.org", first, SEAL_STANDING_REJECTED);
    set_standing(&box, "alice@example.org", ninth, SEAL_STANDING_PENDING);
}

/* -------------------------------------------------------------------------------------------
 * What goes wrong
 */

static void refused(Box *box, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(find_in(box, box->source, "alice@example.org", "smime", NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    if (!strstr(error->message, text) || !strstr(error->message, box->path))
        g_error("\"%s\" is not in \"%s\"", text, error->message);
}

static void test_faults(void)
{
    g_auto(Box) box = {0};
    g_autofree char *wal = NULL, *shm = NULL;

    box_start(&box);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    guint64 before = changes(&box);
    run_sql(&box, "PRAGMA user_version = 1000");
    box_reopen(&box);
    refused(&box, "a newer sealpipe has made it: schema 1000");
    run_sql(&box, "PRAGMA user_version = 1; CREATE VIEW v AS SELECT 1");
    refused(&box, "none of sealpipe's keys");
    run_sql(&box, "DROP VIEW v; ALTER TABLE names RENAME TO other");
    refused(&box, "is damaged");
    run_sql(&box, "ALTER TABLE other RENAME TO names");
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 1);

    g_assert_cmpint(g_chmod(box.path, 0620), ==, 0);
    refused(&box, "others can write to it");
    g_assert_cmpint(g_chmod(box.path, 0600), ==, 0);
    g_assert_cmpint(g_chmod(box.state, 0770), ==, 0);
    g_autoptr(GError) error = NULL;
    g_assert_null(find_in(&box, box.source, "alice@example.org", "smime", NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_cmpint(g_chmod(box.state, 0700), ==, 0);
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 1);

    /* Something else in its place, and then nothing. */
    before = changes(&box);
    g_assert_true(g_file_set_contents(box.path, "This is no database, but some text.\n", -1, NULL));
    wal = g_strconcat(box.path, "-wal", NULL);
    shm = g_strconcat(box.path, "-shm", NULL);
    g_unlink(wal);
    g_unlink(shm);
    refused(&box, "is damaged");
    g_unlink(box.path);
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 0);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_cmpuint(count(&box, "alice@example.org"), ==, 1);
    g_assert_cmpuint(changes(&box), >, before);
}

/* A key that cannot be read is named, and hides no other. */
static void test_doubt(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *doubt = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    put(&box, person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    put_into(&box, box.source, key);
    g_autofree char *sql = g_strdup_printf(
        "UPDATE keys SET octets = x'00010203' WHERE fingerprint = '%s'", seal_key_fingerprint(key));
    run_sql(&box, sql);
    g_autoptr(GPtrArray) keys =
        find_in(&box, box.source, "alice@example.org", "smime", &doubt, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_nonnull(doubt);
    g_assert_nonnull(strstr(doubt, seal_key_fingerprint(key)));
    /* Nor is another key taken for it. */
    run_sql(&box, "UPDATE keys SET octets = (SELECT max(octets) FROM keys)");
    g_clear_pointer(&doubt, g_free);
    g_autoptr(GPtrArray) again =
        find_in(&box, box.source, "alice@example.org", "smime", &doubt, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(again->len, ==, 1);
    g_assert_nonnull(strstr(doubt, "another key is in its place"));
}

static void test_trust_setting(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    smime_prepare(&box.smime);
    g_assert_false(smime_open(&box.smime, NULL, "[module keys-store]\ntrust=verified\n", &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "take this line out"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keys-store/none", test_none);
    g_test_add_func("/keys-store/put", test_put);
    g_test_add_func("/keys-store/put-again", test_put_again);
    g_test_add_func("/keys-store/domains", test_domains);
    g_test_add_func("/keys-store/sources", test_sources);
    g_test_add_func("/keys-store/copies", test_copies);
    g_test_add_func("/keys-store/list", test_list);
    g_test_add_func("/keys-store/changes", test_changes);
    g_test_add_func("/keys-store/book", test_book);
    g_test_add_func("/keys-store/pin", test_pin);
    g_test_add_func("/keys-store/pending", test_pending);
    g_test_add_func("/keys-store/faults", test_faults);
    g_test_add_func("/keys-store/doubt", test_doubt);
    g_test_add_func("/keys-store/trust-setting", test_trust_setting);
    return g_test_run();
}
