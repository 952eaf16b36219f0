/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.h: one run of the runner, from fork to its end or to its time limit.
 *
 * The child leads a process group, gets a clean environment, and on descriptor 3 its end of the
 * exchange (see exchange.h), with the request in it. The timer starts armed, so that a child that
 * hangs before its first record is ended, too.
 */
#pragma once

#include "filters/client/answer.h"

#include <signal.h>

#ifndef SEAL_CHILD_FIRST_LIMIT_MS /* a test takes less */
#define SEAL_CHILD_FIRST_LIMIT_MS 60000
#endif

/** Runs @path, with the mode and @conf_dir (NULL: the built-in one) for who looks at processes, for
 * @request and waits for it; afterwards nobody of its process group is left.
 *  @answer's status counts only without a fault: it is the child's as well as the one that it
 * named.
 *  @debug: its standard error is ours, else /dev/null. A signal that would end the caller ends the
 *  group; the caller raises it again: returns it, or 0. */
int seal_child_run(const char *path, const char *conf_dir, bool debug, const SealRequest *request,
                   SealAnswer *answer);

/** The signals that end the caller, but for those that are ignored. */
void seal_child_fatal_signals(sigset_t *ret);

/** For what stands between a fork and its exec: every signal as it is by default, none blocked. */
void seal_child_reset_signals(void);
/** Likewise: closes every descriptor above @last. */
void seal_child_close_above(int last);
