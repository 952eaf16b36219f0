/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * noise.h: do octets look like ciphertext?
 */
#pragma once

#include <glib.h>

/** What has been seen of them; begin with zeros. */
typedef struct {
    guint16 counts[256]; /* of the window in hand */
    guint seen;
    gboolean is_text; /* something in it is no ciphertext */
} SealNoise;

void seal_noise_add(SealNoise *noise, const guint8 *data, gsize length);
/** After the last octet: FALSE where something in them is no ciphertext. */
gboolean seal_noise_end(SealNoise *noise);
/** All of it at once. */
gboolean seal_noise_check(const guint8 *data, gsize length);
