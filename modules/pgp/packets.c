/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.c: what the packets of a key hold: numbers (RFC 4880 5.5.2), signatures (5.2).
 */
#include "packets.h"

#include <string.h>

guint32 pgp_number(const guint8 *data)
{
    return (guint32)data[0] << 24 | (guint32)data[1] << 16 | (guint32)data[2] << 8 | data[3];
}

enum {
    MAX_BITS = 16384, /* of a number */
    MAX_AREA = 10000, /* octets of subpackets; gpg 2.2 reads no longer ones */
};

enum {
    SUB_CREATED = 2,
    SUB_EXPIRES = 3,
    SUB_KEY_EXPIRES = 9,
    SUB_CIPHERS = 11,
    SUB_REVOKER = 12,
    SUB_ISSUER = 16,
    SUB_HASHES = 21,
    SUB_FLAGS = 27,
    SUB_ISSUER_FINGERPRINT = 33,
};

static gboolean is_aes(guint8 cipher)
{
    return cipher >= 7 && cipher <= 9;
}

gboolean pgp_is_sound_hash(guint hash)
{
    return hash >= 8 && hash <= 11;
}

static guint sha2_bit(guint8 hash)
{
    return pgp_is_sound_hash(hash) ? 1u << hash : 0;
}

/* Of version 4 the key id is the end of the fingerprint, of later ones its beginning. */
static void take_fingerprint(PgpSignature *signature, guint8 version, const guint8 *data,
                             gsize length)
{
    gsize wanted = version == 4 ? PGP_FINGERPRINT : PGP_LONG_FINGERPRINT;

    if (version < 4 || version > 6 || length != wanted)
        return;
    memcpy(signature->issuer_fingerprint, data, length);
    signature->issuer_length = length;
    memcpy(signature->issuer, version == 4 ? data + length - PGP_KEY_ID : data, PGP_KEY_ID);
    signature->has_issuer = TRUE;
}

static void take_issuer(PgpSignature *signature, guint8 type, const guint8 *data, gsize length)
{
    if (type == SUB_ISSUER && length == PGP_KEY_ID && !signature->has_issuer) {
        memcpy(signature->issuer, data, PGP_KEY_ID);
        signature->has_issuer = TRUE;
    } else if (type == SUB_ISSUER_FINGERPRINT && length > 1) {
        take_fingerprint(signature, data[0], data + 1, length - 1);
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
    } else if (type == SUB_FLAGS && length > 0) {
        signature->has_flags = TRUE;
        signature->flags = data[0];
    } else if (type == SUB_REVOKER && length == 2 + PGP_FINGERPRINT) {
        signature->has_revoker = TRUE;
        memcpy(signature->revoker, data + 2 + PGP_FINGERPRINT - PGP_KEY_ID, PGP_KEY_ID);
    }
}

/* Of what the signature does not cover, only who made it is of use: a hint, as all of it here. */
static gboolean take_area(PgpSignature *signature, const guint8 *data, gsize length,
                          gboolean hashed)
{
    while (length > 0) {
        const guint8 *value;
        gsize size;
        guint8 type;

        if (!seal_packets_subpacket(&data, &length, &type, &value, &size))
            return FALSE;
        if (hashed)
            take_subpacket(signature, type, value, size);
        take_issuer(signature, type, value, size);
    }
    return TRUE;
}

static gboolean read_version_3(PgpSignature *signature, const guint8 *data, gsize length)
{
    if (length < 19 || data[1] != 5)
        return FALSE;
    signature->version = 3;
    signature->type = data[2];
    signature->hash = data[16];
    signature->created = pgp_number(data + 3);
    memcpy(signature->issuer, data + 7, PGP_KEY_ID);
    signature->has_issuer = TRUE;
    return TRUE;
}

/* The size of one of the two areas: of version 6 it has four octets. */
static gboolean read_size(const guint8 *data, gsize length, guint8 version, gsize *at, gsize *size)
{
    gsize octets = version == 6 ? 4 : 2;

    if (length - *at < octets)
        return FALSE;
    *size = 0;
    for (gsize end = *at + octets; *at < end; (*at)++)
        *size = *size << 8 | data[*at];
    return *size <= length - *at;
}

