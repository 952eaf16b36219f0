/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * letter.h: what is written to the administrator and to keys' owners.
 */
#pragma once

#include "core/frontend.h"

/** Something to be told, and at which step: see remind_step(). Borrowed. */
typedef struct {
    const SealEnding *ending;
    gint step;
} RemindItem;

/** All of one mail. Borrowed. */
typedef struct {
    const SealAddress *from;
    GPtrArray *to;    /**< SealAddress */
    const char *id;   /**< of its Message-ID, without a domain */
    const char *host; /**< this host's name; NULL: nothing is said of it */
    gint64 now;
    GArray *items;             /**< RemindItem, the first to end first */
    const char *trouble;       /**< what could not be looked at, or NULL */
    const char *damage;        /**< why it is not known what was said before, or NULL */
    const char *instead;       /**< to owners: the operator's own sentences, or NULL */
    const SealAddress *mended; /**< to owners: where a new key is to be sent */
} RemindLetter;

/** What may be shown of a text that came with a key: one line, and nothing in it that a mail
 * program makes a link of, but for addresses. (transfer full) */
char *remind_text(const char *text);
/** "S/MIME certificate" and so on. (transfer full) */
char *remind_kind(const SealEnding *ending);
/** "expires on 2027-01-01, in 14 days", or that it has. (transfer full) */
char *remind_when(const SealEnding *ending, gint64 now);
/** TRUE where mail can go to it whatever the servers on its way can: it is of ASCII alone. */
gboolean remind_can_write_to(const SealAddress *address);

/** The whole message, in ASCII with LF. (transfer full) */
char *remind_letter_to_admin(const RemindLetter *letter);
char *remind_letter_to_owner(const RemindLetter *letter);
