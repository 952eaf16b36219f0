/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * client.h: what an MTA starts. The client starts the runner, which does the work, and sees to it
 * that whatever becomes of the runner is an answer that the MTA understands.
 */
#pragma once

#include <stdbool.h>

/** What tells one program made from the client from another. */
typedef struct {
    const char *name;  /**< the program's, in its log lines */
    const char *mode;  /**< the first argument of the runner */
    const char *usage; /**< all that --help prints */
    /** TRUE: the message is on stdin, and the result goes to stdout; every fault is a 75.
     *  FALSE: stdin is not looked at, and stdout gets one line of reason; 69 is an answer, too. */
    bool message;
} SealClient;

/** The whole of a program: its exit status. For a message that is 0, with the whole result on
 *  stdout, or 75; then stdin has been read to its end. Without one it is 0, 69 or 75. Nothing is
 *  written to stderr unless --debug stands among the options; faults go to syslog. */
int seal_client_main(const SealClient *client, int argc, char **argv);
