/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * apply.h: what is to leave, made.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Puts what it is made of into @delivery: the message without what never leaves, or a report. */
gboolean seal_apply_begin(SealJob *job, SealDelivery *delivery, GError **error);

/** Takes @delivery through the pipeline: what it holds afterwards is for the gate to judge. */
gboolean seal_apply(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                    GCancellable *cancellable, GError **error);
