/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sendmail.h: one run of the mail server's sendmail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SEAL_SENDMAIL_SAYS_MAX 1024
#ifndef SEAL_SENDMAIL_LIMIT_MS /* a test takes less */
#define SEAL_SENDMAIL_LIMIT_MS 180000
#endif

typedef struct {
    bool done;                         /**< it has taken the message */
    bool left;                         /**< it may still be running, and reading its input */
    bool too_big;                      /**< it will not take a message of this size, ever */
    char why[192];                     /**< where it has not */
    char says[SEAL_SENDMAIL_SAYS_MAX]; /**< the first that it wrote, printable */
} SealSendmailEnd;

/** Runs @argv with a clean environment, in a process group of its own, with @input as its standard
 *  input, from where that stands to its end. What it writes is kept for the log. */
void seal_sendmail_run(char *const *argv, int input, SealSendmailEnd *end);
