/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * processes.h: which processes there are, as /proc has it.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;
    pid_t parent;
    pid_t group;
    uid_t user;
    char name[16]; /* of the process, as ps -o comm has it */
    char state;    /* 'T' where it is stopped, 'Z' where it has ended */
    gint64 begun;  /* Unix time, microseconds, to a hundredth of a second */
} CheckProcess;

/** All of them. Empty where /proc does not tell. (transfer full, element type CheckProcess) */
GArray *check_processes(void);
/** The words that it was started with; NULL where it has gone. (transfer full) */
GStrv check_process_words(pid_t pid);
/** TRUE where a file that it was started from, or a library or module of Sealpipe's that it uses,
 *  is not what stands at that path any more. FALSE also where it may not be looked at. */
gboolean check_process_is_old(pid_t pid);
