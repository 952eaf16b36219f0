/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon.h: has one of the daemon's workers do the work.
 */
#pragma once

#include "filters/client/answer.h"
#include "filters/client/conf.h"

#define SEAL_DAEMON_SOCKET "sealpiped.sock" /* in run_dir */
#define SEAL_STATUS_SOCKET "status.sock"    /* there, too */
/** What stands there gives whoever connects one record, a GVariant (a{sv}) of no more octets. */
#define SEAL_STATUS_MAX (128 * 1024)

/** FALSE: there is no daemon, or it is for another configuration; nothing has been asked of it.
 * Else
 *  @answer has what came of it: a fault for all that went wrong. A queue that is full is tried
 * again until the deadline. */
bool seal_daemon_run(const SealClientConf *conf, const SealRequest *request, SealAnswer *answer);
