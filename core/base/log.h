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

/** What a line is about: its MESSAGE_ID in the journal, which log-line.c has. */
typedef enum {
    SEAL_LOG_RESULT,   /**< what became of a message for a recipient */
    SEAL_LOG_DECISION, /**< why */
    SEAL_LOG_NEWS,     /**< anything else */
    SEAL_LOG_DISABLED, /**< mail leaves as it comes */
} SealLogKind;

/** A line of key=value, and each value by itself for the journal. */
typedef struct SealLogLine SealLogLine;
/** (transfer full) */
SealLogLine *seal_log_line_new(SealLogKind kind);
void seal_log_line_free(SealLogLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealLogLine, seal_log_line_free)
/** Appends ` name=value` to @line; quotes what is not plain, escapes what is not printable. */
void seal_log_put(SealLogLine *line, const char *name, const char *value);
/** Likewise a number. */
void seal_log_put_number(SealLogLine *line, const char *name, gint64 number);
/** Appends a sentence that is no value. */
void seal_log_put_text(SealLogLine *line, const char *text);
/** The line as it is written. (borrowed) */
const char *seal_log_line_text(const SealLogLine *line);
/** The journal's fields of it, NAME=VALUE in valid UTF-8 without control characters. (borrowed,
 *  element type char *) */
GPtrArray *seal_log_line_fields(const SealLogLine *line);
/** The program's name in the log. (borrowed) */
const char *seal_log_by(void);
/** Appends ` by=` and that name. */
void seal_log_put_by(SealLogLine *line);
/** Writes one line. */
void seal_log_write(SealLogLevel level, const SealLogLine *line);
