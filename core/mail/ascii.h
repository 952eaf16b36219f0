/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ascii.h: header fields that are raw UTF-8, written in ASCII so that they say the same.
 */
#pragma once

#include "core/mail/header.h"

/** The field with its line end, folded by LF: texts and display names as encoded words (RFC 2047),
 *  parameters by RFC 2231. NULL where that cannot say the same: what is not UTF-8, or has octets
 *  over 127 where neither can stand. (transfer full) */
char *seal_field_to_ascii(const SealHeader *header, const SealField *field);
