/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * choice.c: what follows for a recipient. A function of its facts alone: it asks nobody and changes
 * nothing.
 */
#include "core/pipeline/choice.h"

static SealAnswer answer_without_key(const SealFacts *facts, const char *code, const char *reason)
{
    gboolean refuses =
        !facts->has_key && (facts->pinned || (facts->unsupported && facts->refuses_unsupported));
    SealFallback fallback = facts->fallback;

    if (refuses && fallback == SEAL_FALLBACK_ALLOW)
        fallback = SEAL_FALLBACK_REFUSE;
    if (facts->may_reduce && fallback != SEAL_FALLBACK_ALLOW)
        return (SealAnswer){SEAL_CHOICE_REDUCED, "reduced", reason};
    return (SealAnswer){fallback == SEAL_FALLBACK_REFUSE   ? SEAL_CHOICE_REFUSE
                        : fallback == SEAL_FALLBACK_REPORT ? SEAL_CHOICE_REPORT
                                                           : SEAL_CHOICE_CLEAR,
                        code, reason, TRUE};
}

/* Why it is not encrypted to. */
static const char *code_without_key(const SealFacts *facts)
{
    return facts->unable        ? "unable"
           : facts->pinned      ? "pinned"
           : facts->unsupported ? SEAL_CODE_UNSUPPORTED
                                : "no-key";
}

SealAnswer seal_choice_make(const SealFacts *facts)
{
    const char *reason = facts->reason ? facts->reason : "";

    if (facts->settled == SEAL_VERDICT_REFUSE)
        return (SealAnswer){SEAL_CHOICE_REFUSE, "refused", reason};
    if (facts->settled != SEAL_VERDICT_NONE)
        return (SealAnswer){SEAL_CHOICE_DEFER, "deferred", reason};
    if (facts->encrypt == SEAL_NEED_NEVER)
        return (SealAnswer){SEAL_CHOICE_CLEAR, "never", "encrypt=never"};
    if (facts->is_sealed && facts->already_sealed == SEAL_ALREADY_PASS)
        return (SealAnswer){SEAL_CHOICE_ALREADY, "already-sealed", "it was encrypted already"};
    if (facts->is_sealed && facts->already_sealed == SEAL_ALREADY_REFUSE)
        return (SealAnswer){SEAL_CHOICE_REFUSE, "already-sealed",
                            "it was encrypted already, and already_sealed=refuse"};
    if (facts->unable || !facts->has_key)
        return answer_without_key(facts, code_without_key(facts), reason);
    if (facts->all_or_none && facts->another_has_none)
        return answer_without_key(facts, "all-or-none",
                                  "all_or_none, and another recipient has no key");
    if (facts->exposes_recipient)
        return (SealAnswer){SEAL_CHOICE_REFUSE, "bcc",
                            "a Bcc recipient among several would be named in the ciphertext; set "
                            "max_rcpt = 1 on the transport"};
    if (facts->no_archive)
        return (SealAnswer){SEAL_CHOICE_DEFER, "archive", facts->no_archive};
    return (SealAnswer){SEAL_CHOICE_SEAL, "key", "a usable key is there"};
}

SealVerdict seal_choice_verdict(SealChoice choice)
{
    static const SealVerdict verdicts[] = {
        [SEAL_CHOICE_SEAL] = SEAL_VERDICT_SEALED,   [SEAL_CHOICE_ALREADY] = SEAL_VERDICT_SEALED,
        [SEAL_CHOICE_REPORT] = SEAL_VERDICT_REPORT, [SEAL_CHOICE_CLEAR] = SEAL_VERDICT_PLAIN,
        [SEAL_CHOICE_REDUCED] = SEAL_VERDICT_PLAIN, [SEAL_CHOICE_REFUSE] = SEAL_VERDICT_REFUSE,
        [SEAL_CHOICE_DEFER] = SEAL_VERDICT_DEFER,
    };

    return verdicts[choice];
}
