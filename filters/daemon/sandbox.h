/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h: what each of the daemon's processes is kept from, and what becomes of it where the
 * kernel does not do that: [daemon] sandbox says.
 */
#pragma once

#include "core/frontend.h"

/** What workers may do with files; the same for all of a generation. */
typedef struct {
    const SealDaemonSettings *settings;
    gboolean apart;     /* private keys are another user's */
    gboolean network;   /* they may use it */
    gboolean refreshes; /* one process fetches, and has the network for it */
    int version;        /* of Landlock; 0: there is none */
    int rules;          /* -1: they are not kept from any file */
} DaemonSandbox;

/** Locks the generation in, as far as its workers are too, and makes the rules for these; after it
 *  has become the service's user and before it forks any. */
gboolean daemon_sandbox_prepare(DaemonSandbox *self, const SealDaemonSettings *settings,
                                const SealDispatcher *dispatcher, gboolean apart,
                                gboolean refreshes, GError **error);
void daemon_sandbox_clear(DaemonSandbox *self);

/** Locks in who fetches: nothing but the network, and @state_dir. */
gboolean daemon_sandbox_enter_refresher(const DaemonSandbox *self, const char *state_dir,
                                        GError **error);
/** Locks a worker in. */
gboolean daemon_sandbox_enter_worker(const DaemonSandbox *self, GError **error);
/** Locks the keeper in: no file, no other process, and nothing that it does not need for starting
 *  servers. @apart as above. */
gboolean daemon_sandbox_enter_keeper(const SealDaemonSettings *settings, gboolean apart,
                                     GError **error);
/** Locks those in who tend to private keys, as a worker but for files, which their user keeps. */
gboolean daemon_sandbox_enter_tender(const SealDaemonSettings *settings, GError **error);
/** Locks one of its servers in: what is left is to answer. */
gboolean daemon_sandbox_enter_server(const SealDaemonSettings *settings);
