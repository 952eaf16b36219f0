/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent.h: the home, and gpg-agent in it, where both are of a user who keeps the daemon's private
 * keys: what he lets the others have.
 */
#pragma once

#include "core/sealpipe.h"

/** See SealPrivate. In the folder is what a home has of what is no secret: the ring, the trust
 *  database, an empty file for each secret key; and a socket of an agent that signs and does no
 *  more. */
gboolean pgp_tend(SealModule *self, const SealTending *tending, GError **error);
/** Makes the empty folder @home one that gpg can use, of what is in @tended. */
gboolean pgp_agent_join(const char *home, const char *tended, GError **error);
