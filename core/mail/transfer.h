/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * transfer.h: transfer encodings (RFC 2045 6) written so that no relay has a reason to change them.
 */
#pragma once

#include "core/sealpipe.h"

/** What a relay may change, or cannot carry; a set. */
typedef enum {
    SEAL_TROUBLE_EIGHT_BIT = 1 << 0, /* octets over 127 */
    SEAL_TROUBLE_NUL = 1 << 1,
    SEAL_TROUBLE_CR = 1 << 2,    /* CR without LF */
    SEAL_TROUBLE_LONG = 1 << 3,  /* a line over 998 octets */
    SEAL_TROUBLE_BLANK = 1 << 4, /* blanks at the end of a line */
    SEAL_TROUBLE_FROM = 1 << 5,  /* a line that starts with "From " */
    /* What no relay carries as it is. */
    SEAL_TROUBLE_HARD =
        SEAL_TROUBLE_EIGHT_BIT | SEAL_TROUBLE_NUL | SEAL_TROUBLE_CR | SEAL_TROUBLE_LONG,
} SealTrouble;

/** What is in @content that is read in LF form: @trouble, how many octets are over 127 or NUL, and
 *  whether there is any CR at all. */
typedef struct {
    guint trouble;
    guint64 odd;
    gboolean any_cr;
} SealScan;

gboolean seal_transfer_scan(SealContent *content, SealScan *scan, GError **error);

/** Writes @content, CRLF turned into LF. */
gboolean seal_transfer_to_lf(SealContent *content, GOutputStream *out, GError **error);
/** Writes @content, whose line ends are LF, in base64, each of them as CRLF: the canonical form. */
gboolean seal_transfer_base64(SealContent *content, GOutputStream *out, GError **error);
/** Writes @content, which is base64, in lines of its own: what is not of the alphabet is left out.
 */
gboolean seal_transfer_rewrap(SealContent *content, GOutputStream *out, GError **error);
/** Writes @content, which no reader of MIME shows and no transfer encoding covers: octets that no
 *  relay carries as quoted-printable has them, lines that are too long folded. No line of it is a
 *  delimiter. */
gboolean seal_transfer_hide(SealContent *content, GOutputStream *out, GError **error);
/** Writes @content in quoted-printable, its lines kept. @quoted: it is in quoted-printable already,
 *  and only what is not right is put right. */
gboolean seal_transfer_quote(SealContent *content, gboolean quoted, GOutputStream *out,
                             GError **error);
