/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rehearse.c: a mail server asks before it takes a message, or while it can still return it: a
 * filter can only make it wait. No private key is used here.
 */
#include "core/pipeline/rehearse.h"

#include "core/pipeline/apply.h"
#include "core/pipeline/signature.h"
#include "core/plugin/calls.h"

/* Stages that set signers; what others change is no matter for that. */
static gboolean find_signer(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                            GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        const SealStageEntry *stage = g_array_index(pipeline->steps, SealStep, i).stage;

        if (stage && (stage->table.flags & SEAL_STAGE_SIGNS) &&
            !seal_stage_apply(stage, job, delivery, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* The signature stands beside what it signs, and there is no other way. */
static gboolean must_be_sevenbit(const SealJob *job, const SealDelivery *delivery,
                                 const SealFormatEntry *format)
{
    return !job->header_only && delivery->signer && !delivery->opaque &&
           !(format->table.flags & SEAL_FORMAT_OPAQUE) &&
           (delivery->choice != SEAL_CHOICE_SEAL || !(format->table.flags & SEAL_FORMAT_COMBINES));
}

static gboolean rehearse_delivery(const SealPipeline *pipeline, SealJob *job,
                                  SealDelivery *delivery, GCancellable *cancellable, GError **error)
{
    if (!seal_apply_begin(job, delivery, error) ||
        !find_signer(pipeline, job, delivery, cancellable, error))
        return FALSE;
    const SealFormatEntry *format =
        delivery->signer
            ? seal_registry_format(pipeline->registry, seal_key_format(delivery->signer))
            : NULL;
    return !format || !must_be_sevenbit(job, delivery, format) ||
           seal_signature_rehearse(pipeline, delivery, format, error);
}

gboolean seal_rehearse(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                       SealChoice choice, const char *format, GCancellable *cancellable,
                       GError **error)
{
    if (!job->message || recipient->sign != SEAL_NEED_REQUIRED ||
        (choice != SEAL_CHOICE_SEAL && choice != SEAL_CHOICE_CLEAR && choice != SEAL_CHOICE_REPORT))
        return TRUE;

    SealDelivery *delivery = seal_job_add_delivery(job, choice, format, recipient->sign);
    delivery->tag = recipient->policy->tag;
    g_ptr_array_add(delivery->recipients, recipient);
    gboolean ok = rehearse_delivery(pipeline, job, delivery, cancellable, error);
    g_ptr_array_set_size(job->deliveries, 0);
    return ok;
}
