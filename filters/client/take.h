/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * take.h: what the client hands to a worker, and what it gives the mail server, as files: nobody
 * waits for the other end of a pipe.
 */
#pragma once

#include "filters/client/answer.h"
#include "filters/client/conf.h"

/** Standard input, read to its end whatever happens: in memory up to spool_memory, then in a file
 *  without a name in spool_dir. -1: *@why says why there is none. */
int seal_take_message(const SealClientConf *conf, const char **why);
/** Reads standard input to its end, for nothing. */
void seal_take_nothing(void);
/** The words, each with its NUL, in a file. -1 likewise. */
int seal_take_words(int argc, char **argv, const char **why);
/** Writes all of the result to standard output. FALSE with errno set: ETIME where nobody takes it.
 */
bool seal_give_answer(const SealAnswer *answer);
