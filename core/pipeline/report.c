/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report.c: what became of a message, as lines of the log: one for each recipient.
 */
#include "core/base/log.h"
#include "core/base/tally.h"
#include "core/pipeline/account.h"
#include "core/pipeline/job.h"
#include "core/plugin/key.h"

static SealLogLevel level_of(SealVerdict result)
{
    return result == SEAL_VERDICT_DEFER || result == SEAL_VERDICT_NONE      ? SEAL_LOG_ERROR
           : result == SEAL_VERDICT_REFUSE || result == SEAL_VERDICT_REPORT ? SEAL_LOG_WARNING
                                                                            : SEAL_LOG_INFO;
}

/* Those that it was encrypted to, or the one that signed. (transfer full) */
static char *key_names(const SealRecipient *recipient)
{
    const SealKey *first = recipient->key;
    g_autoptr(GString) names = g_string_new(first ? seal_key_fingerprint(first) : NULL);

    for (guint i = 0; i < recipient->keys->len && recipient->result == SEAL_VERDICT_SEALED; i++) {
        const SealKey *key = g_ptr_array_index(recipient->keys, i);

        if (first && key != first && g_str_equal(seal_key_format(key), seal_key_format(first)))
            g_string_append_printf(names, ",%s", seal_key_fingerprint(key));
    }
    return g_strdup(names->str);
}

/* Whose key it is, as far as that is not the recipient's own. */
static const char *serves_as(const SealRecipient *recipient)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(recipient->address);
    SealServes serves = seal_key_serves(recipient->key, recipient->address);

    if (bare && serves != SEAL_SERVES_ADDRESS)
        serves = seal_key_serves(recipient->key, bare);
    if (recipient->result != SEAL_VERDICT_SEALED || serves == SEAL_SERVES_ADDRESS)
        return "";
    return serves == SEAL_SERVES_DOMAIN ? ":domain" : ":bound";
}

/* Where the key comes from, and how far it is believed: by its source, or by whom else. */
static void put_origin(SealLogLine *line, const SealRecipient *recipient)
{
    const SealKey *key = recipient->key;
    g_autofree char *origin =
        key ? g_strconcat(seal_key_source(key), serves_as(recipient), NULL) : NULL;

    seal_log_put(line, "origin", origin);
    seal_log_put(line, "trust", key ? seal_trust_name(seal_key_trust(key)) : "");
    if (key && seal_key_proven_by(key))
        seal_log_put(line, "proof", seal_key_proven_by(key));
}

static void log_recipient(SealJob *job, const SealRecipient *recipient, SealLogLevel level)
{
    g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_RESULT);
    g_autofree char *names = key_names(recipient);

    seal_log_put(line, "id", seal_job_id(job));
    seal_log_put(line, "from", job->sender_text);
    seal_log_put(line, "to", seal_address_text(recipient->address));
    seal_log_put(line, "result", seal_verdict_name(recipient->result));
    seal_log_put(line, "format", seal_account_format(recipient));
    seal_log_put(line, "key", names);
    put_origin(line, recipient);
    seal_log_put(line, "rule", seal_recipient_rule(recipient));
    seal_log_put(line, "stages", job->stages);
    seal_log_put(line, "signer", recipient->signer ? seal_key_fingerprint(recipient->signer) : "");
    seal_log_put_by(line);
    seal_log_put_number(line, "bytes", (gint64)job->size);
    seal_log_put_number(line, "ms", (g_get_monotonic_time() - job->started) / 1000);
    g_autofree char *reason = recipient->detail && recipient->reason
                                  ? g_strjoin("; ", recipient->reason, recipient->detail, NULL)
                                  : NULL;
    seal_log_put(line, "reason", reason ? reason : recipient->reason);
    seal_log_write(level, line);
}

static void count_recipient(SealJob *job, const SealRecipient *recipient)
{
    gboolean undecided = recipient->result == SEAL_VERDICT_NONE;

    seal_tally_count(&(SealTallyEntry){
        .id = seal_job_id(job),
        .to = seal_address_text(recipient->address),
        .result = seal_verdict_name(undecided ? SEAL_VERDICT_DEFER : recipient->result),
        .reason = recipient->fault ? recipient->fault : seal_account_code(recipient),
        .format = seal_account_format(recipient),
        .text = recipient->reason,
    });
}

