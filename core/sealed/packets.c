/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.c: the packets of an OpenPGP message or key (RFC 4880 4.2), one after the other, none of
 * them kept, every length checked against what is there.
 */
#include "core/sealed/packets.h"

#include <string.h>

static gboolean read_number(SealArmor *armor, guint size, guint64 *number)
{
    guint8 bytes[4];

    if (!seal_armor_read(armor, bytes, size))
        return FALSE;
    *number = 0;
    for (guint i = 0; i < size; i++)
        *number = *number << 8 | bytes[i];
    return TRUE;
}

/* A length of the new format. Pieces are for data of unknown size only (RFC 4880 4.2.2.4). */
static gboolean read_new_length(SealPacket *packet)
{
    guint8 first, second;

    packet->partial = FALSE;
    if (!seal_armor_read(packet->armor, &first, 1))
        return FALSE;
    if (first < 192) {
        packet->left = first;
        return TRUE;
    }
    if (first < 224) {
        if (!seal_armor_read(packet->armor, &second, 1))
            return FALSE;
        packet->left = ((guint64)first - 192) * 256 + second + 192;
        return TRUE;
    }
    if (first == 255)
        return read_number(packet->armor, 4, &packet->left);
    packet->partial = TRUE;
    packet->left = (guint64)1 << (first & 31);
    return TRUE;
}

static gboolean may_be_partial(guint8 tag)
{
    return tag == SEAL_TAG_SED || tag == SEAL_TAG_SEIPD || tag == SEAL_TAG_AEAD ||
           tag == SEAL_TAG_COMPRESSED || tag == SEAL_TAG_LITERAL;
}

gboolean seal_packet_next(SealPacket *packet, SealArmor *armor, gboolean *none)
{
    guint8 head;

    memset(packet, 0, sizeof *packet);
    packet->armor = armor;
    if (!seal_armor_ended(armor, none))
        return FALSE;
    if (*none)
        return TRUE;
    if (!seal_armor_read(armor, &head, 1))
        return FALSE;
    if (!(head & 0x80))
        return seal_armor_fail(armor, "there is something that is not an OpenPGP packet");
    if (head & 0x40) {
        packet->tag = head & 0x3f;
        if (!read_new_length(packet))
            return FALSE;
        return !packet->partial || may_be_partial(packet->tag) ||
               seal_armor_fail(armor, "a packet comes in pieces that may not");
    }
    packet->tag = (head >> 2) & 0x0f;
    if ((head & 3) == 3)
        return seal_armor_fail(armor, "a packet does not say how long it is");
    return read_number(armor, 1u << (head & 3), &packet->left);
}

/* Goes on to the next piece where this one is used up; *@end where there is none. */
static gboolean next_piece(SealPacket *packet, gboolean *end)
{
    while (packet->left == 0 && packet->partial) {
        if (!read_new_length(packet))
            return FALSE;
    }
    *end = packet->left == 0;
    return TRUE;
}

gboolean seal_packet_read(SealPacket *packet, guint8 *out, guint64 length)
{
    while (length > 0) {
        gboolean end;

        if (!next_piece(packet, &end))
            return FALSE;
        if (end)
            return seal_armor_fail(packet->armor, "a packet is too short for its kind");
        guint64 piece = MIN(length, packet->left);
        if (!seal_armor_read(packet->armor, out, piece))
            return FALSE;
        packet->left -= piece;
        length -= piece;
        out = out ? out + piece : NULL;
    }
    return TRUE;
}

gboolean seal_packet_skip(SealPacket *packet, guint64 *count)
{
    for (;;) {
        gboolean end;

        if (!next_piece(packet, &end))
            return FALSE;
        if (end)
            return TRUE;
        if (count)
            *count += packet->left;
        if (!seal_armor_read(packet->armor, NULL, packet->left))
            return FALSE;
        packet->left = 0;
    }
}

gboolean seal_packet_rest(SealPacket *packet, GByteArray *out, gsize max)
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
            return seal_armor_fail(packet->armor, "a packet is too large");
        g_byte_array_set_size(out, at + (guint)packet->left);
        if (!seal_armor_read(packet->armor, out->data + at, packet->left))
            return FALSE;
        packet->left = 0;
    }
}

/* -------------------------------------------------------------------------------------------
 * For modules
 */

struct SealPackets {
    SealArmor armor;
    SealPacket packet;
};

SealPackets *seal_packets_new(GInputStream *in, const char *armor, gboolean among)
{
    SealPackets *packets = g_new0(SealPackets, 1);

    seal_armor_init(&packets->armor, in, SEAL_BODY_PLAIN, armor, among, NULL);
    return packets;
}

void seal_packets_free(SealPackets *packets)
{
    if (!packets)
        return;
    seal_armor_clear(&packets->armor);
    g_free(packets);
}

const char *seal_packets_fault(const SealPackets *packets)
{
    const SealArmor *armor = &packets->armor;

    return armor->error ? armor->error->message : armor->fault;
}

gboolean seal_packets_next(SealPackets *packets, guint8 *tag)
{
    gboolean none;

    if (!seal_packet_next(&packets->packet, &packets->armor, &none))
        return FALSE;
    *tag = none ? 0 : packets->packet.tag;
    return TRUE;
}

guint64 seal_packets_left(const SealPackets *packets)
{
    return packets->packet.left;
}

gboolean seal_packets_rest(SealPackets *packets, GByteArray *out, gsize max)
{
    return seal_packet_rest(&packets->packet, out, max);
}

gboolean seal_packets_skip(SealPackets *packets)
{
    return seal_packet_skip(&packets->packet, NULL);
}

gboolean seal_packets_subpacket(const guint8 **at, gsize *left, guint8 *type, const guint8 **data,
                                gsize *length)
{
    const guint8 *next = *at;
    gsize rest = *left, size;

    if (rest < 1)
        return FALSE;
    size = *next++;
    rest--;
    if (size == 255) {
        if (rest < 4)
            return FALSE;
        size = (gsize)next[0] << 24 | (gsize)next[1] << 16 | (gsize)next[2] << 8 | next[3];
        next += 4;
        rest -= 4;
    } else if (size >= 192) {
        if (rest < 1)
            return FALSE;
        size = (size - 192) * 256 + *next++ + 192;
        rest--;
    }
    if (size == 0 || size > rest)
        return FALSE;
    *type = next[0] & 0x7f;
    *data = next + 1;
    *length = size - 1;
    *at = next + size;
    *left = rest - size;
    return TRUE;
}
