/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch.h: files and folders that were read, and whether they are still what they were.
 */
#pragma once

#include "core/sealpipe.h"

typedef struct SealWatch SealWatch;

SealWatch *seal_watch_new(void);
void seal_watch_free(SealWatch *watch);
/** Remembers that @path was read when it was @state. */
void seal_watch_add(SealWatch *watch, const char *path, const SealFileState *state);
/** Before this process becomes a user who may not look at them: keeps hold of what can be held.
 *  Nothing can be read through that. */
void seal_watch_hold(SealWatch *watch);
/** TRUE where something has changed. @sum is another one for each state that all of it is in. */
gboolean seal_watch_look(const SealWatch *watch, guint64 *sum);
