/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gate.c: the last look at what would leave. It believes no module: it reads the final bytes, and
 * lets them go only as what the plan says they are.
 */
#include "core/pipeline/gate.h"

#include "core/mail/entity.h"
#include "core/pipeline/already.h"
#include "core/pipeline/archive.h"
#include "core/pipeline/signature.h"
#include "core/pipeline/trace.h"
#include "core/pipeline/verify.h"
#include "core/plugin/calls.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * To whom
 */

/* Takes the id of @key out of @ids; FALSE where it is not among them, nor was in @found: two keys
 * of OpenPGP may have one subkey. */
static gboolean take_id(GPtrArray *ids, GPtrArray *found, const SealKey *key)
{
    const char *const *names = seal_key_detected_ids(key);

    for (; *names; names++) {
        guint index;
        if (g_ptr_array_find_with_equal_func(ids, *names, g_str_equal, &index)) {
            g_ptr_array_remove_index_fast(ids, index);
            return TRUE;
        }
    }
    for (guint i = 0; i < found->len; i++) {
        if (g_strv_contains(seal_key_detected_ids(key), g_ptr_array_index(found, i)))
            return TRUE;
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
        if (!take_id(ids, found, g_ptr_array_index(delivery->keys, i)))
            missing++;
    }
    if (ids->len > 0)
        return seal_job_stop(job, error, "encrypted to %u keys that no recipient has", ids->len);
    if (missing != seal_detection_hidden(detection) || (missing > 0 && !delivery->hide))
        return seal_job_stop(
            job, error, "%u of the recipients' keys are not among those encrypted to", missing);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What stands outside
 */

/* TRUE where both hold the same octets, but for lines of blanks alone in @b, which the message came
 * with, and for a line end of which a header that breaks off has half or nothing. */
static gboolean same_field(const SealHeader *a, const SealField *x, const SealHeader *b,
                           const SealField *y)
{
    const char *block = g_bytes_get_data(a->block, NULL);
    g_autoptr(GString) came = g_string_sized_new(y->length + 2);
    gsize length = x->length;

    if (x->name_length != y->name_length || x->length > y->length + 2)
        return FALSE;
    seal_header_append_tidy(came, b, y);
    while (length > 0 && strchr("\r\n", block[x->offset + length - 1]))
        length--;
    while (came->len > 0 && strchr("\r\n", came->str[came->len - 1]))
        g_string_truncate(came, came->len - 1);
    return length == came->len && memcmp(block + x->offset, came->str, length) == 0;
}

static gboolean has_field(SealContent *content, const SealHeader *header, const SealField *field)
{
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);
    const SealHeader *other = message ? seal_message_header(message) : NULL;

    for (guint i = 0; other && i < other->fields->len; i++) {
        if (same_field(header, field, other, &g_array_index(other->fields, SealField, i)))
            return TRUE;
    }
    return FALSE;
}

/* Whoever first made content that has it, as far as that can be told. */
static const char *who_added(const SealDelivery *delivery, const SealHeader *header,
                             const SealField *field)
{
    for (guint i = 0; i < delivery->changes->len; i++) {
        const SealChange *change = g_ptr_array_index(delivery->changes, i);

        if (has_field(change->content, header, field))
            return change->step;
    }
    return NULL;
}

/* For people. (transfer full) */
static char *field_name(const SealHeader *header, const SealField *field)
{
    const char *block = g_bytes_get_data(header->block, NULL);

    return seal_text_line(block + field->offset, field->name_length, 80);
}

/* Names the step that changed the delivery last. */
static gboolean stop_for_change(SealJob *job, const SealDelivery *delivery, const char *why,
                                GError **error)
{
    guint count = delivery->changes->len;
    const SealChange *last = count > 0 ? g_ptr_array_index(delivery->changes, count - 1) : NULL;

    return seal_job_stop(job, error, "%s%s%s", why, last ? ", by " : "", last ? last->step : "");
}

static gboolean stop_for_field(SealJob *job, const SealDelivery *delivery, const SealHeader *header,
                               const SealField *field, const char *why, GError **error)
{
    g_autofree char *name = field_name(header, field);
    const char *who = who_added(delivery, header, field);

    return seal_job_stop(job, error, "the header field %s %s%s%s", name, why,
                         who ? "; added or changed by " : "", who ? who : "");
}

