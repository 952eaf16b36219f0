/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * user.h: users of the system, and becoming one of them.
 */
#pragma once

#include "core/sealpipe.h"

#include <sys/types.h>

/** The user of that name, or number. SEAL_ERROR_CONFIG where there is none. */
gboolean seal_user_find(const char *name, uid_t *uid, GError **error);
/** For people: the name, else the number. (transfer full) */
char *seal_user_name(uid_t uid);
/** As root, becomes @uid with its groups, for good: real, effective and saved, and it is made sure
 *  that there is no way back. What was root's in the environment is taken out of it.
 *  SEAL_ERROR_CONFIG where there is no such user, SEAL_ERROR_UNAVAILABLE where that is not to be
 *  had; nothing must be done then. */
gboolean seal_user_become(uid_t uid, GError **error);
