/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * worker.h: takes one message after the other, in a process of its own.
 */
#pragma once

#include "filters/daemon/peers.h"
#include "filters/daemon/sandbox.h"
#include "filters/worker/desk.h"

typedef struct {
    SealService *service;
    SealDispatcher *dispatcher; /* not attached yet; NULL where [core] enabled is false */
    const DaemonPeers *peers;
    const SealDaemonSettings *settings;
    const DaemonSandbox *sandbox;
    gboolean refreshes;
    guint64 device; /* of the configuration's folder */
    guint64 inode;
} DaemonShop;

/** Works until it is told to stop, with the socket @listening, which does not block, @control to
 * the generation, and @keys to who has the private keys; their end is its end, too. Returns what
 * the process ends with: 0, or 1 where it could not begin. */
int daemon_work(const DaemonShop *shop, int listening, int control, int keys);
