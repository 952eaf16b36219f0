/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.c: where the log goes, and lines of key=value for it. Whatever came from outside is quoted,
 * so that no address can write a line of its own.
 */
#include "core/base/log.h"

#include "core/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { MAX_VALUE = 600 };

typedef enum {
    TO_SYSLOG,
    TO_JOURNAL,
    TO_FILE,
    TO_STDERR,
} Target;

/* One log a process. */
static struct {
    Target target;
    SealLogLevel level;
    int fd;
    gboolean copy_to_stderr;
    const char *by;
} the_log = {TO_SYSLOG, SEAL_LOG_INFO, -1, FALSE, ""};

static const int PRIORITIES[] = {
    [SEAL_LOG_ERROR] = LOG_ERR,
    [SEAL_LOG_WARNING] = LOG_WARNING,
    [SEAL_LOG_INFO] = LOG_INFO,
    [SEAL_LOG_DEBUG] = LOG_DEBUG,
};

static const char *const LEVEL_NAMES[] = {
    [SEAL_LOG_ERROR] = "error",
    [SEAL_LOG_WARNING] = "warning",
    [SEAL_LOG_INFO] = "info",
    [SEAL_LOG_DEBUG] = "debug",
};

gboolean seal_log_has_level(SealLogLevel level)
{
    return level <= the_log.level;
}

void seal_log_open(const char *by, gboolean to_stderr)
{
    the_log.by = by;
    the_log.copy_to_stderr = to_stderr;
    openlog("sealpipe", LOG_PID, LOG_MAIL);
}

gboolean seal_log_configure(const char *target, SealLogLevel level, GError **error)
{
    the_log.level = level;
    if (the_log.fd >= 0)
        close(the_log.fd);
    the_log.fd = -1;
    if (g_str_equal(target, "auto"))
        the_log.target = access(JOURNAL_SOCKET, W_OK) == 0 ? TO_JOURNAL : TO_SYSLOG;
    else if (g_str_equal(target, "journal"))
        the_log.target = TO_JOURNAL;
    else if (g_str_equal(target, "syslog"))
        the_log.target = TO_SYSLOG;
    else if (g_str_equal(target, "stderr"))
        the_log.target = TO_STDERR;
    else
        the_log.target = TO_FILE;
    if (the_log.target != TO_FILE)
        return TRUE;

    the_log.fd =
        open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0640);
    if (the_log.fd < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "cannot write to it: %s",
                    g_strerror(errno));
        the_log.target = TO_SYSLOG;
        return FALSE;
    }
    return TRUE;
}

const char *seal_log_target(int *level, int *file)
{
    *level = (int)the_log.level;
    *file = the_log.target == TO_FILE ? the_log.fd : -1;
    return the_log.target == TO_FILE ? "file" : the_log.target == TO_JOURNAL ? "journal" : "syslog";
}

static void write_journal(SealLogLevel level, const char *line)
{
    g_autofree char *priority = g_strdup_printf("%d", PRIORITIES[level]);
    const GLogField fields[] = {
        {"MESSAGE", line, -1},
        {"PRIORITY", priority, -1},
        {"SYSLOG_IDENTIFIER", "sealpipe", -1},
    };

    g_log_writer_journald(G_LOG_LEVEL_MESSAGE, fields, G_N_ELEMENTS(fields), NULL);
}

/* One write, so that lines of several processes do not mix. */
static void write_fd(int fd, SealLogLevel level, const char *line)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    g_autofree char *text =
        g_strdup_printf("%s sealpipe[%d]: %s: %s\n", when, (int)getpid(), LEVEL_NAMES[level], line);

    seal_fd_write(fd, text, strlen(text));
}

void seal_log_write(SealLogLevel level, const char *line)
{
    if (!seal_log_has_level(level))
        return;
    switch (the_log.target) {
    case TO_SYSLOG:
        syslog(PRIORITIES[level], "%s", line);
        break;
    case TO_JOURNAL:
        write_journal(level, line);
        break;
    case TO_FILE:
        write_fd(the_log.fd, level, line);
        break;
    case TO_STDERR:
        break;
    }
    if (the_log.target == TO_STDERR || the_log.copy_to_stderr)
        write_fd(STDERR_FILENO, level, line);
}

void seal_log_put(GString *line, const char *name, const char *value)
{
    g_autofree char *safe = g_utf8_make_valid(value ? value : "", -1);
    gboolean plain = *safe != '\0';

    for (const char *c = safe; *c && plain; c++)
        plain = g_ascii_isgraph(*c) && !strchr("\"\\=", *c);
    g_string_append_printf(line, "%s%s=", line->len ? " " : "", name);
    if (plain && strlen(safe) <= MAX_VALUE) {
        g_string_append(line, safe);
        return;
    }

    gsize start = line->len;
    g_string_append_c(line, '"');
    for (const char *c = safe; *c && line->len - start < MAX_VALUE; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);
        if (u == '"' || u == '\\')
            g_string_append_printf(line, "\\%c", (char)u);
        else if (g_unichar_isprint(u))
            g_string_append_unichar(line, u);
        else
            g_string_append_printf(line, "\\u%04x", u);
    }
    g_string_append_c(line, '"');
}

void seal_log_put_by(GString *line)
{
    seal_log_put(line, "by", the_log.by);
}

void seal_log_warning(const char *format, ...)
{
    g_autoptr(GString) line = g_string_new(NULL);
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_log_put(line, "warning", text);
    seal_log_put_by(line);
    seal_log_write(SEAL_LOG_WARNING, line->str);
}
