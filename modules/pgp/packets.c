/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.c: the packets of an OpenPGP message or key (RFC 4880 4.2), one after the other, none of
 * them kept, every length checked against what is there.
 */
#include "packets.h"

#include <string.h>

guint32 pgp_number(const guint8 *data)
{
    return (guint32)data[0] << 24 | (guint32)data[1] << 16 | (guint32)data[2] << 8 | data[3];
}

static gboolean read_number(PgpOctets *octets, guint size, guint64 *number)
{
    guint8 bytes[4];

    if (!pgp_octets_read(octets, bytes, size))
        return FALSE;
    *number = 0;
    for (guint i = 0; i < size; i++)
        *number = *number << 8 | bytes[i];
    return TRUE;
}

/* A length of the new format. Pieces are for data of unknown size only (RFC 4880 4.2.2.4). */
static gboolean read_new_length(PgpPacket *packet)
{
    guint8 first, second;

    packet->partial = FALSE;
    if (!pgp_octets_read(packet->octets, &first, 1))
        return FALSE;
    if (first < 192) {
        packet->left = first;
        return TRUE;
    }
    if (first < 224) {
        if (!pgp_octets_read(packet->octets, &second, 1))
            return FALSE;
        packet->left = ((guint64)first - 192) * 256 + second + 192;
        return TRUE;
    }
    if (first == 255)
        return read_number(packet->octets, 4, &packet->left);
    packet->partial = TRUE;
    packet->left = (guint64)1 << (first & 31);
    return TRUE;
}

static gboolean may_be_partial(guint8 tag)
{
    return tag == PGP_TAG_SED || tag == PGP_TAG_SEIPD || tag == PGP_TAG_AEAD || tag == 8 ||
           tag == 11;
}

gboolean pgp_packet_next(PgpPacket *packet, PgpOctets *octets, gboolean *none)
{
    guint8 head;

    memset(packet, 0, sizeof *packet);
    packet->octets = octets;
    if (!pgp_octets_ended(octets, none))
        return FALSE;
    if (*none)
        return TRUE;
    if (!pgp_octets_read(octets, &head, 1))
        return FALSE;
    if (!(head & 0x80))
        return pgp_octets_fail(octets, "there is something that is not an OpenPGP packet");
    if (head & 0x40) {
        packet->tag = head & 0x3f;
        if (!read_new_length(packet))
            return FALSE;
        return !packet->partial || may_be_partial(packet->tag) ||
               pgp_octets_fail(octets, "a packet comes in pieces that may not");
    }
    packet->tag = (head >> 2) & 0x0f;
    if ((head & 3) == 3)
        return pgp_octets_fail(octets, "a packet does not say how long it is");
    return read_number(octets, 1u << (head & 3), &packet->left);
}

/* Goes on to the next piece where this one is used up; *@end where there is none. */
static gboolean next_piece(PgpPacket *packet, gboolean *end)
{
    while (packet->left == 0 && packet->partial) {
        if (!read_new_length(packet))
            return FALSE;
    }
    *end = packet->left == 0;
    return TRUE;
}

gboolean pgp_packet_read(PgpPacket *packet, guint8 *out, guint64 length)
{
    while (length > 0) {
        gboolean end;

        if (!next_piece(packet, &end))
            return FALSE;
        if (end)
            return pgp_octets_fail(packet->octets, "a packet is too short for its kind");
        guint64 piece = MIN(length, packet->left);
        if (!pgp_octets_read(packet->octets, out, piece))
            return FALSE;
        packet->left -= piece;
        length -= piece;
        out = out ? out + piece : NULL;
    }
    return TRUE;
}

gboolean pgp_packet_skip(PgpPacket *packet, guint64 *count)
{
    for (;;) {
        gboolean end;

        if (!next_piece(packet, &end))
            return FALSE;
        if (end)
            return TRUE;
        if (count)
            *count += packet->left;
        if (!pgp_octets_read(packet->octets, NULL, packet->left))
            return FALSE;
        packet->left = 0;
    }
}

gboolean pgp_packet_rest(PgpPacket *packet, GByteArray *out, gsize max)
{
    g_byte_array_set_size(out, 0);
    for (;;) {
        gboolean end;

        if (!next_piece(packet, &end))
            return FALSE;
        if (end)
            return TRUE;
        guint at = out->len;
        if (packet->left > max - at)
            return pgp_octets_fail(packet->octets, "a packet is too large");
        g_byte_array_set_size(out, at + (guint)packet->left);
        if (!pgp_octets_read(packet->octets, out->data + at, packet->left))
            return FALSE;
        packet->left = 0;
    }
}

