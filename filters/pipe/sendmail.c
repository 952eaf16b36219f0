/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/pipe/sendmail.h"

#include "filters/client/child.h"
#include "filters/client/io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_RUN 127

typedef struct {
    pid_t pid;
    int process; /* a pidfd */
    int output[2];
    size_t says;
} Run;

/* Between fork and exec. No death signal: half a message must not be the end of what sendmail has
 * begun, and its input is a file that is all there. */
_Noreturn static void become_sendmail(const Run *run, char *const *argv, int input)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char *environment[] = {path, NULL};

    setpgid(0, 0);
    seal_child_reset_signals();
    umask(077);
    /* Ours are all above 2. */
    if (dup2(input, STDIN_FILENO) < 0 || dup2(run->output[1], STDOUT_FILENO) < 0 ||
        dup2(run->output[1], STDERR_FILENO) < 0)
        _exit(NOT_RUN);
    seal_child_close_above(STDERR_FILENO);
    execve(argv[0], argv, environment);
    _exit(NOT_RUN);
}

static bool start_sendmail(Run *run, char *const *argv, int input)
{
    if (pipe2(run->output, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    /* Only our end: sendmail expects one that waits. */
    if (fcntl(run->output[1], F_SETFL, 0) != 0 || (run->pid = fork()) < 0)
        return false;
    if (run->pid == 0)
        become_sendmail(run, argv, input);
    setpgid(run->pid, run->pid);
    seal_io_close(&run->output[1]);
    run->process = pidfd_open(run->pid, 0);
    return true;
}

/* Some lines are kept; the rest is read, so that it does not wait for us. */
static void read_says(Run *run, SealSendmailEnd *end)
{
    char bytes[4096];
    ssize_t size = read(run->output[0], bytes, sizeof bytes);

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0)
        seal_io_close(&run->output[0]);
    for (ssize_t i = 0; i < size && run->says + 1 < sizeof end->says; i++)
        end->says[run->says++] =
            (bytes[i] >= ' ' && bytes[i] < 0x7f) || bytes[i] == '\n' ? bytes[i] : ' ';
}

static bool has_ended(const Run *run)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == run->pid;
}

/* FALSE: its time is up. */
static bool wait_end(Run *run, SealSendmailEnd *end)
{
    const int64_t due = seal_io_now_ms() + SEAL_SENDMAIL_LIMIT_MS;
    int64_t left;

    while ((left = due - seal_io_now_ms()) > 0) {
        struct pollfd fds[] = {
            {.fd = run->process, .events = POLLIN},
            {.fd = run->output[0], .events = POLLIN},
        };

        /* Without a pidfd it is asked after now and then. */
        if (poll(fds, 2, run->process < 0 && left > 50 ? 50 : (int)left) < 0)
            continue;
        if (fds[1].revents)
            read_says(run, end);
        if (has_ended(run)) {
            if (run->output[0] >= 0)
                read_says(run, end);
            return true;
        }
    }
    return false;
}

/* Of Postfix, OpenSMTPD and Exim, and sendmail. Their exit statuses do not tell: Postfix's is 75,
 * as for what waiting mends. */
static bool says_too_big(const char *says)
{
    static const char *const words[] = {"message file too big", "message too big",
                                        "exceeds maximum fixed size",
                                        "exceeds fixed maximum message size"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(says, words[i]))
            return true;
    }
    return false;
}

/* Of @argument the letters alone, small: however it is quoted when it is repeated. */
static bool has_words(const char *argument, const char *words)
{
    /* From each place anew; an address is short. */
    for (const char *from = argument; *from; from++) {
        const char *word = words;

        for (const char *c = from; *c && *word; c++) {
            if (isalpha((unsigned char)*c) && tolower((unsigned char)*c) != *word)
                break;
            word += isalpha((unsigned char)*c) ? 1 : 0;
        }
        if (!*word)
            return true;
    }
    return false;
}

/* Whoever submits a message chooses addresses, which sendmail may repeat whatever has failed. Where
 * one has how the words above end, nothing is believed: to try again is never wrong. */
static bool arguments_say_too_big(char *const *argv)
{
    static const char *const ends[] = {"toobig", "fixedsize", "messagesize"};

    for (size_t i = 1; argv[i]; i++) {
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
            if (has_words(argv[i], ends[k]))
                return true;
        }
    }
    return false;
}

static void reap_sendmail(Run *run, SealSendmailEnd *end, char *const *argv)
{
    const char *program = argv[0];
    int status = 0;
    pid_t pid;

    do
        pid = waitpid(run->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    if (pid != run->pid)
        snprintf(end->why, sizeof end->why, "%s cannot be waited for", program);
    else if (WIFSIGNALED(status))
        snprintf(end->why, sizeof end->why, "%s was ended by signal %d", program, WTERMSIG(status));
    else if (WEXITSTATUS(status) == NOT_RUN)
        snprintf(end->why, sizeof end->why, "%s cannot be run", program);
    else if (WEXITSTATUS(status) != 0) {
        end->too_big = says_too_big(end->says) && !arguments_say_too_big(argv);
        snprintf(end->why, sizeof end->why, "%s ended with status %d", program,
                 WEXITSTATUS(status));
    } else
        end->done = true;
}

/* A sendmail that has become another user cannot be ended by us; then nobody waits for it. */
static void stop_sendmail(Run *run, SealSendmailEnd *end, char *const *argv)
{
    end->left = kill(-run->pid, SIGKILL) != 0;
    if (!end->left)
        reap_sendmail(run, end, argv);
    end->done = false;
    snprintf(end->why, sizeof end->why, "%s did not end within %d s", argv[0],
             SEAL_SENDMAIL_LIMIT_MS / 1000);
}

/* The line that says why. What stands behind it is the message, where Exim is: its copy of what it
 * does not take goes to its standard error, and from here would to the log. */
static void keep_line(SealSendmailEnd *end)
{
    char *line = end->says + strspn(end->says, " \n"), *next;

    while (end->too_big && (next = strchr(line, '\n'))) {
        *next = '\0';
        if (says_too_big(line))
            break;
        line = next + 1;
    }
    size_t size = strcspn(line, "\n");
    while (size > 0 && line[size - 1] == ' ')
        size--;
    memmove(end->says, line, size);
    end->says[size] = '\0';
}

void seal_sendmail_run(char *const *argv, int input, SealSendmailEnd *end)
{
    Run run = {.process = -1, .output = {-1, -1}};

    memset(end, 0, sizeof *end);
    if (!start_sendmail(&run, argv, input))
        snprintf(end->why, sizeof end->why, "cannot start %s: %s", argv[0], strerror(errno));
    else if (wait_end(&run, end))
        reap_sendmail(&run, end, argv);
    else
        stop_sendmail(&run, end, argv);
    keep_line(end);
    seal_io_close(&run.output[0]);
    seal_io_close(&run.output[1]);
    seal_io_close(&run.process);
}
