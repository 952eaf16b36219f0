/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.c: the runner's side of the watch. The client holds the clock, since it is outside the
 * process group that may have to be ended.
 */
#include "filters/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_LIMIT (5 * G_TIME_SPAN_MINUTE)

enum { WATCH_FD = 3 };

static gboolean listening;
static pid_t runner; /* a child of it has nothing to say */
static gint64 idle_since;

void runner_watch_open(void)
{
    struct stat st;

    runner = getpid();
    /* What cannot be told is a client, which must not be left without an answer. */
    seal_clock_listen(runner_watch_arm);
    listening = fstat(WATCH_FD, &st) == 0 ? S_ISSOCK(st.st_mode) : errno != EBADF;
    if (listening)
        fcntl(WATCH_FD, F_SETFD, FD_CLOEXEC);
}

/* One octet of it at least takes the descriptor along. */
static gboolean send_line(const char *line, int file)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec octets = {.iov_base = (gpointer)line, .iov_len = strlen(line)};
    struct msghdr message = {.msg_iov = &octets, .msg_iovlen = 1};
    ssize_t rc;

    if (file >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &file, sizeof(int));
    }
    do
        rc = sendmsg(WATCH_FD, &message, 0);
    while (rc < 0 && errno == EINTR);
    return rc > 0;
}

static gboolean tell_client(const char *line)
{
    return !listening || getpid() != runner || send_line(line, -1);
}

void runner_watch_log(void)
{
    int level = 0, file = -1;
    const char *target = seal_log_target(&level, &file);
    g_autofree char *line = g_strdup_printf("L %d %s\n", level, target);

    if (listening && getpid() == runner)
        send_line(line, file);
}

void runner_watch_arm(gint64 usec)
{
    g_autofree char *line = g_strdup_printf("A %" G_GINT64_FORMAT "\n", usec / 1000);

    idle_since = 0;
    tell_client(line);
}

void runner_watch_idle(void)
{
    gint64 now = g_get_monotonic_time();

    if (idle_since && now - idle_since < G_TIME_SPAN_SECOND)
        return;
    runner_watch_arm(IDLE_LIMIT);
    idle_since = now;
}

int runner_watch_end(int status)
{
    g_autofree char *line = g_strdup_printf("E %d\n", status);

    return tell_client(line) ? status : RUNNER_DEFER;
}
