/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * source.c: the key source `gnupg`: the public keys of the home, and those of them that can sign.
 * The ring is read here, once, and again when it has changed; gpg is asked only about the key that
 * is wanted.
 */
#include "engine.h"

static void index_key(GHashTable *ring, SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        const char *name = seal_address_key(g_ptr_array_index(addresses, i));
        GPtrArray *same = g_hash_table_lookup(ring, name);

        if (!same) {
            same = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
            g_hash_table_insert(ring, g_strdup(name), same);
        }
        if (same->len == 0 || g_ptr_array_index(same, same->len - 1) != key)
            g_ptr_array_add(same, seal_key_ref(key));
    }
}

/* A broken key in the home could be the one that is wanted. */
static gboolean parse(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                      GError **error)
{
    g_auto(PgpRing) ring = {0};

    if (!pgp_ring_read(&ring, data, error))
        return FALSE;
    if (ring.broken > 0)
        seal_module_warn(self, "%s: passed over %u keys that cannot be read: %s", origin->place,
                         ring.broken, ring.fault);
    pgp_ring_to_keys(&ring, self, origin, TRUE, keys);
    return TRUE;
}

static gboolean load(SealModule *self, SealTrust trust, GError **error)
{
    PgpModule *module = seal_module_data(self);
    SealOrigin origin = {
        .size = sizeof origin, .source = "gnupg", .place = module->home, .trust = trust};
    g_autofree char *state = pgp_home_state(module->home);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GBytes) data = NULL;

    if (module->ring && module->ring_trust == trust && g_str_equal(state, module->ring_state))
        return TRUE;
    if (!pgp_home_read(module->home, &data, error) ||
        (data && !parse(self, data, &origin, keys, error)))
        return FALSE;

    g_clear_pointer(&module->ring, g_hash_table_unref);
    module->ring =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < keys->len; i++)
        index_key(module->ring, g_ptr_array_index(keys, i));
    g_free(module->ring_state);
    module->ring_state = g_steal_pointer(&state);
    module->ring_trust = trust;
    return TRUE;
}

static gboolean is_wanted(const PgpModule *module, const SealKey *key)
{
    return !module->signing_key ||
           g_ascii_strcasecmp(module->signing_key, seal_key_fingerprint(key)) == 0;
}

static gboolean find(SealModule *self, SealAddress *address, SealTrust trust, gboolean to_sign,
                     GPtrArray *keys, GError **error)
{
    PgpModule *module = seal_module_data(self);

    if (!module->home)
        return TRUE;
    if (!load(self, trust, error))
        return FALSE;
    GPtrArray *same = g_hash_table_lookup(module->ring, seal_address_key(address));
    for (guint i = 0; same && i < same->len; i++) {
        SealKey *key = g_ptr_array_index(same, i);

        if (!to_sign || is_wanted(module, key))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return TRUE;
}

gboolean pgp_lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                    GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    if (!g_str_equal(format, PGP_FORMAT))
        return TRUE;
    return find(self, address, trust, FALSE, keys, error);
}

gboolean pgp_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                     GPtrArray *keys, GError **error)
{
    PgpModule *module = seal_module_data(self);

    return find(self, address, module->ring ? module->ring_trust : SEAL_TRUST_VERIFIED, TRUE, keys,
                error);
}
