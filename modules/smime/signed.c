/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * signed.c: opens a SignedData (RFC 5652 5.1) that was made beside its content for the content to
 * stand in it: OpenSSL would have to sign it itself, or hold all of it.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

/* One element of DER: where its contents and its end are. */
typedef struct {
    const guint8 *begin;
    const guint8 *contents;
    const guint8 *end;
} Element;

/* The element at @at, with the tag octet @tag. FALSE: there is another one, or none that ends. */
static gboolean read_element(const guint8 *at, const guint8 *end, guint8 tag, Element *element)
{
    const guint8 *contents = at;
    long length = 0;
    int number, class;

    if (at >= end || *at != tag ||
        (ASN1_get_object(&contents, &length, &number, &class, end - at) & 0x81) ||
        length > end - contents)
        return FALSE;
    *element = (Element){at, contents, contents + length};
    return TRUE;
}

static gboolean skip_element(const guint8 **at, const guint8 *end, guint8 tag)
{
    Element element;

    if (!read_element(*at, end, tag, &element))
        return FALSE;
    *at = element.end;
    return TRUE;
}

/* A tag and a length in the shortest form. */
static void put_head(GByteArray *out, guint8 tag, guint64 length)
{
    guint8 octets[10] = {tag};
    guint size = 0;

    if (length < 0x80) {
        octets[1] = (guint8)length;
        g_byte_array_append(out, octets, 2);
        return;
    }
    while (size < 8 && length >> (8 * size))
        size++;
    octets[1] = (guint8)(0x80 | size);
    for (guint i = 0; i < size; i++)
        octets[2 + i] = (guint8)(length >> (8 * (size - 1 - i)));
    g_byte_array_append(out, octets, 2 + size);
}

/* In front of @inside, which stands for as many octets and @more: their head. */
static GByteArray *put_around(guint8 tag, GByteArray *inside, guint64 more)
{
    GByteArray *out = g_byte_array_new();

    put_head(out, tag, inside->len + more);
    g_byte_array_append(out, inside->data, inside->len);
    g_byte_array_unref(inside);
    return out;
}

static GByteArray *put_before(const guint8 *from, const guint8 *to, GByteArray *behind)
{
    g_byte_array_prepend(behind, from, (guint)(to - from));
    return behind;
}

/* From the innermost to the outermost: an octet string, [0], EncapsulatedContentInfo, SignedData,
 * [0], ContentInfo. */
static gboolean splice(const guint8 *der, gsize length, guint64 size, GBytes **front, GBytes **back)
{
    Element info, explicit, data, encap;
    const guint8 *end = der + length;

    if (!read_element(der, end, 0x30, &info))
        return FALSE;
    const guint8 *at = info.contents;
    if (!skip_element(&at, info.end, 0x06) || !read_element(at, info.end, 0xa0, &explicit) ||
        !read_element(explicit.contents, explicit.end, 0x30, &data))
        return FALSE;
    const guint8 *inside = data.contents;
    if (!skip_element(&inside, data.end, 0x02) || !skip_element(&inside, data.end, 0x31) ||
        !read_element(inside, data.end, 0x30, &encap))
        return FALSE;

    guint64 rest = (guint64)(data.end - encap.end);
    GByteArray *made = g_byte_array_new();
    put_head(made, 0x04, size);
    made = put_around(0xa0, made, size);
    made = put_around(0x30, put_before(encap.contents, encap.end, made), size);
    made = put_around(0x30, put_before(data.contents, encap.begin, made), size + rest);
    made = put_around(0xa0, made, size + rest);
    made = put_around(0x30, put_before(info.contents, explicit.begin, made), size + rest);
    *front = g_byte_array_free_to_bytes(made);
    *back = g_bytes_new(encap.end, rest);
    return TRUE;
}

gboolean smime_signed_around(CMS_ContentInfo *cms, SealContent *entity, GBytes **front,
                             GBytes **back, GError **error)
{
    guint8 *der = NULL;
    guint64 size = 0;

    if (!seal_content_canonical_size(entity, &size, error))
        return FALSE;
    int length = i2d_CMS_ContentInfo(cms, &der);
    gboolean ok = length > 0 && splice(der, (gsize)length, size, front, back);
    OPENSSL_free(der);
    if (!ok)
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot put content into a signature");
    return ok;
}
