/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plan.c: what is to happen to each recipient, before anything is changed.
 */
#include "core/pipeline/plan.h"

#include "core/mail/bounce.h"
#include "core/pipeline/already.h"
#include "core/pipeline/archive.h"
#include "core/pipeline/cause.h"
#include "core/pipeline/rehearse.h"
#include "core/pipeline/size.h"
#include "core/pipeline/trace.h"
#include "core/pipeline/verify.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * The message as it came
 */

/* Where the body is not known: what says of itself that it is encrypted, or may be. */
static gboolean may_be_encrypted(SealJob *job)
{
    static const char *const types[] = {"multipart/encrypted", "application/pkcs7-mime",
                                        "application/x-pkcs7-mime", "application/octet-stream",
                                        NULL};

    return job->header_only &&
           g_strv_contains(types, seal_entity_type(seal_message_entity(job->message)));
}

/* Likewise, signed. */
static gboolean may_be_signed(SealJob *job)
{
    return job->header_only &&
           g_str_equal(seal_entity_type(seal_message_entity(job->message)), "multipart/signed");
}

/* Without the message every one of the null sender's may be a delivery report. */
static gboolean look_at_report(SealJob *job, GError **error)
{
    gboolean bounce = seal_job_is_bounce(job);

    if (!job->message || job->header_only) {
        job->is_status = bounce && (!job->message || seal_bounce_is_status(job->message));
        return TRUE;
    }
    job->returns = seal_bounce_returns(job->message);
    if (bounce && !job->reduced && !seal_bounce_reduce(job->message, &job->reduced, error))
        return FALSE;
    job->is_status = job->reduced != NULL;
    return TRUE;
}

/* What is wrong with its structure is the job's fault. */
static gboolean look_at_message(const SealPipeline *pipeline, SealJob *job,
                                GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;

    return (seal_already_look(pipeline, job, cancellable, &problem) &&
            look_at_report(job, &problem)) ||
           seal_job_take_fault(job, problem, error);
}

/* What policy says of signing, unless the message is none that is signed. */
static SealNeed sign_need(SealJob *job, const SealRecipient *recipient, const SealPolicy *policy)
{
    if (may_be_encrypted(job) || may_be_signed(job) ||
        (seal_job_is_bounce(job) &&
         (job->returns || job->reduced || policy->sign != SEAL_NEED_REQUIRED)) ||
        (job->returns && policy->sign != SEAL_NEED_REQUIRED) ||
        (recipient->is_sealed && policy->already_sealed == SEAL_ALREADY_PASS) ||
        (job->already_signed && policy->keep_signed &&
         (policy->sign != SEAL_NEED_REQUIRED || recipient->keeps_signature)))
        return SEAL_NEED_NEVER;
    return policy->sign;
}

/* A signature that came with the message takes the place of one that must be made only where it is
 * the author's. A recipient for whom that cannot be found out waits. */
static gboolean find_sign_need(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                               const SealPolicy *policy, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (sign_need(job, recipient, policy) == SEAL_NEED_REQUIRED && job->already_signed &&
        policy->keep_signed &&
        !seal_verify(pipeline, job, recipient, policy->min_trust, cancellable, &problem)) {
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "unavailable",
                        "the signature that it came with cannot be verified now: %s",
                        problem->message);
    }
    recipient->sign = sign_need(job, recipient, policy);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Stages
 */

/* What cannot be signed may have come with a signature: then it matters why that does not count,
 * and whether that may change. */
static void refuse_for_stage(SealJob *job, SealRecipient *recipient, const SealStageEntry *stage,
                             const SealDecision *decision)
{
    gboolean came_signed = (stage->table.flags & SEAL_STAGE_SIGNS) && job->not_verified &&
                           recipient->policy->keep_signed;

    g_autofree char *demand = stage->table.flags & SEAL_STAGE_SIGNS
                                  ? seal_recipient_demand(recipient, "sign")
                                  : g_strdup("");

    seal_job_settle(job, recipient,
                    came_signed && job->signature_in_doubt ? SEAL_VERDICT_DEFER
                                                           : SEAL_VERDICT_REFUSE,
                    seal_decision_code(decision), "%s%s%s%s", seal_decision_text(decision),
                    came_signed ? "; its own signature does not count: " : "",
                    came_signed ? job->not_verified : "", demand);
}

