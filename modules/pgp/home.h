/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.h: the GnuPG home.
 */
#pragma once

#include "core/sealpipe.h"

/** Refuses the setting `home` where it may not be used. */
gboolean pgp_home_check(SealModule *self, const char *path, GError **error);
/** What can be done about a ring that is not whole. */
#define PGP_MEND_RING "restore it from a backup, or import the keys anew with gpg"

/** The file with its public keys, or SEAL_ERROR_UNAVAILABLE: a home in use has one, be it without a
 *  key. (transfer full) */
char *pgp_home_ring(const char *path, GError **error);
/** The octets of a @ring. SEAL_ERROR_UNAVAILABLE. (transfer full) */
GBytes *pgp_home_read(const char *ring, GError **error);
/** Says why there is no secret key at all in it; NULL where there is one. (transfer full) */
char *pgp_home_lacks_secrets(const char *path);
/** A text that changes when they may have. (transfer full) */
char *pgp_home_state(const char *path);
/** The same of all that gpg's judgement comes from: its trust database, and which secret keys there
 *  are, as well. *@newest: when any of it has changed last, in seconds. (transfer full) */
char *pgp_home_full_state(const char *path, gint64 *newest);
