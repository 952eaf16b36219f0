/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seccomp.h: the system calls that each of sealpiped's processes may make. What is said once holds
 * for whatever the process starts, and cannot be taken back; saying more only takes more away.
 */
#pragma once

#include <glib.h>

typedef enum {
    SECCOMP_WORKER, /* what takes over others, or the kernel's rarer parts, fails with EPERM */
    SECCOMP_KEEPER, /* what receives sockets and forks servers; any other call ends it */
    SECCOMP_SERVER, /* what answers at one socket; any other call ends it */
} SeccompRole;

/** @network: sockets of other families than AF_UNIX can be had; of SECCOMP_WORKER. Wants no new
 *  privileges, or root. FALSE, with errno: nothing has changed. */
gboolean daemon_seccomp_enter(SeccompRole role, gboolean network);
