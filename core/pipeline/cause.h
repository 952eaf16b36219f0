/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cause.h: of all that stood in the way of a key, what tells the most to whoever has to act on it.
 */
#pragma once

#include "core/sealpipe.h"

/** Why there is no key in one format. */
typedef struct {
    guint rank; /* of seal_cause_rank() */
    char *text; /* for people */
} SealCause;

void seal_cause_clear(SealCause *cause);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealCause, seal_cause_clear)

/** How much a decision's code tells: more where a key is nearer to be one that will do. 0: that
 * there is none at all, which is also what NULL says. */
guint seal_cause_rank(const char *code);

/** The most telling of @decisions from the index @from on that passed a key or a source over, the
 *  first of several alike; rank 0 with @none where there is no such. The text names the key and
 *  the address. */
SealCause seal_cause_find(GPtrArray *decisions, guint from, const char *none);

/** Its rank alone. */
guint seal_cause_rank_of(GPtrArray *decisions, guint from);

/** TRUE where one of them passed a key or a source over with that code. */
gboolean seal_cause_has(GPtrArray *decisions, guint from, const char *code);

/** One sentence of the causes of several formats, the most telling first: two of them where both
 *  tell something, and fit. Of keys that are not there at all every format is named. (transfer
 *  full) */
char *seal_cause_tell(const SealCause *causes, guint count);
