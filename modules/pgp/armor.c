/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * armor.c: octets for the packet parser, taken out of ASCII armour (RFC 4880 6.2) where they are in
 * it. Strict: nothing may stand beside the armour, unless a key file is read.
 */
#include "armor.h"

#include <string.h>

#define MAX_LINE 1000

enum {
    RAW = 64 * 1024,
    MAX_HEADERS = 8,
    MAX_HEADER = 200,
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
 * CRC-24 (RFC 4880 6.1) and base64
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

/* What precedes a fault is given out. Padding that a line begins ends in that line. */
static gboolean decode_line(PgpOctets *octets, const char *line, gsize length)
{
    guint8 *out = octets->data + octets->length;
    gsize size;
    gboolean ok = seal_base64_decode(&octets->base64, line, length, out, &size);

    octets->length += size;
    octets->crc = crc_add(octets->crc, out, size);
    if (ok && (octets->base64.pads == 0 || seal_base64_is_complete(&octets->base64)))
        return TRUE;
    return pgp_octets_fail(octets,
                           "a line of the armour is not base64, or stands after the padding");
}

static gboolean check_sum(PgpOctets *octets, const char *digits)
{
    SealBase64 base64 = {0};
    guint8 sum[2 * 3];
    gsize size;

    if (!seal_base64_is_complete(&octets->base64) ||
        !seal_base64_decode(&base64, digits, 4, sum, &size) || size != 3 ||
        ((guint32)sum[0] << 16 | (guint32)sum[1] << 8 | sum[2]) != octets->crc)
        return pgp_octets_fail(octets, "the checksum of the armour does not match its data");
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
        octets->headers = 0;
        memset(&octets->base64, 0, sizeof octets->base64);
        return TRUE;
    }
    return length == 0 || octets->among ||
           pgp_octets_fail(octets, "there is text before the armour");
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
        return pgp_octets_fail(
            octets,
            "a header line of the armour has no colon or is too long, or there are too many");
    return TRUE;
}

static gboolean take_data(PgpOctets *octets, const char *line, gsize length)
{
    if (is_rule(octets, "END", line, length)) {
        if (!seal_base64_is_complete(&octets->base64))
            return pgp_octets_fail(octets, "the armour breaks off");
        octets->state = octets->among ? PGP_ARMOR_BEFORE : PGP_ARMOR_AFTER;
        return TRUE;
    }
    if (length == 0)
        return TRUE;
    if (octets->state == PGP_ARMOR_SUM)
        return pgp_octets_fail(octets, "there is text after the checksum of the armour");
    if (line[0] == '=' && length == 5)
        return check_sum(octets, line + 1);
    return decode_line(octets, line, length);
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
            return pgp_octets_fail(
                octets, "a line of the armour has more than " G_STRINGIFY(MAX_LINE) " characters");
        return take_data(octets, line, length);
    case PGP_ARMOR_AFTER:
        if (length == 0)
            return TRUE;
        return pgp_octets_fail(octets, "there is text after the armour");
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
    return pgp_octets_fail(octets, octets->state == PGP_ARMOR_BEFORE
                                       ? "there is no line that begins the armour"
                                       : "the armour breaks off");
}

/* Makes octets available, or finds that there are no more: length stays zero. What comes before a
 * fault is given out first. */
static gboolean fill_octets(PgpOctets *octets)
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
        if (octets->at == octets->length && !fill_octets(octets))
            return FALSE;
        if (octets->length == 0)
            return pgp_octets_fail(octets, "a packet breaks off");

        gsize piece = (gsize)MIN(length, octets->length - octets->at);
        if (out) {
            memcpy(out, octets->data + octets->at, piece);
            out += piece;
        }
        octets->at += piece;
        length -= piece;
    }
    return TRUE;
}

gboolean pgp_octets_ended(PgpOctets *octets, gboolean *ended)
{
    if (octets->at == octets->length && !fill_octets(octets))
        return FALSE;
    *ended = octets->length == 0;
    return TRUE;
}
