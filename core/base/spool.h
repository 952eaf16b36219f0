/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * spool.h: content being written, and where it is kept meanwhile.
 */
#pragma once

#include "core/sealpipe.h"

/** A spool that keeps @memory octets on the heap, then goes to an unlinked file in @dir.
 *  (transfer full) */
GOutputStream *seal_spool_open(const char *dir, gsize memory);

/** A file in @dir without a name, open for reading and writing; -1 on error. */
int seal_spool_file(const char *dir, GError **error);

/** Copies a whole stream into a spool. */
gboolean seal_spool_copy(GOutputStream *spool, GInputStream *from, GCancellable *cancellable,
                         GError **error);
