/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * merge.c: copies of one key are one key. The union of their packets, without any cryptography:
 * each component once, with all signatures over it. gpg, which does not merge what it lists, then
 * finds the newest self-signature and every revocation, and passes over what is forged.
 */
#include "pgp.h"
#include "ring.h"

enum {
    MOST = 1024 * 1024, /* octets of the union; what it is for refuses far smaller ones */
};

/* A packet that is no signature, and the signatures over it. */
typedef struct {
    GBytes *packet;
    GHashTable *known;     /* the signatures, as a set */
    GPtrArray *signatures; /* and in order */
} Component;

typedef struct {
    GPtrArray *components; /* the primary key first */
    GHashTable *by_packet;
    gsize size;
    gboolean flooded;
} Union;

static void component_free(gpointer data)
{
    Component *component = data;

    g_hash_table_unref(component->known);
    g_ptr_array_unref(component->signatures);
    g_bytes_unref(component->packet);
    g_free(component);
}

static void union_clear(Union *all)
{
    g_hash_table_unref(all->by_packet);
    g_ptr_array_unref(all->components);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Union, union_clear)

static Union union_begin(void)
{
    return (Union){.components = g_ptr_array_new_with_free_func(component_free),
                   .by_packet = g_hash_table_new(g_bytes_hash, g_bytes_equal)};
}

static gboolean has_room(Union *all, GBytes *packet)
{
    all->size += g_bytes_get_size(packet);
    all->flooded = all->flooded || all->size > MOST;
    return !all->flooded;
}

static Component *take_component(Union *all, GBytes *packet)
{
    Component *component = g_hash_table_lookup(all->by_packet, packet);

    if (component || !has_room(all, packet))
        return component;
    component = g_new0(Component, 1);
    component->packet = g_bytes_ref(packet);
    component->signatures = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    component->known = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    g_ptr_array_add(all->components, component);
    g_hash_table_insert(all->by_packet, component->packet, component);
    return component;
}

static void take_signature(Union *all, Component *over, GBytes *packet)
{
    if (g_hash_table_contains(over->known, packet) || !has_room(all, packet))
        return;
    g_ptr_array_add(over->signatures, g_bytes_ref(packet));
    g_hash_table_add(over->known, packet);
}

static guint8 tag_of(GBytes *packet)
{
    return ((const guint8 *)g_bytes_get_data(packet, NULL))[0] & 0x3f;
}

/* The packet at @at, as ring.c has written it. */
static GBytes *packet_at(const GByteArray *octets, gsize at)
{
    return g_bytes_new(octets->data + at, PGP_HEAD + pgp_number(octets->data + at + 2));
}

/* A bare revocation is over the primary key; a key with another one is none of this. */
static void take_copy(Union *all, const PgpKey *copy)
{
    Component *primary = all->components->len ? g_ptr_array_index(all->components, 0) : NULL;
    Component *over = copy->is_revocation ? primary : NULL;

    for (gsize at = 0; at < copy->octets->len && !all->flooded;) {
        g_autoptr(GBytes) packet = packet_at(copy->octets, at);

        if (tag_of(packet) != PGP_TAG_SIGNATURE) {
            if (at == 0 && primary && !g_bytes_equal(packet, primary->packet))
                return;
            over = take_component(all, packet);
        } else if (over) {
            take_signature(all, over, packet);
        }
        at += g_bytes_get_size(packet);
    }
}

static void write_packet(GByteArray *octets, GBytes *packet)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(packet, &size);

    g_byte_array_append(octets, data, (guint)size);
}

/* The primary key, user ids, subkeys (RFC 4880 11.1). */
static GBytes *write_union(const Union *all)
{
    static const guint8 order[] = {PGP_TAG_PUBLIC_KEY, PGP_TAG_USER_ID, PGP_TAG_PUBLIC_SUBKEY};
    GByteArray *octets = g_byte_array_new();

    for (guint pass = 0; pass < G_N_ELEMENTS(order); pass++) {
        for (guint i = 0; i < all->components->len; i++) {
            const Component *component = g_ptr_array_index(all->components, i);

            if (tag_of(component->packet) != order[pass])
                continue;
            write_packet(octets, component->packet);
            for (guint n = 0; n < component->signatures->len; n++)
                write_packet(octets, g_ptr_array_index(component->signatures, n));
        }
    }
    return g_byte_array_free_to_bytes(octets);
}

static PgpKey *read_union(const Union *all, const GByteArray *named)
{
    g_autoptr(GBytes) octets = write_union(all);
    g_auto(PgpRing) ring = {.named = named};

    pgp_ring_read_packets(&ring, octets);
    return ring.keys->len == 1 ? g_ptr_array_steal_index(ring.keys, 0) : NULL;
}

SealKey *pgp_merge(SealModule *self, GPtrArray *copies, GError **error)
{
    const PgpModule *module = seal_module_data(self);
    SealKey *first = g_ptr_array_index(copies, 0);
    const PgpKey *own = seal_key_native(first);
    SealOrigin origin = {.size = sizeof origin,
                         .source = seal_key_source(first),
                         .place = seal_key_place(first),
                         .trust = seal_key_trust(first),
                         .bound = seal_key_bound(first),
                         .standing = seal_key_standing(first),
                         .added = seal_key_added(first),
                         .last_used = seal_key_last_used(first)};
    g_auto(Union) all = union_begin();
    gboolean in_home = FALSE, flooded = FALSE, overwhelmed = FALSE;

    for (guint i = 0; i < copies->len; i++) {
        const PgpKey *copy = seal_key_native(g_ptr_array_index(copies, i));

        take_copy(&all, copy);
        in_home = in_home || copy->in_home;
        flooded = flooded || copy->flooded;
        overwhelmed = overwhelmed || copy->overwhelmed;
    }
    PgpKey *merged = read_union(&all, module->named);
    if (!merged) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "the copies of the key %s do not fit",
                    seal_key_fingerprint(first));
        return NULL;
    }
    merged->flooded = merged->flooded || flooded || all.flooded;
    merged->overwhelmed = merged->overwhelmed || overwhelmed;
    if (merged->octets->len == own->octets->len && in_home == own->in_home &&
        merged->flooded == own->flooded && merged->overwhelmed == own->overwhelmed) {
        pgp_key_free(merged);
        return seal_key_ref(first);
    }
    merged->in_home = in_home;
    merged->merged = TRUE;
    return pgp_seal_key(merged, &origin);
}
