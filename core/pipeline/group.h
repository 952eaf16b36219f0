/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * group.h: who shares a message with whom.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Groups recipients into deliveries, or settles them as refused. An error where the one output
 *  that a front end can take cannot be made for all. */
gboolean seal_group(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                    GError **error);
