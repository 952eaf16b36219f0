/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * author.h: who wrote a message, by its From.
 */
#pragma once

#include "core/mail/header.h"
#include "core/mail/mailbox.h"

/** The author: exactly one mailbox in exactly one clean From field, the same for every reader that
 * sees one. Else NULL, and *@why says for people why there is none. (transfer full) */
SealAddress *seal_author_read(const SealHeader *header, char **why);

/** Visits every mailbox that anybody could take for an author's. SEAL_ERROR_LIMIT where there are
 *  more than 1,000, or From takes more than 64 KiB. */
gboolean seal_author_guess(const SealHeader *header, SealMailboxVisitor visit, gpointer user_data,
                           GError **error);
