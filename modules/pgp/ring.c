/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ring.c: transferable public keys (RFC 4880 11.1), taken apart as far as an index needs. Nothing
 * here is verified: that is the engine's part, for the one key that is in question. What others
 * have certified is left out, so that nobody can make a key unusable by flooding it.
 */
#include "ring.h"

#include <string.h>

#define MAX_KEYS 100000

enum {
    MAX_SUBKEYS = 100,
    MAX_USER_IDS = 200,
    MAX_CLAIMS = 20, /* user ids of a key that nobody verifies */
    MAX_OWN = 1000,  /* signatures by the key itself */
    MAX_REVOCATIONS = 20,
    MAX_OTHERS = 8,      /* others' certifications of one user id */
    MAX_ALL_OTHERS = 64, /* and of all of them */
    MAX_NAMED = 40,      /* those of introducers, of one user id */
    MAX_FOREIGN = 64 * 1024,
    MAX_OTHER = 2048, /* octets of one */
    MAX_KEY = 256 * 1024,
    MAX_PACKET = 64 * 1024,
    MAX_USER_ID = 2048,
    MAX_LABEL = 200,
};

/* A key while its packets come. */
typedef struct {
    PgpKey *key;
    const GByteArray *named;
    guint8 id[PGP_KEY_ID];
    guint8 over; /* the tag of what the next signature is over; zero: of what is left out */
    char *user_id;
    gint64 newest; /* of the signatures over the user id in hand that the key claims to have made */
    gint64 until;  /* when that one ends; zero: there is none */
    gint64 newest_expiry;
    guint signatures; /* that the key seems to have made */
    guint revocations;
    gsize foreign; /* octets of others' certifications that were kept */
    guint others;  /* strangers' certifications of the user id in hand, and revocations of such */
    guint revoked;
    guint all_others;
    guint by_named;
    guint user_ids;
    GByteArray *late;       /* its own revocations that stand elsewhere than behind it */
    GByteArray *revokers;   /* key ids of those who may revoke it */
    GByteArray *revoked_by; /* and of others who did */
} Build;

/* -------------------------------------------------------------------------------------------
 * One key
 */

static void append_packet(GByteArray *octets, guint8 tag, const GByteArray *data)
{
    guint8 head[6] = {0xc0 | tag,
                      255,
                      (guint8)(data->len >> 24),
                      (guint8)(data->len >> 16),
                      (guint8)(data->len >> 8),
                      (guint8)data->len};

    g_byte_array_append(octets, head, sizeof head);
    g_byte_array_append(octets, data->data, data->len);
}

static void keep_packet(Build *build, guint8 tag, const GByteArray *data)
{
    PgpKey *key = build->key;

    if (key->octets->len - build->foreign + data->len > MAX_KEY)
        key->flooded = TRUE;
    else
        append_packet(key->octets, tag, data);
}

/* Over the packet, with a head of its own for each version (RFC 9580 5.5.4; of version 5 as GnuPG
 * has it). */
static gsize take_fingerprint(const GByteArray *data, guint8 *fingerprint)
{
    guint8 version = data->data[0];
    guint8 head[5] = {0x99, (guint8)(data->len >> 8), (guint8)data->len};
    gsize size = version == 4 ? PGP_FINGERPRINT : PGP_LONG_FINGERPRINT, head_size = 3;
    GChecksum *sum = g_checksum_new(version == 4 ? G_CHECKSUM_SHA1 : G_CHECKSUM_SHA256);

    if (version > 4) {
        head[0] = version == 5 ? 0x9a : 0x9b;
        for (guint i = 0; i < 4; i++)
            head[1 + i] = (guint8)(data->len >> (24 - 8 * i));
        head_size = 5;
    }
    g_checksum_update(sum, head, (gssize)head_size);
    g_checksum_update(sum, data->data, (gssize)data->len);
    g_checksum_get_digest(sum, fingerprint, &size);
    g_checksum_free(sum);
    return size;
}

