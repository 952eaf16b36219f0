/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kept.c: the keys of both sources: as rows, as what their Formats make of them, and found by whom
 * they are for.
 */
#include "keys-store.h"

#include <string.h>

enum {
    DAY = 24 * 60 * 60,
    MAX_USED = 4096, /* keys that this process need not write again that they are used */
    MAX_ISSUERS = 1000,
    MAX_ISSUER_OCTETS = 4 * 1024 * 1024, /* of them together */
};

/* What a row is read by: the order of its columns. */
#define ROW_COLUMNS                                                                                \
    "format, fingerprint, label, octets, valid_from, valid_until, purposes, trust, place, added, " \
    "last_used, ids"

/* -------------------------------------------------------------------------------------------
 * Rows
 */

void store_row_clear(StoreRow *row)
{
    g_free(row->format);
    g_free(row->fingerprint);
    g_free(row->label);
    g_clear_pointer(&row->octets, g_bytes_unref);
    g_free(row->place);
    g_strfreev(row->ids);
    g_strfreev(row->addresses);
    g_strfreev(row->domains);
    g_strfreev(row->bound);
    *row = (StoreRow){0};
}

GStrv store_split(const char *text)
{
    return *text ? g_strsplit(text, "\n", -1) : g_new0(char *, 1);
}

char *store_join(const char *const *list)
{
    return g_strjoinv("\n", (char **)list);
}

/* Without a name for the index SQLite may go through all names of the kind, to have them sorted. */
static gboolean read_names(Store *store, gint64 id, const char *kind, GStrv *names, GError **error)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    sqlite3_stmt *statement = store_query(store, error,
                                          "SELECT written FROM names INDEXED BY names_of_key "
                                          "WHERE key = ?1 AND kind = ?2 ORDER BY name",
                                          "it", id, kind);
    gboolean row = statement != NULL, ok = row;

    while (ok && (ok = store_step(store, statement, &row, error)) && row) {
        g_autofree char *name = store_text(statement, 0);
        g_strv_builder_add(list, name);
    }
    if (ok)
        *names = g_strv_builder_end(list);
    return ok;
}

static void take_columns(sqlite3_stmt *statement, StoreRow *row)
{
    g_autofree char *ids = store_text(statement, 11);

    row->format = store_text(statement, 0);
    row->fingerprint = store_text(statement, 1);
    row->label = store_text(statement, 2);
    row->octets = store_octets(statement, 3);
    row->valid_from = sqlite3_column_int64(statement, 4);
    row->valid_until = sqlite3_column_int64(statement, 5);
    row->purposes = (guint)sqlite3_column_int64(statement, 6);
    row->trust = (SealTrust)CLAMP(sqlite3_column_int64(statement, 7), 0, SEAL_TRUST_MANUAL);
    row->place = store_text(statement, 8);
    row->added = sqlite3_column_int64(statement, 9);
    row->last_used = sqlite3_column_int64(statement, 10);
    row->ids = store_split(ids);
}

/* @row begins with zeros. */
static gboolean read_row(Store *store, gint64 id, StoreRow *row, GError **error)
{
    sqlite3_stmt *statement =
        store_query(store, error, "SELECT " ROW_COLUMNS " FROM keys WHERE id = ?1", "i", id);
    gboolean there = FALSE;

    if (!statement || !store_step(store, statement, &there, error))
        return FALSE;
    if (!there)
        return store_damaged(store, "a name belongs to no key", error);
    take_columns(statement, row);
    store_done(statement);
    if (row->trust == SEAL_TRUST_UNSET)
        return store_damaged(store, "a key has no trust", error);
    return read_names(store, id, "address", &row->addresses, error) &&
           read_names(store, id, "domain", &row->domains, error) &&
           read_names(store, id, "bound", &row->bound, error);
}

/* What is harvested is never believed further than that. */
static SealOrigin row_origin(Store *store, StorePart part, const StoreRow *row)
{
    const char *source = STORE_PART_NAMES[part];

    return (SealOrigin){.size = sizeof(SealOrigin),
                        .source = source,
                        .place = *row->place ? row->place : store->path,
                        .trust = MIN(row->trust, seal_module_trust(store->self, source)),
                        .bound = (const char *const *)row->bound,
                        .added = row->added,
                        .last_used = row->last_used};
}