/* A stage may let a recipient pass, say that it cannot be served, or refuse it. */
static gboolean ask_stage(SealJob *job, SealRecipient *recipient, const SealStageEntry *stage,
                          GError **error)
{
    SealDecision *decision =
        seal_job_decide(job, stage->table.name, seal_address_text(recipient->address));

    seal_trace_stage(job, decision);
    if (!seal_stage_plan(stage, job, recipient, decision, error))
        return FALSE;
    if (seal_decision_verdict(decision) == SEAL_VERDICT_REFUSE)
        refuse_for_stage(job, recipient, stage, decision);
    if (seal_decision_verdict(decision) != SEAL_VERDICT_UNABLE)
        return TRUE;

    recipient->unable = TRUE;
    g_free(recipient->no_key);
    recipient->no_key = g_strdup(seal_decision_text(decision));
    /* What ails a stage is the operator's own affair. */
    g_clear_pointer(&recipient->cause, g_free);
    recipient->asked_for = recipient->asked_for || recipient->policy->encrypt != SEAL_NEED_NEVER ||
                           recipient->sign != SEAL_NEED_NEVER;
    /* What follows is the stage's word alone: no signature can be required beside it. */
    if (seal_recipient_stage_decides(recipient))
        recipient->sign = SEAL_NEED_NEVER;
    return TRUE;
}

static gboolean ask_stages(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                           GError **error)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        const SealStep *step = &g_array_index(pipeline->steps, SealStep, i);

        if (step->stage && !ask_stage(job, recipient, step->stage, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

/* Appends to what the log has. */
static void add_detail(SealRecipient *recipient, const char *text)
{
    char *all = recipient->detail ? g_strjoin("; ", recipient->detail, text, NULL) : g_strdup(text);

    g_free(recipient->detail);
    recipient->detail = all;
}

/* What stands in the way is appended to @causes. */
static gboolean find_key(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                         const SealFormatEntry *format, GArray *causes, GCancellable *cancellable,
                         GError **error)
{
    SealKeyQuery query = {
        .address = recipient->address,
        .format = format,
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = recipient->policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .every = !recipient->policy->newest_key,
    };
    guint first = job->decisions->len;
    SealCause cause = {0};
    g_autofree char *detail = NULL;
    gboolean in_doubt = FALSE;

    if (!seal_keyring_find(pipeline->keyring, job, &query, cancellable, recipient->keys,
                           &cause.text, &detail, &in_doubt, error))
        return FALSE;
    if (!cause.text)
        return TRUE;
    if (detail && !(recipient->detail && strstr(recipient->detail, detail)))
        add_detail(recipient, detail);
    cause.rank = seal_cause_rank_of(job->decisions, first);
    if (in_doubt)
        cause.rank = MAX(cause.rank, seal_cause_rank(SEAL_CODE_IN_DOUBT));
    g_array_append_val(causes, cause);
    recipient->in_doubt = recipient->in_doubt || in_doubt;
    recipient->unsupported =
        recipient->unsupported || seal_cause_has(job->decisions, first, SEAL_CODE_UNSUPPORTED);
    recipient->pinned = recipient->pinned || seal_cause_has(job->decisions, first, "pinned");
    recipient->waits = recipient->waits || seal_cause_has(job->decisions, first, "pending");
    return TRUE;
}

/* Why there is none at all: that much for everybody, the rest for the log. */
static void add_lack(const SealPipeline *pipeline, SealRecipient *recipient)
{
    g_autofree char *names = NULL;
    g_autofree char *lack =
        seal_keyring_lack(pipeline->keyring, recipient->policy->min_trust, &names);

    if (!lack)
        return;
    g_autofree char *why = g_steal_pointer(&recipient->no_key);
    recipient->no_key =
        g_strdup_printf("%s; something that key source %s reads is empty", why, names);
    add_detail(recipient, lack);
}

static guint highest_rank(const GArray *causes)
{
    guint highest = 0;

    for (guint i = 0; i < causes->len; i++)
        highest = MAX(highest, g_array_index(causes, SealCause, i).rank);
    return highest;
}

/* @every_format: look beyond the first format with a key, since recipients that share one output
 * must agree on one. */
static gboolean find_keys(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                          gboolean every_format, GCancellable *cancellable, GError **error)
{
    const char *const *formats = recipient->policy->formats;
    g_autoptr(GArray) causes = g_array_new(FALSE, FALSE, sizeof(SealCause));

    g_array_set_clear_func(causes, (GDestroyNotify)seal_cause_clear);
    for (; *formats && (every_format || recipient->keys->len == 0); formats++) {
        const SealFormatEntry *format = seal_pipeline_format(pipeline, *formats);

        if (format && !find_key(pipeline, job, recipient, format, causes, cancellable, error))
            return FALSE;
    }
    for (; *formats; formats++)
        seal_trace_note(job, "format", *formats, SEAL_VERDICT_SKIP, "not-asked",
                        "no %s key was looked for: a format before it has one", *formats);
    if (causes->len > 0) {
        g_free(recipient->no_key);
        recipient->no_key = seal_cause_tell((SealCause *)(void *)causes->data, causes->len);
        g_free(recipient->cause);
        recipient->cause = g_strdup(recipient->no_key);
        if (recipient->keys->len == 0 && highest_rank(causes) == 0)
            add_lack(pipeline, recipient);
    }
    if (recipient->keys->len == 0 && !recipient->no_key)
        recipient->no_key = g_strdup(SEAL_NO_FORMAT);
    if (recipient->keys->len == 0 && job->sealed_partly) {
        g_autofree char *why = g_steal_pointer(&recipient->no_key);
        recipient->no_key = g_strdup_printf("%s; and the message is not encrypted as a whole: %s",
                                            why, job->sealed_partly);
    }
    return TRUE;
}

/* A recipient about whom a source could not find out waits; the others need not. */
static gboolean or_defer(SealJob *job, SealRecipient *recipient, gboolean found, GError *problem,
                         GError **error)
{
    g_autoptr(GError) why = problem;

    if (found)
        return TRUE;
    if (!g_error_matches(why, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
    }
    seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "unavailable", "%s", why->message);
    return TRUE;
}

/* One whose only fit key waits for leave does so with it, since leave may come: in clear mail would
 * leave for a change that has been noticed. */
static void settle_as_waiting(SealJob *job, SealRecipient *recipient, SealNeed need)
{
    const SealPolicy *policy = recipient->policy;
    gboolean leaves = recipient->unable ||
                      (recipient->is_sealed && policy->already_sealed == SEAL_ALREADY_PASS) ||
                      seal_recipient_facts(job, recipient).may_reduce;

    if (recipient->waits && recipient->keys->len == 0 && !leaves &&
        (need == SEAL_NEED_REQUIRED || policy->encrypt != SEAL_NEED_NEVER))
        seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "pending",
                        "%s; see `sealctl keys pending`", recipient->no_key);
}

/* So does one who must be encrypted to (@need) and whose key may be in what could not be read. */
static gboolean find_keys_or_defer(const SealPipeline *pipeline, SealJob *job,
                                   SealRecipient *recipient, SealNeed need, gboolean every_format,
                                   GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;
    gboolean found = find_keys(pipeline, job, recipient, every_format, cancellable, &problem);

    if (found && need == SEAL_NEED_REQUIRED && recipient->in_doubt && recipient->keys->len == 0)
        seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "unavailable", "%s", recipient->no_key);
    else if (found)
        settle_as_waiting(job, recipient, need);
    return or_defer(job, recipient, found, problem, error);
}

