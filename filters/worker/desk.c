/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/worker/desk.h"

#include "filters/worker/worker.h"

/* Said before anything is opened: the keys, say, are then for the daemon alone to read. */
static gboolean check_service(const SealService *service, gboolean debug, GError **error)
{
    if (seal_service_in_process(service))
        return TRUE;
    g_set_error_literal(
        error, SEAL_ERROR, SEAL_ERROR_CONFIG,
        debug ? "with --debug the work is not the daemon's, and [core] in_process=false leaves "
                "it to that: without --debug, what the daemon says stands in the log"
              : "[core] in_process=false leaves the work to the daemon, and none for this "
                "configuration is running: start sealpiped");
    return FALSE;
}

/* While mail passes as it comes, nothing is opened that could fail. */
static gboolean fill_desk(const WorkerOptions *options, WorkerDesk *desk, GError **error)
{
    gboolean passes = FALSE;

    if (!options->inbound && !seal_service_passes(desk->service, &passes, error))
        return FALSE;
    if (passes)
        return TRUE;
    if (!check_service(desk->service, options->debug, error))
        return FALSE;
    desk->dispatcher = seal_dispatcher_open(desk->service, NULL, error);
    /* An MTA's filter has no standard error: what is written there lands in the mail, or nowhere.
     */
    return desk->dispatcher && seal_dispatcher_refuse_stderr(desk->dispatcher, error);
}

gboolean worker_desk_open(const WorkerOptions *options, WorkerDesk *desk, GError **error)
{
    *desk = (WorkerDesk){.service = seal_service_open(options->conf_dir, error)};
    if (!desk->service)
        return FALSE;
    /* A module may hang as it is loaded; and one of them may say whose the service, and the log,
     * is.
     */
    worker_tell_log();
    gboolean ok = fill_desk(options, desk, error);
    worker_tell_log();
    return ok;
}

void worker_desk_clear(WorkerDesk *desk)
{
    seal_dispatcher_free(desk->dispatcher);
    seal_service_free(desk->service);
}
