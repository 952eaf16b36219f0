/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * transport.c: a message, and the whole result of it, or nothing.
 */
#include "filters/worker/input.h"
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

/* A suspended sealpipe passes whatever it gets: nothing is parsed that could fail. */
static int pass_through(const WorkerDesk *desk, SealContent *message, const WorkerOptions *options,
                        GError **error)
{
    g_autoptr(SealContent) content =
        options->sender ? seal_content_ref(message) : worker_without_return_path(message);

    if (!worker_is_message(content, error))
        return WORKER_DEFER;
    seal_log_disabled(options->id, options->sender, (const char *const *)options->recipients);
    return worker_give_content(desk->service, content, error) ? WORKER_OK : WORKER_DEFER;
}

/* There is one output: it is for every recipient, or it does not leave. */
static SealContent *the_output(SealJob *job)
{
    GPtrArray *recipients = seal_job_recipients(job);
    GPtrArray *deliveries = seal_job_deliveries(job);

    for (guint i = 0; i < recipients->len; i++) {
        if (worker_status_of(g_ptr_array_index(recipients, i)) != WORKER_OK)
            return NULL;
    }
    return deliveries->len == 1 ? seal_delivery_content(g_ptr_array_index(deliveries, 0)) : NULL;
}

static int run_transport(const WorkerDesk *desk, SealContent *message, const WorkerTask *task,
                         const WorkerExim *exim, GError **error)
{
    const WorkerOptions *options = &task->options;
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
    worker_say_submission(task, exim, &spec);
    g_autoptr(SealJob) job = seal_job_new(&spec, error);
    if (!job)
        return WORKER_DEFER;

    gboolean done = seal_dispatcher_run(desk->dispatcher, job, NULL, NULL);
    SealContent *output = done ? the_output(job) : NULL;
    if (output && !worker_give_content(desk->service, output, &problem)) {
        /* The job's id, which may have been made up. */
        seal_log_error(seal_job_id(job), options->sender, spec.recipients, problem);
        return WORKER_DEFER;
    }
    seal_log_job(job);
    return output ? WORKER_OK : WORKER_DEFER;
}

/* Of a message that is on its way Exim has the whole file. */
static gboolean read_exim(const WorkerTask *task, WorkerExim *exim, GError **error)
{
    gboolean found = FALSE;

    if (!task->options.exim_dir)
        return TRUE;
    if (!worker_exim_read(&task->exim, exim, &found, error))
        return FALSE;
    if (!found)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "Exim has no spool file of %s in %s yet", task->exim.id,
                    task->options.exim_dir);
    return found;
}

int worker_transport(const WorkerDesk *desk, const WorkerTask *task, GError **error)
{
    const WorkerOptions *options = &task->options;
    g_autoptr(SealContent) message = worker_read_message(task, error);
    g_auto(WorkerExim) exim = {0};

    if (!message)
        return WORKER_DEFER;
    if (!desk->dispatcher)
        return pass_through(desk, message, options, error);
    if (!read_exim(task, &exim, error))
        return WORKER_DEFER;
    return run_transport(desk, message, task, options->exim_dir ? &exim : NULL, error);
}
