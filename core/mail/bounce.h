/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bounce.h: reports (RFC 6522) of what became of a message.
 */
#pragma once

#include "core/mail/message.h"

/** TRUE for a report that returns something: multipart/report with a message or a header in it, or
 *  with parts that cannot be told apart. */
gboolean seal_bounce_returns(SealMessage *message);

/** TRUE where the header says that it is a report of what became of a message (RFC 3464). */
gboolean seal_bounce_is_status(SealMessage *message);

/** Such a report made anew: some fields of the header that name who and when, a sentence of ours,
 * and of the status fields those in which a maker of it has no room for words. *@reduced is NULL
 *  where it is none, or nothing of that is in it. (transfer full) */
gboolean seal_bounce_reduce(SealMessage *message, SealContent **reduced, GError **error);
