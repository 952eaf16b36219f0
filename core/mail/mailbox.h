/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mailbox.h: the mailboxes of address fields (RFC 5322 3.4), in time that grows with the field
 * alone.
 */
#pragma once

#include "core/sealpipe.h"

/** Is given each mailbox. (borrowed) */
typedef void (*SealMailboxVisitor)(SealAddress *address, gpointer user_data);

/** How many have been read, and may be. */
typedef struct {
    guint count;
    guint most;
} SealMailboxCount;

/** Visits the mailboxes of an address list, those of its groups included, as most readers find
 * them; what does not parse is left out. SEAL_ERROR_LIMIT beyond what @count allows. @value is
 * unfolded.
 */
gboolean seal_mailbox_each(const char *value, SealMailboxCount *count, SealMailboxVisitor visit,
                           gpointer user_data, GError **error);

/** The mailbox that @value is, where it is exactly one by the strictest reading, without anything
 *  obsolete: an address, or a name and an address in angle brackets, and comments around them. Else
 *  NULL, and *@why says for people what else it is. (transfer full) */
SealAddress *seal_mailbox_read(const char *value, char **why);

/** Visits whatever anybody could take for a mailbox in @text, wherever it stands; @count as above.
 */
gboolean seal_mailbox_guess(const char *text, SealMailboxCount *count, SealMailboxVisitor visit,
                            gpointer user_data, GError **error);

/** TRUE where every @ in @text belongs to @mailbox, its text as it stands there. */
gboolean seal_mailbox_is_alone(const char *text, const char *mailbox);
