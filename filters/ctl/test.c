/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test.c: `sealctl test`: a message of our own, for an address: what would become of it, opened
 * again where a key for that is here; or handed to the mail server, as any program would.
 */
#include "filters/ctl/explain.h"

#include "filters/pipe/sendmail.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SENDMAIL "/usr/sbin/sendmail"

const CtlOption CTL_TEST_OPTIONS[] = {
    {"--from", "ADDRESS",
     "the author and sender, who counts as logged in; postmaster of this host"},
    {"--login", "LOGIN", "who logged in to submit it; not with --send"},
    {"--send", NULL, "hand it to the mail server, in clear, which is to run it through its wiring"},
    {"--sendmail", "PROGRAM", "the mail server's program for that; " SENDMAIL},
    {NULL},
};

typedef struct {
    char *from;
    char *login;
    char *sendmail;
    gboolean send;
    SealAddress *author;
    SealAddress *recipient;
    char *id; /* of its Message-ID */
} Test;

static void test_clear(Test *test)
{
    g_free(test->from);
    g_free(test->login);
    g_free(test->sendmail);
    g_free(test->id);
    g_clear_pointer(&test->author, seal_address_unref);
    g_clear_pointer(&test->recipient, seal_address_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Test, test_clear)

/* -------------------------------------------------------------------------------------------
 * The message
 */

/* Addresses are as seal_address_text() has them: nothing in them ends a line. (transfer full) */
static SealContent *make_message(const Test *test)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *date = g_date_time_format(now, "%a, %d %b %Y %H:%M:%S +0000");
    g_autofree char *text = g_strdup_printf(
        "From: Sealpipe <%s>\n"
        "To: %s\n"
        "Subject: Sealpipe test message\n"
        "Date: %s\n"
        "Message-ID: <%s>\n"
        "Auto-Submitted: auto-generated\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=us-ascii\n"
        "\n"
        "This is a test message, made by `sealctl test` on %s.\n"
        "\n"
        "If you can read it, your mail program has opened it, or it came in clear: your\n"
        "mail program shows which. You need not answer.\n",
        seal_address_text(test->author), seal_address_text(test->recipient), date, test->id,
        seal_address_domain(test->author));

    return seal_content_new_copy(text, strlen(text));
}

static gboolean read_addresses(Test *test, const char *recipient, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *own = g_strconcat("postmaster@", g_get_host_name(), NULL);

    test->recipient = seal_address_parse(recipient, error);
    if (!test->recipient)
        return FALSE;
    test->author = seal_address_parse(test->from ? test->from : own, error);
    if (!test->author) {
        g_prefix_error(error, "--from says who writes: ");
        return FALSE;
    }
    test->id = g_strdup_printf("%s@%s", uuid, seal_address_domain(test->author));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * As it would go
 */

/* Whoever may run this may write as anybody here: it counts as submitted. */
static int rehearse(const CtlOptions *options, const Test *test, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {.listed = -1, .socket = -1, .opens = TRUE}};
    g_autoptr(SealContent) message = make_message(test);
    const char *const recipients[] = {seal_address_text(test->recipient), NULL};
    const SealJobSpec spec = {
        .sender = seal_address_text(test->author),
        .recipients = recipients,
        .message = message,
        .submitted = TRUE,
        .login = test->login,
        .names_login = test->login != NULL,
        .rehearsal = TRUE,
    };

    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    g_autoptr(SealJob) job = seal_job_new(&spec, error);
    if (!job)
        return CTL_PROBLEM;
    int status = ctl_explain_job(&opened, job, out, error);
    return seal_dispatcher_reopen(opened.dispatcher, job, out) ? status : CTL_PROBLEM;
}

/* -------------------------------------------------------------------------------------------
 * As it goes
 */

/* All of it, so that whoever reads it reads to its end; -1 on error. */
static int write_file(SealContent *message, GError **error)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(message, G_MAXUINT16, error);
    int fd = bytes ? memfd_create("sealctl-test", MFD_CLOEXEC) : -1;

    if (fd >= 0 && seal_fd_write(fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (bytes)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                            "the message cannot be put into memory");
    if (fd >= 0)
        close(fd);
    return -1;
}

/* As who calls: the mail server believes -f of those that it trusts, such as root. */
static int send_message(const Test *test, SealOut *out, GError **error)
{
    g_autoptr(SealContent) message = make_message(test);
    const char *program = test->sendmail ? test->sendmail : SENDMAIL;
    const char *const argv[] = {program, "-i",
                                "-f",    seal_address_text(test->author),
                                "--",    seal_address_text(test->recipient),
                                NULL};
    SealSendmailEnd end;
    int file = write_file(message, error);

    if (file < 0)
        return CTL_PROBLEM;
    seal_sendmail_run((char *const *)argv, file, &end);
    close(file);
    seal_out_boolean(out, "sent", end.done);
    seal_out_text(out, "program", "%s", program);
    seal_out_text(out, "recipient", "%s", seal_address_text(test->recipient));
    seal_out_text(out, "message_id", "<%s>", test->id);
    seal_out_text(out, "next",
                  "the mail server's log has its id by that Message-ID; Sealpipe's log "
                  "has a line with to=%s and result=",
                  seal_address_text(test->recipient));
    if (end.done)
        return CTL_OK;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the message was not taken: %s%s%s",
                end.why, *end.says ? ": " : "", end.says);
    return CTL_PROBLEM;
}

static gboolean check_options(const Test *test, GError **error)
{
    if (test->login && test->send)
        return ctl_misuse(error, "--login is for the rehearsal: with --send the mail server says "
                                 "who submits") == CTL_OK;
    if (test->sendmail && !test->send)
        return ctl_misuse(error, "--sendmail needs --send") == CTL_OK;
    if (test->sendmail && !g_path_is_absolute(test->sendmail))
        return ctl_misuse(error, "--sendmail takes an absolute path, not \"%s\"", test->sendmail) ==
               CTL_OK;
    return TRUE;
}

int ctl_test(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Test) test = {0};
    g_autoptr(SealOut) own = seal_out_new();
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"from", 0, 0, G_OPTION_ARG_FILENAME, &test.from, NULL, NULL},
        {"login", 0, 0, G_OPTION_ARG_FILENAME, &test.login, NULL, NULL},
        {"send", 0, 0, G_OPTION_ARG_NONE, &test.send, NULL, NULL},
        {"sendmail", 0, 0, G_OPTION_ARG_FILENAME, &test.sendmail, NULL, NULL},
        {NULL},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, 1, &words, error) ||
        !check_options(&test, error) || !read_addresses(&test, *words, error))
        return CTL_USAGE;
    if (test.send)
        return send_message(&test, out, error);
    int status = rehearse(options, &test, options->json ? out : own, error);
    if (!options->json) {
        g_autoptr(GVariant) answer = seal_out_finish(own);
        ctl_explain_show(answer);
    }
    return status;
}
