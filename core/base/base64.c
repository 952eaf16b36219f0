/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * base64.c: base64 (RFC 4648 4), fast enough not to be what a large message waits for. GLib's and
 * libsodium's decoders are not strict: they pass over what does not belong.
 */
#include "core/base/base64.h"

#include "core/sealpipe.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * Tables. They are constant: nobody waits for them to be made, and all processes share them.
 */

/* clang-format off */

/* M(first, its value, letter, its value), for each letter of the alphabet. */
#define WITH_EACH(M, a, i) \
    M(a, i, 'A', 0) M(a, i, 'B', 1) M(a, i, 'C', 2) M(a, i, 'D', 3) \
    M(a, i, 'E', 4) M(a, i, 'F', 5) M(a, i, 'G', 6) M(a, i, 'H', 7) \
    M(a, i, 'I', 8) M(a, i, 'J', 9) M(a, i, 'K', 10) M(a, i, 'L', 11) \
    M(a, i, 'M', 12) M(a, i, 'N', 13) M(a, i, 'O', 14) M(a, i, 'P', 15) \
    M(a, i, 'Q', 16) M(a, i, 'R', 17) M(a, i, 'S', 18) M(a, i, 'T', 19) \
    M(a, i, 'U', 20) M(a, i, 'V', 21) M(a, i, 'W', 22) M(a, i, 'X', 23) \
    M(a, i, 'Y', 24) M(a, i, 'Z', 25) M(a, i, 'a', 26) M(a, i, 'b', 27) \
    M(a, i, 'c', 28) M(a, i, 'd', 29) M(a, i, 'e', 30) M(a, i, 'f', 31) \
    M(a, i, 'g', 32) M(a, i, 'h', 33) M(a, i, 'i', 34) M(a, i, 'j', 35) \
    M(a, i, 'k', 36) M(a, i, 'l', 37) M(a, i, 'm', 38) M(a, i, 'n', 39) \
    M(a, i, 'o', 40) M(a, i, 'p', 41) M(a, i, 'q', 42) M(a, i, 'r', 43) \
    M(a, i, 's', 44) M(a, i, 't', 45) M(a, i, 'u', 46) M(a, i, 'v', 47) \
    M(a, i, 'w', 48) M(a, i, 'x', 49) M(a, i, 'y', 50) M(a, i, 'z', 51) \
    M(a, i, '0', 52) M(a, i, '1', 53) M(a, i, '2', 54) M(a, i, '3', 55) \
    M(a, i, '4', 56) M(a, i, '5', 57) M(a, i, '6', 58) M(a, i, '7', 59) \
    M(a, i, '8', 60) M(a, i, '9', 61) M(a, i, '+', 62) M(a, i, '/', 63)

/* M(letter, its value) likewise. */
#define FOR_EACH(M) \
    M('A', 0) M('B', 1) M('C', 2) M('D', 3) M('E', 4) M('F', 5) M('G', 6) M('H', 7) \
    M('I', 8) M('J', 9) M('K', 10) M('L', 11) M('M', 12) M('N', 13) M('O', 14) M('P', 15) \
    M('Q', 16) M('R', 17) M('S', 18) M('T', 19) M('U', 20) M('V', 21) M('W', 22) M('X', 23) \
    M('Y', 24) M('Z', 25) M('a', 26) M('b', 27) M('c', 28) M('d', 29) M('e', 30) M('f', 31) \
    M('g', 32) M('h', 33) M('i', 34) M('j', 35) M('k', 36) M('l', 37) M('m', 38) M('n', 39) \
    M('o', 40) M('p', 41) M('q', 42) M('r', 43) M('s', 44) M('t', 45) M('u', 46) M('v', 47) \
    M('w', 48) M('x', 49) M('y', 50) M('z', 51) M('0', 52) M('1', 53) M('2', 54) M('3', 55) \
    M('4', 56) M('5', 57) M('6', 58) M('7', 59) M('8', 60) M('9', 61) M('+', 62) M('/', 63)

/* clang-format on */

#define KIND(letter, value) [letter] = (value) + 1,

const gint8 seal_base64_kinds[256] = {
    [' '] = SEAL_BASE64_BLANK,  ['\t'] = SEAL_BASE64_BLANK, ['\r'] = SEAL_BASE64_BLANK,
    ['\n'] = SEAL_BASE64_BLANK, ['='] = SEAL_BASE64_PAD,    FOR_EACH(KIND)};

/* Two letters for 12 bits. */
#define LETTERS(a, i, b, j) {a, b},
#define LETTERS_ROW(a, i)   WITH_EACH(LETTERS, a, i)

static const char letters[4096][2] = {FOR_EACH(LETTERS_ROW)};

/* 12 bits for two letters, which are read as one number of the machine's. What is no letter has no
 * IS_PAIR. */
#define IS_PAIR          0x1000
#define BOTH(a, b)       (G_BYTE_ORDER == G_LITTLE_ENDIAN ? (a) | (b) << 8 : (a) << 8 | (b))
#define PAIR(a, i, b, j) [BOTH(a, b)] = IS_PAIR | (i) << 6 | (j),
#define PAIR_ROW(a, i)   WITH_EACH(PAIR, a, i)

static const guint16 pairs[65536] = {FOR_EACH(PAIR_ROW)};

/* ------------------------------------------------------------------------------------------- */

static char *encode_three(guint32 bits, char *out)
{
    memcpy(out, letters[bits >> 12], 2);
    memcpy(out + 2, letters[bits & 4095], 2);
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
static gboolean decode_one(SealBase64 *state, int kind, guint8 *out, gsize *put)
{
    if (kind == SEAL_BASE64_BLANK)
        return state->may_have_blanks;
    if (kind == SEAL_BASE64_PAD) {
        state->pads++;
        if (state->have < 2 || state->have + state->pads > 4)
            return FALSE;
        return state->have + state->pads < 4 || end_quantum(state, out, put);
    }
    if (kind == SEAL_BASE64_OTHER || state->pads > 0)
        return FALSE;

    state->bits = state->bits << 6 | (guint32)(kind - 1);
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
 * characters that were. */
static gsize decode_fast(const guint8 *in, gsize length, guint8 *out, gsize *put)
{
    gsize at = 0;
    guint8 *to = out + *put;

    for (; at + 4 <= length; at += 4) {
        guint16 index[2];

        memcpy(index, in + at, sizeof index);
        guint32 high = pairs[index[0]], low = pairs[index[1]];
        if (!(high & low & IS_PAIR))
            break;
        guint32 bits = (high << 12) + low - IS_PAIR;
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
            ok = decode_one(state, seal_base64_kinds[in[at++]], out, &put);
    }
    *ret_length = put;
    return ok;
}

gboolean seal_base64_is_complete(const SealBase64 *state)
{
    return state->have == 0 || state->have + state->pads == 4;
}