static void add_subkey(Build *build, const GByteArray *data)
{
    guint8 fingerprint[PGP_LONG_FINGERPRINT];
    PgpSubkey subkey = {.version = data->data[0],
                        .created = pgp_number(data->data + 1),
                        .algorithm = data->data[5]};
    gsize size = take_fingerprint(data, fingerprint);
    const guint8 *id = fingerprint + (subkey.version == 4 ? size - PGP_KEY_ID : 0);

    g_autofree char *hex = seal_text_hex(fingerprint, size);
    g_strlcpy(subkey.fingerprint, hex, sizeof subkey.fingerprint);
    g_autofree char *short_hex = seal_text_hex(id, PGP_KEY_ID);
    g_strlcpy(subkey.id, short_hex, sizeof subkey.id);
    subkey.known = pgp_is_known(subkey.version, subkey.algorithm);
    if (build->key->subkeys->len == 0)
        memcpy(build->id, id, PGP_KEY_ID);
    g_array_append_val(build->key->subkeys, subkey);
}

/* Nothing of it is verified, so that no signature takes away what another one says: gpg goes by the
 * genuine ones, and what it makes with anything but AES is not used. Hashes that not all of them
 * name are done without. */
static void take_preferences(Build *build, const PgpPreferences *from)
{
    PgpPreferences *to = &build->key->preferences;

    to->has_ciphers = to->has_ciphers || from->has_ciphers;
    to->aes = to->aes || from->aes;
    if (from->has_hashes) {
        to->hashes = from->hashes & (to->has_hashes ? to->hashes : ~0u);
        to->has_hashes = TRUE;
    }
}

/* Takes @address over. */
static void add_address(PgpKey *key, char *address, gint64 until)
{
    guint at;

    if (!g_ptr_array_find_with_equal_func(key->addresses, address, g_str_equal, &at)) {
        g_ptr_array_add(key->addresses, address);
        g_array_append_val(key->bound_until, until);
        return;
    }
    gint64 *known = &g_array_index(key->bound_until, gint64, at);
    *known = MAX(*known, until);
    g_free(address);
}

