/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * archive.h: archive_to, whose key is among those of all that is sealed. Where it is not there,
 * nothing is sealed: it is never left out.
 */
#pragma once

#include "core/pipeline/pipeline.h"

/** The keys of @policy's archive_to in @format, trusted as verified at least; what was found is
 *  kept for the job. *@keys is NULL where none are asked for, or there are none; then *@why says
 * why for people, and is NULL where none are asked for. FALSE on an error that is none of a
 * source's. (both borrowed from the job) */
gboolean seal_archive_find(const SealPipeline *pipeline, SealJob *job, const SealPolicy *policy,
                           const char *format, GCancellable *cancellable, GPtrArray **keys,
                           const char **why, GError **error);

/** What follows for one @recipient by @facts: what would be sealed is so only with a key of the
 *  archive, which is looked for, and its lack noted in @facts. */
gboolean seal_archive_choose(const SealPipeline *pipeline, SealJob *job,
                             const SealRecipient *recipient, SealFacts *facts,
                             GCancellable *cancellable, SealAnswer *answer, GError **error);

/** TRUE where both name the same archive, or none. */
gboolean seal_archive_is_same(const SealPolicy *one, const SealPolicy *other);

/** The gate's question: SEAL_ERROR_GATE where @delivery has no key of an archive that one of its
 *  recipients' policies names. */
gboolean seal_archive_check(SealJob *job, const SealDelivery *delivery, GError **error);

/** For `sealctl status`: a row of "checks" for each archive that a policy names and each format
 * that mail is encrypted in. FALSE where a key is missing. */
gboolean seal_archive_inspect(const SealPipeline *pipeline, SealOut *out);
