/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peers.h: who hands in a message, and what he may have done with it.
 */
#pragma once

#include "filters/worker/task.h"

typedef struct DaemonPeers DaemonPeers;

/** By the settings' names; who is not there is passed over. @self is what "self" means. (transfer
 *  full) */
DaemonPeers *daemon_peers_new(const SealDaemonSettings *settings, guint self);
void daemon_peers_free(DaemonPeers *peers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonPeers, daemon_peers_free)

/** FALSE, and an error for the log: he may not hand in anything. */
gboolean daemon_peers_admit(const DaemonPeers *peers, guint user, GError **error);

/** FALSE, and an error for the log: he may not have this done. What he says of who submitted the
 *  message is taken out of @task where his word is not taken on it. */
gboolean daemon_peers_check(const DaemonPeers *peers, guint user, WorkerTask *task, GError **error);
