/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/worker/modes.h"

#include "filters/worker/worker.h"

#include <string.h>

static int do_mode(const WorkerDesk *desk, const WorkerTask *task, GError **error)
{
    if (g_str_equal(task->mode, "transport"))
        return worker_transport(desk, task, error);
    if (g_str_equal(task->mode, "check"))
        return worker_check(desk, task, error);
    if (g_str_equal(task->mode, "pipe"))
        return worker_pipe(desk, task, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "the mode must be transport, check or pipe, not \"%s\"", task->mode);
    return WORKER_DEFER;
}

int worker_do(const WorkerDesk *desk, const WorkerTask *task)
{
    const WorkerOptions *options = &task->options;
    g_autoptr(GError) error = NULL;

    worker_arm(seal_service_deadline(desk->service) * G_USEC_PER_SEC);
    int status = do_mode(desk, task, &error);
    if (error)
        seal_log_error(options->id, options->sender, (const char *const *)options->recipients,
                       error);
    return status;
}

int worker_fail(const WorkerTask *task, const GError *error)
{
    const WorkerOptions *options = &task->options;

    seal_log_error(options->id, options->sender, (const char *const *)options->recipients, error);
    if (g_strcmp0(task->mode, "check") == 0)
        worker_tell_text("cannot tell now; the log says why");
    return WORKER_DEFER;
}
