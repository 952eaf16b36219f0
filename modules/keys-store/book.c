/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * book.c: what is written down of keys, by hand and in use. The key itself is kept with it,
 * whatever becomes of it where it came from.
 */
#include "keys-store.h"

/* What is written down of one key. */
typedef struct {
    StoreRow key;
    char *address;
    char *source;
    SealStanding standing;
} Entry;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    store_row_clear(&entry->key);
    g_free(entry->address);
    g_free(entry->source);
    g_free(entry);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* NULL where it is none of ours. */
static Entry *take_entry(Store *store, sqlite3_stmt *statement, GError **error)
{
    g_autofree char *bound = store_text(statement, 11), *ids = store_text(statement, 12);
    gint64 standing = sqlite3_column_int64(statement, 3);
    gint64 trust = sqlite3_column_int64(statement, 8);
    Entry *entry;

    if (standing <= SEAL_STANDING_NONE || standing > SEAL_STANDING_PINNED ||
        trust <= SEAL_TRUST_UNSET || trust > SEAL_TRUST_MANUAL) {
        store_damaged(store, "a key in the book has a standing or trust that there is not", error);
        return NULL;
    }
    entry = g_new0(Entry, 1);
    entry->address = store_text(statement, 0);
    entry->standing = (SealStanding)standing;
    entry->source = store_text(statement, 9);
    entry->key = (StoreRow){
        .format = store_text(statement, 1),
        .fingerprint = store_text(statement, 2),
        .octets = store_octets(statement, 4),
        .valid_from = sqlite3_column_int64(statement, 5),
        .valid_until = sqlite3_column_int64(statement, 6),
        .purposes = (guint)sqlite3_column_int64(statement, 7),
        .trust = (SealTrust)trust,
        .place = store_text(statement, 10),
        .bound = store_split(bound),
        .ids = store_split(ids),
        .added = sqlite3_column_int64(statement, 13),
        .label = store_text(statement, 14),
        .last_used = sqlite3_column_int64(statement, 15),
    };
    return entry;
}

static GPtrArray *read_entries(Store *store, const SealAddress *address, const char *format,
                               SealStanding standing, GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
    sqlite3_stmt *statement = store_query(
        store, error,
        address ? "SELECT address, format, fingerprint, standing, octets, valid_from, valid_until, "
                  "purposes, trust, source, place, bound, ids, since, label, last_used "
                  "FROM standings WHERE address = ?1 AND (?2 IS NULL OR format = ?2) "
                  "AND (?3 = 0 OR standing = ?3) ORDER BY since, fingerprint"
                : "SELECT address, format, fingerprint, standing, octets, valid_from, valid_until, "
                  "purposes, trust, source, place, bound, ids, since, label, last_used "
                  "FROM standings WHERE ?1 IS NULL AND (?2 IS NULL OR format = ?2) "
                  "AND (?3 = 0 OR standing = ?3) ORDER BY address, format, since, fingerprint",
        "tti", address ? seal_address_key(address) : NULL, format, (gint64)standing);
    gboolean row = statement != NULL, ok = row;

    while (ok && (ok = store_step(store, statement, &row, error)) && row) {
        Entry *entry = take_entry(store, statement, error);
        if (entry)
            g_ptr_array_add(entries, entry);
        ok = entry != NULL;
    }
    store_done(statement);
    return ok ? g_steal_pointer(&entries) : NULL;
}

static gboolean add_entry(Store *store, const Entry *entry, gboolean listed, GPtrArray *keys,
                          GError **error)
{
    const char *const whom[] = {entry->address, NULL};
    const SealOrigin origin = {
        .size = sizeof origin,
        .source = entry->source,
        .place = *entry->key.place ? entry->key.place : store->path,
        .trust = entry->key.trust,
        .bound = listed ? whom : (const char *const *)entry->key.bound,
        .standing = entry->standing,
        .added = entry->key.added,
        .last_used = entry->key.last_used,
    };
    g_autoptr(GError) problem = NULL;

    if (store_row_read(store, &entry->key, &origin, keys, &problem))
        return TRUE;
    /* What is only looked at may be one that no format reads any more. */
    if (listed)
        g_ptr_array_add(keys, store_row_key(&entry->key, &origin));
    return listed || store_fail(error, SEAL_ERROR_UNAVAILABLE,
                                "what is written down of %s cannot be read: %s", entry->address,
                                problem->message);
}

