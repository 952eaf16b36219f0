/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * armor.c: octets for the packet parser, taken out of ASCII armour (RFC 4880 6.2) where they are in
 * it. Strict: nothing may stand beside the armour, and none of its headers says anything, unless
 * a key file is read.
 */
#include "core/sealed/armor.h"

#include "core/sealed/known.h"

#include <string.h>

#define MAX_LINE 1000

enum {
    RAW = 64 * 1024,
    MAX_HEADERS = 8,
    MAX_HEADER = 200,
    WRITTEN_LINE = 64, /* characters */
};

static const guint32 CRC_INIT = 0xb704ce;
static const guint32 CRC_POLY = 0x1864cfb;

void seal_armor_init(SealArmor *armor, GInputStream *in, SealBodyEncoding encoding,
                     const char *label, gboolean among, GCancellable *cancellable)
{
    memset(armor, 0, sizeof *armor);
    seal_body_init(&armor->body, in, encoding, cancellable);
    armor->label = label;
    armor->among = among;
    armor->raw = g_malloc(RAW + SEAL_BODY_ROOM);
    armor->data = label ? g_malloc(RAW) : armor->raw;
}

void seal_armor_clear(SealArmor *armor)
{
    seal_body_clear(&armor->body);
    if (armor->data != armor->raw)
        g_free(armor->data);
    g_free(armor->raw);
    armor->raw = armor->data = NULL;
    g_clear_error(&armor->error);
}

gboolean seal_armor_fail(SealArmor *armor, const char *fault)
{
    if (!armor->fault)
        armor->fault = fault;
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
static gboolean decode_line(SealArmor *armor, const char *line, gsize length)
{
    guint8 *out = armor->data + armor->length;
    gsize size;
    gboolean ok = seal_base64_decode(&armor->base64, line, length, out, &size);

    armor->length += size;
    armor->crc = crc_add(armor->crc, out, size);
    if (ok && (armor->base64.pads == 0 || seal_base64_is_complete(&armor->base64)))
        return TRUE;
    return seal_armor_fail(armor,
                           "a line of the armour is not base64, or stands after the padding");
}

static gboolean check_sum(SealArmor *armor, const char *digits)
{
    SealBase64 base64 = {0};
    guint8 sum[2 * 3];
    gsize size;

    if (!seal_base64_is_complete(&armor->base64) ||
        !seal_base64_decode(&base64, digits, 4, sum, &size) || size != 3 ||
        ((guint32)sum[0] << 16 | (guint32)sum[1] << 8 | sum[2]) != armor->crc)
        return seal_armor_fail(armor, "the checksum of the armour does not match its data");
    armor->state = SEAL_ARMOR_SUM;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Lines
 */

/* "-----BEGIN PGP MESSAGE-----" and its end. */
static gboolean is_rule(const SealArmor *armor, const char *word, const char *line, gsize length)
{
    const char *parts[] = {"-----", word, " PGP ", armor->label, "-----"};

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        gsize size = strlen(parts[i]);

        if (length < size || memcmp(line, parts[i], size) != 0)
            return FALSE;
        line += size;
        length -= size;
    }
    return length == 0;
}

static gboolean take_before(SealArmor *armor, const char *line, gsize length)
{
    if (is_rule(armor, "BEGIN", line, length)) {
        armor->state = SEAL_ARMOR_HEADERS;
        armor->crc = CRC_INIT;
        armor->headers = 0;
        memset(&armor->base64, 0, sizeof armor->base64);
        return TRUE;
    }
    return length == 0 || armor->among || seal_armor_fail(armor, "there is text before the armour");
}

static gboolean take_header(SealArmor *armor, const char *line, gsize length)
{
    if (length == 0) {
        armor->state = SEAL_ARMOR_DATA;
        return TRUE;
    }
    gboolean large = ++armor->headers > MAX_HEADERS || length > MAX_HEADER;
    if (!armor->among && !armor->any_headers && !large && !seal_known_armor_header(line, length))
        return seal_armor_fail(armor, "a header of the armour is none that programs write");
    /* What people put into key files is theirs; gpg takes it too. */
    if ((large && !armor->among) || !memchr(line, ':', length))
        return seal_armor_fail(
            armor,
            "a header line of the armour has no colon or is too long, or there are too many");
    return TRUE;
}

static gboolean take_data(SealArmor *armor, const char *line, gsize length)
{
    if (is_rule(armor, "END", line, length)) {
        if (!seal_base64_is_complete(&armor->base64))
            return seal_armor_fail(armor, "the armour breaks off");
        armor->state = armor->among ? SEAL_ARMOR_BEFORE : SEAL_ARMOR_AFTER;
        return TRUE;
    }
    if (length == 0)
        return TRUE;
    if (armor->state == SEAL_ARMOR_SUM)
        return seal_armor_fail(armor, "there is text after the checksum of the armour");
    if (line[0] == '=' && length == 5)
        return check_sum(armor, line + 1);
    return decode_line(armor, line, length);
}

static gboolean take_line(SealArmor *armor, const char *line, gsize length)
{
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) && line[length - 1])
        length--;
    switch (armor->state) {
    case SEAL_ARMOR_HEADERS:
        return take_header(armor, line, length);
    case SEAL_ARMOR_DATA:
    case SEAL_ARMOR_SUM:
        if (length > MAX_LINE)
            return seal_armor_fail(
                armor, "a line of the armour has more than " G_STRINGIFY(MAX_LINE) " characters");
        return take_data(armor, line, length);
    case SEAL_ARMOR_AFTER:
        if (length == 0)
            return TRUE;
        return seal_armor_fail(armor, "there is text after the armour");
    case SEAL_ARMOR_BEFORE:
    default:
        return take_before(armor, line, length);
    }
}

