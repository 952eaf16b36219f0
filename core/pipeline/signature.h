/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * signature.h: the author's signature: made here, and read again by whoever wants to know.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Signs what @delivery holds with its signer, in @format. A signature that is only wished for and
 *  cannot be made is left out, and the delivery's note says so. */
gboolean seal_signature_make(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             const SealFormatEntry *format, GCancellable *cancellable,
                             GError **error);

/** Whether seal_signature_make() would find what @delivery holds fit to be signed in clear: an
 *  error where it must be signed and cannot be. */
gboolean seal_signature_rehearse(const SealPipeline *pipeline, SealDelivery *delivery,
                                 const SealFormatEntry *format, GError **error);

/** Reads @entity, which @format has signed: SEAL_ERROR_GATE where it is not signed, or not by
 *  @signer alone. */
gboolean seal_signature_check(SealJob *job, const SealFormatEntry *format, SealEntity *entity,
                              const SealKey *signer, GCancellable *cancellable, GError **error);
