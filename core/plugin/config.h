/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config.h: conf.d as it was written: groups and keys, each with the file and line it came from.
 */
#pragma once

#include "core/sealpipe.h"

/** One value, or one group's first appearance. */
typedef struct {
    char *text; /* escapes still in place; NULL for a group */
    const char *file;
    guint line;
} SealPlace;

typedef struct {
    char *name; /* as between the brackets: "core", "module smime", "rule bounces" */
    SealPlace place;
    GHashTable *values; /* key -> SealPlace */
} SealGroup;

typedef struct SealConfig SealConfig;

/** Reads DIR/\*.conf in lexical order. Syntax errors, groups or keys twice in a file, and files
 * that others can write are SEAL_ERROR_CONFIG. (transfer full) */
SealConfig *seal_config_read(const char *dir, GError **error);
/** What can be read of it: lines that are wrong and files that are missing are passed over. Not a
 *  line that speaks of the setting @wanted of [core] and is wrong, a file that cannot be read, nor,
 *  without @skip, one that others can write: SEAL_ERROR_CONFIG. With @skip such a file is passed
 * over as well. (transfer full) */
SealConfig *seal_config_read_sound(const char *dir, gboolean skip, const char *wanted,
                                   GError **error);
void seal_config_free(SealConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealConfig, seal_config_free)

/** (borrowed, element type SealGroup) In the order of their first appearance. */
GPtrArray *seal_config_groups(const SealConfig *config);
/** The group of that name, or NULL. (borrowed) */
SealGroup *seal_config_group(const SealConfig *config, const char *name);

/** A text that is another one where a group, its place among the others or a setting is: comments
 *  and the files that they stand in are not in it. (transfer full) */
char *seal_config_digest(const SealConfig *config);

/** Sets SEAL_ERROR_CONFIG: "FILE:LINE: text"; without the place where @place is NULL. Always
 *  FALSE. */
gboolean seal_config_refuse(const SealPlace *place, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
