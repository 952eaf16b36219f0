/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status-daemon.c: asks the daemon what it does: see filters/daemon/status.h.
 */
#include "filters/client/daemon.h"
#include "filters/ctl/status.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 3000 };

/* Always -1. */
static int fail_asking(int fd, char **why, const char *path, const char *what)
{
    *why = g_strdup_printf("%s: %s", path, what);
    if (fd >= 0)
        close(fd);
    return -1;
}

static const char *say_fault(int number)
{
    if (number == ENOENT || number == ECONNREFUSED)
        return "no daemon answers here";
    if (number == EACCES)
        return "only root, and who [daemon] socket_mode lets connect, may ask the daemon";
    return number == EAGAIN ? "the daemon has been asked too often, and has not answered yet"
                            : g_strerror(number);
}

static gboolean is_believed(int fd, guint service)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof peer &&
           (peer.uid == 0 || peer.uid == geteuid() || peer.uid == service);
}

static int connect_daemon(const char *path, guint service, char **why)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (g_strlcpy(name.sun_path, path, sizeof name.sun_path) >= sizeof name.sun_path)
        return fail_asking(fd, why, path, "the path is too long for a socket");
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) != 0)
        return fail_asking(fd, why, path, say_fault(errno));
    if (!is_believed(fd, service))
        return fail_asking(fd, why, path, "it belongs to neither root nor the service's user");
    return fd;
}

/* The one record; what is no answer of that type, or too large, is none. */
static GVariant *read_answer(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    g_autofree guint8 *octets = g_malloc(SEAL_STATUS_MAX);
    ssize_t size = poll(&ready, 1, PATIENCE_MS) > 0
                       ? recv(fd, octets, SEAL_STATUS_MAX, MSG_DONTWAIT | MSG_TRUNC)
                       : -1;

    if (size <= 0 || size > SEAL_STATUS_MAX)
        return NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(octets, (gsize)size);
    g_autoptr(GVariant) answer =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
    return g_variant_is_normal_form(answer) ? g_steal_pointer(&answer) : NULL;
}

GVariant *ctl_daemon_ask(const char *run_dir, guint service, char **why)
{
    g_autofree char *path = g_build_filename(run_dir, SEAL_STATUS_SOCKET, NULL);
    int fd = connect_daemon(path, service, why);

    if (fd < 0)
        return NULL;
    GVariant *answer = read_answer(fd);
    if (answer)
        close(fd);
    else
        fail_asking(fd, why, path, "the daemon gives no answer that can be read");
    return answer;
}
