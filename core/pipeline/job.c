/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * job.c: a message on its way.
 */
#include "core/pipeline/job.h"

#include "core/base/tally.h"
#include "core/mail/author.h"
#include "core/plugin/decision.h"

#include <string.h>

enum { MAX_RECIPIENTS = 10000 };

static void change_free(gpointer data)
{
    SealChange *change = data;

    seal_content_unref(change->content);
    g_free(change);
}

static void recipient_free(gpointer data)
{
    SealRecipient *recipient = data;

    seal_address_unref(recipient->address);
    g_ptr_array_unref(recipient->keys);
    seal_key_unref(recipient->key);
    seal_key_unref(recipient->signer);
    g_free(recipient->no_key);
    g_free(recipient->cause);
    g_free(recipient->detail);
    seal_key_unref(recipient->sealed_key);
    g_free(recipient->reason);
    g_free(recipient);
}

static void delivery_free(gpointer data)
{
    SealDelivery *delivery = data;

    g_ptr_array_unref(delivery->recipients);
    g_ptr_array_unref(delivery->keys);
    seal_key_unref(delivery->signer);
    if (delivery->own_source)
        seal_message_free(delivery->source);
    seal_message_free(delivery->view);
    seal_content_unref(delivery->content);
    seal_content_unref(delivery->as_signed);
    seal_content_unref(delivery->inner);
    g_ptr_array_unref(delivery->changes);
    g_free(delivery->note);
    g_free(delivery);
}

/* -------------------------------------------------------------------------------------------
 * Making one
 */

static gboolean add_recipients(SealJob *job, const char *const *texts, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (; texts && *texts; texts++) {
        SealAddress *address = seal_address_parse(*texts, error);
        if (!address)
            return FALSE;
        /* Not by what g_hash_table_add() says: it would keep the key of the one that goes. */
        if (g_hash_table_contains(seen, seal_address_key(address))) {
            seal_address_unref(address);
            continue;
        }
        g_hash_table_add(seen, (gpointer)seal_address_key(address));

        SealRecipient *recipient = g_new0(SealRecipient, 1);
        recipient->address = address;
        recipient->keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
        g_ptr_array_add(job->recipients, recipient);
        if (job->recipients->len > MAX_RECIPIENTS) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d recipients",
                        MAX_RECIPIENTS);
            return FALSE;
        }
    }
    if (job->recipients->len == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_ADDRESS, "no recipient was given");
        return FALSE;
    }
    return TRUE;
}

static void add_maybe_author(SealAddress *address, gpointer job)
{
    g_ptr_array_add(((SealJob *)job)->maybe_authors, seal_address_ref(address));
}

static gboolean read_author(SealJob *job, GError **error)
{
    const SealHeader *header = seal_message_header(job->message);

    if (!seal_author_guess(header, add_maybe_author, job, error))
        return FALSE;
    job->author = seal_author_read(header, &job->no_author);
    return TRUE;
}

static void note_named(SealAddress *address, gpointer recipients)
{
    SealRecipient *recipient = g_hash_table_lookup(recipients, seal_address_key(address));

    if (recipient)
        recipient->named = TRUE;
}

/* Who is not surely named is a Bcc. */
static gboolean read_named(SealJob *job, GError **error)
{
    static const char *const fields[] = {"To", "Cc", "Resent-To", "Resent-Cc", NULL};
    g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        g_hash_table_insert(by_key, (gpointer)seal_address_key(recipient->address), recipient);
    }
    return seal_message_each_address(job->message, fields, note_named, by_key, error);
}

/* What the front end says; else the Return-path line; else the author. One that is no address is
 * nobody's: it stops no mail, and matches nothing. */
static void read_sender(SealJob *job, const char *given)
{
    g_autofree char *path = NULL;

    if (!given && job->message)
        given = path = seal_message_return_path(job->message);
    if (!given) {
        job->sender = job->author ? seal_address_ref(job->author) : NULL;
        job->sender_text = g_strdup(job->author ? seal_address_text(job->author) : "");
    } else if (*given == '\0' || g_str_equal(given, "<>")) {
        job->sender_text = g_strdup("<>");
    } else {
        job->sender = seal_address_parse(given, NULL);
        job->sender_text = g_strdup(job->sender ? seal_address_text(job->sender) : given);
    }
}

