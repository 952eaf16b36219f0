/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * input.h: the message on standard input.
 */
#pragma once

#include "core/frontend.h"

/** Standard input, to its end. (transfer full) */
SealContent *runner_read_message(const SealService *service, GError **error);
/** FALSE, and an error: there is not one octet. */
gboolean runner_is_message(const SealContent *content, GError **error);
