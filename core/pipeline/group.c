/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * group.c: recipients with the same plan make a delivery; a front end with one output makes all of
 * them agree.
 */
#include "core/pipeline/dispatcher.h"

#include "core/mail/message.h"

/* What is common to the recipients of a job while they are grouped. */
typedef struct {
    SealDispatcher *dispatcher;
    SealJob *job;
    gboolean keyless; /* a recipient who is to be encrypted to has no key */
} Grouping;

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
    SealKey *key = delivery->format ? seal_recipient_key_for(recipient, delivery->format) : NULL;

    g_ptr_array_add(delivery->recipients, recipient);
    if (key) {
        recipient->key = seal_key_ref(key);
        add_key(delivery, key);
    }
}

/* -------------------------------------------------------------------------------------------
 * One recipient
 */

typedef struct {
    SealVerdict verdict; /* PASS: it gets a delivery by this plan; or REFUSE */
    SealPlan plan;
    const char *format;
    const char *reason;
} Choice;

static Choice without_key(SealFallback fallback, const char *why)
{
    return (Choice){fallback == SEAL_FALLBACK_REFUSE ? SEAL_VERDICT_REFUSE : SEAL_VERDICT_PASS,
                    fallback == SEAL_FALLBACK_REPORT ? SEAL_PLAN_REPORT : SEAL_PLAN_CLEAR, NULL,
                    why};
}

static Choice choose(const Grouping *grouping, const SealRecipient *recipient)
{
    const SealPolicy *policy = recipient->policy;

    if (policy->encrypt == SEAL_NEED_NEVER && !seal_recipient_stage_decides(recipient))
        return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_CLEAR, NULL, "encrypt=never"};
    if (grouping->job->already_sealed && policy->already_sealed == SEAL_ALREADY_PASS)
        return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_ALREADY, NULL, "it was encrypted already"};
    if (grouping->job->already_sealed && policy->already_sealed == SEAL_ALREADY_REFUSE)
        return (Choice){SEAL_VERDICT_REFUSE, SEAL_PLAN_CLEAR, NULL,
                        "it was encrypted already, and already_sealed=refuse"};
    if (policy->all_or_none && grouping->keyless && !recipient->unable)
        return without_key(seal_recipient_fallback(recipient),
                           "all_or_none, and another recipient has no key");
    if (!recipient->unable && recipient->keys->len > 0) {
        const SealChoice *first = g_ptr_array_index(recipient->keys, 0);
        return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_SEAL, first->format, ""};
    }
    return without_key(seal_recipient_fallback(recipient), recipient->no_key);
}

/* -------------------------------------------------------------------------------------------
 * A delivery for each group
 */

/* A recipient who is in no To or Cc shares a delivery with nobody. */
static SealDelivery *find_delivery(SealJob *job, const Choice *choice,
                                   const SealRecipient *recipient)
{
    for (guint i = 0; i < job->deliveries->len && recipient->named; i++) {
        SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);
        const SealRecipient *other = g_ptr_array_index(delivery->recipients, 0);

        if (delivery->plan == choice->plan && delivery->format == choice->format &&
            delivery->sign == recipient->sign &&
            g_strcmp0(delivery->tag, recipient->policy->tag) == 0 &&
            seal_recipient_is_reduced(job, other) == seal_recipient_is_reduced(job, recipient) &&
            other->named)
            return delivery;
    }
    return NULL;
}

static gboolean is_keyless(const SealRecipient *recipient)
{
    return recipient->policy->encrypt != SEAL_NEED_NEVER &&
           (recipient->unable || recipient->keys->len == 0);
}

static void group_each(Grouping *grouping)
{
    SealJob *job = grouping->job;

    for (guint i = 0; i < job->recipients->len; i++)
        grouping->keyless = grouping->keyless || is_keyless(g_ptr_array_index(job->recipients, i));

    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        if (recipient->result != SEAL_VERDICT_NONE)
            continue;

        Choice choice = choose(grouping, recipient);
        if (choice.verdict == SEAL_VERDICT_REFUSE) {
            seal_job_settle(job, recipient, SEAL_VERDICT_REFUSE, "policy", "%s", choice.reason);
            continue;
        }
        SealDelivery *delivery = find_delivery(job, &choice, recipient);
        if (!delivery)
            delivery = seal_job_add_delivery(job, choice.plan, choice.format, recipient->sign);
        delivery->tag = recipient->policy->tag;
        set_reason(recipient, choice.reason);
        add_recipient(delivery, recipient);
    }
}

/* -------------------------------------------------------------------------------------------
 * One output for all
 */

/* The first format, in the order of the first recipient's policy, in which all have a key. */
static const char *common_format(const Grouping *grouping)
{
    GPtrArray *recipients = grouping->job->recipients;
    const SealRecipient *first = g_ptr_array_index(recipients, 0);

    for (guint n = 0; n < first->keys->len; n++) {
        const SealChoice *candidate = g_ptr_array_index(first->keys, n);
        gboolean all = TRUE;

        for (guint i = 0; i < recipients->len && all; i++) {
            const SealRecipient *recipient = g_ptr_array_index(recipients, i);
            all = !recipient->unable && seal_recipient_key_for(recipient, candidate->format);
        }
        if (all)
            return candidate->format;
    }
    return NULL;
}

/* What the strictest of the policies says, since one output serves all. */
typedef struct {
    SealNeed need;
    SealNeed sign;
    SealFallback fallback; /* among those that require encryption */
    SealAlready already;
    const SealRecipient *keyless;
    gboolean all_named;
} Strictest;