/* What is wrong with the message itself is the same at every try: a fault of the job, no error. */
static gboolean read_message(SealJob *job, SealContent *content, GError **error)
{
    g_autoptr(GError) problem = NULL;

    job->size = seal_content_size(content);
    job->message = seal_message_new(content, &problem);
    if (job->message && read_author(job, &problem) && read_named(job, &problem))
        return TRUE;
    g_clear_pointer(&job->message, seal_message_free);
    if (job->size > 0)
        return seal_job_take_fault(job, g_steal_pointer(&problem), error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static char *made_up_id(void)
{
    return g_strdup_printf("sp%08x%08x", g_random_int(), g_random_int());
}

SealJob *seal_job_new(const SealJobSpec *spec, GError **error)
{
    g_autoptr(SealJob) job = g_new0(SealJob, 1);

    job->direction = spec->direction;
    job->id = spec->id && *spec->id ? g_strndup(spec->id, 128) : made_up_id();
    job->one_output = spec->one_output;
    job->any_size = spec->any_size;
    job->body_size = spec->header_only ? spec->body_size : 0;
    job->submitted = spec->submitted;
    job->submission_unknown = spec->submission_unknown && !spec->submitted;
    job->vouched_sender = spec->submitted && spec->sender && !spec->names_login;
    job->login = spec->submitted && spec->login && *spec->login ? g_strdup(spec->login) : NULL;
    job->unproven = g_strdup(spec->unproven);
    job->authors = g_strdupv((GStrv)spec->authors);
    job->header_only = spec->header_only;
    job->asks = spec->rehearsal;
    job->explains = spec->rehearsal;
    job->started = g_get_monotonic_time();
    job->recipients = g_ptr_array_new_with_free_func(recipient_free);
    job->deliveries = g_ptr_array_new_with_free_func(delivery_free);
    job->decisions = g_ptr_array_new_with_free_func((GDestroyNotify)seal_decision_free);
    job->maybe_authors = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref);
    job->stages = g_strdup("");
    job->texts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    job->matches = g_array_new(FALSE, FALSE, sizeof(int));
    job->policies = g_ptr_array_new_with_free_func(g_free);
    if (!add_recipients(job, spec->recipients, error) ||
        (spec->message && !read_message(job, spec->message, error)))
        return NULL;
    read_sender(job, spec->sender);
    return g_steal_pointer(&job);
}

void seal_job_free(SealJob *job)
{
    if (!job)
        return;
    g_ptr_array_unref(job->deliveries);
    g_ptr_array_unref(job->recipients);
    g_ptr_array_unref(job->decisions);
    g_hash_table_unref(job->texts);
    g_array_unref(job->matches);
    g_ptr_array_unref(job->policies);
    seal_parts_free(job->parts);
    seal_content_unref(job->reduced);
    seal_address_unref(job->sender);
    seal_address_unref(job->author);
    g_free(job->no_author);
    g_ptr_array_unref(job->maybe_authors);
    seal_message_free(job->message);
    g_clear_error(&job->fault);
    g_free(job->login);
    g_free(job->unproven);
    g_strfreev(job->authors);
    seal_key_unref(job->verified_key);
    g_free(job->not_verified);
    g_free(job->sender_text);
    g_clear_pointer(&job->sealed_ids, g_hash_table_unref);
    g_clear_pointer(&job->archives, g_hash_table_unref);
    g_free(job->sealed_partly);
    g_free(job->stages);
    g_free(job->id);
    g_free(job);
}

/* -------------------------------------------------------------------------------------------
 * For rules
 */

GPtrArray *seal_job_texts(SealJob *job, const char *name)
{
    GPtrArray *texts = g_hash_table_lookup(job->texts, name);

    if (!texts) {
        texts = seal_texts_of_fields(seal_message_entity(job->message), name);
        g_hash_table_insert(job->texts, g_strdup(name), texts);
    }
    return texts;
}

const SealParts *seal_job_parts(SealJob *job)
{
    if (!job->parts)
        job->parts = seal_parts_new(seal_message_entity(job->message));
    return job->parts;
}

/* -------------------------------------------------------------------------------------------
 * For core
 */

SealDecision *seal_job_decide(SealJob *job, const char *step, const char *subject)
{
    SealDecision *decision = seal_decision_new(step, subject);

    if (job->explains) {
        seal_decision_about(decision)->recipient = job->scope.recipient;
        seal_decision_about(decision)->delivery = job->scope.delivery;
    }
    g_ptr_array_add(job->decisions, decision);
    return decision;
}

void seal_job_settle(SealJob *job, SealRecipient *recipient, SealVerdict result, const char *code,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    recipient->result = result;
    g_free(recipient->reason);
    recipient->reason = g_steal_pointer(&text);
    SealDecision *decision = seal_job_decide(job, "result", seal_address_text(recipient->address));
    seal_decision_set(decision, result, code, "%s", recipient->reason);
    recipient->settled = decision;
}

gboolean seal_job_stop(SealJob *job, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_decision_set(seal_job_decide(job, "gate", ""), SEAL_VERDICT_DEFER, "gate", "%s", text);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_GATE, "stopped at the gate: %s", text);
    return FALSE;
}

