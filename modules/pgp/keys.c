/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys.c: transferable public keys (RFC 4880 11.1), taken apart as far as an index needs. Nothing
 * here is verified: that is the engine's part, for the one key that is in question. What others
 * have certified is left out, so that nobody can make a key unusable by flooding it.
 */
#include "engine.h"

#include <string.h>

enum {
    MAX_KEYS = 100000,
    MAX_SUBKEYS = 100,
    MAX_USER_IDS = 200,
    MAX_OWN = 1000, /* signatures by the key itself */
    MAX_REVOCATIONS = 20,
    MAX_KEY = 256 * 1024,
    MAX_PACKET = 64 * 1024,
    MAX_USER_ID = 2048,
};

/* A key while its packets come. */
typedef struct {
    PgpKey *key;
    guint8 id[PGP_KEY_ID];
    guint8 over; /* the tag of what the next signature is over; zero: of what is left out */
    guint revokers;
    guint8 revoker[PGP_KEY_ID];
    char *user_id;
    gint64 newest; /* of the signatures over the user id in hand */
    gboolean bound;
    gboolean has_ciphers;
    gboolean aes;
    gboolean has_hashes;
    guint hashes;
    gint64 newest_expiry;
    guint revocations;
    guint user_ids;
    GArray *others; /* key ids of those who have revoked it */
} Build;

typedef struct {
    guint8 id[PGP_KEY_ID];
} KeyId;

/* -------------------------------------------------------------------------------------------
 * For people
 */

char *pgp_hex(const guint8 *data, gsize length)
{
    GString *text = g_string_sized_new(2 * length);

    for (gsize i = 0; i < length; i++)
        g_string_append_printf(text, "%02x", data[i]);
    return g_string_free(text, FALSE);
}

char *pgp_date(gint64 seconds)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);

    return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("a date that cannot be told");
}

char *pgp_line(const void *data, gsize length)
{
    g_autofree char *valid = g_utf8_make_valid(data, (gssize)MIN(length, 200));
    GString *line = g_string_new(NULL);

    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);

        if (g_unichar_iscntrl(character) || g_unichar_type(character) == G_UNICODE_FORMAT ||
            !g_unichar_isdefined(character))
            g_string_append_c(line, '?');
        else
            g_string_append_unichar(line, character);
    }
    return g_string_free(line, FALSE);
}

char *pgp_user_id_address(const char *text)
{
    const char *open = strrchr(text, '<');
    const char *close = open ? strchr(open, '>') : NULL;
    g_autofree char *inner = NULL;

    if (open && close && close[1] == '\0')
        inner = g_strndup(open + 1, (gsize)(close - open - 1));
    else if (!open && !strpbrk(text, " \t"))
        inner = g_strdup(text);
    if (!inner || !strchr(inner, '@'))
        return NULL;
    g_autoptr(SealAddress) address = seal_address_parse(inner, NULL);
    return address ? g_steal_pointer(&inner) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * One key
 */

void pgp_key_free(PgpKey *key)
{
    if (!key)
        return;
    g_byte_array_unref(key->octets);
    g_array_unref(key->subkeys);
    g_ptr_array_unref(key->addresses);
    g_free(key->label);
    pgp_judgement_free(key->judgement);
    g_free(key);
}

static void keep(Build *build, guint8 tag, const GByteArray *data)
{
    guint8 head[6] = {0xc0 | tag,
                      255,
                      (guint8)(data->len >> 24),
                      (guint8)(data->len >> 16),
                      (guint8)(data->len >> 8),
                      (guint8)data->len};
    GByteArray *octets = build->key->octets;

    if (octets->len + data->len + sizeof head > MAX_KEY) {
        build->key->flooded = TRUE;
        return;
    }
    g_byte_array_append(octets, head, sizeof head);
    g_byte_array_append(octets, data->data, data->len);
}

static void add_subkey(Build *build, const GByteArray *data)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 head[3] = {0x99, (guint8)(data->len >> 8), (guint8)data->len};
    guint8 fingerprint[PGP_FINGERPRINT];
    gsize size = sizeof fingerprint;
    PgpSubkey subkey = {.algorithm = data->data[5]};

    g_checksum_update(sum, head, sizeof head);
    g_checksum_update(sum, data->data, (gssize)data->len);
    g_checksum_get_digest(sum, fingerprint, &size);
    g_checksum_free(sum);

    g_autofree char *hex = pgp_hex(fingerprint, sizeof fingerprint);
    g_strlcpy(subkey.fingerprint, hex, sizeof subkey.fingerprint);
    g_strlcpy(subkey.id, hex + 2 * (PGP_FINGERPRINT - PGP_KEY_ID), sizeof subkey.id);
    for (guint i = 1; i <= 4; i++)
        subkey.created = subkey.created << 8 | data->data[i];
    if (build->key->subkeys->len == 0)
        memcpy(build->id, fingerprint + PGP_FINGERPRINT - PGP_KEY_ID, PGP_KEY_ID);
    g_array_append_val(build->key->subkeys, subkey);
}

