/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * found.c: what sources beyond a network said of addresses, so that it outlives a process. Nothing
 * here is needed: what cannot be kept or read is asked for again.
 */
#include "keys-store.h"

#include <string.h>

enum {
    MAX_LOOKUPS = 100000,
    MAX_KEYS = 32,                /* of one look-up; more are not kept */
    PURGED = 16,                  /* look-ups at most that each new one takes away */
    COUNTED = 64,                 /* new ones between two counts of all */
    KEPT_OVER = 30 * 24 * 60 * 60 /* seconds that one is kept after its time */
};

/* -------------------------------------------------------------------------------------------
 * Recalling
 */

/* *@id is 0 where there is none. */
static gboolean find_lookup(Store *store, SealRecollection *asked, gint64 *id, GError **error)
{
    sqlite3_stmt *statement = store_query(
        store, error,
        "SELECT id, found, until FROM lookups WHERE source = ?1 AND format = ?2 AND address = ?3",
        "ttt", asked->source, asked->format, seal_address_key(asked->address));
    gboolean row = FALSE;

    *id = 0;
    if (!statement || !store_step(store, statement, &row, error))
        return FALSE;
    if (row) {
        *id = sqlite3_column_int64(statement, 0);
        asked->found = sqlite3_column_int64(statement, 1);
        asked->until = sqlite3_column_int64(statement, 2);
    }
    store_done(statement);
    return TRUE;
}

static void found_free(gpointer data)
{
    store_row_clear(data);
    g_free(data);
}

static GPtrArray *read_found(Store *store, gint64 id, GError **error)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(found_free);
    sqlite3_stmt *statement =
        store_query(store, error,
                    "SELECT fingerprint, label, octets, trust, place FROM found WHERE lookup = ?1 "
                    "ORDER BY number",
                    "i", id);
    gboolean row = statement != NULL, ok = row;

    while (ok && (ok = store_step(store, statement, &row, error)) && row) {
        StoreRow *found = g_new0(StoreRow, 1);

        found->fingerprint = store_text(statement, 0);
        found->label = store_text(statement, 1);
        found->octets = store_octets(statement, 2);
        found->trust = (SealTrust)CLAMP(sqlite3_column_int64(statement, 3), SEAL_TRUST_UNVERIFIED,
                                        SEAL_TRUST_MANUAL);
        found->place = store_text(statement, 4);
        g_ptr_array_add(rows, found);
    }
    return ok ? g_steal_pointer(&rows) : NULL;
}

/* Behind a space stands how the source was configured then. */
static gboolean read_keys(Store *store, const SealRecollection *asked, GPtrArray *rows,
                          GPtrArray *keys)
{
    g_autofree char *source = g_strndup(asked->source, strcspn(asked->source, " "));

    for (guint i = 0; i < rows->len; i++) {
        StoreRow *row = g_ptr_array_index(rows, i);
        const SealOrigin origin = {.size = sizeof origin,
                                   .source = source,
                                   .place = row->place,
                                   .trust = row->trust,
                                   .added = asked->found};

        row->format = g_strdup(asked->format);
        if (!store_row_read(store, row, &origin, keys, NULL))
            return FALSE;
    }
    return TRUE;
}

/* One of which a key cannot be read is none. */
gboolean store_recall(Store *store, SealRecollection *asked, gboolean *known, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) rows = NULL;
    gboolean there = FALSE;
    gint64 id = 0;

    *known = FALSE;
    if (!store_begin(store, STORE_READ, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    gboolean ok =
        find_lookup(store, asked, &id, error) && (id == 0 || (rows = read_found(store, id, error)));
    if (!store_end(store, ok, error))
        return FALSE;
    if (!rows || !read_keys(store, asked, rows, keys))
        return TRUE;
    *known = TRUE;
    g_ptr_array_extend_and_steal(asked->keys, g_steal_pointer(&keys));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Remembering
 */

static gboolean forget_lookup(Store *store, const SealRecollection *told, GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "DELETE FROM lookups WHERE source = ?1 AND format = ?2 "
                                 "AND address = ?3",
                                 "ttt", told->source, told->format,
                                 seal_address_key(told->address)),
                     error);
}

static gboolean purge_before(Store *store, gint64 until, gint64 most, GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "DELETE FROM lookups WHERE id IN (SELECT id FROM lookups "
                                 "WHERE until < ?1 ORDER BY until LIMIT ?2)",
                                 "ii", until, most),
                     error);
}

/* Those that end first go first, also before their time where there are too many. */
static gboolean purge(Store *store, gint64 now, GError **error)
{
    gboolean row = FALSE;

    if (!purge_before(store, now - KEPT_OVER, PURGED, error))
        return FALSE;
    if (store->remembered++ % COUNTED != 0)
        return TRUE;
    sqlite3_stmt *statement = store_query(store, error, "SELECT count(*) FROM lookups", "");
    if (!statement || !store_step(store, statement, &row, error))
        return FALSE;
    gint64 over = (row ? sqlite3_column_int64(statement, 0) : 0) - MAX_LOOKUPS;
    store_done(statement);
    return over <= 0 || purge_before(store, G_MAXINT64, over, error);
}

static gboolean write_found(Store *store, gint64 id, gint64 number, const SealKey *key,
                            GBytes *octets, GError **error)
{
    const char *place = seal_key_place(key), *label = seal_key_label(key);

    return store_run(
        store,
        store_query(store, error,
                    "INSERT INTO found (lookup, number, fingerprint, label, octets, trust, place) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    "iittbit", id, number, seal_key_fingerprint(key), label ? label : "", octets,
                    (gint64)seal_key_trust(key), place ? place : ""),
        error);
}

static gboolean write_lookup(Store *store, const SealRecollection *told, GPtrArray *octets,
                             GError **error)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    sqlite3_stmt *statement = store_query(
        store, error,
        "INSERT INTO lookups (source, format, address, found, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        "tttii", told->source, told->format, seal_address_key(told->address),
        told->found > 0 ? told->found : now, told->until);

    if (!store_run(store, statement, error))
        return FALSE;
    gint64 id = sqlite3_last_insert_rowid(store->db);
    for (guint i = 0; i < octets->len; i++) {
        if (!write_found(store, id, i, g_ptr_array_index(told->keys, i),
                         g_ptr_array_index(octets, i), error))
            return FALSE;
    }
    return purge(store, now, error);
}

/* NULL where it is better not kept. (transfer full) */
static GPtrArray *write_keys(Store *store, const SealRecollection *told)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    gsize size = 0;

    for (guint i = 0; i < told->keys->len; i++) {
        GBytes *octets = seal_module_write_key(store->self, g_ptr_array_index(told->keys, i), NULL);

        if (!octets)
            return NULL;
        g_ptr_array_add(all, octets);
        size += g_bytes_get_size(octets);
    }
    return told->keys->len <= MAX_KEYS && size <= STORE_MAX_OCTETS ? g_steal_pointer(&all) : NULL;
}

/* Of what is not kept, what was known before is not true any more either. */
gboolean store_remember(Store *store, const SealRecollection *told, GError **error)
{
    g_autoptr(GPtrArray) octets = write_keys(store, told);
    gboolean there = FALSE;

    if (!store_begin(store, octets ? STORE_REMEMBER : STORE_TOUCH, NULL, &there, error))
        return FALSE;
    return !there || store_end(store,
                               forget_lookup(store, told, error) &&
                                   (!octets || write_lookup(store, told, octets, error)),
                               error);
}
