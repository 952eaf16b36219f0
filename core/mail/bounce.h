/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bounce.h: what of a bounce may leave in clear.
 */
#pragma once

#include "core/mail/message.h"

/** A bounce without what it returns: its header, a report's text and status parts (RFC 6522,
 *  RFC 3464), and a sentence in place of the rest. (transfer full) */
SealContent *seal_bounce_reduce(SealMessage *message, GError **error);
