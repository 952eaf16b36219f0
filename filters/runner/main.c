/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c: sealpipe-run, started by the clients: sets the process up and picks the mode.
 */
#include "filters/runner/runner.h"

#include <string.h>
#include <sys/stat.h>

static gboolean check_words(const RunnerOptions *options, GError **error)
{
    const char *direction = options->direction ? options->direction : "outbound";
    const char *submission = options->submission ? options->submission : "no";

    if (!g_str_equal(direction, "outbound") && !g_str_equal(direction, "inbound")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "-d takes outbound or inbound");
        return FALSE;
    }
    if (!g_str_equal(submission, "yes") && !g_str_equal(submission, "no")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "--submission takes yes or no");
        return FALSE;
    }
    return TRUE;
}

gboolean runner_options_parse(RunnerOptions *options, int argc, char **argv, GError **error)
{
    /* FILENAME and not STRING: arguments are bytes, whatever the locale. */
    const GOptionEntry entries[] = {
        {"conf", 'c', 0, G_OPTION_ARG_FILENAME, &options->conf_dir, NULL, NULL},
        {"direction", 'd', 0, G_OPTION_ARG_FILENAME, &options->direction, NULL, NULL},
        {"sender", 'f', 0, G_OPTION_ARG_FILENAME, &options->sender, NULL, NULL},
        {"headers", 'H', 0, G_OPTION_ARG_FILENAME, &options->headers, NULL, NULL},
        {"id", 0, 0, G_OPTION_ARG_FILENAME, &options->id, NULL, NULL},
        {"sendmail", 0, 0, G_OPTION_ARG_FILENAME, &options->sendmail, NULL, NULL},
        {"submission", 0, 0, G_OPTION_ARG_FILENAME, &options->submission, NULL, NULL},
        {"debug", 0, 0, G_OPTION_ARG_NONE, &options->debug, NULL, NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->recipients, NULL, NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, entries, NULL);
    gboolean ok = g_option_context_parse(context, &argc, &argv, error);
    if (!options->recipients)
        options->recipients = g_new0(char *, 1);
    return ok && check_words(options, error);
}

void runner_options_clear(RunnerOptions *options)
{
    g_free(options->conf_dir);
    g_free(options->direction);
    g_free(options->sender);
    g_free(options->id);
    g_free(options->submission);
    g_free(options->headers);
    g_free(options->sendmail);
    g_strfreev(options->recipients);
}

SealDispatcher *runner_open_dispatcher(const RunnerOptions *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = seal_dispatcher_new(options->conf_dir, NULL, &error);

    if (dispatcher && !seal_dispatcher_in_process(dispatcher)) {
        g_set_error_literal(&error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                            "[core] in_process=false, and there is no daemon");
        g_clear_pointer(&dispatcher, seal_dispatcher_free);
    }
    /* An MTA's filter has no standard error: what is written there lands in the mail, or nowhere.
     */
    if (!dispatcher || !seal_dispatcher_refuse_stderr(dispatcher, &error)) {
        seal_log_error(options->id, error);
        return NULL;
    }
    return g_steal_pointer(&dispatcher);
}

int main(int argc, char **argv)
{
    g_auto(RunnerOptions) options = {0};
    g_autoptr(GError) error = NULL;

    seal_secret_guard_process();
    umask(077);
    runner_watch_open();
    if (!runner_output_open())
        return RUNNER_DEFER;
    g_set_prgname("sealpipe");
    if (argc < 2)
        return RUNNER_DEFER;

    gboolean ok = runner_options_parse(&options, argc - 1, argv + 1, &error);
    seal_log_open(options.debug);
    if (!ok) {
        seal_log_error(options.id, error);
        return RUNNER_DEFER;
    }
    if (g_str_equal(argv[1], "transport"))
        return runner_transport(&options);
    if (g_str_equal(argv[1], "check"))
        return runner_check(&options);
    if (g_str_equal(argv[1], "pipe"))
        return runner_pipe(&options);
    return RUNNER_DEFER;
}
