/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tender.h: the processes that tend to what private keys need besides, as gpg-agent for OpenPGP's.
 *
 * One is forked by the generation while that is root, and becomes the keys' user. It says "T", with
 * how many there are and the folder that they have, forks them, and ends when one of them does.
 * Each says "R" when it is ready, or whoever it is "E", and why not.
 */
#pragma once

#include "core/frontend.h"

typedef struct {
    int control;  /* -1: nobody tends to anything */
    char *folder; /* or NULL */
} DaemonTender;

/** Root starts them, and waits until they are ready; nobody else has any. */
gboolean daemon_tender_start(DaemonTender *self, const SealDaemonSettings *settings,
                             GError **error);
/** They end. */
void daemon_tender_clear(DaemonTender *self);
