/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.h: what the parts of `sealctl status` share.
 */
#pragma once

#include "filters/ctl/ctl.h"

enum { CTL_STATUS_DAYS = 30 }; /* what ends by then is told */

/* -------------------------------------------------------------------------------------------
 * status-daemon.c: what the daemon says of itself
 */

/** Asks whoever listens in @run_dir: root, who runs this, or @service. NULL, and *@why for people:
 *  nobody answers there, or not now. (transfer full, @why too) */
GVariant *ctl_daemon_ask(const char *run_dir, guint service, char **why);

/* -------------------------------------------------------------------------------------------
 * status-more.c: what can be said without it
 */

/** Puts what ends and what waits: rows of "expiring", "partners_expiring" and "pending". */
void ctl_status_put_keys(SealDispatcher *dispatcher, SealOut *out);
/** Puts rows of "disk". */
void ctl_status_put_disk(const SealService *service, SealOut *out);

/* -------------------------------------------------------------------------------------------
 * How it is shown
 */

/** Prints it once; for JSON puts it into @out. An exit code. */
int ctl_status_print(const CtlOptions *options, SealOut *out, GError **error);
/** All of it as OpenMetrics text; what could not be told is said on standard error. (transfer full)
 */
char *ctl_status_text(const CtlOptions *options);
/** All that was put, as ctl_status_say() has it, for people. */
void ctl_status_show(GVariant *answer);
/** The same as OpenMetrics text. (transfer full) */
char *ctl_status_metrics(GVariant *answer);