static Strictest strictest(const Grouping *grouping)
{
    Strictest most = {
        SEAL_NEED_NEVER, SEAL_NEED_NEVER, SEAL_FALLBACK_ALLOW, SEAL_ALREADY_PASS, NULL, TRUE};

    for (guint i = 0; i < grouping->job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(grouping->job->recipients, i);
        const SealPolicy *policy = recipient->policy;

        most.need = MAX(most.need, policy->encrypt);
        most.sign = MAX(most.sign, recipient->sign);
        most.fallback = MAX(most.fallback, seal_recipient_fallback(recipient));
        if (seal_recipient_stage_decides(recipient))
            most.need = MAX(most.need, SEAL_NEED_PREFERRED);
        most.already = MAX(most.already, policy->already_sealed);
        if (!most.keyless && (recipient->unable || recipient->keys->len == 0))
            most.keyless = recipient;
        most.all_named = most.all_named && recipient->named;
    }
    return most;
}

static Choice choose_for_all(const Grouping *grouping, const Strictest *most)
{
    if (most->need == SEAL_NEED_NEVER)
        return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_CLEAR, NULL, "encrypt=never"};
    if (grouping->job->already_sealed && most->already == SEAL_ALREADY_PASS)
        return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_ALREADY, NULL, "it was encrypted already"};
    if (grouping->job->already_sealed && most->already == SEAL_ALREADY_REFUSE)
        return (Choice){SEAL_VERDICT_REFUSE, SEAL_PLAN_CLEAR, NULL,
                        "it was encrypted already, and already_sealed=refuse"};

    const char *format = common_format(grouping);
    if (!format)
        return without_key(most->fallback, most->keyless ? most->keyless->no_key
                                                         : "the recipients have no format in "
                                                           "common");
    const SealFormatEntry *entry = seal_dispatcher_step_format(grouping->dispatcher, format);
    if (!most->all_named && !(entry->table.flags & SEAL_FORMAT_HIDES_RECIPIENTS))
        return (Choice){SEAL_VERDICT_REFUSE, SEAL_PLAN_CLEAR, NULL,
                        "a Bcc recipient among several would be named in the ciphertext; set "
                        "max_rcpt = 1 on the transport"};
    return (Choice){SEAL_VERDICT_PASS, SEAL_PLAN_SEAL, format, ""};
}

static void refuse_all(SealJob *job, const char *why)
{
    for (guint i = 0; i < job->recipients->len; i++)
        seal_job_settle(job, g_ptr_array_index(job->recipients, i), SEAL_VERDICT_REFUSE, "policy",
                        "%s", why);
}

static gboolean group_all(Grouping *grouping, GError **error)
{
    SealJob *job = grouping->job;

    /* One output cannot leave for some and stay for others. */
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);

        if (recipient->result == SEAL_VERDICT_DEFER) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s", recipient->reason);
            return FALSE;
        }
        if (recipient->result == SEAL_VERDICT_REFUSE) {
            g_autofree char *why = g_strdup(recipient->reason);
            refuse_all(job, why);
            return TRUE;
        }
    }

    Strictest most = strictest(grouping);
    Choice choice = choose_for_all(grouping, &most);
    if (choice.verdict == SEAL_VERDICT_REFUSE) {
        refuse_all(job, choice.reason);
        return TRUE;
    }
    SealDelivery *delivery = seal_job_add_delivery(job, choice.plan, choice.format, most.sign);
    delivery->hide = choice.plan == SEAL_PLAN_SEAL && !most.all_named;
    for (guint i = 0; i < job->recipients->len; i++) {
        SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        set_reason(recipient, choice.reason);
        add_recipient(delivery, recipient);
        if (!delivery->tag)
            delivery->tag = recipient->policy->tag;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The author's copy
 */

/* An author without a key changes nothing, nor does a source that does not know just now: the
 * recipients' mail does not wait for the author's copy. */
static gboolean add_author(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                           GCancellable *cancellable, GError **error)
{
    const SealRecipient *first = g_ptr_array_index(delivery->recipients, 0);
    g_autoptr(SealKey) key = NULL;
    g_autofree char *why = NULL;

    if (delivery->plan != SEAL_PLAN_SEAL || !job->author || !first->policy->encrypt_to_sender)
        return TRUE;

    SealKeyQuery query = {
        .address = job->author,
        .format = seal_dispatcher_step_format(dispatcher, delivery->format),
        .purpose = SEAL_PURPOSE_ENCRYPT,
        .min_trust = first->policy->min_trust,
        .at = g_get_real_time() / G_USEC_PER_SEC,
    };
    g_autoptr(GError) problem = NULL;
    if (!seal_keyring_find(dispatcher->keyring, job, &query, cancellable, &key, &why, &problem) &&
        !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (key)
        add_key(delivery, key);
    return TRUE;
}

gboolean seal_group(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                    GError **error)
{
    Grouping grouping = {.dispatcher = dispatcher, .job = job};

    if (job->one_output && job->recipients->len > 1) {
        if (!group_all(&grouping, error))
            return FALSE;
    } else {
        group_each(&grouping);
    }
    for (guint i = 0; i < job->deliveries->len; i++) {
        if (!add_author(dispatcher, job, g_ptr_array_index(job->deliveries, i), cancellable, error))
            return FALSE;
    }
    return TRUE;
}
