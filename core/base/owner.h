/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * owner.h: who can change what is believed: configuration, keys, trust anchors, secrets.
 */
#pragma once

#include "core/sealpipe.h"

#include <sys/stat.h>
#include <sys/types.h>

/** Forgets what was found of folders: after they changed, or this became another user. Root's files
 *  are believed, and those of the user that runs this. */
void seal_owner_forget(void);

/** To root: whose the service is that keeps its things in @dir: its owner, where only root, or he,
 *  could put that where it is. SEAL_ERROR_CONFIG where others could, SEAL_ERROR_UNAVAILABLE where
 *  it is missing. */
gboolean seal_owner_of_service(const char *dir, uid_t *uid, GError **error);

/** TRUE where nobody else can change what @path leads to: neither it nor a folder or link on the
 *  way there. SEAL_ERROR_CONFIG names what others can change; SEAL_ERROR_UNAVAILABLE where it
 *  cannot be found out. */
gboolean seal_owner_check(const char *path, GError **error);

/** The same of a folder whose files are believed because they are in it: that others may put some
 *  there and take none away is not enough. */
gboolean seal_owner_check_folder(const char *path, GError **error);

/** The same of @path alone, of which @st is known: what stands above it is not looked at. */
gboolean seal_owner_check_one(const char *path, const struct stat *st, GError **error);
