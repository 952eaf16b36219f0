/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * noise.c: do octets look like ciphertext? Without the key nobody can tell whether they are; but
 * text, or what a text was encoded into, shows in how often each octet stands there. Each window of
 * a kibibyte is looked at by itself, so that a passage does not hide in much noise. That random
 * octets fail is less likely than one in 10^12 for each window; with fewer than 64 of them, than
 * one in a million.
 *
 * It finds text by mistake and by carelessness. Who wants to hide something in random octets can.
 */
#include "core/sealed/noise.h"

#include <string.h>

enum {
    WINDOW = 1024,
    FEW = 16, /* less than that says nothing */
    /* Of Pearson's test over 255 degrees of freedom: 255 is to be expected, and one deviation is
     * 23. A text has about 15 for each octet. */
    MAX_CHI_SQUARE = 600,
};

/* Printable octets, 98 of 256 in random ones: all, or seven deviations too many. */
static gboolean is_printable(const SealNoise *noise)
{
    gint64 n = noise->seen,
           printable = noise->counts['\t'] + noise->counts['\r'] + noise->counts['\n'];

    for (guint i = 0x20; i < 0x7f; i++)
        printable += noise->counts[i];
    gint64 more = 256 * printable - 98 * n; /* times 256 */
    return printable == n || (more > 0 && more * more > (gint64)12 * n * 65536);
}

static gboolean is_uneven(const SealNoise *noise)
{
    gint64 n = noise->seen, squares = 0;

    for (guint i = 0; i < G_N_ELEMENTS(noise->counts); i++)
        squares += (gint64)noise->counts[i] * noise->counts[i];
    return 256 * squares - n * n > MAX_CHI_SQUARE * n;
}

static void judge_window(SealNoise *noise)
{
    if (noise->seen >= FEW && (is_printable(noise) || is_uneven(noise)))
        noise->is_text = TRUE;
    noise->seen = 0;
    memset(noise->counts, 0, sizeof noise->counts);
}

void seal_noise_add(SealNoise *noise, const guint8 *data, gsize length)
{
    while (length > 0) {
        gsize some = MIN(length, (gsize)(WINDOW - noise->seen));

        for (gsize i = 0; i < some; i++)
            noise->counts[data[i]]++;
        noise->seen += some;
        data += some;
        length -= some;
        if (noise->seen == WINDOW)
            judge_window(noise);
    }
}

gboolean seal_noise_end(SealNoise *noise)
{
    judge_window(noise);
    return !noise->is_text;
}

gboolean seal_noise_check(const guint8 *data, gsize length)
{
    SealNoise noise = {0};

    seal_noise_add(&noise, data, length);
    return seal_noise_end(&noise);
}
