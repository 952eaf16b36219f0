/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ring.h: transferable public keys (RFC 4880 11.1), as many as there are.
 */
#pragma once

#include "key.h"

typedef struct {
    GPtrArray *keys; /**< PgpKey; bare revocations among them */
    guint broken;
    guint secret;
    GPtrArray *secrets;      /**< the first user id of those that were met as packets, or NULL */
    guint packets;           /**< of whatever kind */
    guint old;               /**< keys of versions that nobody uses any more */
    const char *fault;       /**< of the last one that is broken, or where it is cut */
    const GByteArray *named; /**< key ids of the introducers, 8 octets each; or NULL */
    gboolean cut;            /**< it does not reach from whole entry to whole entry to its end */
} PgpRing;

/** Of a ring that is clear but for `named`. Reads ASCII armour, octets, or a keybox: what can be
 * said without cryptography. Bytes that are something else give nothing. */
void pgp_ring_read(PgpRing *ring, GBytes *data);
/** Whether they begin as a keybox does. */
gboolean pgp_ring_is_keybox(GBytes *data);
/** Whether they begin as a binary ring does, and are no text: one may have armour in a user id. */
gboolean pgp_ring_is_packets(GBytes *data);
/** Reads octets, whatever text may stand in them. */
void pgp_ring_read_packets(PgpRing *ring, GBytes *data);
/** Reads the armour of that label, among other text. */
void pgp_ring_read_armor(PgpRing *ring, GBytes *data, const char *label);

enum {
    PGP_BLOB_KEY = 2,
    PGP_BLOB_CERTIFICATE = 3,
};

/** An entry of a keybox. */
typedef struct {
    guint8 type;
    gsize offset; /**< of a key: where its packets are in the keybox, and how many octets */
    gsize length;
    const char *fault; /**< or NULL */
} PgpBlob;

/** Goes behind the one at *@at; FALSE at the end. */
gboolean pgp_keybox_next(GBytes *keybox, gsize *at, PgpBlob *blob);
void pgp_ring_clear(PgpRing *ring);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpRing, pgp_ring_clear)
