/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify.h: whether the signature that a message came with is its author's, over the whole of it.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Sets @recipient->keeps_signature where the signature verifies by a key trusted as @min_trust at
 *  least; where it does not, the job's not_verified says why. Each signature is verified once for
 *  each trust. FALSE where that could not be found out. */
gboolean seal_verify(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                     SealTrust min_trust, GCancellable *cancellable, GError **error);

/** TRUE where one of the recipients gets the signature that the message came with in place of ours.
 */
gboolean seal_verify_keeps(const SealDelivery *delivery);

/** SEAL_ERROR_GATE where a recipient of @delivery should get the signature that was verified, and
 *  @message has not what it was verified over, octet by octet. */
gboolean seal_verify_check_kept(SealJob *job, const SealDelivery *delivery, SealMessage *message,
                                GError **error);
