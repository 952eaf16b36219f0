/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * signature.c: signs what leaves, and does not believe the module that did.
 */
#include "core/pipeline/signature.h"

#include "core/mail/sevenbit.h"
#include "core/mail/transfer.h"
#include "core/plugin/calls.h"

gboolean seal_signature_check(SealJob *job, const SealFormatEntry *format, SealEntity *entity,
                              const SealKey *signer, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealDetection) detection = seal_format_detect(format, entity, cancellable, error);

    if (!detection)
        return FALSE;
    GPtrArray *found = seal_detection_ids(detection);
    const char *text = seal_detection_text(detection);
    if (seal_detection_what(detection) != SEAL_DETECTED_SIGNED)
        return seal_job_stop(job, error, "planned as signed, but it is not: %s",
                             text ? text : "no signature was found");
    if (found->len != 1 || seal_detection_hidden(detection) > 0 ||
        !g_strv_contains(seal_key_detected_ids(signer), g_ptr_array_index(found, 0)))
        return seal_job_stop(job, error,
                             "not signed with the key that was chosen, or not with it alone");
    return TRUE;
}

/* A signature that must be there and cannot be stops the message; one that is only wished for is
 * left out, and the log says so. */
static gboolean leave_unsigned(SealDelivery *delivery, const char *why, GError **error)
{
    if (delivery->sign == SEAL_NEED_REQUIRED) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_REFUSED, "cannot be signed: %s", why);
        return FALSE;
    }
    seal_delivery_note(delivery, "not signed: %s", why);
    g_clear_pointer(&delivery->signer, seal_key_unref);
    return TRUE;
}

/* What is signed in clear must survive relays; where it cannot be made so, the signature encloses
 * it. What must be signed is signed with octets over 127 as well: most relays leave them alone, and
 * waiting mends nothing. *@ready is NULL where none of this is possible. */
static gboolean prepare_entity(const SealPipeline *pipeline, SealDelivery *delivery,
                               const SealFormatEntry *format, SealContent *inner,
                               SealContent **ready, char **why, GError **error)
{
    if (!delivery->opaque) {
        if (!seal_sevenbit(inner, pipeline->spool_dir, pipeline->spool_memory, ready, why, error))
            return FALSE;
        delivery->opaque = *why && (format->table.flags & SEAL_FORMAT_OPAQUE);
        if (delivery->opaque)
            seal_delivery_note(delivery,
                               "the signature encloses the message instead of standing beside it: "
                               "%s",
                               *why);
        if (*why && !delivery->opaque && delivery->sign != SEAL_NEED_REQUIRED)
            g_clear_pointer(ready, seal_content_unref);
        else if (*why && !delivery->opaque && *ready)
            seal_delivery_note(delivery, "a relay without 8BITMIME may break the signature: %s",
                               *why);
    }
    if (delivery->opaque) {
        seal_content_unref(*ready);
        *ready = seal_content_ref(inner);
    }
    return TRUE;
}

static SealContent *sign_entity(SealJob *job, SealDelivery *delivery, const SealFormatEntry *format,
                                SealContent *ready, GCancellable *cancellable, GError **error)
{
    SealSealing sealing = {
        .size = sizeof sealing,
        .entity = ready,
        .signer = delivery->signer,
        .opaque = delivery->opaque,
    };
    g_autoptr(SealContent) entity = seal_format_sign(format, &sealing, cancellable, error);
    g_autoptr(SealMessage) view = entity ? seal_message_new(entity, error) : NULL;

    if (!view || !seal_signature_check(job, format, seal_message_entity(view), delivery->signer,
                                       cancellable, error))
        return NULL;
    return g_steal_pointer(&entity);
}

/* Both NULL where it stays unsigned. */
static gboolean open_message(SealDelivery *delivery, const SealFormatEntry *format,
                             SealMessage **message, SealContent **inner, GError **error)
{
    g_autoptr(SealMessage) opened = seal_message_new(delivery->content, error);

    if (!opened)
        return FALSE;
    if (!seal_format_can_sign(format))
        return leave_unsigned(delivery, "the format does not sign", error);
    *inner = seal_message_inner(opened);
    *message = g_steal_pointer(&opened);
    return TRUE;
}

/* *@ready is NULL where it stays unsigned. */
static gboolean make_ready(const SealPipeline *pipeline, SealDelivery *delivery,
                           const SealFormatEntry *format, SealContent *inner, SealContent **ready,
                           GError **error)
{
    g_autofree char *why = NULL;

    return prepare_entity(pipeline, delivery, format, inner, ready, &why, error) &&
           (*ready || leave_unsigned(delivery, why, error));
}

gboolean seal_signature_rehearse(const SealPipeline *pipeline, SealDelivery *delivery,
                                 const SealFormatEntry *format, GError **error)
{
    g_autoptr(SealMessage) message = NULL;
    g_autoptr(SealContent) inner = NULL, ready = NULL;
    SealScan scan;

    if (!open_message(delivery, format, &message, &inner, error))
        return FALSE;
    if (!inner)
        return TRUE;
    if (!seal_transfer_scan(inner, &scan, error))
        return FALSE;
    /* Nothing else is ever too much. */
    return !(scan.trouble & SEAL_TROUBLE_HARD & ~SEAL_TROUBLE_EIGHT_BIT) ||
           make_ready(pipeline, delivery, format, inner, &ready, error);
}

/* Puts the signed entity in place of the message's inner one, unless it must stay unsigned. */
gboolean seal_signature_make(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             const SealFormatEntry *format, GCancellable *cancellable,
                             GError **error)
{
    g_autoptr(SealMessage) message = NULL;
    g_autoptr(SealContent) inner = NULL, ready = NULL;

    if (!open_message(delivery, format, &message, &inner, error) ||
        (inner && !make_ready(pipeline, delivery, format, inner, &ready, error)))
        return FALSE;
    if (!ready)
        return TRUE;

    g_autoptr(GOutputStream) spool = seal_pipeline_spool(pipeline);
    g_autoptr(SealContent) entity = sign_entity(job, delivery, format, ready, cancellable, error);
    g_autoptr(SealContent) matched =
        entity ? seal_message_match_line_ends(message, entity, spool, error) : NULL;
    if (!matched)
        return FALSE;
    g_autoptr(SealContent) wrapped = seal_message_wrap(message, matched);
    seal_delivery_set_content(delivery, wrapped);
    seal_content_unref(delivery->as_signed);
    delivery->as_signed = g_steal_pointer(&wrapped);
    delivery->is_signed = TRUE;
    return TRUE;
}
