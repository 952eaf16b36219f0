/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * apply.c: takes a delivery through the pipeline: stages in their order, core's own signing and
 * encrypting in between.
 */
#include "core/pipeline/apply.h"

#include "core/base/content.h"
#include "core/pipeline/notice.h"
#include "core/pipeline/signature.h"
#include "core/pipeline/trace.h"
#include "core/pipeline/verify.h"
#include "core/plugin/calls.h"

/* A stage has set a signer: what leaves in clear is signed now. */
static gboolean sign_in_clear(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                              GCancellable *cancellable, GError **error)
{
    if (!delivery->signer || delivery->is_signed || delivery->choice == SEAL_CHOICE_SEAL)
        return TRUE;
    return seal_signature_make(
        pipeline, job, delivery,
        seal_registry_format(pipeline->registry, seal_key_format(delivery->signer)), cancellable,
        error);
}

/* -------------------------------------------------------------------------------------------
 * Encrypting
 */

static gboolean check_signer(const SealDelivery *delivery, const SealFormatEntry *format,
                             GError **error)
{
    if (!delivery->signer || g_str_equal(seal_key_format(delivery->signer), format->table.name))
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "a %s key cannot sign what %s encrypts",
                seal_key_format(delivery->signer), format->table.name);
    return FALSE;
}

static gboolean encrypt_delivery(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                                 const SealFormatEntry *format, GCancellable *cancellable,
                                 GError **error)
{
    gboolean combines = format->table.flags & SEAL_FORMAT_COMBINES;

    if (!check_signer(delivery, format, error) ||
        (delivery->signer && !combines &&
         !seal_signature_make(pipeline, job, delivery, format, cancellable, error)))
        return FALSE;

    g_autoptr(SealMessage) message = seal_message_new(delivery->content, error);
    if (!message || !seal_verify_check_kept(job, delivery, message, error))
        return FALSE;
    g_autoptr(SealContent) inner = seal_message_inner(message);
    SealSealing sealing = {
        .size = sizeof sealing,
        .entity = inner,
        .keys = delivery->keys,
        .signer = combines ? delivery->signer : NULL,
        .hide = delivery->hide,
    };
    g_autoptr(SealContent) sealed = seal_format_encrypt(format, &sealing, cancellable, error);
    if (!sealed)
        return FALSE;

    g_autoptr(GOutputStream) spool = seal_pipeline_spool(pipeline);
    g_autoptr(SealContent) entity = seal_message_match_line_ends(message, sealed, spool, error);
    if (!entity || !seal_content_canonical_size(inner, &delivery->sealed_size, error))
        return FALSE;
    g_autoptr(SealContent) wrapped = seal_message_wrap(message, entity);
    seal_delivery_set_content(delivery, wrapped);
    delivery->is_signed = delivery->is_signed || sealing.signer;
    if (job->explains)
        delivery->inner = g_steal_pointer(&inner);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The steps
 */

static void note_stage(SealJob *job, const char *name)
{
    char *stages = *job->stages ? g_strjoin(",", job->stages, name, NULL) : g_strdup(name);

    g_free(job->stages);
    job->stages = stages;
}

static gboolean take_step(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                          const SealStep *step, GCancellable *cancellable, GError **error)
{
    const SealStageEntry *stage = step->stage;

    /* A report is none of the sender's mail: it is signed, and nothing else; what is left of
     * somebody else's is not even that. */
    if (delivery->choice == SEAL_CHOICE_REDUCED)
        return TRUE;
    if (stage && delivery->choice == SEAL_CHOICE_REPORT && !(stage->table.flags & SEAL_STAGE_SIGNS))
        return TRUE;
    if (stage)
        return seal_stage_apply(stage, job, delivery, cancellable, error) &&
               sign_in_clear(pipeline, job, delivery, cancellable, error);
    if (delivery->choice == SEAL_CHOICE_SEAL && g_str_equal(step->name, delivery->format))
        return encrypt_delivery(pipeline, job, delivery, step->format, cancellable, error);
    return TRUE;
}

static void trace_step(SealJob *job, const SealDelivery *delivery, const SealStep *step,
                       const SealContent *before, const SealKey *signer)
{
    gboolean changed = delivery->content != before;
    gboolean signs = delivery->signer != signer;

    seal_trace_note(job, "step", step->name,
                    changed || signs ? SEAL_VERDICT_PASS : SEAL_VERDICT_SKIP,
                    changed ? "changed"
                    : signs ? "signer"
                            : "unchanged",
                    "%s",
                    changed ? "it has changed the message"
                    : signs ? "it has chosen the key to sign with"
                            : "it has changed nothing");
}

static gboolean apply_step(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                           const SealStep *step, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealContent) before = seal_content_ref(delivery->content);
    const SealKey *signer = delivery->signer;

    if (!seal_pipeline_check_time(cancellable, error) ||
        !take_step(pipeline, job, delivery, step, cancellable, error))
        return FALSE;
    if (delivery->content != before)
        seal_delivery_add_change(delivery, step->name);
    trace_step(job, delivery, step, before, signer);
    if (delivery->content != before || delivery->signer != signer)
        note_stage(job, step->name);
    return TRUE;
}

