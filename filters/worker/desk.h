/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * desk.h: what a worker works with, and the work.
 */
#pragma once

#include "filters/worker/task.h"

typedef struct {
    SealService *service;
    SealDispatcher *dispatcher; /* NULL where outbound mail passes as it comes */
} WorkerDesk;

/** For one task: the first that is done. Root becomes the service's user. FALSE on error. */
gboolean worker_desk_open(const WorkerOptions *options, WorkerDesk *desk, GError **error);
void worker_desk_clear(WorkerDesk *desk);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerDesk, worker_desk_clear)
