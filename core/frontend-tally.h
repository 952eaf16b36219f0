/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frontend-tally.h: what the daemon has done, counted in memory that its processes share; a part of
 * frontend.h, which includes it. A worker that was taken over can write there what it likes:
 * nothing is decided by it, and whoever reads it believes no length, number or octet of it.
 */
#pragma once

#include "core/frontend-keys.h"

G_BEGIN_DECLS

typedef struct SealTally SealTally;

/** A file in memory, all zero, of the size that it will always have: nobody can shrink it under
 *  those who have it mapped. -1 on error. */
SEAL_FRONT int seal_tally_create(GError **error);
/** Maps such a file; children get nothing of it before seal_tally_share(). NULL, with
 *  SEAL_ERROR_UNSUPPORTED, where it is none or another version's. (transfer full) */
SEAL_FRONT SealTally *seal_tally_map(int file, GError **error);
/** Children that are forked from now on have it, too. */
SEAL_FRONT void seal_tally_share(SealTally *tally);
SEAL_FRONT void seal_tally_unmap(SealTally *tally);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealTally, seal_tally_unmap)

/** From now on this process and its children count there; NULL: nowhere. (borrowed) */
SEAL_FRONT void seal_tally_use(SealTally *tally);
/** A call of a client begins, and ends: what the log says of recipients meanwhile is counted.
 * @mode: "transport", "pipe" or "check", which asks, and whose recipients are not counted. */
SEAL_FRONT void seal_tally_begin(const char *mode);
SEAL_FRONT void seal_tally_end(void);
/** How many workers there are to be, there are, and are at work. */
SEAL_FRONT void seal_tally_workers(guint wanted, guint alive, guint busy);
/** One has ended that should not have. */
SEAL_FRONT void seal_tally_miss_worker(void);

/** Says what is there, vetted and bounded: numbers, and the rows of "requests", "recipients",
 *  "formats", "times" and "failures". @whole: with whom failures were about, and all of why. */
SEAL_FRONT void seal_tally_show(const SealTally *tally, gboolean whole, SealOut *out);

G_END_DECLS
