/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policy.h: what each recipient of a message requires.
 */
#pragma once

#include "core/plugin/module.h"
#include "core/plugin/settings.h"
#include "core/sealpipe.h"

/** In ascending order of strictness. */
typedef enum {
    SEAL_ALREADY_PASS,
    SEAL_ALREADY_WRAP,
    SEAL_ALREADY_REFUSE,
} SealAlready;

/** What problem reports say. */
typedef struct {
    const char *subject;          /* "": the language's own */
    const char *const *languages; /* NULL-terminated, at least one; a block of text for each */
    const char *text;             /* the operator's own, or NULL */
} SealNoticeSpec;

/** What holds for one recipient. */
typedef struct {
    const char *rule; /* the rule that won; "" for [policy] alone */
    SealNeed encrypt;
    SealNeed sign;
    const char *const *formats; /* in order of preference; those that are there */
    gboolean all_or_none;
    SealFallback fallback;
    gboolean encrypt_to_sender;
    SealAlready already_sealed;
    gboolean keep_signed; /* a signed message is not signed again */
    SealTrust min_trust;
    SealNoticeSpec notice;
    const char *tag; /* what the rule takes out of the Subject; NULL for nothing */
} SealPolicy;

typedef struct SealPolicies SealPolicies;

/** Reads [policy] and every [rule NAME]. @registry says which formats there are: one named in a
 * file must exist. @can_sign: a stage that signs stands in the pipeline. (transfer full) */
SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                gboolean can_sign, GError **error);
void seal_policies_free(SealPolicies *policies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPolicies, seal_policies_free)

/** The policy for @recipient of @job: that of the first rule that matches, else [policy]. Where
 *  only the message could tell and is not there, several may hold: @alternative counts them, from
 *  0; NULL beyond the last. (borrowed) */
const SealPolicy *seal_policies_find(const SealPolicies *policies, SealJob *job,
                                     const SealRecipient *recipient, guint alternative);
