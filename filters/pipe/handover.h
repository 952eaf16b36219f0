/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * handover.h: hands over what the runner has built, each delivery to sendmail.
 */
#pragma once

#include "filters/client/log.h"

/** Takes the container in @file, which it closes; -1: the runner made none. Writes the line for the
 *  mail server to stdout where the status is not 0, and what became of each recipient of it to the
 *  log. Returns 0, 69 or 75. */
int seal_handover(int file, const SealClientJob *job);