/* Reads more of the body; *@length is 0 at its end. */
static gboolean read_body(SealArmor *armor, guint8 *out, gsize room, gsize *length)
{
    if (seal_body_read(&armor->body, out, room, length))
        return TRUE;
    armor->error = g_steal_pointer(&armor->body.error);
    return armor->error ? FALSE : seal_armor_fail(armor, armor->body.fault);
}

static gboolean read_raw(SealArmor *armor)
{
    gsize got;

    memmove(armor->raw, armor->raw + armor->raw_at, armor->raw_length - armor->raw_at);
    armor->raw_length -= armor->raw_at;
    armor->raw_at = 0;
    if (!read_body(armor, armor->raw + armor->raw_length, RAW + SEAL_BODY_ROOM - armor->raw_length,
                   &got))
        return FALSE;
    armor->ended = got == 0;
    armor->raw_length += got;
    return TRUE;
}

/* The lines that are there, as long as there is room for what they hold. *@more: others may come.
 */
static gboolean take_lines(SealArmor *armor, gboolean *more)
{
    while (armor->length + MAX_LINE <= RAW) {
        const char *line = (const char *)armor->raw + armor->raw_at;
        gsize left = armor->raw_length - armor->raw_at;
        const char *lf = left > 0 ? memchr(line, '\n', left) : NULL;
        gsize length = lf ? (gsize)(lf - line) + 1 : left;

        if (!lf && !armor->ended && left < RAW) {
            if (!read_raw(armor))
                return FALSE;
            continue;
        }
        if (length == 0) {
            *more = FALSE;
            return TRUE;
        }
        gboolean rest = armor->cut;
        armor->cut = armor->among && !lf && !armor->ended;
        armor->raw_at += length;
        if (!rest && !take_line(armor, line, length))
            return FALSE;
    }
    return TRUE;
}

static gboolean fill_from_armor(SealArmor *armor)
{
    gboolean more = TRUE;

    if (!take_lines(armor, &more))
        return armor->length > 0 && !armor->error;
    if (more || armor->length > 0)
        return TRUE;
    if (armor->state == SEAL_ARMOR_AFTER || (armor->among && armor->state == SEAL_ARMOR_BEFORE))
        return TRUE;
    return seal_armor_fail(armor, armor->state == SEAL_ARMOR_BEFORE
                                      ? "there is no line that begins the armour"
                                      : "the armour breaks off");
}

/* Makes octets available, or finds that there are no more: length stays zero. What comes before a
 * fault is given out first. */
static gboolean fill_octets(SealArmor *armor)
{
    armor->at = armor->length = 0;
    if (armor->fault)
        return FALSE;
    if (armor->label)
        return fill_from_armor(armor);
    return read_body(armor, armor->raw, RAW, &armor->length);
}

gboolean seal_armor_read(SealArmor *armor, guint8 *out, guint64 length)
{
    while (length > 0) {
        if (armor->at == armor->length && !fill_octets(armor))
            return FALSE;
        if (armor->length == 0)
            return seal_armor_fail(armor, "a packet breaks off");

        gsize piece = (gsize)MIN(length, armor->length - armor->at);
        if (out) {
            memcpy(out, armor->data + armor->at, piece);
            out += piece;
        } else if (armor->noise) {
            seal_noise_add(armor->noise, armor->data + armor->at, piece);
        }
        armor->at += piece;
        length -= piece;
    }
    return TRUE;
}

gboolean seal_armor_ended(SealArmor *armor, gboolean *ended)
{
    if (armor->at == armor->length && !fill_octets(armor))
        return FALSE;
    *ended = armor->length == 0;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static void append_line(GString *text, const guint8 *data, gsize length)
{
    char line[WRITTEN_LINE];

    g_string_append_len(text, line, (gssize)seal_base64_encode(data, length, line));
    g_string_append_c(text, '\n');
}

/* With the checksum: without it and without padding gpg 2.2 reads the last line as data. */
GBytes *seal_packets_armor(GBytes *packets)
{
    g_autoptr(GString) text = g_string_new("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n");
    gsize size;
    const guint8 *data = g_bytes_get_data(packets, &size);
    guint32 crc = crc_add(CRC_INIT, data, size);
    const guint8 sum[] = {(guint8)(crc >> 16), (guint8)(crc >> 8), (guint8)crc};

    for (gsize at = 0; at < size; at += WRITTEN_LINE / 4 * 3)
        append_line(text, data + at, MIN(size - at, WRITTEN_LINE / 4 * 3));
    g_string_append_c(text, '=');
    append_line(text, sum, sizeof sum);
    g_string_append(text, "-----END PGP PUBLIC KEY BLOCK-----\n");
    return g_string_free_to_bytes(g_steal_pointer(&text));
}
