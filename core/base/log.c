/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.c: where the log goes, and lines of key=value for it. Whatever came from outside is quoted,
 * so that no address can write a line of its own.
 */
#include "core/base/log.h"

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/base/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"
#define OWN_FILE       "sealpipe.log"

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
    char *path;
    char *problem; /* why it does not go there */
} the_log = {.target = TO_SYSLOG, .level = SEAL_LOG_INFO, .fd = -1, .by = ""};

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

/* What is no file may block, or be another's ear. */
static int open_file(const char *path)
{
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640);
    struct stat st;

    if (fd < 0 || (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* A socket that stands there may have nobody behind it. */
static gboolean is_heard(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    gboolean heard = fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
                                 errno == EPROTOTYPE);
    if (fd >= 0)
        close(fd);
    return heard;
}

/* The service's user has it, and not root, who may come first. */
static gboolean can_write(const char *path, const char *dir)
{
    struct stat st;
    int fd = -1;

    if (geteuid() != 0 || (stat(dir, &st) == 0 && st.st_uid == 0))
        fd = open_file(path);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

char *seal_log_resolve(const char *target, const char *state_dir)
{
    if (!g_str_equal(target, "auto"))
        return g_strdup(target);
    if (is_heard(JOURNAL_SOCKET))
        return g_strdup("journal");

    g_autofree char *path = g_build_filename(state_dir, OWN_FILE, NULL);
    return is_heard(SYSLOG_SOCKET) || !can_write(path, state_dir) ? g_strdup("syslog")
                                                                  : g_steal_pointer(&path);
}

static void log_to_syslog(const char *path, const char *what)
{
    const int number = errno;
    const char *why = number == EINVAL  ? "it is no regular file"
                      : number == ELOOP ? "it is a link, which is not followed"
                                        : g_strerror(number);
    g_autofree char *name = geteuid() == 0 ? g_strdup("USER") : seal_user_name(geteuid());

    g_free(the_log.problem);
    the_log.problem = g_strdup_printf("%s %s: %s, so that the log goes to syslog; sealctl status, "
                                      "run as root, makes it where it is "
                                      "missing; else have user %s own it",
                                      what, path, why, name);
    the_log.target = TO_SYSLOG;
    seal_log_warning("[core] log_target: %s", the_log.problem);
}

void seal_log_configure(const char *target, SealLogLevel level)
{
    the_log.level = level;
    if (the_log.fd >= 0)
        close(the_log.fd);
    the_log.fd = -1;
    g_clear_pointer(&the_log.path, g_free);
    g_clear_pointer(&the_log.problem, g_free);
    if (g_str_equal(target, "journal"))
        the_log.target = TO_JOURNAL;
    else if (g_str_equal(target, "syslog"))
        the_log.target = TO_SYSLOG;
    else if (g_str_equal(target, "stderr"))
        the_log.target = TO_STDERR;
    else if (*target == '/')
        the_log.target = TO_FILE;
    else
        the_log.target = access(JOURNAL_SOCKET, W_OK) == 0 ? TO_JOURNAL : TO_SYSLOG;
    if (the_log.target != TO_FILE)
        return;

    the_log.path = g_strdup(target);
    the_log.fd = open_file(target);
    if (the_log.fd < 0)
        log_to_syslog(target, "cannot open");
}

const char *seal_log_problem(void)
{
    return the_log.problem;
}

gboolean seal_log_make(const char *target, uid_t user)
{
    int fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    gboolean ok = fd >= 0 && fchown(fd, user, (gid_t)-1) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

char *seal_log_describe(void)
{
    gboolean journal = the_log.target == TO_JOURNAL;
    const char *name = journal ? "journal" : "syslog";
    const char *path = journal ? JOURNAL_SOCKET : SYSLOG_SOCKET;

    if (the_log.target == TO_FILE || the_log.target == TO_STDERR)
        return g_strdup(the_log.target == TO_FILE ? the_log.path : "stderr");
    if (is_heard(path))
        return g_strdup(name);
    return g_strdup_printf("%s: nobody hears it, since nothing listens on %s; see [core] "
                           "log_target",
                           name, path);
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
static gboolean write_fd(int fd, SealLogLevel level, const char *line)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    g_autofree char *text =
        g_strdup_printf("%s sealpipe[%d]: %s: %s\n", when, (int)getpid(), LEVEL_NAMES[level], line);

    return seal_fd_write(fd, text, strlen(text));
}

/* A full disk, say, must not make it lost. */
static void write_file(SealLogLevel level, const char *line)
{
    if (write_fd(the_log.fd, level, line))
        return;
    log_to_syslog(the_log.path, "cannot write to");
    syslog(PRIORITIES[level], "%s", line);
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
        write_file(level, line);
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
        else if (seal_text_is_shown(u))
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
