/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/log.h"

#include "filters/client/io.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TAG            "sealpipe"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define VALUE_MAX      600 /* octets of a value, as it is written */
#define LINE_SIZE      4096
#define PATIENCE_MS    1000

/* One log a process. */
static struct {
    const char *by;
    bool debug;
    SealClientLog to;
} the_log = {.by = "", .to = {.target = SEAL_CLIENT_LOG_UNKNOWN, .file = -1}};

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [SEAL_CLIENT_ERROR] = {"error", LOG_ERR},
    [SEAL_CLIENT_WARNING] = {"warning", LOG_WARNING},
    [SEAL_CLIENT_INFO] = {"info", LOG_INFO},
    [SEAL_CLIENT_DEBUG] = {"debug", LOG_DEBUG},
};

void seal_client_log_open(const char *by, bool debug)
{
    the_log.by = by;
    the_log.debug = debug;
    openlog(TAG, LOG_PID, LOG_MAIL);
}

void seal_client_log_use(const SealClientLog *log)
{
    the_log.to = *log;
}

/* -------------------------------------------------------------------------------------------
 * A line
 */

typedef struct {
    char text[LINE_SIZE];
    size_t size;
} Line;

static bool is_plain(const char *value)
{
    if (*value == '\0' || strlen(value) > VALUE_MAX)
        return false;
    for (; *value; value++) {
        unsigned char octet = (unsigned char)*value;

        if (octet <= ' ' || octet >= 0x7f || strchr("\"\\=", octet))
            return false;
    }
    return true;
}

/* What does not fit is left out. */
static void put_text(Line *line, const char *text)
{
    for (; *text && line->size + 1 < sizeof line->text; text++)
        line->text[line->size++] = *text;
    line->text[line->size] = '\0';
}

/* Nothing in it ends a line. */
static void put_escaped(Line *line, const char *value)
{
    size_t start = line->size;

    for (; *value && line->size - start + 1 < VALUE_MAX; value++) {
        unsigned char octet = (unsigned char)*value;
        char escaped[8] = {*value};

        if (octet == '"' || octet == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", octet);
        else if (octet < ' ' || octet >= 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", octet);
        put_text(line, escaped);
    }
}

/* Whatever came from outside is quoted, so that it cannot write a line of its own. */
static void put_value(Line *line, const char *name, const char *value)
{
    bool plain = is_plain(value);

    put_text(line, line->size > 0 ? " " : "");
    put_text(line, name);
    put_text(line, plain ? "=" : "=\"");
    if (plain)
        put_text(line, value);
    else
        put_escaped(line, value);
    put_text(line, plain ? "" : "\"");
}

/* The journal's, by the names that core gives them. */
static void put_field(Line *fields, const char *name, const char *value)
{
    if (*value == '\0')
        return;
    put_text(fields, name);
    put_escaped(fields, value);
    put_text(fields, "\n");
}

/* -------------------------------------------------------------------------------------------
 * Where it goes
 */

/* One write, so that lines of several processes do not mix; and none that could have to wait. */
static bool write_file(int fd, SealClientLevel level, const char *text)
{
    char when[32] = "", line[LINE_SIZE + 128];
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    time_t now = time(NULL);
    struct tm day;
    int size;

    if (gmtime_r(&now, &day))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &day);
    size = snprintf(line, sizeof line, "%s " TAG "[%d]: %s: %s\n", when, (int)getpid(),
                    levels[level].name, text);
    return size > 0 && poll(&ready, 1, PATIENCE_MS) == 1 && (ready.revents & POLLOUT) &&
           seal_io_write(fd, line, (size_t)size);
}

/* As core/base/log-line.c has it for what became of a message. */
#define RESULT_ID "MESSAGE_ID=2c6d4aab6f4b4e0f9bbd0c3d5e0f7a11\n"

static bool write_journal(SealClientLevel level, const char *text, const Line *fields)
{
    const struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    char entry[2 * LINE_SIZE + 256];
    int size = snprintf(entry, sizeof entry,
                        "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=" TAG
                        "\nSYSLOG_FACILITY=2\n" RESULT_ID "%s",
                        text, levels[level].priority, fields->text);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && sendto(fd, entry, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL,
                                (const struct sockaddr *)&journal, sizeof journal) == size;

    seal_io_close(&fd);
    return ok;
}

static void write_line(SealClientLevel level, const char *text, const Line *fields)
{
    bool written = false;

    if (the_log.to.target != SEAL_CLIENT_LOG_UNKNOWN && level > the_log.to.level)
        return;
    if (the_log.debug)
        write_file(STDERR_FILENO, level, text);
    if (the_log.to.target == SEAL_CLIENT_LOG_FILE)
        written = write_file(the_log.to.file, level, text);
    else if (the_log.to.target == SEAL_CLIENT_LOG_JOURNAL)
        written = write_journal(level, text, fields);
    if (!written)
        syslog(levels[level].priority, "%s", text);
}

void seal_client_log(SealClientLevel level, const SealClientLine *line)
{
    Line text = {.size = 0}, fields = {.size = 0};
    const struct {
        const char *name, *field, *value;
    } values[] = {
        {"id", "SEALPIPE_ID=", line->id},        {"from", "SEALPIPE_SENDER=", line->from},
        {"to", "SEALPIPE_RECIPIENT=", line->to}, {"result", "SEALPIPE_RESULT=", line->result},
        {"by", "SEALPIPE_BY=", the_log.by},      {"reason", "SEALPIPE_REASON=", line->reason},
    };

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        put_value(&text, values[i].name, values[i].value);
        put_field(&fields, values[i].field, values[i].value);
    }
    write_line(level, text.text, &fields);
}

void seal_client_log_deferred(const SealClientJob *job, const char *reason)
{
    SealClientLine line = {job->id, job->from, "", "deferred", reason};

    if (job->n_recipients == 0)
        seal_client_log(SEAL_CLIENT_ERROR, &line);
    for (size_t i = 0; i < job->n_recipients; i++) {
        line.to = job->recipients[i];
        seal_client_log(SEAL_CLIENT_ERROR, &line);
    }
}