SealKey *store_row_key(const StoreRow *row, const SealOrigin *origin)
{
    const SealKeySpec spec = {.size = sizeof spec,
                              .format = row->format,
                              .fingerprint = row->fingerprint,
                              .label = row->label,
                              .addresses = (const char *const *)row->addresses,
                              .detected_ids = (const char *const *)row->ids,
                              .valid_from = row->valid_from,
                              .valid_until = row->valid_until,
                              .purposes = row->purposes,
                              .domains = (const char *const *)row->domains};

    return seal_key_new(&spec, origin);
}

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

gboolean store_octets_read(Store *store, const char *format, const char *fingerprint,
                           GBytes *octets, const SealOrigin *origin, GPtrArray *keys,
                           GError **error)
{
    if (!seal_module_read_keys(store->self, format, octets, origin, keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        if (!g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)), fingerprint))
            return store_fail(error, SEAL_ERROR_KEY, "another key is in its place");
    }
    return keys->len > 0 ||
           store_fail(error, SEAL_ERROR_KEY, "there is nothing that %s reads", format);
}

gboolean store_row_read(Store *store, const StoreRow *row, const SealOrigin *origin,
                        GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) found = new_keys();

    if (!store_octets_read(store, row->format, row->fingerprint, row->octets, origin, found,
                           error)) {
        g_prefix_error(error, "the %s key %s (%s) in %s: ", row->format, row->fingerprint,
                       row->label, store->path);
        return FALSE;
    }
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Authorities
 */

/* Their Formats keep what they need of them. One that cannot be read vouches for nobody. */
static void offer_issuer(Store *store, const StoreRow *row)
{
    g_autoptr(GPtrArray) keys = new_keys();
    SealOrigin origin = row_origin(store, STORE_OF_STORE, row);

    /* They are kept apart from what came with mail, which could leave no room for them. */
    origin.trust = MAX(origin.trust, SEAL_TRUST_VERIFIED);
    store_row_read(store, row, &origin, keys, NULL);
}

/* The newest first: in each process they take some times their octets. */
static gboolean offer_rows(Store *store, GError **error)
{
    sqlite3_stmt *statement =
        store_query(store, error,
                    "SELECT " ROW_COLUMNS " FROM keys INDEXED BY keys_that_issue "
                    "WHERE source = ?1 AND (purposes & 4) <> 0 ORDER BY id DESC LIMIT ?2",
                    "ti", STORE_PART_NAMES[STORE_OF_STORE], (gint64)MAX_ISSUERS);
    gboolean there = statement != NULL, ok = there;
    gsize left = MAX_ISSUER_OCTETS;

    while (ok && (ok = store_step(store, statement, &there, error)) && there) {
        g_auto(StoreRow) row = {0};

        take_columns(statement, &row);
        if (g_bytes_get_size(row.octets) > left)
            continue;
        left -= g_bytes_get_size(row.octets);
        offer_issuer(store, &row);
    }
    store_done(statement);
    return ok;
}

