/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * state.h: the folder [core] state_dir, and the flag in it that suspends outbound mail.
 */
#pragma once

#include "core/sealpipe.h"

/** TRUE where @dir is a folder of the user that runs this, which nobody else can write to; root may
 *  read (not @write) another user's as well. SEAL_ERROR_UNAVAILABLE says what to do. */
gboolean seal_state_check(const char *dir, gboolean write, GError **error);

/** As root, becomes the owner of @dir for good; else makes @dir where it is missing. Afterwards
 *  @dir can be used, and what this process writes there is its owner's. */
gboolean seal_state_enter(const char *dir, GError **error);

/** *@suspended: the flag is there, and it is root's or the user's that runs this; to root
 *  the folder's owner is that user.
 *  SEAL_ERROR_UNAVAILABLE where that cannot be found out. */
gboolean seal_state_suspended(const char *dir, gboolean *suspended, GError **error);

/** Puts the flag there, or takes it away. That it is so already is no error. */
gboolean seal_state_suspend(const char *dir, gboolean suspend, GError **error);
