/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * already.h: what a message was before it came here: encrypted, and to whom; signed.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Looks at the job's message. */
gboolean seal_already_look(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                           GError **error);

/** Finds out whether the message, which came encrypted as a whole, is so for @recipient: to one of
 *  the keys that are usable for it here, to somebody who is not named, or with no such key known;
 * or encryption is not wanted. SEAL_ERROR_UNAVAILABLE where a source could not find out. */
gboolean seal_already_ask(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                          const SealPolicy *policy, GCancellable *cancellable, GError **error);

/** What leaves as it came is encrypted as a whole, for each recipient whose key was found. */
gboolean seal_already_check(const SealPipeline *pipeline, SealJob *job,
                            const SealDelivery *delivery, SealMessage *message,
                            GCancellable *cancellable, GError **error);
