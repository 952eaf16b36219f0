/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * group.c: recipients with the same plan make a delivery; a front end with one output makes all of
 * them agree.
 */
#include "core/pipeline/group.h"

#include "core/pipeline/archive.h"
#include "core/pipeline/trace.h"

static void set_reason(SealRecipient *recipient, const char *reason)
{
    g_free(recipient->reason);
    recipient->reason = g_strdup(reason);
}

static void add_key(SealDelivery *delivery, SealKey *key)
{
    for (guint i = 0; i < delivery->keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(delivery->keys, i)),
                        seal_key_fingerprint(key)))
            return;
    }
    g_ptr_array_add(delivery->keys, seal_key_ref(key));
}

static void add_recipient(SealDelivery *delivery, SealRecipient *recipient)
{
    SealKey *first = delivery->format ? seal_recipient_key_for(recipient, delivery->format) : NULL;

    g_ptr_array_add(delivery->recipients, recipient);
    recipient->key = first ? seal_key_ref(first) : NULL;
    for (guint i = 0; i < recipient->keys->len && first; i++) {
        SealKey *key = g_ptr_array_index(recipient->keys, i);

        if (g_str_equal(seal_key_format(key), delivery->format))
            add_key(delivery, key);
    }
}

/* -------------------------------------------------------------------------------------------
 * A delivery for each group
 */

/* A recipient who is in no To or Cc shares a delivery with nobody. */
static SealDelivery *find_delivery(SealJob *job, SealChoice choice, const char *format,
                                   const SealRecipient *recipient)
{
    for (guint i = 0; i < job->deliveries->len && recipient->named; i++) {
        SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);
        const SealRecipient *other = g_ptr_array_index(delivery->recipients, 0);

        if (delivery->choice == choice && g_strcmp0(delivery->format, format) == 0 &&
            delivery->sign == recipient->sign &&
            g_strcmp0(delivery->tag, recipient->policy->tag) == 0 &&
            seal_archive_is_same(other->policy, recipient->policy) && other->named)
            return delivery;
    }
    return NULL;
}

static gboolean is_keyless(const SealRecipient *recipient)
{
    return recipient->unable || recipient->keys->len == 0;
}

static gboolean anyone_is_keyless(const SealJob *job)
{
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        if (recipient->policy->encrypt != SEAL_NEED_NEVER && is_keyless(recipient))
            return TRUE;
    }
    return FALSE;
}

static void deliver_to_one(SealJob *job, SealRecipient *recipient, const SealAnswer *answer,
                           const char *format, const char *reason)
{
    SealDelivery *delivery = find_delivery(job, answer->choice, format, recipient);

    if (!delivery)
        delivery = seal_job_add_delivery(job, answer->choice, format, recipient->sign);
    recipient->chosen = answer->code;
    delivery->tag = recipient->policy->tag;
    set_reason(recipient, reason);
    add_recipient(delivery, recipient);
}

