/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * modes.h: what a worker does, by the mode of the request.
 */
#pragma once

#include "filters/worker/desk.h"

/** Each returns the exit code. Where it sets an error, that is to be logged; else it has logged
 * what there was to log. */
int worker_transport(const WorkerDesk *desk, const WorkerTask *task, GError **error);
int worker_check(const WorkerDesk *desk, const WorkerTask *task, GError **error);
int worker_pipe(const WorkerDesk *desk, const WorkerTask *task, GError **error);

/** Does the task, logs what there is to log, and returns the exit code, which worker_end() is to
 * tell the client. */
int worker_do(const WorkerDesk *desk, const WorkerTask *task);
/** Likewise where the work cannot begin. */
int worker_fail(const WorkerTask *task, const GError *error);
