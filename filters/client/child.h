/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.h: one run of the runner, from fork to its end or to its time limit.
 *
 * The child leads a process group, gets a clean environment, and on descriptor 3 the watch, a Unix
 * socket. It writes lines to it: "L <level> <target>", before all others, says where the
 * log goes: from which level up (0 errors, 3 all), and to "syslog", "journal", or a "file" that
 * comes along (SCM_RIGHTS), open for appending. "A <milliseconds>" arms the timer (kill me if by
 * then I have not armed it again). The timer starts armed, so that a child that hangs before its
 * first line is ended, too. "E <status>" is the last: the work is done, and this is the status that
 * I am going to end with. Without it an exit status says nothing, since whatever the child has
 * loaded can call exit(). Anything else on it is a fault.
 */
#pragma once

#include <signal.h>
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
    bool makes_file;   /**< instead: stdin is the caller's, and stdout a Unix socket over which the
                            child sends one octet with one descriptor (SCM_RIGHTS) */
} SealChildSpec;

typedef enum {
    SEAL_CHILD_ERROR,
    SEAL_CHILD_WARNING,
    SEAL_CHILD_INFO,
    SEAL_CHILD_DEBUG,
} SealChildLevel;

/** Where the child's log goes. */
typedef struct {
    enum {
        SEAL_CHILD_LOG_UNKNOWN, /**< the child has not said so */
        SEAL_CHILD_LOG_SYSLOG,
        SEAL_CHILD_LOG_JOURNAL,
        SEAL_CHILD_LOG_FILE,
    } target;
    SealChildLevel level; /**< what is less grave is not written */
    int file;             /**< -1 where it is no file */
} SealChildLog;

/** How it ended. */
typedef struct {
    int status;       /**< its exit status, or -1: it did not end by its own will, or never began */
    char reason[192]; /**< why the status is -1 */
    char output[SEAL_CHILD_OUTPUT_MAX]; /**< what was captured, without a final NUL */
    size_t output_size;
    int file; /**< the descriptor that came, the caller's to close; -1 without a status of 0 */
    SealChildLog log; /**< its file is the caller's to close */
    int fatal;        /**< the signal that is to end the caller as well, or 0 */
} SealChildEnd;

/** Runs the child and waits for it; afterwards nobody of its process group is left. A signal that
 *  would end the caller ends the group; the caller raises it again. */
void seal_child_run(const SealChildSpec *spec, SealChildEnd *end);

/** The signals that end the caller, but for those that are ignored. */
void seal_child_fatal_signals(sigset_t *ret);

/** For what stands between a fork and its exec: every signal as it is by default, none blocked. */
void seal_child_reset_signals(void);
/** Likewise: closes every descriptor above @last. */
void seal_child_close_above(int last);
