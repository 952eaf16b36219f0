/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * input.h: the message of a task.
 */
#pragma once

#include "filters/worker/task.h"

/** What the client has handed over. (transfer full) */
SealContent *worker_read_message(const WorkerTask *task, GError **error);
/** @message without the Return-path line that it begins with, if it does: where the sender is not
 *  given otherwise, the mail server has put it there for us. (transfer full) */
SealContent *worker_without_return_path(SealContent *message);
/** FALSE, and an error: there is not one octet. */
gboolean worker_is_message(const SealContent *content, GError **error);
