/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.h: the GnuPG home.
 */
#pragma once

#include "core/sealpipe.h"

/** Refuses the setting `home` where it may not be used. */
gboolean pgp_home_check(SealModule *self, const char *path, GError **error);
/** The public keys in it, empty where there are none. SEAL_ERROR_UNAVAILABLE. (transfer full) */
GBytes *pgp_home_read(const char *path, GError **error);
/** A text that changes when they may have. (transfer full) */
char *pgp_home_state(const char *path);
