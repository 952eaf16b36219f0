/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ask.c: what another program says, within a time and a size.
 */
#include "filters/ctl/check/wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE = 20, /* seconds */
    MAX_ANSWER = 4 * 1024 * 1024,
    NOT_RUN = 127,
};

typedef struct {
    const char *const *argv;
    int null;
    int answer;
    int complaint;
} Question;

static void question_close(Question *question)
{
    const int fds[] = {question->null, question->answer, question->complaint};

    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Question, question_close)

_Noreturn static void become_program(const Question *question, pid_t parent)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                              NULL};
    const struct rlimit size = {MAX_ANSWER, MAX_ANSWER};
    sigset_t none;

    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(NOT_RUN);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(question->null, STDIN_FILENO) < 0 || dup2(question->answer, STDOUT_FILENO) < 0 ||
        dup2(question->complaint, STDERR_FILENO) < 0 || chdir("/") != 0 ||
        setrlimit(RLIMIT_FSIZE, &size) != 0)
        _exit(NOT_RUN);
    execve(question->argv[0], (char *const *)question->argv, (char *const *)environment);
    _exit(NOT_RUN);
}

/* FALSE where it had to be ended. */
static gboolean wait_for_end(pid_t child, int *how)
{
    struct pollfd end = {.fd = pidfd_open(child, 0), .events = POLLIN};
    gint64 until = g_get_monotonic_time() + PATIENCE * G_USEC_PER_SEC;
    int found = -1;

    while (end.fd >= 0) {
        gint64 left = MAX((until - g_get_monotonic_time()) / 1000, 0);

        if ((found = poll(&end, 1, (int)left)) >= 0 || errno != EINTR)
            break;
    }
    /* What it has started ends with it. */
    kill(-child, SIGKILL);
    while (waitpid(child, how, 0) < 0 && errno == EINTR)
        ;
    if (end.fd >= 0)
        close(end.fd);
    return found > 0;
}

/* (transfer full) */
static char *read_all(int fd)
{
    char *text = g_malloc0(MAX_ANSWER + 1);
    gssize size = pread(fd, text, MAX_ANSWER, 0);

    text[MAX(size, 0)] = '\0';
    return text;
}

/* What it has complained of, in one line. */
static char *read_complaint(int fd)
{
    char *text = read_all(fd);

    text[MIN(strlen(text), 500)] = '\0';
    return g_strstrip(g_strdelimit(text, "\n", ' '));
}

static gboolean run_question(Question *question, GError **error)
{
    const char *program = question->argv[0];
    pid_t parent = getpid(), child;
    int how = 0;

    if (question->null < 0 || question->answer < 0 || question->complaint < 0 ||
        (child = fork()) < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "cannot run %s: %s", program,
                    g_strerror(errno));
        return FALSE;
    }
    if (child == 0)
        become_program(question, parent);
    setpgid(child, child);
    gboolean ended = wait_for_end(child, &how);
    if (ended && WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return TRUE;
    g_autofree char *complaint = read_complaint(question->complaint);
    if (ended)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s fails: %s", program, complaint);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_DEADLINE, "%s does not answer within %d s",
                    program, PATIENCE);
    return FALSE;
}

char *wiring_ask(const char *const *argv, GError **error)
{
    g_auto(Question) question = {
        .argv = argv,
        .null = open("/dev/null", O_RDONLY | O_CLOEXEC),
        .answer = memfd_create("answer", MFD_CLOEXEC),
        .complaint = memfd_create("complaint", MFD_CLOEXEC),
    };

    return run_question(&question, error) ? read_all(question.answer) : NULL;
}