gboolean store_issuers_offer(Store *store, GCancellable *cancellable, GError **error)
{
    G_STATIC_ASSERT(SEAL_PURPOSE_ISSUE == 4);
    guint64 changes = store_changes(store, STORE_OF_STORE);
    gboolean there = FALSE;

    if (changes == store->offered)
        return TRUE;
    if (!store_begin(store, STORE_READ, cancellable, &there, error) ||
        (there && !store_end(store, offer_rows(store, error), error)))
        return FALSE;
    store->offered = changes;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Finding
 */

/* A look-up. */
typedef struct {
    Store *store;
    StorePart part;
    const char *format;
    GArray *ids;  /* gint64: in the order in which they were found, none twice */
    GArray *lost; /* of Lost */
} Search;

/* What is known of a key that cannot be read. */
typedef struct {
    guint purposes;
    SealTrust trust;
} Lost;

static void add_id(GArray *ids, gint64 id)
{
    for (guint i = 0; i < ids->len; i++) {
        if (g_array_index(ids, gint64, i) == id)
            return;
    }
    if (ids->len < STORE_MAX_FOUND)
        g_array_append_val(ids, id);
}

static gboolean take_ids(Store *store, sqlite3_stmt *statement, GArray *ids, GError **error)
{
    gboolean row = statement != NULL, ok = row;

    while (ok && (ok = store_step(store, statement, &row, error)) && row)
        add_id(ids, sqlite3_column_int64(statement, 0));
    return ok;
}

/* CROSS: by name first, whatever SQLite guesses of the tables. */
static gboolean find_named(Search *search, const char *kind, const char *name, GError **error)
{
    sqlite3_stmt *statement = store_query(
        search->store, error,
        "SELECT k.id FROM names n CROSS JOIN keys k ON k.id = n.key "
        "WHERE n.kind = ?1 AND n.name = ?2 AND k.source = ?3 AND k.format = ?4 LIMIT ?5",
        "tttti", kind, name, STORE_PART_NAMES[search->part], search->format,
        (gint64)STORE_MAX_FOUND);

    return take_ids(search->store, statement, search->ids, error);
}

static gboolean find_bound(Search *search, const char *mark, const char *domain, GError **error)
{
    g_autofree char *name = g_strconcat(mark, domain, NULL);

    return find_named(search, "bound", name, error);
}

/* Those that name it, those it was given, and those for all of its domain. */
static gboolean find_all(Search *search, const SealAddress *address, GError **error)
{
    const char *key = seal_address_key(address), *domain = seal_address_domain(address);

    if (!find_named(search, "address", key, error) || !find_named(search, "bound", key, error) ||
        !find_bound(search, "@", domain, error) || !find_named(search, "domain", domain, error))
        return FALSE;
    for (const char *dot = strchr(domain, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (!find_bound(search, "@", dot, error))
            return FALSE;
    }
    return TRUE;
}

static void add_doubt(GString *doubt, const char *text)
{
    g_string_append_printf(doubt, "%s%s", doubt->len > 0 ? "; " : "", text);
}

/* One that cannot be read hides none of the others. */
static gboolean read_found(Search *search, GPtrArray *keys, GString *doubt, GError **error)
{
    for (guint i = 0; i < search->ids->len; i++) {
        g_auto(StoreRow) row = {0};
        g_autoptr(GError) problem = NULL;

        if (!read_row(search->store, g_array_index(search->ids, gint64, i), &row, error))
            return FALSE;
        const SealOrigin origin = row_origin(search->store, search->part, &row);
        if (!store_row_read(search->store, &row, &origin, keys, &problem)) {
            const Lost lost = {row.purposes, origin.trust};

            add_doubt(doubt, problem->message);
            g_array_append_val(search->lost, lost);
        }
    }
    return TRUE;
}

/* Is one of @keys as good as the one that cannot be read, by what is known of it? */
static gboolean is_replaced(const Lost *lost, GPtrArray *keys)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    guint purposes = lost->purposes ? lost->purposes : SEAL_PURPOSE_ENCRYPT;

    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);

        if (seal_key_trust(key) >= lost->trust && seal_key_valid_until(key) >= now)
            purposes &= ~seal_key_purposes(key);
    }
    return purposes == 0;
}

/* There is a key for the address, it is this one, and not to have it is not to have none. */
static gboolean check_lost(const Search *search, GPtrArray *keys, const GString *doubt,
                           GError **error)
{
    for (guint i = 0; i < search->lost->len; i++) {
        if (!is_replaced(&g_array_index(search->lost, Lost, i), keys))
            return store_fail(error, SEAL_ERROR_UNAVAILABLE,
                              "%s; remove it (sealctl keys remove), and add it again", doubt->str);
    }
    return TRUE;
}

/* TRUE where there is no database, too. */
static gboolean search_with(Search *search, const SealAddress *address, const SealKey *like,
                            GCancellable *cancellable, GPtrArray *keys, GString *doubt,
                            GError **error);

gboolean store_keys_find(Store *store, StorePart part, const SealAddress *address,
                         const char *format, GCancellable *cancellable, GPtrArray *keys,
                         char **doubt, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(Lost));
    Search search = {store, part, format, ids, lost};

    if (!search_with(&search, address, NULL, cancellable, keys, text, error) ||
        !check_lost(&search, keys, text, error))
        return FALSE;
    if (text->len > 0)
        *doubt = g_strdup(text->str);
    return TRUE;
}

static gboolean find_fingerprint(Search *search, const char *fingerprint, GError **error)
{
    sqlite3_stmt *statement =
        store_query(search->store, error,
                    "SELECT id FROM keys WHERE source = ?1 AND format = ?2 AND fingerprint = ?3",
                    "ttt", STORE_PART_NAMES[search->part], search->format, fingerprint);

    return take_ids(search->store, statement, search->ids, error);
}

