/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plan.c: what is to happen to each recipient, before anything is changed.
 */
#include "core/pipeline/dispatcher.h"

#include "core/mail/message.h"

/* -------------------------------------------------------------------------------------------
 * The message as it came
 */

static gboolean look_at_message(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                                GError **error)
{
    GPtrArray *formats = seal_registry_formats(dispatcher->registry);

    if (!job->message || job->header_only)
        return TRUE;
    for (guint i = 0; i < formats->len && !job->already_sealed; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        g_autoptr(SealDetection) detection = seal_detection_new();

        if (!format->table.detect(format->module, seal_message_entity(job->message), cancellable,
                                  detection, error))
            return FALSE;
        job->already_sealed = seal_detection_what(detection) == SEAL_DETECTED_ENCRYPTED;
        job->already_signed =
            job->already_signed || seal_detection_what(detection) == SEAL_DETECTED_SIGNED;
    }
    return TRUE;
}

/* What policy says of signing, unless the message is none that is signed. */
static SealNeed sign_need(const SealJob *job, const SealPolicy *policy)
{
    if (seal_job_is_bounce(job) ||
        (job->already_sealed && policy->already_sealed == SEAL_ALREADY_PASS) ||
        (job->already_signed && policy->keep_signed))
        return SEAL_NEED_NEVER;
    return policy->sign;
}

/* -------------------------------------------------------------------------------------------
 * Stages
 */

/* A stage may let a recipient pass, say that it cannot be served, or refuse it. */
static gboolean ask_stage(SealJob *job, SealRecipient *recipient, const SealStageEntry *stage,
                          GError **error)
{
    const char *name = stage->table.name;
    SealDecision *decision = seal_job_decide(job, name, seal_address_text(recipient->address));

    if (!stage->table.plan) {
        seal_decision_set(decision, SEAL_VERDICT_PASS, "pass", "no objection");
        return TRUE;
    }
    if (!stage->table.plan(stage->module, job, recipient, decision, error))
        return FALSE;
    switch (seal_decision_verdict(decision)) {
    case SEAL_VERDICT_PASS:
        return TRUE;
    case SEAL_VERDICT_UNABLE:
        recipient->unable = TRUE;
        g_free(recipient->no_key);
        recipient->no_key = g_strdup(seal_decision_text(decision));
        recipient->asked_for = recipient->asked_for ||
                               recipient->policy->encrypt != SEAL_NEED_NEVER ||
                               recipient->sign != SEAL_NEED_NEVER;
        /* What follows is the stage's word alone: no signature can be required beside it. */
        if (seal_recipient_stage_decides(recipient))
            recipient->sign = SEAL_NEED_NEVER;
        return TRUE;
    case SEAL_VERDICT_REFUSE:
        seal_job_settle(job, recipient, SEAL_VERDICT_REFUSE, seal_decision_code(decision), "%s",
                        seal_decision_text(decision));
        return TRUE;
    default:
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the stage %s did not decide about %s",
                    name, seal_address_text(recipient->address));
        return FALSE;
    }
}

