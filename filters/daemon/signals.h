/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * signals.h: signals as data of a descriptor, and records of one letter and what follows it.
 */
#pragma once

#include <glib.h>
#include <signal.h>

enum { DAEMON_TEXT_MAX = 2000 };

/** Blocks the signals, which end with 0, and gives a descriptor that has them; -1 on error. */
int daemon_signals_open(const int *numbers);
/** The next one, 0 where there is none. */
int daemon_signals_next(int fd);
/** In a child: none is blocked, each is as by default. */
void daemon_signals_reset(void);

/** A pair of sockets of records, both closed by exec. */
gboolean daemon_pair(int pair[2]);
/** Sends one letter, with a number behind it. FALSE: nobody is there, or he does not listen. */
gboolean daemon_say(int socket, char letter, gint64 number);
/** The same with text, of which up to DAEMON_TEXT_MAX octets are sent. */
gboolean daemon_say_text(int socket, char letter, const char *text);
/** The next one, without waiting, and up to @size - 1 octets of what follows its letter and a
 * blank; otherwise as daemon_hear(). */
int daemon_hear_text(int socket, char *text, gsize size);
/** The next one, without waiting: its letter; 0 where there is none, -1 at the end. */
int daemon_hear(int socket, gint64 *number);
