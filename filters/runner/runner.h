/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * runner.h: the runner's ties to its client: exit codes, the watch, and standard output. The
 * runner does the work of one call of a client, in a process of its own.
 */
#pragma once

#include "core/frontend.h"

/** Exit codes (sysexits.h): the only ones that a client passes on. */
enum {
    RUNNER_OK = 0,
    RUNNER_REFUSED = 69, /* EX_UNAVAILABLE */
    RUNNER_DEFER = 75,   /* EX_TEMPFAIL */
};

/** Tells the client, over the watch, to end this process group unless it hears again within
 *  @usec microseconds. Nothing happens where no client is listening. */
void runner_watch_arm(gint64 usec);
/** Tells the client where the log goes, for what it has to say itself. Before the first that arms.
 */
void runner_watch_log(void);
/** Arms for one wait on the other end of a pipe; cheap enough to be called before each. */
void runner_watch_idle(void);
/** Finds out whether a client is listening. Call first. */
void runner_watch_open(void);
/** Tells the client that this is what main() returns: without it an exit status is no answer, since
 *  every library can call exit(). The last that is done. What main() then returns: where the client
 *  cannot be told, RUNNER_DEFER. */
int runner_watch_end(int status);

/** Takes standard output away from everybody else: what a library or a child of a module writes
 *  there would stand in the mail. Call before anything is loaded. FALSE: there is none. */
gboolean runner_output_open(void);
/** The descriptor to write the answer to. */
int runner_output(void);
