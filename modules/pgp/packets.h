/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.h: the packets of a key (RFC 4880 11.1), and what signatures say.
 */
#pragma once

#include "core/sealpipe.h"

enum {
    PGP_TAG_SIGNATURE = 2,
    PGP_TAG_SECRET_KEY = 5,
    PGP_TAG_PUBLIC_KEY = 6,
    PGP_TAG_SECRET_SUBKEY = 7,
    PGP_TAG_TRUST = 12,
    PGP_TAG_USER_ID = 13,
    PGP_TAG_PUBLIC_SUBKEY = 14,
    PGP_TAG_ATTRIBUTE = 17,
};

enum {
    PGP_FINGERPRINT = 20,      /* octets of a v4 key's */
    PGP_LONG_FINGERPRINT = 32, /* and of those of versions 5 and 6 */
    PGP_KEY_ID = 8,
};

/** Four octets, the highest first. */
guint32 pgp_number(const guint8 *data);

/** What the owner of a key can decrypt and verify, as the key says. */
typedef struct {
    gboolean has_ciphers;
    gboolean aes; /**< among the preferred ciphers */
    gboolean has_hashes;
    guint hashes; /**< of the preferred ones, those of SHA-2: a bit for each number */
} PgpPreferences;

/** What a signature says of itself; nothing of it is verified. */
typedef struct {
    guint8 version; /**< 3 to 6; 3 makes signatures of keys of version 4, too */
    guint8 type;
    guint8 hash;
    gboolean has_issuer;
    guint8 issuer[PGP_KEY_ID];
    gsize issuer_length; /**< octets of the next; zero where it is not known */
    guint8 issuer_fingerprint[PGP_LONG_FINGERPRINT];
    gint64 created;
    guint32 lives;     /**< seconds until the signature expires; zero for ever */
    guint32 key_lives; /**< likewise the key, from its creation */
    PgpPreferences preferences;
    gboolean has_flags;
    guint8 flags; /**< what the key is for (RFC 4880 5.2.3.21) */
    gboolean has_revoker;
    guint8 revoker[PGP_KEY_ID];
} PgpSignature;

/** TRUE for the hashes of SHA-2, which alone count. */
gboolean pgp_is_sound_hash(guint hash);
/** FALSE where the numbers of a public key, whose packet this is, do not end with it: there could
 * be anything behind them. What cannot be read here passes. */
gboolean pgp_material_is_whole(const guint8 *data, gsize length);
/** FALSE where gpg could not read a signature: it then takes none of the key it stands in. What
 *  cannot be read here passes. */
gboolean pgp_signature_is_whole(const guint8 *data, gsize length);
/** FALSE where it is no signature of a version known here. */
gboolean pgp_signature_read(PgpSignature *signature, const guint8 *data, gsize length);