static gboolean find_like(Search *search, const SealKey *key, GError **error)
{
    const char *const *ids = seal_key_detected_ids(key);

    if (!find_fingerprint(search, seal_key_fingerprint(key), error))
        return FALSE;
    for (; *ids; ids++) {
        if (!find_fingerprint(search, *ids, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean search_with(Search *search, const SealAddress *address, const SealKey *like,
                            GCancellable *cancellable, GPtrArray *keys, GString *doubt,
                            GError **error)
{
    g_autoptr(GPtrArray) found = new_keys();
    gboolean there = FALSE;

    if (!store_issuers_offer(search->store, cancellable, error) ||
        !store_begin(search->store, STORE_READ, cancellable, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    gboolean ok = (like ? find_like(search, like, error) : find_all(search, address, error)) &&
                  read_found(search, found, doubt, error);
    if (!store_end(search->store, ok, error))
        return FALSE;
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
    return TRUE;
}

/* A copy that cannot be read may be the one that says that the key is revoked. */
gboolean store_keys_copies(Store *store, StorePart part, const SealKey *key,
                           GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    g_autoptr(GString) doubt = g_string_new(NULL);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(Lost));
    Search search = {store, part, seal_key_format(key), ids, lost};

    if (!search_with(&search, NULL, key, cancellable, keys, doubt, error))
        return FALSE;
    return doubt->len == 0 ||
           store_fail(error, SEAL_ERROR_UNAVAILABLE,
                      "%s; it may say that the key is revoked: remove it (sealctl keys remove), "
                      "and add it again",
                      doubt->str);
}

/* -------------------------------------------------------------------------------------------
 * Those that a filter lets through
 */

/* An empty text is a member that is not set. No fingerprint has a character behind 'f'. */
static sqlite3_stmt *query_filter(Store *store, StorePart part, const SealKeyFilter *filter,
                                  GError **error)
{
    g_autofree char *behind =
        filter->fingerprint ? g_strconcat(filter->fingerprint, "g", NULL) : NULL;

    return store_query(
        store, error,
        "SELECT id FROM keys k WHERE source = ?1 "
        "AND (?2 IS NULL OR format = ?2) "
        "AND (?3 IS NULL OR (fingerprint >= ?3 AND fingerprint < ?4)) "
        "AND (?5 IS NULL OR EXISTS (SELECT 1 FROM names n WHERE n.key = k.id "
        "AND n.kind IN ('address', 'bound') AND n.name = ?5)) "
        "AND (?6 IS NULL OR EXISTS (SELECT 1 FROM names n WHERE n.key = k.id "
        "AND n.kind = 'bound' AND n.name = ?6)) "
        "AND (?7 = 0 OR valid_until < ?7) "
        "ORDER BY (SELECT min(n.name) FROM names n INDEXED BY names_of_key WHERE n.key = k.id "
        "AND n.kind IN ('address', 'bound')), format, id",
        "tttttti", STORE_PART_NAMES[part], filter->format, filter->fingerprint, behind,
        filter->address ? seal_address_key(filter->address) : NULL, filter->domain,
        filter->expires_before);
}

static GArray *find_filtered(Store *store, StorePart part, const SealKeyFilter *filter,
                             GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    sqlite3_stmt *statement = query_filter(store, part, filter, error);
    gboolean row = statement != NULL, ok = row;

    while (ok && (ok = store_step(store, statement, &row, error)) && row) {
        gint64 id = sqlite3_column_int64(statement, 0);
        g_array_append_val(ids, id);
    }
    return ok ? g_steal_pointer(&ids) : NULL;
}

/* What is visited may take its time, and change the store: no transaction is open meanwhile. */
static gboolean visit_key(Store *store, StorePart part, gint64 id, SealKeyListed visit,
                          gpointer user_data, GError **error)
{
    g_auto(StoreRow) row = {0};
    gboolean there = FALSE;

    if (!store_begin(store, STORE_READ, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    sqlite3_stmt *statement =
        store_query(store, error, "SELECT count(*) FROM keys WHERE id = ?1", "i", id);
    gboolean ok = statement && store_step(store, statement, &there, error);
    there = ok && there && sqlite3_column_int64(statement, 0) > 0;
    store_done(statement);
    if (!store_end(store, ok && (!there || read_row(store, id, &row, error)), error))
        return FALSE;
    if (!there)
        return TRUE;
    const SealOrigin origin = row_origin(store, part, &row);
    g_autoptr(SealKey) key = store_row_key(&row, &origin);
    return visit(store->self, key, row.octets, user_data, error);
}

gboolean store_keys_list(Store *store, StorePart part, const SealKeyFilter *filter,
                         SealKeyListed visit, gpointer user_data, GError **error)
{
    g_autoptr(GArray) ids = NULL;
    gboolean there = FALSE;

    if (!store_issuers_offer(store, NULL, error) ||
        !store_begin(store, STORE_LIST, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    ids = find_filtered(store, part, filter, error);
    if (!store_end(store, ids != NULL, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        if (!visit_key(store, part, g_array_index(ids, gint64, i), visit, user_data, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean remove_ids(Store *store, const GArray *ids, GError **error)
{
    for (guint i = 0; i < ids->len; i++) {
        if (!store_run(store,
                       store_query(store, error, "DELETE FROM keys WHERE id = ?1", "i",
                                   g_array_index(ids, gint64, i)),
                       error))
            return FALSE;
    }
    return TRUE;
}

gboolean store_keys_remove(Store *store, StorePart part, const SealKeyFilter *filter,
                           guint *removed, GError **error)
{
    g_autoptr(GArray) ids = NULL;
    gboolean there = FALSE;

    *removed = 0;
    if (!store_begin(store, STORE_REMOVE, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    ids = find_filtered(store, part, filter, error);
    gboolean ok = ids && (ids->len == 0 || (remove_ids(store, ids, error) &&
                                            store_count_change(store, part, error)));
    if (!store_end(store, ok, error))
        return FALSE;
    *removed = ids->len;
    return TRUE;
}

static gboolean unbind_id(Store *store, gint64 id, const char *bound, guint *count, GError **error)
{
    if (!store_run(store,
                   store_query(store, error,
                               "DELETE FROM names WHERE kind = 'bound' AND name = ?1 AND key = ?2",
                               "ti", bound, id),
                   error))
        return FALSE;
    *count += (guint)sqlite3_changes(store->db);
    return TRUE;
}

gboolean store_keys_unbind(Store *store, StorePart part, const SealKeyFilter *filter,
                           const char *bound, guint *count, GError **error)
{
    g_autoptr(GArray) ids = NULL;
    gboolean there = FALSE;
    guint taken = 0;

    *count = 0;
    if (!store_begin(store, STORE_REMOVE, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    ids = find_filtered(store, part, filter, error);
    gboolean ok = ids != NULL;
    for (guint i = 0; ok && i < ids->len; i++)
        ok = unbind_id(store, g_array_index(ids, gint64, i), bound, &taken, error);
    ok = ok && (taken == 0 || store_count_change(store, part, error));
    if (!store_end(store, ok, error))
        return FALSE;
    *count = taken;
    return TRUE;
}

/* Once a day; nothing is lost where another process writes just now. */
void store_keys_touch(Store *store, StorePart part, const SealKey *key)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree char *name =
        g_strdup_printf("%d %s %s", part, seal_key_format(key), seal_key_fingerprint(key));
    gboolean there = FALSE;

    if (seal_key_last_used(key) > now - DAY || g_hash_table_contains(store->used, name))
        return;
    if (g_hash_table_size(store->used) >= MAX_USED)
        g_hash_table_remove_all(store->used);
    g_hash_table_add(store->used, g_steal_pointer(&name));
    if (!store_begin(store, STORE_TOUCH, NULL, &there, NULL) || !there)
        return;
    store_end(store,
              store_run(store,
                        store_query(store, NULL,
                                    "UPDATE keys SET last_used = ?1 WHERE source = ?2 "
                                    "AND format = ?3 AND fingerprint = ?4 AND last_used < ?5",
                                    "ittti", now, STORE_PART_NAMES[part], seal_key_format(key),
                                    seal_key_fingerprint(key), now - DAY),
                        NULL),
              NULL);
}

gboolean store_keys_count(Store *store, gint64 *count, GError **error)
{
    gboolean there = FALSE, row = FALSE;

    *count = 0;
    if (!store_begin(store, STORE_LIST, NULL, &there, error))
        return FALSE;
    if (!there)
        return TRUE;
    sqlite3_stmt *statement = store_query(store, error, "SELECT count(*) FROM keys", "");
    gboolean ok = statement && store_step(store, statement, &row, error);
    if (ok && row)
        *count = sqlite3_column_int64(statement, 0);
    store_done(statement);
    return store_end(store, ok, error);
}
