/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * content.h: what the rest of core may know of content: access by offset.
 */
#pragma once

#include "core/frontend.h"

/** Reads @length octets at @offset into @buffer, or as many as there are. Returns how many, -1 on
 * error (a temporary file that can no longer be read). */
gssize seal_content_pread(SealContent *content, guint64 offset, void *buffer, gsize length,
                          GError **error);