/* Every reader takes the same lines for the header, and the same one for its end. */
static gboolean check_lines(SealJob *job, const SealDelivery *delivery, SealMessage *message,
                            GError **error)
{
    const SealHeader *header = seal_message_header(message);

    if (header->broken_off || header->block_end == header->body_offset)
        return seal_job_stop(job, error, "the header does not end with an empty line");
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_has_blank_line(header, field))
            return stop_for_field(job, delivery, header, field, "has a line of blanks alone",
                                  error);
    }
    return TRUE;
}

/* Nor can the parts of what is encrypted be read in two ways. */
static gboolean check_parts(SealJob *job, SealMessage *message, GError **error)
{
    GPtrArray *parts = NULL;

    if (!seal_entity_parts(seal_message_entity(message), &parts, error))
        return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        if (seal_entity_is_unclear(g_ptr_array_index(parts, i)))
            return seal_job_stop(job, error, "the header of part %u can be read in two ways",
                                 i + 1);
    }
    return TRUE;
}

/* Outside a sealed entity stand the fields that came outside, in their order, and nothing else:
 * nothing of the body can hide among them. @least: so many MIME-Version fields, and one at most. */
static gboolean check_outside(SealJob *job, const SealDelivery *delivery, SealMessage *message,
                              guint least, GError **error)
{
    const SealHeader *in = seal_message_header(delivery->source);
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
            return stop_for_field(job, delivery, out, field,
                                  "stands outside, and no such field came with the message at "
                                  "that place",
                                  error);
        at++;
    }
    guint versions = seal_header_count(out, "MIME-Version");
    if (versions < least || versions > 1)
        return seal_job_stop(job, error, "the header field MIME-Version stands %u times, not once",
                             versions);
    return TRUE;
}

static gboolean check_content_fields(SealJob *job, const SealDelivery *delivery,
                                     SealMessage *message, GError **error)
{
    static const char *const allowed[] = {"Content-Type", "Content-Transfer-Encoding",
                                          "Content-Disposition", "Content-Description", NULL};
    const SealHeader *header = seal_message_header(message);

    for (guint i = 0; allowed[i]; i++) {
        guint count = seal_header_count(header, allowed[i]);
        if (count > 1)
            return seal_job_stop(job, error, "the header field %s stands %u times, not once",
                                 allowed[i], count);
    }
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is_content(header, field) && !seal_field_is_any(header, field, allowed))
            return stop_for_field(job, delivery, header, field,
                                  "stands outside, and belongs to what is sealed or signed", error);
    }
    return TRUE;
}

/* A signature that it came with is no reason to leave it unsigned, unless it was verified. */
static gboolean check_kept(SealJob *job, const SealDelivery *delivery, GError **error)
{
    for (guint i = 0; i < delivery->recipients->len && !delivery->is_signed; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);
        const SealPolicy *policy = recipient->policy;

        if (policy->sign == SEAL_NEED_REQUIRED && job->already_signed && policy->keep_signed &&
            !(job->verified & 1u << policy->min_trust) && !seal_job_is_bounce(job) &&
            !seal_recipient_stage_decides(recipient))
            return seal_job_stop(job, error,
                                 "not signed by its author, as far as that is known, and "
                                 "sign=required");
    }
    return TRUE;
}

