/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policy.h: what each recipient of a message requires.
 */
#pragma once

#include "core/module.h"
#include "core/sealpipe.h"
#include "core/settings.h"

/** In ascending order of strictness. */
typedef enum {
    SEAL_FALLBACK_ALLOW,
    SEAL_FALLBACK_REPORT,
    SEAL_FALLBACK_REFUSE,
} SealFallback;

/** In ascending order of strictness. */
typedef enum {
    SEAL_ALREADY_PASS,
    SEAL_ALREADY_WRAP,
    SEAL_ALREADY_REFUSE,
} SealAlready;

/** What holds for one recipient. */
typedef struct {
    const char *rule; /* the rule that won; "" for [policy] alone */
    SealNeed encrypt;
    SealNeed sign;
    const char *const *formats; /* in order of preference; those that are there */
    SealFallback fallback;
    gboolean encrypt_to_sender;
    SealAlready already_sealed;
    gboolean keep_signed; /* a signed message is not signed again */
    SealTrust min_trust;
} SealPolicy;

typedef struct SealPolicies SealPolicies;

/** Reads [policy]. @registry says which formats there are: one named in a file must exist.
 *  @can_sign: a stage that signs stands in the pipeline. (transfer full) */
SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                gboolean can_sign, GError **error);
void seal_policies_free(SealPolicies *policies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPolicies, seal_policies_free)

/** The policy for @recipient of @job. (borrowed) */
const SealPolicy *seal_policies_find(const SealPolicies *policies, SealJob *job,
                                     const SealRecipient *recipient);

/** TRUE where the message may reach the recipient in clear when it cannot be sealed. */
gboolean seal_policy_allows_clear(const SealPolicy *policy);
