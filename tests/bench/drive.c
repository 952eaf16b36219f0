/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drive.c: what bench.py has commands started by, and mail delivered to. It is small, so that what
 * is measured is what it starts.
 *
 *   drive turns ROUNDS FILE COMMAND [::: COMMAND]...
 *       runs the commands in turn, so that what else the machine does falls on all of them
 *   drive load CLIENTS COUNT FILE COMMAND
 *       runs COUNT of them, CLIENTS at a time
 *   drive sink COUNT [PORT]
 *       an SMTP server that takes COUNT messages and ends
 *
 * FILE is a command's standard input; its standard output is read to the end through a pipe, as
 * mail servers do. One that does not end with 0, or writes nothing, ends all. Lines of the output:
 * "COMMAND NANOSECONDS PEAK" for turns, "NANOSECONDS PEAK" for load, with the peak of memory in
 * KiB; for sink "port NUMBER", then how many nanoseconds went by from the first message's sender to
 * the last one's end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 256 /* commands, clients or connections */

extern char **environ;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* -------------------------------------------------------------------------------------------
 * Commands
 */

typedef struct {
    pid_t pid;
    int output;
    uint64_t octets;
} Run;

static void start_run(Run *run, const char *input, char **command)
{
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    error = posix_spawnp(&run->pid, command[0], &actions, NULL, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        errno = error;
        give_up(command[0]);
    }
    run->output = ends[0];
    run->octets = 0;
}

/* FALSE: that was all of it. */
static bool read_run(Run *run)
{
    static char octets[1 << 18];
    ssize_t got = read(run->output, octets, sizeof octets);

    if (got > 0)
        run->octets += (uint64_t)got;
    return got > 0;
}

/* The peak of its memory, or of its children's, in KiB. */
static long end_run(Run *run, char **command)
{
    struct rusage used;
    int status = 0;

    close(run->output);
    if (wait4(run->pid, &status, 0, &used) != run->pid || status != 0 || run->octets == 0) {
        fprintf(stderr, "drive: %s ended with %d and wrote %llu octets\n", command[0],
                WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
                (unsigned long long)run->octets);
        exit(1);
    }
    run->pid = 0;
    return used.ru_maxrss;
}

static int run_turns(int rounds, const char *input, char **words)
{
    char **commands[MOST];
    int count = 0;

    commands[count++] = words;
    for (; *words; words++) {
        if (strcmp(*words, ":::") != 0)
            continue;
        *words = NULL;
        if (count == MOST)
            return 2;
        commands[count++] = words + 1;
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            int64_t begun = now_ns();
            Run run;
            long peak;

            start_run(&run, input, commands[i]);
            while (read_run(&run))
                ;
            peak = end_run(&run, commands[i]);
            printf("%d %lld %ld\n", i, (long long)(now_ns() - begun), peak);
        }
    }
    return 0;
}

static int run_load(int clients, int count, const char *input, char **command)
{
    Run runs[MOST] = {{0}};
    struct pollfd fds[MOST];
    int64_t begun = now_ns();
    int started = 0, ended = 0;
    long peak = 0;

    if (clients > MOST)
        return 2;
    while (ended < count) {
        for (int i = 0; i < clients; i++) {
            if (!runs[i].pid && started < count) {
                start_run(&runs[i], input, command);
                started++;
            }
            fds[i] = (struct pollfd){.fd = runs[i].pid ? runs[i].output : -1, .events = POLLIN};
        }
        if (poll(fds, (nfds_t)clients, -1) < 0)
            give_up("poll");
        for (int i = 0; i < clients; i++) {
            if (!fds[i].revents || read_run(&runs[i]))
                continue;
            long took = end_run(&runs[i], command);
            peak = took > peak ? took : peak;
            ended++;
        }
    }
    printf("%lld %ld\n", (long long)(now_ns() - begun), peak);
    return 0;
}

/* -------------------------------------------------------------------------------------------
 * The sink
 */

typedef struct {
    char line[1024]; /* its beginning */
    size_t size;
    bool in_data;
} Session;

static Session sessions[MOST];
static int64_t first_begun;
static int taken;

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        return; /* he will find out */
}

/* FALSE: he is done. */
static bool take_line(Session *session, int fd)
{
    const char *line = session->line;

    if (session->in_data) {
        if (strcmp(line, ".\r") != 0)
            return true;
        session->in_data = false;
        taken++;
        say(fd, "250 taken\r\n");
        return true;
    }
    if (first_begun == 0 && strncasecmp(line, "MAIL", 4) == 0)
        first_begun = now_ns();
    session->in_data = strncasecmp(line, "DATA", 4) == 0;
    if (strncasecmp(line, "EHLO", 4) == 0)
        say(fd, "250-sink\r\n250 8BITMIME\r\n");
    else
        say(fd, session->in_data ? "354 go on\r\n" : "250 ok\r\n");
    return strncasecmp(line, "QUIT", 4) != 0;
}

static bool serve(Session *session, int fd)
{
    static char octets[1 << 16];
    ssize_t got = read(fd, octets, sizeof octets);

    for (ssize_t i = 0; i < got; i++) {
        if (octets[i] != '\n') {
            if (session->size + 1 < sizeof session->line)
                session->line[session->size++] = octets[i];
            continue;
        }
        session->line[session->size] = '\0';
        session->size = 0;
        if (!take_line(session, fd))
            return false;
    }
    return got > 0;
}

static int open_sink(int port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    name.sin_port = htons((uint16_t)port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        give_up("a port of 127.0.0.1");
    printf("port %d\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

static int run_sink(int count, int port)
{
    struct pollfd fds[MOST] = {{.fd = open_sink(port), .events = POLLIN}};

    for (int i = 1; i < MOST; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (taken < count) {
        if (poll(fds, MOST, -1) < 0)
            give_up("poll");
        for (int i = 1; i < MOST; i++) {
            if (fds[i].fd < 0 && fds[0].revents) {
                fds[0].revents = 0;
                fds[i].fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);
                sessions[i] = (Session){.size = 0};
                say(fds[i].fd, "220 sink ESMTP\r\n");
            } else if (fds[i].fd >= 0 && fds[i].revents && !serve(&sessions[i], fds[i].fd)) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
    printf("%lld\n", (long long)(now_ns() - first_begun));
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 4 && strcmp(argv[1], "turns") == 0)
        return run_turns(atoi(argv[2]), argv[3], argv + 4);
    if (argc > 5 && strcmp(argv[1], "load") == 0)
        return run_load(atoi(argv[2]), atoi(argv[3]), argv[4], argv + 5);
    if (argc >= 3 && strcmp(argv[1], "sink") == 0)
        return run_sink(atoi(argv[2]), argc > 3 ? atoi(argv[3]) : 0);
    fprintf(stderr, "usage: drive turns|load|sink ...\n");
    return 2;
}
