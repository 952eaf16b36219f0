/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.h: OpenPGP packets (RFC 4880 4.2) while they stream by.
 */
#pragma once

#include "armor.h"

enum {
    PGP_TAG_PKESK = 1,
    PGP_TAG_SIGNATURE = 2,
    PGP_TAG_SKESK = 3,
    PGP_TAG_SECRET_KEY = 5,
    PGP_TAG_PUBLIC_KEY = 6,
    PGP_TAG_SECRET_SUBKEY = 7,
    PGP_TAG_SED = 9, /* without integrity protection */
    PGP_TAG_MARKER = 10,
    PGP_TAG_TRUST = 12,
    PGP_TAG_USER_ID = 13,
    PGP_TAG_PUBLIC_SUBKEY = 14,
    PGP_TAG_SEIPD = 18,
    PGP_TAG_AEAD = 20, /* GnuPG 2.3's own */
};

enum {
    PGP_FINGERPRINT = 20, /* octets of a v4 key's */
    PGP_KEY_ID = 8,
};

/** Four octets, the highest first. */
guint32 pgp_number(const guint8 *data);

typedef struct {
    PgpOctets *octets;
    guint8 tag;
    gboolean partial; /* more pieces follow the one in hand */
    guint64 left;     /* of the piece in hand */
} PgpPacket;

/** Goes to the next packet; *@none where there is no more. The one before must be read to its end.
 */
gboolean pgp_packet_next(PgpPacket *packet, PgpOctets *octets, gboolean *none);
gboolean pgp_packet_read(PgpPacket *packet, guint8 *out, guint64 length);
/** Passes over the rest and adds its octets to *@count, which may be NULL. */
gboolean pgp_packet_skip(PgpPacket *packet, guint64 *count);
/** Reads the rest; more than @max octets are a fault. */
gboolean pgp_packet_rest(PgpPacket *packet, GByteArray *out, gsize max);

/** What the owner of a key can decrypt and verify, as the key says. */
typedef struct {
    gboolean has_ciphers;
    gboolean aes; /**< among the preferred ciphers */
    gboolean has_hashes;
    guint hashes; /**< of the preferred ones, those of SHA-2: a bit for each number */
} PgpPreferences;

/** What a signature says of itself; nothing of it is verified. */
typedef struct {
    guint8 type;
    gboolean has_issuer;
    guint8 issuer[PGP_KEY_ID];
    gboolean has_issuer_fingerprint;
    guint8 issuer_fingerprint[PGP_FINGERPRINT];
    gint64 created;
    guint32 lives;     /**< seconds until the signature expires; zero for ever */
    guint32 key_lives; /**< likewise the key, from its creation */
    PgpPreferences preferences;
    gboolean has_revoker;
    guint8 revoker[PGP_KEY_ID];
} PgpSignature;

/** FALSE where it is no signature of a version known here. */
gboolean pgp_signature_read(PgpSignature *signature, const guint8 *data, gsize length);
