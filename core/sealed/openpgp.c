/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * openpgp.c: messages and signatures (RFC 4880 11.3, RFC 9580 10.3), by armour and packets alone,
 * to their last octet. A session key has the size that its algorithm gives it, and what should be
 * ciphertext looks like it: text in the place of either is no encrypted message.
 */
#include "core/sealed/openpgp.h"

#include "core/sealed/packets.h"

#include <string.h>

#define MAX_SESSION_KEYS 10000
#define MAX_SIGNATURES   100

enum {
    KEY_ID = 8,
    FINGERPRINT = 20,
    FINGERPRINT_6 = 32,
    MAX_SESSION_KEY = 8 * 1024,
    MAX_SIGNATURE = 64 * 1024,
    MIN_PROTECTED = 40,   /* version, prefix and modification detection code of an empty packet */
    MIN_SALTED = 36 + 16, /* version 2: what comes before the data, and one tag */
    MIN_NUMBER = 60,      /* octets of what RSA or Elgamal makes: keys of 512 bits */
    MAX_NUMBER = 2048,
    MIN_WRAPPED = 16,
    MAX_WRAPPED = 64,
    SUB_ISSUER = 16,
    SUB_ISSUER_FINGERPRINT = 33,
};

/* What the packets of a message were. */
typedef struct {
    guint session_keys;
    gboolean has_data;
    gboolean has_marker;
    gboolean has_password;
    gboolean unprotected;
    guint64 size;
    GPtrArray *ids; /* of those who say who they are */
    guint hidden;
} Walk;

