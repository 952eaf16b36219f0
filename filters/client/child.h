/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.h: one run of the runner, from fork to its end or to its time limit.
 *
 * The child leads a process group, gets a clean environment, and on descriptor 3 the watch pipe.
 * It writes lines to it: "A <milliseconds>" arms the timer (kill me if by then I have neither armed
 * it again nor disarmed it), "D" disarms it. The timer starts armed, so that a child that hangs
 * before its first line is ended, too. Anything else on the pipe is a fault.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SEAL_CHILD_OUTPUT_MAX 4096
#ifndef SEAL_CHILD_FIRST_LIMIT_MS /* a test takes less */
#define SEAL_CHILD_FIRST_LIMIT_MS 60000
#endif

/** What to run, and how. */
typedef struct {
    const char *path;
    char *const *argv; /**< NULL-terminated */
    bool debug;        /**< stderr is the caller's; else /dev/null */
    bool passes;       /**< stdin and stdout are the caller's; else /dev/null, and captured */
} SealChildSpec;

/** How it ended. */
typedef struct {
    int status;       /**< its exit status, or -1: it did not end by itself, or never began */
    char reason[192]; /**< why the status is -1 */
    char output[SEAL_CHILD_OUTPUT_MAX]; /**< what was captured, without a final NUL */
    size_t output_size;
} SealChildEnd;

/** Runs the child and waits for it; afterwards nobody of its process group is left. A signal that
 *  ends the caller ends the group first. */
void seal_child_run(const SealChildSpec *spec, SealChildEnd *end);
