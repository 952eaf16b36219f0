/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * guard.c: the work is done in a child, since whatever a module loads can call exit(): without the
 * child's word that it was done, an exit status of 0 would say that all is well.
 */
#include "filters/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void do_work(CtlWork *work, const CtlOptions *options, int word, pid_t parent)
{
    guint8 status;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(CTL_PROBLEM);
    status = (guint8)work(options);
    exit(seal_fd_write(word, &status, 1) ? status : CTL_PROBLEM);
}

static int judge_end(int how, int word)
{
    guint8 said;
    gboolean done = read(word, &said, 1) == 1;

    if (WIFEXITED(how) && done && WEXITSTATUS(how) == said)
        return said;
    if (WIFEXITED(how))
        fprintf(stderr,
                "sealctl: ended with status %d before its work was done: a module or a library has "
                "called exit()\n",
                WEXITSTATUS(how));
    else
        fprintf(stderr, "sealctl: the work was ended by signal %d\n", WTERMSIG(how));
    return CTL_PROBLEM;
}

int ctl_guard(CtlWork *work, const CtlOptions *options)
{
    pid_t parent = getpid(), child;
    int word[2], how = 0;

    fflush(NULL);
    if (pipe2(word, O_CLOEXEC | O_NONBLOCK) != 0 || (child = fork()) < 0) {
        perror("sealctl: cannot start its work");
        return CTL_PROBLEM;
    }
    if (child == 0)
        do_work(work, options, word[1], parent);
    while (waitpid(child, &how, 0) < 0) {
        if (errno != EINTR)
            return CTL_PROBLEM;
    }
    return judge_end(how, word[0]);
}
