/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sevenbit.h: makes an entity fit for a signature in clear.
 */
#pragma once

#include "core/sealpipe.h"

/** Gives @entity a form that relays leave alone (RFC 1847 2.1, RFC 3156 5, RFC 8551 3.1): leaf
 * parts that have octets over 127, NUL, bare CR, lines over 998 octets, blanks at the end of a line
 * or lines that start with "From " get a transfer encoding, fields in raw UTF-8 are encoded (RFC
 * 2047, RFC 2231), line ends become LF, and nothing else that a reader shows changes. Attached
 * messages are gone through where they have what relays do not carry; parts that are signed or
 * encrypted stay as they are. Where a transfer encoding cannot help (in headers of parts, between
 * parts, in what is signed, in parts whose type or encoding readers may differ in), @why says so
 * for people; *@ready then still has octets over 127 or other things that some relays change, or is
 * NULL where it has what no relay carries, or would have other parts than @entity. Temporary files
 * go to @dir, beyond @memory octets. */
gboolean seal_sevenbit(SealContent *entity, const char *dir, gsize memory, SealContent **ready,
                       char **why, GError **error);