gboolean seal_error_is_for_good(const GError *error)
{
    return g_error_matches(error, SEAL_ERROR, SEAL_ERROR_MESSAGE) ||
           g_error_matches(error, SEAL_ERROR, SEAL_ERROR_LIMIT) ||
           g_error_matches(error, SEAL_ERROR, SEAL_ERROR_REFUSED);
}

gboolean seal_job_take_fault(SealJob *job, GError *problem, GError **error)
{
    if (!seal_error_is_for_good(problem)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    g_clear_error(&job->fault);
    job->fault = problem;
    return TRUE;
}

void seal_job_refuse(SealJob *job, SealRecipient *recipient, const GError *error)
{
    g_autofree char *demand =
        error->code == SEAL_ERROR_REFUSED && recipient->sign == SEAL_NEED_REQUIRED
            ? seal_recipient_demand(recipient, "sign")
            : g_strdup("");

    seal_job_settle(job, recipient, SEAL_VERDICT_REFUSE,
                    error->code == SEAL_ERROR_LIMIT     ? "limit"
                    : error->code == SEAL_ERROR_MESSAGE ? "malformed"
                                                        : "refused",
                    "%s%s", error->message, demand);
}

gboolean seal_job_refuse_faulty(SealJob *job)
{
    for (guint i = 0; i < job->recipients->len && job->fault; i++)
        seal_job_refuse(job, g_ptr_array_index(job->recipients, i), job->fault);
    return job->fault != NULL;
}

void seal_job_fail(SealJob *job, const GError *error)
{
    g_ptr_array_set_size(job->deliveries, 0);
    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        seal_job_settle(job, recipient, SEAL_VERDICT_DEFER, "error", "%s", error->message);
        recipient->fault = seal_tally_reason_of(error);
    }
}

SealDelivery *seal_job_add_delivery(SealJob *job, SealChoice choice, const char *format,
                                    SealNeed sign)
{
    SealDelivery *delivery = g_new0(SealDelivery, 1);

    delivery->number = ++job->made;
    delivery->choice = choice;
    delivery->format = format;
    delivery->sign = sign;
    delivery->recipients = g_ptr_array_new();
    delivery->changes = g_ptr_array_new_with_free_func(change_free);
    delivery->keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_ptr_array_add(job->deliveries, delivery);
    return delivery;
}

gboolean seal_recipient_stage_decides(const SealRecipient *recipient)
{
    return recipient->unable && recipient->has_fallback && recipient->asked_for;
}

SealFallback seal_recipient_fallback(const SealRecipient *recipient)
{
    if (seal_recipient_stage_decides(recipient))
        return recipient->fallback;
    return recipient->policy->encrypt == SEAL_NEED_REQUIRED ? recipient->policy->fallback
                                                            : SEAL_FALLBACK_ALLOW;
}

