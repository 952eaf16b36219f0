/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * base64.c: base64 (RFC 4648 4), fast enough not to be what a large message waits for. GLib's and
 * libsodium's decoders are not strict: they pass over what does not belong.
 */
#include "core/sealpipe.h"

#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum {
    VALUE_BLANK = -1,
    VALUE_PAD = -2,
    VALUE_OTHER = -3,
};

static struct {
    char pairs[4096][2]; /* one look-up gives two characters */
    gint8 values[256];
} tables;

/* When the library is loaded. */
__attribute__((constructor)) static void make_tables(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(tables.pairs); i++) {
        tables.pairs[i][0] = ALPHABET[i >> 6];
        tables.pairs[i][1] = ALPHABET[i & 63];
    }
    memset(tables.values, VALUE_OTHER, sizeof tables.values);
    for (gint8 i = 0; i < 64; i++)
        tables.values[(guchar)ALPHABET[i]] = i;
    for (const char *c = " \t\r\n"; *c; c++)
        tables.values[(guchar)*c] = VALUE_BLANK;
    tables.values['='] = VALUE_PAD;
}

static char *encode_three(guint32 bits, char *out)
{
    memcpy(out, tables.pairs[bits >> 12], 2);
    memcpy(out + 2, tables.pairs[bits & 4095], 2);
    return out + 4;
}

gsize seal_base64_encode(const guint8 *data, gsize length, char *out)
{
    char *to = out;
    gsize at = 0;

    for (; at + 3 <= length; at += 3)
        to = encode_three((guint32)data[at] << 16 | (guint32)data[at + 1] << 8 | data[at + 2], to);
    if (at < length) {
        gboolean two = length - at == 2;
        to = encode_three((guint32)data[at] << 16 | (two ? (guint32)data[at + 1] << 8 : 0), to);
        to[-1] = '=';
        if (!two)
            to[-2] = '=';
    }
    return (gsize)(to - out);
}

/* The unfinished quantum is complete: two or three characters, and padding. */
static gboolean end_quantum(SealBase64 *state, guint8 *out, gsize *put)
{
    guint32 bits = state->bits << (6 * state->pads);

    /* Bits that encode nothing must be zero. */
    if (bits & ((1u << (8 * state->pads)) - 1))
        return FALSE;
    out[(*put)++] = (guint8)(bits >> 16);
    if (state->have == 3)
        out[(*put)++] = (guint8)(bits >> 8);
    return TRUE;
}

/* One character, when there is no row of four to take at once. */
static gboolean decode_one(SealBase64 *state, int value, guint8 *out, gsize *put)
{
    if (value == VALUE_BLANK)
        return state->may_have_blanks;
    if (value == VALUE_PAD) {
        state->pads++;
        if (state->have < 2 || state->have + state->pads > 4)
            return FALSE;
        return state->have + state->pads < 4 || end_quantum(state, out, put);
    }
    if (value < 0 || state->pads > 0)
        return FALSE;

    state->bits = state->bits << 6 | (guint32)value;
    if (++state->have == 4) {
        out[(*put)++] = (guint8)(state->bits >> 16);
        out[(*put)++] = (guint8)(state->bits >> 8);
        out[(*put)++] = (guint8)state->bits;
        state->bits = 0;
        state->have = 0;
    }
    return TRUE;
}

/* Rows of four characters of the alphabet, until something else comes; returns how many
 * characters that were. Negative values leave their sign in the sum. */
static gsize decode_fast(const guint8 *in, gsize length, guint8 *out, gsize *put)
{
    const gint8 *value = tables.values;
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

gboolean seal_base64_decode(SealBase64 *state, const void *text, gsize length, guint8 *out,
                            gsize *ret_length)
{
    const guint8 *in = text;
    gboolean ok = TRUE;
    gsize put = 0, at = 0;

    while (ok && at < length) {
        if (state->have == 0 && state->pads == 0)
            at += decode_fast(in + at, length - at, out, &put);
        if (at < length)
            ok = decode_one(state, tables.values[in[at++]], out, &put);
    }
    *ret_length = put;
    return ok;
}

gboolean seal_base64_is_complete(const SealBase64 *state)
{
    return state->have == 0 || state->have + state->pads == 4;
}
