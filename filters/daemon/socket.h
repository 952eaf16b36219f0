/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * socket.h: the socket in run_dir, and the file beside it that says who keeps it.
 */
#pragma once

#include "core/frontend.h"

typedef struct {
    char *path; /* of the socket; NULL where it is systemd's */
    int fd;
    int pid_file; /* locked as long as this process lives */
} DaemonSocket;

/** Systemd's socket, or one of our own, which is made, with the group of [core] user. FALSE, and an
 *  error: another daemon keeps it, or it cannot be made. */
gboolean daemon_socket_open(DaemonSocket *self, const SealDaemonSettings *settings, GError **error);
/** Makes run_dir where it is missing. FALSE, and an error: others could put something in there. */
gboolean daemon_socket_make_dir(const char *run_dir, GError **error);
/** Has the socket @fd listen at @path, with mode and group as @settings say; what stands there is
 *  taken away. */
gboolean daemon_socket_bind(const char *path, int fd, const SealDaemonSettings *settings,
                            GError **error);
/** Takes it out of run_dir: nobody finds it any more; who waits at it still does. */
void daemon_socket_hide(DaemonSocket *self);
void daemon_socket_clear(DaemonSocket *self);
