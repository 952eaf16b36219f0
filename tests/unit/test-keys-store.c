/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-keys-store.c: the key sources `store` and `harvested`, and the book, with certificates as
 * keys.
 */
#include "test-store-box.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
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
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
    g_assert_cmpuint(count_listed(&box, &filter), ==, 0);
    g_assert_true(box.source->remove(box.module, &filter, &removed, &error));
    g_assert_cmpuint(removed, ==, 0);
    changes(&box);
    /* Who only asks makes nothing. */
    g_assert_cmpint(g_rmdir(box.state), ==, 0);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
}

static void test_put(void)
{
    g_auto(Box) box = {0};
    struct stat st;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "Alice@Example.org", SEAL_TRUST_VERIFIED, NULL);
    g_assert_cmpuint(box_put_into(&box, box.source, key), ==, 1);
    g_assert_cmpuint(box_put_into(&box, box.source, key), ==, 0);
    box_reopen(&box);

    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.ORG");
    g_assert_cmpuint(keys->len, ==, 1);
    const SealKey *found = g_ptr_array_index(keys, 0);
    g_assert_cmpstr(seal_key_fingerprint(found), ==, seal_key_fingerprint(key));
    g_assert_cmpstr(seal_key_source(found), ==, "store");
    g_assert_cmpstr(seal_key_place(found), ==, "a/file.pem");
    g_assert_cmpint(seal_key_trust(found), ==, SEAL_TRUST_VERIFIED);
    g_assert_nonnull(seal_key_native(found));
    g_assert_cmpint(ABS(seal_key_added(found) - g_get_real_time() / G_USEC_PER_SEC), <, 600);
    g_assert_cmpint(seal_key_last_used(found), ==, 0);
    g_assert_cmpuint(box_count(&box, "bob@example.org"), ==, 0);

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
        g_assert_cmpuint(box_put_into(&box, box.source, g_ptr_array_index(keys, 0)), ==, 1 - i);
    }

    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.org");
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
    box_put(&box, box_person(&box, "gateway@example.org", SEAL_TRUST_MANUAL, "@example.org"));
    box_put(&box, box_person(&box, "below@example.com", SEAL_TRUST_MANUAL, "@.example.org"));
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_MANUAL, "Carol@Other.example"));

    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 2);
    g_assert_cmpuint(box_count(&box, "nobody@Example.org"), ==, 1);
    g_assert_cmpuint(box_count(&box, "nobody@a.b.example.org"), ==, 1);
    g_assert_cmpuint(box_count(&box, "nobody@bexample.org"), ==, 0);
    g_assert_cmpuint(box_count(&box, "nobody@example.com"), ==, 0);
    g_assert_cmpuint(box_count(&box, "carol@other.example"), ==, 1);
    g_assert_cmpuint(box_count(&box, "dave@other.example"), ==, 0);

    /* The person's own key comes first. */
    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.org");
    g_autoptr(SealAddress) alice = seal_address_parse("alice@example.org", NULL);
    g_assert_cmpint(seal_key_serves(g_ptr_array_index(keys, 0), alice), ==, SEAL_SERVES_ADDRESS);
    g_assert_cmpint(seal_key_serves(g_ptr_array_index(keys, 1), alice), ==, SEAL_SERVES_DOMAIN);
}

