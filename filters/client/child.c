/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/child.h"

#include "filters/client/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCH_FD  3
#define NOT_RUN   127
#define LIMIT_MAX 86400000 /* a day: nothing honest asks for more */
#define ENDS_MAX  255      /* an exit status */

/* What the child may know of our environment. G_DEBUG and its like can make it abort or write. */
static const char *const kept_variables[] = {
    "SEALPIPE_CONF", "SEALPIPE_MODULES", "CREDENTIALS_DIRECTORY", "TZ",
#ifdef SEAL_SANITIZE
    "ASAN_OPTIONS",  "LSAN_OPTIONS",     "UBSAN_OPTIONS",
#endif
};
#define N_KEPT (sizeof kept_variables / sizeof *kept_variables)

typedef struct {
    const SealChildSpec *spec;
    SealChildEnd *end;
    pid_t pid;
    bool running;
    int watch[2];   /* the child's lines */
    int came;       /* a descriptor that came with them, until its line has, or -1 */
    int capture[2]; /* its output, where it is not passed through; a socket for a file */
    int null;
    int signals;
    sigset_t old_mask;
    int64_t due;
    int64_t limit;
    int said;   /* with which status it is going to end; -1: it has not said so */
    bool begun; /* it has armed the timer, or said that it ends */
    char line[sizeof "L 0 journal" - 1];
    size_t line_size;
} Child;

/* Kills whoever is left of the group and reaps the child. Until it is reaped, its process id
 * cannot belong to another. */
static void end_group(Child *child)
{
    siginfo_t info;

    if (!child->running)
        return;
    kill(-child->pid, SIGKILL);
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED) != 0 && errno == EINTR)
        ;
    child->running = false;
}

/* Ends the group, and says why. The first fault counts: what follows is its consequence. */
__attribute__((format(printf, 2, 3))) static void fail_child(Child *child, const char *format, ...)
{
    SealChildEnd *end = child->end;
    va_list args;

    end->status = -1;
    if (!end->reason[0]) {
        va_start(args, format);
        vsnprintf(end->reason, sizeof end->reason, format, args);
        va_end(args);
    }
    end_group(child);
}

/* -------------------------------------------------------------------------------------------
 * In the child, between fork and exec
 */

void seal_child_reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void seal_child_close_above(int last)
{
    if (close_range((unsigned)last + 1, ~0U, 0) == 0)
        return;
    for (long fd = sysconf(_SC_OPEN_MAX); fd > last; fd--)
        close((int)fd);
}

static bool place_fd(int from, int to)
{
    if (from == to)
        return fcntl(to, F_SETFD, 0) == 0;
    return dup2(from, to) == to;
}

static bool place_fds(const Child *child)
{
    /* Ours are all above 2, and the watch goes last: what lay on 3 has been copied by then. */
    const SealChildSpec *spec = child->spec;

    if (!spec->passes && !spec->makes_file && !place_fd(child->null, STDIN_FILENO))
        return false;
    if (!spec->passes && !place_fd(child->capture[1], STDOUT_FILENO))
        return false;
    if (!spec->debug && !place_fd(child->null, STDERR_FILENO))
        return false;
    return place_fd(child->watch[1], WATCH_FD);
}

static void keep_environment(char **environment)
{
    static char path[] = "PATH=/usr/bin:/bin";

    *environment++ = path;
    for (size_t i = 0; i < N_KEPT; i++) {
        size_t size = strlen(kept_variables[i]);

        for (char **entry = environ; entry && *entry; entry++) {
            if (strncmp(*entry, kept_variables[i], size) == 0 && (*entry)[size] == '=') {
                *environment++ = *entry;
                break;
            }
        }
    }
    *environment = NULL;
}

_Noreturn static void become_runner(const Child *child, pid_t parent)
{
    char *environment[N_KEPT + 2];

    setpgid(0, 0);
    /* Exim's time limit kills the client alone. If that was before the prctl, it is seen here. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(NOT_RUN);
    seal_child_reset_signals();
    umask(077);
    if (!place_fds(child))
        _exit(NOT_RUN);
    seal_child_close_above(WATCH_FD);
    keep_environment(environment);
    execve(child->spec->path, child->spec->argv, environment);
    _exit(NOT_RUN);
}

/* -------------------------------------------------------------------------------------------
 * Starting it
 */

void seal_child_fatal_signals(sigset_t *ret)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    sigemptyset(ret);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;

        /* Blocked, an ignored signal would be taken for one that came. */
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(ret, numbers[i]);
    }
}

static bool open_signals(Child *child)
{
    sigset_t mask;

    /* Where the parent ignored SIGCHLD, the kernel would reap the child and its status be lost. */
    signal(SIGCHLD, SIG_DFL);
    seal_child_fatal_signals(&mask);
    sigaddset(&mask, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &mask, &child->old_mask) != 0)
        return false;
    child->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return child->signals >= 0;
}

static bool open_capture(Child *child)
{
    if (child->spec->makes_file)
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, child->capture) == 0;
    return pipe2(child->capture, O_CLOEXEC) == 0;
}

