/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * choice.h: what follows for a recipient: the one answer to that question.
 */
#pragma once

#include "core/frontend.h"
#include "core/pipeline/policy.h"

/** What a recipient gets. */
typedef enum {
    SEAL_CHOICE_SEAL,    /* the message, encrypted to its keys */
    SEAL_CHOICE_ALREADY, /* the message, which is encrypted as a whole: as it came, but for what
                            never leaves */
    SEAL_CHOICE_REPORT,  /* a problem report in the message's place */
    SEAL_CHOICE_CLEAR,   /* the message as it came, but for what never leaves */
    SEAL_CHOICE_REDUCED, /* what may leave of a delivery report, in its place */
    SEAL_CHOICE_REFUSE,  /* nothing, for good */
    SEAL_CHOICE_DEFER,   /* nothing now */
} SealChoice;

/** All that it depends on: of one recipient, or of all who share one output. */
typedef struct {
    /* Policy, and a stage that has taken its place. */
    SealNeed encrypt;
    SealFallback fallback; /* where it cannot be encrypted to */
    SealAlready already_sealed;
    gboolean all_or_none;
    /* Stages and sources. */
    SealVerdict settled; /* REFUSE or DEFER: that is the answer already; else NONE */
    gboolean unable;     /* a stage cannot serve it, whatever keys there are */
    const char *reason;  /* why it is settled, or why there is no key, for people */
    /* Keys. */
    gboolean has_key;
    gboolean unsupported;         /* none, but for one that cannot be used here */
    gboolean refuses_unsupported; /* and then nothing leaves in clear */
    gboolean pinned;              /* none, since what is pinned alone is used: likewise */
    gboolean another_has_none;    /* who is to be encrypted to as well */
    const char *no_archive;     /* why there is none of archive_to; NULL where there is, or none is
                                   asked for */
    gboolean exposes_recipient; /* the ciphertext would name a Bcc recipient to others */
    /* The message. */
    gboolean is_sealed;
    gboolean may_reduce; /* a delivery report, and policy lets what is harmless of it out */
} SealFacts;

/** What follows, and why. */
typedef struct {
    SealChoice choice;
    const char *code;   /* for programs */
    const char *reason; /* for people; borrowed from the facts where it is theirs; never NULL */
    gboolean lacks_key; /* it should be encrypted, and cannot be */
} SealAnswer;

SealAnswer seal_choice_make(const SealFacts *facts);

/** The verdict that a message leaves by, or does not, where all goes as chosen. */
SealVerdict seal_choice_verdict(SealChoice choice);