static void test_sources(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_MANUAL, NULL);
    box_put_into(&box, box.harvested, key);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
    g_autoptr(GPtrArray) keys =
        box_find_in(&box, box.harvested, "alice@example.org", "smime", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    /* Whatever was said when it was put there. */
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_HARVESTED);
    g_assert_cmpstr(seal_key_source(g_ptr_array_index(keys, 0)), ==, "harvested");

    /* Another format's are others. */
    box_put_into(&box, box.source, key);
    g_autoptr(GPtrArray) none =
        box_find_in(&box, box.source, "alice@example.org", "pgp", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_copies(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) copies = new_keys();

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    box_put_into(&box, box.source, key);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_true(box.source->copies(box.module, key, SEAL_TRUST_MANUAL, NULL, copies, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(copies->len, ==, 1);
    g_assert_cmpstr(seal_key_fingerprint(g_ptr_array_index(copies, 0)), ==,
                    seal_key_fingerprint(key));
    /* One that cannot be read may say that it is revoked. */
    box_put_into(&box, box.harvested, key);
    box_run_sql(&box, "UPDATE keys SET octets = x'00' WHERE source = 'harvested'");
    g_assert_true(box.source->copies(box.module, key, SEAL_TRUST_MANUAL, NULL, copies, &error));
    g_assert_false(
        box.harvested->copies(box.module, key, SEAL_TRUST_HARVESTED, NULL, copies, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "it may say that the key is revoked"));
}

static void test_list(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    guint removed;

    box_start(&box);
    g_autoptr(SealKey) carol = box_person(&box, "carol@example.org", SEAL_TRUST_VERIFIED, NULL);
    box_put_into(&box, box.source, carol);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, "@example.net"));
    box_put(&box, box_person(&box, "bob@example.org", SEAL_TRUST_MANUAL, "alice@example.org"));

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
    g_assert_cmpuint(box_count(&box, "carol@example.org"), ==, 0);
    g_assert_cmpuint(count_listed(&box, &all), ==, 2);
    some = all;
    some.address = alice;
    g_assert_true(box.source->remove(box.module, &some, &removed, &error));
    g_assert_cmpuint(removed, ==, 2);
    /* Nothing of them is left behind. */
    g_assert_cmpint(box_ask_sql(&box, "SELECT (SELECT count(*) FROM names) + count(*) FROM keys"),
                    ==, 0);
}

static void test_changes(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    guint64 before = changes(&box);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_cmpuint(changes(&box), >, before);
    before = changes(&box);
    g_assert_cmpuint(changes(&box), ==, before);
    /* Another process: within a second or so. */
    box_run_sql(&box, "UPDATE counts SET changes = changes + 1 WHERE part = 'store'");
    for (guint i = 0; i < 100 && changes(&box) == before; i++)
        g_usleep(100000);
    g_assert_cmpuint(changes(&box), >, before);
    before = changes(&box);
    /* What concerns others does not count. */
    box_run_sql(&box, "UPDATE counts SET changes = changes + 1 WHERE part = 'book'");
    g_usleep(1100000);
    g_assert_cmpuint(changes(&box), ==, before);
}

static void test_used(void)
{
    g_auto(Box) box = {0};
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    box_start(&box);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    guint64 before = changes(&box);
    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.org");
    box.source->used(box.module, g_ptr_array_index(keys, 0));
    g_autoptr(GPtrArray) again = box_find(&box, "alice@example.org");
    g_assert_cmpint(ABS(seal_key_last_used(g_ptr_array_index(again, 0)) - now), <, 600);
    g_assert_cmpuint(changes(&box), ==, before);

    /* Not again on the same day, in whatever process. */
    box_run_sql(&box, "UPDATE keys SET last_used = last_used - 1000");
    box_reopen(&box);
    box.source->used(box.module, g_ptr_array_index(keys, 0));
    g_autoptr(GPtrArray) third = box_find(&box, "alice@example.org");
    g_assert_cmpint(seal_key_last_used(g_ptr_array_index(third, 0)), <, now - 300);
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
    g_autoptr(SealKey) one = box_person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    g_autoptr(SealKey) two = box_person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
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
    g_autoptr(SealKey) one = box_person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    g_autoptr(SealKey) two = box_person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
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
    g_autoptr(SealKey) first = box_person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
    set_standing(&box, "alice@example.org", first, SEAL_STANDING_PENDING);
    for (guint i = 1; i < 8; i++) {
        g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
        set_standing(&box, "alice@example.org", key, SEAL_STANDING_PENDING);
    }
    g_autoptr(SealKey) ninth = box_person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL);
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
 * What other sources said
 */

