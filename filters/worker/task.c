/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/worker/task.h"

#include "filters/worker/worker.h"

#include <string.h>
#include <unistd.h>

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
static gboolean check_together(const WorkerOptions *options, GError **error)
{
    if (!options->exim_dir || (!options->login && !options->headers))
        return TRUE;
    g_set_error_literal(
        error, SEAL_ERROR, SEAL_ERROR_FAILED,
        "--exim-spool has the login and the header: no --login and no -H beside it");
    return FALSE;
}

/* As a program gets them. */
static GStrv with_name(GStrv words)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    g_strv_builder_add(builder, "sealpipe");
    g_strv_builder_addv(builder, (const char **)words);
    return g_strv_builder_end(builder);
}

gboolean worker_options_parse(WorkerOptions *options, GStrv words, GError **error)
{
    g_auto(GStrv) argv = with_name(words);
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
    gboolean ok = g_option_context_parse_strv(context, &argv, error);
    if (!options->recipients)
        options->recipients = g_new0(char *, 1);
    options->says_submission = submission != NULL;
    return ok && check_together(options, error) &&
           read_choice("-d", direction, "outbound", "inbound", &options->inbound, error) &&
           read_choice("--submission", submission, "no", "yes", &options->submitted, error);
}

void worker_options_clear(WorkerOptions *options)
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

/* -------------------------------------------------------------------------------------------
 * The task
 */

/* What is in @file: words, each with its NUL. (transfer full) */
static GStrv read_words(int file, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *text = NULL;
    off_t size = lseek(file, 0, SEEK_END);

    if (size < 0 || size > SEAL_EXCHANGE_WORDS || lseek(file, 0, SEEK_SET) != 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "the command line is too long");
        return NULL;
    }
    text = g_malloc0((gsize)size + 1);
    if (seal_fd_read(file, text, (gsize)size) != size || (size > 0 && text[size - 1])) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "the command line has not come whole");
        return NULL;
    }
    for (const char *word = text; word < text + size; word += strlen(word) + 1)
        g_strv_builder_add(builder, word);
    return g_strv_builder_end(builder);
}

static int take_file(SealRequest *request, SealRequestFile which)
{
    return g_steal_fd(&request->files[which]);
}

gboolean worker_task_take(WorkerTask *task, SealRequest *request, GError **error)
{
    *task = (WorkerTask){
        .mode = request->mode,
        .message = take_file(request, SEAL_REQUEST_MESSAGE),
        .exim.header = take_file(request, SEAL_REQUEST_EXIM_HEADER),
        .exim.body = take_file(request, SEAL_REQUEST_EXIM_BODY),
        .exim.problem = request->problem,
    };
    g_auto(GStrv) words = read_words(request->files[SEAL_REQUEST_WORDS], error);

    if (!words || !worker_options_parse(&task->options, words, error))
        return FALSE;
    task->exim.id = task->options.id ? task->options.id : "";
    return TRUE;
}

void worker_task_clear(WorkerTask *task)
{
    worker_options_clear(&task->options);
    g_strfreev(task->authors);
    worker_exim_close(&task->exim);
    if (task->message >= 0)
        close(task->message);
}

/* -------------------------------------------------------------------------------------------
 * What it says, and what became of it
 */

/* A login is a submission, unless the mail server says that it is none. */
void worker_say_submission(const WorkerTask *task, const WorkerExim *exim, SealJobSpec *spec)
{
    const WorkerOptions *options = &task->options;
    const char *login = exim ? exim->login : options->login;
    gboolean has_login = login && *login;

    spec->authors = (const char *const *)task->authors;
    spec->names_login = exim || options->login;
    spec->login = has_login ? login : NULL;
    spec->submitted = options->says_submission ? options->submitted : has_login;
    if (exim && exim->unproven) {
        spec->submitted = FALSE;
        spec->unproven = exim->unproven;
    }
}

int worker_status_of(const SealRecipient *recipient)
{
    switch (seal_recipient_result(recipient)) {
    case SEAL_VERDICT_SEALED:
    case SEAL_VERDICT_SIGNED:
    case SEAL_VERDICT_PLAIN:
    case SEAL_VERDICT_REPORT:
        return WORKER_OK;
    case SEAL_VERDICT_REFUSE:
        return WORKER_REFUSED;
    default:
        return WORKER_DEFER;
    }
}