/* In one output, a recipient who needs no encryption shares that of those who do. */
static SealNeed key_need(const SealJob *job, const SealRecipient *recipient, SealNeed highest)
{
    if (recipient->result != SEAL_VERDICT_NONE || recipient->unable)
        return SEAL_NEED_NEVER;
    return job->one_output ? highest : recipient->policy->encrypt;
}

/* With @policy, and as if nothing had been found out about the recipient yet. */
static gboolean begin_recipient(const SealPipeline *pipeline, SealJob *job,
                                SealRecipient *recipient, const SealPolicy *policy,
                                GCancellable *cancellable, GError **error)
{
    GError *problem = NULL;

    seal_recipient_reset(recipient);
    recipient->policy = policy;
    gboolean found = seal_already_ask(pipeline, job, recipient, policy, cancellable, &problem);
    if (!or_defer(job, recipient, found, problem, error) ||
        !find_sign_need(pipeline, job, recipient, policy, cancellable, error))
        return FALSE;
    if (job->returns && recipient->sign == SEAL_NEED_REQUIRED &&
        recipient->result == SEAL_VERDICT_NONE) {
        seal_job_settle(job, recipient, SEAL_VERDICT_REFUSE, "returns",
                        "a report that returns a message is never signed, and sign=required");
        recipient->sign = SEAL_NEED_NEVER;
    }
    return recipient->result != SEAL_VERDICT_NONE || ask_stages(pipeline, job, recipient, error);
}

