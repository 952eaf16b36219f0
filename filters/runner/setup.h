/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * setup.h: what every mode begins with, the options and the dispatcher, and what it ends with.
 */
#pragma once

#include "core/frontend.h"

/** What the command line says. Strings belong to the struct. */
typedef struct {
    char *conf_dir;
    char *sender; /* NULL where there was no -f */
    char *id;
    char *headers;
    char *sendmail;
    char **recipients; /* never NULL */
    gboolean inbound;
    gboolean submitted;
    gboolean debug;
} RunnerOptions;

/** Reads the arguments after the mode. SEAL_ERROR_FAILED says what is wrong with them. */
gboolean runner_options_parse(RunnerOptions *options, int argc, char **argv, GError **error);
void runner_options_clear(RunnerOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunnerOptions, runner_options_clear)

/** The dispatcher for these options. NULL on error. (transfer full) */
SealDispatcher *runner_open_dispatcher(const RunnerOptions *options, GError **error);

/** A recipient's result as an exit code: something leaves for it, it is refused, or deferred. */
int runner_status_of(const SealRecipient *recipient);
