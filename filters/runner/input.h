/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * input.h: the message on standard input.
 */
#pragma once

#include "core/frontend.h"

/** Standard input, to its end. (transfer full) */
SealContent *runner_read_message(const SealService *service, GError **error);
/** @message without the Return-path line that it begins with, if it does: where the sender is not
 *  given otherwise, the mail server has put it there for us. (transfer full) */
SealContent *runner_without_return_path(SealContent *message);
/** FALSE, and an error: there is not one octet. */
gboolean runner_is_message(const SealContent *content, GError **error);