static gboolean group_each(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                           GError **error)
{
    gboolean keyless = anyone_is_keyless(job);

    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        SealFacts facts = seal_recipient_facts(job, recipient);
        SealAnswer answer;

        if (recipient->result != SEAL_VERDICT_NONE)
            continue;
        seal_trace_recipient(job, recipient);
        facts.another_has_none = keyless;
        if (!seal_archive_choose(pipeline, job, recipient, &facts, cancellable, &answer, error))
            return FALSE;
        gboolean sealed = answer.choice == SEAL_CHOICE_SEAL;
        const char *format = sealed ? seal_key_format(g_ptr_array_index(recipient->keys, 0)) : NULL;
        g_autofree char *reason = seal_recipient_reason_of(recipient, &answer);
        if (answer.choice == SEAL_CHOICE_REFUSE || answer.choice == SEAL_CHOICE_DEFER)
            seal_job_settle(job, recipient, seal_choice_verdict(answer.choice), answer.code, "%s",
                            reason);
        else
            deliver_to_one(job, recipient, &answer, format, sealed ? "" : reason);
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * One output for all
 */

/* The first format, in the order of the first recipient's policy, in which all have a key. */
static const char *common_format(const SealJob *job)
{
    const SealRecipient *first = g_ptr_array_index(job->recipients, 0);

    for (guint n = 0; n < first->keys->len; n++) {
        const char *format = seal_key_format(g_ptr_array_index(first->keys, n));
        gboolean all = TRUE;

        for (guint i = 0; i < job->recipients->len && all; i++) {
            const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
            all = !recipient->unable && seal_recipient_key_for(recipient, format);
        }
        if (all)
            return format;
    }
    return NULL;
}

/* What holds for all who share one output: the strictest of what holds for each. */
typedef struct {
    SealFacts facts;
    SealNeed sign;
    gboolean all_named;
} Shared;

static void share_facts(Shared *shared, const SealJob *job, const SealRecipient *recipient)
{
    SealFacts one = seal_recipient_facts(job, recipient);
    SealFacts *all = &shared->facts;

    all->encrypt = MAX(all->encrypt, one.encrypt);
    all->fallback = MAX(all->fallback, one.fallback);
    all->already_sealed = MAX(all->already_sealed, one.already_sealed);
    all->is_sealed = all->is_sealed && one.is_sealed;
    all->unsupported = all->unsupported || one.unsupported;
    all->pinned = all->pinned || (one.pinned && one.encrypt != SEAL_NEED_NEVER);
    all->refuses_unsupported =
        all->refuses_unsupported || (one.refuses_unsupported && one.encrypt != SEAL_NEED_NEVER);
    all->may_reduce = all->may_reduce && (one.may_reduce || one.fallback == SEAL_FALLBACK_ALLOW);
    if (all->settled == SEAL_VERDICT_NONE && one.settled != SEAL_VERDICT_NONE) {
        all->settled = one.settled;
        all->reason = one.reason;
    }
    if (!all->reason && is_keyless(recipient))
        all->reason = one.reason;
    shared->sign = MAX(shared->sign, recipient->sign);
    shared->all_named = shared->all_named && recipient->named;
}

static Shared find_shared(const SealPipeline *pipeline, const SealJob *job, const char *format)
{
    Shared shared = {.facts.is_sealed = TRUE, .facts.may_reduce = TRUE, .all_named = TRUE};

    for (guint i = 0; i < job->recipients->len; i++)
        share_facts(&shared, job, g_ptr_array_index(job->recipients, i));
    shared.facts.has_key = format != NULL;
    if (format && !shared.all_named)
        shared.facts.exposes_recipient =
            !(seal_pipeline_format(pipeline, format)->table.flags & SEAL_FORMAT_HIDES_RECIPIENTS);
    if (!shared.facts.reason)
        shared.facts.reason = "the recipients have no format in common";
    return shared;
}

static void deliver_to_all(SealJob *job, const SealAnswer *answer, const char *format,
                           const Shared *shared, const char *reason)
{
    SealDelivery *delivery = seal_job_add_delivery(job, answer->choice, format, shared->sign);

    delivery->hide = format && !shared->all_named;
    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        set_reason(recipient, reason);
        recipient->chosen = answer->code;
        add_recipient(delivery, recipient);
        if (!delivery->tag)
            delivery->tag = recipient->policy->tag;
    }
}

/* Whatever the policy of the others: it is one message. */
static gboolean find_archives(const SealPipeline *pipeline, SealJob *job, const char *format,
                              GCancellable *cancellable, Shared *shared, GError **error)
{
    GPtrArray *keys = NULL;

    for (guint i = 0; i < job->recipients->len && format && !shared->facts.no_archive; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        if (!seal_archive_find(pipeline, job, recipient->policy, format, cancellable, &keys,
                               &shared->facts.no_archive, error))
            return FALSE;
    }
    return TRUE;
}

/* That of the first who must be encrypted to. */
static char *shared_reason(const SealJob *job, const SealAnswer *answer)
{
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        if (recipient->policy->encrypt == SEAL_NEED_REQUIRED)
            return seal_recipient_reason_of(recipient, answer);
    }
    return g_strdup(answer->reason);
}

