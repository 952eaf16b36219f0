/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sealpipe-files.h: the files that settings name, whether they are still what they were, and what
 * is kept of them; a part of sealpipe.h, which includes it.
 */
#pragma once

#include "core/sealpipe-keeping.h"

G_BEGIN_DECLS

/* -------------------------------------------------------------------------------------------
 * Values by name, as many as fit: the one that was not asked for the longest goes first
 */

typedef struct SealCache SealCache;

/** A cache for values that weigh no more than @most together, in whatever unit. Values are freed
 *  with @free_value. (transfer full) */
SEAL_API SealCache *seal_cache_new(gsize most, GDestroyNotify free_value);
/** NULL is allowed. */
SEAL_API void seal_cache_free(SealCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealCache, seal_cache_free)
/** The value of that name, or NULL. Borrowed until the cache is called with another name. */
SEAL_API gpointer seal_cache_find(SealCache *cache, const char *name);
/** Takes @value over, in place of one of the same name. One that weighs more than the cache may
 *  hold is freed at once. */
SEAL_API void seal_cache_put(SealCache *cache, const char *name, gpointer value, gsize weight);
SEAL_API void seal_cache_drop(SealCache *cache, const char *name);
SEAL_API void seal_cache_clear(SealCache *cache);
/** How many there are. */
SEAL_API guint seal_cache_count(const SealCache *cache);

/* -------------------------------------------------------------------------------------------
 * Whether a file is still what it was
 */

/** What a file or folder was; zeros where there is none. Times are in nanoseconds. */
typedef struct {
    guint64 device;
    guint64 inode;
    guint64 length;
    gint64 modified;
    gint64 changed; /**< the file or what is known of it: its owner, its mode */
} SealFileState;

/** What is there now. FALSE, and zeros, where that cannot be found out. */
SEAL_API gboolean seal_file_state(const char *path, SealFileState *state);
SEAL_API gboolean seal_file_state_equal(const SealFileState *one, const SealFileState *other);
/** TRUE where it was modified at @now (Unix seconds), or some seconds before: it may be being
 *  written. */
SEAL_API gboolean seal_file_state_is_young(const SealFileState *state, gint64 now);
/** Reads @length octets from @offset on of a file that is still as it was at @state; else, and
 *  where it cannot be read, SEAL_ERROR_UNAVAILABLE. (transfer full) */
SEAL_API GBytes *seal_file_read_part(const char *path, const SealFileState *state, guint64 offset,
                                     gsize length, GError **error);

/* -------------------------------------------------------------------------------------------
 * The files of a setting
 */

/** A file that a setting names, by itself or by the folder it is in. Borrowed. */
typedef struct {
    gsize size; /**< sizeof(SealFile), as core has it */
    const char *path;
    gboolean named;        /**< the setting names it itself */
    GBytes *data;          /**< as seal_text_plain() gives it; NULL where there is a problem, or it
                                is not to be read */
    const GError *problem; /**< why it could not be read; NULL where it could */
    const SealFileState *state; /**< what it was when it was opened; zeros where there is none */
    gboolean converted;         /**< @data is not octet by octet what is in the file */
    gpointer reserved[2];
} SealFile;

/** visit_files(): the files are not read, since they may hold secrets. */
#define SEAL_VISIT_UNREAD (1u << 0)
/** visit_files(): the files are neither read nor judged; their state alone is asked for. */
#define SEAL_VISIT_STATE (1u << 1)
/** visit_files(): the module sees itself to it that changes count while it runs. Else the daemon
 * starts anew when one of the files has changed, or the folder that it is in. */
#define SEAL_VISIT_FOLLOWED (1u << 2)

/** Is called with each file. FALSE ends the visits. */
typedef gboolean (*SealFileVisitor)(SealModule *self, const SealFile *file, gpointer user_data,
                                    GError **error);
/** Opens the files that the setting @key (PATH or PATHS) names: of a folder all that are not
 *  folders, not below it and none that begins with a dot, in lexical order. What cannot be read, is
 *  no regular file or is larger than 16 MiB is a problem of its visit; so is a folder that cannot
 * be read to its end, which is then visited itself, as named. FALSE where @visit said so, and, with
 *  the place of the setting, where others than root and the service's user can change one of the
 *  files or put one there. @flags: SEAL_VISIT_... */
SEAL_API gboolean seal_module_visit_files(SealModule *self, const char *key, guint flags,
                                          SealFileVisitor visit, gpointer user_data,
                                          GError **error);
/** Visits one of the files again; @named as it was. */
SEAL_API gboolean seal_module_visit_file(SealModule *self, const char *key, const char *path,
                                         gboolean named, SealFileVisitor visit, gpointer user_data,
                                         GError **error);
/** The same for one @path that stands in another kind of setting: FALSE, with the place of the
 *  setting @key, where others can change what it leads to. What is missing nobody can change. */
SEAL_API gboolean seal_module_check_path(SealModule *self, const char *key, const char *path,
                                         GError **error);

/** What the module has read when it started has changed so much that another start is worth its
 *  time. The daemon then makes one, as soon as it may; elsewhere nothing follows. */
SEAL_API void seal_module_ask_restart(SealModule *self);

G_END_DECLS
