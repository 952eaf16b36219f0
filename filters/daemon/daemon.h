/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon.h: what the processes of sealpiped share.
 *
 * The supervisor keeps the socket and reads no mail. It executes itself anew for each generation,
 * which reads configuration and keys, becomes the service's user, and forks workers. A generation
 * and its supervisor talk over one socket of records, a worker and its generation over another:
 *
 *   generation: R DIGEST     ready: what is configured, with that digest, works
 *               E TEXT       it does not work, and why
 *               X LOST       another generation is wanted: what stands behind the configuration has
 *                            changed, or, with 1, the private keys are lost, which is urgent
 *   supervisor: G            go on: accept
 *               D            drain: end when what was begun is done; another one accepts
 *               S            stop: the same, when the queue is empty
 *   worker:     A USEC       take me for dead unless I say something by then
 *               I            idle
 *               C            so much has changed that another generation is worth it
 *   keeper:     C SUM        what private keys were read from has changed, and is now that
 *
 * The end of its socket is the order to stop for both.
 */
#pragma once

#include "core/frontend.h"

/** Descriptors of a generation. */
enum {
    DAEMON_CONTROL_FD = 3,
    DAEMON_LISTEN_FD = 4,
    DAEMON_TALLY_FD = 5, /* the counters, which outlive it; or nothing */
};

/** The supervisor, and what main() returns. @path: of sealpiped itself. */
int daemon_supervise(const char *path, const char *conf_dir, gboolean foreground);
/** A generation, and what main() returns. */
int daemon_generation(const char *conf_dir);
