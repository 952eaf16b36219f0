/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * size.c: what is larger than the mail server takes would come back, or wait, after all the work.
 * Octets are counted as SIZE does (RFC 1870 3), with CRLF.
 */
#include "core/pipeline/size.h"

#include "core/base/content.h"

enum { LINE = 76 }; /* of base64 (RFC 2045 6.8) */

static void refuse_recipient(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                             const char *least, guint64 size)
{
    seal_job_settle(job, recipient, SEAL_VERDICT_REFUSE, "size",
                    "the message is too large: it would leave with %s%" G_GUINT64_FORMAT
                    " octets, and the mail server takes %" G_GUINT64_FORMAT " ([core] size_limit)",
                    least, size, pipeline->size_limit);
}

static void refuse_delivery(const SealPipeline *pipeline, SealJob *job,
                            const SealDelivery *delivery, const char *least, guint64 size)
{
    for (guint i = 0; i < delivery->recipients->len; i++)
        refuse_recipient(pipeline, job, g_ptr_array_index(delivery->recipients, i), least, size);
}

/* -------------------------------------------------------------------------------------------
 * What it will be, at least
 */

static guint64 size_in_base64(guint64 octets)
{
    guint64 characters = (octets + 2) / 3 * 4;

    return characters + (characters + LINE - 1) / LINE * 2;
}

/* A stage may leave something out, unless it only signs. */
static gboolean may_shrink(const SealPipeline *pipeline)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        const SealStageEntry *stage = g_array_index(pipeline->steps, SealStep, i).stage;

        if (stage && stage->table.apply && !(stage->table.flags & SEAL_STAGE_SIGNS))
            return TRUE;
    }
    return FALSE;
}

static gboolean body_size(const SealJob *job, guint64 *ret_size, GError **error)
{
    *ret_size = job->body_size;
    return job->header_only ||
           seal_content_canonical_size(seal_entity_body(seal_message_entity(job->message)),
                                       ret_size, error);
}

/* The fields that stay outside, and the body in base64. 0: not known, since what the format makes
 * may be compressed. The tag that goes is one of the Subject's words. */
static gboolean sealed_size(const SealPipeline *pipeline, const SealJob *job, const char *format,
                            const char *tag, guint64 *ret_size, GError **error)
{
    g_autoptr(SealContent) empty = seal_content_new_copy("", 0);
    guint64 body = 0, outside = 0;

    *ret_size = 0;
    if (!(seal_pipeline_format(pipeline, format)->table.flags & SEAL_FORMAT_INCOMPRESSIBLE) ||
        may_shrink(pipeline))
        return TRUE;
    g_autoptr(SealContent) fields = seal_message_wrap(job->message, empty);
    if (!body_size(job, &body, error) || !seal_content_canonical_size(fields, &outside, error))
        return FALSE;
    *ret_size = size_in_base64(body) + (tag ? 0 : outside);
    return TRUE;
}

/* As it came, without what never leaves. */
static gboolean clear_size(const SealPipeline *pipeline, const SealJob *job, guint64 *ret_size,
                           GError **error)
{
    g_autoptr(SealContent) header = seal_message_clear(job->message, FALSE);

    *ret_size = 0;
    if (may_shrink(pipeline))
        return TRUE;
    if (!seal_content_canonical_size(header, ret_size, error))
        return FALSE;
    *ret_size += job->body_size;
    return TRUE;
}

gboolean seal_size_foresee(const SealPipeline *pipeline, SealJob *job, const SealDelivery *delivery,
                           gboolean *fits, GError **error)
{
    guint64 size = 0;

    *fits = TRUE;
    if (pipeline->size_limit == 0 || job->any_size || delivery->choice != SEAL_CHOICE_SEAL)
        return TRUE;
    if (!sealed_size(pipeline, job, delivery->format, delivery->tag, &size, error))
        return FALSE;
    *fits = size <= pipeline->size_limit;
    if (!*fits)
        refuse_delivery(pipeline, job, delivery, "at least ", size);
    return TRUE;
}

/* Of what is encrypted already, something may be left out. */
gboolean seal_size_answer(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                          SealChoice choice, GError **error)
{
    guint64 size = 0;
    gboolean ok = TRUE;

    if (pipeline->size_limit == 0 || !job->message || (job->header_only && job->body_size == 0))
        return TRUE;
    if (choice == SEAL_CHOICE_SEAL)
        ok = sealed_size(pipeline, job, seal_key_format(g_ptr_array_index(recipient->keys, 0)),
                         recipient->policy->tag, &size, error);
    else if (choice == SEAL_CHOICE_CLEAR && !recipient->policy->tag)
        ok = clear_size(pipeline, job, &size, error);
    if (ok && size > pipeline->size_limit)
        refuse_recipient(pipeline, job, recipient, "at least ", size);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * What it is
 */

gboolean seal_size_check(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                         gboolean *fits, GError **error)
{
    guint64 size = 0;

    *fits = TRUE;
    if (pipeline->size_limit == 0)
        return TRUE;
    if (!seal_content_canonical_size(delivery->content, &size, error))
        return FALSE;
    if (size > pipeline->size_limit && job->any_size) {
        seal_delivery_note(
            delivery, "it leaves with %" G_GUINT64_FORMAT " octets, more than [core] size_limit",
            size);
    } else if (size > pipeline->size_limit) {
        *fits = FALSE;
        refuse_delivery(pipeline, job, delivery, "", size);
    }
    return TRUE;
}