/* NULL where there is none. */
static GPtrArray *recall(Box *box, const char *source, const char *address, gint64 *until)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    SealRecollection asked = {
        .size = sizeof asked, .source = source, .format = "smime", .address = parsed, .keys = keys};
    gboolean known = FALSE;

    g_assert_true(box->source->recall(box->module, &asked, &known, &error));
    g_assert_no_error(error);
    if (until)
        *until = asked.until;
    return known ? g_steal_pointer(&keys) : NULL;
}

static void remember(Box *box, const char *source, const char *address, SealKey *key, gint64 until)
{
    g_autoptr(SealAddress) parsed = seal_address_parse(address, NULL);
    g_autoptr(GPtrArray) keys = new_keys();
    g_autoptr(GError) error = NULL;
    const SealRecollection told = {.size = sizeof told,
                                   .source = source,
                                   .format = "smime",
                                   .address = parsed,
                                   .keys = keys,
                                   .until = until};

    if (key)
        g_ptr_array_add(keys, seal_key_ref(key));
    gboolean ok = box->source->remember(box->module, &told, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
}

static void test_recall(void)
{
    g_auto(Box) box = {0};
    const char *alice = "alice@example.org";
    gint64 now = g_get_real_time() / G_USEC_PER_SEC, until = 0;

    box_start(&box);
    g_assert_null(recall(&box, "ldap", alice, NULL));
    g_assert_cmpint(g_access(box.path, F_OK), !=, 0);
    g_autoptr(SealKey) key = box_person(&box, alice, SEAL_TRUST_DISCOVERED, NULL);
    remember(&box, "ldap", alice, key, now + 60);
    guint64 before = changes(&box);
    remember(&box, "wkd", alice, NULL, now - 60);
    box_reopen(&box);

    g_autoptr(GPtrArray) keys = recall(&box, "ldap", "ALICE@example.org", &until);
    g_assert_nonnull(keys);
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_cmpint(until, ==, now + 60);
    g_assert_cmpstr(seal_key_source(g_ptr_array_index(keys, 0)), ==, "ldap");
    g_assert_cmpstr(seal_key_place(g_ptr_array_index(keys, 0)), ==, "a/file.pem");
    g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==, SEAL_TRUST_DISCOVERED);
    /* None is an answer, and one whose time is over is given too. */
    g_autoptr(GPtrArray) none = recall(&box, "wkd", alice, &until);
    g_assert_nonnull(none);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmpint(until, ==, now - 60);
    g_assert_null(recall(&box, "dane", alice, NULL));
    g_assert_null(recall(&box, "ldap", "bob@example.org", NULL));

    remember(&box, "ldap", alice, NULL, now + 60);
    g_autoptr(GPtrArray) gone = recall(&box, "ldap", alice, NULL);
    g_assert_cmpuint(gone->len, ==, 0);
    g_assert_cmpint(box_ask_sql(&box, "SELECT count(*) FROM found"), ==, 0);
    /* Nothing that others remember of the store changes by it. */
    box_reopen(&box);
    before = changes(&box);
    remember(&box, "dane", alice, key, now + 60);
    g_assert_cmpuint(changes(&box), ==, before);
}

static void test_recall_bounds(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    remember(&box, "ldap", "alice@example.org", NULL, G_MAXINT32);
    box_run_sql(&box,
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                "100050) INSERT INTO lookups (source, format, address, found, until) SELECT "
                "'wkd', 'smime', i, 1, CASE WHEN i < 8 THEN i ELSE 2000000000 + i END FROM n");
    /* Those that are long over go first, and what is too many where it is counted. */
    remember(&box, "ldap", "bob@example.org", NULL, G_MAXINT32);
    g_assert_cmpint(box_ask_sql(&box, "SELECT count(*) FROM lookups WHERE until < 8"), ==, 0);
    box_reopen(&box);
    remember(&box, "ldap", "carol@example.org", NULL, G_MAXINT32);
    g_assert_cmpint(box_ask_sql(&box, "SELECT count(*) FROM lookups"), ==, 100000);
    g_autoptr(GPtrArray) keys = recall(&box, "ldap", "carol@example.org", NULL);
    g_assert_nonnull(keys);
}

