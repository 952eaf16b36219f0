/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gate.h: the last look at what would leave.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Reads the final bytes of @delivery again and settles its recipients, or says with
 *  SEAL_ERROR_GATE why it may not leave. */
gboolean seal_gate(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                   GCancellable *cancellable, GError **error);
