/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keeper.h: the process that keeps the private keys, and one server of it for each worker.
 *
 * It is forked by the generation while that is root, reads root's files, becomes a user of its own,
 * and hears "K", with a socket: fork a server for whoever is at its other end. It says "L", with a
 * file of what is no secret, or "E" and why not; then "K" and a signal that has ended a server.
 */
#pragma once

#include "core/frontend.h"

typedef struct {
    pid_t pid;
    int control; /* -1: it is gone */
} DaemonKeeper;

/** Whom the private keys belong to. */
gboolean daemon_find_keys_user(const char *name, uid_t *uid, GError **error);
/** Root becomes him. */
gboolean daemon_become_keys_user(const char *name, GError **error);
/** Starts it and waits until it has read the keys. *@listed is for seal_dispatcher_prepare(). */
gboolean daemon_keeper_start(DaemonKeeper *self, const SealDaemonSettings *settings, int *listed,
                             GError **error);
/** A socket at whose other end a server is; -1: the keeper is gone. */
int daemon_keeper_connect(DaemonKeeper *self);
/** It ends, and its servers as soon as their workers have. */
void daemon_keeper_clear(DaemonKeeper *self);