/* A stage that decides does so over a policy that wants nothing encrypted, too. */
SealFacts seal_recipient_facts(const SealJob *job, const SealRecipient *recipient)
{
    const SealPolicy *policy = recipient->policy;
    gboolean settled = recipient->result != SEAL_VERDICT_NONE;

    return (SealFacts){
        .encrypt = seal_recipient_stage_decides(recipient)
                       ? MAX(policy->encrypt, SEAL_NEED_PREFERRED)
                       : policy->encrypt,
        .fallback = seal_recipient_fallback(recipient),
        .already_sealed = policy->already_sealed,
        .all_or_none = policy->all_or_none,
        .settled = recipient->result,
        .unable = recipient->unable,
        .reason = settled ? recipient->reason : recipient->no_key,
        .has_key = recipient->keys->len > 0,
        .unsupported = recipient->unsupported && !recipient->unable && recipient->keys->len == 0,
        .refuses_unsupported = policy->refuse_unsupported,
        .pinned = recipient->pinned && !recipient->unable && recipient->keys->len == 0,
        .is_sealed = recipient->is_sealed,
        .may_reduce = job->is_status && policy->reduce_bounces &&
                      policy->encrypt == SEAL_NEED_REQUIRED &&
                      !seal_recipient_stage_decides(recipient),
    };
}

char *seal_recipient_demand(const SealRecipient *recipient, const char *setting)
{
    const char *rule = recipient->policy ? recipient->policy->rule : "";

    return *rule ? g_strdup_printf("; %s=required by [rule %.40s]", setting, rule)
                 : g_strdup_printf("; %s=required by [policy]", setting);
}

char *seal_recipient_reason_of(const SealRecipient *recipient, const SealAnswer *answer)
{
    g_autofree char *demand = seal_recipient_demand(recipient, "encrypt");
    gboolean lacks =
        (answer->choice == SEAL_CHOICE_REFUSE || answer->choice == SEAL_CHOICE_REPORT) &&
        recipient->policy->encrypt == SEAL_NEED_REQUIRED && answer->lacks_key;

    return g_strconcat(answer->reason, lacks ? demand : "", NULL);
}

void seal_recipient_set_fallback(SealRecipient *recipient, SealFallback fallback)
{
    recipient->has_fallback = TRUE;
    recipient->fallback = fallback;
}

void seal_recipient_reset(SealRecipient *recipient)
{
    g_ptr_array_set_size(recipient->keys, 0);
    g_clear_pointer(&recipient->no_key, g_free);
    g_clear_pointer(&recipient->cause, g_free);
    g_clear_pointer(&recipient->detail, g_free);
    recipient->in_doubt = FALSE;
    recipient->unsupported = FALSE;
    recipient->waits = FALSE;
    recipient->pinned = FALSE;
    g_clear_pointer(&recipient->reason, g_free);
    g_clear_pointer(&recipient->sealed_key, seal_key_unref);
    recipient->is_sealed = FALSE;
    recipient->unable = FALSE;
    recipient->keeps_signature = FALSE;
    recipient->has_fallback = FALSE;
    recipient->asked_for = FALSE;
    recipient->result = SEAL_VERDICT_NONE;
    recipient->settled = NULL;
    recipient->chosen = NULL;
    recipient->fault = NULL;
}

gboolean seal_job_is_bounce(const SealJob *job)
{
    return !job->sender && g_str_equal(job->sender_text, "<>");
}

char *seal_job_no_author_reason(const SealJob *job)
{
    return g_strdup_printf("From does not name one author: %s",
                           job->no_author ? job->no_author : "it is not there");
}

