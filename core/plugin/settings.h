/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * settings.h: the values of one group, typed and checked against its table.
 */
#pragma once

#include "core/frontend.h"
#include "core/plugin/config.h"

typedef struct SealSettings SealSettings;

/** Checks @group (NULL: nothing is written) against @table and @more (may be NULL), and reads every
 *  value; what is not written has its preset. @name is the group's, for errors. (transfer full) */
SealSettings *seal_settings_new(const char *name, const SealGroup *group, const SealSetting *table,
                                const SealSetting *more, GError **error);
/** The values of @table that can be read; any other one, and what is wrong, has its preset.
 *  (transfer full) */
SealSettings *seal_settings_new_sound(const char *name, const SealGroup *group,
                                      const SealSetting *table);
void seal_settings_free(SealSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealSettings, seal_settings_free)

/** TRUE where nobody but root and the service's user can change what the paths lead to that are
 *  written in @settings (see owner.h). What cannot be looked at is for whoever needs it to report.
 *  What is of the keys' user is left to who becomes him, where @is_apart (NULL: no) says so of it.
 */
gboolean seal_settings_check_owners(const SealSettings *settings,
                                    gboolean (*is_apart)(const char *path, gconstpointer user_data),
                                    gconstpointer user_data, GError **error);

/** Calls @visit for each absolute path that is written in @settings, of whatever type, or is a
 *  preset of theirs. */
void seal_settings_visit_paths(const SealSettings *settings, SealPathVisitor visit,
                               gpointer user_data);

/** Asking for an unknown key or another type ends the process: it is a bug of the caller. Strings,
 *  choices, paths and secrets' paths; NULL where unset. (borrowed) */
const char *seal_settings_string(const SealSettings *settings, const char *key);
gboolean seal_settings_boolean(const SealSettings *settings, const char *key);
/** Integers; sizes in octets; durations in seconds. */
gint64 seal_settings_number(const SealSettings *settings, const char *key);
/** The place of a choice's word in the setting's range, from 0; -1 where nothing is set. */
int seal_settings_choice(const SealSettings *settings, const char *key);
/** Lists and paths; never NULL. (borrowed) */
const char *const *seal_settings_list(const SealSettings *settings, const char *key);
/** Does @word, one of the setting's `words`, stand there? */
gboolean seal_settings_has_word(const SealSettings *settings, const char *key, const char *word);
/** The paths of a PATH or of PATHS. (transfer full) */
char **seal_settings_paths(const SealSettings *settings, const char *key);
/** Where the value was written; NULL where it is the preset. (borrowed) */
const SealPlace *seal_settings_place(const SealSettings *settings, const char *key);

/** TRUE where the list is not written, or says item for item what @preset does, as in the files
 * that are shipped: its names need not be there. */
gboolean seal_settings_is_preset(const SealSettings *settings, const char *key, const char *preset);

/** Every setting as a row of "settings": group, key, value as written, and where it came from. */
void seal_settings_show(const SealSettings *settings, SealOut *out);
void seal_settings_show_value(const char *group, const char *key, const char *text,
                              const SealPlace *place, SealOut *out);

/** A short text that is another one where a value is, but for those of the keys in @except.
 *  (transfer full) */
char *seal_settings_digest(const SealSettings *settings, const char *const *except);

/** Reads a size as a setting has it: "512K". FALSE where it is none. */
gboolean seal_settings_parse_size(const char *text, gint64 *size);

/** Sets SEAL_ERROR_CONFIG: "FILE:LINE: [group]: text", the place being the group's. Always FALSE.
 */
gboolean seal_settings_refuse_group(const SealSettings *settings, GError **error,
                                    const char *format, ...) G_GNUC_PRINTF(3, 4);

/** Sets SEAL_ERROR_CONFIG: "FILE:LINE: [group] key: text". Always FALSE. */
gboolean seal_settings_refuse(const SealSettings *settings, const char *key, GError **error,
                              const char *format, ...) G_GNUC_PRINTF(4, 5);
