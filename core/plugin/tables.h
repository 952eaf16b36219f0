/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tables.h: the settings of core's own groups.
 */
#pragma once

#include "core/plugin/config.h"

extern const SealSetting SEAL_TABLE_CORE[];
extern const SealSetting SEAL_TABLE_PIPELINE[];
extern const SealSetting SEAL_TABLE_POLICY[];
/** What a [rule NAME] matches; beside it stand the keys of [policy]. */
extern const SealSetting SEAL_TABLE_RULE[];
extern const SealSetting SEAL_TABLE_KEYRING[];
extern const SealSetting SEAL_TABLE_DAEMON[];
extern const SealSetting SEAL_TABLE_EXPIRY[];

/** The built-in default of a setting in one of these. (borrowed) */
const char *seal_tables_preset(const SealSetting *table, const char *key);

/** Refuses groups that are none of ours, with file and line. Groups of modules are the loader's. */
gboolean seal_tables_check_groups(const SealConfig *config, GError **error);
