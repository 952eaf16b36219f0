/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.c: immutable, reference-counted keys. Only its Format knows what is inside.
 */
#include "core/plugin/key.h"

/* What a key takes, about, beside what its Format has of it. */
enum {
    OWN_SIZE = 1024,
    ADDRESS_SIZE = 512,
    UNKNOWN_SIZE = 16384,
};

struct SealKey {
    gatomicrefcount refs;
    char *format;
    char *fingerprint;
    char *label;
    char *source;
    char *place;
    char **detected_ids;
    GPtrArray *addresses;
    SealTrust trust;
    gint64 valid_from;
    gint64 valid_until;
    guint purposes;
    gpointer native;
    GDestroyNotify native_free;
    gsize native_size;
};

static GPtrArray *parse_addresses(const char *const *texts)
{
    GPtrArray *addresses = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref);

    for (; texts && *texts; texts++) {
        SealAddress *address = seal_address_parse(*texts, NULL);
        if (address)
            g_ptr_array_add(addresses, address);
    }
    return addresses;
}

SealKey *seal_key_new(const SealKeySpec *spec, const SealOrigin *origin)
{
    SealKey *key = g_new0(SealKey, 1);

    g_atomic_ref_count_init(&key->refs);
    key->format = g_strdup(spec->format);
    key->fingerprint = g_strdup(spec->fingerprint);
    key->label = g_strdup(spec->label);
    key->source = g_strdup(origin->source);
    key->place = g_strdup(origin->place);
    key->detected_ids = g_strdupv((char **)spec->detected_ids);
    key->addresses = parse_addresses(spec->addresses);
    key->trust = origin->trust;
    key->valid_from = spec->valid_from;
    key->valid_until = spec->valid_until;
    key->purposes = spec->purposes;
    key->native = spec->native;
    key->native_free = spec->native_free;
    key->native_size = spec->native_size;
    return key;
}

SealKey *seal_key_ref(SealKey *key)
{
    g_atomic_ref_count_inc(&key->refs);
    return key;
}

void seal_key_unref(SealKey *key)
{
    if (!key || !g_atomic_ref_count_dec(&key->refs))
        return;
    if (key->native_free)
        key->native_free(key->native);
    g_free(key->format);
    g_free(key->fingerprint);
    g_free(key->label);
    g_free(key->source);
    g_free(key->place);
    g_strfreev(key->detected_ids);
    g_ptr_array_unref(key->addresses);
    g_free(key);
}

const char *seal_key_format(const SealKey *key)
{
    return key->format;
}

const char *seal_key_fingerprint(const SealKey *key)
{
    return key->fingerprint;
}

const char *seal_key_label(const SealKey *key)
{
    return key->label;
}

const char *seal_key_source(const SealKey *key)
{
    return key->source;
}

const char *seal_key_place(const SealKey *key)
{
    return key->place;
}

SealTrust seal_key_trust(const SealKey *key)
{
    return key->trust;
}

guint seal_key_purposes(const SealKey *key)
{
    return key->purposes;
}

gint64 seal_key_valid_from(const SealKey *key)
{
    return key->valid_from;
}

gint64 seal_key_valid_until(const SealKey *key)
{
    return key->valid_until;
}

GPtrArray *seal_key_addresses(const SealKey *key)
{
    return key->addresses;
}

const char *const *seal_key_detected_ids(const SealKey *key)
{
    static const char *const none[] = {NULL};

    return key->detected_ids ? (const char *const *)key->detected_ids : none;
}

gpointer seal_key_native(const SealKey *key)
{
    return key->native;
}

gsize seal_key_weight(const SealKey *key)
{
    gsize size = key->native_size ? key->native_size : UNKNOWN_SIZE;

    return OWN_SIZE + size + key->addresses->len * ADDRESS_SIZE;
}

gboolean seal_key_is_for(const SealKey *key, const SealAddress *address)
{
    for (guint i = 0; i < key->addresses->len; i++) {
        if (seal_address_equal(g_ptr_array_index(key->addresses, i), address))
            return TRUE;
    }
    return FALSE;
}

static const char *const TRUST_NAMES[] = {
    [SEAL_TRUST_UNSET] = "",
    [SEAL_TRUST_UNVERIFIED] = "unverified",
    [SEAL_TRUST_HARVESTED] = "harvested",
    [SEAL_TRUST_DISCOVERED] = "discovered",
    [SEAL_TRUST_VERIFIED] = "verified",
    [SEAL_TRUST_MANUAL] = "manual",
};

const char *seal_trust_name(SealTrust trust)
{
    return (guint)trust < G_N_ELEMENTS(TRUST_NAMES) ? TRUST_NAMES[trust] : "";
}

gboolean seal_key_is_among(const SealKey *key, GHashTable *ids)
{
    const char *const *names = seal_key_detected_ids(key);

    for (; *names; names++) {
        if (g_hash_table_contains(ids, *names))
            return TRUE;
    }
    return FALSE;
}
