/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * runner.h: what the runner's parts share. The runner does the work of one call of a client, in a
 * process of its own.
 */
#pragma once

#include "core/frontend.h"

/** Exit codes (sysexits.h): the only ones that a client passes on. */
enum {
    RUNNER_OK = 0,
    RUNNER_REFUSED = 69, /* EX_UNAVAILABLE */
    RUNNER_DEFER = 75,   /* EX_TEMPFAIL */
};

/** What the command line says. Strings belong to the struct. */
typedef struct {
    char *conf_dir;
    char *direction;
    char *sender; /* NULL where there was no -f */
    char *id;
    char *submission;
    char *headers;
    char *sendmail;
    char **recipients; /* never NULL */
    gboolean debug;
} RunnerOptions;

/** Reads the arguments after the mode. SEAL_ERROR_FAILED says what is wrong with them. */
gboolean runner_options_parse(RunnerOptions *options, int argc, char **argv, GError **error);
void runner_options_clear(RunnerOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerOptions, runner_options_clear)

/** Tells the client, over the watch pipe, to end this process group unless it hears again within
 *  @usec microseconds. Nothing happens where no client is listening. */
void runner_watch_arm(gint64 usec);
void runner_watch_disarm(void);
/** Arms for one wait on the other end of a pipe; cheap enough to be called before each. */
void runner_watch_idle(void);
/** Finds out whether a client is listening. Call first. */
void runner_watch_open(void);

/** Takes standard output away from everybody else: what a library or a child of a module writes
 *  there would stand in the mail. Call before anything is loaded. FALSE: there is none. */
gboolean runner_output_open(void);
/** The descriptor to write the answer to. */
int runner_output(void);

/** Each mode: takes the options, returns the exit code; has logged what there was to log. */
int runner_transport(const RunnerOptions *options);
int runner_check(const RunnerOptions *options);
int runner_pipe(const RunnerOptions *options);

/** Standard input, to its end. (transfer full) */
SealContent *runner_read_message(SealDispatcher *dispatcher, GError **error);
/** FALSE, and an error: there is not one octet. */
gboolean runner_is_message(const SealContent *content, GError **error);

/** The dispatcher for these options, its failure logged. NULL on error. (transfer full) */
SealDispatcher *runner_open_dispatcher(const RunnerOptions *options);
