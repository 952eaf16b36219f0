/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gate.c: the last look at what would leave. It believes no module: it reads the final bytes, and
 * lets them go only as what the plan says they are.
 */
#include "core/pipeline/dispatcher.h"

#include "core/mail/header.h"
#include "core/mail/message.h"

#include <string.h>

static gboolean shut(SealJob *job, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean shut(SealJob *job, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_decision_set(seal_job_decide(job, "gate", ""), SEAL_VERDICT_DEFER, "gate", "%s", text);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_GATE, "stopped at the gate: %s", text);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * To whom
 */

/* Takes the id of @key out of @ids; FALSE where it is not among them. */
static gboolean take_id(GPtrArray *ids, const SealKey *key)
{
    const char *const *names = seal_key_detected_ids(key);

    for (; *names; names++) {
        guint index;
        if (g_ptr_array_find_with_equal_func(ids, *names, g_str_equal, &index)) {
            g_ptr_array_remove_index_fast(ids, index);
            return TRUE;
        }
    }
    return FALSE;
}

/* Exactly the planned keys: none missing, none beside them. Hidden ones can only be counted, and
 * only where hiding was planned. */
static gboolean check_keys(SealJob *job, const SealDelivery *delivery,
                           const SealDetection *detection, GError **error)
{
    GPtrArray *found = seal_detection_ids(detection);
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    guint missing = 0;

    for (guint i = 0; i < found->len; i++)
        g_ptr_array_add(ids, g_ptr_array_index(found, i));
    for (guint i = 0; i < delivery->keys->len; i++) {
        if (!take_id(ids, g_ptr_array_index(delivery->keys, i)))
            missing++;
    }
    if (ids->len > 0)
        return shut(job, error, "encrypted to %u keys that no recipient has", ids->len);
    if (missing != seal_detection_hidden(detection) || (missing > 0 && !delivery->hide))
        return shut(job, error, "%u of the recipients' keys are not among those encrypted to",
                    missing);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What stands outside
 */

/* Its octets without the line end, of which a header that breaks off at the end of the input has
 * half or nothing. */
static gsize bare_field(const SealHeader *header, const SealField *field, const char **start)
{
    gsize length = field->length;

    *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;
    if (length > 0 && (*start)[length - 1] == '\n')
        length--;
    if (length > 0 && (*start)[length - 1] == '\r')
        length--;
    return length;
}

static gboolean same_field(const SealHeader *a, const SealField *x, const SealHeader *b,
                           const SealField *y)
{
    const char *one, *two;
    gsize length = bare_field(a, x, &one);

    return length == bare_field(b, y, &two) && memcmp(one, two, length) == 0;
}

/* Outside a sealed entity stand the fields that came outside, in their order, and nothing else:
 * nothing of the body can hide among them. */
static gboolean check_outside(SealJob *job, SealMessage *source, SealMessage *message,
                              GError **error)
{
    const SealHeader *in = seal_message_header(source);
    const SealHeader *out = seal_message_header(message);
    guint at = 0;

    for (guint i = 0; i < out->fields->len; i++) {
        const SealField *field = &g_array_index(out->fields, SealField, i);

        if (seal_field_is(out, field, "MIME-Version") || seal_field_is_content(out, field))
            continue;
        while (at < in->fields->len &&
               !same_field(out, field, in, &g_array_index(in->fields, SealField, at)))
            at++;
        if (at == in->fields->len)
            return shut(job, error, "a header field stands outside that did not come with it");
        at++;
    }
    if (seal_header_count(out, "MIME-Version") != 1)
        return shut(job, error, "not exactly one MIME-Version");
    return TRUE;
}

static gboolean check_content_fields(SealJob *job, SealMessage *message, GError **error)
{
    static const char *const allowed[] = {"Content-Type", "Content-Transfer-Encoding",
                                          "Content-Disposition", "Content-Description", NULL};
    const SealHeader *header = seal_message_header(message);
    guint known = 0, all = 0;

    for (guint i = 0; allowed[i]; i++) {
        guint count = seal_header_count(header, allowed[i]);
        if (count > 1)
            return shut(job, error, "%s stands %u times", allowed[i], count);
        known += count;
    }
    for (guint i = 0; i < header->fields->len; i++)
        all += seal_field_is_content(header, &g_array_index(header->fields, SealField, i)) ? 1 : 0;
    if (all != known)
        return shut(job, error, "a Content field of the inner entity stands outside");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * By whom
 */

static gboolean check_signature(SealJob *job, const SealFormatEntry *format, SealEntity *entity,
                                const SealKey *signer, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealDetection) detection = seal_detection_new();
    GPtrArray *found = seal_detection_ids(detection);

    if (!format->table.detect(format->module, entity, cancellable, detection, error))
        return FALSE;
    const char *text = seal_detection_text(detection);
    if (seal_detection_what(detection) != SEAL_DETECTED_SIGNED)
        return shut(job, error, "planned as signed, but it is not: %s",
                    text ? text : "no signature was found");
    if (found->len != 1 || seal_detection_hidden(detection) > 0 ||
        !g_strv_contains(seal_key_detected_ids(signer), g_ptr_array_index(found, 0)))
        return shut(job, error, "not signed with the key that was chosen, or not with it alone");
    return TRUE;
}

gboolean seal_gate_signature(SealJob *job, const SealFormatEntry *format, SealContent *entity,
                             const SealKey *signer, GCancellable *cancellable, GError **error)
{
    g_autoptr(SealMessage) message = seal_message_new(entity, error);

    return message &&
           check_signature(job, format, seal_message_entity(message), signer, cancellable, error);
}

/* What policy wants signed is signed. */
static gboolean check_signed(SealJob *job, const SealDelivery *delivery, GError **error)
{
    if (delivery->sign == SEAL_NEED_REQUIRED && !delivery->is_signed)
        return shut(job, error, "not signed, and sign=required");
    if (delivery->signer && !delivery->is_signed)
        return shut(job, error, "the signer was not used");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The three plans
 */

static gboolean check_sealed(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                             SealMessage *message, GCancellable *cancellable, GError **error)
{
    const SealFormatEntry *format = seal_dispatcher_step_format(dispatcher, delivery->format);
    g_autoptr(SealDetection) detection = seal_detection_new();
    const char *text;

    if (!format->table.detect(format->module, seal_message_entity(message), cancellable, detection,
                              error))
        return FALSE;
    text = seal_detection_text(detection);
    if (seal_detection_what(detection) != SEAL_DETECTED_ENCRYPTED)
        return shut(job, error, "planned as %s, but not wholly encrypted: %s", delivery->format,
                    text ? text : "nothing encrypted was found");
    if (delivery->sealed_size == 0 ||
        ((format->table.flags & SEAL_FORMAT_INCOMPRESSIBLE) &&
         seal_detection_content_size(detection) < delivery->sealed_size))
        return shut(job, error, "the ciphertext is shorter than what was to be encrypted");
    return check_keys(job, delivery, detection, error) && check_signed(job, delivery, error) &&
           check_outside(job, delivery->source, message, error) &&
           check_content_fields(job, message, error);
}

static gboolean check_already(SealDispatcher *dispatcher, SealJob *job, SealMessage *message,
                              GCancellable *cancellable, GError **error)
{
    GPtrArray *formats = seal_registry_formats(dispatcher->registry);

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        g_autoptr(SealDetection) detection = seal_detection_new();

        if (!format->table.detect(format->module, seal_message_entity(message), cancellable,
                                  detection, error))
            return FALSE;
        if (seal_detection_what(detection) == SEAL_DETECTED_ENCRYPTED)
            return TRUE;
    }
    return shut(job, error, "planned as encrypted already, but it is not");
}

/* In clear only where the policy of each recipient says so: never, or no key for at least one of
 * those who share this delivery. */
static gboolean check_allowed(SealJob *job, const SealDelivery *delivery, GError **error)
{
    gboolean keyless = FALSE;

    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);

        if (seal_recipient_fallback(recipient) != SEAL_FALLBACK_ALLOW)
            return shut(job, error, "in clear, and %s requires encryption",
                        seal_address_text(recipient->address));
        keyless = keyless || recipient->policy->encrypt == SEAL_NEED_NEVER || recipient->unable ||
                  recipient->policy->all_or_none || recipient->keys->len == 0 ||
                  delivery->recipients->len > 1;
    }
    return keyless || shut(job, error, "in clear, although every recipient has a key");
}

