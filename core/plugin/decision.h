/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * decision.h: decisions and detections, for core.
 */
#pragma once

#include "core/frontend.h"

/** Names the key that a decision is about. */
void seal_decision_set_key(SealDecision *decision, const char *fingerprint);
