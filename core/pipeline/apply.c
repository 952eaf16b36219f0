/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * apply.c: takes a delivery through the pipeline: stages in their order, core's own signing and
 * encrypting in between.
 */
#include "core/base/content.h"
#include "core/mail/bounce.h"
#include "core/mail/entity.h"
#include "core/mail/message.h"
#include "core/mail/sevenbit.h"
#include "core/pipeline/dispatcher.h"
#include "core/pipeline/notice.h"

enum { BUFFER = 64 * 1024 };

static gboolean canonical_size(SealContent *content, guint64 *size, GError **error)
{
    g_autoptr(GInputStream) stream = seal_content_read_canonical(content);
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    gssize got;

    *size = 0;
    while ((got = g_input_stream_read(stream, buffer, BUFFER, NULL, error)) > 0)
        *size += (guint64)got;
    return got == 0;
}

/* Formats write LF; a message that came with CRLF leaves with CRLF. */
static SealContent *match_line_ends(SealDispatcher *self, SealMessage *message, SealContent *entity,
                                    GError **error)
{
    if (seal_message_header(message)->eol[0] == '\n')
        return seal_content_ref(entity);

    g_autoptr(GOutputStream) spool = seal_dispatcher_spool(self);
    g_autoptr(GInputStream) stream = seal_content_read_canonical(entity);
    if (!seal_spool_copy(spool, stream, NULL, error))
        return NULL;
    return seal_spool_finish(spool, error);
}

/* -------------------------------------------------------------------------------------------
 * Signing
 */

/* A signature that must be there and cannot be stops the message; one that is only wished for is
 * left out, and the log says so. */
static gboolean leave_unsigned(SealDelivery *delivery, const char *why, GError **error)
{
    if (delivery->sign == SEAL_NEED_REQUIRED) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "cannot be signed: %s", why);
        return FALSE;
    }
    seal_delivery_note(delivery, "not signed: %s", why);
    g_clear_pointer(&delivery->signer, seal_key_unref);
    return TRUE;
}

/* What is signed in clear must survive relays; where it cannot be made so, the signature encloses
 * it. *@ready is NULL where neither is possible. */
static gboolean prepare(SealDispatcher *self, SealDelivery *delivery, const SealFormatEntry *format,
                        SealContent *inner, SealContent **ready, char **why, GError **error)
{
    if (!delivery->opaque) {
        if (!seal_sevenbit(inner, seal_settings_string(self->core, "spool_dir"),
                           (gsize)seal_settings_number(self->core, "spool_memory"), ready, why,
                           error))
            return FALSE;
        delivery->opaque = !*ready && (format->table.flags & SEAL_FORMAT_OPAQUE);
    }
    if (delivery->opaque)
        *ready = seal_content_ref(inner);
    return TRUE;
}

static SealContent *make_signature(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                                   const SealFormatEntry *format, SealContent *ready,
                                   GCancellable *cancellable, GError **error)
{
    SealSealing sealing = {
        .size = sizeof sealing,
        .entity = ready,
        .signer = delivery->signer,
        .opaque = delivery->opaque,
    };
    g_autoptr(SealContent) entity =
        format->table.sign(format->module, &sealing, cancellable, error);

    if (!entity || !seal_gate_signature(job, format, entity, delivery->signer, cancellable, error))
        return NULL;
    return g_steal_pointer(&entity);
}

/* Puts the signed entity in place of @message's inner one, unless it must stay unsigned. */
static gboolean sign(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                     const SealFormatEntry *format, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealMessage) message = seal_message_new(delivery->content, error);
    g_autoptr(SealContent) ready = NULL;
    g_autofree char *why = NULL;

    if (!message)
        return FALSE;
    if (!format->table.sign)
        return leave_unsigned(delivery, "the format does not sign", error);

    g_autoptr(SealContent) inner = seal_message_inner(message);
    if (!prepare(self, delivery, format, inner, &ready, &why, error))
        return FALSE;
    if (!ready)
        return leave_unsigned(delivery, why, error);

    g_autoptr(SealContent) entity =
        make_signature(self, job, delivery, format, ready, cancellable, error);
    g_autoptr(SealContent) matched = entity ? match_line_ends(self, message, entity, error) : NULL;
    if (!matched)
        return FALSE;
    g_autoptr(SealContent) wrapped = seal_message_wrap(message, matched);
    seal_delivery_set_content(delivery, wrapped);
    delivery->is_signed = TRUE;
    return TRUE;
}