/* The user id in hand is complete: does it count? */
static void end_user_id(Build *build)
{
    PgpKey *key = build->key;

    if (!build->user_id)
        return;
    if (build->until) {
        char *address = pgp_user_id_address(build->user_id);

        if (address)
            add_address(key, address, build->until);
        if (!key->label)
            key->label = seal_text_line(build->user_id, strlen(build->user_id), MAX_LABEL);
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
    if (++build->user_ids > (build->key->unsupported ? MAX_CLAIMS : MAX_USER_IDS)) {
        build->key->flooded = TRUE;
        return;
    }
    build->over = PGP_TAG_USER_ID;
    build->user_id = g_strndup((const char *)data->data, data->len);
    build->newest = 0;
    build->until = 0;
    build->others = 0;
    build->revoked = 0;
    build->by_named = 0;
    keep_packet(build, PGP_TAG_USER_ID, data);
}

static void take_key_expiry(Build *build, const PgpSignature *signature)
{
    PgpKey *key = build->key;

    if (signature->created < build->newest_expiry)
        return;
    build->newest_expiry = signature->created;
    key->valid_until =
        signature->key_lives ? pgp_key_primary(key)->created + signature->key_lives : G_MAXINT64;
}

/* A certification of the user id in hand that claims to be the key's own. Whether it is, and
 * whether it was revoked, gpg says when it is asked about that address: here the key is found under
 * it. */
static void take_user_id_signature(Build *build, const PgpSignature *signature)
{
    if (!build->user_id || signature->type < 0x10 || signature->type > 0x13)
        return;
    if (!build->until || signature->created >= build->newest) {
        build->newest = signature->created;
        build->until = signature->lives ? signature->created + signature->lives : G_MAXINT64;
    }
    take_preferences(build, &signature->preferences);
    take_key_expiry(build, signature);
}

static void take_direct_signature(Build *build, const PgpSignature *signature)
{
    if (signature->type == 0x20)
        build->key->says_revoked = TRUE;
    if (signature->type != 0x1f)
        return;
    take_preferences(build, &signature->preferences);
    take_key_expiry(build, signature);
    if (signature->has_revoker)
        g_byte_array_append(build->revokers, signature->revoker, PGP_KEY_ID);
}

static gboolean is_named(const GByteArray *named, const guint8 *issuer)
{
    for (guint i = 0; named && i < named->len; i += PGP_KEY_ID) {
        if (memcmp(named->data + i, issuer, PGP_KEY_ID) == 0)
            return TRUE;
    }
    return FALSE;
}

/* What a subkey that gpg does not know says of itself; the newest such word counts. */
static void take_subkey_signature(Build *build, const PgpSignature *signature)
{
    GArray *subkeys = build->key->subkeys;
    PgpSubkey *subkey = &g_array_index(subkeys, PgpSubkey, subkeys->len - 1);
    const guint8 encrypts = 0x04 | 0x08;

    if (subkey->known || signature->created < build->newest ||
        (signature->type != 0x18 && signature->type != 0x28))
        return;
    build->newest = signature->created;
    subkey->encrypts_until = signature->type == 0x28 || !(signature->flags & encrypts) ? 0
                             : signature->key_lives ? subkey->created + signature->key_lives
                                                    : G_MAXINT64;
}

static gboolean has_room(Build *build, gboolean named, gboolean revokes, gsize length)
{
    guint *count = named ? &build->by_named : revokes ? &build->revoked : &build->others;

    return ++*count <= (named ? MAX_NAMED : MAX_OTHERS) &&
           (named || ++build->all_others <= MAX_ALL_OTHERS) &&
           build->foreign + PGP_HEAD + length <= MAX_FOREIGN;
}

/* Others' certifications of user ids, and what revokes them: those of introducers lift a key, and
 * that of the key before lets it take its place. Of strangers only a few, since anybody can make
 * any number; what is lost with them is no more than leave to replace a key. Where a revocation may
 * be lost, or an introducer's word, nobody's counts. */
static gboolean keeps_certification(Build *build, const PgpSignature *signature, gsize length)
{
    gboolean revokes = signature->type == 0x30, named = is_named(build->named, signature->issuer);
    gboolean certifies =
        signature->type >= 0x10 && signature->type <= 0x13 && pgp_is_sound_hash(signature->hash);

    if (build->over != PGP_TAG_USER_ID || (!certifies && !revokes) || signature->version != 4)
        return FALSE;
    if (length <= MAX_OTHER && has_room(build, named, revokes, length))
        return TRUE;
    build->key->overwhelmed = build->key->overwhelmed || named || revokes;
    return FALSE;
}

/* Somebody else's revocation counts if the key itself has named him; whether he really made it
 * cannot be told without his key. */
static void take_foreign(Build *build, const PgpSignature *signature, const GByteArray *data)
{
    if (keeps_certification(build, signature, data->len)) {
        append_packet(build->key->octets, PGP_TAG_SIGNATURE, data);
        build->foreign += PGP_HEAD + data->len;
        return;
    }
    build->key->certifications++;
    if (signature->type != 0x20 || ++build->revocations > MAX_REVOCATIONS)
        return;
    g_byte_array_append(build->revoked_by, signature->issuer, PGP_KEY_ID);
    keep_packet(build, PGP_TAG_SIGNATURE, data);
}

/* A signature has the version of the key that makes it; one of another would have gpg refuse all.
 */
static gboolean fits_version(const Build *build, const PgpSignature *signature)
{
    guint8 version = pgp_key_primary(build->key)->version;

    return MAX(signature->version, 4) == version;
}

/* As a bare one behind a copy of the key, where several of them are kept together. */
static void take_late_revocation(Build *build, const GByteArray *data)
{
    build->key->says_revoked = TRUE;
    if (build->key->octets->len - build->foreign + build->late->len + data->len > MAX_KEY)
        build->key->flooded = TRUE;
    else
        append_packet(build->late, PGP_TAG_SIGNATURE, data);
}

static void take_signature(Build *build, const GByteArray *data)
{
    PgpSignature signature;

    if (!pgp_signature_read(&signature, data->data, data->len) || !signature.has_issuer ||
        !fits_version(build, &signature) || !pgp_signature_is_whole(data->data, data->len))
        return;
    gboolean own = memcmp(signature.issuer, build->id, PGP_KEY_ID) == 0;
    /* What revokes the key does so behind anything. */
    if (build->over == 0 && !(own && signature.type == 0x20))
        return;
    if (!own) {
        take_foreign(build, &signature, data);
        return;
    }
    if (++build->signatures > MAX_OWN) {
        build->key->flooded = TRUE;
        return;
    }
    if (signature.type == 0x20 && build->over != PGP_TAG_PUBLIC_KEY) {
        take_late_revocation(build, data);
        return;
    }
    if (build->over == PGP_TAG_USER_ID)
        take_user_id_signature(build, &signature);
    else if (build->over == PGP_TAG_PUBLIC_KEY)
        take_direct_signature(build, &signature);
    else
        take_subkey_signature(build, &signature);
    keep_packet(build, PGP_TAG_SIGNATURE, data);
}

static gboolean is_key_material(const GByteArray *data)
{
    return data->len > 8 && data->data[0] >= 4 && data->data[0] <= 6;
}

static void take_subkey(Build *build, const GByteArray *data)
{
    end_user_id(build);
    build->over = 0;
    if (!is_key_material(data) || !pgp_material_is_whole(data->data, data->len))
        return;
    if (build->key->subkeys->len > MAX_SUBKEYS) {
        build->key->flooded = TRUE;
        return;
    }
    build->over = PGP_TAG_PUBLIC_SUBKEY;
    build->newest = 0;
    add_subkey(build, data);
    keep_packet(build, PGP_TAG_PUBLIC_SUBKEY, data);
}

/* What is asked of it is answered by what it says itself: nobody here can verify it. */
static void note_unsupported(PgpKey *key)
{
    const PgpSubkey *primary = pgp_key_primary(key);

    if (primary->known)
        return;
    g_autofree char *name = pgp_algorithm_name(primary->algorithm);
    key->unsupported = primary->version == 4
                           ? g_strdup_printf("has a primary key with %s", name)
                           : g_strdup_printf("is of version %u, with %s", primary->version, name);
}

static void begin_key(Build *build, const GByteArray *named, const GByteArray *data)
{
    memset(build, 0, sizeof *build);
    build->named = named;
    build->key = pgp_key_new();
    build->late = g_byte_array_new();
    build->revokers = g_byte_array_new();
    build->revoked_by = g_byte_array_new();
    build->over = PGP_TAG_PUBLIC_KEY;
    add_subkey(build, data);
    note_unsupported(build->key);
    keep_packet(build, PGP_TAG_PUBLIC_KEY, data);
}

static void build_clear(Build *build)
{
    g_clear_pointer(&build->key, pgp_key_free);
    g_clear_pointer(&build->user_id, g_free);
    g_clear_pointer(&build->late, g_byte_array_unref);
    g_clear_pointer(&build->revokers, g_byte_array_unref);
    g_clear_pointer(&build->revoked_by, g_byte_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

static gboolean is_revoked_by_other(const Build *build)
{
    for (guint i = 0; i < build->revokers->len; i += PGP_KEY_ID) {
        for (guint n = 0; n < build->revoked_by->len; n += PGP_KEY_ID) {
            if (memcmp(build->revokers->data + i, build->revoked_by->data + n, PGP_KEY_ID) == 0)
                return TRUE;
        }
    }
    return FALSE;
}

/* Where they belong: gpg takes them for nothing elsewhere. */
static void place_late(Build *build)
{
    GByteArray *octets = build->key->octets;
    guint first = PGP_HEAD + pgp_number(octets->data + 2);

    if (build->late->len == 0)
        return;
    g_byte_array_append(build->late, octets->data + first, octets->len - first);
    g_byte_array_set_size(octets, first);
    g_byte_array_append(octets, build->late->data, build->late->len);
}

static void end_key(Build *build, PgpRing *ring)
{
    if (!build->key)
        return;
    end_user_id(build);
    place_late(build);
    build->key->revoked_by_other = is_revoked_by_other(build);
    /* One that was left out may be by somebody whom the key has named. */
    if (build->revokers->len > 0 && build->revocations > MAX_REVOCATIONS)
        build->key->flooded = TRUE;
    if (!build->key->label)
        build->key->label = g_strdup_printf("key %s", pgp_key_primary(build->key)->id);
    g_ptr_array_add(ring->keys, g_steal_pointer(&build->key));
    build_clear(build);
}

/* -------------------------------------------------------------------------------------------
 * Many of them
 */

void pgp_ring_clear(PgpRing *ring)
{
    g_clear_pointer(&ring->keys, g_ptr_array_unref);
    g_clear_pointer(&ring->secrets, g_ptr_array_unref);
}

static void skip_key(PgpRing *ring, const char *fault)
{
    ring->broken++;
    if (!ring->cut)
        ring->fault = fault;
}

/* What is not whole may have been anybody's. */
static void cut_ring(PgpRing *ring, const char *fault)
{
    skip_key(ring, fault);
    ring->cut = TRUE;
}

/* A signature over no key in sight: the revocation of one that lies elsewhere, as gpg makes it for
 * each new key. Whatever else it is says nothing. */
static void take_bare_signature(PgpRing *ring, const GByteArray *data)
{
    PgpSignature signature;

    if (!pgp_signature_read(&signature, data->data, data->len) || signature.type != 0x20 ||
        !signature.has_issuer)
        return;
    PgpKey *key = pgp_key_new();
    g_autofree char *revokes =
        signature.issuer_length > 0
            ? seal_text_hex(signature.issuer_fingerprint, signature.issuer_length)
            : seal_text_hex(signature.issuer, PGP_KEY_ID);
    key->is_revocation = TRUE;
    g_strlcpy(key->revokes, revokes, sizeof key->revokes);
    key->label = g_strdup_printf("the revocation of %s", revokes);
    append_packet(key->octets, PGP_TAG_SIGNATURE, data);
    g_ptr_array_add(ring->keys, key);
}

/* Of packets that are not read, it does not matter how long they are. */
static gboolean is_read(guint8 tag)
{
    return tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_PUBLIC_SUBKEY || tag == PGP_TAG_USER_ID ||
           tag == PGP_TAG_SIGNATURE;
}

/* Secret keys are only counted, and named by their first user id. */
static void begin_secret(PgpRing *ring)
{
    ring->secret++;
    g_ptr_array_add(ring->secrets, NULL);
}

static void name_secret(PgpRing *ring, const GByteArray *data)
{
    gpointer *last =
        ring->secrets->len ? &g_ptr_array_index(ring->secrets, ring->secrets->len - 1) : NULL;

    if (last && !*last)
        *last = seal_text_line(data->data, data->len, MAX_LABEL);
}

static void take_packet(Build *build, PgpRing *ring, guint8 tag, const GByteArray *data)
{
    if (tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_SECRET_KEY) {
        end_key(build, ring);
        if (tag == PGP_TAG_SECRET_KEY)
            begin_secret(ring);
        else if (is_key_material(data) && !pgp_material_is_whole(data->data, data->len))
            skip_key(ring, "its numbers do not end where it ends");
        else if (is_key_material(data))
            begin_key(build, ring->named, data);
        else if (data->len == 0 || data->data[0] > 3)
            skip_key(ring, "it is no key of a version from 4 to 6");
        else
            ring->old++;
        return;
    }
    if (!build->key) {
        if (tag == PGP_TAG_SIGNATURE)
            take_bare_signature(ring, data);
        else if (tag == PGP_TAG_USER_ID)
            name_secret(ring, data);
        return;
    }
    if (tag == PGP_TAG_SIGNATURE)
        take_signature(build, data);
    else if (tag == PGP_TAG_USER_ID)
        begin_user_id(build, data);
    else if (tag == PGP_TAG_PUBLIC_SUBKEY)
        take_subkey(build, data);
    else if (tag == PGP_TAG_ATTRIBUTE)
        build->over = 0;
}

/* FALSE with *@fault set. */
static gboolean take_packets(SealPackets *packets, Build *build, PgpRing *ring, const char **fault)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    guint8 tag;

    while (seal_packets_next(packets, &tag)) {
        if (tag == 0)
            return TRUE;
        if (ring->keys->len + ring->secrets->len == MAX_KEYS) {
            *fault = "there are more than " G_STRINGIFY(MAX_KEYS) " keys";
            return FALSE;
        }
        ring->packets++;
        g_byte_array_set_size(data, 0);
        gsize most = tag == PGP_TAG_USER_ID ? MAX_USER_ID : MAX_PACKET;
        gboolean read = is_read(tag) && seal_packets_left(packets) <= most;
        if (read ? !seal_packets_rest(packets, data, most) : !seal_packets_skip(packets))
            break;
        if (is_read(tag) && !read && build->key) {
            build->key->flooded = TRUE;
            build->over = 0;
        } else {
            take_packet(build, ring, tag, data);
        }
    }
    *fault = seal_packets_fault(packets);
    return FALSE;
}

/* What was complete before the fault is good. */
static void read_packets(PgpRing *ring, const guint8 *start, gsize length, const char *label)
{
    g_autoptr(GInputStream) in = g_memory_input_stream_new_from_data(start, (gssize)length, NULL);
    g_autoptr(SealPackets) packets = seal_packets_new(in, label, label != NULL);
    g_auto(Build) build = {0};
    const char *fault = NULL;

    if (take_packets(packets, &build, ring, &fault))
        end_key(&build, ring);
    else if (ring->keys->len + ring->secrets->len == MAX_KEYS)
        skip_key(ring, fault);
    else
        cut_ring(ring, fault);
}

/* -------------------------------------------------------------------------------------------
 * Keyboxes (GnuPG's pubring.kbx): blobs, each with its length first.
 */

enum {
    BLOB_HEAD = 16,
    BLOB_FIRST = 1,
};

static gboolean is_keybox(const guint8 *data, gsize length)
{
    return length >= 32 && data[4] == BLOB_FIRST && memcmp(data + 8, "KBXf", 4) == 0;
}

gboolean pgp_ring_is_keybox(GBytes *bytes)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    return is_keybox(data, length);
}

gboolean pgp_keybox_next(GBytes *bytes, gsize *at, PgpBlob *blob)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    memset(blob, 0, sizeof *blob);
    if (*at >= length)
        return FALSE;
    gsize size = length - *at >= BLOB_HEAD ? pgp_number(data + *at) : 0;
    if (size < BLOB_HEAD || size > length - *at) {
        blob->fault = "the keybox breaks off";
        *at = length;
        return TRUE;
    }
    const guint8 *head = data + *at;
    gsize offset = pgp_number(head + 8), count = pgp_number(head + 12);
    blob->type = head[4];
    if (blob->type == PGP_BLOB_KEY && (offset > size || count > size - offset)) {
        blob->fault = "an entry of the keybox points outside itself";
    } else if (blob->type == PGP_BLOB_KEY) {
        blob->offset = *at + offset;
        blob->length = count;
    }
    *at += size;
    return TRUE;
}

