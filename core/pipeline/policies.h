/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policies.h: [policy] and the rules, and which of them holds for a recipient.
 */
#pragma once

#include "core/pipeline/job.h"
#include "core/plugin/registry.h"

typedef struct SealPolicies SealPolicies;

/** Reads [policy] and every [rule NAME]. @registry says which formats there are: one named in a
 * file must exist. @can_sign: a stage that signs stands in the pipeline. (transfer full) */
SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                gboolean can_sign, GError **error);
void seal_policies_free(SealPolicies *policies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPolicies, seal_policies_free)

/** [policy], and behind it what holds under each rule; NULL beyond the last. (borrowed) */
const SealPolicy *seal_policies_nth(const SealPolicies *policies, guint index);

/** The rules about which only the message can tell, and it is not there, or not all of it: their
 *  names as text, NULL where there are none. Those behind one that matches do not count. (transfer
 *  full) */
char *seal_policies_undecided(const SealPolicies *policies, SealJob *job,
                              const SealRecipient *recipient);

/** For a job that explains: a decision of each rule, in their order: whether it holds for
 * @recipient, and by what of it. */
void seal_policies_explain(const SealPolicies *policies, SealJob *job,
                           const SealRecipient *recipient);

/** The policy for @recipient of @job: that of the first rule that matches, else [policy]. A rule
 *  that matches in one reading of the message and not in another may be it or not: then the
 *  strictest of what may hold counts, key by key, by the name of the one that asks most for
 *  encryption. Where only the message could tell and is not there, several may hold: @alternative
 *  counts them, from 0; NULL beyond the last. (borrowed) */
const SealPolicy *seal_policies_find(const SealPolicies *policies, SealJob *job,
                                     const SealRecipient *recipient, guint alternative);