static bool open_fds(Child *child)
{
    if (!open_signals(child) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, child->watch) != 0)
        return false;
    child->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* What stands in it is read when the child has ended, and a stray may hold its other end. */
    if (child->null < 0 || fcntl(child->watch[0], F_SETFL, O_NONBLOCK) != 0)
        return false;
    if (child->spec->passes)
        return true;
    if (!open_capture(child))
        return false;
    /* After the child's end a stray that holds the pipe must not keep us reading. */
    return fcntl(child->capture[0], F_SETFL, O_NONBLOCK) == 0;
}

static bool start_runner(Child *child)
{
    pid_t parent = getpid();

    /* Only for the log: exec has the last word, but its errno would be the child's. */
    if (access(child->spec->path, X_OK) != 0) {
        fail_child(child, "cannot run %s: %s", child->spec->path, strerror(errno));
        return false;
    }
    if (!open_fds(child) || (child->pid = fork()) < 0) {
        fail_child(child, "cannot start the runner: %s", strerror(errno));
        return false;
    }
    if (child->pid == 0)
        become_runner(child, parent);
    /* Here and in the child, so that the group exists whichever of us comes first. */
    setpgid(child->pid, child->pid);
    seal_io_close(&child->watch[1]);
    seal_io_close(&child->capture[1]);
    child->running = true;
    return true;
}

/* -------------------------------------------------------------------------------------------
 * Watching it
 */

static void arm_clock(Child *child, int64_t limit)
{
    child->limit = limit;
    child->due = seal_io_now_ms() + limit;
}

/* The descriptor comes with the octets of its line, but what was sent before may be read together
 * with them. It is said before the message is read: what is told then is the configuration's word.
 */
static bool obey_log(Child *child, const char *text, size_t size)
{
    static const char *const targets[] = {
        [SEAL_CHILD_LOG_SYSLOG] = "syslog",
        [SEAL_CHILD_LOG_JOURNAL] = "journal",
        [SEAL_CHILD_LOG_FILE] = "file",
    };
    SealChildLog *log = &child->end->log;
    uint64_t level;

    if (child->begun || size < 2 || text[1] != ' ' ||
        !seal_io_number(text, 1, 10, SEAL_CHILD_DEBUG, &level))
        return false;
    seal_io_close(&log->file);
    log->target = SEAL_CHILD_LOG_UNKNOWN;
    for (size_t i = SEAL_CHILD_LOG_SYSLOG; i < sizeof targets / sizeof *targets; i++) {
        if (size - 2 == strlen(targets[i]) && memcmp(text + 2, targets[i], size - 2) == 0)
            log->target = i;
    }
    log->level = (SealChildLevel)level;
    if (log->target != SEAL_CHILD_LOG_FILE)
        return log->target != SEAL_CHILD_LOG_UNKNOWN;
    log->file = child->came;
    child->came = -1;
    return log->file >= 0;
}

/* Behind "E" nothing may follow. */
static bool obey_line(Child *child)
{
    size_t size = child->line_size;
    bool ends = child->line[0] == 'E';
    uint64_t number;

    child->line_size = 0;
    if (child->said >= 0 || size < 2 || child->line[1] != ' ')
        return false;
    if (child->line[0] == 'L')
        return obey_log(child, child->line + 2, size - 2);
    if ((!ends && child->line[0] != 'A') || child->came >= 0 ||
        !seal_io_number(child->line + 2, size - 2, 10, ends ? ENDS_MAX : LIMIT_MAX, &number))
        return false;
    child->begun = true;
    if (ends)
        child->said = (int)number;
    else
        arm_clock(child, (int64_t)number);
    return true;
}

static bool obey_lines(Child *child, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            if (!obey_line(child))
                return false;
        } else if (child->line_size < sizeof child->line) {
            child->line[child->line_size++] = bytes[i];
        } else {
            return false;
        }
    }
    return true;
}

/* The descriptors that came with @message: the first is kept in *@file, where there is none yet.
 * FALSE: there were more. */
static bool take_files(struct msghdr *message, int *file)
{
    bool alone = true;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            alone = alone && *file < 0;
            if (*file < 0)
                *file = fd;
            else
                close(fd);
        }
    }
    return alone && !(message->msg_flags & MSG_CTRUNC);
}

/* What there is of the lines, and what came along. */
static ssize_t receive_lines(Child *child, char *bytes, size_t size, bool *fits)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec octets = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &octets,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t got;

    do
        got = recvmsg(child->watch[0], &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *fits = got <= 0 || take_files(&message, &child->came);
    return got;
}