static void walk_clear(Walk *walk)
{
    g_clear_pointer(&walk->ids, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

G_GNUC_PRINTF(4, 5)
static void set_detection(SealDetection *detection, SealDetected what, guint64 size,
                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_detection_set(detection, what, size, text);
}

static void add_ids(SealDetection *detection, GPtrArray *ids, guint hidden)
{
    for (guint i = 0; i < ids->len; i++)
        seal_detection_add(detection, g_ptr_array_index(ids, i));
    for (guint i = 0; i < hidden; i++)
        seal_detection_add(detection, NULL);
}

/* -------------------------------------------------------------------------------------------
 * Session keys (RFC 4880 5.1, RFC 9580 5.1)
 */

enum { RSA = 1, RSA_ENCRYPT = 2, ELGAMAL = 16, ECDH = 18, X25519 = 25, X448 = 26 };

/* Octets of the multiprecision integer at the front, its length included; 0 where it is not all
 * there. */
static gsize number_size(const guint8 *data, gsize length)
{
    gsize size = length < 2 ? 0 : (((gsize)data[0] << 8 | data[1]) + 7) / 8 + 2;

    return size <= length ? size : 0;
}

static gboolean is_number(gsize size, gsize least)
{
    return size >= 2 + least && size <= 2 + MAX_NUMBER;
}

/* A length octet and as many octets, of which the first @more are none of the wrapped key. */
static gboolean is_wrapped(const guint8 *data, gsize length, gsize more)
{
    return length > 1 && data[0] == length - 1 && length - 1 >= MIN_WRAPPED &&
           length - 1 <= MAX_WRAPPED + more;
}

static gboolean is_session_key(guint8 algorithm, const guint8 *data, gsize length)
{
    gsize first = number_size(data, length);
    gsize point = algorithm == X25519 ? 32 : 56;

    switch (algorithm) {
    case RSA:
    case RSA_ENCRYPT:
        return first == length && is_number(first, MIN_NUMBER);
    case ELGAMAL:
        return is_number(first, MIN_NUMBER / 2) &&
               number_size(data + first, length - first) == length - first &&
               is_number(length - first, MIN_NUMBER / 2);
    case ECDH:
        return first >= 2 + 16 && first <= 2 + 140 && is_wrapped(data + first, length - first, 0);
    case X25519:
    case X448:
        return length > point && is_wrapped(data + point, length - point, 1);
    default:
        /* Algorithms that are still to come, as those with ML-KEM. */
        return length >= MIN_WRAPPED + 32 && length <= 2 * MAX_NUMBER;
    }
}

/* Where the algorithm stands; 0 where it is of no version known here. */
static gsize read_recipient(Walk *walk, const guint8 *data, gsize length)
{
    static const guint8 nobody[KEY_ID] = {0};
    const guint8 *id = NULL;
    gsize at = 0;

    if (length > 1 + KEY_ID && data[0] == 3) {
        id = memcmp(data + 1, nobody, KEY_ID) == 0 ? NULL : data + 1;
        at = 1 + KEY_ID;
    } else if (length > 2 && data[0] == 6 && data[1] == 0) {
        at = 2;
    } else if (length > 3 + FINGERPRINT && data[0] == 6 && data[1] == 1 + FINGERPRINT &&
               data[2] == 4) {
        id = data + 3 + FINGERPRINT - KEY_ID;
        at = 3 + FINGERPRINT;
    } else if (length > 3 + FINGERPRINT_6 && data[0] == 6 && data[1] == 1 + FINGERPRINT_6 &&
               data[2] == 6) {
        id = data + 3;
        at = 3 + FINGERPRINT_6;
    }
    if (at > 0 && id)
        g_ptr_array_add(walk->ids, seal_text_hex(id, KEY_ID));
    else if (at > 0)
        walk->hidden++;
    return at;
}

static gboolean walk_session_key(Walk *walk, SealPacket *packet)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    if (++walk->session_keys > MAX_SESSION_KEYS)
        return seal_armor_fail(packet->armor,
                               "it has more than " G_STRINGIFY(MAX_SESSION_KEYS) " recipients");
    if (!seal_packet_rest(packet, data, MAX_SESSION_KEY))
        return FALSE;
    if (packet->tag == SEAL_TAG_SKESK) {
        walk->has_password = TRUE;
        return TRUE;
    }
    gsize at = read_recipient(walk, data->data, data->len);
    if (at == 0)
        return seal_armor_fail(packet->armor, "a session key packet is of an unknown version");
    if (!is_session_key(data->data[at], data->data + at + 1, data->len - at - 1) ||
        !seal_noise_check(data->data + at + 1, data->len - at - 1))
        return seal_armor_fail(packet->armor,
                               "a session key is not of the size or kind that its algorithm makes");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * An encrypted message: session keys, then one packet of protected data, then nothing
 */

static gboolean walk_ciphertext(Walk *walk, SealPacket *packet)
{
    SealNoise noise = {0};

    packet->armor->noise = &noise;
    gboolean ok = seal_packet_skip(packet, &walk->size);
    packet->armor->noise = NULL;
    if (!ok)
        return FALSE;
    return seal_noise_end(&noise) ||
           seal_armor_fail(packet->armor, "what should be ciphertext has the look of text");
}

static gboolean walk_data(Walk *walk, SealPacket *packet)
{
    guint8 version = 0;

    walk->has_data = TRUE;
    walk->unprotected = packet->tag == SEAL_TAG_SED;
    if (packet->tag == SEAL_TAG_SED)
        return walk_ciphertext(walk, packet);
    if (!seal_packet_read(packet, &version, 1))
        return FALSE;
    walk->size = 1;
    if (version < 1 || version > 2 || (packet->tag == SEAL_TAG_AEAD && version != 1))
        return seal_armor_fail(packet->armor, "the ciphertext is of an unknown version");
    if (!walk_ciphertext(walk, packet))
        return FALSE;
    if (walk->size < (version == 1 ? MIN_PROTECTED : MIN_SALTED))
        return seal_armor_fail(packet->armor, "the ciphertext is too short to hold anything");
    return TRUE;
}

/* One in front, which old programs ask for. */
static gboolean walk_marker(Walk *walk, SealPacket *packet)
{
    guint8 mark[3];

    if (walk->has_marker || packet->left != sizeof mark ||
        !seal_packet_read(packet, mark, sizeof mark) || memcmp(mark, "PGP", sizeof mark) != 0)
        return seal_armor_fail(packet->armor,
                               "a marker packet does not say PGP, or is one of many");
    walk->has_marker = TRUE;
    return TRUE;
}

static gboolean walk_packet(Walk *walk, SealPacket *packet)
{
    if (walk->has_data)
        return seal_armor_fail(packet->armor, "something stands after the ciphertext");
    switch (packet->tag) {
    case SEAL_TAG_PKESK:
    case SEAL_TAG_SKESK:
        return walk_session_key(walk, packet);
    case SEAL_TAG_SEIPD:
    case SEAL_TAG_AEAD:
    case SEAL_TAG_SED:
        return walk_data(walk, packet);
    case SEAL_TAG_MARKER:
        return walk_marker(walk, packet);
    default:
        return seal_armor_fail(packet->armor, "a packet is neither a session key nor ciphertext");
    }
}

static gboolean walk_message(Walk *walk, SealArmor *armor)
{
    for (;;) {
        SealPacket packet;
        gboolean none;

        if (!seal_packet_next(&packet, armor, &none))
            return FALSE;
        if (none)
            break;
        if (!walk_packet(walk, &packet))
            return FALSE;
    }
    if (!walk->has_data)
        return seal_armor_fail(armor, "there is no ciphertext");
    if (walk->session_keys == 0)
        return seal_armor_fail(armor, "there is no session key packet: nobody could open it");
    if (walk->has_password)
        return seal_armor_fail(armor, "whoever knows or guesses a password can open it");
    return !walk->unprotected ||
           seal_armor_fail(armor, "the ciphertext has no integrity protection");
}

/* The whole of it, from the armour's first line to its last. *@fault says what is wrong with it,
 * NULL for nothing. */
static gboolean walk_armor(Walk *walk, SealContent *body, SealBodyEncoding encoding,
                           GCancellable *cancellable, const char **fault, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(body);
    g_auto(SealArmor) armor = {0};

    walk->ids = g_ptr_array_new_with_free_func(g_free);
    seal_armor_init(&armor, in, encoding, "MESSAGE", FALSE, cancellable);
    gboolean whole = walk_message(walk, &armor);
    /* A fault without words is one as well. */
    *fault = whole ? NULL : armor.fault ? armor.fault : "it cannot be read";
    if (!armor.error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&armor.error));
    return FALSE;
}

gboolean seal_openpgp_message(SealContent *body, SealBodyEncoding encoding,
                              GCancellable *cancellable, SealDetection *detection, GError **error)
{
    g_auto(Walk) walk = {0};
    const char *fault;

    if (!walk_armor(&walk, body, encoding, cancellable, &fault, error))
        return FALSE;
    if (fault) {
        set_detection(detection,
                      walk.session_keys > 0 || walk.has_data ? SEAL_DETECTED_PARTLY
                                                             : SEAL_DETECTED_NOTHING,
                      walk.size, "not a whole OpenPGP message: %s", fault);
        return TRUE;
    }
    add_ids(detection, walk.ids, walk.hidden);
    set_detection(detection, SEAL_DETECTED_ENCRYPTED, walk.size, "OpenPGP to %u recipient%s",
                  walk.session_keys, walk.session_keys == 1 ? "" : "s");
    return TRUE;
}

gboolean seal_openpgp_read_message(SealContent *armor, GCancellable *cancellable,
                                   SealDetection *detection, GError **error)
{
    return seal_openpgp_message(armor, SEAL_BODY_PLAIN, cancellable, detection, error);
}

/* -------------------------------------------------------------------------------------------
 * Signatures (RFC 4880 5.2)
 */

/* Who made it, as it says itself. */
typedef struct {
    guint8 type;
    char *issuer; /* in hexadecimal, or NULL */
    char *fingerprint;
} Signature;

static void signature_clear(Signature *signature)
{
    g_free(signature->issuer);
    g_free(signature->fingerprint);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Signature, signature_clear)

static gboolean read_area(Signature *signature, const guint8 *data, gsize length)
{
    while (length > 0) {
        const guint8 *value;
        gsize size;
        guint8 type;

        if (!seal_packets_subpacket(&data, &length, &type, &value, &size))
            return FALSE;
        if (type == SUB_ISSUER && size == KEY_ID && !signature->issuer) {
            signature->issuer = seal_text_hex(value, size);
        } else if (type == SUB_ISSUER_FINGERPRINT && size == 1 + FINGERPRINT && value[0] == 4) {
            g_free(signature->fingerprint);
            signature->fingerprint = seal_text_hex(value + 1, FINGERPRINT);
        }
    }
    return TRUE;
}

static gboolean read_signature(Signature *signature, const guint8 *data, gsize length)
{
    gsize at = 4;

    if (length >= 19 && data[0] == 3 && data[1] == 5) {
        signature->type = data[2];
        signature->issuer = seal_text_hex(data + 7, KEY_ID);
        return TRUE;
    }
    if (length < 6 || data[0] != 4)
        return FALSE;
    signature->type = data[1];
    for (guint area = 0; area < 2; area++) {
        if (length - at < 2)
            return FALSE;
        gsize size = (gsize)data[at] << 8 | data[at + 1];
        at += 2;
        if (size > length - at || !read_area(signature, data + at, size))
            return FALSE;
        at += size;
    }
    /* The first octets of the hash, and at least one number. */
    return length - at > 4;
}

static gboolean walk_signature(Walk *walk, SealPacket *packet)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_auto(Signature) signature = {0};

    if (packet->tag != SEAL_TAG_SIGNATURE)
        return seal_armor_fail(packet->armor, "a packet is not a signature");
    if (!seal_packet_rest(packet, data, MAX_SIGNATURE))
        return FALSE;
    if (!read_signature(&signature, data->data, data->len) || signature.type > 1)
        return seal_armor_fail(
            packet->armor, "a signature is broken, of an unknown version, or not over a message");
    if (signature.fingerprint)
        g_ptr_array_add(walk->ids, g_steal_pointer(&signature.fingerprint));
    else if (signature.issuer)
        g_ptr_array_add(walk->ids, g_steal_pointer(&signature.issuer));
    else
        walk->hidden++;
    return TRUE;
}