static gboolean check_signed_entity(SealDispatcher *dispatcher, SealJob *job,
                                    const SealDelivery *delivery, SealMessage *message,
                                    GCancellable *cancellable, GError **error)
{
    return check_signature(
               job, seal_registry_format(dispatcher->registry, seal_key_format(delivery->signer)),
               seal_message_entity(message), delivery->signer, cancellable, error) &&
           check_outside(job, delivery->source, message, error) &&
           check_content_fields(job, message, error);
}

static gboolean check_clear(SealDispatcher *dispatcher, SealJob *job, const SealDelivery *delivery,
                            SealMessage *message, GCancellable *cancellable, GError **error)
{
    if (!check_allowed(job, delivery, error) || !check_signed(job, delivery, error))
        return FALSE;
    return !delivery->is_signed ||
           check_signed_entity(dispatcher, job, delivery, message, cancellable, error);
}

/* A report is what core wrote, or that with a signature. */
static gboolean check_report(SealDispatcher *dispatcher, SealJob *job, const SealDelivery *delivery,
                             SealMessage *message, GCancellable *cancellable, GError **error)
{
    if (!check_signed(job, delivery, error))
        return FALSE;
    if (delivery->is_signed)
        return check_signed_entity(dispatcher, job, delivery, message, cancellable, error);
    return delivery->content == seal_entity_content(seal_message_entity(delivery->source)) ||
           shut(job, error, "a problem report was changed");
}

