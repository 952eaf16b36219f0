/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.h: the options that gpg reads for the whole system.
 */
#pragma once

#include "core/sealpipe.h"

/** Where Debian's gpg looks. */
#define PGP_SYSTEM_FOLDER "/etc/gnupg"

/** Names the options in @folder that can change what is made, for whom, or which keys there are,
 *  for people; NULL where there are none. (transfer full) */
char *pgp_options_describe(const char *folder);
/** Adds them to an error that they may be the cause of. */
void pgp_options_blame(const char *folder, GError **error);
