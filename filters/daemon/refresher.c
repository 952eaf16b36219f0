/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/refresher.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    LEAST_PAUSE_MS = 1000,
    MOST_PAUSE_MS = 300000,
    MOST_WAIT =
        3600, /* seconds; by then the clock may have been set, and the log have turned over */
};

void daemon_refresher_prepare(DaemonRefresher *self, const DaemonShop *shop)
{
    *self = (DaemonRefresher){.again = shop->refreshes ? 0 : G_MAXINT64};
}

/* What stays as it is is not said every time. */
static void log_problem(const GError *problem)
{
    static char *last;
    static gint64 said;
    gint64 now = g_get_monotonic_time() / G_USEC_PER_SEC;

    if (g_strcmp0(last, problem->message) == 0 && now < said + MOST_WAIT)
        return;
    g_free(last);
    last = g_strdup(problem->message);
    said = now;
    seal_log_warning("%s", problem->message);
}

static gint64 refresh_once(SealDispatcher *dispatcher)
{
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) problem = NULL;
    gint64 next = 0;

    if (!seal_dispatcher_refresh(dispatcher, FALSE, out, &next, &problem))
        log_problem(problem);
    return next;
}

int daemon_refresher_run(const DaemonShop *shop)
{
    g_autoptr(GError) error = NULL;
    gint64 next;

    if (!daemon_sandbox_enter_refresher(shop->sandbox, seal_service_state_dir(shop->service),
                                        &error) ||
        !seal_dispatcher_attach(shop->dispatcher, &error)) {
        seal_log_error(NULL, NULL, NULL, error);
        return 1;
    }
    while ((next = refresh_once(shop->dispatcher)) != G_MAXINT64) {
        gint64 wait = next - g_get_real_time() / G_USEC_PER_SEC;
        poll(NULL, 0, (int)CLAMP(wait, 1, MOST_WAIT) * 1000);
    }
    return 0;
}

static void note_end(DaemonRefresher *self, const siginfo_t *info, gint64 now)
{
    self->pid = 0;
    if (info->si_code == CLD_EXITED && info->si_status == 0) {
        self->again = G_MAXINT64;
        return;
    }
    self->pause = CLAMP(self->pause * 2, LEAST_PAUSE_MS, MOST_PAUSE_MS);
    self->again = now + self->pause;
    seal_log_warning("the process that fetches revocation lists was ended by %s %d; another one "
                     "takes its place",
                     info->si_code == CLD_EXITED ? "itself, with status" : "signal",
                     info->si_status);
}

void daemon_refresher_reap(DaemonRefresher *self, gint64 now)
{
    siginfo_t info = {0};

    if (self->pid && waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
        note_end(self, &info, now);
}

void daemon_refresher_end(DaemonRefresher *self)
{
    if (self->pid)
        kill(self->pid, SIGKILL);
    self->again = G_MAXINT64;
}
