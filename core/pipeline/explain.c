/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * explain.c: a message's way for people: every decision, what would leave, and its structure. It
 * quotes no body and no Subject.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

#include <string.h>

enum { MAX_PARTS = 200 }; /* of one delivery that are shown */

/* -------------------------------------------------------------------------------------------
 * The message
 */

static const char *need_name(SealNeed need)
{
    static const char *const words[] = {"never", "preferred", "required"};

    return words[need];
}

static void put_message(SealJob *job, SealOut *out)
{
    seal_out_text(out, "id", "%s", job->id);
    seal_out_number(out, "octets", (gint64)job->size);
    seal_out_text(out, "sender", "%s", job->sender_text ? job->sender_text : "");
    seal_out_text(out, "author", "%s", job->author ? seal_address_text(job->author) : "");
    seal_out_text(out, "no_author", "%s", job->no_author ? job->no_author : "");
    seal_out_boolean(out, "submitted", job->submitted);
    seal_out_text(out, "login", "%s", job->login ? job->login : "");
    seal_out_text(out, "came", "%s",
                  !job->message         ? "malformed"
                  : job->already_sealed ? "encrypted"
                  : job->already_signed ? "signed"
                                        : "plain");
    seal_out_boolean(out, "bounce", seal_job_is_bounce(job));
}

/* -------------------------------------------------------------------------------------------
 * Recipients
 */

/* The number of what it gets; 0: nothing. */
static guint delivery_of(const SealJob *job, const SealRecipient *recipient)
{
    for (guint i = 0; i < job->deliveries->len; i++) {
        const SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);

        if (g_ptr_array_find(delivery->recipients, recipient, NULL))
            return delivery->number;
    }
    return 0;
}

static void put_policy(const SealPolicy *policy, SealOut *out)
{
    static const char *const fallbacks[] = {"allow", "report", "refuse"};
    static const char *const already[] = {"pass", "wrap", "refuse"};
    g_autofree char *formats = policy ? g_strjoinv(";", (char **)policy->formats) : NULL;

    seal_out_text(out, "encrypt", "%s", policy ? need_name(policy->encrypt) : "");
    seal_out_text(out, "sign", "%s", policy ? need_name(policy->sign) : "");
    seal_out_text(out, "formats", "%s", formats ? formats : "");
    seal_out_text(out, "fallback", "%s", policy ? fallbacks[policy->fallback] : "");
    seal_out_text(out, "min_trust", "%s", policy ? seal_trust_name(policy->min_trust) : "");
    seal_out_text(out, "already_sealed", "%s", policy ? already[policy->already_sealed] : "");
    seal_out_text(out, "archive_to", "%s",
                  policy && policy->archive_to ? seal_address_text(policy->archive_to) : "");
}

static void put_recipient(const SealJob *job, const SealRecipient *recipient, SealOut *out)
{
    const char *code = recipient->settled ? seal_decision_code(recipient->settled) : NULL;

    seal_out_row(out, "recipients");
    seal_out_text(out, "recipient", "%s", seal_address_text(recipient->address));
    seal_out_text(out, "result", "%s", seal_verdict_name(recipient->result));
    seal_out_text(out, "code", "%s", code ? code : "");
    seal_out_text(out, "reason", "%s", seal_recipient_reason(recipient));
    seal_out_text(out, "detail", "%s", recipient->detail ? recipient->detail : "");
    seal_out_text(out, "status", "%s", seal_recipient_status(recipient));
    seal_out_number(out, "delivery", delivery_of(job, recipient));
    seal_out_boolean(out, "named", recipient->named);
    seal_out_text(out, "rule", "%s", seal_recipient_rule(recipient));
    put_policy(recipient->policy, out);
    seal_out_end_row(out);
}

/* -------------------------------------------------------------------------------------------
 * Decisions
 */

static gboolean is_among(const GPtrArray *keys, const SealKey *key)
{
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *other = g_ptr_array_index(keys, i);

        if (g_str_equal(seal_key_fingerprint(other), seal_key_fingerprint(key)) &&
            g_str_equal(seal_key_format(other), seal_key_format(key)))
            return TRUE;
    }
    return FALSE;
}

