/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.h: the daemon's counters, for core.
 */
#pragma once

#include "core/frontend.h"

/** What became of a message for a recipient. */
typedef struct {
    const char *id;     /**< of the message; or NULL */
    const char *to;     /**< or NULL */
    const char *result; /**< "sealed" and so on */
    const char *reason; /**< a word: what is not of a known few counts as "other" */
    const char *format; /**< one that was named, or it counts as "other"; "" for none */
    const char *text;   /**< all of why, or NULL */
} SealTallyEntry;

/** @name counts by itself from now on, where there is room. By one process at a time. */
void seal_tally_name_format(SealTally *self, const char *name);
/** Counts it, where this process counts and is at work; what was not sent stays among the last
 *  failures for a while. */
void seal_tally_count(const SealTallyEntry *entry);
/** The word for an error. */
const char *seal_tally_reason_of(const GError *error);
