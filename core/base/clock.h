/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * clock.h: how long a message may still take. What ends it is that nothing moves for [core]
 * deadline: a large message is no fault. In all it has as much more as is enough for its octets, so
 * that nothing that moves on and on can hold a place for ever.
 */
#pragma once

#include "core/frontend.h"

/** Begins to count for one message: since @started (monotonic, microseconds), @deadline seconds
 *  without progress, and as long in all. */
void seal_clock_begin(gint64 started, gint64 deadline);
/** There is work on @octets more: a second for each MiB. */
void seal_clock_allow(guint64 octets);
/** Octets of the message have moved. */
void seal_clock_move(void);
/** SEAL_ERROR_DEADLINE once the time is over. */
gboolean seal_clock_check(GError **error);
/** Ends it; nothing is over any more. */
void seal_clock_end(void);
