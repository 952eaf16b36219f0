/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * daemon.h: what [daemon] says.
 */
#pragma once

#include "core/frontend.h"
#include "core/plugin/settings.h"

/** Fills @settings with what [daemon] says; the rest of it is left alone. SEAL_ERROR_CONFIG, with
 *  file and line. */
gboolean seal_daemon_settings_fill(const SealSettings *daemon, SealDaemonSettings *settings,
                                   GError **error);
