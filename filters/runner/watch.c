/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.c: the runner's side of the watch pipe. The client holds the clock, since it is outside the
 * process group that may have to be ended.
 */
#include "filters/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
    listening = fstat(WATCH_FD, &st) == 0 ? S_ISFIFO(st.st_mode) : errno != EBADF;
    if (listening)
        fcntl(WATCH_FD, F_SETFD, FD_CLOEXEC);
}

static gboolean tell_client(const char *line)
{
    ssize_t rc;

    if (!listening || getpid() != runner)
        return TRUE;
    do
        rc = write(WATCH_FD, line, strlen(line));
    while (rc < 0 && errno == EINTR);
    return rc > 0;
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
