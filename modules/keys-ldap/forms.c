/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forms.c: what a key looks like as a value of an attribute.
 */
#include "keys-ldap.h"

#include <string.h>

/* version 1, no digests, data without content (RFC 5652) */
static const guint8 BEFORE[] = {0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09,
                                0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const guint8 NO_SIGNERS[] = {0x31, 0x00};
/* 1.2.840.113549.1.7.2, signedData */
static const guint8 OID_SIGNED[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                    0xf7, 0x0d, 0x01, 0x07, 0x02};

/* Puts the head of a DER element in front of all of @content. */
static void put_head(GByteArray *content, guint8 tag)
{
    guint8 head[2 + sizeof(guint32)] = {tag};
    guint length = content->len, size = 0;

    if (length < 0x80) {
        head[1] = (guint8)length;
    } else {
        for (guint rest = length; rest > 0; rest >>= 8)
            size++;
        head[1] = (guint8)(0x80 | size);
        for (guint i = 0; i < size; i++)
            head[2 + i] = (guint8)(length >> 8 * (size - 1 - i));
    }
    g_byte_array_prepend(content, head, 2 + size);
}

GBytes *ldap_form_pkcs7(GBytes *certificate)
{
    g_autoptr(GByteArray) all = g_byte_array_new();
    gsize size;
    const guint8 *data = g_bytes_get_data(certificate, &size);

    g_byte_array_append(all, data, (guint)size);
    put_head(all, 0xa0);
    g_byte_array_prepend(all, BEFORE, sizeof BEFORE);
    g_byte_array_append(all, NO_SIGNERS, sizeof NO_SIGNERS);
    put_head(all, 0x30);
    put_head(all, 0xa0);
    g_byte_array_prepend(all, OID_SIGNED, sizeof OID_SIGNED);
    put_head(all, 0x30);
    return g_byte_array_free_to_bytes(g_steal_pointer(&all));
}
