/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.c: what would become of a message to an address? An exit code, and one line of reason.
 */
#include "filters/worker/modes.h"
#include "filters/worker/worker.h"

#include <string.h>

enum {
    MAX_REASON = 400,
    /* Exim cuts a header there that it gives as an argument: what is so long may lack its end. */
    MAX_HEADERS = 65535,
};

/* The reason goes into an SMTP reply: printable ASCII, and no line end, which would break it. */
static void tell_reason(const char *reason)
{
    g_autofree char *line = g_strndup(reason, MAX_REASON);

    for (char *c = line; *c; c++) {
        if (!g_ascii_isprint(*c))
            *c = '?';
    }
    /* Where nobody takes the reason, the exit code still says it all. */
    worker_tell_text(line);
}

/* The header block as Exim's $message_headers_raw has it; NULL: it is not known. */
static SealContent *header_of(const WorkerOptions *options)
{
    if (!options->headers || !*options->headers || strlen(options->headers) > MAX_HEADERS)
        return NULL;

    g_autofree char *block = g_strconcat(options->headers, "\n\n", NULL);
    return seal_content_new_copy(block, strlen(block));
}

/* What is no address now will not be one tomorrow. */
static gboolean is_address(const WorkerOptions *options, char **ret_reason)
{
    const char *text = options->recipients[0];
    g_autoptr(GError) error = NULL;
    g_autoptr(SealAddress) address = seal_address_parse(text, &error);

    if (address)
        return TRUE;
    seal_log_refused(options->id, options->sender, text, error);
    *ret_reason = g_strdup_printf("refused: %s", error->message);
    return FALSE;
}

/* As much of the message as is known, NULL for nothing. */
static SealContent *message_of(const WorkerOptions *options, const WorkerExim *exim)
{
    if (!exim)
        return header_of(options);
    return exim->body ? seal_content_join(exim->header, exim->body)
                      : seal_content_ref(exim->header);
}

static int check_job(SealDispatcher *dispatcher, const SealJobSpec *spec, char **ret_reason,
                     GError **error)
{
    g_autoptr(SealJob) job = seal_job_new(spec, error);

    if (!job)
        return WORKER_DEFER;
    /* An error stands in the recipient's reason, for the log; what it names is not for a reply. */
    gboolean told = seal_dispatcher_check(dispatcher, job, NULL, NULL);
    seal_log_answer(job);
    if (!told)
        return WORKER_DEFER;
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    *ret_reason = g_strdup_printf("%s: %s", seal_verdict_name(seal_recipient_result(recipient)),
                                  seal_recipient_reason(recipient));
    return worker_status_of(recipient);
}

/* Without an error there is a reason. @exim is NULL where there is no file of the message yet. */
static int check_address(SealDispatcher *dispatcher, const WorkerTask *task, const WorkerExim *exim,
                         char **ret_reason, GError **error)
{
    const WorkerOptions *options = &task->options;
    g_autoptr(SealContent) message = message_of(options, exim);
    SealJobSpec spec = {
        .id = options->id,
        .sender = exim && !options->sender ? exim->sender : options->sender,
        .recipients = (const char *const *)options->recipients,
        .message = message,
        .header_only = message && !(exim && exim->body),
        .body_size = exim && !exim->body ? exim->body_size : 0,
        /* What is asked while the message is received is asked before it is known. */
        .submission_unknown = !exim && !options->login && !options->says_submission,
    };

    worker_say_submission(task, exim, &spec);
    if (!exim && options->exim_dir) {
        spec.submitted = FALSE;
        spec.submission_unknown = TRUE;
    }
    return check_job(dispatcher, &spec, ret_reason, error);
}

static int answer_question(const WorkerDesk *desk, const WorkerTask *task, char **ret_reason,
                           GError **error)
{
    const WorkerOptions *options = &task->options;
    g_auto(WorkerExim) exim = {0};
    gboolean found = FALSE;
    guint count = g_strv_length(options->recipients);

    if (count != 1) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "exactly one address is to be given, not %u", count);
        return WORKER_DEFER;
    }
    if (!desk->dispatcher) {
        *ret_reason = g_strdup("sealpipe is disabled. Emails will not be encrypted.");
        return WORKER_OK;
    }
    if (!worker_exim_read(&task->exim, &exim, &found, error))
        return WORKER_DEFER;
    if (!is_address(options, ret_reason))
        return WORKER_REFUSED;
    return check_address(desk->dispatcher, task, found ? &exim : NULL, ret_reason, error);
}

int worker_check(const WorkerDesk *desk, const WorkerTask *task, GError **error)
{
    g_autofree char *reason = NULL;
    int status = answer_question(desk, task, &reason, error);

    tell_reason(reason ? reason : "cannot tell now; the log says why");
    return status;
}
