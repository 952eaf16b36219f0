/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.h: OpenPGP packets (RFC 4880 4.2) while they stream by.
 */
#pragma once

#include "core/sealed/armor.h"

enum {
    SEAL_TAG_PKESK = 1,
    SEAL_TAG_SIGNATURE = 2,
    SEAL_TAG_SKESK = 3,
    SEAL_TAG_COMPRESSED = 8,
    SEAL_TAG_SED = 9, /* without integrity protection */
    SEAL_TAG_MARKER = 10,
    SEAL_TAG_LITERAL = 11,
    SEAL_TAG_SEIPD = 18,
    SEAL_TAG_AEAD = 20, /* GnuPG 2.3's own */
};

typedef struct {
    SealArmor *armor;
    guint8 tag;
    gboolean partial; /* more pieces follow the one in hand */
    guint64 left;     /* of the piece in hand */
} SealPacket;

/** Goes to the next packet; *@none where there is no more. The one before must be read to its end.
 */
gboolean seal_packet_next(SealPacket *packet, SealArmor *armor, gboolean *none);
gboolean seal_packet_read(SealPacket *packet, guint8 *out, guint64 length);
/** Passes over the rest and adds its octets to *@count, which may be NULL. */
gboolean seal_packet_skip(SealPacket *packet, guint64 *count);
/** Reads the rest; more than @max octets are a fault. */
gboolean seal_packet_rest(SealPacket *packet, GByteArray *out, gsize max);