/* What readers do not show, and nothing protects. */
static gboolean leave_rest_out(SealJob *job, SealDelivery *delivery, GError **error)
{
    g_autoptr(SealMessage) parts = NULL;

    if (!seal_message_without_rest(delivery->source, &parts, error))
        return FALSE;
    if (!parts)
        return seal_job_stop(job, error, "planned as encrypted already, but it is not");
    if (delivery->own_source)
        seal_message_free(delivery->source);
    delivery->source = g_steal_pointer(&parts);
    delivery->own_source = TRUE;
    seal_delivery_note(delivery, "text around the encrypted parts was left out");
    return TRUE;
}

/* The message, without the tag that made a rule win; or a report in its place. */
static gboolean find_source(SealJob *job, SealDelivery *delivery, GError **error)
{
    const SealRecipient *first = g_ptr_array_index(delivery->recipients, 0);

    gboolean without_rest = delivery->choice == SEAL_CHOICE_ALREADY && job->has_rest;

    delivery->own_source = delivery->tag || delivery->choice == SEAL_CHOICE_REPORT ||
                           delivery->choice == SEAL_CHOICE_REDUCED;
    if (delivery->choice == SEAL_CHOICE_REPORT) {
        g_autoptr(SealContent) report = seal_notice_new(job, delivery, &first->policy->notice);
        delivery->source = seal_message_new(report, error);
    } else if (delivery->choice == SEAL_CHOICE_REDUCED) {
        seal_delivery_note(delivery, "a delivery report: reduced to its status fields");
        delivery->source = seal_message_new(job->reduced, error);
    } else if (delivery->tag) {
        delivery->source = seal_message_without_tag(job->message, delivery->tag, error);
    } else {
        delivery->source = job->message;
    }
    return delivery->source && (!without_rest || leave_rest_out(job, delivery, error));
}

/* What became of the signature that it came with. */
static void note_signature(const SealJob *job, SealDelivery *delivery)
{
    if (seal_verify_keeps(delivery))
        seal_delivery_note(delivery, "it came signed by its author");
    else if (job->not_verified && delivery->sign == SEAL_NEED_REQUIRED &&
             delivery->choice != SEAL_CHOICE_REPORT)
        seal_delivery_note(delivery, "the signature that it came with does not count: %s",
                           job->not_verified);
}

gboolean seal_apply_begin(SealJob *job, SealDelivery *delivery, GError **error)
{
    if (!find_source(job, delivery, error))
        return FALSE;

    /* Beside ciphertext no reader may see the header's end too early. */
    g_autoptr(SealContent) clear =
        seal_message_clear(delivery->source, delivery->choice == SEAL_CHOICE_ALREADY);
    seal_delivery_set_content(delivery, clear);
    return TRUE;
}

gboolean seal_apply(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                    GCancellable *cancellable, GError **error)
{
    if (!seal_apply_begin(job, delivery, error))
        return FALSE;
    note_signature(job, delivery);
    if (delivery->choice == SEAL_CHOICE_ALREADY)
        return TRUE;
    for (guint i = 0; i < pipeline->steps->len; i++) {
        if (!apply_step(pipeline, job, delivery, &g_array_index(pipeline->steps, SealStep, i),
                        cancellable, error))
            return FALSE;
    }
    return TRUE;
}
