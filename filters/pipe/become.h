/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * become.h: root becomes another user.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/** Becomes @uid with its groups, for good. FALSE where it did not, or not for good: then nothing
 * must be done. As seal_user_become() of core, without its libraries. */
bool seal_pipe_become(uid_t uid);