/* One output cannot leave for some and stay for others. */
static gboolean group_all(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                          GError **error)
{
    const char *format = common_format(job);
    Shared shared = find_shared(pipeline, job, format);

    if (!find_archives(pipeline, job, format, cancellable, &shared, error))
        return FALSE;
    SealAnswer answer = seal_choice_make(&shared.facts);
    gboolean sealed = answer.choice == SEAL_CHOICE_SEAL;
    /* It may be one of the reasons that are replaced below. */
    g_autofree char *why = sealed ? g_strdup("") : shared_reason(job, &answer);

    if (answer.choice == SEAL_CHOICE_DEFER) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, why);
        return FALSE;
    }
    if (answer.choice != SEAL_CHOICE_REFUSE) {
        deliver_to_all(job, &answer, sealed ? format : NULL, &shared, why);
        return TRUE;
    }
    for (guint i = 0; i < job->recipients->len; i++)
        seal_job_settle(job, g_ptr_array_index(job->recipients, i), SEAL_VERDICT_REFUSE,
                        answer.code, "%s", why);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Who reads it beside the recipients
 */

static void note_archive(SealDelivery *delivery, const SealPolicy *policy, GPtrArray *keys)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < keys->len; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? "," : "",
                               seal_key_fingerprint(g_ptr_array_index(keys, i)));
    seal_delivery_note(delivery, "encrypted as well to archive_to=%s, key %s",
                       seal_address_text(policy->archive_to), names->str);
}

/* TRUE where one of those before @index has the same archive. */
static gboolean is_archived_before(const SealDelivery *delivery, guint index)
{
    const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, index);

    for (guint i = 0; i < index; i++) {
        const SealRecipient *other = g_ptr_array_index(delivery->recipients, i);

        if (seal_archive_is_same(other->policy, recipient->policy))
            return TRUE;
    }
    return FALSE;
}

/* That there are keys is known: it was chosen so. */
static gboolean add_archive(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                            const SealPolicy *policy, GCancellable *cancellable, GError **error)
{
    GPtrArray *keys = NULL;
    const char *why = NULL;

    if (delivery->choice == SEAL_CHOICE_ALREADY)
        seal_delivery_note(delivery, "it came encrypted: archive_to=%s is not added",
                           seal_address_text(policy->archive_to));
    if (delivery->choice != SEAL_CHOICE_SEAL)
        return TRUE;
    if (!seal_archive_find(pipeline, job, policy, delivery->format, cancellable, &keys, &why,
                           error))
        return FALSE;
    for (guint i = 0; keys && i < keys->len; i++)
        add_key(delivery, g_ptr_array_index(keys, i));
    if (keys)
        note_archive(delivery, policy, keys);
    return TRUE;
}

static gboolean add_archives(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);

        if (recipient->policy->archive_to && !is_archived_before(delivery, i) &&
            !add_archive(pipeline, job, delivery, recipient->policy, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* An author without a key changes nothing, nor does a source that does not know just now: the
 * recipients' mail does not wait for the author's copy. */
static gboolean add_author(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                           GCancellable *cancellable, GError **error)
{
    const SealRecipient *first = g_ptr_array_index(delivery->recipients, 0);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autofree char *why = NULL;
    gboolean in_doubt = FALSE;

    if (delivery->choice != SEAL_CHOICE_SEAL || !job->author || !first->policy->encrypt_to_sender)
        return TRUE;

    SealKeyQuery query = {
        .address = job->author,
        .format = seal_pipeline_format(pipeline, delivery->format),
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = first->policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
        .every = !first->policy->newest_key,
    };
    g_autoptr(GError) problem = NULL;
    if (!seal_keyring_find(pipeline->keyring, job, &query, cancellable, keys, &why, NULL, &in_doubt,
                           &problem) &&
        !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < keys->len; i++)
        add_key(delivery, g_ptr_array_index(keys, i));
    return TRUE;
}

gboolean seal_group(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                    GError **error)
{
    gboolean shared = job->one_output && job->recipients->len > 1;

    if (shared ? !group_all(pipeline, job, cancellable, error)
               : !group_each(pipeline, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->deliveries->len; i++) {
        SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);

        seal_trace_delivery(job, delivery);
        if (!add_author(pipeline, job, delivery, cancellable, error) ||
            !add_archives(pipeline, job, delivery, cancellable, error))
            return FALSE;
    }
    return TRUE;
}
