/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * follow.h: whether what a generation has read has changed, so that another one is to take its
 * place.
 */
#pragma once

#include "core/frontend.h"

typedef struct {
    gint64 next;      /* when to look again */
    guint64 sum;      /* of what was seen then, by this process */
    gboolean changed; /* and that is not what was read */
    guint64 kept_sum; /* the same of private keys; 0: they are what they were */
    gboolean worn;    /* a worker says that it is worth it */
    gboolean told;    /* the supervisor knows of that sum */
    guint64 told_sum;
    gint64 told_at;
    gint64 pause; /* till it is told of the same sum again */
} DaemonFollow;

void daemon_follow_begin(DaemonFollow *self);
/** Looks, where it is time to. TRUE: the supervisor is to be told. */
gboolean daemon_follow_look(DaemonFollow *self, const SealDispatcher *dispatcher);
