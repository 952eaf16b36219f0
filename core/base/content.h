/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * content.h: what the rest of core may know of content: access by offset, and where spools go.
 */
#pragma once

#include "core/sealpipe.h"

/** Reads @length octets at @offset into @buffer, or as many as there are. Returns how many, -1 on
 * error (a temporary file that can no longer be read). */
gssize seal_content_pread(SealContent *content, guint64 offset, void *buffer, gsize length,
                          GError **error);

/** Content over @length octets of @fd, which it takes over. (transfer full) */
SealContent *seal_content_new_file(int fd, guint64 length);

/** A spool that keeps @memory octets on the heap, then goes to an unlinked file in @dir.
 *  (transfer full) */
GOutputStream *seal_spool_open(const char *dir, gsize memory);

/** A file in @dir without a name, open for reading and writing; -1 on error. */
int seal_spool_file(const char *dir, GError **error);

/** Copies a whole stream into a spool. */
gboolean seal_spool_copy(GOutputStream *spool, GInputStream *from, GCancellable *cancellable,
                         GError **error);