#define TABLES                                                                                     \
    "SELECT group_concat(name || ' ' || (SELECT group_concat(name || type || pk) FROM "            \
    "pragma_table_info(s.name))) FROM (SELECT * FROM sqlite_schema ORDER BY name) s"

/* A store as the first version made it. */
static const char SCHEMA_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE counts (part TEXT PRIMARY KEY, changes INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO counts VALUES ('store', 5), ('harvested', 0), ('book', 0);"
    "CREATE TABLE keys (id INTEGER PRIMARY KEY, source TEXT NOT NULL, format TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, label TEXT NOT NULL, octets BLOB NOT NULL,"
    " valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, purposes INTEGER NOT NULL,"
    " trust INTEGER NOT NULL, place TEXT NOT NULL, ids TEXT NOT NULL, added INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL, UNIQUE (source, format, fingerprint)) STRICT;"
    "CREATE TABLE names (kind TEXT NOT NULL, name TEXT NOT NULL,"
    " key INTEGER NOT NULL REFERENCES keys ON DELETE CASCADE, written TEXT NOT NULL,"
    " PRIMARY KEY (kind, name, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX names_of_key ON names (key, kind);"
    "CREATE TABLE standings (address TEXT NOT NULL, format TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, standing INTEGER NOT NULL, since INTEGER NOT NULL,"
    " label TEXT NOT NULL, octets BLOB NOT NULL, valid_from INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL, purposes INTEGER NOT NULL, trust INTEGER NOT NULL,"
    " source TEXT NOT NULL, place TEXT NOT NULL, bound TEXT NOT NULL, ids TEXT NOT NULL,"
    " last_used INTEGER NOT NULL, PRIMARY KEY (address, format, fingerprint)) STRICT;"
    "CREATE INDEX standings_of_kind ON standings (standing, address);"
    "PRAGMA user_version = 1;";

static void make_schema_1(Box *box, const SealKey *key, GBytes *octets)
{
    g_autofree char *folder = g_path_get_dirname(box->path);
    g_autofree char *hex = seal_text_hex(g_bytes_get_data(octets, NULL), g_bytes_get_size(octets));
    g_autofree char *rows = g_strdup_printf(
        "INSERT INTO keys VALUES (7, 'store', 'smime', '%s', 'Alice', x'%s', 1, 2, 1, 4, 'old', '',"
        " 3, 0);"
        "INSERT INTO names VALUES ('address', 'alice@example.org', 7, 'alice@example.org');"
        "INSERT INTO standings VALUES ('alice@example.org', 'smime', '%s', 4, 9, 'Alice', x'%s', 1,"
        " 2, 1, 4, 'store', 'old', '', '', 0);",
        seal_key_fingerprint(key), hex, seal_key_fingerprint(key), hex);

    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    box_run_sql(box, SCHEMA_1);
    box_run_sql(box, rows);
    g_assert_cmpint(g_chmod(box->path, 0600), ==, 0);
}

static void test_migration(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    g_autoptr(GBytes) octets = seal_module_write_key(box.module, key, &error);
    g_assert_no_error(error);
    make_schema_1(&box, key, octets);

    g_autoptr(GPtrArray) keys = box_find(&box, "alice@example.org");
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_cmpstr(seal_key_place(g_ptr_array_index(keys, 0)), ==, "old");
    g_assert_cmpint(seal_key_added(g_ptr_array_index(keys, 0)), ==, 3);
    g_assert_cmpint(standing_of(&box, "alice@example.org", key), ==, SEAL_STANDING_PINNED);
    remember(&box, "ldap", "alice@example.org", key, 5);
    g_assert_cmpint(box_ask_sql(&box, "PRAGMA user_version"), ==, 3);
    /* What was migrated has the tables of what was made anew. */
    g_autofree char *old = box_ask_text(&box, TABLES);
    box_run_sql(&box, "VACUUM");
    box_run_sql(&box, "PRAGMA wal_checkpoint(TRUNCATE)");
    g_unlink(box.path);
    box_put_into(&box, box.source, key);
    g_autofree char *fresh = box_ask_text(&box, TABLES);
    g_assert_cmpstr(old, ==, fresh);
}

/* -------------------------------------------------------------------------------------------
 * Authorities
 */

/* Another process, which has the same store and no anchors. */
static void put_elsewhere(Box *box, X509 *cert)
{
    g_auto(Smime) other = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) keys = new_keys();
    g_autofree char *text = g_strdup_printf("[core]\nstate_dir=%s\n", box->state);
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));
    SealModule *module;
    guint added = 0;

    smime_prepare(&other);
    g_free(smime_write(&other, "conf.d/20-state.conf", data));
    g_assert_true(smime_open_with(&other, NULL, "[module keys-store]\n", &error));
    const SealSource *source = seal_dispatcher_source(other.dispatcher, "store", &module);
    g_ptr_array_add(keys, smime_key(&other, cert, SEAL_TRUST_DISCOVERED));
    g_assert_true(source->put(module, keys, &added, &error));
    g_assert_no_error(error);
}

