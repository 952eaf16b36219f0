/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * file.h: files that a client hands over.
 */
#pragma once

#include "core/frontend.h"

/** All of @file, which stays the caller's, from @skip on. (transfer full) */
SealContent *worker_read_file(int file, guint64 skip, GError **error);
