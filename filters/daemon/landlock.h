/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * landlock.h: the files that a process reaches, as far as the kernel has Landlock. It holds for
 * whatever the process starts, and keeps it from processes outside of it: from ptrace, /proc and,
 * where the kernel can, from signals.
 */
#pragma once

#include <glib.h>

/** The kernel's version of it; 0: it has none. -1, with errno: it has, and does not let us. */
int daemon_landlock_version(void);
/** Rules that allow nothing yet, for that @version, but for connections by TCP where @network; -1
 *  with errno. */
int daemon_landlock_new(int version, gboolean network);

typedef enum {
    LANDLOCK_READ = 1,
    LANDLOCK_RUN = 2,
    LANDLOCK_WRITE = 4, /* and to make and remove files, folders and sockets */
} LandlockUse;
/** Allows @uses, of LandlockUse, of the file or folder at @path and what is in it; what is not
 *  there, or not to be found, is passed over. FALSE, with errno. */
gboolean daemon_landlock_allow(int rules, int version, const char *path, guint uses);

/** From now on nothing else is allowed to this process. FALSE, with errno. */
gboolean daemon_landlock_enter(int rules);
