/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/signals.h"

#include <errno.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_RECORD = DAEMON_TEXT_MAX + 3 };

int daemon_signals_open(const int *numbers)
{
    sigset_t mask;

    sigemptyset(&mask);
    for (; *numbers; numbers++)
        sigaddset(&mask, *numbers);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0)
        return -1;
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int daemon_signals_next(int fd)
{
    struct signalfd_siginfo info;

    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

void daemon_signals_reset(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

gboolean daemon_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
}

gboolean daemon_say_text(int socket, char letter, const char *text)
{
    char record[MAX_RECORD];
    int size = snprintf(record, sizeof record, "%c %.*s", letter, DAEMON_TEXT_MAX, text);
    ssize_t sent;

    do
        sent = send(socket, record, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent == size;
}

gboolean daemon_say(int socket, char letter, gint64 number)
{
    char text[32];

    snprintf(text, sizeof text, "%" G_GINT64_FORMAT, number);
    return daemon_say_text(socket, letter, text);
}

static ssize_t receive_record(int socket, struct msghdr *record)
{
    ssize_t got;

    do
        got = recvmsg(socket, record, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

int daemon_hear_text(int socket, char *text, gsize size)
{
    char head[2];
    struct iovec parts[] = {{head, sizeof head}, {text, size - 1}};
    struct msghdr record = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};
    ssize_t got = receive_record(socket, &record);

    /* The last record may have come just before the end was seen; see seal_record_receive(). */
    if (got == 0)
        got = receive_record(socket, &record);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        return -1;
    text[MAX(got - (ssize_t)sizeof head, 0)] = '\0';
    return head[0];
}

int daemon_hear(int socket, gint64 *number)
{
    char text[32];
    int letter = daemon_hear_text(socket, text, sizeof text);

    *number = letter > 0 ? g_ascii_strtoll(text, NULL, 10) : 0;
    return letter;
}
