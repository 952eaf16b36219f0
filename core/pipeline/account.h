/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * account.h: what became of a message, for the ledger.
 */
#pragma once

#include "core/pipeline/job.h"

/** The format of the key that was used for it; "" for none. (borrowed) */
const char *seal_account_format(const SealRecipient *recipient);
/** The code of the decision by which it leaves, or does not. (borrowed) */
const char *seal_account_code(const SealRecipient *recipient);
/** What became of @job. @asked: it was a question ahead of a message, of which only a no counts. */
void seal_account_job(const SealJob *job, gboolean asked);
/** Without a job: all of @recipients (NULL-terminated, or NULL) for @code. @sender may be NULL. */
void seal_account_texts(const char *sender, const char *const *recipients, SealVerdict result,
                        const char *code);