/* FALSE: there is no more of it, at least for now. */
static bool read_watch(Child *child)
{
    char bytes[256];
    bool fits;
    ssize_t size = receive_lines(child, bytes, sizeof bytes, &fits);

    if (size < 0 && errno == EAGAIN)
        return false;
    /* A descriptor that no line has taken is a fault. */
    if (size > 0 && fits && obey_lines(child, bytes, (size_t)size) &&
        (child->came < 0 || child->line_size > 0))
        return true;
    /* Without its lines there is no clock. Nor would it end by our closing the pipe, unless it came
     * to write to it again. */
    if (size < 0)
        fail_child(child, "the runner was killed: its watch cannot be read: %s", strerror(errno));
    else if (size > 0 || child->line_size > 0)
        fail_child(child, "the runner was killed: it wrote a malformed line to its watch");
    /* Its end tells nothing, and the timer stays as it is. */
    seal_io_close(&child->watch[0]);
    return false;
}

/* One octet, and with it one descriptor. */
static void read_file(Child *child)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    char byte;
    struct iovec octets = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &octets,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t size = recvmsg(child->capture[0], &message, MSG_CMSG_CLOEXEC);

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0) {
        seal_io_close(&child->capture[0]);
        return;
    }
    if (child->end->output_size++ > 0 || !take_files(&message, &child->end->file))
        fail_child(child, "the runner handed over more than the one file that is expected");
}

static void read_capture(Child *child)
{
    SealChildEnd *end = child->end;
    char byte;
    ssize_t size;

    while (end->output_size < sizeof end->output) {
        size = read(child->capture[0], end->output + end->output_size,
                    sizeof end->output - end->output_size);
        if (size < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (size <= 0) {
            seal_io_close(&child->capture[0]);
            return;
        }
        end->output_size += (size_t)size;
    }
    if (read(child->capture[0], &byte, 1) > 0)
        fail_child(child, "the runner answered more than %d octets", SEAL_CHILD_OUTPUT_MAX);
}

static void read_output(Child *child)
{
    if (child->spec->makes_file)
        read_file(child);
    else
        read_capture(child);
}

/* The status counts where the runner itself has named it before: not where a module or a library
 * has called exit(). */
static void take_status(Child *child, int status)
{
    while (child->watch[0] >= 0 && read_watch(child))
        ;
    if (child->said == status)
        child->end->status = status;
    else if (child->said >= 0)
        fail_child(child, "the runner ended with status %d, where it was going to end with %d",
                   status, child->said);
    else
        fail_child(
            child,
            "the runner ended with status %d before its work was done: a module or a library "
            "has called exit()",
            status);
}

static void see_end(Child *child)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        fail_child(child, "the runner cannot be waited for: %s", strerror(errno));
        return;
    }
    if (info.si_pid != child->pid)
        return;
    if (info.si_code == CLD_EXITED && info.si_status == NOT_RUN)
        fail_child(child, "%s could not be set up or executed", child->spec->path);
    else if (info.si_code == CLD_EXITED)
        take_status(child, info.si_status);
    else
        fail_child(child, "the runner was ended by signal %d", info.si_status);
    end_group(child);
    if (child->capture[0] >= 0)
        read_output(child);
}

static void read_signals(Child *child)
{
    struct signalfd_siginfo info;

    while (read(child->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            child->end->fatal = (int)info.ssi_signo;
    }
    if (child->end->fatal)
        fail_child(child, "the client was ended by signal %d", child->end->fatal);
    else
        see_end(child);
}

static int time_left(const Child *child)
{
    int64_t left = child->due - seal_io_now_ms();

    return left > 0 ? (int)left : 0;
}

static void watch_runner(Child *child)
{
    while (child->running) {
        struct pollfd fds[] = {
            {.fd = child->watch[0], .events = POLLIN},
            {.fd = child->capture[0], .events = POLLIN},
            {.fd = child->signals, .events = POLLIN},
        };

        if (poll(fds, 3, time_left(child)) < 0) {
            if (errno != EINTR)
                fail_child(child, "the runner cannot be watched: %s", strerror(errno));
            continue;
        }
        if (fds[0].revents)
            read_watch(child);
        if (child->running && fds[1].revents)
            read_output(child);
        if (child->running && fds[2].revents)
            read_signals(child);
        if (child->running && time_left(child) == 0)
            fail_child(child, "the runner was killed: no progress within %lld ms",
                       (long long)child->limit);
    }
}

static void release_child(Child *child)
{
    seal_io_close(&child->watch[0]);
    seal_io_close(&child->watch[1]);
    seal_io_close(&child->came);
    seal_io_close(&child->capture[0]);
    seal_io_close(&child->capture[1]);
    seal_io_close(&child->null);
    if (child->signals >= 0)
        sigprocmask(SIG_SETMASK, &child->old_mask, NULL);
    seal_io_close(&child->signals);
}

void seal_child_run(const SealChildSpec *spec, SealChildEnd *end)
{
    Child child = {
        .spec = spec,
        .end = end,
        .watch = {-1, -1},
        .came = -1,
        .capture = {-1, -1},
        .null = -1,
        .signals = -1,
        .said = -1,
    };

    memset(end, 0, sizeof *end);
    end->status = -1;
    end->file = -1;
    end->log.file = -1;
    arm_clock(&child, SEAL_CHILD_FIRST_LIMIT_MS);
    if (start_runner(&child))
        watch_runner(&child);
    release_child(&child);
    if (end->status != 0)
        seal_io_close(&end->file);
}
