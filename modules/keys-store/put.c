/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * put.c: keys that are put into the store. Of one that is there already, what both copies say is
 * kept.
 */
#include "keys-store.h"

#include <string.h>

static GPtrArray *new_keys(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

/* -------------------------------------------------------------------------------------------
 * Putting
 */

static gboolean add_name(Store *store, gint64 id, const char *kind, const char *name,
                         const char *written, GError **error)
{
    return store_run(store,
                     store_query(store, error,
                                 "INSERT INTO names (kind, name, key, written) "
                                 "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                                 "ttit", kind, name, id, written),
                     error);
}

static gboolean add_names(Store *store, gint64 id, const char *kind, const char *const *names,
                          GError **error)
{
    for (; *names; names++) {
        if (!add_name(store, id, kind, *names, *names, error))
            return FALSE;
    }
    return TRUE;
}

/* Those that @said, its octets, names, and those that it is given to. */
static gboolean name_key(Store *store, gint64 id, const SealKey *said, const SealKey *key,
                         GError **error)
{
    GPtrArray *addresses = seal_key_addresses(said);

    for (guint i = 0; i < addresses->len; i++) {
        const SealAddress *address = g_ptr_array_index(addresses, i);

        if (!add_name(store, id, "address", seal_address_key(address), seal_address_text(address),
                      error))
            return FALSE;
    }
    return add_names(store, id, "domain", seal_key_domains(said), error) &&
           add_names(store, id, "bound", seal_key_bound(key), error);
}

/* A key that is there already; @id is 0 where it is not. */
typedef struct {
    gint64 id;
    SealTrust trust;
    GBytes *octets;
} Known;

static void known_clear(Known *known)
{
    g_clear_pointer(&known->octets, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Known, known_clear)

/* @known begins with zeros. */
static gboolean find_known(Store *store, StorePart part, const SealKey *key, Known *known,
                           GError **error)
{
    sqlite3_stmt *statement =
        store_query(store, error,
                    "SELECT id, octets, trust FROM keys WHERE source = ?1 AND format = ?2 "
                    "AND fingerprint = ?3",
                    "ttt", STORE_PART_NAMES[part], seal_key_format(key), seal_key_fingerprint(key));
    gboolean row = FALSE;

    if (!statement || !store_step(store, statement, &row, error))
        return FALSE;
    if (row) {
        known->id = sqlite3_column_int64(statement, 0);
        known->octets = store_octets(statement, 1);
        known->trust = (SealTrust)sqlite3_column_int64(statement, 2);
    }
    store_done(statement);
    return TRUE;
}

static gboolean has_octets(GBytes *all, GBytes *part)
{
    gsize all_size = 0, part_size = 0;
    const void *all_data = g_bytes_get_data(all, &all_size);
    const void *part_data = g_bytes_get_data(part, &part_size);

    return part_size == 0 || memmem(all_data, all_size, part_data, part_size) != NULL;
}

static GBytes *join_octets(GBytes *first, GBytes *second)
{
    GByteArray *all = g_byte_array_new();

    g_byte_array_append(all, g_bytes_get_data(first, NULL), (guint)g_bytes_get_size(first));
    g_byte_array_append(all, g_bytes_get_data(second, NULL), (guint)g_bytes_get_size(second));
    return g_byte_array_free_to_bytes(all);
}

/* As a revocation by itself, which says of the key only that: what is known of it stays. */
static gboolean is_part(const SealKey *key)
{
    return seal_key_purposes(key) == 0 && !*seal_key_detected_ids(key);
}

/* What a row is to have. */
typedef struct {
    SealKey *key; /* as @octets say it */
    GBytes *octets;
} Content;

static void content_clear(Content *content)
{
    g_clear_pointer(&content->key, seal_key_unref);
    g_clear_pointer(&content->octets, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Content, content_clear)

static gboolean take_content(Content *content, SealKey *key, GBytes *octets)
{
    content->key = seal_key_ref(key);
    content->octets = g_bytes_ref(octets);
    return TRUE;
}

static gboolean check_size(const SealKey *key, GBytes *octets, GError **error)
{
    if (g_bytes_get_size(octets) > STORE_MAX_OCTETS ||
        seal_key_addresses(key)->len > STORE_MAX_NAMES ||
        g_strv_length((char **)seal_key_bound(key)) > STORE_MAX_NAMES ||
        g_strv_length((char **)seal_key_domains(key)) > STORE_MAX_NAMES)
        return store_fail(error, SEAL_ERROR_LIMIT,
                          "the %s key %s (%s) has %" G_GSIZE_FORMAT
                          " octets and %u addresses; at most %d and %d can be stored",
                          seal_key_format(key), seal_key_fingerprint(key), seal_key_label(key),
                          g_bytes_get_size(octets), seal_key_addresses(key)->len, STORE_MAX_OCTETS,
                          STORE_MAX_NAMES);
    if (seal_key_trust(key) == SEAL_TRUST_UNSET)
        return store_fail(error, SEAL_ERROR_FAILED, "the key %s has no trust",
                          seal_key_fingerprint(key));
    return TRUE;
}

/* Of what cannot be merged, or has no key in it yet: one copy behind the other. */
static gboolean join_known(Store *store, SealKey *key, GPtrArray *before, GBytes *known,
                           GBytes *octets, Content *content, GError **error)
{
    const SealOrigin origin = {.size = sizeof origin, .source = "store", .trust = 1};
    const char *fingerprint = seal_key_fingerprint(key), *format = seal_key_format(key);
    g_autoptr(GPtrArray) all = new_keys();

    if (has_octets(octets, known))
        return take_content(content, key, octets);
    if (has_octets(known, octets))
        return take_content(content, key, known);
    /* Behind a key, a part of one is its own. */
    gboolean after = is_part(g_ptr_array_index(before, 0));
    g_autoptr(GBytes) both = after ? join_octets(known, octets) : join_octets(octets, known);
    if (!store_octets_read(store, format, fingerprint, both, &origin, all, NULL) ||
        all->len <= before->len)
        return take_content(content, key, octets);
    if (g_bytes_get_size(both) <= STORE_MAX_OCTETS)
        return take_content(content, key, both);
    return store_fail(error, SEAL_ERROR_LIMIT,
                      "the %s key %s has grown to more than %d octets by what was added to it; "
                      "remove it (sealctl keys remove), and add it anew",
                      format, fingerprint, STORE_MAX_OCTETS);
}

/* What was there first, and whole copies before parts. */
static GPtrArray *order_copies(GPtrArray *before, SealKey *key)
{
    GPtrArray *copies = new_keys();

    for (guint part = 0; part < 2; part++) {
        for (guint i = 0; i <= before->len; i++) {
            SealKey *copy = i < before->len ? g_ptr_array_index(before, i) : key;

            if (is_part(copy) == (part == 1))
                g_ptr_array_add(copies, seal_key_ref(copy));
        }
    }
    return copies;
}

/* FALSE and no error where its Format does not merge. What a bound would lose may be what revokes
 * the key. */
static gboolean merge_known(Store *store, GPtrArray *copies, Content *content, GError **error)
{
    const SealKey *first = g_ptr_array_index(copies, 0);
    GError *problem = NULL;

    content->key = seal_module_merge_keys(store->self, copies, &content->octets, &problem);
    if (content->key && check_size(content->key, content->octets, &problem))
        return TRUE;
    content_clear(content);
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED)) {
        g_error_free(problem);
        return FALSE;
    }
    g_propagate_prefixed_error(error, problem,
                               "the %s key %s cannot be made one with what is kept of it; remove "
                               "that (sealctl keys remove), and add it anew: ",
                               seal_key_format(first), seal_key_fingerprint(first));
    return FALSE;
}

/* All that the copy that is known says and the new one does: either may say that the key is
 * revoked. What cannot be read any more gives way. */
static gboolean add_to_known(Store *store, SealKey *key, GBytes *known, GBytes *octets,
                             Content *content, GError **error)
{
    const SealOrigin origin = {.size = sizeof origin, .source = "store", .trust = 1};
    g_autoptr(GPtrArray) before = new_keys();
    GError *problem = NULL;

    if (!known || g_bytes_equal(known, octets) ||
        !store_octets_read(store, seal_key_format(key), seal_key_fingerprint(key), known, &origin,
                           before, NULL))
        return take_content(content, key, octets);
    g_autoptr(GPtrArray) copies = order_copies(before, key);
    if (!is_part(g_ptr_array_index(copies, 0)) && merge_known(store, copies, content, &problem))
        return TRUE;
    if (!problem)
        return join_known(store, key, before, known, octets, content, error);
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean insert_key(Store *store, StorePart part, const SealKey *key, GBytes *octets,
                           gint64 *id, GError **error)
{
    g_autofree char *ids = store_join(seal_key_detected_ids(key));
    const char *place = seal_key_place(key), *label = seal_key_label(key);
    sqlite3_stmt *statement = store_query(
        store, error,
        "INSERT INTO keys (source, format, fingerprint, label, octets, valid_from, valid_until, "
        "purposes, trust, place, added, last_used, ids) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12)",
        "ttttbiiiitit", STORE_PART_NAMES[part], seal_key_format(key), seal_key_fingerprint(key),
        label ? label : "", octets, seal_key_valid_from(key), seal_key_valid_until(key),
        (gint64)seal_key_purposes(key), (gint64)seal_key_trust(key), place ? place : "",
        g_get_real_time() / G_USEC_PER_SEC, ids);

    if (!store_run(store, statement, error))
        return FALSE;
    *id = sqlite3_last_insert_rowid(store->db);
    return TRUE;
}

static gboolean update_key(Store *store, gint64 id, const SealKey *key, const Content *content,
                           GError **error)
{
    const SealKey *said = content->key;
    g_autofree char *ids = store_join(seal_key_detected_ids(said));
    const char *place = seal_key_place(key), *label = seal_key_label(said);

    return store_run(
        store,
        store_query(store, error,
                    "UPDATE keys SET label = ?2, octets = ?3, valid_from = ?4, valid_until = ?5, "
                    "purposes = ?6, trust = ?7, place = ?8, ids = ?9 WHERE id = ?1",
                    "itbiiiitt", id, label ? label : "", content->octets, seal_key_valid_from(said),
                    seal_key_valid_until(said), (gint64)seal_key_purposes(said),
                    (gint64)seal_key_trust(key), place ? place : "", ids),
        error);
}

static gboolean update_octets(Store *store, gint64 id, GBytes *octets, GError **error)
{
    return store_run(
        store,
        store_query(store, error, "UPDATE keys SET octets = ?2 WHERE id = ?1", "ib", id, octets),
        error);
}

/* A part says nothing of whose the key is. */
static gboolean put_known(Store *store, const Known *known, const SealKey *key,
                          const Content *content, SealPut *kept, GError **error)
{
    gboolean changed = !g_bytes_equal(known->octets, content->octets);

    if (is_part(key)) {
        *kept = changed ? SEAL_PUT_CHANGED : SEAL_PUT_KNOWN;
        return !changed || update_octets(store, known->id, content->octets, error);
    }
    if (!update_key(store, known->id, key, content, error))
        return FALSE;
    int before = sqlite3_total_changes(store->db);
    if (!name_key(store, known->id, content->key, key, error))
        return FALSE;
    changed = changed || known->trust != seal_key_trust(key) ||
              sqlite3_total_changes(store->db) != before;
    *kept = changed ? SEAL_PUT_CHANGED : SEAL_PUT_KNOWN;
    return TRUE;
}

static gboolean put_key(Store *store, StorePart part, SealKey *key, GBytes *octets, SealPut *kept,
                        GError **error)
{
    g_auto(Known) known = {0};
    g_auto(Content) content = {0};
    gint64 id;

    if (!find_known(store, part, key, &known, error) ||
        !add_to_known(store, key, known.octets, octets, &content, error))
        return FALSE;
    if (known.id > 0)
        return put_known(store, &known, key, &content, kept, error);
    *kept = SEAL_PUT_ADDED;
    return insert_key(store, part, key, octets, &id, error) && name_key(store, id, key, key, error);
}

/* Before others have to wait for it. (transfer full) */
static GPtrArray *write_keys(Store *store, GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);
        GBytes *octets = seal_module_write_key(store->self, key, error);

        if (!octets)
            return NULL;
        g_ptr_array_add(all, octets);
        if (!check_size(key, octets, error))
            return NULL;
    }
    return g_steal_pointer(&all);
}

gboolean store_keys_put(Store *store, StorePart part, GPtrArray *keys, SealPut *kept,
                        GError **error)
{
    g_autoptr(GPtrArray) octets = write_keys(store, keys, error);
    gboolean there = FALSE;

    if (!octets || !store_begin(store, STORE_PUT, NULL, &there, error))
        return FALSE;
    gboolean ok = store_count_change(store, part, error);
    for (guint i = 0; ok && i < keys->len; i++)
        ok = put_key(store, part, g_ptr_array_index(keys, i), g_ptr_array_index(octets, i),
                     &kept[i], error);
    return store_end(store, ok, error);
}

gboolean store_keys_put_counted(Store *store, StorePart part, GPtrArray *keys, guint *added,
                                GError **error)
{
    g_autofree SealPut *kept = g_new0(SealPut, keys->len + 1);

    if (!store_keys_put(store, part, keys, kept, error))
        return FALSE;
    *added = 0;
    for (guint i = 0; i < keys->len; i++)
        *added += kept[i] == SEAL_PUT_ADDED;
    return TRUE;
}
