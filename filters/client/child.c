/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/child.h"

#include "filters/client/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXCHANGE_FD 3
#define NOT_RUN     127
#define WHO         "the runner"

/* What the child may know of our environment. G_DEBUG and its like can make it abort or write. */
static const char *const kept_variables[] = {
    "SEALPIPE_CONF", "SEALPIPE_MODULES", "CREDENTIALS_DIRECTORY", "TZ",
#ifdef SEAL_SANITIZE
    "ASAN_OPTIONS",  "LSAN_OPTIONS",     "UBSAN_OPTIONS",
#endif
};
#define N_KEPT (sizeof kept_variables / sizeof *kept_variables)

typedef struct {
    const char *path;
    char *argv[4];
    bool debug;
    SealAnswer *answer;
    pid_t pid;
    bool running;
    int exchange[2];
    int null;
    int signals;
    sigset_t old_mask;
    int fatal;
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

/* Ours are all above 2, and the exchange goes last: what lay on 3 has been copied by then. */
static bool place_fds(const Child *child)
{
    return place_fd(child->null, STDIN_FILENO) && place_fd(child->null, STDOUT_FILENO) &&
           (child->debug || place_fd(child->null, STDERR_FILENO)) &&
           place_fd(child->exchange[1], EXCHANGE_FD);
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

_Noreturn static void become_runner(Child *child, pid_t parent)
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
    seal_child_close_above(EXCHANGE_FD);
    keep_environment(environment);
    execve(child->path, child->argv, environment);
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

static bool open_fds(Child *child)
{
    if (!open_signals(child) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, child->exchange) != 0)
        return false;
    child->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* What stands in it is read when the child has ended, and a stray may hold its other end. */
    return child->null >= 0 && fcntl(child->exchange[0], F_SETFL, O_NONBLOCK) == 0;
}

static bool start_runner(Child *child, const SealRequest *request)
{
    pid_t parent = getpid();

    /* Only for the log: exec has the last word, but its errno would be the child's. */
    if (access(child->path, X_OK) != 0) {
        seal_answer_fail(child->answer, "cannot run %s: %s", child->path, strerror(errno));
        return false;
    }
    if (!open_fds(child) || !seal_request_send(child->exchange[0], request) ||
        (child->pid = fork()) < 0) {
        seal_answer_fail(child->answer, "cannot start the runner: %s", strerror(errno));
        return false;
    }
    if (child->pid == 0)
        become_runner(child, parent);
    /* Here and in the child, so that the group exists whichever of us comes first. */
    setpgid(child->pid, child->pid);
    seal_io_close(&child->exchange[1]);
    child->running = true;
    return true;
}

/* -------------------------------------------------------------------------------------------
 * Watching it
 */

/* All that it has said so far. Its end of the socket tells nothing: the timer stays as it is. */
static void read_answer(Child *child)
{
    bool ended = false;

    while (child->exchange[0] >= 0 &&
           seal_answer_read(child->answer, child->exchange[0], WHO, &ended))
        ;
    if (ended || child->answer->fault[0])
        seal_io_close(&child->exchange[0]);
}

/* The status counts where the runner itself has named it before: not where a module or a library
 * has called exit(). */
static void take_status(const Child *child, int status)
{
    SealAnswer *answer = child->answer;

    if (answer->status < 0)
        seal_answer_fail(
            answer,
            WHO " ended with status %d before its work was done: a module or a library has called "
                "exit()",
            status);
    else if (answer->status != status)
        seal_answer_fail(answer, WHO " ended with status %d, where it was going to end with %d",
                         status, answer->status);
}

static void see_end(Child *child)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        seal_answer_fail(child->answer, WHO " cannot be waited for: %s", strerror(errno));
        return;
    }
    if (info.si_pid != child->pid)
        return;
    read_answer(child);
    if (info.si_code == CLD_EXITED && info.si_status == NOT_RUN && child->answer->status < 0)
        seal_answer_fail(child->answer, "%s could not be set up or executed", child->path);
    else if (info.si_code == CLD_EXITED)
        take_status(child, info.si_status);
    else
        seal_answer_fail(child->answer, WHO " was ended by signal %d", info.si_status);
    end_group(child);
}

static void read_signals(Child *child)
{
    struct signalfd_siginfo info;

    while (read(child->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            child->fatal = (int)info.ssi_signo;
    }
    if (child->fatal)
        seal_answer_fail(child->answer, "the client was ended by signal %d", child->fatal);
    else
        see_end(child);
}

static void watch_runner(Child *child)
{
    SealAnswer *answer = child->answer;

    while (child->running && !answer->fault[0]) {
        struct pollfd fds[] = {
            {.fd = child->exchange[0], .events = POLLIN},
            {.fd = child->signals, .events = POLLIN},
        };

        if (poll(fds, 2, seal_answer_time_left(answer)) < 0) {
            if (errno != EINTR)
                seal_answer_fail(answer, WHO " cannot be watched: %s", strerror(errno));
            continue;
        }
        if (fds[0].revents)
            read_answer(child);
        if (!answer->fault[0] && fds[1].revents)
            read_signals(child);
        if (child->running && seal_answer_time_left(answer) == 0)
            seal_answer_fail(answer, WHO " was killed: no progress within %lld ms",
                             (long long)answer->limit);
    }
    end_group(child);
}

static void release_child(Child *child)
{
    seal_io_close(&child->exchange[0]);
    seal_io_close(&child->exchange[1]);
    seal_io_close(&child->null);
    if (child->signals >= 0)
        sigprocmask(SIG_SETMASK, &child->old_mask, NULL);
    seal_io_close(&child->signals);
}

int seal_child_run(const char *path, const char *conf_dir, bool debug, const SealRequest *request,
                   SealAnswer *answer)
{
    static char name[] = "sealpipe-run";
    Child child = {
        .path = path,
        .argv = {name, (char *)request->mode, (char *)conf_dir, NULL},
        .debug = debug,
        .answer = answer,
        .exchange = {-1, -1},
        .null = -1,
        .signals = -1,
    };

    if (start_runner(&child, request))
        watch_runner(&child);
    release_child(&child);
    return child.fatal;
}
