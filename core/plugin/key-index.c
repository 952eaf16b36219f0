/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key-index.c: keys by the addresses that they are for.
 */
#include "core/sealpipe.h"

struct SealKeyIndex {
    GHashTable *by_address;     /* seal_address_key() to a GPtrArray of SealKey */
    GHashTable *by_fingerprint; /* likewise */
};

SealKeyIndex *seal_key_index_new(void)
{
    SealKeyIndex *index = g_new0(SealKeyIndex, 1);

    index->by_address =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    index->by_fingerprint =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    return index;
}

void seal_key_index_free(SealKeyIndex *index)
{
    if (!index)
        return;
    g_hash_table_unref(index->by_address);
    g_hash_table_unref(index->by_fingerprint);
    g_free(index);
}

static void add_under(GHashTable *table, const char *name, SealKey *key)
{
    GPtrArray *same = g_hash_table_lookup(table, name);

    if (!same) {
        same = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
        g_hash_table_insert(table, g_strdup(name), same);
    }
    /* A key may have one address twice, in two spellings. */
    if (same->len == 0 || g_ptr_array_index(same, same->len - 1) != key)
        g_ptr_array_add(same, seal_key_ref(key));
}

void seal_key_index_add(SealKeyIndex *index, SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);
    const char *const *domains = seal_key_domains(key);

    for (guint i = 0; i < addresses->len; i++)
        add_under(index->by_address, seal_address_key(g_ptr_array_index(addresses, i)), key);
    for (; *domains; domains++) {
        g_autofree char *name = g_strconcat("@", *domains, NULL);
        add_under(index->by_address, name, key);
    }
    add_under(index->by_fingerprint, seal_key_fingerprint(key), key);
}

static void append_same(const SealKeyIndex *index, const char *fingerprint, const char *format,
                        GPtrArray *keys)
{
    GPtrArray *same = g_hash_table_lookup(index->by_fingerprint, fingerprint);

    for (guint i = 0; same && i < same->len; i++) {
        SealKey *key = g_ptr_array_index(same, i);

        if (g_str_equal(seal_key_format(key), format))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
}

void seal_key_index_find_copies(const SealKeyIndex *index, const SealKey *key, GPtrArray *keys)
{
    const char *const *ids = seal_key_detected_ids(key);
    const char *fingerprint = seal_key_fingerprint(key);

    append_same(index, fingerprint, seal_key_format(key), keys);
    for (; *ids; ids++) {
        if (!g_str_equal(*ids, fingerprint))
            append_same(index, *ids, seal_key_format(key), keys);
    }
}

static void append_named(const SealKeyIndex *index, const char *name, const char *format,
                         GPtrArray *keys)
{
    GPtrArray *same = g_hash_table_lookup(index->by_address, name);

    for (guint i = 0; same && i < same->len; i++) {
        SealKey *key = g_ptr_array_index(same, i);

        if (!format || g_str_equal(seal_key_format(key), format))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
}

void seal_key_index_find(const SealKeyIndex *index, const SealAddress *address, const char *format,
                         GPtrArray *keys)
{
    g_autofree char *domain = g_strconcat("@", seal_address_domain(address), NULL);

    append_named(index, seal_address_key(address), format, keys);
    append_named(index, domain, format, keys);
}