/* Something that leaves was encrypted to it, or signed with it, for whom it was asked for. */
static gboolean is_used(const SealJob *job, const SealAbout *about)
{
    guint number = about->recipient ? delivery_of(job, about->recipient) : about->delivery;
    gboolean signs = g_str_equal(about->purpose, "sign");
    const SealRecipient *recipient = about->recipient;

    if (g_str_equal(about->purpose, "already"))
        return number > 0 && recipient && recipient->sealed_key &&
               g_str_equal(seal_key_fingerprint(recipient->sealed_key),
                           seal_key_fingerprint(about->key));

    for (guint i = 0; i < job->deliveries->len; i++) {
        const SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);

        if (delivery->number != number)
            continue;
        return signs ? delivery->signer && g_str_equal(seal_key_fingerprint(delivery->signer),
                                                       seal_key_fingerprint(about->key))
                     : is_among(delivery->keys, about->key);
    }
    return FALSE;
}

static void put_key(const SealJob *job, const SealAbout *about, SealOut *out)
{
    const SealKey *key = about->key;
    const char *label = seal_key_label(key), *place = seal_key_place(key);
    const char *by = seal_key_proven_by(key);
    g_autofree char *until = seal_text_day(seal_key_valid_until(key));

    seal_out_text(out, "key", "%s", seal_key_fingerprint(key));
    seal_out_text(out, "label", "%s", label ? label : "");
    seal_out_text(out, "origin", "%s", seal_key_source(key) ? seal_key_source(key) : "");
    seal_out_text(out, "place", "%s", place ? place : "");
    seal_out_text(out, "trust", "%s", seal_trust_name(seal_key_trust(key)));
    seal_out_text(out, "proof", "%s", by ? by : "");
    seal_out_text(out, "until", "%s", until);
    seal_out_boolean(out, "used", is_used(job, about));
}

/* By whom it was asked for: who gets what, or what leaves. */
static void put_scope(const SealAbout *about, SealOut *out)
{
    const SealRecipient *recipient = about->recipient;

    seal_out_text(out, "recipient", "%s", recipient ? seal_address_text(recipient->address) : "");
    seal_out_number(out, "delivery", about->delivery);
}

static void put_decision(const SealJob *job, const SealDecision *decision, SealOut *out)
{
    const SealAbout *about = seal_decision_peek_about(decision);
    const char *code = seal_decision_code(decision), *text = seal_decision_text(decision);

    seal_out_row(out, "decisions");
    put_scope(about, out);
    seal_out_text(out, "step", "%s", about->is_stage ? "stage" : seal_decision_step(decision));
    seal_out_text(out, "subject", "%s",
                  about->is_stage ? seal_decision_step(decision) : seal_decision_subject(decision));
    seal_out_text(out, "verdict", "%s", seal_verdict_name(seal_decision_verdict(decision)));
    seal_out_text(out, "code", "%s", code ? code : "");
    seal_out_text(out, "text", "%s", text ? text : "");
    if (about->purpose) {
        seal_out_text(out, "purpose", "%s", about->purpose);
        seal_out_text(out, "format", "%s", about->format);
    }
    if (about->source)
        seal_out_text(out, "source", "%s", about->source);
    if (about->key)
        put_key(job, about, out);
    seal_out_end_row(out);
}

/* -------------------------------------------------------------------------------------------
 * What would leave
 */

static void put_part(guint number, gboolean inside, guint depth, SealEntity *entity, SealOut *out)
{
    static const char *const telling[] = {"protocol", "smime-type", "micalg", "report-type"};
    g_autoptr(GString) type = g_string_new(seal_entity_type(entity));

    for (guint i = 0; i < G_N_ELEMENTS(telling); i++) {
        const char *value = seal_entity_parameter(entity, telling[i]);

        if (value)
            g_string_append_printf(type, "; %s=%s", telling[i], value);
    }
    g_autofree char *line = seal_text_line(type->str, type->len, 120);
    g_autofree char *encoding =
        seal_text_line(seal_entity_encoding(entity), strlen(seal_entity_encoding(entity)), 40);

    seal_out_row(out, "parts");
    seal_out_number(out, "delivery", number);
    seal_out_boolean(out, "encrypted", inside);
    seal_out_number(out, "depth", depth);
    seal_out_text(out, "type", "%s", line);
    seal_out_text(out, "encoding", "%s", encoding);
    seal_out_number(out, "octets", (gint64)seal_content_size(seal_entity_body(entity)));
    seal_out_end_row(out);
}

