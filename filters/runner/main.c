/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealpipe-run, started by a client for one request, which stands on descriptor 3.
 */
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { EXCHANGE_FD = 3 };

static const char usage[] =
    "Usage: sealpipe-run [--help | --version]\n"
    "Does the work of one message for sealpipe, sealpipe-check or sealpipe-pipe, which start it "
    "where\n"
    "no sealpiped runs and [core] in_process allows it. Nobody else does. See sealpipe(8).\n";

/* Nothing that runs here, gpg and its agent too, needs a program that is set-user-id: one that was
 * taken over would. The client keeps the right, since sendmail is such a program. */
static gboolean renounce_rights(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           fcntl(EXCHANGE_FD, F_SETFD, FD_CLOEXEC) == 0;
}

static int do_task(SealRequest *request)
{
    g_auto(WorkerTask) task = {0};
    g_auto(WorkerDesk) desk = {0};
    g_autoptr(GError) error = NULL;
    gboolean ok = worker_task_take(&task, request, &error);

    seal_log_open(request->mode, task.options.debug);
    if (ok && worker_desk_open(&task.options, &desk, &error))
        return worker_do(&desk, &task);
    return worker_fail(&task, error);
}

/* What is done here in the end is done before the client hears of it. */
static int run_process(void)
{
    SealRequest request = SEAL_REQUEST_NONE;
    const char *why = NULL;
    int status = WORKER_DEFER;

    g_set_prgname("sealpipe");
    if (!renounce_rights() || !seal_request_receive(EXCHANGE_FD, &request, &why)) {
        seal_request_clear(&request);
        return WORKER_DEFER;
    }
    worker_exchange_begin(EXCHANGE_FD);
    status = do_task(&request);
    seal_request_clear(&request);
    return status;
}

/* Returns an exit code. */
static int tell_people(const char *text)
{
    signal(SIGPIPE, SIG_IGN);
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return 0;
    perror("sealpipe-run: standard output cannot be written to");
    return WORKER_DEFER;
}

int main(int argc, char **argv)
{
    /* Its caller's words are for who lists processes. */
    if (argc == 2 && g_str_equal(argv[1], "--help"))
        return tell_people(usage);
    if (argc == 2 && g_str_equal(argv[1], "--version"))
        return tell_people("sealpipe-run " SEALPIPE_VERSION "\n");
    seal_secret_guard_process();
    umask(077);
    return worker_end(run_process());
}