/* Of several user ids, only what all of them say counts. */
static void take_preferences(Build *build)
{
    PgpKey *key = build->key;

    if (build->has_ciphers) {
        key->aes = key->has_ciphers ? key->aes && build->aes : build->aes;
        key->has_ciphers = TRUE;
    }
    if (build->has_hashes) {
        key->hashes = key->has_hashes ? key->hashes & build->hashes : build->hashes;
        key->has_hashes = TRUE;
    }
}

/* The user id in hand is complete: does it count? */
static void end_user_id(Build *build)
{
    PgpKey *key = build->key;

    if (!build->user_id)
        return;
    if (build->bound) {
        g_autofree char *address = pgp_user_id_address(build->user_id);

        if (address &&
            !g_ptr_array_find_with_equal_func(key->addresses, address, g_str_equal, NULL))
            g_ptr_array_add(key->addresses, g_steal_pointer(&address));
        take_preferences(build);
        if (!key->label)
            key->label = pgp_line(build->user_id, strlen(build->user_id));
    }
    g_clear_pointer(&build->user_id, g_free);
}

static void begin_user_id(Build *build, const GByteArray *data)
{
    end_user_id(build);
    build->over = 0;
    if (data->len == 0 || memchr(data->data, 0, data->len) ||
        !g_utf8_validate((const char *)data->data, data->len, NULL))
        return;
    if (++build->user_ids > MAX_USER_IDS) {
        build->key->flooded = TRUE;
        return;
    }
    build->over = PGP_TAG_USER_ID;
    build->user_id = g_strndup((const char *)data->data, data->len);
    build->newest = -1;
    build->bound = FALSE;
    keep(build, PGP_TAG_USER_ID, data);
}

static void take_key_expiry(Build *build, const PgpSignature *signature)
{
    PgpKey *key = build->key;

    if (signature->created < build->newest_expiry)
        return;
    build->newest_expiry = signature->created;
    key->valid_until = signature->key_lives ? g_array_index(key->subkeys, PgpSubkey, 0).created +
                                                  signature->key_lives
                                            : G_MAXINT64;
}

/* A certification of the user id in hand by the key itself, or its revocation: the newest counts.
 */
static void take_user_id_signature(Build *build, const PgpSignature *signature)
{
    gboolean certifies = signature->type >= 0x10 && signature->type <= 0x13;

    if (!build->user_id || (!certifies && signature->type != 0x30) ||
        signature->created < build->newest)
        return;
    build->newest = signature->created;
    build->bound = certifies && (signature->lives == 0 || signature->created + signature->lives >
                                                              g_get_real_time() / G_USEC_PER_SEC);
    build->has_ciphers = signature->has_ciphers;
    build->aes = signature->aes;
    build->has_hashes = signature->has_hashes;
    build->hashes = signature->hashes;
    if (certifies)
        take_key_expiry(build, signature);
}

static void take_direct_signature(Build *build, const PgpSignature *signature)
{
    if (signature->type != 0x1f)
        return;
    if (signature->has_ciphers) {
        build->key->has_ciphers = TRUE;
        build->key->aes = signature->aes;
    }
    if (signature->has_hashes) {
        build->key->has_hashes = TRUE;
        build->key->hashes = signature->hashes;
    }
    take_key_expiry(build, signature);
    if (signature->has_revoker) {
        KeyId id;
        memcpy(id.id, signature->revoker, PGP_KEY_ID);
        g_array_append_val(build->others, id);
    }
}

/* Somebody else's revocation counts if the key itself has named him; whether he really made it
 * cannot be told without his key. */
