/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * elf-check.h: is a shared object all there?
 */
#pragma once

#include "core/sealpipe.h"

/** SEAL_ERROR_MODULE where @path is no shared object for this machine, or breaks off before its
 *  end: the loader would map what is not there, and the process die of SIGBUS without a word. */
gboolean seal_elf_check(const char *path, GError **error);
