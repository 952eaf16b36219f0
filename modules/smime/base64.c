/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * base64.c: base64 (RFC 2045 6.8), fast enough not to be what a large message waits for.
 */
#include "smime.h"

#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
    VALUE_BLANK = -1,
    VALUE_PAD = -2,
    VALUE_OTHER = -3,
};

/* One look-up gives two characters. */
void smime_encoder_init(SmimeEncoder *encoder)
{
    for (guint i = 0; i < G_N_ELEMENTS(encoder->pairs); i++) {
        encoder->pairs[i][0] = ALPHABET[i >> 6];
        encoder->pairs[i][1] = ALPHABET[i & 63];
    }
}

static char *encode_three(const SmimeEncoder *encoder, guint32 bits, char *out)
{
    memcpy(out, encoder->pairs[bits >> 12], 2);
    memcpy(out + 2, encoder->pairs[bits & 4095], 2);
    return out + 4;
}

gsize smime_encode_line(const SmimeEncoder *encoder, const guint8 *in, gsize length, char *out)
{
    char *to = out;
    gsize at = 0;

    for (; at + 3 <= length; at += 3)
        to = encode_three(encoder, (guint32)in[at] << 16 | (guint32)in[at + 1] << 8 | in[at + 2],
                          to);
    if (at < length) {
        gboolean two = length - at == 2;
        to =
            encode_three(encoder, (guint32)in[at] << 16 | (two ? (guint32)in[at + 1] << 8 : 0), to);
        to[-1] = '=';
        if (!two)
            to[-2] = '=';
    }
    *to++ = '\n';
    return (gsize)(to - out);
}

void smime_decoder_init(SmimeDecoder *decoder)
{
    memset(decoder, 0, sizeof *decoder);
    memset(decoder->value, VALUE_OTHER, sizeof decoder->value);
    for (gint8 i = 0; i < 64; i++)
        decoder->value[(guchar)ALPHABET[i]] = i;
    for (const char *c = " \t\r\n"; *c; c++)
        decoder->value[(guchar)*c] = VALUE_BLANK;
    decoder->value['='] = VALUE_PAD;
}

/* The unfinished quantum is complete: two or three characters, and padding. */
static gboolean end_quantum(SmimeDecoder *decoder, guint8 *out, gsize *put)
{
    gsize octets = decoder->have - 1;
    guint32 bits = decoder->bits << (6 * decoder->pads);

    /* Bits that encode nothing must be zero. */
    if (bits & ((1u << (8 * decoder->pads)) - 1))
        return FALSE;
    out[(*put)++] = (guint8)(bits >> 16);
    if (octets == 2)
        out[(*put)++] = (guint8)(bits >> 8);
    return TRUE;
}

/* One character, when there is no row of four to take at once. */
static gboolean decode_one(SmimeDecoder *decoder, int value, guint8 *out, gsize *put)
{
    if (value == VALUE_BLANK)
        return TRUE;
    if (value == VALUE_PAD) {
        decoder->pads++;
        if (decoder->have < 2 || decoder->have + decoder->pads > 4)
            return FALSE;
        return decoder->have + decoder->pads < 4 || end_quantum(decoder, out, put);
    }
    if (value < 0 || decoder->pads > 0)
        return FALSE;

    decoder->bits = decoder->bits << 6 | (guint32)value;
    if (++decoder->have == 4) {
        out[(*put)++] = (guint8)(decoder->bits >> 16);
        out[(*put)++] = (guint8)(decoder->bits >> 8);
        out[(*put)++] = (guint8)decoder->bits;
        decoder->bits = 0;
        decoder->have = 0;
    }
    return TRUE;
}

/* Rows of four characters of the alphabet, until something else comes; returns how many
 * characters that were. Negative values leave their sign in the sum. */
static gsize decode_fast(const SmimeDecoder *decoder, const guint8 *in, gsize length, guint8 *out,
                         gsize *put)
{
    const gint8 *value = decoder->value;
    gsize at = 0;
    guint8 *to = out + *put;

    for (; at + 4 <= length; at += 4) {
        int a = value[in[at]], b = value[in[at + 1]], c = value[in[at + 2]], d = value[in[at + 3]];

        if ((a | b | c | d) < 0)
            break;
        guint32 bits = (guint32)a << 18 | (guint32)b << 12 | (guint32)c << 6 | (guint32)d;
        *to++ = (guint8)(bits >> 16);
        *to++ = (guint8)(bits >> 8);
        *to++ = (guint8)bits;
    }
    *put = (gsize)(to - out);
    return at;
}

gboolean smime_decode(SmimeDecoder *decoder, const guint8 *in, gsize length, guint8 *out,
                      gsize *out_length)
{
    gsize put = 0;
    gsize at = 0;

    gboolean ok = TRUE;

    while (ok && at < length) {
        if (decoder->have == 0 && decoder->pads == 0)
            at += decode_fast(decoder, in + at, length - at, out, &put);
        if (at < length)
            ok = decode_one(decoder, decoder->value[in[at++]], out, &put);
    }
    *out_length = put;
    return ok;
}

gboolean smime_decoder_done(const SmimeDecoder *decoder)
{
    return decoder->have == 0 || decoder->have + decoder->pads == 4;
}