static gboolean book_read(SealModule *self, const SealAddress *address, const char *format,
                          SealStanding standing, GPtrArray *keys, GError **error)
{
    Store *store = seal_module_data(self);
    g_autoptr(GPtrArray) entries = NULL;
    gboolean there = FALSE;

    /* It is read before any source is asked. */
    if (!store_issuers_offer(store, NULL, error) ||
        !store_begin(store, STORE_READ, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    entries = read_entries(store, address, format, standing, error);
    if (!store_end(store, entries != NULL, error))
        return FALSE;
    for (guint i = 0; i < entries->len; i++) {
        if (!add_entry(store, g_ptr_array_index(entries, i), !address, keys, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static gboolean may_wait(Store *store, const SealAddress *address, const SealKey *key,
                         GError **error)
{
    sqlite3_stmt *statement = store_query(
        store, error,
        "SELECT count(*) FROM standings WHERE address = ?1 AND format = ?2 AND standing = ?3 "
        "AND fingerprint <> ?4",
        "ttit", seal_address_key(address), seal_key_format(key), (gint64)SEAL_STANDING_PENDING,
        seal_key_fingerprint(key));
    gboolean row = FALSE;

    if (!statement || !store_step(store, statement, &row, error))
        return FALSE;
    gint64 count = row ? sqlite3_column_int64(statement, 0) : 0;
    store_done(statement);
    return count < STORE_MAX_PENDING ||
           store_fail(error, SEAL_ERROR_LIMIT,
                      "%d %s keys wait for leave to serve %s already; see `sealctl keys pending`",
                      STORE_MAX_PENDING, seal_key_format(key), seal_address_text(address));
}

static gboolean forget(Store *store, const SealAddress *address, const SealKey *key, GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "DELETE FROM standings WHERE address = ?1 AND format = ?2 "
                                 "AND fingerprint = ?3",
                                 "ttt", seal_address_key(address), seal_key_format(key),
                                 seal_key_fingerprint(key)),
                     error);
}

/* One alone is pinned. */
static gboolean unpin_others(Store *store, const SealAddress *address, const SealKey *key,
                             GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "DELETE FROM standings WHERE address = ?1 AND format = ?2 "
                                 "AND standing = ?3 AND fingerprint <> ?4",
                                 "ttit", seal_address_key(address), seal_key_format(key),
                                 (gint64)SEAL_STANDING_PINNED, seal_key_fingerprint(key)),
                     error);
}

static gboolean write_entry(Store *store, const SealAddress *address, const SealKey *key,
                            GBytes *octets, SealStanding standing, GError **error)
{
    g_autofree char *bound = store_join(seal_key_bound(key));
    g_autofree char *ids = store_join(seal_key_detected_ids(key));
    const char *place = seal_key_place(key), *label = seal_key_label(key);
    const char *source = seal_key_source(key);

    return store_run(
        store,
        store_query(store, error,
                    "INSERT INTO standings (address, format, fingerprint, standing, since, label, "
                    "octets, valid_from, valid_until, purposes, trust, source, place, bound, ids, "
                    "last_used) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0) "
                    "ON CONFLICT DO UPDATE SET standing = excluded.standing, "
                    "since = iif(standing = excluded.standing, since, excluded.since), "
                    "label = excluded.label, octets = excluded.octets, "
                    "valid_from = excluded.valid_from, valid_until = excluded.valid_until, "
                    "purposes = excluded.purposes, trust = excluded.trust, "
                    "source = excluded.source, place = excluded.place, bound = excluded.bound, "
                    "ids = excluded.ids",
                    "tttiitbiiiitttt", seal_address_key(address), seal_key_format(key),
                    seal_key_fingerprint(key), (gint64)standing, g_get_real_time() / G_USEC_PER_SEC,
                    label ? label : "", octets, seal_key_valid_from(key), seal_key_valid_until(key),
                    (gint64)seal_key_purposes(key), (gint64)seal_key_trust(key),
                    source ? source : "", place ? place : "", bound, ids),
        error);
}

static gboolean write_standing(Store *store, const SealAddress *address, const SealKey *key,
                               GBytes *octets, SealStanding standing, GError **error)
{
    if (standing == SEAL_STANDING_NONE)
        return forget(store, address, key, error);
    return (standing != SEAL_STANDING_PENDING || may_wait(store, address, key, error)) &&
           (standing != SEAL_STANDING_PINNED || unpin_others(store, address, key, error)) &&
           write_entry(store, address, key, octets, standing, error);
}

/* What is forgotten need not be there, and neither need its octets. */
static gboolean book_write(SealModule *self, const SealAddress *address, SealKey *key,
                           SealStanding standing, GError **error)
{
    Store *store = seal_module_data(self);
    StoreUse use = standing == SEAL_STANDING_NONE ? STORE_FORGET : STORE_NOTE;
    g_autoptr(GBytes) octets =
        standing == SEAL_STANDING_NONE ? NULL : seal_module_write_key(self, key, error);
    gboolean there = FALSE;

    if (!octets && standing != SEAL_STANDING_NONE)
        return FALSE;
    if (octets && g_bytes_get_size(octets) > STORE_MAX_OCTETS)
        return store_fail(error, SEAL_ERROR_LIMIT, "the %s key %s has more than %d octets",
                          seal_key_format(key), seal_key_fingerprint(key), STORE_MAX_OCTETS);
    if (!store_begin(store, use, NULL, &there, error))
        return FALSE;
    return !there || store_end(store,
                               write_standing(store, address, key, octets, standing, error) &&
                                   store_count_change(store, STORE_OF_BOOK, error),
                               error);
}

static guint64 book_changes(SealModule *self)
{
    return store_changes(seal_module_data(self), STORE_OF_BOOK);
}

const SealKeyBook store_book = {
    .size = sizeof store_book,
    .read = book_read,
    .write = book_write,
    .changes = book_changes,
};
