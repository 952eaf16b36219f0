/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * armor.h: octets, in ASCII armour (RFC 4880 6.2) or as they are, read piece by piece.
 */
#pragma once

#include "core/sealpipe.h"

typedef enum {
    PGP_ARMOR_BEFORE, /* the line that begins it is still to come */
    PGP_ARMOR_HEADERS,
    PGP_ARMOR_DATA,
    PGP_ARMOR_SUM, /* the checksum has been read */
    PGP_ARMOR_AFTER,
} PgpArmorState;

typedef struct {
    GInputStream *in;
    GCancellable *cancellable;
    const char *label; /**< of the armour; NULL: there is none */
    gboolean among;    /**< blocks may stand among other text, and there may be several */
    PgpArmorState state;
    guint headers;
    guint32 crc;
    SealBase64 base64;
    gboolean ended; /**< @in has no more */
    gboolean cut;   /**< what comes next is the rest of a line that was too long */
    guint8 *raw;
    gsize raw_at;
    gsize raw_length;
    guint8 *data;
    gsize at;
    gsize length;
    const char *fault; /**< what is wrong with the bytes */
    GError *error;     /**< they could not be read */
} PgpOctets;

void pgp_octets_init(PgpOctets *octets, GInputStream *in, const char *label, gboolean among,
                     GCancellable *cancellable);
void pgp_octets_clear(PgpOctets *octets);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpOctets, pgp_octets_clear)
/** These return FALSE with fault or error set. @out may be NULL: the octets are passed over. */
gboolean pgp_octets_read(PgpOctets *octets, guint8 *out, guint64 length);
gboolean pgp_octets_ended(PgpOctets *octets, gboolean *ended);
/** Sets the fault. Always FALSE. */
gboolean pgp_octets_fail(PgpOctets *octets, const char *fault);
