/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rule.h: what a [rule NAME] group matches.
 */
#pragma once

#include "core/pipeline/job.h"
#include "core/plugin/settings.h"

typedef struct SealRule SealRule;

typedef enum {
    SEAL_MATCH_NO,
    SEAL_MATCH_MAYBE, /* only the message can tell, and it is not there */
    SEAL_MATCH_SOME,  /* in one reading of what came, and not in another */
    SEAL_MATCH_YES,
} SealMatch;

/** Reads the match_... settings of a rule. One that says nothing to match, or that can match
 *  nothing, is SEAL_ERROR_CONFIG. (transfer full) */
SealRule *seal_rule_new(const SealSettings *settings, GError **error);
void seal_rule_free(SealRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealRule, seal_rule_free)

/** Does it hold for @recipient of @job? Each match_... must, and of a list one item. What the rule
 *  asks of the message is found out once for a job: @index is the rule's among all. */
SealMatch seal_rule_match(const SealRule *rule, guint index, SealJob *job,
                          const SealRecipient *recipient);

/** Why it holds (@match, as seal_rule_match() has it) or does not, by what is written in @settings,
 *  of which it was made. (transfer full) */
char *seal_rule_tell(const SealRule *rule, const SealSettings *settings, SealJob *job,
                     const SealRecipient *recipient, SealMatch match);

/** The text that comes out of the Subject where the rule wins; NULL: none. (borrowed) */
const char *seal_rule_tag(const SealRule *rule);
