/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scratch.h: folders with a name, for what is only needed for a moment and cannot do without one.
 */
#pragma once

#include "core/sealpipe.h"

/** A new folder, mode 0700, in the first of @parents that is there, is the running user's alone and
 *  has a name that leaves room for a socket's; in the temporary folder where none is. @parents ends
 *  with NULL. (transfer full) */
SealFolder *seal_scratch_make(const char *const *parents, GError **error);

/** The one of @parents that would be used, else the temporary folder. (borrowed) */
const char *seal_scratch_parent(const char *const *parents);

/** Removes what processes that are gone have left in those of @parents that would be used. */
void seal_scratch_sweep(const char *const *parents);
