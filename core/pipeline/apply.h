/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * apply.h: what is to leave, made.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Takes @delivery through the pipeline: what it holds afterwards is for the gate to judge. */
gboolean seal_apply(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                    GCancellable *cancellable, GError **error);
