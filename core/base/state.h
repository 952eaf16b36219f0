/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * state.h: the folder [core] state_dir, and the flag in it that suspends outbound mail.
 */
#pragma once

#include "core/sealpipe.h"

#include <sys/types.h>

/** TRUE where @dir is a folder of the user that runs this, which nobody else can write to. @make:
 *  makes it where it is missing, unless root runs this. SEAL_ERROR_UNAVAILABLE says what to do. */
gboolean seal_state_check(const char *dir, gboolean make, GError **error);

/** As root: makes @dir for @user. FALSE with errno set. */
gboolean seal_state_make(const char *dir, uid_t user);

/** *@suspended: the flag is there, and it and the folder are root's, those of the user that runs
 *  this, or of @service. SEAL_ERROR_UNAVAILABLE where that cannot be found out. */
gboolean seal_state_suspended(const char *dir, uid_t service, gboolean *suspended, GError **error);

/** Puts the flag there, or takes it away. That it is so already is no error. Makes the folder where
 *  it is missing: root, so that everybody can see the flag. */
gboolean seal_state_suspend(const char *dir, gboolean suspend, GError **error);