/* A stage has set a signer: what leaves in clear is signed now. */
static gboolean sign_in_clear(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                              GCancellable *cancellable, GError **error)
{
    if (!delivery->signer || delivery->is_signed || delivery->plan == SEAL_PLAN_SEAL)
        return TRUE;
    return sign(self, job, delivery,
                seal_registry_format(self->registry, seal_key_format(delivery->signer)),
                cancellable, error);
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

static gboolean encrypt(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                        const SealFormatEntry *format, GCancellable *cancellable, GError **error)
{
    gboolean combines = format->table.flags & SEAL_FORMAT_COMBINES;

    if (!check_signer(delivery, format, error) ||
        (delivery->signer && !combines && !sign(self, job, delivery, format, cancellable, error)))
        return FALSE;

    g_autoptr(SealMessage) message = seal_message_new(delivery->content, error);
    if (!message)
        return FALSE;
    g_autoptr(SealContent) inner = seal_message_inner(message);
    SealSealing sealing = {
        .size = sizeof sealing,
        .entity = inner,
        .keys = delivery->keys,
        .signer = combines ? delivery->signer : NULL,
        .hide = delivery->hide,
    };
    g_autoptr(SealContent) sealed =
        format->table.encrypt(format->module, &sealing, cancellable, error);
    if (!sealed)
        return FALSE;

    g_autoptr(SealContent) entity = match_line_ends(self, message, sealed, error);
    if (!entity || !canonical_size(inner, &delivery->sealed_size, error))
        return FALSE;
    g_autoptr(SealContent) wrapped = seal_message_wrap(message, entity);
    seal_delivery_set_content(delivery, wrapped);
    delivery->is_signed = delivery->is_signed || sealing.signer;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The pipeline
 */

static void note_stage(SealJob *job, const char *name)
{
    char *stages = *job->stages ? g_strjoin(",", job->stages, name, NULL) : g_strdup(name);

    g_free(job->stages);
    job->stages = stages;
}

static gboolean take_step(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                          const SealStep *step, GCancellable *cancellable, GError **error)
{
    const SealStageEntry *stage = step->stage;

    /* A report is none of the sender's mail: it is signed, and nothing else. */
    if (stage && delivery->plan == SEAL_PLAN_REPORT && !(stage->table.flags & SEAL_STAGE_SIGNS))
        return TRUE;
    if (stage && stage->table.apply)
        return stage->table.apply(stage->module, job, delivery, cancellable, error) &&
               sign_in_clear(self, job, delivery, cancellable, error);
    if (step->format && delivery->plan == SEAL_PLAN_SEAL &&
        g_str_equal(step->name, delivery->format))
        return encrypt(self, job, delivery, step->format, cancellable, error);
    return TRUE;
}

static gboolean apply_step(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                           const SealStep *step, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealContent) before = seal_content_ref(delivery->content);
    const SealKey *signer = delivery->signer;

    if (!seal_dispatcher_check_time(self, job, cancellable, error) ||
        !take_step(self, job, delivery, step, cancellable, error))
        return FALSE;
    if (delivery->content != before || delivery->signer != signer)
        note_stage(job, step->name);
    return TRUE;
}

/* The message, without the tag that made a rule win; or a report in its place. */
static gboolean find_source(SealJob *job, SealDelivery *delivery, GError **error)
{
    const SealRecipient *first = g_ptr_array_index(delivery->recipients, 0);

    delivery->own_source = delivery->tag || delivery->plan == SEAL_PLAN_REPORT;
    if (delivery->plan == SEAL_PLAN_REPORT) {
        g_autoptr(SealContent) report = seal_notice_new(job, &first->policy->notice);
        delivery->source = seal_message_new(report, error);
    } else if (delivery->tag) {
        delivery->source = seal_message_without_tag(job->message, delivery->tag, error);
    } else {
        delivery->source = job->message;
    }
    return delivery->source != NULL;
}

/* One output serves all: what one of them must not get, none gets. */
static gboolean is_reduced(const SealJob *job, const SealDelivery *delivery)
{
    for (guint i = 0; i < delivery->recipients->len; i++) {
        if (seal_recipient_is_reduced(job, g_ptr_array_index(delivery->recipients, i)))
            return TRUE;
    }
    return FALSE;
}

static SealContent *begin(SealJob *job, SealDelivery *delivery, GError **error)
{
    if (delivery->plan == SEAL_PLAN_CLEAR && is_reduced(job, delivery)) {
        seal_delivery_note(delivery, "a bounce: what it returns was left out");
        return seal_bounce_reduce(delivery->source, error);
    }
    return seal_message_clear(delivery->source);
}

gboolean seal_apply(SealDispatcher *self, SealJob *job, SealDelivery *delivery,
                    GCancellable *cancellable, GError **error)
{
    if (!find_source(job, delivery, error))
        return FALSE;

    g_autoptr(SealContent) clear = begin(job, delivery, error);
    if (!clear)
        return FALSE;
    seal_delivery_set_content(delivery, clear);
    if (delivery->plan == SEAL_PLAN_ALREADY)
        return TRUE;
    for (guint i = 0; i < self->outbound->len; i++) {
        const SealStep *step = &g_array_index(self->outbound, SealStep, i);

        if (!apply_step(self, job, delivery, step, cancellable, error)) {
            /* A module that fails without a word is no reason to go on. */
            if (error && !*error)
                g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s failed and did not say why",
                            step->name);
            return FALSE;
        }
    }
    return TRUE;
}
