/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * notify.h: systemd's documented protocols: sd_listen_fds(3), and sd_notify(3).
 */
#pragma once

#include <glib.h>

/** The socket that systemd has opened, or -1 where it has opened none. */
int daemon_notify_socket(void);
/** Tells it @state ("READY=1"), where it listens. */
void daemon_notify(const char *state);