static gboolean walk_signatures(Walk *walk, SealArmor *armor)
{
    for (guint count = 0;; count++) {
        SealPacket packet;
        gboolean none;

        if (!seal_packet_next(&packet, armor, &none))
            return FALSE;
        if (none)
            return count > 0 || seal_armor_fail(armor, "there is no signature packet");
        if (count == MAX_SIGNATURES)
            return seal_armor_fail(
                armor, "there are more than " G_STRINGIFY(MAX_SIGNATURES) " signatures");
        if (!walk_signature(walk, &packet))
            return FALSE;
    }
}

gboolean seal_openpgp_signature(SealContent *body, SealBodyEncoding encoding,
                                GCancellable *cancellable, SealDetection *detection, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(body);
    g_auto(SealArmor) armor = {0};
    g_auto(Walk) walk = {.ids = g_ptr_array_new_with_free_func(g_free)};

    seal_armor_init(&armor, in, encoding, "SIGNATURE", FALSE, cancellable);
    armor.any_headers = TRUE;
    if (walk_signatures(&walk, &armor)) {
        add_ids(detection, walk.ids, walk.hidden);
        set_detection(detection, SEAL_DETECTED_SIGNED, 0, "OpenPGP, signed only");
    } else if (armor.error) {
        g_propagate_error(error, g_steal_pointer(&armor.error));
        return FALSE;
    } else {
        set_detection(detection, SEAL_DETECTED_NOTHING, 0, "no OpenPGP signature: %s",
                      armor.fault ? armor.fault : "it cannot be read");
    }
    return TRUE;
}
