/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key-index.c: keys by the addresses that they are for.
 */
#include "core/sealpipe.h"

struct SealKeyIndex {
    GHashTable *by_address; /* seal_address_key() to a GPtrArray of SealKey */
};

SealKeyIndex *seal_key_index_new(void)
{
    SealKeyIndex *index = g_new0(SealKeyIndex, 1);

    index->by_address =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    return index;
}

void seal_key_index_free(SealKeyIndex *index)
{
    if (!index)
        return;
    g_hash_table_unref(index->by_address);
    g_free(index);
}

void seal_key_index_add(SealKeyIndex *index, SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        const char *name = seal_address_key(g_ptr_array_index(addresses, i));
        GPtrArray *same = g_hash_table_lookup(index->by_address, name);

        if (!same) {
            same = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
            g_hash_table_insert(index->by_address, g_strdup(name), same);
        }
        /* A key may have one address twice, in two spellings. */
        if (same->len == 0 || g_ptr_array_index(same, same->len - 1) != key)
            g_ptr_array_add(same, seal_key_ref(key));
    }
}

void seal_key_index_find(const SealKeyIndex *index, const SealAddress *address, const char *format,
                         GPtrArray *keys)
{
    GPtrArray *same = g_hash_table_lookup(index->by_address, seal_address_key(address));

    for (guint i = 0; same && i < same->len; i++) {
        SealKey *key = g_ptr_array_index(same, i);

        if (!format || g_str_equal(seal_key_format(key), format))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
}
