/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * decision.h: decisions and detections, for core.
 */
#pragma once

#include "core/frontend.h"

/** Settles a decision with any verdict there is. */
void seal_decision_set(SealDecision *decision, SealVerdict verdict, const char *code,
                       const char *format, ...) G_GNUC_PRINTF(4, 5);

/** Names the key that a decision is about. */
void seal_decision_set_key(SealDecision *decision, const char *fingerprint);
