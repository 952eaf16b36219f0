/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explain.h: what `sealctl explain` and `sealctl test` share.
 */
#pragma once

#include "filters/ctl/keys.h"

/** Explains @job, a rehearsal, and says in @out, too, whether mail is handled at all. An exit code:
 *  1 where something does not leave for somebody. */
int ctl_explain_job(const CtlOpened *opened, SealJob *job, SealOut *out, GError **error);
/** Prints what came of that, for people. */
void ctl_explain_show(GVariant *answer);
