/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * text.h: what may be shown of a text that came from outside.
 */
#pragma once

#include <glib.h>

/** FALSE: it shows nothing of its own, begins a line, or changes how what is near it is shown. */
gboolean seal_text_is_shown(gunichar character);