static void trust_ca(Box *box)
{
    g_autoptr(GBytes) pem = pki_pem(box->ca);
    g_autofree char *path = smime_write(&box->smime, "anchor.pem", pem);
    g_autofree char *text = g_strdup_printf("[module smime]\ntrust_anchors=%s\n", path);
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));

    g_free(smime_write(&box->smime, "conf.d/30-anchor.conf", data));
    box_reopen(box);
}

/* (transfer full) */
static char *judge_found(Box *box, const char *address)
{
    g_autoptr(GPtrArray) keys = box_find(box, address);

    g_assert_cmpuint(keys->len, ==, 1);
    return smime_judge(&box->smime, g_ptr_array_index(keys, 0), SEAL_PURPOSE_ENCRYPT,
                       g_get_real_time() / G_USEC_PER_SEC, NULL);
}

static void assert_comes_to(Box *box, const char *address, const char *code)
{
    gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    g_autofree char *judged = judge_found(box, address);

    while (!g_str_equal(judged, code) && g_get_monotonic_time() < until) {
        g_usleep(20000);
        g_free(judged);
        judged = judge_found(box, address);
    }
    g_assert_cmpstr(judged, ==, code);
}

/* Nobody asks for an issuer by name: it has to be there, before and after. */
static void test_issuers(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    box_start(&box);
    trust_ca(&box);
    g_autoptr(X509) sub = pki_ca("Sub", box.ca);
    g_autoptr(X509) subsub = pki_ca("Subsub", sub);
    g_autoptr(X509) zoe = pki_person("zoe@example.org", "P-256", NULL, subsub);
    put_elsewhere(&box, zoe);
    put_elsewhere(&box, sub);
    g_autofree char *first = judge_found(&box, "zoe@example.org");
    g_assert_cmpstr(first, ==, "untrusted");
    put_elsewhere(&box, subsub);
    assert_comes_to(&box, "zoe@example.org", "usable");

    /* Before any source is asked the book is read: what another source has is issued by them, too.
     */
    box_reopen(&box);
    g_autoptr(SealAddress) address = seal_address_parse("bob@example.org", NULL);
    g_autoptr(SealKey) key = smime_key(&box.smime, zoe, SEAL_TRUST_DISCOVERED);
    g_autoptr(GPtrArray) keys = new_keys();
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree char *none = smime_judge(&box.smime, key, SEAL_PURPOSE_ENCRYPT, now, NULL);
    g_assert_cmpstr(none, ==, "untrusted");
    g_assert_true(
        box.source->book->read(box.module, address, "smime", SEAL_STANDING_NONE, keys, &error));
    g_autofree char *then = smime_judge(&box.smime, key, SEAL_PURPOSE_ENCRYPT, now, NULL);
    g_assert_cmpstr(then, ==, "usable");
}

