/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.c: what would become of a message to an address? An exit code, and one line of reason.
 */
#include "filters/runner/runner.h"

#include <string.h>
#include <unistd.h>

enum { MAX_REASON = 400 };

/* The reason goes into an SMTP reply: printable ASCII, and no line end, which would break it. */
static void say(const char *reason)
{
    g_autofree char *line = g_strndup(reason, MAX_REASON);
    gsize length;

    for (char *c = line; *c; c++) {
        if (!g_ascii_isprint(*c))
            *c = '?';
    }
    length = strlen(line);
    /* Where nobody takes the reason, the exit code still says it all. */
    if (write(runner_output(), line, length) < 0)
        return;
}

static int answer(const SealRecipient *recipient)
{
    g_autofree char *text =
        g_strdup_printf("%s: %s", seal_verdict_name(seal_recipient_result(recipient)),
                        seal_recipient_reason(recipient));

    say(text);
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

static int cannot_tell(const RunnerOptions *options, const GError *error)
{
    seal_log_error(options->id, error);
    say("cannot tell now; the log says why");
    return RUNNER_DEFER;
}

/* The header block as Exim's $message_headers_raw has it, or NULL. */
static SealContent *header_of(const RunnerOptions *options)
{
    if (!options->headers || !*options->headers)
        return NULL;

    g_autofree char *block = g_strconcat(options->headers, "\n\n", NULL);
    return seal_content_new_copy(block, strlen(block));
}

int runner_check(const RunnerOptions *options)
{
    g_autoptr(SealContent) header = header_of(options);
    SealJobSpec spec = {
        .id = options->id,
        .sender = options->sender,
        .recipients = (const char *const *)options->recipients,
        .message = header,
        .header_only = header != NULL,
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(SealJob) job = NULL;

    if (g_strv_length(options->recipients) != 1) {
        g_set_error_literal(&error, SEAL_ERROR, SEAL_ERROR_FAILED, "exactly one address is needed");
        return cannot_tell(options, error);
    }

    g_autoptr(SealDispatcher) dispatcher = runner_open_dispatcher(options);
    if (!dispatcher) {
        say("cannot tell now; the log says why");
        return RUNNER_DEFER;
    }
    runner_watch_arm(seal_dispatcher_deadline(dispatcher) * G_USEC_PER_SEC);
    if (!seal_dispatcher_enabled(dispatcher)) {
        say("sealpipe is disabled. Emails will not be encrypted.");
        return RUNNER_OK;
    }
    job = seal_job_new(&spec, &error);
    if (!job || !seal_dispatcher_check(dispatcher, job, NULL, &error))
        return cannot_tell(options, error);
    return answer(g_ptr_array_index(seal_job_recipients(job), 0));
}
