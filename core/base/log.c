/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.c: one line for each recipient, key=value. Whatever came from outside is quoted, so that no
 * address can write a line of its own.
 */
#include "core/base/log.h"

#include "core/pipeline/job.h"
#include "core/pipeline/policy.h"
#include "core/plugin/key.h"

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
} the_log = {TO_SYSLOG, SEAL_LOG_INFO, -1, FALSE};

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

void seal_log_open(gboolean to_stderr)
{
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
    ssize_t rc;

    do
        rc = write(fd, text, strlen(text));
    while (rc < 0 && errno == EINTR);
}

static void write_line(SealLogLevel level, const char *line)
{
    if (level > the_log.level)
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

/* Appends ` name=value`; quotes what is not plain, escapes what is not printable. */
static void put(GString *line, const char *name, const char *value)
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

static void put_number(GString *line, const char *name, gint64 number)
{
    g_string_append_printf(line, " %s=%" G_GINT64_FORMAT, name, number);
}

static SealLogLevel level_of(SealVerdict result)
{
    return result == SEAL_VERDICT_DEFER || result == SEAL_VERDICT_NONE      ? SEAL_LOG_ERROR
           : result == SEAL_VERDICT_REFUSE || result == SEAL_VERDICT_REPORT ? SEAL_LOG_WARNING
                                                                            : SEAL_LOG_INFO;
}

static void log_recipient(SealJob *job, const SealRecipient *recipient)
{
    g_autoptr(GString) line = g_string_new(NULL);
    const SealKey *key = recipient->key;

    put(line, "id", seal_job_id(job));
    put(line, "from", job->sender_text);
    put(line, "to", seal_address_text(recipient->address));
    put(line, "result", seal_verdict_name(recipient->result));
    put(line, "format",
        key && (recipient->result == SEAL_VERDICT_SEALED ||
                recipient->result == SEAL_VERDICT_SIGNED)
            ? seal_key_format(key)
            : "");
    put(line, "key", key ? seal_key_fingerprint(key) : "");
    put(line, "origin", key ? seal_key_source(key) : "");
    put(line, "trust", key ? seal_trust_name(seal_key_trust(key)) : "");
    put(line, "rule", seal_recipient_rule(recipient));
    put(line, "stages", job->stages);
    put_number(line, "bytes", (gint64)job->size);
    put_number(line, "ms", (g_get_monotonic_time() - job->started) / 1000);
    put(line, "reason", recipient->reason);
    write_line(level_of(recipient->result), line->str);
}

static void log_decision(SealJob *job, const SealDecision *decision)
{
    g_autoptr(GString) line = g_string_new(NULL);

    put(line, "id", seal_job_id(job));
    put(line, "step", seal_decision_step(decision));
    put(line, "subject", seal_decision_subject(decision));
    put(line, "verdict", seal_verdict_name(seal_decision_verdict(decision)));
    put(line, "code", seal_decision_code(decision));
    put(line, "key", seal_decision_key(decision));
    put(line, "text", seal_decision_text(decision));
    write_line(SEAL_LOG_DEBUG, line->str);
}

void seal_log_job(SealJob *job)
{
    if (the_log.level >= SEAL_LOG_DEBUG) {
        for (guint i = 0; i < job->decisions->len; i++)
            log_decision(job, g_ptr_array_index(job->decisions, i));
    }
    for (guint i = 0; i < job->recipients->len; i++)
        log_recipient(job, g_ptr_array_index(job->recipients, i));
}

void seal_log_disabled(const char *id, const char *sender, const char *const *recipients)
{
    static const char notice[] = "sealpipe is disabled. Emails will not be encrypted.";

    write_line(SEAL_LOG_WARNING, notice);
    for (; *recipients; recipients++) {
        g_autoptr(GString) line = g_string_new(NULL);

        put(line, "id", id);
        put(line, "from", sender);
        put(line, "to", *recipients);
        put(line, "result", seal_verdict_name(SEAL_VERDICT_PLAIN));
        put(line, "reason", notice);
        write_line(SEAL_LOG_INFO, line->str);
    }
}

void seal_log_error(const char *id, const GError *error)
{
    g_autoptr(GString) line = g_string_new(NULL);

    put(line, "id", id);
    put(line, "result", seal_verdict_name(SEAL_VERDICT_DEFER));
    put(line, "reason", error->message);
    write_line(SEAL_LOG_ERROR, line->str);
}

void seal_log_warning(const char *format, ...)
{
    g_autoptr(GString) line = g_string_new(NULL);
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    put(line, "warning", text);
    write_line(SEAL_LOG_WARNING, line->str);
}
