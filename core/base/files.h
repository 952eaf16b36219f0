/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * files.h: files and folders, judged before they are believed.
 */
#pragma once

#include "core/frontend.h"

#include <sys/stat.h>

void seal_file_state_fill(SealFileState *state, const struct stat *st);
/** seal_file_read(), with what the file was when it was opened; zeros where there was none. */
GBytes *seal_file_read_state(const char *path, gsize max, SealFileState *state, GError **error);

/** Reads a file that decides what we do: nobody else may be able to change it or the way to it (see
 *  owner.h). SEAL_ERROR_CONFIG. (transfer full) */
GBytes *seal_file_read_trusted(const char *path, gsize max, GError **error);

/** TRUE where @path, itself no link, is a file (@folder: a folder) that belongs to root or to the
 *  user that runs this and that nobody else can write. SEAL_ERROR_MODULE. */
gboolean seal_file_is_ours(const char *path, gboolean folder, GError **error);