/* What policy wants signed is signed. */
static gboolean check_signed(SealJob *job, const SealDelivery *delivery, GError **error)
{
    if (delivery->choice != SEAL_CHOICE_REPORT && !check_kept(job, delivery, error))
        return FALSE;
    if (delivery->sign == SEAL_NEED_REQUIRED && !delivery->is_signed)
        return seal_job_stop(job, error, "not signed, and sign=required");
    if (delivery->signer && !delivery->is_signed)
        return seal_job_stop(job, error, "a signer was chosen, and nothing was signed");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * As what it leaves
 */

static gboolean check_sealed(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             SealMessage *message, GCancellable *cancellable, GError **error)
{
    const SealFormatEntry *format = seal_pipeline_format(pipeline, delivery->format);

    if (!check_content_fields(job, delivery, message, error))
        return FALSE;
    g_autoptr(SealDetection) detection =
        seal_format_detect(format, seal_message_entity(message), cancellable, error);
    if (!detection)
        return FALSE;
    const char *text = seal_detection_text(detection);
    if (seal_detection_what(detection) != SEAL_DETECTED_ENCRYPTED)
        return seal_job_stop(job, error, "planned as %s, but not wholly encrypted: %s",
                             delivery->format, text ? text : "nothing encrypted was found");
    if (delivery->sealed_size == 0 ||
        ((format->table.flags & SEAL_FORMAT_INCOMPRESSIBLE) &&
         seal_detection_content_size(detection) < delivery->sealed_size))
        return seal_job_stop(job, error, "the ciphertext is shorter than what was to be encrypted");
    return check_lines(job, delivery, message, error) && check_parts(job, message, error) &&
           check_keys(job, delivery, detection, error) &&
           seal_archive_check(job, delivery, error) && check_signed(job, delivery, error) &&
           check_outside(job, delivery, message, 1, error);
}

static gboolean check_already(const SealPipeline *pipeline, SealJob *job,
                              const SealDelivery *delivery, SealMessage *message,
                              GCancellable *cancellable, GError **error)
{
    return seal_already_check(pipeline, job, delivery, message, cancellable, error) &&
           check_lines(job, delivery, message, error) &&
           check_outside(job, delivery, message, 0, error);
}

/* In clear only where the policy of each recipient says so: never, or no key for at least one of
 * those who share this delivery. */
static gboolean check_allowed(SealJob *job, const SealDelivery *delivery, GError **error)
{
    gboolean keyless = FALSE;

    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);

        if (seal_recipient_fallback(recipient) != SEAL_FALLBACK_ALLOW)
            return seal_job_stop(job, error, "in clear, and %s requires encryption",
                                 seal_address_text(recipient->address));
        keyless = keyless || recipient->policy->encrypt == SEAL_NEED_NEVER || recipient->unable ||
                  recipient->policy->all_or_none || recipient->keys->len == 0 ||
                  delivery->recipients->len > 1;
    }
    return keyless || seal_job_stop(job, error, "in clear, although every recipient has a key");
}

/* That somebody signed it does not say that the signature still fits. */
static gboolean check_unchanged(SealJob *job, const SealDelivery *delivery, GError **error)
{
    return delivery->content == delivery->as_signed ||
           stop_for_change(job, delivery, "changed after it was signed", error);
}

static gboolean check_signed_entity(const SealPipeline *pipeline, SealJob *job,
                                    const SealDelivery *delivery, SealMessage *message,
                                    GCancellable *cancellable, GError **error)
{
    return check_unchanged(job, delivery, error) && check_lines(job, delivery, message, error) &&
           seal_signature_check(
               job, seal_registry_format(pipeline->registry, seal_key_format(delivery->signer)),
               seal_message_entity(message), delivery->signer, cancellable, error) &&
           check_outside(job, delivery, message, 1, error) &&
           check_content_fields(job, delivery, message, error);
}

static gboolean check_clear(const SealPipeline *pipeline, SealJob *job,
                            const SealDelivery *delivery, SealMessage *message,
                            GCancellable *cancellable, GError **error)
{
    if (!check_allowed(job, delivery, error) || !check_signed(job, delivery, error) ||
        !seal_verify_check_kept(job, delivery, message, error))
        return FALSE;
    return !delivery->is_signed ||
           check_signed_entity(pipeline, job, delivery, message, cancellable, error);
}

/* A report is what core wrote, or that with a signature. */
static gboolean check_report(const SealPipeline *pipeline, SealJob *job,
                             const SealDelivery *delivery, SealMessage *message,
                             GCancellable *cancellable, GError **error)
{
    if (!check_signed(job, delivery, error))
        return FALSE;
    if (delivery->is_signed)
        return check_signed_entity(pipeline, job, delivery, message, cancellable, error);
    return delivery->content == seal_entity_content(seal_message_entity(delivery->source)) ||
           seal_job_stop(job, error, "a problem report was changed");
}

/* What is left of a delivery report is what core wrote, and policy lets each recipient have it. */
static gboolean check_reduced(SealJob *job, const SealDelivery *delivery, SealMessage *message,
                              GError **error)
{
    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);

        if (!seal_recipient_facts(job, recipient).may_reduce &&
            seal_recipient_fallback(recipient) != SEAL_FALLBACK_ALLOW)
            return seal_job_stop(job, error, "in clear, and %s requires encryption",
                                 seal_address_text(recipient->address));
    }
    return job->reduced && delivery->content == job->reduced
               ? check_lines(job, delivery, message, error)
               : seal_job_stop(job, error, "what is left of a delivery report was changed");
}

