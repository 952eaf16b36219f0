/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * armor.c: octets for the packet parser, taken out of ASCII armour (RFC 4880 6.2) where they are in
 * it. Strict: nothing may stand beside the armour, unless a key file is read.
 */
#include "pgp.h"

#include <string.h>

enum {
    RAW = 64 * 1024,
    MAX_HEADERS = 8,
    MAX_HEADER = 200,
    MAX_LINE = 1000,
};

static const guint32 CRC_INIT = 0xb704ce;
static const guint32 CRC_POLY = 0x1864cfb;

void pgp_octets_init(PgpOctets *octets, GInputStream *in, const char *label, gboolean among,
                     GCancellable *cancellable)
{
    memset(octets, 0, sizeof *octets);
    octets->in = g_object_ref(in);
    octets->cancellable = cancellable;
    octets->label = label;
    octets->among = among;
    octets->raw = g_malloc(RAW);
    octets->data = label ? g_malloc(RAW) : octets->raw;
}

void pgp_octets_clear(PgpOctets *octets)
{
    g_clear_object(&octets->in);
    if (octets->data != octets->raw)
        g_free(octets->data);
    g_free(octets->raw);
    octets->raw = octets->data = NULL;
    g_clear_error(&octets->error);
}

gboolean pgp_octets_fail(PgpOctets *octets, const char *fault)
{
    if (!octets->fault)
        octets->fault = fault;
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * CRC-24 and base64
 */

static const guint32 *crc_table(void)
{
    static guint32 table[256];
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        for (guint i = 0; i < 256; i++) {
            guint32 crc = i << 16;

            for (guint bit = 0; bit < 8; bit++)
                crc = crc & 0x800000 ? (crc << 1) ^ CRC_POLY : crc << 1;
            table[i] = crc & 0xffffff;
        }
        g_once_init_leave(&once, 1);
    }
    return table;
}

static guint32 crc_add(guint32 crc, const guint8 *data, gsize length)
{
    const guint32 *table = crc_table();

    for (gsize i = 0; i < length; i++)
        crc = ((crc << 8) & 0xffffff) ^ table[((crc >> 16) ^ data[i]) & 0xff];
    return crc;
}

static const gint8 *base64_values(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static gint8 values[256];
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        memset(values, -1, sizeof values);
        for (gint8 i = 0; i < 64; i++)
            values[(guint8)alphabet[i]] = i;
        g_once_init_leave(&once, 1);
    }
    return values;
}

/* The padding of the last quantum, at the end of the text. */
static gboolean end_quantum(PgpOctets *octets, gsize pads)
{
    guint8 *out = octets->data + octets->length;

    if (octets->have + pads != 4 || pads > 2)
        return pgp_octets_fail(octets, "wrong padding in the armour");
    guint32 bits = octets->bits << (6 * pads);
    if (bits & ((1u << (8 * pads)) - 1))
        return pgp_octets_fail(octets, "wrong padding in the armour");
    out[0] = (guint8)(bits >> 16);
    if (pads == 1)
        out[1] = (guint8)(bits >> 8);
    octets->length += 3 - pads;
    octets->have = 0;
    octets->padded = TRUE;
    return TRUE;
}

static gboolean decode(PgpOctets *octets, const char *line, gsize length)
{
    const gint8 *values = base64_values();
    gsize start = octets->length;
    guint8 *out = octets->data + start;
    gsize text = length;

    if (octets->padded)
        return pgp_octets_fail(octets, "text after the end of the armoured data");
    while (text > 0 && line[text - 1] == '=')
        text--;
    for (gsize i = 0; i < text; i++) {
        int value = values[(guint8)line[i]];

        if (value < 0)
            return pgp_octets_fail(octets, "something beside the base64 text of the armour");
        octets->bits = (octets->bits << 6 | (guint32)value) & 0xffffff;
        if (++octets->have == 4) {
            *out++ = (guint8)(octets->bits >> 16);
            *out++ = (guint8)(octets->bits >> 8);
            *out++ = (guint8)octets->bits;
            octets->have = 0;
        }
    }
    octets->length = (gsize)(out - octets->data);
    if (text < length && !end_quantum(octets, length - text))
        return FALSE;
    octets->crc = crc_add(octets->crc, octets->data + start, octets->length - start);
    return TRUE;
}

static gboolean check_sum(PgpOctets *octets, const char *digits)
{
    const gint8 *values = base64_values();
    guint32 sum = 0;

    for (guint i = 0; i < 4; i++) {
        int value = values[(guint8)digits[i]];

        if (value < 0)
            return pgp_octets_fail(octets, "a checksum of the armour that cannot be read");
        sum = sum << 6 | (guint32)value;
    }
    if (sum != octets->crc || octets->have > 0)
        return pgp_octets_fail(octets, "the checksum of the armour is wrong");
    octets->state = PGP_ARMOR_SUM;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Lines
 */

/* "-----BEGIN PGP MESSAGE-----" and its end. */
static gboolean is_rule(const PgpOctets *octets, const char *word, const char *line, gsize length)
{
    const char *parts[] = {"-----", word, " PGP ", octets->label, "-----"};

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        gsize size = strlen(parts[i]);

        if (length < size || memcmp(line, parts[i], size) != 0)
            return FALSE;
        line += size;
        length -= size;
    }
    return length == 0;
}