static void take_foreign(Build *build, const PgpSignature *signature, const GByteArray *data)
{
    build->key->certifications++;
    if (signature->type != 0x20 || ++build->revocations > MAX_REVOCATIONS)
        return;
    for (guint i = 0; i < build->others->len; i++) {
        if (memcmp(g_array_index(build->others, KeyId, i).id, signature->issuer, PGP_KEY_ID) == 0)
            build->key->revoked_by_other = TRUE;
    }
    keep(build, PGP_TAG_SIGNATURE, data);
}

static void take_signature(Build *build, const GByteArray *data)
{
    PgpSignature signature;

    if (build->over == 0 || !pgp_signature_read(&signature, data->data, data->len) ||
        !signature.has_issuer)
        return;
    if (memcmp(signature.issuer, build->id, PGP_KEY_ID) != 0) {
        take_foreign(build, &signature, data);
        return;
    }
    if (++build->key->own > MAX_OWN) {
        build->key->flooded = TRUE;
        return;
    }
    if (build->over == PGP_TAG_USER_ID)
        take_user_id_signature(build, &signature);
    else if (build->over == PGP_TAG_PUBLIC_KEY)
        take_direct_signature(build, &signature);
    keep(build, PGP_TAG_SIGNATURE, data);
}

static gboolean is_key_material(const GByteArray *data)
{
    return data->len > 8 && data->data[0] == 4;
}

static void take_subkey(Build *build, const GByteArray *data)
{
    end_user_id(build);
    build->over = 0;
    if (!is_key_material(data))
        return;
    if (build->key->subkeys->len > MAX_SUBKEYS) {
        build->key->flooded = TRUE;
        return;
    }
    build->over = PGP_TAG_PUBLIC_SUBKEY;
    add_subkey(build, data);
    keep(build, PGP_TAG_PUBLIC_SUBKEY, data);
}

static void begin_key(Build *build, const GByteArray *data)
{
    memset(build, 0, sizeof *build);
    build->key = g_new0(PgpKey, 1);
    build->key->octets = g_byte_array_new();
    build->key->subkeys = g_array_new(FALSE, FALSE, sizeof(PgpSubkey));
    build->key->addresses = g_ptr_array_new_with_free_func(g_free);
    build->key->valid_until = G_MAXINT64;
    build->others = g_array_new(FALSE, FALSE, sizeof(KeyId));
    build->over = PGP_TAG_PUBLIC_KEY;
    add_subkey(build, data);
    keep(build, PGP_TAG_PUBLIC_KEY, data);
}

static void end_key(Build *build, PgpRing *ring)
{
    if (!build->key)
        return;
    end_user_id(build);
    if (!build->key->label)
        build->key->label =
            g_strdup_printf("key %s", g_array_index(build->key->subkeys, PgpSubkey, 0).id);
    g_array_unref(build->others);
    g_ptr_array_add(ring->keys, g_steal_pointer(&build->key));
}

/* -------------------------------------------------------------------------------------------
 * Many of them
 */

void pgp_ring_clear(PgpRing *ring)
{
    g_clear_pointer(&ring->keys, g_ptr_array_unref);
}

static void skip_key(PgpRing *ring, const char *fault)
{
    ring->broken++;
    ring->fault = fault;
}

/* Packets of one kind of thing that is not read: how long they may be does not matter. */
static gboolean is_read(guint8 tag)
{
    return tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_PUBLIC_SUBKEY || tag == PGP_TAG_USER_ID ||
           tag == PGP_TAG_SIGNATURE;
}

static void take_packet(Build *build, PgpRing *ring, guint8 tag, const GByteArray *data)
{
    if (tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_SECRET_KEY) {
        end_key(build, ring);
        if (tag == PGP_TAG_SECRET_KEY)
            ring->secret++;
        else if (is_key_material(data))
            begin_key(build, data);
        else
            skip_key(ring, "a key of a version that cannot be used here");
        return;
    }
    if (!build->key)
        return;
    if (tag == PGP_TAG_SIGNATURE)
        take_signature(build, data);
    else if (tag == PGP_TAG_USER_ID)
        begin_user_id(build, data);
    else if (tag == PGP_TAG_PUBLIC_SUBKEY)
        take_subkey(build, data);
    else if (tag != PGP_TAG_TRUST)
        build->over = 0;
}

