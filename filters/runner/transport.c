/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * transport.c: a message from standard input, the whole result to standard output, or nothing.
 */
#include "filters/runner/runner.h"

#include <errno.h>
#include <unistd.h>

enum { PIPE_BUFFER = 64 * 1024 };

static gboolean io_failed(GError **error, const char *what)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", what, g_strerror(errno));
    return FALSE;
}

static gboolean copy_in(GOutputStream *spool, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(PIPE_BUFFER);

    for (;;) {
        runner_watch_idle();
        ssize_t got = read(STDIN_FILENO, buffer, PIPE_BUFFER);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_failed(error, "cannot read the message");
        if (got == 0)
            return TRUE;
        if (!g_output_stream_write_all(spool, buffer, (gsize)got, NULL, NULL, error))
            return FALSE;
    }
}

SealContent *runner_read_message(SealDispatcher *dispatcher, GError **error)
{
    g_autoptr(GOutputStream) spool = seal_dispatcher_spool(dispatcher);

    return copy_in(spool, error) ? seal_spool_finish(spool, error) : NULL;
}

static gboolean write_all(const guint8 *data, gsize count, GError **error)
{
    while (count > 0) {
        runner_watch_idle();
        ssize_t wrote = write(runner_output(), data, count);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return io_failed(error, "cannot write the result");
        data += wrote;
        count -= (gsize)wrote;
    }
    return TRUE;
}

static gboolean write_message(SealContent *content, GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read(content);
    g_autofree guint8 *buffer = g_malloc(PIPE_BUFFER);
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, PIPE_BUFFER, NULL, error)) > 0) {
        if (!write_all(buffer, (gsize)got, error))
            return FALSE;
    }
    return got == 0;
}

gboolean runner_is_message(const SealContent *content, GError **error)
{
    if (seal_content_size(content) > 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE, "no message: the input is empty");
    return FALSE;
}

/* A suspended sealpipe passes whatever it gets: nothing is parsed that could fail. */
static gboolean pass_through(SealContent *content, const RunnerOptions *options, GError **error)
{
    if (!runner_is_message(content, error))
        return FALSE;
    seal_log_disabled(options->id, options->sender, (const char *const *)options->recipients);
    return write_message(content, error);
}

/* There is one output: it is for every recipient, or it does not leave. */
static SealContent *the_output(SealJob *job)
{
    GPtrArray *recipients = seal_job_recipients(job);
    GPtrArray *deliveries = seal_job_deliveries(job);

    for (guint i = 0; i < recipients->len; i++) {
        SealVerdict result = seal_recipient_result(g_ptr_array_index(recipients, i));
        if (result != SEAL_VERDICT_SEALED && result != SEAL_VERDICT_SIGNED &&
            result != SEAL_VERDICT_PLAIN && result != SEAL_VERDICT_REPORT)
            return NULL;
    }
    return deliveries->len == 1 ? seal_delivery_content(g_ptr_array_index(deliveries, 0)) : NULL;
}

static int finish(SealJob *job)
{
    g_autoptr(GError) error = NULL;
    SealContent *output = the_output(job);

    if (!output) {
        seal_log_job(job);
        return RUNNER_DEFER;
    }
    if (!write_message(output, &error)) {
        seal_log_error(seal_job_id(job), error);
        return RUNNER_DEFER;
    }
    seal_log_job(job);
    return RUNNER_OK;
}

static int run(SealDispatcher *dispatcher, SealContent *message, const RunnerOptions *options)
{
    SealJobSpec spec = {
        .direction = g_strcmp0(options->direction, "inbound") == 0 ? SEAL_DIRECTION_INBOUND
                                                                   : SEAL_DIRECTION_OUTBOUND,
        .id = options->id,
        .sender = options->sender,
        .recipients = (const char *const *)options->recipients,
        .message = message,
        .submitted = g_strcmp0(options->submission, "yes") == 0,
        .one_output = TRUE,
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(SealJob) job = seal_job_new(&spec, &error);

    if (!job) {
        seal_log_error(options->id, error);
        return RUNNER_DEFER;
    }
    if (!seal_dispatcher_run(dispatcher, job, NULL, &error)) {
        seal_log_job(job);
        return RUNNER_DEFER;
    }
    return finish(job);
}

int runner_transport(const RunnerOptions *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = runner_open_dispatcher(options);
    if (!dispatcher)
        return RUNNER_DEFER;

    g_autoptr(SealContent) message = runner_read_message(dispatcher, &error);
    if (message) {
        runner_watch_arm(seal_dispatcher_deadline(dispatcher) * G_USEC_PER_SEC);
        if (seal_dispatcher_enabled(dispatcher) || g_strcmp0(options->direction, "inbound") == 0)
            return run(dispatcher, message, options);
        if (pass_through(message, options, &error))
            return RUNNER_OK;
    }
    seal_log_error(options->id, error);
    return RUNNER_DEFER;
}