static void read_keybox(PgpRing *ring, GBytes *bytes)
{
    const guint8 *data = g_bytes_get_data(bytes, NULL);
    PgpBlob blob;

    for (gsize at = 0; pgp_keybox_next(bytes, &at, &blob);) {
        if (blob.fault)
            cut_ring(ring, blob.fault);
        else if (blob.type == PGP_BLOB_KEY)
            read_packets(ring, data + blob.offset, blob.length, NULL);
    }
}

/* -------------------------------------------------------------------------------------------
 * Which of these is it?
 */

static gboolean has_text(const guint8 *data, gsize length, const char *text)
{
    return data && length > 0 && memmem(data, length, text, strlen(text)) != NULL;
}

static guint8 first_tag(const guint8 *data, gsize length)
{
    if (length == 0 || !(data[0] & 0x80))
        return 0;
    return data[0] & 0x40 ? data[0] & 0x3f : (data[0] >> 2) & 0x0f;
}

/* Only a bare revocation among signatures is of use: what is wrong with others is no fault here. */
static void read_signatures(PgpRing *ring, const guint8 *data, gsize length, const char *label)
{
    guint broken = ring->broken;

    read_packets(ring, data, length, label);
    ring->broken = broken;
}

static void begin_ring(PgpRing *ring)
{
    ring->keys = g_ptr_array_new_with_free_func((GDestroyNotify)pgp_key_free);
    ring->secrets = g_ptr_array_new_with_free_func(g_free);
}

