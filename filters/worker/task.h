/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * task.h: what a client asks for.
 */
#pragma once

#include "filters/client/exchange.h"
#include "filters/worker/exim.h"

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
} WorkerOptions;

/** Reads the arguments, without the program's name. SEAL_ERROR_FAILED says what is wrong with them.
 */
gboolean worker_options_parse(WorkerOptions *options, GStrv words, GError **error);
void worker_options_clear(WorkerOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerOptions, worker_options_clear)

/** One call of a client. */
typedef struct {
    const char *mode; /* borrowed from the request */
    WorkerOptions options;
    WorkerEximFile exim;
    int message;   /* -1 where there is none */
    GStrv authors; /* whom the client is believed on; NULL: on anybody */
} WorkerTask;

/** Takes the files out of @request, which outlives it. FALSE where the words are no command line;
 *  @task is to be cleared all the same. */
gboolean worker_task_take(WorkerTask *task, SealRequest *request, GError **error);
void worker_task_clear(WorkerTask *task);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerTask, worker_task_clear)

/** What is known of who submitted the message, for @spec, which borrows from both. @exim is NULL
 * where there is no spool file to ask. */
void worker_say_submission(const WorkerTask *task, const WorkerExim *exim, SealJobSpec *spec);

/** A recipient's result as an exit code: something leaves for it, it is refused, or deferred. */
int worker_status_of(const SealRecipient *recipient);
