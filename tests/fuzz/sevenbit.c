/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sevenbit.c: fuzzes what makes an entity fit for a signature in clear.
 */
#include "fuzz.h"

#include "core/mail/entity.h"
#include "core/mail/message.h"
#include "core/mail/sevenbit.h"
#include "core/mail/transfer.h"

#include <string.h>

enum { MAX_ENTITIES = 300, SMALL_ENTITY = 32768 };

static SealContent *mend(SealContent *entity)
{
    g_autoptr(SealContent) ready = NULL;
    g_autofree char *why = NULL;
    g_autoptr(GError) error = NULL;

    if (!seal_sevenbit(entity, g_get_tmp_dir(), 1024, &ready, &why, &error)) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
        return NULL;
    }
    g_assert_no_error(error);
    g_assert_true(ready || why);
    /* The core's own check of what it made; a long header may pass a bound once it is encoded. */
    g_assert_false(why && strstr(why, "change which parts") &&
                   seal_content_size(entity) < SMALL_ENTITY);
    return why ? NULL : g_steal_pointer(&ready);
}

/* -------------------------------------------------------------------------------------------
 * What a reader sees: a model that is too simple to be wrong
 */

/* An octet's code, 0 for a soft line break, -1 for neither; *@length: of the whole. */
static int model_sign(const GByteArray *in, guint at, guint *length)
{
    guint end = at + 1;

    while (end < in->len && in->data[end] && strchr(" \t\r", in->data[end]))
        end++;
    *length = end + (end < in->len ? 1 : 0) - at;
    if (end == in->len || in->data[end] == '\n')
        return 0;
    *length = 3;
    if (at + 2 >= in->len || !g_ascii_isxdigit(in->data[at + 1]) ||
        !g_ascii_isxdigit(in->data[at + 2]))
        return -1;
    return 256 + g_ascii_xdigit_value((char)in->data[at + 1]) * 16 +
           g_ascii_xdigit_value((char)in->data[at + 2]);
}

static GByteArray *model_quoted(const GByteArray *in)
{
    GByteArray *out = g_byte_array_new();

    for (guint at = 0, length; at < in->len; at += length) {
        int code = in->data[at] == '=' ? model_sign(in, at, &length) : -1;
        guint8 octet = code > 0 ? (guint8)(code - 256) : in->data[at];

        if (code < 0)
            length = 1;
        if (code != 0)
            g_byte_array_append(out, &octet, 1);
    }
    return out;
}

static GByteArray *model_base64(const GByteArray *in)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    GByteArray *out = g_byte_array_new();
    guint bits = 0, have = 0;

    for (guint at = 0; at < in->len; at++) {
        const char *c = in->data[at] ? strchr(alphabet, in->data[at]) : NULL;
        if (!c)
            continue;
        bits = bits << 6 | (guint)(c - alphabet);
        if ((have += 6) < 8)
            continue;
        have -= 8;
        guint8 octet = (guint8)(bits >> have);
        g_byte_array_append(out, &octet, 1);
    }
    return out;
}

/* Without the CRs before an LF: whether line ends have them is no matter here. */
static GByteArray *model_lines(const guint8 *data, gsize size)
{
    GByteArray *out = g_byte_array_new();

    for (gsize i = 0; i < size; i++) {
        while (data[i] == '\n' && out->len > 0 && out->data[out->len - 1] == '\r')
            g_byte_array_set_size(out, out->len - 1);
        g_byte_array_append(out, data + i, 1);
    }
    return out;
}

static GByteArray *seen_of(SealEntity *entity)
{
    const char *encoding = seal_entity_encoding(entity);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(seal_entity_body(entity), G_MAXINT32, NULL);
    gsize size = 0;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_autoptr(GByteArray) lines = model_lines(data, size);
    g_autoptr(GByteArray) decoded = g_str_equal(encoding, "base64") ? model_base64(lines)
                                    : g_str_equal(encoding, "quoted-printable")
                                        ? model_quoted(lines)
                                        : g_byte_array_ref(lines);

    return model_lines(decoded->data, decoded->len);
}

static gboolean has_parts(SealEntity *entity, GPtrArray **parts)
{
    const char *encoding = seal_entity_encoding(entity);

    return (g_str_has_prefix(seal_entity_type(entity), "multipart/") ||
            (g_str_equal(seal_entity_type(entity), "message/rfc822") &&
             !g_str_equal(encoding, "base64") && !g_str_equal(encoding, "quoted-printable"))) &&
           seal_entity_parts(entity, parts, NULL) && (*parts)->len > 0;
}

/* The same parts of the same types, in the same places, and the same octets in them. */
static void compare(SealEntity *before, SealEntity *after, guint *seen)
{
    GPtrArray *parts = NULL, *others = NULL;

    g_assert_cmpstr(seal_entity_type(before), ==, seal_entity_type(after));
    if (++*seen > MAX_ENTITIES)
        return;
    if (!has_parts(before, &parts)) {
        g_autoptr(GByteArray) one = seen_of(before);
        g_autoptr(GByteArray) two = seen_of(after);

        g_assert_cmpmem(one->data, one->len, two->data, two->len);
        return;
    }
    g_assert_true(has_parts(after, &others));
    g_assert_cmpuint(parts->len, ==, others->len);
    for (guint i = 0; i < parts->len; i++)
        compare(g_ptr_array_index(parts, i), g_ptr_array_index(others, i), seen);
}

static SealEntity *view_of(SealContent *content)
{
    SealHeader *header = seal_header_read(content, FALSE, NULL);

    return header ? seal_entity_new(content, header, 0) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) whole = fuzz_content(data, size);
    g_autoptr(SealContent) cut = fuzz_content_cut(data, size);
    g_autoptr(SealContent) ready = mend(whole);
    g_autoptr(SealContent) other = mend(cut);
    SealScan scan;
    guint seen = 0;

    g_assert_true((ready != NULL) == (other != NULL));
    if (!ready)
        return 0;
    fuzz_assert_same(ready, other);
    g_assert_true(seal_transfer_scan(ready, &scan, NULL));
    g_assert_cmpuint(scan.trouble & SEAL_TROUBLE_HARD, ==, 0);
    g_assert_false(scan.any_cr);

    g_autoptr(SealEntity) before = view_of(whole);
    g_autoptr(SealEntity) after = view_of(ready);
    if (before && after)
        compare(before, after, &seen);
    g_autoptr(SealContent) again = mend(ready);
    if (again)
        fuzz_assert_same(ready, again);
    return 0;
}
