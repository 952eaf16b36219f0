/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * read.c: bytes to keys, for the Format and for the key source.
 */
#include "pgp.h"
#include "ring.h"

enum { MANY_CERTIFICATIONS = 1000 };

static gboolean can_encrypt(const PgpSubkey *subkey)
{
    guint8 algorithm = subkey->algorithm;

    return subkey->known ? algorithm == 1 || algorithm == 2 || algorithm == 16 || algorithm == 18
                         : subkey->encrypts_until != 0;
}

static gboolean can_sign(const PgpSubkey *subkey)
{
    guint8 algorithm = subkey->algorithm;

    return subkey->known && (algorithm == 1 || algorithm == 3 || algorithm == 17 ||
                             algorithm == 19 || algorithm == 22);
}

static SealKey *make_revocation(PgpKey *key, const SealOrigin *origin)
{
    SealKeySpec spec = {
        .size = sizeof spec,
        .format = PGP_FORMAT,
        .fingerprint = key->revokes,
        .label = key->label,
        .valid_until = G_MAXINT64,
        .native = key,
        .native_free = (GDestroyNotify)pgp_key_free,
    };

    return seal_key_new(&spec, origin);
}

SealKey *pgp_seal_key(PgpKey *key, const SealOrigin *origin)
{
    if (key->is_revocation)
        return make_revocation(key, origin);

    const PgpSubkey *primary = pgp_key_primary(key);
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
        .purposes = key->unsupported ? SEAL_PURPOSE_ENCRYPT | SEAL_PURPOSE_SIGN : 0,
    };

    /* Messages name keys by their ids, signatures mostly by fingerprints. */
    for (guint i = 0; i < key->subkeys->len; i++) {
        PgpSubkey *subkey = &g_array_index(key->subkeys, PgpSubkey, i);

        g_ptr_array_add(ids, subkey->id);
        g_ptr_array_add(ids, subkey->fingerprint);
        spec.purposes |= can_encrypt(subkey) ? SEAL_PURPOSE_ENCRYPT : 0;
        spec.purposes |= can_sign(subkey) ? SEAL_PURPOSE_SIGN : 0;
    }
    g_ptr_array_add(ids, NULL);
    g_ptr_array_add(key->addresses, NULL);
    spec.detected_ids = (const char *const *)ids->pdata;
    spec.addresses = (const char *const *)key->addresses->pdata;
    SealKey *made = seal_key_new(&spec, origin);
    g_ptr_array_set_size(key->addresses, (gint)key->addresses->len - 1);
    return made;
}

static void add_keys(SealModule *self, PgpRing *ring, const SealOrigin *origin, const char *place,
                     gboolean in_home, GPtrArray *keys)
{
    g_ptr_array_set_free_func(ring->keys, NULL);
    for (guint i = 0; i < ring->keys->len; i++) {
        PgpKey *key = g_ptr_array_index(ring->keys, i);

        key->in_home = in_home;
        if (key->certifications > MANY_CERTIFICATIONS)
            seal_module_warn(self, "%s: the key of %s is flooded: %u certifications are left out",
                             place, key->label, key->certifications);
        g_ptr_array_add(keys, pgp_seal_key(key, origin));
    }
}

/* gpg's own ring has keys that are too new for us, which is no fault of the ring: they are passed
 * over. Where the ring itself is not whole, nobody can tell whose keys are missing. A file was put
 * there to be used. */
static gboolean report_broken(SealModule *self, const PgpRing *ring, guint good, const char *place,
                              gboolean in_home, GError **error)
{
    g_autofree char *text =
        good == 0 ? g_strdup_printf("%s: the OpenPGP key cannot be read: %s", place, ring->fault)
                  : g_strdup_printf("%s: passed over %u of %u OpenPGP keys that cannot be read: %s",
                                    place, ring->broken, ring->broken + good, ring->fault);

    if (in_home && !ring->cut)
        seal_module_warn(self, "%s", text);
    else if (in_home)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "it is damaged after %u keys: %s; " PGP_MEND_RING, good, ring->fault);
    else
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, text);
    return in_home && !ring->cut;
}

/* What one file has that is broken hides nothing that is good in it. */
gboolean pgp_read_keys(SealModule *self, GBytes *data, const SealOrigin *origin, gboolean in_home,
                       GPtrArray *keys, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    const char *place = origin->place ? origin->place : origin->source;
    g_auto(PgpRing) ring = {.named = module->named};

    pgp_ring_read(&ring, data);
    if (ring.secret > 0)
        seal_module_warn(
            self, "%s: passed over a secret key: [module pgp] home is where it belongs", place);
    if (in_home && ring.packets + ring.broken == 0 && !pgp_ring_is_keybox(data)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "it is neither a keybox nor OpenPGP packets; " PGP_MEND_RING);
        return FALSE;
    }
    guint good = ring.keys->len;
    add_keys(self, &ring, origin, place, in_home, keys);
    return ring.broken == 0 || report_broken(self, &ring, good, place, in_home, error);
}

/* Octets of a flooded key are not all of it, and read again they would look like a whole one; so
 * would others' certifications, where some were left out that matter. */
GBytes *pgp_write(SealModule *self, SealKey *key, GError **error)
{
    const PgpKey *native = seal_key_native(key);

    if (!native->flooded && native->overwhelmed)
        return g_byte_array_free_to_bytes(pgp_key_own(native));
    if (!native->flooded)
        return g_bytes_new(native->octets->data, native->octets->len);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s is flooded: it has more user ids, subkeys or signatures than a key can "
                "need",
                seal_key_fingerprint(key));
    return NULL;
}

gboolean pgp_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                  GError **error)
{
    return pgp_read_keys(self, data, origin, FALSE, keys, error);
}