SealKey *seal_recipient_key_for(const SealRecipient *recipient, const char *format)
{
    for (guint i = 0; i < recipient->keys->len; i++) {
        SealKey *key = g_ptr_array_index(recipient->keys, i);
        if (g_str_equal(seal_key_format(key), format))
            return key;
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * For stages and front ends
 */

const char *seal_job_id(const SealJob *job)
{
    return job->id;
}

SealAddress *seal_job_sender(const SealJob *job)
{
    return job->sender;
}

SealAddress *seal_job_author(const SealJob *job)
{
    return job->author;
}

gboolean seal_job_submitted(const SealJob *job)
{
    return job->submitted;
}

gboolean seal_job_is_rehearsal(const SealJob *job)
{
    return job->explains;
}

gboolean seal_job_has_header(const SealJob *job)
{
    return job->message != NULL;
}

const char *seal_job_login(const SealJob *job)
{
    return job->login;
}

SealEntity *seal_job_entity(SealJob *job)
{
    return job->message && !job->header_only ? seal_message_entity(job->message) : NULL;
}

GPtrArray *seal_job_deliveries(const SealJob *job)
{
    return job->deliveries;
}

GPtrArray *seal_job_recipients(const SealJob *job)
{
    return job->recipients;
}

SealAddress *seal_recipient_address(const SealRecipient *recipient)
{
    return recipient->address;
}

SealVerdict seal_recipient_result(const SealRecipient *recipient)
{
    return recipient->result;
}

const char *seal_recipient_rule(const SealRecipient *recipient)
{
    return recipient->policy ? recipient->policy->rule : "";
}

const char *seal_recipient_reason(const SealRecipient *recipient)
{
    return recipient->reason ? recipient->reason : "";
}

const char *seal_recipient_status(const SealRecipient *recipient)
{
    const char *code = recipient->settled ? seal_decision_code(recipient->settled) : NULL;

    if (recipient->result != SEAL_VERDICT_REFUSE)
        return "";
    /* Message too big for system; delivery not authorized. */
    return g_strcmp0(code, "size") == 0 ? "5.3.4" : "5.7.1";
}

SealNeed seal_recipient_encrypt(const SealRecipient *recipient)
{
    return recipient->policy->encrypt;
}

SealNeed seal_recipient_sign(const SealRecipient *recipient)
{
    return recipient->sign;
}

const char *const *seal_recipient_formats(const SealRecipient *recipient)
{
    return recipient->policy->formats;
}

const char *seal_delivery_format(const SealDelivery *delivery)
{
    return delivery->format;
}

SealNeed seal_delivery_sign(const SealDelivery *delivery)
{
    return delivery->sign;
}

void seal_delivery_set_signer(SealDelivery *delivery, SealKey *signer, gboolean opaque)
{
    seal_key_ref(signer);
    seal_key_unref(delivery->signer);
    delivery->signer = signer;
    delivery->opaque = opaque;
}

void seal_delivery_note(SealDelivery *delivery, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    char *note = delivery->note ? g_strjoin("; ", delivery->note, text, NULL) : g_strdup(text);
    g_free(delivery->note);
    delivery->note = note;
}

SealContent *seal_delivery_content(const SealDelivery *delivery)
{
    return delivery->content;
}

void seal_delivery_set_content(SealDelivery *delivery, SealContent *content)
{
    seal_content_ref(content);
    g_clear_pointer(&delivery->view, seal_message_free);
    seal_content_unref(delivery->content);
    delivery->content = content;
}

static SealMessage *delivery_view(SealDelivery *delivery, GError **error)
{
    if (!delivery->view)
        delivery->view = seal_message_new(delivery->content, error);
    return delivery->view;
}

SealEntity *seal_delivery_entity(SealDelivery *delivery, GError **error)
{
    SealMessage *view = delivery_view(delivery, error);

    return view ? seal_message_entity(view) : NULL;
}

gboolean seal_delivery_set_field(SealDelivery *delivery, const char *name, const char *value,
                                 GError **error)
{
    SealMessage *view = delivery_view(delivery, error);
    g_autoptr(SealContent) changed =
        view ? seal_message_with_field(view, name, value, error) : NULL;

    if (changed)
        seal_delivery_set_content(delivery, changed);
    return changed != NULL;
}

void seal_delivery_forget(SealDelivery *delivery)
{
    g_ptr_array_set_size(delivery->changes, 0);
    g_clear_pointer(&delivery->as_signed, seal_content_unref);
    g_clear_pointer(&delivery->view, seal_message_free);
}

void seal_delivery_add_change(SealDelivery *delivery, const char *step)
{
    SealChange *change = g_new0(SealChange, 1);

    change->step = step;
    change->content = seal_content_ref(delivery->content);
    g_ptr_array_add(delivery->changes, change);
}

GPtrArray *seal_delivery_recipients(const SealDelivery *delivery)
{
    return delivery->recipients;
}

GPtrArray *seal_delivery_keys(const SealDelivery *delivery)
{
    return delivery->keys;
}
