/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-ask.c: asks one key source, and remembers what it said: in this process, and, of what
 * lies behind a network, beyond it.
 */
#include "core/pipeline/keyring-search.h"

#include "core/base/log.h"
#include "core/plugin/calls.h"
#include "core/plugin/key.h"
#include "core/plugin/module.h"

#include <string.h>

enum {
    MEMORY_SIZE = 512, /* what each takes beside its keys */
};

GPtrArray *seal_keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

SealKey *seal_keys_find(GPtrArray *keys, const char *fingerprint)
{
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)), fingerprint))
            return g_ptr_array_index(keys, i);
    }
    return NULL;
}

void seal_memory_free(gpointer data)
{
    SealMemory *memory = data;

    g_ptr_array_unref(memory->keys);
    g_free(memory->doubt);
    g_free(memory);
}

void seal_keys_keep_right(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address)
{
    for (guint i = keys->len; i > 0; i--) {
        const SealKey *key = g_ptr_array_index(keys, i - 1);

        if (!g_str_equal(seal_key_format(key), query->format->table.name) ||
            seal_key_serves(key, address) == SEAL_SERVES_NOT)
            g_ptr_array_remove_index(keys, i - 1);
    }
}

int seal_keys_best_first(gconstpointer a, gconstpointer b)
{
    const SealKey *one = *(SealKey *const *)a, *other = *(SealKey *const *)b;
    gint64 from_one = seal_key_valid_from(one), from_other = seal_key_valid_from(other);

    if (seal_key_trust(one) != seal_key_trust(other))
        return seal_key_trust(one) < seal_key_trust(other) ? 1 : -1;
    return from_one < from_other ? 1 : from_one > from_other ? -1 : 0;
}

SealKey *seal_keyring_trust_anew(const SealKeyring *keyring, SealKey *key)
{
    const SealSourceEntry *source = seal_registry_source(keyring->registry, seal_key_source(key));
    SealTrust most = source ? seal_source_trust(source) : SEAL_TRUST_MANUAL;

    if (seal_key_trust(key) <= most)
        return key;
    SealKey *less = seal_key_with_trust(key, most, NULL);
    seal_key_unref(key);
    return less;
}

gboolean seal_keyring_may_reach(const SealFormatEntry *format, const SealSourceEntry *source,
                                SealTrust trust)
{
    return seal_source_trust(source) >= trust ||
           (trust <= SEAL_TRUST_VERIFIED && seal_format_can_prove(format));
}

gboolean seal_search_asks(const SealSearch *search)
{
    return search->query->asks || search->job->asks;
}

/* No key may be missed for what cannot be read; each source says so once. */
static void take_doubt(SealSearch *search, const SealSourceEntry *source, const char *doubt)
{
    if (!doubt)
        return;
    search->in_doubt = search->in_doubt || !seal_source_may_skip(source, FALSE);
    if (search->doubt && strstr(search->doubt, doubt))
        return;
    char *all = search->doubt ? g_strjoin("; ", search->doubt, doubt, NULL) : g_strdup(doubt);
    g_free(search->doubt);
    search->doubt = all;
}

/* -------------------------------------------------------------------------------------------
 * In this process
 */

void seal_search_remember(SealKeyring *keyring, const char *name, GPtrArray *keys, char *doubt,
                          gint64 time, guint64 changes)
{
    SealMemory *memory = g_new0(SealMemory, 1);
    gsize weight = MEMORY_SIZE + (doubt ? strlen(doubt) : 0);

    for (guint i = 0; i < keys->len; i++)
        weight += seal_key_weight(g_ptr_array_index(keys, i));
    memory->keys = g_ptr_array_ref(keys);
    memory->doubt = doubt;
    memory->until = g_get_monotonic_time() + time;
    memory->changes = changes;
    seal_cache_put(keyring->memory, name, memory, weight);
}

