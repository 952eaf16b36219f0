/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loose.h: the parts of a message as the laxest reader may find them, whatever its boundaries.
 */
#pragma once

#include "core/sealpipe.h"

/** What of a part's header a visitor gets, each value as it came, folds and all. */
typedef enum {
    SEAL_LOOSE_TYPE,        /* Content-Type */
    SEAL_LOOSE_DISPOSITION, /* Content-Disposition */
    SEAL_LOOSE_NAME,        /* another field, or a line of a body, that names a file */
    SEAL_LOOSE_ENCODING,    /* Content-Transfer-Encoding */
    SEAL_LOOSE_NONE,
} SealLooseKind;

typedef void (*SealLooseVisitor)(SealLooseKind kind, const char *value, gpointer user_data);

/** Visits each field that stands where some reader may see the header of a part: behind each line
 *  that begins with "--", and in front of what a part of type message/ holds; lines end with LF,
 * CRLF or CR. Base64 and quoted-printable around further parts are looked into. *@complete becomes
 * FALSE where a bound was passed, or what cannot be looked into may hold parts. Linear. */
gboolean seal_loose_visit(SealContent *content, SealLooseVisitor visit, gpointer user_data,
                          gboolean *complete, GError **error);
