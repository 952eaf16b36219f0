/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * journal.h: what was handed over already, so that a retry of the mail server does not hand it over
 * again.
 *
 * In state_dir/journal there is a file for each day, named by its number since 1970, of records of
 * one size: KEY BLANK STATE LF. The state is '-' where a hand-over was begun, and is written over
 * with '+' when it has ended well; that takes no room on the disk, so that nothing which can fail
 * stands behind a hand-over. Files are only ever appended to, under flock.
 *
 * A file goes when it is more than 5 days old by the clock and 7 younger ones are there: a clock
 * that jumps ahead makes none of them old. One in which a message of now is found stays.
 *
 * Who hands over holds a lock of each of his keys, from before the first look into the journal to
 * the end: two runs with one key would find nothing and both hand over.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SEAL_JOURNAL_KEY   64 /* hexadecimal digits */
#define SEAL_JOURNAL_DAYS  5
#define SEAL_JOURNAL_FILES 7
#ifndef SEAL_JOURNAL_WAIT_S /* a test takes less */
#define SEAL_JOURNAL_WAIT_S 20
#endif

typedef struct {
    int folder;
    int file; /* today's */
    int lock; /* held by seal_journal_lock() */
    char why[320];
} SealJournal;

/** Opens the journal in @state_dir, and makes it where there is none. FALSE: @journal's why says
 * why not; it is to be closed all the same. */
bool seal_journal_open(SealJournal *journal, const char *state_dir);
void seal_journal_close(SealJournal *journal);

/** Keeps every other run with one of @keys out until the journal is closed or the process has
 * ended, however. FALSE: another is at it, and does not end soon. All @keys are of the message @id.
 */
bool seal_journal_lock(SealJournal *journal, const char *id, const char *const *keys, size_t count);

/** Finds out which of @keys were handed over: found[i] is set for keys[i]. Drops what is too old.
 */
bool seal_journal_find(SealJournal *journal, const char *const *keys, size_t count, bool *found);

/** Writes down that these are going to be handed over; on the disk when it returns. *@ret_at is the
 *  place of the first, for seal_journal_mark(); the others follow it. */
bool seal_journal_begin(SealJournal *journal, const char *const *keys, size_t count, off_t *ret_at);

/** Writes down that @count of them, from the one with number @first, were handed over. */
bool seal_journal_mark(SealJournal *journal, off_t at, size_t first, size_t count);
