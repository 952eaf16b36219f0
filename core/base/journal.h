/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * journal.h: systemd's journal.
 */
#pragma once

#include <glib.h>

#define SEAL_JOURNAL_SOCKET "/run/systemd/journal/socket"

/** Sends one entry: strings NAME=VALUE. FALSE: nobody has it. */
gboolean seal_journal_send(GPtrArray *fields);