gboolean pgp_signature_read(PgpSignature *signature, const guint8 *data, gsize length)
{
    gsize at = 4;

    memset(signature, 0, sizeof *signature);
    if (length > 0 && data[0] == 3)
        return read_version_3(signature, data, length);
    if (length < 6 || data[0] < 4 || data[0] > 6)
        return FALSE;
    signature->version = data[0];
    signature->type = data[1];
    signature->hash = data[3];
    for (guint area = 0; area < 2; area++) {
        gsize size;

        if (!read_size(data, length, signature->version, &at, &size) ||
            !take_area(signature, data + at, size, area == 0))
            return FALSE;
        at += size;
    }
    /* The first octets of the hash, and at least one number. */
    return length - at > 4;
}

/* -------------------------------------------------------------------------------------------
 * Numbers
 */

/* Goes past an octet that says how many more there are: a curve, or how a key is derived. */
static gboolean skip_counted(const guint8 *data, gsize length, gsize *at)
{
    if (*at == length || data[*at] >= length - *at)
        return FALSE;
    *at += 1u + data[*at];
    return TRUE;
}

/* Numbers with their size in bits ahead; gpg reads none that is larger. */
static gboolean skip_numbers(const guint8 *data, gsize length, gsize *at, guint count)
{
    for (; count > 0; count--) {
        if (length - *at < 2)
            return FALSE;
        gsize bits = (gsize)(data[*at] << 8 | data[*at + 1]), octets = (bits + 7) / 8;
        *at += 2;
        if (bits > MAX_BITS || length - *at < octets)
            return FALSE;
        *at += octets;
    }
    return TRUE;
}

/* Of version 4: where its numbers begin. 0: its areas are none, or longer than every gpg reads. */
static gsize find_signature_numbers(const guint8 *data, gsize length)
{
    gsize at = 4;

    for (guint area = 0; area < 2; area++) {
        gsize size;

        if (!read_size(data, length, 4, &at, &size) || size > MAX_AREA)
            return 0;
        at += size;
    }
    return length - at > 2 ? at + 2 : 0;
}

/* A revocation is kept however long its areas are: a newer gpg may read it. */
static gboolean is_revocation(guint8 type)
{
    return type == 0x20 || type == 0x28 || type == 0x30;
}

gboolean pgp_signature_is_whole(const guint8 *data, gsize length)
{
    if (length < 19 || (data[0] != 3 && data[0] != 4))
        return TRUE;
    gsize at = data[0] == 3 ? 19 : find_signature_numbers(data, length);
    if (at == 0)
        return is_revocation(data[1]);
    switch (data[data[0] == 3 ? 15 : 2]) {
    case 1: /* RSA */
    case 3:
        return skip_numbers(data, length, &at, 1);
    case 17: /* DSA */
    case 19: /* ECDSA */
    case 22: /* EdDSA */
        return skip_numbers(data, length, &at, 2);
    default:
        return TRUE;
    }
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

gboolean pgp_material_is_whole(const guint8 *data, gsize length)
{
    gsize at = 6;
    gboolean ok;

    if (length < at || data[0] != 4)
        return TRUE;
    switch (data[5]) {
    case 1: /* RSA */
    case 2:
    case 3:
        ok = skip_numbers(data, length, &at, 2);
        break;
    case 16: /* Elgamal */
        ok = skip_numbers(data, length, &at, 3);
        break;
    case 17: /* DSA */
        ok = skip_numbers(data, length, &at, 4);
        break;
    case 18: /* ECDH */
        ok = skip_counted(data, length, &at) && skip_numbers(data, length, &at, 1) &&
             skip_counted(data, length, &at);
        break;
    case 19: /* ECDSA, EdDSA */
    case 22:
        ok = skip_counted(data, length, &at) && skip_numbers(data, length, &at, 1);
        break;
    default:
        return TRUE;
    }
    return ok && at == length;
}
