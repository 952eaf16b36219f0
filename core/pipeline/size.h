/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * size.h: what leaves has to fit into the mail server ([core] size_limit).
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** *@fits is FALSE, and every recipient of @delivery refused, where what is to be made of it is
 *  surely too large: before the work of making it. */
gboolean seal_size_foresee(const SealPipeline *pipeline, SealJob *job, const SealDelivery *delivery,
                           gboolean *fits, GError **error);

/** Likewise where what was made of it is too large. Where the job can be of any size, that is only
 *  noted. */
gboolean seal_size_check(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                         gboolean *fits, GError **error);

/** Likewise for a recipient whose @choice is known, and of whose message the header and the body's
 *  size may be: FALSE is an error, and whether it fits stands in the recipient's result. */
gboolean seal_size_answer(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                          SealChoice choice, GError **error);
