/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trace.h: what of a message's way is written down for who asks why: more decisions than a message
 * on its way has, and what each is about. Nothing of it is done for any other job than one that
 * explains.
 */
#pragma once

#include "core/pipeline/keyring-query.h"

/** What follows is about one recipient; about what leaves; about the message. */
void seal_trace_recipient(SealJob *job, const SealRecipient *recipient);
void seal_trace_delivery(SealJob *job, const SealDelivery *delivery);
void seal_trace_message(SealJob *job);

/** A decision of a job that explains; else nothing. */
void seal_trace_note(SealJob *job, const char *step, const char *subject, SealVerdict verdict,
                     const char *code, const char *format, ...) G_GNUC_PRINTF(6, 7);
/** Says of @decision that it is for who asks alone: what a job does never hangs on it. */
void seal_trace_extra(SealDecision *decision);
/** Says that @decision is a stage's. */
void seal_trace_stage(const SealJob *job, SealDecision *decision);

/** Says what @decision, on a key or a source (either may be NULL), was asked for. */
void seal_trace_search(const SealJob *job, SealDecision *decision, const SealKeyQuery *query,
                       SealKey *key, const char *source);
/** What @source said of @address: it has @keys. */
void seal_trace_source(SealJob *job, const SealKeyQuery *query, const char *source,
                       const SealAddress *address, const GPtrArray *keys);
/** The sources from @first on were not asked, since @why. */
void seal_trace_not_asked(SealJob *job, const SealKeyQuery *query, const GPtrArray *sources,
                          guint first, const char *why);
