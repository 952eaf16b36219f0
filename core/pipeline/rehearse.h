/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rehearse.h: whether what is planned for a recipient could be signed, without signing it.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** Goes the way of a message that @recipient would get, as @choice and in @format (NULL where it
 *  is not encrypted), as far as a signature that is required may fail for good: the signer, and,
 *  where the body is known, that it can be signed in clear. An error as seal_apply() has it then.
 */
gboolean seal_rehearse(const SealPipeline *pipeline, SealJob *job, SealRecipient *recipient,
                       SealChoice choice, const char *format, GCancellable *cancellable,
                       GError **error);