static gboolean check_plan(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                           SealMessage *message, GCancellable *cancellable, GError **error)
{
    switch (delivery->plan) {
    case SEAL_PLAN_SEAL:
        return check_sealed(dispatcher, job, delivery, message, cancellable, error);
    case SEAL_PLAN_REPORT:
        return check_report(dispatcher, job, delivery, message, cancellable, error);
    case SEAL_PLAN_ALREADY:
        return check_already(dispatcher, job, message, cancellable, error);
    case SEAL_PLAN_CLEAR:
        return check_clear(dispatcher, job, delivery, message, cancellable, error);
    }
    return shut(job, error, "a delivery without a plan");
}

static SealVerdict result_of(const SealDelivery *delivery)
{
    if (delivery->plan == SEAL_PLAN_REPORT)
        return SEAL_VERDICT_REPORT;
    if (delivery->plan != SEAL_PLAN_CLEAR)
        return SEAL_VERDICT_SEALED;
    return delivery->is_signed ? SEAL_VERDICT_SIGNED : SEAL_VERDICT_PLAIN;
}

static void settle(SealJob *job, const SealDelivery *delivery)
{
    SealVerdict result = result_of(delivery);

    for (guint i = 0; i < delivery->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);
        const char *own = recipient->reason ? recipient->reason : "";
        g_autofree char *reason = delivery->note && *own
                                      ? g_strjoin("; ", own, delivery->note, NULL)
                                      : g_strdup(delivery->note ? delivery->note : own);

        if (result == SEAL_VERDICT_SIGNED && !recipient->key)
            recipient->key = seal_key_ref(delivery->signer);
        seal_job_settle(job, recipient, result, "gate", "%s", reason);
    }
}

gboolean seal_gate(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                   GCancellable *cancellable, GError **error)
{
    g_autoptr(SealMessage) message = seal_message_new(delivery->content, error);

    if (!message)
        return FALSE;
    if (delivery->recipients->len == 0)
        return shut(job, error, "a delivery for nobody");
    if (seal_message_has_private_fields(message))
        return shut(job, error, "Bcc or Return-path is still there");
    if (!check_plan(dispatcher, job, delivery, message, cancellable, error))
        return FALSE;
    settle(job, delivery);
    return TRUE;
}
