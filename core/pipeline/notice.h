/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * notice.h: the problem report that goes in a message's place.
 */
#pragma once

#include "core/pipeline/job.h"

/** TRUE where there are texts in that language. */
gboolean seal_notice_speaks(const char *language);

/** Where it stands in the operator's text, the cause takes its place. */
#define SEAL_NOTICE_CAUSE "{cause}"

/** A message that says that @job's could not be encrypted to those of @delivery, and why. Of the
 *  original it has who, to whom and when, the trace and the Message-ID; nothing of Subject and
 *  content. (transfer full) */
SealContent *seal_notice_new(SealJob *job, const SealDelivery *delivery,
                             const SealNoticeSpec *spec);
