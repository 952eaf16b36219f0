/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/plugin/wire.h"

#include <string.h>

gsize seal_hash_length(SealHash hash)
{
    switch (hash) {
    case SEAL_HASH_SHA256:
        return 32;
    case SEAL_HASH_SHA384:
        return 48;
    case SEAL_HASH_SHA512:
        return 64;
    default:
        return 0;
    }
}

void seal_wire_put_number(GByteArray *record, guint32 number)
{
    guint32 little = GUINT32_TO_LE(number);

    g_byte_array_append(record, (const guint8 *)&little, sizeof little);
}

void seal_wire_put_octets(GByteArray *record, const void *octets, gsize length)
{
    seal_wire_put_number(record, (guint32)length);
    if (length > 0)
        g_byte_array_append(record, octets, (guint)length);
}

gboolean seal_wire_number(SealWire *wire, guint32 *number)
{
    guint32 little;

    if ((gsize)(wire->end - wire->at) < sizeof little)
        return FALSE;
    memcpy(&little, wire->at, sizeof little);
    wire->at += sizeof little;
    *number = GUINT32_FROM_LE(little);
    return TRUE;
}

gboolean seal_wire_octets(SealWire *wire, const guint8 **octets, gsize *length)
{
    guint32 count;

    if (!seal_wire_number(wire, &count) || (gsize)(wire->end - wire->at) < count)
        return FALSE;
    *octets = wire->at;
    *length = count;
    wire->at += count;
    return TRUE;
}

gboolean seal_wire_ended(const SealWire *wire)
{
    return wire->at == wire->end;
}
