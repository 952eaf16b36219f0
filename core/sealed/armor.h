/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * armor.h: octets, in ASCII armour (RFC 4880 6.2) or as they are, read piece by piece.
 */
#pragma once

#include "core/sealed/body.h"
#include "core/sealed/noise.h"

typedef enum {
    SEAL_ARMOR_BEFORE, /* the line that begins it is still to come */
    SEAL_ARMOR_HEADERS,
    SEAL_ARMOR_DATA,
    SEAL_ARMOR_SUM, /* the checksum has been read */
    SEAL_ARMOR_AFTER,
} SealArmorState;

typedef struct {
    SealBody body;
    const char *label;    /**< of the armour; NULL: there is none */
    gboolean among;       /**< blocks may stand among other text, and there may be several */
    gboolean any_headers; /**< its headers may say anything */
    SealArmorState state;
    guint headers;
    guint32 crc;
    SealBase64 base64;
    gboolean ended; /**< the body has no more */
    gboolean cut;   /**< what comes next is the rest of a line that was too long */
    guint8 *raw;
    gsize raw_at;
    gsize raw_length;
    guint8 *data;
    gsize at;
    gsize length;
    SealNoise *noise;  /**< is shown what is passed over, where set */
    const char *fault; /**< what is wrong with the bytes */
    GError *error;     /**< they could not be read */
} SealArmor;

void seal_armor_init(SealArmor *armor, GInputStream *in, SealBodyEncoding encoding,
                     const char *label, gboolean among, GCancellable *cancellable);
void seal_armor_clear(SealArmor *armor);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealArmor, seal_armor_clear)
/** These return FALSE with fault or error set. @out may be NULL: the octets are passed over. */
gboolean seal_armor_read(SealArmor *armor, guint8 *out, guint64 length);
gboolean seal_armor_ended(SealArmor *armor, gboolean *ended);
/** Sets the fault. Always FALSE. */
gboolean seal_armor_fail(SealArmor *armor, const char *fault);