/* A CA of the store is no anchor, however it was added. */
static void test_issuers_no_anchor(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    g_autoptr(X509) root = pki_ca("Root", NULL);
    g_autoptr(X509) zoe = pki_person("zoe@example.org", "P-256", NULL, root);
    trust_ca(&box);
    g_autoptr(SealKey) key = smime_key(&box.smime, root, SEAL_TRUST_MANUAL);
    box_put_into(&box, box.source, key);
    put_elsewhere(&box, zoe);
    box_reopen(&box);
    g_autofree char *code = judge_found(&box, "zoe@example.org");
    g_assert_cmpstr(code, ==, "untrusted");
}

/* -------------------------------------------------------------------------------------------
 * What goes wrong
 */

static void refused(Box *box, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(box_find_in(box, box->source, "alice@example.org", "smime", NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    if (!strstr(error->message, text) || !strstr(error->message, box->path))
        g_error("\"%s\" is not in \"%s\"", text, error->message);
}

static void test_faults(void)
{
    g_auto(Box) box = {0};
    g_autofree char *wal = NULL, *shm = NULL;

    box_start(&box);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    guint64 before = changes(&box);
    box_run_sql(&box, "PRAGMA user_version = 1000");
    box_reopen(&box);
    refused(&box, "a newer sealpipe has made it: schema 1000");
    box_run_sql(&box, "PRAGMA user_version = 3; CREATE VIEW v AS SELECT 1");
    refused(&box, "none of sealpipe's keys");
    box_run_sql(&box, "DROP VIEW v; ALTER TABLE names RENAME TO other");
    refused(&box, "is damaged");
    box_run_sql(&box, "ALTER TABLE other RENAME TO names");
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);

    g_assert_cmpint(g_chmod(box.path, 0620), ==, 0);
    refused(&box, "others can write to it");
    g_assert_cmpint(g_chmod(box.path, 0600), ==, 0);
    g_assert_cmpint(g_chmod(box.state, 0770), ==, 0);
    g_autoptr(GError) error = NULL;
    g_assert_null(box_find_in(&box, box.source, "alice@example.org", "smime", NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_cmpint(g_chmod(box.state, 0700), ==, 0);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);

    /* A link that leads nowhere is not nothing. */
    g_autofree char *folder = g_path_get_dirname(box.path);
    g_autofree char *moved = g_strconcat(folder, ".moved", NULL);
    box_reopen(&box);
    g_assert_cmpint(g_rename(folder, moved), ==, 0);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
    g_assert_cmpint(symlink("/nonexistent/folder", folder), ==, 0);
    refused(&box, "neither a file nor a folder of ours");
    g_assert_cmpint(g_unlink(folder), ==, 0);
    g_assert_cmpint(g_rename(moved, folder), ==, 0);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);

    /* Something else in its place, and then nothing. */
    before = changes(&box);
    g_assert_true(g_file_set_contents(box.path, "This is no database, but some text.\n", -1, NULL));
    wal = g_strconcat(box.path, "-wal", NULL);
    shm = g_strconcat(box.path, "-shm", NULL);
    g_unlink(wal);
    g_unlink(shm);
    refused(&box, "is damaged");
    g_unlink(box.path);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);
    g_assert_cmpuint(changes(&box), >, before);
}

