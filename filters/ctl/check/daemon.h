/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon.h: what the topics keeper and daemon share: the daemon as it is seen from outside.
 */
#pragma once

#include "filters/ctl/check/check.h"
#include "filters/ctl/check/processes.h"

typedef struct {
    CheckRun *run;
    SealDaemonSettings settings;
    char *socket;
    pid_t listener;                 /* who listens there; 0: nobody */
    uid_t user;                     /* whose process that is */
    int why;                        /* errno, where it is DAEMON_CLOSED */
    GArray *processes;              /* element type CheckProcess */
    const CheckProcess *generation; /* the one that handles mail; NULL: none was found */
} CheckDaemon;

/** What came of asking it. */
typedef enum {
    DAEMON_ANSWERS,
    DAEMON_ABSENT, /* nobody listens */
    DAEMON_FULL,   /* there was no room in its queue */
    DAEMON_SILENT, /* nobody has answered */
    DAEMON_LEAVES, /* it closes the connection */
    DAEMON_CLOSED, /* one may not connect, or whoever listens is not to be believed; see errno */
} DaemonState;

/** Asks a worker for nothing. @listener, @user: who listens, as far as the kernel tells. */
DaemonState daemon_ask(const char *path, pid_t *listener, uid_t *user);

/** NULL where there is none of that number. (borrowed) */
const CheckProcess *daemon_process(const CheckDaemon *daemon, pid_t pid);
/** "a worker", "the keeper", and so on, of one of its processes; NULL where @process is none. */
const char *daemon_role(const CheckDaemon *daemon, const CheckProcess *process);

/** Puts what is wrong with the keys' user, and whether private keys are kept. */
void check_keeper_user(const CheckDaemon *daemon);
void check_keeper(const CheckDaemon *daemon);
