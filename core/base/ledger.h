/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ledger.h: what became of mail, kept in state_dir/ledger for `sealctl report`: a file for each day
 * (UTC), YYYY-MM-DD, of lines of words, each `-` where there is nothing to say:
 *
 *     1 HH:MM BY COUNT DOMAIN RESULT FORMAT RULE CODE SENDER .
 *
 * COUNT recipients of one message in DOMAIN; BY is the program; RULE `-` is [policy]; CODE says
 * why, in a word; SENDER is the sender's domain. There is no mailbox in it, no id and no word of a
 * message. What is not plain in a word is %XX. The lines of one message are one write to the end of
 * the file, an empty line first: what a full disk cuts short has no ` .`, and spoils no other.
 *
 * The size of the file `missing` is how many lines could not be written, and its time when the last
 * was: it grows by a hole, which takes no room on a full disk.
 *
 * A day's file goes when it is older than [core] ledger_days and a few that are not are there: a
 * clock that jumps ahead makes none of them old at once. One that jumps back adds to files that are
 * there.
 */
#pragma once

#include "core/frontend.h"

#define SEAL_LEDGER_FOLDER  "ledger"
#define SEAL_LEDGER_MISSING "missing"
#define SEAL_LEDGER_YOUNGER 7              /* files, before one is removed */
#define SEAL_LEDGER_DAY     (24 * 60 * 60) /* seconds */
#define SEAL_LEDGER_NAME    40             /* octets for a file's name, of whatever year */
#define SEAL_LEDGER_LINE    2048           /* no line is as long */

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/** Sets where this process writes it: in @state_dir, which is not made, for @days; 0: nowhere. */
void seal_ledger_configure(const char *state_dir, gint64 days);

/** Writes down @entries (element type SealLedgerEntry), which are of one message and of now, and
 *  takes them out. A fault is logged, once until it is mended, and counted: mail does not wait for
 *  it. */
void seal_ledger_write(GArray *entries);

/** The same in @state_dir, at @now (seconds since 1970). TRUE, too, where there is no such folder:
 *  nothing is kept then. SEAL_ERROR_UNAVAILABLE. */
gboolean seal_ledger_append(const char *state_dir, gint64 days, gint64 now, const GArray *entries,
                            GError **error);

/* -------------------------------------------------------------------------------------------
 * ledger-line.c
 */

/** Appends the line of @entry at @now to @text. */
void seal_ledger_put(GString *text, gint64 now, const SealLedgerEntry *entry);

/** Reads a line without its end, which it writes over: the texts of @entry point into it. FALSE
 *  where it is none, which @length octets with a NUL among them are not. */
gboolean seal_ledger_parse(char *line, gsize length, SealLedgerEntry *entry);

/** The name of the file of @day, in days since 1970. */
void seal_ledger_name_day(char name[SEAL_LEDGER_NAME], gint64 day);
/** The days that have a file in the folder @folder, in order; as many as are bearable. (transfer
 *  full, element type gint64) */
GArray *seal_ledger_days(int folder);