static gboolean take_before(PgpOctets *octets, const char *line, gsize length)
{
    if (is_rule(octets, "BEGIN", line, length)) {
        octets->state = PGP_ARMOR_HEADERS;
        octets->crc = CRC_INIT;
        octets->have = 0;
        octets->headers = 0;
        octets->padded = FALSE;
        return TRUE;
    }
    return length == 0 || octets->among ||
           pgp_octets_fail(octets, octets->state == PGP_ARMOR_BEFORE
                                       ? "something stands before the armour"
                                       : "something stands after the armour");
}

static gboolean take_header(PgpOctets *octets, const char *line, gsize length)
{
    if (length == 0) {
        octets->state = PGP_ARMOR_DATA;
        return TRUE;
    }
    gboolean large = ++octets->headers > MAX_HEADERS || length > MAX_HEADER;
    /* What people put into key files is theirs; gpg takes it too. */
    if ((large && !octets->among) || !memchr(line, ':', length))
        return pgp_octets_fail(octets, "the armour's header cannot be read");
    return TRUE;
}

static gboolean take_data(PgpOctets *octets, const char *line, gsize length)
{
    if (is_rule(octets, "END", line, length)) {
        if (octets->have > 0)
            return pgp_octets_fail(octets, "the armoured data breaks off");
        octets->state = octets->among ? PGP_ARMOR_BEFORE : PGP_ARMOR_AFTER;
        return TRUE;
    }
    if (length == 0)
        return TRUE;
    if (octets->state == PGP_ARMOR_SUM)
        return pgp_octets_fail(octets, "text after the checksum of the armour");
    if (line[0] == '=' && length == 5)
        return check_sum(octets, line + 1);
    return decode(octets, line, length);
}

static gboolean take_line(PgpOctets *octets, const char *line, gsize length)
{
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) && line[length - 1])
        length--;
    switch (octets->state) {
    case PGP_ARMOR_HEADERS:
        return take_header(octets, line, length);
    case PGP_ARMOR_DATA:
    case PGP_ARMOR_SUM:
        if (length > MAX_LINE)
            return pgp_octets_fail(octets, "a line of the armour is too long");
        return take_data(octets, line, length);
    case PGP_ARMOR_AFTER:
        if (length == 0)
            return TRUE;
        return pgp_octets_fail(octets, "something stands after the armour");
    case PGP_ARMOR_BEFORE:
    default:
        return take_before(octets, line, length);
    }
}

static gboolean read_raw(PgpOctets *octets)
{
    memmove(octets->raw, octets->raw + octets->raw_at, octets->raw_length - octets->raw_at);
    octets->raw_length -= octets->raw_at;
    octets->raw_at = 0;
    gssize got = g_input_stream_read(octets->in, octets->raw + octets->raw_length,
                                     RAW - octets->raw_length, octets->cancellable, &octets->error);
    if (got < 0)
        return FALSE;
    octets->ended = got == 0;
    octets->raw_length += (gsize)got;
    return TRUE;
}

/* The lines that are there, as long as there is room for what they hold. *@more: others may come.
 */
static gboolean take_lines(PgpOctets *octets, gboolean *more)
{
    while (octets->length + MAX_LINE <= RAW) {
        const char *line = (const char *)octets->raw + octets->raw_at;
        gsize left = octets->raw_length - octets->raw_at;
        const char *lf = left > 0 ? memchr(line, '\n', left) : NULL;
        gsize length = lf ? (gsize)(lf - line) + 1 : left;

        if (!lf && !octets->ended && left < RAW) {
            if (!read_raw(octets))
                return FALSE;
            continue;
        }
        if (length == 0) {
            *more = FALSE;
            return TRUE;
        }
        gboolean rest = octets->cut;
        octets->cut = octets->among && !lf && !octets->ended;
        octets->raw_at += length;
        if (!rest && !take_line(octets, line, length))
            return FALSE;
    }
    return TRUE;
}

static gboolean fill_from_armor(PgpOctets *octets)
{
    gboolean more = TRUE;

    if (!take_lines(octets, &more))
        return octets->length > 0 && !octets->error;
    if (more || octets->length > 0)
        return TRUE;
    if (octets->state == PGP_ARMOR_AFTER || (octets->among && octets->state == PGP_ARMOR_BEFORE))
        return TRUE;
    return pgp_octets_fail(octets, octets->state == PGP_ARMOR_BEFORE ? "there is no armour"
                                                                     : "the armour breaks off");
}

/* Makes octets available, or finds that there are no more: length stays zero. What comes before a
 * fault is given out first. */
static gboolean fill(PgpOctets *octets)
{
    octets->at = octets->length = 0;
    if (octets->fault)
        return FALSE;
    if (octets->label)
        return fill_from_armor(octets);
    gssize got =
        g_input_stream_read(octets->in, octets->raw, RAW, octets->cancellable, &octets->error);
    octets->length = got > 0 ? (gsize)got : 0;
    return got >= 0;
}

gboolean pgp_octets_read(PgpOctets *octets, guint8 *out, guint64 length)
{
    while (length > 0) {
        if (octets->at == octets->length && !fill(octets))
            return FALSE;
        if (octets->length == 0)
            return pgp_octets_fail(octets, "it breaks off");

        gsize piece = (gsize)MIN(length, octets->length - octets->at);
        if (out) {
            memcpy(out, octets->data + octets->at, piece);
            out += piece;
        }
        octets->at += piece;
        octets->taken += piece;
        length -= piece;
    }
    return TRUE;
}

gboolean pgp_octets_ended(PgpOctets *octets, gboolean *ended)
{
    if (octets->at == octets->length && !fill(octets))
        return FALSE;
    *ended = octets->length == 0;
    return TRUE;
}
