/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * client.h: what an MTA starts. The client reads the message to its end, has a worker do the work,
 * one of the daemon or the runner, and sees to it that whatever becomes of that is an answer that
 * the MTA understands.
 */
#pragma once

#include "filters/client/log.h"

#include <stdbool.h>

/** What a program does. */
typedef enum {
    /** The message is on stdin, and the result goes to stdout; every fault is a 75. */
    SEAL_CLIENT_FILTER,
    /** stdin is not looked at, and stdout gets one line of reason; 69 is an answer, too. */
    SEAL_CLIENT_ANSWER,
    /** The message is on stdin; the worker makes a file, and finish() does the rest. */
    SEAL_CLIENT_HANDOVER,
} SealClientKind;

/** What tells one program made from the client from another. */
typedef struct {
    const char *name;  /**< the program's */
    const char *mode;  /**< of the request; by= in the log */
    const char *usage; /**< all that --help prints */
    SealClientKind kind;
    /** For HANDOVER: takes the worker's file, which it closes, or -1 where there is none; writes
     *  what there is to say to stdout, and returns the exit status: 0, 69 or 75. What becomes of
     *  each recipient of what is in the file is logged here. */
    int (*finish)(int file, const SealClientJob *job);
} SealClient;

/** Each program's own; the rest of it, with main(), is client.c. The exit status for a message is
 * 0, with the whole result on stdout, or 75; then stdin has been read to its end. For an answer it
 * is 0, 69 or 75. Nothing is written to stderr unless --debug stands among the options, or it is
 * a terminal (see person.h); faults go where the worker's log does, or else to syslog. */
extern const SealClient seal_client;