void pgp_ring_read_packets(PgpRing *ring, GBytes *bytes)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    begin_ring(ring);
    read_packets(ring, data, length, NULL);
}

void pgp_ring_read_armor(PgpRing *ring, GBytes *bytes, const char *label)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);

    begin_ring(ring);
    read_packets(ring, data, length, label);
}

gboolean pgp_ring_is_packets(GBytes *bytes)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);
    guint8 tag = first_tag(data, length);

    return (tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_SECRET_KEY) &&
           !g_utf8_validate((const char *)data, (gssize)length, NULL);
}

/* As append_packet() writes the first of them: no text begins so, whatever a user id says. */
static gboolean is_written(const guint8 *data, gsize length)
{
    return length > PGP_HEAD && data[1] == 255 &&
           (data[0] == (0xc0 | PGP_TAG_PUBLIC_KEY) || data[0] == (0xc0 | PGP_TAG_SIGNATURE));
}

void pgp_ring_read(PgpRing *ring, GBytes *bytes)
{
    gsize length;
    const guint8 *data = g_bytes_get_data(bytes, &length);
    guint8 tag = first_tag(data, length);

    begin_ring(ring);
    if (is_keybox(data, length)) {
        read_keybox(ring, bytes);
        return;
    }
    if (is_written(data, length)) {
        read_packets(ring, data, length, NULL);
        return;
    }
    if (has_text(data, length, "-----BEGIN PGP PRIVATE KEY BLOCK-----"))
        ring->secret++;
    if (has_text(data, length, "-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
        read_packets(ring, data, length, "PUBLIC KEY BLOCK");
        /* gpg puts a colon before those that are not to be taken by mistake. */
        if (ring->packets + ring->broken == 0 && !has_text(data, length, ":-----BEGIN PGP "))
            skip_key(ring, "nothing else may stand in the line that begins its armour");
    } else if (has_text(data, length, "-----END PGP PUBLIC KEY BLOCK-----")) {
        skip_key(ring, "the line that begins its armour is missing");
    } else if (tag == PGP_TAG_PUBLIC_KEY || tag == PGP_TAG_SECRET_KEY) {
        read_packets(ring, data, length, NULL);
    } else if (tag == PGP_TAG_SIGNATURE) {
        read_signatures(ring, data, length, NULL);
    } else if (has_text(data, length, "-----BEGIN PGP SIGNATURE-----")) {
        read_signatures(ring, data, length, "SIGNATURE");
    }
}
