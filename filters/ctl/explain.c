/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explain.c: `sealctl explain`: what would become of a message, and why. Nothing is sent, and
 * nothing written down.
 */
#include "filters/ctl/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 64 * 1024,
    MAX_CHUNKS = 64 * 1024, /* 4 GiB */
    MAX_NAMED = 100,        /* recipients that the message itself may name */
};

typedef struct {
    char *sender;
    char *login;
    char *submission;
    gboolean one_output;
} Options;

const CtlOption CTL_EXPLAIN_OPTIONS[] = {
    {"-f, --from", "SENDER",
     "of the envelope; without it Return-path, else From, as sealpipe has it"},
    {"--submission", "yes|no", "whether somebody submitted it who may use this server"},
    {"--login", "LOGIN", "who logged in to submit it"},
    {"--one-output", NULL, "one output for all recipients, as a transport filter has"},
    {NULL},
};

static void options_clear(Options *options)
{
    g_free(options->sender);
    g_free(options->login);
    g_free(options->submission);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* -------------------------------------------------------------------------------------------
 * The message
 */

/* Before root becomes somebody who may not read it; -1 on error. */
static int open_message(const char *path, GError **error)
{
    struct stat st;
    int fd = g_str_equal(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        return fd;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "a file with a message was expected: %s: %s", path,
                fd < 0 ? strerror(errno) : "it is a folder");
    if (fd >= 0)
        close(fd);
    return -1;
}

static gboolean fail_reading(const char *why, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the message cannot be read: %s", why);
    return FALSE;
}

/* Of a device there may be no end. */
static gboolean copy_stream(int fd, GOutputStream *spool, GError **error)
{
    g_autofree char *chunk = g_malloc(CHUNK);
    gssize got = 0;

    for (guint i = 0; i < MAX_CHUNKS && (got = seal_fd_read(fd, chunk, CHUNK)) > 0; i++) {
        if (!g_output_stream_write_all(spool, chunk, (gsize)got, NULL, NULL, error))
            return FALSE;
    }
    if (got == 0)
        return TRUE;
    return fail_reading(got < 0 ? strerror(errno) : "it has 4 GiB and more", error);
}

/* Takes @fd over. */
static SealContent *read_message(const SealService *service, int fd, GError **error)
{
    g_autoptr(GOutputStream) spool = seal_service_spool(service);
    gboolean ok = copy_stream(fd, spool, error);

    close(fd);
    return ok ? seal_spool_finish(spool, error) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Whom it is for
 */

/* (transfer full) */
static GStrv named_recipients(SealContent *content, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(SealMessage) message = seal_message_new(content, error);

    if (!message || !seal_message_recipients(message, texts, error)) {
        g_prefix_error(error, "name the recipients behind the file, since it does not tell: ");
        return NULL;
    }
    if (texts->len > 0 && texts->len <= MAX_NAMED) {
        g_ptr_array_add(texts, NULL);
        return (GStrv)g_ptr_array_free(g_steal_pointer(&texts), FALSE);
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_ADDRESS,
                "To, Cc and Bcc name %u recipients, and 1 to %d were expected: name those that it "
                "is about behind the file",
                texts->len, MAX_NAMED);
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Explaining
 */

/* What is not handled is explained as if it were. */
static gboolean put_notice(const SealService *service, SealOut *out, GError **error)
{
    gboolean passes = FALSE;

    if (!seal_service_passes(service, &passes, error))
        return FALSE;
    seal_out_boolean(out, "handled", !passes);
    if (passes)
        seal_out_text(out, "notice",
                      "sealpipe is disabled: the message leaves as it came. What follows would "
                      "become of it otherwise");
    return TRUE;
}

static gboolean leaves(const SealRecipient *recipient)
{
    SealVerdict result = seal_recipient_result(recipient);

    return result != SEAL_VERDICT_NONE && result != SEAL_VERDICT_REFUSE &&
           result != SEAL_VERDICT_DEFER;
}

int ctl_explain_job(const CtlOpened *opened, SealJob *job, SealOut *out, GError **error)
{
    GPtrArray *recipients = seal_job_recipients(job);
    int status = CTL_OK;

    if (!put_notice(opened->service, out, error) ||
        !seal_dispatcher_explain(opened->dispatcher, job, out, error))
        return CTL_PROBLEM;
    for (guint i = 0; i < recipients->len; i++) {
        if (!leaves(g_ptr_array_index(recipients, i)))
            status = CTL_PROBLEM;
    }
    return status;
}

/* A login is a submission, unless it is said to be none: as sealpipe has it. */
static void say_submission(const Options *options, SealJobSpec *spec)
{
    gboolean has_login = options->login && *options->login;

    spec->names_login = options->login != NULL;
    spec->login = has_login ? options->login : NULL;
    spec->submitted = options->submission ? g_str_equal(options->submission, "yes") : has_login;
}

static int explain(const CtlOpened *opened, const Options *options, SealContent *message,
                   char **words, SealOut *out, GError **error)
{
    g_auto(GStrv) named = *words ? NULL : named_recipients(message, error);
    SealJobSpec spec = {
        .sender = options->sender,
        .recipients = (const char *const *)(*words ? words : named),
        .message = message,
        .one_output = options->one_output,
        .any_size = options->one_output,
        .rehearsal = TRUE,
    };

    if (!spec.recipients)
        return CTL_PROBLEM;
    say_submission(options, &spec);
    g_autoptr(SealJob) job = seal_job_new(&spec, error);
    return job ? ctl_explain_job(opened, job, out, error) : CTL_PROBLEM;
}

static gboolean check_options(const Options *options, GError **error)
{
    if (!options->submission || g_str_equal(options->submission, "yes") ||
        g_str_equal(options->submission, "no"))
        return TRUE;
    ctl_misuse(error, "--submission takes \"yes\" or \"no\", not \"%s\"", options->submission);
    return FALSE;
}

static int explain_words(const CtlOptions *ctl, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Options) options = {0};
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"from", 'f', 0, G_OPTION_ARG_FILENAME, &options.sender, NULL, NULL},
        {"login", 0, 0, G_OPTION_ARG_FILENAME, &options.login, NULL, NULL},
        {"submission", 0, 0, G_OPTION_ARG_FILENAME, &options.submission, NULL, NULL},
        {"one-output", 0, 0, G_OPTION_ARG_NONE, &options.one_output, NULL, NULL},
        {NULL},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, G_MAXUINT, &words, error) ||
        !check_options(&options, error))
        return CTL_USAGE;
    int fd = open_message(*words, error);
    if (fd < 0)
        return CTL_PROBLEM;
    if (!ctl_keys_open(&opened, ctl, error)) {
        close(fd);
        return CTL_PROBLEM;
    }
    g_autoptr(SealContent) message = read_message(opened.service, fd, error);
    return message ? explain(&opened, &options, message, words + 1, out, error) : CTL_PROBLEM;
}

int ctl_explain(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autoptr(SealOut) own = seal_out_new();
    int status = explain_words(options, argc, argv, options->json ? out : own, error);

    if (!options->json) {
        g_autoptr(GVariant) answer = seal_out_finish(own);
        ctl_explain_show(answer);
    }
    return status;
}
