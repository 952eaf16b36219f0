/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * modes.h: what the runner does, by its first argument.
 */
#pragma once

#include "filters/runner/setup.h"

/** Each returns the exit code. Where it sets an error, that is to be logged; else it has logged
 * what there was to log. */
int runner_transport(const RunnerOptions *options, GError **error);
int runner_check(const RunnerOptions *options, GError **error);
int runner_pipe(const RunnerOptions *options, GError **error);
