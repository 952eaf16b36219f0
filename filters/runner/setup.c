/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/runner/setup.h"

#include "filters/runner/runner.h"

/* Whether @word is @second; NULL counts as @first, and there is no other. */
static gboolean read_choice(const char *option, const char *word, const char *first,
                            const char *second, gboolean *ret_second, GError **error)
{
    *ret_second = g_strcmp0(word, second) == 0;
    if (!word || *ret_second || g_str_equal(word, first))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s takes \"%s\" or \"%s\", not \"%s\"",
                option, first, second, word);
    return FALSE;
}

/* Two words on one thing might differ. */
static gboolean check_together(const RunnerOptions *options, GError **error)
{
    if (!options->exim_dir || (!options->login && !options->headers))
        return TRUE;
    g_set_error_literal(
        error, SEAL_ERROR, SEAL_ERROR_FAILED,
        "--exim-spool has the login and the header: no --login and no -H beside it");
    return FALSE;
}

gboolean runner_options_parse(RunnerOptions *options, int argc, char **argv, GError **error)
{
    g_autofree char *direction = NULL, *submission = NULL;
    /* FILENAME and not STRING: arguments are bytes, whatever the locale. */
    const GOptionEntry entries[] = {
        {"conf", 'c', 0, G_OPTION_ARG_FILENAME, &options->conf_dir, NULL, NULL},
        {"direction", 'd', 0, G_OPTION_ARG_FILENAME, &direction, NULL, NULL},
        {"sender", 'f', 0, G_OPTION_ARG_FILENAME, &options->sender, NULL, NULL},
        {"headers", 'H', 0, G_OPTION_ARG_FILENAME, &options->headers, NULL, NULL},
        {"login", 0, 0, G_OPTION_ARG_FILENAME, &options->login, NULL, NULL},
        {"exim-spool", 0, 0, G_OPTION_ARG_FILENAME, &options->exim_dir, NULL, NULL},
        {"id", 0, 0, G_OPTION_ARG_FILENAME, &options->id, NULL, NULL},
        {"sendmail", 0, 0, G_OPTION_ARG_FILENAME, &options->sendmail, NULL, NULL},
        {"submission", 0, 0, G_OPTION_ARG_FILENAME, &submission, NULL, NULL},
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
    options->says_submission = submission != NULL;
    return ok && check_together(options, error) &&
           read_choice("-d", direction, "outbound", "inbound", &options->inbound, error) &&
           read_choice("--submission", submission, "no", "yes", &options->submitted, error);
}

void runner_options_clear(RunnerOptions *options)
{
    g_free(options->conf_dir);
    g_free(options->sender);
    g_free(options->id);
    g_free(options->headers);
    g_free(options->login);
    g_free(options->exim_dir);
    g_free(options->sendmail);
    g_strfreev(options->recipients);
}

static gboolean check_dispatcher(SealDispatcher *dispatcher, GError **error)
{
    if (!seal_dispatcher_in_process(dispatcher)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                            "[core] in_process is false, but there is no daemon that could do the "
                            "work: it must be true");
        return FALSE;
    }
    /* An MTA's filter has no standard error: what is written there lands in the mail, or nowhere.
     */
    return seal_dispatcher_refuse_stderr(dispatcher, error);
}

/* While mail passes as it comes, nothing is opened that could fail. */
static gboolean fill_desk(const RunnerOptions *options, RunnerDesk *desk, GError **error)
{
    gboolean passes = FALSE;

    if (!options->inbound && !seal_service_passes(desk->service, &passes, error))
        return FALSE;
    if (passes)
        return TRUE;
    desk->dispatcher = seal_dispatcher_open(desk->service, NULL, error);
    return desk->dispatcher && check_dispatcher(desk->dispatcher, error);
}

gboolean runner_desk_open(const RunnerOptions *options, RunnerDesk *desk, GError **error)
{
    *desk = (RunnerDesk){.service = seal_service_open(options->conf_dir, error)};
    if (!desk->service)
        return FALSE;
    /* A module may hang as it is loaded; and one of them may say whose the service, and the log,
     * is.
     */
    runner_watch_log();
    gboolean ok = fill_desk(options, desk, error);
    runner_watch_log();
    return ok;
}

void runner_desk_clear(RunnerDesk *desk)
{
    seal_dispatcher_free(desk->dispatcher);
    seal_service_free(desk->service);
}

/* A login is a submission, unless the mail server says that it is none. */
void runner_say_submission(const RunnerOptions *options, const RunnerExim *exim, SealJobSpec *spec)
{
    const char *login = exim ? exim->login : options->login;
    gboolean has_login = login && *login;

    spec->names_login = exim || options->login;
    spec->login = has_login ? login : NULL;
    spec->submitted = options->says_submission ? options->submitted : has_login;
    if (exim && exim->unproven) {
        spec->submitted = FALSE;
        spec->unproven = exim->unproven;
    }
}

int runner_status_of(const SealRecipient *recipient)
{
    switch (seal_recipient_result(recipient)) {
    case SEAL_VERDICT_SEALED:
    case SEAL_VERDICT_SIGNED:
    case SEAL_VERDICT_PLAIN:
    case SEAL_VERDICT_REPORT:
        return RUNNER_OK;
    case SEAL_VERDICT_REFUSE:
        return RUNNER_REFUSED;
    default:
        return RUNNER_DEFER;
    }
}
