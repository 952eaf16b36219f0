/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory.h: what was said of what ends, so that each step is said once. Reads no clock.
 */
#pragma once

#include "core/frontend.h"

/** Of something that does not end within the first step. */
#define REMIND_EARLY G_MAXINT

/** Where something that ends at @until is at @now: the least of @days (the most first) within which
 *  it ends; 0 once it has ended; else REMIND_EARLY. */
gint remind_step(const GArray *days, gint64 until, gint64 now);

/** A scope is who was told: an owner's address, or REMIND_ADMIN. */
typedef struct RemindMemory RemindMemory;
#define REMIND_ADMIN "administrator"

/** Nothing was said yet. (transfer full) */
RemindMemory *remind_memory_new(void);
void remind_memory_free(RemindMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RemindMemory, remind_memory_free)
/** What is in the file; nothing where there is none. *@damage: it is not as it was written, so that
 *  nothing is known of what was said. NULL: it cannot be read. (both: transfer full) */
RemindMemory *remind_memory_read(const char *path, char **damage, GError **error);
/** Puts it there in one go. */
gboolean remind_memory_write(const RemindMemory *memory, const char *path, GError **error);

/** What @scope was told of @id, which ended at @until; REMIND_EARLY: nothing. Of one that has been
 *  given another time since, nothing was said. */
gint remind_memory_said(const RemindMemory *memory, const char *scope, const char *id,
                        gint64 until);
void remind_memory_say(RemindMemory *memory, const char *scope, const char *id, gint64 until,
                       gint step);
/** Whether @scope was written to on the same day (UTC) as @now. */
gboolean remind_memory_wrote(const RemindMemory *memory, const char *scope, gint64 now);
void remind_memory_write_to(RemindMemory *memory, const char *scope, gint64 now);
/** Forgets what was said of any id that is not in @ids. */
void remind_memory_keep(RemindMemory *memory, GHashTable *ids);
