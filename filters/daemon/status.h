/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.h: what the supervisor says of the daemon, to whoever connects to a socket of its own, as
 * `sealctl status` does. Nothing is read there and nobody is waited for.
 */
#pragma once

#include "core/frontend.h"

/** What the supervisor knows itself. Times are seconds since 1970, or 0. */
typedef struct {
    gint64 started;
    gint64 generation; /* how many have worked */
    gint64 loaded;     /* since when this one does */
    gint64 refused;    /* when a later configuration did not work */
    char *problem;     /* and why; or NULL */
    char *digest;      /* of the configuration that this one works with; or NULL */
    gboolean stopping;
} DaemonNews;

typedef struct {
    int fd; /* -1: there is none */
    char *path;
    int file; /* of the counters, for generations; -1: there are none */
    SealTally *tally;
    guint user; /* who hears all, beside root */
} DaemonStatus;

/** Where it cannot be had, which is logged, the daemon does without. */
void daemon_status_open(DaemonStatus *self, const SealDaemonSettings *settings);
/** Answers those who have connected. */
void daemon_status_answer(const DaemonStatus *self, const DaemonNews *news);
void daemon_status_clear(DaemonStatus *self);
