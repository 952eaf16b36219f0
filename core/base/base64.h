/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * base64.h: the alphabet, for readers that are laxer than seal_base64_decode().
 */
#pragma once

#include <glib.h>

enum {
    SEAL_BASE64_BLANK = -1,
    SEAL_BASE64_PAD = -2,
    SEAL_BASE64_OTHER = 0,
};

/** What each octet is; a letter of the alphabet is its value and 1. */
extern const gint8 seal_base64_kinds[256];

/** 0 to 63, or -1 for what is no letter. */
static inline int seal_base64_value(char c)
{
    int kind = seal_base64_kinds[(guchar)c];

    return kind > 0 ? kind - 1 : -1;
}