/* Counts @left down; what cannot be taken apart is shown as one. */
static void put_parts(guint number, gboolean inside, guint depth, SealEntity *entity, guint *left,
                      SealOut *out)
{
    GPtrArray *parts = NULL;

    if (*left == 0)
        return;
    (*left)--;
    put_part(number, inside, depth, entity, out);
    if (!seal_entity_parts(entity, &parts, NULL))
        return;
    for (guint i = 0; i < parts->len; i++)
        put_parts(number, inside, depth + 1, g_ptr_array_index(parts, i), left, out);
}

static void put_content(guint number, gboolean inside, SealContent *content, guint *left,
                        SealOut *out)
{
    g_autoptr(SealMessage) message = content ? seal_message_new(content, NULL) : NULL;

    if (message)
        put_parts(number, inside, 0, seal_message_entity(message), left, out);
}

static const char *choice_name(SealChoice choice)
{
    static const char *const words[] = {"sealed",  "as it came", "report",  "clear",
                                        "reduced", "refused",    "deferred"};

    return words[choice];
}

/* (transfer full) */
static char *join_keys(const GPtrArray *keys)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < keys->len; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? "," : "",
                               seal_key_fingerprint(g_ptr_array_index(keys, i)));
    return g_strdup(names->str);
}

/* (transfer full) */
static char *join_recipients(const GPtrArray *recipients)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(recipients, i);

        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "",
                               seal_address_text(recipient->address));
    }
    return g_strdup(names->str);
}

/* How what leaves is signed. */
static const char *signature_of(const SealDispatcher *self, const SealDelivery *delivery)
{
    const SealFormatEntry *format =
        delivery->format ? seal_registry_format(self->registry, delivery->format) : NULL;

    if (!delivery->is_signed)
        return "";
    if (format && format->table.flags & SEAL_FORMAT_COMBINES)
        return "combined";
    return delivery->opaque ? "opaque" : "detached";
}

static void put_delivery(const SealDispatcher *self, const SealDelivery *delivery, SealOut *out)
{
    g_autofree char *recipients = join_recipients(delivery->recipients);
    g_autofree char *keys = join_keys(delivery->keys);
    const SealKey *signer = delivery->is_signed ? delivery->signer : NULL;
    const char *format = delivery->format ? delivery->format
                         : signer         ? seal_key_format(signer)
                                          : "";
    guint left = MAX_PARTS;

    seal_out_row(out, "deliveries");
    seal_out_number(out, "delivery", delivery->number);
    seal_out_text(out, "what", "%s", choice_name(delivery->choice));
    seal_out_text(out, "recipients", "%s", recipients);
    seal_out_text(out, "format", "%s", format);
    seal_out_text(out, "keys", "%s", keys);
    seal_out_boolean(out, "hidden", delivery->hide);
    seal_out_text(out, "signer", "%s", signer ? seal_key_fingerprint(signer) : "");
    seal_out_text(out, "signature", "%s", signature_of(self, delivery));
    seal_out_number(out, "octets", (gint64)seal_content_size(delivery->content));
    seal_out_text(out, "note", "%s", delivery->note ? delivery->note : "");
    seal_out_end_row(out);
    put_content(delivery->number, FALSE, delivery->content, &left, out);
    put_content(delivery->number, TRUE, delivery->inner, &left, out);
}

gboolean seal_dispatcher_explain(SealDispatcher *self, SealJob *job, SealOut *out, GError **error)
{
    gboolean done = seal_dispatcher_run(self, job, NULL, error);

    put_message(job, out);
    seal_out_list(out, "recipients");
    for (guint i = 0; i < job->recipients->len; i++)
        put_recipient(job, g_ptr_array_index(job->recipients, i), out);
    seal_out_list(out, "decisions");
    for (guint i = 0; i < job->decisions->len; i++)
        put_decision(job, g_ptr_array_index(job->decisions, i), out);
    seal_out_list(out, "deliveries");
    seal_out_list(out, "parts");
    for (guint i = 0; i < job->deliveries->len; i++)
        put_delivery(self, g_ptr_array_index(job->deliveries, i), out);
    return done;
}

/* -------------------------------------------------------------------------------------------
 * Whom a message names
 */

static void add_recipient(SealAddress *address, gpointer texts)
{
    g_ptr_array_add(texts, g_strdup(seal_address_text(address)));
}

gboolean seal_message_recipients(SealMessage *message, GPtrArray *texts, GError **error)
{
    static const char *const fields[] = {"To", "Cc", "Bcc", NULL};

    return seal_message_each_address(message, fields, add_recipient, texts, error);
}