static gboolean ask_stages(SealDispatcher *dispatcher, SealJob *job, SealRecipient *recipient,
                           GError **error)
{
    for (guint i = 0; i < dispatcher->outbound->len; i++) {
        const SealStep *step = &g_array_index(dispatcher->outbound, SealStep, i);

        if (step->stage && !ask_stage(job, recipient, step->stage, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

static gboolean find_key(SealDispatcher *dispatcher, SealJob *job, SealRecipient *recipient,
                         const SealFormatEntry *format, GCancellable *cancellable, GError **error)
{
    SealKeyQuery query = {
        .address = recipient->address,
        .format = format,
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = recipient->policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
    };
    g_autoptr(SealKey) key = NULL;
    g_autofree char *why = NULL;

    if (!seal_keyring_find(dispatcher->keyring, job, &query, cancellable, &key, &why, error))
        return FALSE;
    if (key) {
        SealChoice *choice = g_new0(SealChoice, 1);
        choice->format = format->table.name;
        choice->key = g_steal_pointer(&key);
        g_ptr_array_add(recipient->keys, choice);
    } else if (!recipient->no_key) {
        recipient->no_key = g_steal_pointer(&why);
    }
    return TRUE;
}

/* @every_format: look beyond the first format with a key, since recipients that share one output
 * must agree on one. */
static gboolean find_keys(SealDispatcher *dispatcher, SealJob *job, SealRecipient *recipient,
                          gboolean every_format, GCancellable *cancellable, GError **error)
{
    const char *const *formats = recipient->policy->formats;

    for (; *formats && (every_format || recipient->keys->len == 0); formats++) {
        const SealFormatEntry *format = seal_dispatcher_step_format(dispatcher, *formats);

        if (format && !find_key(dispatcher, job, recipient, format, cancellable, error))
            return FALSE;
    }
    if (recipient->keys->len == 0 && !recipient->no_key)
        recipient->no_key =
            g_strdup("no format stands in the pipeline and in the policy's formats");
    return TRUE;
}

/* A recipient about whom a source could not find out waits; the others need not. */
static gboolean find_keys_or_defer(SealDispatcher *dispatcher, SealJob *job,
                                   SealRecipient *recipient, gboolean every_format,
                                   GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (find_keys(dispatcher, job, recipient, every_format, cancellable, &problem))
        return TRUE;
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "unavailable", "%s", problem->message);
    return TRUE;
}

/* In one output, a recipient who needs no encryption shares that of those who do. */
static gboolean needs_keys(const SealJob *job, const SealRecipient *recipient, SealNeed highest)
{
    SealNeed need = job->one_output ? highest : recipient->policy->encrypt;

    return need != SEAL_NEED_NEVER && recipient->result == SEAL_VERDICT_NONE && !recipient->unable;
}

/* With @policy, and as if nothing had been found out about the recipient yet. */
static gboolean begin(SealDispatcher *dispatcher, SealJob *job, SealRecipient *recipient,
                      const SealPolicy *policy, GError **error)
{
    seal_recipient_reset(recipient);
    recipient->policy = policy;
    recipient->sign = sign_need(job, policy);
    return ask_stages(dispatcher, job, recipient, error);
}

gboolean seal_plan(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                   GError **error)
{
    gboolean shared = job->one_output && job->recipients->len > 1;
    SealNeed highest = SEAL_NEED_NEVER;

    if (!look_at_message(dispatcher, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        const SealPolicy *policy = seal_policies_find(dispatcher->policies, job, recipient, 0);

        highest = MAX(highest, policy->encrypt);
        if (!begin(dispatcher, job, recipient, policy, error))
            return FALSE;
    }
    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        if (needs_keys(job, recipient, highest) &&
            !find_keys_or_defer(dispatcher, job, recipient, shared, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Answering without a message
 */

static void answer(SealJob *job, SealRecipient *recipient)
{
    static const SealVerdict RESULTS[] = {
        [SEAL_FALLBACK_ALLOW] = SEAL_VERDICT_PLAIN,
        [SEAL_FALLBACK_REPORT] = SEAL_VERDICT_REPORT,
        [SEAL_FALLBACK_REFUSE] = SEAL_VERDICT_REFUSE,
    };
    const SealPolicy *policy = recipient->policy;
    const char *why = recipient->no_key ? recipient->no_key : "";

    if (recipient->result != SEAL_VERDICT_NONE)
        return;
    if (policy->encrypt == SEAL_NEED_NEVER && !seal_recipient_stage_decides(recipient))
        seal_job_settle(job, recipient, SEAL_VERDICT_PLAIN, "never", "encrypt=never");
    else if (recipient->keys->len > 0)
        seal_job_settle(job, recipient, SEAL_VERDICT_SEALED, "key", "a usable key is there");
    else
        seal_job_settle(job, recipient, RESULTS[seal_recipient_fallback(recipient)], "no-key", "%s",
                        why);
}

static gboolean is_handled(const SealRecipient *recipient)
{
    return recipient->result != SEAL_VERDICT_REFUSE && recipient->result != SEAL_VERDICT_DEFER;
}

/* By each policy that may hold, until one says that the message will be handled. */
static gboolean answer_one(SealDispatcher *dispatcher, SealJob *job, SealRecipient *recipient,
                           GCancellable *cancellable, GError **error)
{
    const SealPolicy *policy;

    for (guint i = 0;
         (policy = seal_policies_find(dispatcher->policies, job, recipient, i)) != NULL; i++) {
        if (!begin(dispatcher, job, recipient, policy, error))
            return FALSE;
        if (needs_keys(job, recipient, policy->encrypt) &&
            !find_keys_or_defer(dispatcher, job, recipient, FALSE, cancellable, error))
            return FALSE;
        answer(job, recipient);
        if (is_handled(recipient))
            return TRUE;
    }
    return TRUE;
}

gboolean seal_plan_answer(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                          GError **error)
{
    for (guint i = 0; i < job->recipients->len; i++) {
        if (!answer_one(dispatcher, job, g_ptr_array_index(job->recipients, i), cancellable, error))
            return FALSE;
    }
    return TRUE;
}