gboolean seal_plan(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                   GError **error)
{
    gboolean shared = job->one_output && job->recipients->len > 1;
    SealNeed highest = SEAL_NEED_NEVER;

    if (!look_at_message(pipeline, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->recipients->len && !job->fault; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        const SealPolicy *policy = seal_policies_find(pipeline->policies, job, recipient, 0);

        seal_trace_recipient(job, recipient);
        if (job->explains)
            seal_policies_explain(pipeline->policies, job, recipient);
        highest = MAX(highest, policy->encrypt);
        if (!begin_recipient(pipeline, job, recipient, policy, cancellable, error))
            return FALSE;
    }
    for (guint i = 0; i < job->recipients->len && !job->fault; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        SealNeed need = key_need(job, recipient, highest);

        seal_trace_recipient(job, recipient);
        if (need != SEAL_NEED_NEVER &&
            !find_keys_or_defer(pipeline, job, recipient, need, shared, cancellable, error))
            return FALSE;
    }
    seal_trace_message(job);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Answering without a message
 */

static gboolean is_handled(const SealRecipient *recipient)
{
    return recipient->result != SEAL_VERDICT_REFUSE && recipient->result != SEAL_VERDICT_DEFER;
}

static void settle_by_answer(SealJob *job, SealRecipient *recipient, const SealAnswer *answer)
{
    const SealAddress *archive =
        answer->choice == SEAL_CHOICE_SEAL ? recipient->policy->archive_to : NULL;

    g_autofree char *reason = seal_recipient_reason_of(recipient, answer);

    seal_job_settle(job, recipient, seal_choice_verdict(answer->choice), answer->code, "%s%s%s",
                    reason, archive ? "; encrypted as well to archive_to=" : "",
                    archive ? seal_address_text(archive) : "");
}

/* Or refused, where it must be signed and could not be, or is too large. */
static gboolean settle_as_chosen(const SealPipeline *pipeline, SealJob *job,
                                 SealRecipient *recipient, GCancellable *cancellable,
                                 GError **error)
{
    SealFacts facts = seal_recipient_facts(job, recipient);
    SealAnswer answer;
    g_autoptr(GError) problem = NULL;

    if (!seal_archive_choose(pipeline, job, recipient, &facts, cancellable, &answer, error))
        return FALSE;
    if (recipient->result != SEAL_VERDICT_NONE)
        return TRUE;
    const char *format = answer.choice == SEAL_CHOICE_SEAL
                             ? seal_key_format(g_ptr_array_index(recipient->keys, 0))
                             : NULL;
    if (seal_rehearse(pipeline, job, recipient, answer.choice, format, cancellable, &problem)) {
        settle_by_answer(job, recipient, &answer);
    } else if (seal_error_is_for_good(problem)) {
        seal_job_refuse(job, recipient, problem);
    } else {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return !is_handled(recipient) ||
           seal_size_answer(pipeline, job, recipient, answer.choice, error);
}

/* To whom, only the body says. */
static void settle_as_encrypted(SealJob *job, SealRecipient *recipient)
{
    const SealPolicy *policy = recipient->policy;

    if (recipient->result == SEAL_VERDICT_NONE && policy->encrypt != SEAL_NEED_NEVER &&
        policy->already_sealed == SEAL_ALREADY_PASS && may_be_encrypted(job))
        seal_job_settle(job, recipient, SEAL_VERDICT_SEALED, "already-sealed",
                        "it says that it is encrypted already, which the message itself will show");
}

/* Whoever asks may want to know how sure the answer is, and with what more it would be. */
static void note_undecided(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient)
{
    g_autofree char *rules = seal_policies_undecided(pipeline->policies, job, recipient);
    char *reason;

    if (!rules)
        return;
    reason = g_strdup_printf("%s; not decided without the %s: rule %s", recipient->reason,
                             job->message ? "body" : "message", rules);
    g_free(recipient->reason);
    recipient->reason = reason;
}

/* By each policy that may hold, until one says that the message will be handled. */
static gboolean answer_one(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                           GCancellable *cancellable, GError **error)
{
    const SealPolicy *policy;

    for (guint i = 0; (policy = seal_policies_find(pipeline->policies, job, recipient, i)) != NULL;
         i++) {
        if (!begin_recipient(pipeline, job, recipient, policy, cancellable, error))
            return FALSE;
        settle_as_encrypted(job, recipient);
        SealNeed need = key_need(job, recipient, policy->encrypt);
        if (need != SEAL_NEED_NEVER && recipient->result == SEAL_VERDICT_NONE &&
            !find_keys_or_defer(pipeline, job, recipient, need, FALSE, cancellable, error))
            return FALSE;
        if (!settle_as_chosen(pipeline, job, recipient, cancellable, error))
            return FALSE;
        if (is_handled(recipient)) {
            note_undecided(pipeline, job, recipient);
            return TRUE;
        }
    }
    return TRUE;
}

gboolean seal_plan_answer(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                          GError **error)
{
    if (!look_at_message(pipeline, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->recipients->len && !job->fault; i++) {
        if (!answer_one(pipeline, job, g_ptr_array_index(job->recipients, i), cancellable, error))
            return FALSE;
    }
    return TRUE;
}
