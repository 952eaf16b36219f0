/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.c: what would become of a message to an address? An exit code, and one line of reason.
 */
#include "filters/runner/modes.h"
#include "filters/runner/runner.h"

#include <string.h>

enum { MAX_REASON = 400 };

/* The reason goes into an SMTP reply: printable ASCII, and no line end, which would break it. */
static void print_reason(const char *reason)
{
    g_autofree char *line = g_strndup(reason, MAX_REASON);

    for (char *c = line; *c; c++) {
        if (!g_ascii_isprint(*c))
            *c = '?';
    }
    /* Where nobody takes the reason, the exit code still says it all. */
    seal_fd_write(runner_output(), line, strlen(line));
}

/* The header block as Exim's $message_headers_raw has it, or NULL. */
static SealContent *header_of(const RunnerOptions *options)
{
    if (!options->headers || !*options->headers)
        return NULL;

    g_autofree char *block = g_strconcat(options->headers, "\n\n", NULL);
    return seal_content_new_copy(block, strlen(block));
}

/* Without an error there is a reason. */
static int check_address(const RunnerOptions *options, char **ret_reason, GError **error)
{
    g_autoptr(SealContent) header = header_of(options);
    SealJobSpec spec = {
        .id = options->id,
        .sender = options->sender,
        .recipients = (const char *const *)options->recipients,
        .message = header,
        .header_only = header != NULL,
    };
    guint count = g_strv_length(options->recipients);

    if (count != 1) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "exactly one address is to be given, not %u", count);
        return RUNNER_DEFER;
    }

    g_autoptr(SealDispatcher) dispatcher = runner_open_dispatcher(options, error);
    if (!dispatcher)
        return RUNNER_DEFER;
    runner_watch_arm(seal_dispatcher_deadline(dispatcher) * G_USEC_PER_SEC);
    if (!seal_dispatcher_enabled(dispatcher)) {
        *ret_reason = g_strdup("sealpipe is disabled. Emails will not be encrypted.");
        return RUNNER_OK;
    }

    g_autoptr(SealJob) job = seal_job_new(&spec, error);
    if (!job || !seal_dispatcher_check(dispatcher, job, NULL, error))
        return RUNNER_DEFER;
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    *ret_reason = g_strdup_printf("%s: %s", seal_verdict_name(seal_recipient_result(recipient)),
                                  seal_recipient_reason(recipient));
    return runner_status_of(recipient);
}

int runner_check(const RunnerOptions *options, GError **error)
{
    g_autofree char *reason = NULL;
    int status = check_address(options, &reason, error);

    print_reason(reason ? reason : "cannot tell now; the log says why");
    return status;
}
