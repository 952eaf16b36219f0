/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * log.h: the client's lines of the log, where the runner's go and in the same form. The client says
 * what the runner no longer can.
 */
#pragma once

#include "filters/client/answer.h"

/** What a run is about, as its command line says; strings are borrowed from it. */
typedef struct {
    const char *id;   /**< "" where none was given */
    const char *from; /**< likewise; "<>" is the null sender */
    char **recipients;
    size_t n_recipients;
} SealClientJob;

/** One line, of one recipient. */
typedef struct {
    const char *id;
    const char *from;
    const char *to; /**< "" for none */
    const char *result;
    const char *reason;
} SealClientLine;

/** Until the runner has said where the log goes, it goes to syslog. @by: the program's name in each
 *  line. @debug: to standard error as well. */
void seal_client_log_open(const char *by, bool debug);
/** Sends the log where the runner's went. @log is the caller's to close. */
void seal_client_log_use(const SealClientLog *log);

/** Writes one line; whoever does not take it at once does not get it, but for syslog. */
void seal_client_log(SealClientLevel level, const SealClientLine *line);
/** Likewise for each recipient of @job: it is deferred, and why. */
void seal_client_log_deferred(const SealClientJob *job, const char *reason);
