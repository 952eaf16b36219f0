/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * refresher.h: the one process of a generation's that may use the network whatever [daemon] network
 * says: it has modules fetch what gets out of date. It reaches neither mail nor private keys, and
 * is worth nothing: another one takes its place.
 */
#pragma once

#include "filters/daemon/worker.h"

typedef struct {
    pid_t pid;    /* 0: there is none */
    gint64 again; /* milliseconds: when one is to be started; G_MAXINT64: not at all */
    gint64 pause;
} DaemonRefresher;

/** Whether one is to be started, and at once. */
void daemon_refresher_prepare(DaemonRefresher *self, const DaemonShop *shop);
/** What it does; returns what the process ends with: 0 where nothing is ever to be fetched. */
int daemon_refresher_run(const DaemonShop *shop);
/** Looks whether it has ended. */
void daemon_refresher_reap(DaemonRefresher *self, gint64 now);
/** Ends it. */
void daemon_refresher_end(DaemonRefresher *self);
