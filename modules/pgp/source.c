/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * source.c: the key source `gnupg`: the public keys of the home, and those of them that can sign.
 * The ring is read here, once, and again when it has changed; gpg is asked only about the key that
 * is wanted.
 */
#include "pgp.h"

#include <string.h>

static GPtrArray *read_ring(SealModule *self, const char *home, GError **error)
{
    const char *place = seal_module_string(self, "home");
    SealOrigin origin = {.size = sizeof origin,
                         .source = "gnupg",
                         .place = place,
                         .trust = seal_module_trust(self, "gnupg")};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autofree char *path = pgp_home_ring(home, error);
    g_autoptr(GBytes) data = path ? pgp_home_read(path, error) : NULL;

    if (!data) {
        if (!g_str_equal(home, place))
            g_prefix_error(error, "%s as [daemon] keys_user can read it: ", place);
        return NULL;
    }
    if (pgp_read_keys(self, data, &origin, TRUE, keys, error))
        return g_steal_pointer(&keys);
    g_prefix_error(error, "the key ring %s: ", path);
    return NULL;
}

gboolean pgp_load_ring(SealModule *self, GError **error)
{
    PgpModule *module = seal_module_data(self);
    const char *home = module->home;
    g_autofree char *state = home ? pgp_home_state(home) : NULL;

    if (module->missing) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, module->missing);
        return FALSE;
    }
    if (!home || g_strcmp0(state, module->ring_state) == 0)
        return TRUE;
    g_autoptr(GPtrArray) keys = read_ring(self, home, error);
    if (!keys)
        return FALSE;

    seal_key_index_free(module->ring);
    module->ring = seal_key_index_new();
    for (guint i = 0; i < keys->len; i++)
        seal_key_index_add(module->ring, g_ptr_array_index(keys, i));
    g_clear_pointer(&module->ring_keys, g_ptr_array_unref);
    module->ring_keys = g_steal_pointer(&keys);
    g_free(module->ring_state);
    module->ring_state = g_steal_pointer(&state);
    return TRUE;
}

static gboolean find_keys(SealModule *self, SealAddress *address, GPtrArray *keys, GError **error)
{
    PgpModule *module = seal_module_data(self);

    if (!pgp_load_ring(self, error))
        return FALSE;
    if (!module->ring)
        return TRUE;
    seal_key_index_find(module->ring, address, NULL, keys);
    return TRUE;
}

gboolean pgp_lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                    GCancellable *cancellable, GPtrArray *keys, char **doubt, GError **error)
{
    return !g_str_equal(format, PGP_FORMAT) || find_keys(self, address, keys, error);
}

/* The ring is two names, at which it costs nothing to look each time. */
guint64 pgp_changes(SealModule *self, SealAddress *address, const char *format)
{
    PgpModule *module = seal_module_data(self);
    g_autofree char *state = module->home ? pgp_home_state(module->home) : NULL;

    if (g_strcmp0(state, module->seen_state) != 0) {
        g_free(module->seen_state);
        module->seen_state = g_steal_pointer(&state);
        module->changes++;
    }
    return module->changes;
}

gboolean pgp_copies(SealModule *self, SealKey *key, SealTrust trust, GCancellable *cancellable,
                    GPtrArray *keys, GError **error)
{
    PgpModule *module = seal_module_data(self);

    if (!pgp_load_ring(self, error))
        return FALSE;
    if (!module->ring)
        return TRUE;
    seal_key_index_find_copies(module->ring, key, keys);
    return TRUE;
}

static const char *first_address(const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    return addresses->len > 0 ? seal_address_key(g_ptr_array_index(addresses, 0)) : "";
}

static int by_address(gconstpointer a, gconstpointer b)
{
    const SealKey *one = *(SealKey *const *)a, *other = *(SealKey *const *)b;
    int order = strcmp(first_address(one), first_address(other));

    return order ? order : strcmp(seal_key_fingerprint(one), seal_key_fingerprint(other));
}

/* A revocation that lies there by itself is no key. */
static gboolean is_listed(const SealKey *key, const SealKeyFilter *filter)
{
    const PgpKey *native = seal_key_native(key);

    return !native->is_revocation && seal_key_passes(key, filter);
}

/* Who visits may ask gpg for each, and meanwhile the ring may be read anew. */
gboolean pgp_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                  gpointer user_data, GError **error)
{
    PgpModule *module = seal_module_data(self);
    gboolean ok = TRUE;

    if (module->missing)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED, module->missing);
    if (module->missing || !pgp_load_ring(self, error))
        return FALSE;
    if (!module->ring_keys)
        return TRUE;
    g_autoptr(GPtrArray) keys = g_ptr_array_ref(module->ring_keys);
    g_ptr_array_sort(keys, by_address);
    for (guint i = 0; i < keys->len && ok; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        ok = !is_listed(key, filter) || visit(self, key, NULL, user_data, error);
    }
    return ok;
}

gboolean pgp_may_sign(SealModule *self, const char *fingerprint)
{
    const char *wanted = seal_module_string(self, "signing_key");

    return g_str_equal(wanted, "auto") || g_ascii_strcasecmp(wanted, fingerprint) == 0;
}

gboolean pgp_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                     GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!find_keys(self, address, found, error))
        return FALSE;
    for (guint i = 0; i < found->len; i++) {
        SealKey *key = g_ptr_array_index(found, i);

        if (pgp_may_sign(self, seal_key_fingerprint(key)))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return TRUE;
}
