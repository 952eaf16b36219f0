/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

int daemon_notify_socket(void)
{
    const char *pid = g_getenv("LISTEN_PID");
    const char *count = g_getenv("LISTEN_FDS");
    guint64 number = 0;
    gboolean ours = pid && count &&
                    g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT, &number, NULL) &&
                    (pid_t)number == getpid() && g_str_equal(count, "1");

    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return ours ? FIRST_FD : -1;
}

void daemon_notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    gsize length = path ? strlen(path) : 0;

    if (length < 2 || length >= sizeof name.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(name.sun_path, path, length);
    if (*path == '@')
        name.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}
