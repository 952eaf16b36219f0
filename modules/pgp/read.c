/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * read.c: the Format's read(): bytes to keys.
 */
#include "pgp.h"

#include <string.h>

enum { MANY_CERTIFICATIONS = 1000 };

static gboolean can_encrypt(guint8 algorithm)
{
    return algorithm == 1 || algorithm == 2 || algorithm == 16 || algorithm == 18 ||
           algorithm == 25 || algorithm == 26;
}

static gboolean can_sign(guint8 algorithm)
{
    return algorithm == 1 || algorithm == 3 || algorithm == 17 || algorithm == 19 ||
           algorithm == 22 || algorithm == 27 || algorithm == 28;
}

/* Messages name keys by their ids, signatures mostly by fingerprints. */
static SealKey *make_key(PgpKey *key, const SealOrigin *origin)
{
    const PgpSubkey *primary = &g_array_index(key->subkeys, PgpSubkey, 0);
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    SealKeySpec spec = {
        .size = sizeof spec,
        .format = PGP_FORMAT,
        .fingerprint = primary->fingerprint,
        .label = key->label,
        .valid_from = primary->created,
        .valid_until = key->valid_until,
        .native = key,
        .native_free = (GDestroyNotify)pgp_key_free,
    };

    for (guint i = 0; i < key->subkeys->len; i++) {
        PgpSubkey *subkey = &g_array_index(key->subkeys, PgpSubkey, i);

        g_ptr_array_add(ids, subkey->id);
        g_ptr_array_add(ids, subkey->fingerprint);
        spec.purposes |= can_encrypt(subkey->algorithm) ? SEAL_PURPOSE_ENCRYPT : 0;
        spec.purposes |= can_sign(subkey->algorithm) ? SEAL_PURPOSE_SIGN : 0;
    }
    g_ptr_array_add(ids, NULL);
    g_ptr_array_add(key->addresses, NULL);
    spec.detected_ids = (const char *const *)ids->pdata;
    spec.addresses = (const char *const *)key->addresses->pdata;
    SealKey *made = seal_key_new(&spec, origin);
    g_ptr_array_set_size(key->addresses, (gint)key->addresses->len - 1);
    return made;
}

void pgp_ring_to_keys(PgpRing *ring, SealModule *self, const SealOrigin *origin, gboolean in_home,
                      GPtrArray *keys)
{
    g_autoptr(GPtrArray) all = g_steal_pointer(&ring->keys);

    g_ptr_array_set_free_func(all, NULL);
    for (guint i = 0; i < all->len; i++) {
        PgpKey *key = g_ptr_array_index(all, i);

        key->in_home = in_home;
        if (key->certifications > MANY_CERTIFICATIONS)
            seal_module_warn(self, "%s: the key of %s is flooded: %u certifications are left out",
                             origin->place ? origin->place : origin->source, key->label,
                             key->certifications);
        g_ptr_array_add(keys, make_key(key, origin));
    }
}

/* What one file has that is broken hides nothing that is good in it. */
static gboolean report(SealModule *self, const PgpRing *ring, const SealOrigin *origin,
                       GError **error)
{
    const char *place = origin->place ? origin->place : origin->source;

    if (ring->secret > 0)
        seal_module_warn(self, "%s: passed over a secret key; it belongs into [module pgp] home",
                         place);
    if (ring->broken == 0)
        return TRUE;
    if (ring->keys->len == 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "%s: an OpenPGP key that cannot be read: %s",
                    place, ring->fault);
        return FALSE;
    }
    seal_module_warn(self, "%s: passed over %u that cannot be read among %u keys: %s", place,
                     ring->broken, ring->broken + ring->keys->len, ring->fault);
    return TRUE;
}

gboolean pgp_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                  GError **error)
{
    g_auto(PgpRing) ring = {0};

    if (!pgp_ring_read(&ring, data, error) || !report(self, &ring, origin, error))
        return FALSE;
    pgp_ring_to_keys(&ring, self, origin, FALSE, keys);
    return TRUE;
}