/* -------------------------------------------------------------------------------------------
 * Signatures (RFC 4880 5.2)
 */

enum {
    SUB_CREATED = 2,
    SUB_EXPIRES = 3,
    SUB_KEY_EXPIRES = 9,
    SUB_CIPHERS = 11,
    SUB_REVOKER = 12,
    SUB_HASHES = 21,
    SUB_ISSUER = 16,
    SUB_ISSUER_FINGERPRINT = 33,
};

static gboolean is_aes(guint8 cipher)
{
    return cipher >= 7 && cipher <= 9;
}

static guint sha2_bit(guint8 hash)
{
    return hash >= 8 && hash <= 11 ? 1u << hash : 0;
}

static void take_issuer(PgpSignature *signature, guint8 type, const guint8 *data, gsize length)
{
    if (type == SUB_ISSUER && length == PGP_KEY_ID && !signature->has_issuer) {
        memcpy(signature->issuer, data, PGP_KEY_ID);
        signature->has_issuer = TRUE;
    } else if (type == SUB_ISSUER_FINGERPRINT && length == 1 + PGP_FINGERPRINT && data[0] == 4) {
        memcpy(signature->issuer_fingerprint, data + 1, PGP_FINGERPRINT);
        signature->has_issuer_fingerprint = TRUE;
        memcpy(signature->issuer, data + 1 + PGP_FINGERPRINT - PGP_KEY_ID, PGP_KEY_ID);
        signature->has_issuer = TRUE;
    }
}

static void take_subpacket(PgpSignature *signature, guint8 type, const guint8 *data, gsize length)
{
    if (type == SUB_CREATED && length == 4) {
        signature->created = pgp_number(data);
    } else if (type == SUB_EXPIRES && length == 4) {
        signature->lives = pgp_number(data);
    } else if (type == SUB_KEY_EXPIRES && length == 4) {
        signature->key_lives = pgp_number(data);
    } else if (type == SUB_CIPHERS) {
        signature->preferences.has_ciphers = TRUE;
        for (gsize i = 0; i < length; i++)
            signature->preferences.aes = signature->preferences.aes || is_aes(data[i]);
    } else if (type == SUB_HASHES) {
        signature->preferences.has_hashes = TRUE;
        for (gsize i = 0; i < length; i++)
            signature->preferences.hashes |= sha2_bit(data[i]);
    } else if (type == SUB_REVOKER && length == 2 + PGP_FINGERPRINT) {
        signature->has_revoker = TRUE;
        memcpy(signature->revoker, data + 2 + PGP_FINGERPRINT - PGP_KEY_ID, PGP_KEY_ID);
    }
}

/* Of what the signature does not cover, only who made it is of use: a hint, as all of it here. */
static gboolean take_area(PgpSignature *signature, const guint8 *data, gsize length,
                          gboolean hashed)
{
    gsize at = 0;

    while (at < length) {
        gsize size = data[at++];

        if (size == 255) {
            if (length - at < 4)
                return FALSE;
            size = pgp_number(data + at);
            at += 4;
        } else if (size >= 192) {
            if (at == length)
                return FALSE;
            size = (size - 192) * 256 + data[at++] + 192;
        }
        if (size == 0 || size > length - at)
            return FALSE;
        guint8 type = data[at] & 0x7f;
        if (hashed)
            take_subpacket(signature, type, data + at + 1, size - 1);
        take_issuer(signature, type, data + at + 1, size - 1);
        at += size;
    }
    return TRUE;
}

static gboolean read_version_3(PgpSignature *signature, const guint8 *data, gsize length)
{
    if (length < 19 || data[1] != 5)
        return FALSE;
    signature->type = data[2];
    signature->created = pgp_number(data + 3);
    memcpy(signature->issuer, data + 7, PGP_KEY_ID);
    signature->has_issuer = TRUE;
    return TRUE;
}

gboolean pgp_signature_read(PgpSignature *signature, const guint8 *data, gsize length)
{
    gsize at = 4;

    memset(signature, 0, sizeof *signature);
    if (length > 0 && data[0] == 3)
        return read_version_3(signature, data, length);
    if (length < 6 || data[0] != 4)
        return FALSE;
    signature->type = data[1];
    for (guint area = 0; area < 2; area++) {
        if (length - at < 2)
            return FALSE;
        gsize size = (gsize)data[at] << 8 | data[at + 1];
        at += 2;
        if (size > length - at || !take_area(signature, data + at, size, area == 0))
            return FALSE;
        at += size;
    }
    /* The first octets of the hash, and at least one number. */
    return length - at > 4;
}
