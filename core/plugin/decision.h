/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * decision.h: decisions and detections, for core.
 */
#pragma once

#include "core/frontend.h"

/** Settles a decision with any verdict there is. */
void seal_decision_set(SealDecision *decision, SealVerdict verdict, const char *code,
                       const char *format, ...) G_GNUC_PRINTF(4, 5);

/** What a decision is about, of a job that explains. */
typedef struct {
    const void *recipient; /* of the job; NULL: none in particular */
    guint delivery;        /* 0: none */
    gboolean is_stage;     /* its step is a stage's name */
    gboolean is_extra;     /* no other job has it: it counts for nothing */
    const char *purpose;   /* of a key or source: "encrypt", "already" (it came encrypted to
                              it), "sign", "verify"; else NULL */
    const char *format;    /* then */
    const char *source;    /* of a source */
    SealKey *key;          /* of a key; the decision has a reference */
} SealAbout;

/** To be filled, with names that outlive the decision. (borrowed) */
SealAbout *seal_decision_about(SealDecision *decision);
/** NULL where nobody has asked for it before. (borrowed) */
const SealAbout *seal_decision_peek_about(const SealDecision *decision);

/** Names the key that a decision is about. */
void seal_decision_set_key(SealDecision *decision, const char *fingerprint);
