/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/daemon.h"

#include "filters/client/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WHO "the daemon's worker"

/* -------------------------------------------------------------------------------------------
 * The socket
 */

static bool name_socket(const SealClientConf *conf, struct sockaddr_un *name)
{
    int size;

    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    size = snprintf(name->sun_path, sizeof name->sun_path, "%s/" SEAL_DAEMON_SOCKET, conf->run_dir);
    return conf->inode != 0 && size > 0 && (size_t)size < sizeof name->sun_path;
}

/* Between two tries, a little longer each time. */
static void wait_turn(unsigned tries)
{
    const struct timespec pause = {.tv_nsec = 1000000L * (tries < 50 ? tries + 1 : 50)};

    nanosleep(&pause, NULL);
}

/* Whoever listens is root, or who runs this: another one's socket might stand there. */
static bool is_ours(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof peer &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* connect() would wait for room in the queue for as long as it takes; without blocking it says so.
 * -1: there is no daemon, or a fault. */
static int connect_daemon(const SealClientConf *conf, SealAnswer *answer)
{
    struct sockaddr_un name;
    int fd;

    if (!name_socket(conf, &name))
        return -1;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    for (unsigned tries = 0; connect(fd, (const struct sockaddr *)&name, sizeof name) != 0;) {
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN && seal_answer_time_left(answer) > 0) {
            wait_turn(tries++);
            continue;
        }
        if (errno == EAGAIN)
            seal_answer_fail(answer, "the daemon has had no room in its queue for %lld ms",
                             (long long)answer->limit);
        else if (errno != ENOENT && errno != ENOTDIR && errno != ECONNREFUSED)
            seal_answer_fail(answer, "cannot connect to the daemon at %s: %s", name.sun_path,
                             strerror(errno));
        seal_io_close(&fd);
        return -1;
    }
    if (is_ours(fd))
        return fd;
    seal_answer_fail(answer, "%s belongs to neither root nor the user that runs this",
                     name.sun_path);
    seal_io_close(&fd);
    return -1;
}

/* -------------------------------------------------------------------------------------------
 * The exchange
 */

static void read_answer(SealAnswer *answer, int socket)
{
    bool ended = false;

    while (seal_answer_read(answer, socket, WHO, &ended))
        ;
    if (ended && answer->status < 0 && !answer->refused)
        seal_answer_fail(answer, WHO " ended before its work was done");
}

static void await_answer(SealAnswer *answer, int socket)
{
    while (answer->status < 0 && !answer->refused && !answer->fault[0]) {
        struct pollfd ready = {.fd = socket, .events = POLLIN};
        int count = poll(&ready, 1, seal_answer_time_left(answer));

        if (count > 0)
            read_answer(answer, socket);
        else if (count == 0)
            seal_answer_fail(answer, WHO " made no progress within %lld ms",
                             (long long)answer->limit);
        else if (errno != EINTR)
            seal_answer_fail(answer, WHO " cannot be listened to: %s", strerror(errno));
    }
}

/* Of the descriptors that are on their way and belong to one user, the kernel bounds the number. */
static bool send_request(int socket, const SealRequest *request, const SealAnswer *answer)
{
    for (unsigned tries = 0; !seal_request_send(socket, request);) {
        if (errno != ETOOMANYREFS || seal_answer_time_left(answer) <= 0)
            return false;
        wait_turn(tries++);
    }
    return true;
}

bool seal_daemon_run(const SealClientConf *conf, const SealRequest *request, SealAnswer *answer)
{
    int socket;

    seal_answer_begin(answer, (int64_t)conf->deadline * 1000);
    socket = connect_daemon(conf, answer);
    if (socket < 0)
        return answer->fault[0] != '\0';
    if (!send_request(socket, request, answer))
        seal_answer_fail(answer, "cannot hand the message to the daemon: %s", strerror(errno));
    await_answer(answer, socket);
    seal_io_close(&socket);
    if (!answer->refused || answer->fault[0])
        return true;
    seal_answer_clear(answer);
    return false;
}
