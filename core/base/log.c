/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log.c: where the log goes.
 */
#include "core/base/log.h"

#include "core/base/files.h"
#include "core/base/journal.h"
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

#define SYSLOG_SOCKET "/dev/log"
#define OWN_FILE      "sealpipe.log"

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
    if (is_heard(SEAL_JOURNAL_SOCKET))
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
        the_log.target = access(SEAL_JOURNAL_SOCKET, W_OK) == 0 ? TO_JOURNAL : TO_SYSLOG;
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

gboolean seal_log_is_behind(void)
{
    struct stat there, here;

    return the_log.target == TO_FILE && the_log.fd >= 0 && lstat(the_log.path, &there) == 0 &&
           S_ISREG(there.st_mode) && fstat(the_log.fd, &here) == 0 &&
           (there.st_dev != here.st_dev || there.st_ino != here.st_ino);
}

char *seal_log_describe(void)
{
    gboolean journal = the_log.target == TO_JOURNAL;
    const char *name = journal ? "journal" : "syslog";
    const char *path = journal ? SEAL_JOURNAL_SOCKET : SYSLOG_SOCKET;

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

static gboolean write_journal(SealLogLevel level, const SealLogLine *line)
{
    GPtrArray *fields = seal_log_line_fields(line);
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(all, g_strconcat("MESSAGE=", seal_log_line_text(line), NULL));
    g_ptr_array_add(all, g_strdup_printf("PRIORITY=%d", PRIORITIES[level]));
    g_ptr_array_add(all, g_strdup("SYSLOG_IDENTIFIER=sealpipe"));
    g_ptr_array_add(all, g_strdup_printf("SYSLOG_FACILITY=%d", LOG_FAC(LOG_MAIL)));
    for (guint i = 0; i < fields->len; i++)
        g_ptr_array_add(all, g_strdup(g_ptr_array_index(fields, i)));
    return seal_journal_send(all);
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

void seal_log_write(SealLogLevel level, const SealLogLine *line)
{
    const char *text = seal_log_line_text(line);

    if (!seal_log_has_level(level))
        return;
    if (the_log.target == TO_FILE)
        write_file(level, text);
    else if (the_log.target == TO_SYSLOG ||
             (the_log.target == TO_JOURNAL && !write_journal(level, line)))
        syslog(PRIORITIES[level], "%s", text);
    if (the_log.target == TO_STDERR || the_log.copy_to_stderr)
        write_fd(STDERR_FILENO, level, text);
}

const char *seal_log_by(void)
{
    return the_log.by;
}

void seal_log_put_by(SealLogLine *line)
{
    seal_log_put(line, "by", the_log.by);
}

static void log_news(SealLogLevel level, const char *name, const char *format, va_list args)
{
    g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_NEWS);
    g_autofree char *text = g_strdup_vprintf(format, args);

    seal_log_put(line, name, text);
    seal_log_put_by(line);
    seal_log_write(level, line);
}

void seal_log_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_news(SEAL_LOG_WARNING, "warning", format, args);
    va_end(args);
}

void seal_log_failure(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_news(SEAL_LOG_ERROR, "error", format, args);
    va_end(args);
}

void seal_log_notice(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_news(SEAL_LOG_INFO, "notice", format, args);
    va_end(args);
}