static gboolean check_choice(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             SealMessage *message, GCancellable *cancellable, GError **error)
{
    switch (delivery->choice) {
    case SEAL_CHOICE_SEAL:
        return check_sealed(pipeline, job, delivery, message, cancellable, error);
    case SEAL_CHOICE_REPORT:
        return check_report(pipeline, job, delivery, message, cancellable, error);
    case SEAL_CHOICE_REDUCED:
        return check_reduced(job, delivery, message, error);
    case SEAL_CHOICE_ALREADY:
        return check_already(pipeline, job, delivery, message, cancellable, error);
    case SEAL_CHOICE_CLEAR:
        return check_clear(pipeline, job, delivery, message, cancellable, error);
    default:
        return seal_job_stop(job, error, "a delivery was made of what is refused or deferred");
    }
}

static SealVerdict result_of(const SealDelivery *delivery)
{
    if (delivery->choice == SEAL_CHOICE_REPORT)
        return SEAL_VERDICT_REPORT;
    if (delivery->choice != SEAL_CHOICE_CLEAR && delivery->choice != SEAL_CHOICE_REDUCED)
        return SEAL_VERDICT_SEALED;
    return delivery->is_signed || seal_verify_keeps(delivery) ? SEAL_VERDICT_SIGNED
                                                              : SEAL_VERDICT_PLAIN;
}

static void settle_recipients(SealJob *job, const SealDelivery *delivery)
{
    SealVerdict result = result_of(delivery);

    for (guint i = 0; i < delivery->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);
        const char *own = recipient->reason ? recipient->reason : "";
        g_autofree char *reason = delivery->note && *own
                                      ? g_strjoin("; ", own, delivery->note, NULL)
                                      : g_strdup(delivery->note ? delivery->note : own);

        if (delivery->is_signed)
            recipient->signer = seal_key_ref(delivery->signer);
        if (result == SEAL_VERDICT_SIGNED && !recipient->key)
            recipient->key =
                seal_key_ref(delivery->is_signed ? delivery->signer : job->verified_key);
        seal_job_settle(job, recipient, result, "gate", "%s", reason);
    }
}

static const char *what_passed(const SealDelivery *delivery)
{
    switch (delivery->choice) {
    case SEAL_CHOICE_SEAL:
        return delivery->is_signed
                   ? "wholly encrypted, to the planned keys and no other, and signed"
                   : "wholly encrypted, to the planned keys and no other";
    case SEAL_CHOICE_ALREADY:
        return "encrypted as it came";
    case SEAL_CHOICE_REPORT:
        return "a problem report, with nothing of the message";
    case SEAL_CHOICE_REDUCED:
        return "a delivery report, reduced to its status fields";
    default:
        return delivery->is_signed ? "in clear, as policy allows, and signed"
                                   : "in clear, as policy allows";
    }
}

gboolean seal_gate(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                   GCancellable *cancellable, GError **error)
{
    if (seal_content_size(delivery->content) == 0)
        return stop_for_change(job, delivery, "nothing is left of the message", error);
    if (delivery->recipients->len == 0)
        return seal_job_stop(job, error, "a delivery without a recipient");

    g_autoptr(GError) problem = NULL;
    g_autoptr(SealMessage) message = seal_message_new(delivery->content, &problem);
    if (!message)
        return stop_for_change(job, delivery, problem->message, error);
    const char *name = seal_message_private_field(message);
    const SealHeader *header = seal_message_header(message);
    if (header->from_line)
        return stop_for_change(job, delivery, "a From_ line stands before the header", error);
    if (name)
        return stop_for_field(job, delivery, header, seal_header_find(header, name),
                              "is there, which never leaves", error);
    if (!check_choice(pipeline, job, delivery, message, cancellable, error))
        return FALSE;
    seal_trace_note(job, "gate", "", SEAL_VERDICT_PASS, "pass", "%s", what_passed(delivery));
    settle_recipients(job, delivery);
    seal_delivery_forget(delivery);
    return TRUE;
}