static void log_decision(SealJob *job, const SealDecision *decision)
{
    g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_DECISION);

    seal_log_put(line, "id", seal_job_id(job));
    seal_log_put(line, "step", seal_decision_step(decision));
    seal_log_put(line, "subject", seal_decision_subject(decision));
    seal_log_put(line, "verdict", seal_verdict_name(seal_decision_verdict(decision)));
    seal_log_put(line, "code", seal_decision_code(decision));
    seal_log_put(line, "key", seal_decision_key(decision));
    seal_log_put(line, "text", seal_decision_text(decision));
    seal_log_write(SEAL_LOG_DEBUG, line);
}

static void log_decisions(SealJob *job)
{
    for (guint i = 0; i < job->decisions->len && seal_log_has_level(SEAL_LOG_DEBUG); i++)
        log_decision(job, g_ptr_array_index(job->decisions, i));
}

void seal_log_job(SealJob *job)
{
    seal_account_job(job, FALSE);
    log_decisions(job);
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        log_recipient(job, recipient, level_of(recipient->result));
        count_recipient(job, recipient);
    }
}

void seal_log_answer(SealJob *job)
{
    seal_account_job(job, TRUE);
    log_decisions(job);
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        gboolean stays = recipient->result == SEAL_VERDICT_REFUSE ||
                         level_of(recipient->result) == SEAL_LOG_ERROR;

        log_recipient(job, recipient, stays ? level_of(recipient->result) : SEAL_LOG_DEBUG);
    }
}

/* -------------------------------------------------------------------------------------------
 * Without a job
 */

static void log_result(SealLogLevel level, const char *id, const char *sender, const char *to,
                       SealVerdict result, const char *word, const char *reason)
{
    g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_RESULT);

    seal_log_put(line, "id", id);
    seal_log_put(line, "from", sender && !*sender ? "<>" : sender);
    seal_log_put(line, "to", to);
    seal_log_put(line, "result", seal_verdict_name(result));
    seal_log_put_by(line);
    seal_log_put(line, "reason", reason);
    seal_log_write(level, line);
    seal_tally_count(&(SealTallyEntry){
        .id = id, .to = to, .result = seal_verdict_name(result), .reason = word, .text = reason});
}

void seal_log_disabled(const char *id, const char *sender, const char *const *recipients)
{
    static const char notice[] = "sealpipe is disabled. Emails will not be encrypted.";
    g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_DISABLED);

    seal_log_put_text(line, notice);
    seal_log_write(SEAL_LOG_WARNING, line);
    seal_account_texts(sender, recipients, SEAL_VERDICT_PLAIN, "disabled");
    for (; *recipients; recipients++)
        log_result(SEAL_LOG_INFO, id, sender, *recipients, SEAL_VERDICT_PLAIN, "disabled", notice);
}

void seal_log_error(const char *id, const char *sender, const char *const *recipients,
                    const GError *error)
{
    const char *word = seal_tally_reason_of(error);

    seal_account_texts(sender, recipients, SEAL_VERDICT_DEFER, "error");
    if (!recipients || !*recipients)
        log_result(SEAL_LOG_ERROR, id, sender, NULL, SEAL_VERDICT_DEFER, word, error->message);
    for (; recipients && *recipients; recipients++)
        log_result(SEAL_LOG_ERROR, id, sender, *recipients, SEAL_VERDICT_DEFER, word,
                   error->message);
}

void seal_log_refused(const char *id, const char *sender, const char *recipient,
                      const GError *error)
{
    const char *const recipients[] = {recipient, NULL};

    seal_account_texts(sender, recipients, SEAL_VERDICT_REFUSE, "address");
    log_result(SEAL_LOG_WARNING, id, sender, recipient, SEAL_VERDICT_REFUSE,
               seal_tally_reason_of(error), error->message);
}
