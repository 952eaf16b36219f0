/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cache.c: values by name, as many as fit.
 */
#include "core/sealpipe.h"

typedef struct {
    GList link; /* its data is the entry */
    char *name;
    gpointer value;
    gsize weight;
} Entry;

struct SealCache {
    GHashTable *entries; /* name to Entry */
    GQueue order;        /* the one that was asked for last is in front */
    gsize most;
    gsize weight;
    GDestroyNotify free_value;
};

SealCache *seal_cache_new(gsize most, GDestroyNotify free_value)
{
    SealCache *cache = g_new0(SealCache, 1);

    cache->entries = g_hash_table_new(g_str_hash, g_str_equal);
    g_queue_init(&cache->order);
    cache->most = most;
    cache->free_value = free_value;
    return cache;
}

static void remove_entry(SealCache *cache, Entry *entry)
{
    g_hash_table_remove(cache->entries, entry->name);
    g_queue_unlink(&cache->order, &entry->link);
    cache->weight -= entry->weight;
    cache->free_value(entry->value);
    g_free(entry->name);
    g_free(entry);
}

void seal_cache_clear(SealCache *cache)
{
    while (cache->order.tail)
        remove_entry(cache, cache->order.tail->data);
}

void seal_cache_free(SealCache *cache)
{
    if (!cache)
        return;
    seal_cache_clear(cache);
    g_hash_table_unref(cache->entries);
    g_free(cache);
}

gpointer seal_cache_find(SealCache *cache, const char *name)
{
    Entry *entry = g_hash_table_lookup(cache->entries, name);

    if (!entry)
        return NULL;
    g_queue_unlink(&cache->order, &entry->link);
    g_queue_push_head_link(&cache->order, &entry->link);
    return entry->value;
}

void seal_cache_drop(SealCache *cache, const char *name)
{
    Entry *entry = g_hash_table_lookup(cache->entries, name);

    if (entry)
        remove_entry(cache, entry);
}

void seal_cache_put(SealCache *cache, const char *name, gpointer value, gsize weight)
{
    seal_cache_drop(cache, name);
    if (weight > cache->most) {
        cache->free_value(value);
        return;
    }
    while (cache->weight > cache->most - weight)
        remove_entry(cache, cache->order.tail->data);

    Entry *entry = g_new0(Entry, 1);
    entry->link.data = entry;
    entry->name = g_strdup(name);
    entry->value = value;
    entry->weight = weight;
    cache->weight += weight;
    g_hash_table_insert(cache->entries, entry->name, entry);
    g_queue_push_head_link(&cache->order, &entry->link);
}

guint seal_cache_count(const SealCache *cache)
{
    return cache->order.length;
}
