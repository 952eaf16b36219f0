/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * setup.h: what every mode begins with, the options and the dispatcher, and what it ends with.
 */
#pragma once

#include "filters/runner/exim.h"

/** What the command line says. Strings belong to the struct. */
typedef struct {
    char *conf_dir;
    char *sender; /* NULL where there was no -f */
    char *id;
    char *headers;
    char *login;    /* NULL where there was no --login */
    char *exim_dir; /* of --exim-spool */
    char *sendmail;
    char **recipients; /* never NULL */
    gboolean inbound;
    gboolean submitted;
    gboolean says_submission; /* there was a --submission */
    gboolean debug;
} RunnerOptions;

/** Reads the arguments after the mode. SEAL_ERROR_FAILED says what is wrong with them. */
gboolean runner_options_parse(RunnerOptions *options, int argc, char **argv, GError **error);
void runner_options_clear(RunnerOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerOptions, runner_options_clear)

/** What a run works with. */
typedef struct {
    SealService *service;
    SealDispatcher *dispatcher; /* NULL where outbound mail passes as it comes */
} RunnerDesk;

/** The first that is done, but for what only root may read: root becomes the service's user.
 *  FALSE on error. */
gboolean runner_desk_open(const RunnerOptions *options, RunnerDesk *desk, GError **error);
void runner_desk_clear(RunnerDesk *desk);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerDesk, runner_desk_clear)

/** What is known of who submitted the message, for @spec, which borrows from both. @exim is NULL
 * where there is no spool file to ask. */
void runner_say_submission(const RunnerOptions *options, const RunnerExim *exim, SealJobSpec *spec);

/** A recipient's result as an exit code: something leaves for it, it is refused, or deferred. */
int runner_status_of(const SealRecipient *recipient);
