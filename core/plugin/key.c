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
    char **domains;
    char **bound;
    GPtrArray *addresses;
    SealTrust trust;
    gint64 valid_from;
    gint64 valid_until;
    guint purposes;
    gpointer native;
    GDestroyNotify native_free;
    gsize native_size;
    SealStanding standing;
    gint64 added;
    gint64 last_used;
    SealKey *base; /* whose native part it is, or NULL */
    char *proven_by;
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

/* @domain as A-labels, or NULL. */
static char *plain_domain(const char *domain)
{
    g_autofree char *text = g_strconcat("a@", domain, NULL);
    g_autoptr(SealAddress) address = seal_address_parse(text, NULL);

    return address ? g_strdup(seal_address_domain(address)) : NULL;
}

char *seal_key_bind_to(const char *text)
{
    gsize skip = g_str_has_prefix(text, "@.") ? 2 : g_str_has_prefix(text, "@") ? 1 : 0;

    if (skip > 0) {
        g_autofree char *domain = plain_domain(text + skip);
        return domain ? g_strdup_printf("%.*s%s", (int)skip, text, domain) : NULL;
    }
    g_autoptr(SealAddress) address = seal_address_parse(text, NULL);
    return address ? g_strdup(seal_address_key(address)) : NULL;
}

/* What @plain makes nothing of is left out. */
static char **plain_list(const char *const *texts, char *(*plain)(const char *text))
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();

    for (; texts && *texts; texts++) {
        g_autofree char *one = plain(*texts);

        if (one)
            g_strv_builder_add(list, one);
    }
    return g_strv_builder_end(list);
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
    key->domains = plain_list(spec->domains, plain_domain);
    key->bound = plain_list(origin->bound, seal_key_bind_to);
    key->standing = origin->standing;
    key->added = origin->added;
    key->last_used = origin->last_used;
    key->trust = origin->trust;
    key->valid_from = spec->valid_from;
    key->valid_until = spec->valid_until;
    key->purposes = spec->purposes;
    key->native = spec->native;
    key->native_free = spec->native_free;
    key->native_size = spec->native_size;
    return key;
}

/* @base's native part, and all else of it. */
static SealKey *key_derive(SealKey *base, SealTrust trust, char **bound)
{
    SealKey *key = g_new0(SealKey, 1);

    g_atomic_ref_count_init(&key->refs);
    key->format = g_strdup(base->format);
    key->fingerprint = g_strdup(base->fingerprint);
    key->label = g_strdup(base->label);
    key->source = g_strdup(base->source);
    key->place = g_strdup(base->place);
    key->detected_ids = g_strdupv(base->detected_ids);
    key->domains = g_strdupv(base->domains);
    key->bound = g_strdupv(bound);
    key->addresses = g_ptr_array_ref(base->addresses);
    key->trust = trust;
    key->valid_from = base->valid_from;
    key->valid_until = base->valid_until;
    key->purposes = base->purposes;
    key->native = base->native;
    key->native_size = base->native_size;
    key->standing = base->standing;
    key->added = base->added;
    key->last_used = base->last_used;
    key->base = seal_key_ref(base);
    return key;
}

SealKey *seal_key_with_trust(SealKey *base, SealTrust trust, const char *by)
{
    SealKey *key = key_derive(base, trust, base->bound);

    key->proven_by = g_strdup(by);
    return key;
}

SealKey *seal_key_without_bound(SealKey *base)
{
    char *none[] = {NULL};

    return key_derive(base, base->trust, none);
}

SealKey *seal_key_given_to(SealKey *base, const SealAddress *address)
{
    char *bound[] = {(char *)seal_address_key(address), NULL};

    return key_derive(base, base->trust, bound);
}

SealKey *seal_key_as_found(SealKey *key)
{
    return key->base && key->base->trust != key->trust ? key->base : key;
}

const char *seal_key_proven_by(const SealKey *key)
{
    return key->proven_by;
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
    g_strfreev(key->domains);
    g_strfreev(key->bound);
    g_ptr_array_unref(key->addresses);
    seal_key_unref(key->base);
    g_free(key->proven_by);
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

static gboolean names_domain(const SealKey *key, const char *domain)
{
    return g_strv_contains((const char *const *)key->domains, domain);
}

/* @domain or, for those below it, @.domain. */
static gboolean is_bound_to_domain(const SealKey *key, const char *domain)
{
    for (char **bound = key->bound; *bound; bound++) {
        if (g_str_has_prefix(*bound, "@.") ? g_str_has_suffix(domain, *bound + 1)
                                           : **bound == '@' && g_str_equal(domain, *bound + 1))
            return TRUE;
    }
    return FALSE;
}

SealServes seal_key_serves(const SealKey *key, const SealAddress *address)
{
    const char *domain = seal_address_domain(address);
    gboolean manual = key->trust == SEAL_TRUST_MANUAL;

    if (seal_key_is_for(key, address))
        return SEAL_SERVES_ADDRESS;
    if (manual && g_strv_contains((const char *const *)key->bound, seal_address_key(address)))
        return SEAL_SERVES_BOUND;
    if (names_domain(key, domain) || (manual && is_bound_to_domain(key, domain)))
        return SEAL_SERVES_DOMAIN;
    return SEAL_SERVES_NOT;
}

gboolean seal_key_passes(const SealKey *key, const SealKeyFilter *filter)
{
    const char *const *bound = (const char *const *)key->bound;

    return (!filter->format || g_str_equal(filter->format, key->format)) &&
           (!filter->fingerprint || g_str_has_prefix(key->fingerprint, filter->fingerprint)) &&
           (!filter->address || seal_key_is_for(key, filter->address) ||
            g_strv_contains(bound, seal_address_key(filter->address))) &&
           (!filter->domain || g_strv_contains(bound, filter->domain)) &&
           (filter->expires_before == 0 || key->valid_until < filter->expires_before);
}

const char *const *seal_key_domains(const SealKey *key)
{
    return (const char *const *)key->domains;
}

const char *const *seal_key_bound(const SealKey *key)
{
    return (const char *const *)key->bound;
}

SealStanding seal_key_standing(const SealKey *key)
{
    return key->standing;
}

gint64 seal_key_added(const SealKey *key)
{
    return key->added;
}

gint64 seal_key_last_used(const SealKey *key)
{
    return key->last_used;
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

SealTrust seal_trust_parse(const char *name)
{
    for (guint i = SEAL_TRUST_UNVERIFIED; i < G_N_ELEMENTS(TRUST_NAMES); i++) {
        if (g_str_equal(TRUST_NAMES[i], name))
            return (SealTrust)i;
    }
    return SEAL_TRUST_UNSET;
}

const char *seal_standing_name(SealStanding standing)
{
    static const char *const names[] = {"", "serving", "pending", "rejected", "pinned"};

    return (guint)standing < G_N_ELEMENTS(names) ? names[standing] : "";
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
