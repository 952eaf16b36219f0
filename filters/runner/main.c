/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealpipe-run, started by the clients: sets the process up and picks the mode.
 */
#include "filters/runner/modes.h"
#include "filters/runner/runner.h"

#include <sys/prctl.h>
#include <sys/stat.h>

static int run_mode(const char *mode, const RunnerOptions *options, GError **error)
{
    if (g_str_equal(mode, "transport"))
        return runner_transport(options, error);
    if (g_str_equal(mode, "check"))
        return runner_check(options, error);
    if (g_str_equal(mode, "pipe"))
        return runner_pipe(options, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "the first argument must be transport, check or pipe, not \"%s\"", mode);
    return RUNNER_DEFER;
}

/* Nothing that runs here, gpg and its agent too, needs a program that is set-user-id: one that was
 * taken over would. The client keeps the right, since sendmail is such a program. */
static gboolean renounce_rights(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* What is done here in the end is done before the client hears of it. */
static int run_process(int argc, char **argv)
{
    g_auto(RunnerOptions) options = {0};
    g_autoptr(GError) error = NULL;
    int status = RUNNER_DEFER;

    if (argc < 2 || !renounce_rights() || !runner_output_open())
        return RUNNER_DEFER;
    g_set_prgname("sealpipe");

    gboolean ok = runner_options_parse(&options, argc - 1, argv + 1, &error);
    seal_log_open(argv[1], options.debug);
    if (ok)
        status = run_mode(argv[1], &options, &error);
    if (error)
        seal_log_error(options.id, options.sender, (const char *const *)options.recipients, error);
    return status;
}

int main(int argc, char **argv)
{
    seal_secret_guard_process();
    umask(077);
    runner_watch_open();
    return runner_watch_end(run_process(argc, argv));
}
