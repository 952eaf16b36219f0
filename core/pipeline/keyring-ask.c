/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-ask.c: asks one key source, and remembers what it said.
 */
#include "core/pipeline/keyring-search.h"

#include "core/plugin/calls.h"
#include "core/plugin/key.h"

#include <string.h>

enum { MEMORY_SIZE = 512 }; /* what each takes beside its keys */

GPtrArray *seal_keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

void seal_memory_free(gpointer data)
{
    SealMemory *memory = data;

    g_ptr_array_unref(memory->keys);
    g_free(memory->doubt);
    g_free(memory);
}

/* A source's keys are believed to be for an address only where they say so themselves. */
void seal_keys_keep_right(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address)
{
    for (guint i = keys->len; i > 0; i--) {
        const SealKey *key = g_ptr_array_index(keys, i - 1);

        if (!g_str_equal(seal_key_format(key), query->format->table.name) ||
            !seal_key_is_for(key, address))
            g_ptr_array_remove_index(keys, i - 1);
    }
}

/* The most trusted first, and of those the newest. */
int seal_keys_best_first(gconstpointer a, gconstpointer b)
{
    const SealKey *one = *(SealKey *const *)a, *other = *(SealKey *const *)b;
    gint64 from_one = seal_key_valid_from(one), from_other = seal_key_valid_from(other);

    if (seal_key_trust(one) != seal_key_trust(other))
        return seal_key_trust(one) < seal_key_trust(other) ? 1 : -1;
    return from_one < from_other ? 1 : from_one > from_other ? -1 : 0;
}

/* No key may be missed for what cannot be read; each source says so once. */
static void take_doubt(SealSearch *search, const SealSourceEntry *source, const char *doubt)
{
    if (!doubt)
        return;
    search->in_doubt = search->in_doubt || !seal_source_may_skip(source);
    if (search->doubt && strstr(search->doubt, doubt))
        return;
    char *all = search->doubt ? g_strjoin("; ", search->doubt, doubt, NULL) : g_strdup(doubt);
    g_free(search->doubt);
    search->doubt = all;
}

/* Takes @doubt over. */
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

/* What is remembered and still holds, or NULL. (borrowed) */
const SealMemory *seal_search_recall(SealKeyring *keyring, const char *name, guint64 changes)
{
    const SealMemory *memory = seal_cache_find(keyring->memory, name);

    return memory && memory->until > g_get_monotonic_time() && memory->changes == changes ? memory
                                                                                          : NULL;
}

GPtrArray *seal_search_ask(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                           GError **error)
{
    SealKeyring *keyring = search->keyring;
    const char *format = search->query->format->table.name;
    g_autofree char *name =
        g_strjoin("\n", source->table.name, format, seal_address_key(address), NULL);
    /* Before it is asked: what changes meanwhile counts the next time. */
    guint64 changes = seal_source_changes(source, address, format);
    const SealMemory *known = seal_search_recall(keyring, name, changes);

    if (known) {
        take_doubt(search, source, known->doubt);
        return g_ptr_array_ref(known->keys);
    }

    g_autoptr(GPtrArray) keys = seal_keys_new();
    g_autofree char *doubt = NULL;
    if (!seal_source_lookup(source, address, format, search->cancellable, keys, &doubt, error))
        return NULL;
    take_doubt(search, source, doubt);
    if (keys->len > SEAL_MAX_SOURCE_KEYS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s has more than %d keys for %s", source->table.name,
                    SEAL_MAX_SOURCE_KEYS, seal_address_text(address));
        return NULL;
    }
    seal_keys_keep_right(keys, search->query, address);
    g_ptr_array_sort(keys, seal_keys_best_first);

    seal_search_remember(keyring, name, keys, g_steal_pointer(&doubt),
                         keys->len ? keyring->cache : keyring->negative_cache, changes);
    return g_steal_pointer(&keys);
}
