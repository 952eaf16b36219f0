/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.h: the log, for core.
 */
#pragma once

#include "core/frontend.h"

#include <sys/types.h>

typedef enum {
    SEAL_LOG_ERROR,
    SEAL_LOG_WARNING,
    SEAL_LOG_INFO,
    SEAL_LOG_DEBUG,
} SealLogLevel;

/** Sends the log to @target ("syslog", "journal", "stderr", an absolute path, or "auto" and
 * anything else) from @level up. Where a file cannot be written it goes to syslog, with a warning.
 */
void seal_log_configure(const char *target, SealLogLevel level);
/** Why the log does not go where it should; NULL where it does. (borrowed) */
const char *seal_log_problem(void);
/** As root: makes the file @target for @user, where nothing stands yet. FALSE with errno set. */
gboolean seal_log_make(const char *target, uid_t user);

/** Where "auto" sends the log: to the journal, else to syslog, else, where neither listens, to
 *  sealpipe.log in @state_dir. @target itself where it is another. (transfer full) */
char *seal_log_resolve(const char *target, const char *state_dir);

/** Where the log goes, for people, and whether nobody hears it there. (transfer full) */
char *seal_log_describe(void);

/** TRUE where lines of @level are written at all. */
gboolean seal_log_has_level(SealLogLevel level);
/** Appends ` name=value` to @line; quotes what is not plain, escapes what is not printable. */
void seal_log_put(GString *line, const char *name, const char *value);
/** Appends ` by=` and the program's name in the log. */
void seal_log_put_by(GString *line);
/** Writes one line. */
void seal_log_write(SealLogLevel level, const char *line);