static gboolean take_packets(PgpOctets *octets, Build *build, PgpRing *ring)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    for (;;) {
        PgpPacket packet;
        gboolean none;

        if (!pgp_packet_next(&packet, octets, &none))
            return FALSE;
        if (none)
            return TRUE;
        if (ring->keys->len == MAX_KEYS)
            return pgp_octets_fail(octets, "more keys than can be");
        g_byte_array_set_size(data, 0);
        gsize most = packet.tag == PGP_TAG_USER_ID ? MAX_USER_ID : MAX_PACKET;
        gboolean read = is_read(packet.tag) && packet.left <= most;
        if (read ? !pgp_packet_rest(&packet, data, most) : !pgp_packet_skip(&packet, NULL))
            return FALSE;
        if (is_read(packet.tag) && !read && build->key) {
            build->key->flooded = TRUE;
            build->over = 0;
        } else {
            take_packet(build, ring, packet.tag, data);
        }
    }
}

/* What was complete before the fault is good. */
static gboolean read_packets(PgpRing *ring, const guint8 *start, gsize length, const char *label,
                             GError **error)
{
    g_autoptr(GInputStream) in = g_memory_input_stream_new_from_data(start, (gssize)length, NULL);
    g_auto(PgpOctets) octets = {0};
    Build build = {0};

    pgp_octets_init(&octets, in, label, label != NULL, NULL);
    if (take_packets(&octets, &build, ring)) {
        end_key(&build, ring);
        return TRUE;
    }
    if (build.key) {
        g_clear_pointer(&build.user_id, g_free);
        g_array_unref(build.others);
        g_clear_pointer(&build.key, pgp_key_free);
    }
    if (octets.error) {
        g_propagate_error(error, g_steal_pointer(&octets.error));
        return FALSE;
    }
    skip_key(ring, octets.fault);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Keyboxes (GnuPG's pubring.kbx): blobs, each with its length first; those of type 2 hold a key.
 */

enum {
    BLOB_HEAD = 16,
    BLOB_TYPE_KEY = 2,
    BLOB_TYPE_FIRST = 1,
};

static gsize big_endian(const guint8 *data)
{
    return (gsize)data[0] << 24 | (gsize)data[1] << 16 | (gsize)data[2] << 8 | data[3];
}

static gboolean is_keybox(const guint8 *data, gsize length)
{
    return length >= 32 && data[4] == BLOB_TYPE_FIRST && memcmp(data + 8, "KBXf", 4) == 0;
}

static gboolean read_keybox(PgpRing *ring, const guint8 *data, gsize length, GError **error)
{
    gsize at = 0;

    while (at < length) {
        gsize size = length - at >= BLOB_HEAD ? big_endian(data + at) : 0;

        if (size < BLOB_HEAD || size > length - at) {
            skip_key(ring, "a keybox that breaks off");
            return TRUE;
        }
        const guint8 *blob = data + at;
        gsize offset = big_endian(blob + 8), count = big_endian(blob + 12);
        if (blob[4] == BLOB_TYPE_KEY) {
            if (offset > size || count > size - offset)
                skip_key(ring, "a keybox that contradicts itself");
            else if (!read_packets(ring, blob + offset, count, NULL, error))
                return FALSE;
        }
        at += size;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Which of these is it?
 */

static gboolean has(const guint8 *data, gsize length, const char *text)
{
    return length > 0 && memmem(data, length, text, strlen(text)) != NULL;
}

static guint8 first_tag(const guint8 *data, gsize length)
{
    if (length == 0 || !(data[0] & 0x80))
        return 0;
    return data[0] & 0x40 ? data[0] & 0x3f : (data[0] >> 2) & 0x0f;
}

gboolean pgp_ring_read(PgpRing *ring, GBytes *bytes, GError **error)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);
    guint8 tag = first_tag(data, length);

    memset(ring, 0, sizeof *ring);
    ring->keys = g_ptr_array_new_with_free_func((GDestroyNotify)pgp_key_free);
    if (is_keybox(data, length))
        return read_keybox(ring, data, length, error);
    if (has(data, length, "-----BEGIN PGP PRIVATE KEY BLOCK-----"))
        ring->secret++;
    if (has(data, length, "-----BEGIN PGP PUBLIC KEY BLOCK-----"))
        return read_packets(ring, data, length, "PUBLIC KEY BLOCK", error);
    if (tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_SECRET_KEY)
        return read_packets(ring, data, length, NULL, error);
    return TRUE;
}
