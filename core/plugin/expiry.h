/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * expiry.h: what [expiry] says: who is told, and when, that a key ends.
 */
#pragma once

#include "core/frontend.h"
#include "core/plugin/config.h"

/** Reads [expiry]. SEAL_ERROR_CONFIG, with file and line. @settings is to be cleared in any case.
 */
gboolean seal_expiry_settings_read(const SealConfig *config, SealExpirySettings *settings,
                                   GError **error);
