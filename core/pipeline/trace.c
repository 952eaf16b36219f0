/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trace.c: what a job that explains has beside what every job has.
 */
#include "core/pipeline/trace.h"

#include "core/plugin/decision.h"

void seal_trace_recipient(SealJob *job, const SealRecipient *recipient)
{
    job->scope = (SealScope){.recipient = recipient};
}

void seal_trace_delivery(SealJob *job, const SealDelivery *delivery)
{
    job->scope = (SealScope){.delivery = delivery->number};
}

void seal_trace_message(SealJob *job)
{
    job->scope = (SealScope){0};
}

void seal_trace_extra(SealDecision *decision)
{
    seal_decision_about(decision)->is_extra = TRUE;
}

void seal_trace_note(SealJob *job, const char *step, const char *subject, SealVerdict verdict,
                     const char *code, const char *format, ...)
{
    va_list args;

    if (!job->explains)
        return;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);

    SealDecision *decision = seal_job_decide(job, step, subject);
    seal_trace_extra(decision);
    seal_decision_set(decision, verdict, code, "%s", text);
}

void seal_trace_stage(const SealJob *job, SealDecision *decision)
{
    if (job->explains)
        seal_decision_about(decision)->is_stage = TRUE;
}

/* One of what it came encrypted to is looked for by that alone. */
static const char *purpose_name(const SealKeyQuery *query)
{
    return query->purpose == SEAL_PURPOSE_SIGN     ? "sign"
           : query->purpose == SEAL_PURPOSE_VERIFY ? "verify"
           : query->among                          ? "already"
                                                   : "encrypt";
}

void seal_trace_search(const SealJob *job, SealDecision *decision, const SealKeyQuery *query,
                       SealKey *key, const char *source)
{
    SealAbout *about = job->explains ? seal_decision_about(decision) : NULL;

    if (!about)
        return;
    about->purpose = purpose_name(query);
    about->format = query->format->table.name;
    about->source = source;
    about->key = key ? seal_key_ref(key) : NULL;
}

void seal_trace_source(SealJob *job, const SealKeyQuery *query, const char *source,
                       const SealAddress *address, const GPtrArray *keys)
{
    if (!job->explains)
        return;

    SealDecision *decision = seal_job_decide(job, "source", seal_address_text(query->address));
    seal_trace_extra(decision);
    g_autofree char *count = g_strdup_printf("%u", keys->len);
    seal_decision_set(decision, keys->len > 0 ? SEAL_VERDICT_PASS : SEAL_VERDICT_SKIP,
                      keys->len > 0 ? "keys" : "none", "key source %s has %s %s key%s for %s",
                      source, keys->len > 0 ? count : "no", query->format->table.name,
                      keys->len == 1 ? "" : "s", seal_address_text(address));
    seal_trace_search(job, decision, query, NULL, source);
}

void seal_trace_not_asked(SealJob *job, const SealKeyQuery *query, const GPtrArray *sources,
                          guint first, const char *why)
{
    for (guint i = first; job->explains && i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);
        SealDecision *decision = seal_job_decide(job, "source", seal_address_text(query->address));

        seal_trace_extra(decision);
        seal_decision_set(decision, SEAL_VERDICT_SKIP, "not-asked",
                          "key source %s was not asked: %s", source->table.name, why);
        seal_trace_search(job, decision, query, NULL, source->table.name);
    }
}
