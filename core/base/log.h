/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.h: the log, for core.
 */
#pragma once

#include "core/frontend.h"

typedef enum {
    SEAL_LOG_ERROR,
    SEAL_LOG_WARNING,
    SEAL_LOG_INFO,
    SEAL_LOG_DEBUG,
} SealLogLevel;

/** Sends the log to @target ("auto", "syslog", "journal", "stderr" or an absolute path) from
 *  @level up. SEAL_ERROR_CONFIG where the file cannot be opened. */
gboolean seal_log_configure(const char *target, SealLogLevel level, GError **error);

/** TRUE where lines of @level are written at all. */
gboolean seal_log_has_level(SealLogLevel level);
/** Appends ` name=value` to @line; quotes what is not plain, escapes what is not printable. */
void seal_log_put(GString *line, const char *name, const char *value);
/** Appends ` by=` and the program's name in the log. */
void seal_log_put_by(GString *line);
/** Writes one line. */
void seal_log_write(SealLogLevel level, const char *line);
/** Writes a line `warning="..."`. */
void seal_log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
