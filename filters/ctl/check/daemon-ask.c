/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon-ask.c: asks the daemon as a client does, about a configuration that is nobody's: a worker
 * says so, and has done nothing.
 */
#include "filters/client/exchange.h"
#include "filters/ctl/check/daemon.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, PAUSE_US = 20000 };

static gint64 time_left(gint64 until)
{
    return MAX(until - g_get_monotonic_time() / 1000, 0);
}

static DaemonState connect_socket(int fd, const char *path, gint64 until)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof name.sun_path)
        return DAEMON_ABSENT;
    memcpy(name.sun_path, path, strlen(path));
    while (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED)
            return DAEMON_ABSENT;
        if (errno != EAGAIN && errno != EINTR)
            return DAEMON_CLOSED;
        if (time_left(until) == 0)
            return DAEMON_FULL;
        g_usleep(PAUSE_US);
    }
    return DAEMON_ANSWERS;
}

static gboolean find_listener(int fd, pid_t *listener, uid_t *user)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return FALSE;
    *listener = peer.pid;
    *user = peer.uid;
    return TRUE;
}

/* A request has words at the least. */
static gboolean send_nothing(int fd)
{
    SealRequest request = SEAL_REQUEST_NONE;

    g_strlcpy(request.mode, "check", sizeof request.mode);
    request.files[SEAL_REQUEST_WORDS] = memfd_create("words", MFD_CLOEXEC);
    gboolean sent = request.files[SEAL_REQUEST_WORDS] >= 0 && seal_request_send(fd, &request);
    seal_request_clear(&request);
    return sent;
}

static DaemonState await_word(int fd, gint64 until)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char letter;
    int found, file;

    while ((found = poll(&ready, 1, (int)time_left(until))) < 0 && errno == EINTR)
        ;
    if (found <= 0)
        return DAEMON_SILENT;
    gboolean said = seal_record_receive(fd, &letter, 1, &file, 1) > 0;
    if (file >= 0)
        close(file);
    return said ? DAEMON_ANSWERS : DAEMON_LEAVES;
}

DaemonState daemon_ask(const char *path, pid_t *listener, uid_t *user)
{
    gint64 until = g_get_monotonic_time() / 1000 + PATIENCE_MS;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    DaemonState state = fd < 0 ? DAEMON_CLOSED : connect_socket(fd, path, until);

    if (state == DAEMON_ANSWERS && !find_listener(fd, listener, user))
        state = DAEMON_CLOSED;
    if (state == DAEMON_ANSWERS)
        state = send_nothing(fd) ? await_word(fd, until) : DAEMON_LEAVES;
    int problem = errno;
    if (fd >= 0)
        close(fd);
    errno = problem;
    return state;
}
