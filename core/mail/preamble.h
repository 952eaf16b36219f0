/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * preamble.h: what mail programs write in front of a multipart's first part.
 */
#pragma once

#include <glib.h>

/** TRUE where the text is a sentence that mail programs put there for readers without MIME, or
 *  blank. */
gboolean seal_preamble_is_known(const char *text);