/* A key that cannot be read is named, and hides no other. */
static void test_doubt(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *doubt = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    box_put_into(&box, box.source, key);
    g_autofree char *sql = g_strdup_printf(
        "UPDATE keys SET octets = x'00010203' WHERE fingerprint = '%s'", seal_key_fingerprint(key));
    box_run_sql(&box, sql);
    g_autoptr(GPtrArray) keys =
        box_find_in(&box, box.source, "alice@example.org", "smime", &doubt, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    g_assert_nonnull(doubt);
    g_assert_nonnull(strstr(doubt, seal_key_fingerprint(key)));
    /* Nor is another key taken for it. */
    box_run_sql(&box, "UPDATE keys SET octets = (SELECT max(octets) FROM keys)");
    g_clear_pointer(&doubt, g_free);
    g_autoptr(GPtrArray) again =
        box_find_in(&box, box.source, "alice@example.org", "smime", &doubt, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(again->len, ==, 1);
    g_assert_nonnull(strstr(doubt, "another key is in its place"));
}

/* Where there is no other that is as good, that there is one is known, and not which it is. */
static void test_lost(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *doubt = NULL;

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    box_put_into(&box, box.source, key);
    box_run_sql(&box, "UPDATE keys SET octets = x''");
    refused(&box, "sealctl keys remove");
    g_assert_cmpuint(box_count(&box, "bob@example.org"), ==, 0);
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_DISCOVERED, NULL));
    refused(&box, seal_key_fingerprint(key));
    box_put(&box, box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL));
    g_autoptr(GPtrArray) keys =
        box_find_in(&box, box.source, "alice@example.org", "smime", &doubt, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 2);
    g_assert_nonnull(strstr(doubt, seal_key_fingerprint(key)));
}

/* Beside what SQLite has written for a file with tables, an empty one or none is damage. */
static void test_cut_off(void)
{
    g_auto(Box) box = {0};

    box_start(&box);
    g_autoptr(SealKey) key = box_person(&box, "alice@example.org", SEAL_TRUST_VERIFIED, NULL);
    g_autofree char *wal = g_strconcat(box.path, "-wal", NULL);
    g_autofree char *shm = g_strconcat(box.path, "-shm", NULL);
    box_put_into(&box, box.source, key);
    /* Closed, so that it has nothing beside it but what is put there. */
    box_reopen(&box);
    g_assert_false(g_file_test(wal, G_FILE_TEST_EXISTS));
    g_assert_cmpint(truncate(box.path, 0), ==, 0);
    g_assert_true(g_file_set_contents(shm, "", 0, NULL));
    refused(&box, "it is empty");
    g_unlink(shm);
    g_assert_true(g_file_set_contents(wal, "some of it", -1, NULL));
    refused(&box, "it is empty");
    g_unlink(box.path);
    refused(&box, "it is gone");
    g_autoptr(GPtrArray) one = new_keys();
    g_autoptr(GError) error = NULL;
    guint added;
    g_ptr_array_add(one, seal_key_ref(key));
    g_assert_false(box.source->put(box.module, one, &added, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_unlink(wal);
    /* As one leaves it that is killed before it has written anything. */
    g_assert_true(g_file_set_contents_full(box.path, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 0);
    box_put_into(&box, box.source, key);
    g_assert_cmpuint(box_count(&box, "alice@example.org"), ==, 1);
}

static void test_trust_setting(void)
{
    g_auto(Box) box = {0};
    g_autoptr(GError) error = NULL;

    smime_prepare(&box.smime);
    g_assert_false(
        smime_open_with(&box.smime, NULL, "[module keys-store]\ntrust=verified\n", &error));
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
    g_test_add_func("/keys-store/used", test_used);
    g_test_add_func("/keys-store/book", test_book);
    g_test_add_func("/keys-store/pin", test_pin);
    g_test_add_func("/keys-store/pending", test_pending);
    g_test_add_func("/keys-store/recall", test_recall);
    g_test_add_func("/keys-store/recall-bounds", test_recall_bounds);
    g_test_add_func("/keys-store/migration", test_migration);
    g_test_add_func("/keys-store/issuers", test_issuers);
    g_test_add_func("/keys-store/issuers-no-anchor", test_issuers_no_anchor);
    g_test_add_func("/keys-store/faults", test_faults);
    g_test_add_func("/keys-store/doubt", test_doubt);
    g_test_add_func("/keys-store/lost", test_lost);
    g_test_add_func("/keys-store/cut-off", test_cut_off);
    g_test_add_func("/keys-store/trust-setting", test_trust_setting);
    return g_test_run();
}