const SealMemory *seal_search_recall(SealKeyring *keyring, const char *name, guint64 changes)
{
    const SealMemory *memory = seal_cache_find(keyring->memory, name);

    return memory && memory->until > g_get_monotonic_time() && memory->changes == changes ? memory
                                                                                          : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Beyond it
 */

/* Mail goes on without: what is not kept is asked for again. */
static void warn_of_past(SealKeyring *keyring, const GError *problem)
{
    if (!keyring->warned)
        seal_log_warning("key source %s cannot keep what other sources said: %s",
                         keyring->past->table.name, problem->message);
    keyring->warned = TRUE;
}

static gboolean has_past(const SealKeyring *keyring, const SealSourceEntry *source)
{
    return keyring->past && keyring->past != source && (source->table.flags & SEAL_SOURCE_REMOTE);
}

/* What it said when it was configured otherwise, as with another server, it did not say. How long
 * it is waited for, and what follows where it does not answer, are not of what it says. (transfer
 * full) */
static char *past_name(const SealSourceEntry *source)
{
    static const char *const except[] = {"enabled", "on_error", "timeout", "retry", NULL};
    g_autofree char *digest = seal_settings_digest(source->module->settings, except);

    return g_strdup_printf("%s %s", source->table.name, digest);
}

/* FALSE where it is not known what was said. */
static gboolean read_past(SealSearch *search, SealRecollection *past, gboolean *known)
{
    SealKeyring *keyring = search->keyring;
    g_autoptr(GError) problem = NULL;

    if (!seal_source_recall(keyring->past, past, known, &problem)) {
        warn_of_past(keyring, problem);
        *known = FALSE;
        return FALSE;
    }
    for (guint i = 0; i < past->keys->len; i++)
        past->keys->pdata[i] = seal_keyring_trust_anew(keyring, past->keys->pdata[i]);
    seal_keys_keep_right(past->keys, search->query, past->address);
    g_ptr_array_sort(past->keys, seal_keys_best_first);
    return TRUE;
}

static void write_past(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                       GPtrArray *keys, gint64 usec)
{
    SealKeyring *keyring = search->keyring;
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree char *name = past_name(source);
    const SealRecollection past = {
        .size = sizeof past,
        .source = name,
        .format = search->query->format->table.name,
        .address = address,
        .keys = keys,
        .found = now,
        .until = now + usec / G_USEC_PER_SEC,
    };
    g_autoptr(GError) problem = NULL;

    if (!seal_search_asks(search) && !seal_source_remember(keyring->past, &past, &problem))
        warn_of_past(keyring, problem);
}

/* -------------------------------------------------------------------------------------------
 * Asking
 */

void seal_keyring_note_down(SealKeyring *keyring, const SealSourceEntry *source)
{
    gint64 *until;

    if (!(source->table.flags & SEAL_SOURCE_REMOTE))
        return;
    until = g_new(gint64, 1);

    *until = g_get_monotonic_time() + SEAL_DOWN_TIME * G_USEC_PER_SEC;
    g_hash_table_insert(keyring->down, g_strdup(source->table.name), until);
}

gboolean seal_search_is_down(const SealSearch *search, const SealSourceEntry *source,
                             GError **error)
{
    const gint64 *until = g_hash_table_lookup(search->keyring->down, source->table.name);

    if (!search->for_copies || !until || *until <= g_get_monotonic_time())
        return FALSE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "it did not answer just now");
    return TRUE;
}

/* One look-up of one source. */
typedef struct {
    const SealSourceEntry *source;
    SealAddress *address;
    char *name;      /* of what is remembered of it */
    guint64 changes; /* before it was asked: what changes meanwhile counts the next time */
} LookUp;

/* (transfer full) */
static GPtrArray *look_up(SealSearch *search, const LookUp *what, GError **error)
{
    SealKeyring *keyring = search->keyring;
    const SealSourceEntry *source = what->source;
    g_autoptr(GPtrArray) keys = seal_keys_new();
    g_autofree char *doubt = NULL;
    g_autoptr(GError) problem = NULL;

    if (seal_search_is_down(search, source, error))
        return NULL;
    if (!seal_source_lookup(source, what->address, search->query->format->table.name,
                            search->cancellable, keys, &doubt, &problem)) {
        /* It has answered, and what it has there cannot be read. */
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY))
            seal_keyring_note_down(keyring, source);
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    take_doubt(search, source, doubt);
    if (keys->len > SEAL_MAX_SOURCE_KEYS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s has more than %d keys for %s", source->table.name,
                    SEAL_MAX_SOURCE_KEYS, seal_address_text(what->address));
        return NULL;
    }
    seal_keys_keep_right(keys, search->query, what->address);
    g_ptr_array_sort(keys, seal_keys_best_first);
    gint64 time = keys->len ? keyring->cache : keyring->negative_cache;
    if (has_past(keyring, source) && !doubt)
        write_past(search, source, what->address, keys, time);
    seal_search_remember(keyring, what->name, keys, g_steal_pointer(&doubt), time, what->changes);
    return g_steal_pointer(&keys);
}

/* Likewise of a source whose answers are kept beyond this process. One that gave a key for the
 * address and does not answer now may have it still. */
static GPtrArray *look_up_past(SealSearch *search, const LookUp *what, GError **error)
{
    SealKeyring *keyring = search->keyring;
    g_autoptr(GPtrArray) keys = seal_keys_new();
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autofree char *name = past_name(what->source);
    gboolean known = FALSE;
    SealRecollection past = {
        .size = sizeof past,
        .source = name,
        .format = search->query->format->table.name,
        .address = what->address,
        .keys = keys,
    };

    gboolean sure = read_past(search, &past, &known);
    if (known && past.until > now) {
        gint64 most = keys->len ? keyring->cache : keyring->negative_cache;
        gint64 left = MIN(past.until - now, most / G_USEC_PER_SEC);
        seal_search_remember(keyring, what->name, keys, NULL, left * G_USEC_PER_SEC, what->changes);
        return g_steal_pointer(&keys);
    }
    search->gave = search->gave || !sure || (known && keys->len > 0);
    return look_up(search, what, error);
}

GPtrArray *seal_search_ask(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                           GError **error)
{
    SealKeyring *keyring = search->keyring;
    const char *format = search->query->format->table.name;
    g_autofree char *name =
        g_strjoin("\n", source->table.name, format, seal_address_key(address), NULL);
    const LookUp what = {source, address, name, seal_source_changes(source, address, format)};
    const SealMemory *known = seal_search_recall(keyring, name, what.changes);

    if (known) {
        take_doubt(search, source, known->doubt);
        search->gave = known->keys->len > 0;
        return g_ptr_array_ref(known->keys);
    }
    known = seal_cache_find(keyring->memory, name);
    search->gave = known && known->keys->len > 0;
    GPtrArray *keys = has_past(keyring, source) ? look_up_past(search, &what, error)
                                                : look_up(search, &what, error);
    if (keys)
        search->gave = keys->len > 0;
    return keys;
}
