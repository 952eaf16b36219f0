/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plan.h: what is found out about each recipient, before anything is changed.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Looks at the message, gives each recipient its policy, asks every stage about it, and finds its
 * keys. A recipient about which a source could not find out is deferred, which is no error of the
 * job. */
gboolean seal_plan(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                   GError **error);

/** Says what would become of a message to each recipient alone, without one. For front ends that
 *  ask. What only the message can tell counts for the better. */
gboolean seal_plan_answer(const SealPipeline *pipeline, SealJob *job, GCancellable *cancellable,
                          GError **error);
