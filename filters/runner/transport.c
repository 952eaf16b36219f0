/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * transport.c: a message from standard input, the whole result to standard output, or nothing.
 */
#include "filters/runner/input.h"
#include "filters/runner/modes.h"
#include "filters/runner/runner.h"

#include <errno.h>

enum { BUFFER = 64 * 1024 };

static gboolean write_message(SealContent *content, GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read(content);
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, BUFFER, NULL, error)) > 0) {
        runner_watch_idle();
        if (!seal_fd_write(runner_output(), buffer, (gsize)got)) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                        "cannot write the result to standard output: %s", g_strerror(errno));
            return FALSE;
        }
    }
    return got == 0;
}

/* A suspended sealpipe passes whatever it gets: nothing is parsed that could fail. */
static int pass_through(SealContent *message, const RunnerOptions *options, GError **error)
{
    g_autoptr(SealContent) content =
        options->sender ? seal_content_ref(message) : runner_without_return_path(message);

    if (!runner_is_message(content, error))
        return RUNNER_DEFER;
    seal_log_disabled(options->id, options->sender, (const char *const *)options->recipients);
    return write_message(content, error) ? RUNNER_OK : RUNNER_DEFER;
}

/* There is one output: it is for every recipient, or it does not leave. */
static SealContent *the_output(SealJob *job)
{
    GPtrArray *recipients = seal_job_recipients(job);
    GPtrArray *deliveries = seal_job_deliveries(job);

    for (guint i = 0; i < recipients->len; i++) {
        if (runner_status_of(g_ptr_array_index(recipients, i)) != RUNNER_OK)
            return NULL;
    }
    return deliveries->len == 1 ? seal_delivery_content(g_ptr_array_index(deliveries, 0)) : NULL;
}

static int run_transport(SealDispatcher *dispatcher, SealContent *message,
                         const RunnerOptions *options, const RunnerExim *exim, GError **error)
{
    SealJobSpec spec = {
        .direction = options->inbound ? SEAL_DIRECTION_INBOUND : SEAL_DIRECTION_OUTBOUND,
        .id = options->id,
        .sender = options->sender,
        .recipients = (const char *const *)options->recipients,
        .message = message,
        .one_output = TRUE,
        .any_size = TRUE,
    };
    g_autoptr(GError) problem = NULL;
    runner_say_submission(options, exim, &spec);
    g_autoptr(SealJob) job = seal_job_new(&spec, error);
    if (!job)
        return RUNNER_DEFER;

    gboolean done = seal_dispatcher_run(dispatcher, job, NULL, NULL);
    SealContent *output = done ? the_output(job) : NULL;
    if (output && !write_message(output, &problem)) {
        /* The job's id, which may have been made up. */
        seal_log_error(seal_job_id(job), options->sender, spec.recipients, problem);
        return RUNNER_DEFER;
    }
    seal_log_job(job);
    return output ? RUNNER_OK : RUNNER_DEFER;
}

/* Of a message that is on its way Exim has the whole file. */
static gboolean read_exim(const RunnerOptions *options, const RunnerEximFile *file,
                          RunnerExim *exim, GError **error)
{
    gboolean found = FALSE;

    if (!options->exim_dir)
        return TRUE;
    if (!runner_exim_read(file, exim, &found, error))
        return FALSE;
    if (!found)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "Exim has no spool file of %s in %s yet", file->id, options->exim_dir);
    return found;
}

int runner_transport(const RunnerOptions *options, GError **error)
{
    g_auto(RunnerEximFile) file = RUNNER_EXIM_FILE_NONE;
    g_auto(RunnerDesk) desk = {0};

    if (options->exim_dir)
        runner_exim_open(options->exim_dir, options->id ? options->id : "", &file);
    if (!runner_desk_open(options, &desk, error))
        return RUNNER_DEFER;

    g_autoptr(SealContent) message = runner_read_message(desk.service, error);
    if (!message)
        return RUNNER_DEFER;
    runner_watch_arm(seal_service_deadline(desk.service) * G_USEC_PER_SEC);
    if (!desk.dispatcher)
        return pass_through(message, options, error);

    g_auto(RunnerExim) exim = {0};
    if (!read_exim(options, &file, &exim, error))
        return RUNNER_DEFER;
    return run_transport(desk.dispatcher, message, options, options->exim_dir ? &exim : NULL,
                         error);
}
