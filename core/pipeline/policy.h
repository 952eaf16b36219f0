/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policy.h: what each recipient of a message requires.
 */
#pragma once

#include "core/sealpipe.h"

/** In ascending order of strictness. */
typedef enum {
    SEAL_ALREADY_PASS,
    SEAL_ALREADY_WRAP,
    SEAL_ALREADY_REFUSE,
} SealAlready;

/** Why nothing can be encrypted to anybody. */
#define SEAL_NO_FORMAT                                                                             \
    "none of the policy's formats is there: a [module NAME] in a file of conf.d enables one, and " \
    "[pipeline] outbound must not leave it out"

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
    gboolean reduce_bounces; /* a delivery report that may not leave in clear does so reduced */
    gboolean encrypt_to_sender;
    SealAddress *archive_to; /* whose key all that is sealed is encrypted to; NULL for nobody */
    gboolean newest_key;     /* of each recipient's, and no other */
    SealAlready already_sealed;
    gboolean refuse_unsupported; /* nothing leaves in clear where there is a key that cannot be used
                                    here */
    gboolean keep_signed;        /* a signed message is not signed again */
    SealTrust min_trust;
    SealNoticeSpec notice;
    const char *tag; /* what the rule takes out of the Subject; NULL for nothing */
} SealPolicy;
