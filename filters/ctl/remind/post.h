/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * post.h: a process that stays who calls and hands mails to the mail server: it believes -f of
 * those whom it trusts, such as root, and not of whom root becomes for all else.
 */
#pragma once

#include "core/frontend.h"

typedef struct RemindPost RemindPost;

/** Starts it: before a service is opened. @sendmail: an absolute path, which outlives it. (transfer
 *  full) */
RemindPost *remind_post_open(const char *sendmail, GError **error);
/** Ends it once it has done what it was given. */
void remind_post_close(RemindPost *post);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RemindPost, remind_post_close)
/** Hands @message over, of @from and to @to (SealAddress, 20 at most). SEAL_ERROR_UNAVAILABLE where
 *  the mail server has not taken it. */
gboolean remind_post_send(RemindPost *post, const SealAddress *from, const GPtrArray *to,
                          const char *message, GError **error);
