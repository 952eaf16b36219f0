/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * wire.h: what a worker and its keeper say to each other: one record asks, one answers.
 *
 *   S NAME key scheme hash DIGEST             the answer is the signature
 *   U NAME key scheme hash ENCRYPTED ORIGINATOR SHARED-INFO wrap-length length
 *                                             the answer is the content key
 *
 * Small letters are numbers of four octets, little-endian; capitals are octets behind their number;
 * the first letter is an octet. An answer is an octet, 0 or 1, and what was asked for, or why there
 * is none. NAME is the Format's.
 */
#pragma once

#include "core/sealpipe.h"

enum {
    SEAL_WIRE_MAX = 8192,     /* octets of a record */
    SEAL_WIRE_MAX_TEXT = 1024 /* of why */
};

void seal_wire_put_number(GByteArray *record, guint32 number);
void seal_wire_put_octets(GByteArray *record, const void *octets, gsize length);

/** What is still to be read. */
typedef struct {
    const guint8 *at;
    const guint8 *end;
} SealWire;

/** FALSE: it ends before. */
gboolean seal_wire_number(SealWire *wire, guint32 *number);
/** @octets stay in the record. */
gboolean seal_wire_octets(SealWire *wire, const guint8 **octets, gsize *length);
/** All was read. */
gboolean seal_wire_ended(const SealWire *wire);
