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

/** The mailbox that @value is, where it is exactly one, and every reader that sees one sees this:
 * an address, or a name and an address in angle brackets, and comments around them. @text is how it
 *  stands there. Else NULL, and *@why says for people what else it is. What stands in the name and
 *  in comments is not looked at. (transfer full) */
SealAddress *seal_mailbox_read(const char *value, char **text, const char **why);

/** Visits whatever anybody could take for a mailbox in @text, wherever it stands; @count as above.
 */
gboolean seal_mailbox_guess(const char *text, SealMailboxCount *count, SealMailboxVisitor visit,
                            gpointer user_data, GError **error);

/** The first @ in @text that could be another mailbox's than @mailbox, its text as it stands there;
 * NULL where there is none. One is nobody's that stands by itself, with no domain of several labels
 * behind it, as in "Ops @ Example", where @mailbox has such a domain. (borrowed) */
const char *seal_mailbox_find_other(const char *text, const char *mailbox);

/** What stands around that @, for people. (transfer full) */
char *seal_mailbox_around(const char *text, const char *at);
