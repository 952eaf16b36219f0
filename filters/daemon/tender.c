/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/tender.h"

#include "filters/client/exchange.h"
#include "filters/daemon/daemon.h"
#include "filters/daemon/keeper.h"
#include "filters/daemon/sandbox.h"
#include "filters/daemon/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "keys"

/* -------------------------------------------------------------------------------------------
 * Those who tend
 */

static int say_problem(int control, const GError *error)
{
    g_autofree char *text = g_strdup_printf("E %s", error->message);

    seal_record_send(control, text, MIN(strlen(text), SEAL_EXCHANGE_TEXT_MAX), -1);
    return 1;
}

static void say_ready(gpointer control)
{
    seal_record_send(GPOINTER_TO_INT(control), "R", 1, -1);
}

static int tend_to_one(SealTender *tender, guint which, int control)
{
    g_autoptr(GError) error = NULL;

    if (seal_tender_run(tender, which, control, say_ready, GINT_TO_POINTER(control), &error))
        return 0;
    seal_log_warning("%s", error->message);
    return say_problem(control, error);
}

/* They end with whoever has forked them. */
static gboolean start_all(SealTender *tender, int control)
{
    const pid_t parent = getpid();

    for (guint i = 0; i < seal_tender_count(tender); i++) {
        pid_t pid = fork();

        if (pid < 0)
            return FALSE;
        if (pid > 0)
            continue;
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
            _exit(1);
        _exit(tend_to_one(tender, i, control));
    }
    return TRUE;
}

static gboolean say_folder(SealTender *tender, const char *parent, int control, GError **error)
{
    const char *path = seal_tender_make_folder(tender, parent, error);
    g_autofree char *text =
        path ? g_strdup_printf("T %u %s", seal_tender_count(tender), path) : NULL;
    int folder = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

    if (folder < 0)
        return FALSE;
    gboolean said = seal_record_send(control, text, strlen(text), folder);
    close(folder);
    return said;
}

static int run_tender(const SealDaemonSettings *settings, const char *parent, int control)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealTender) tender = seal_tender_open(settings->conf_dir, NULL, &error);

    umask(022);
    if (!tender)
        return say_problem(control, error);
    if (seal_tender_count(tender) == 0)
        return seal_record_send(control, "T 0 ", 4, -1) ? 0 : 1;
    if (!daemon_become_keys_user(settings->keys_user, &error) ||
        !daemon_sandbox_enter_tender(settings, &error) ||
        !say_folder(tender, parent, control, &error))
        return error ? say_problem(control, error) : 1;
    if (!start_all(tender, control))
        return 1;
    wait(NULL);
    return 0;
}

G_GNUC_NORETURN static void become_tender(const SealDaemonSettings *settings, const char *parent,
                                          int control)
{
    prctl(PR_SET_NAME, "sealpiped-tend");
    daemon_signals_reset();
    close(DAEMON_CONTROL_FD);
    close(DAEMON_LISTEN_FD);
    _exit(run_tender(settings, parent, control));
}

/* -------------------------------------------------------------------------------------------
 * The generation's end
 */

/* In the folder of root's and the socket's, where nobody else can put anything. */
static char *make_parent(const SealDaemonSettings *settings, uid_t uid, GError **error)
{
    g_autofree char *path = g_build_filename(settings->run_dir, FOLDER, NULL);

    if ((mkdir(path, 0700) == 0 || errno == EEXIST) && chmod(path, 0711) == 0 &&
        lchown(path, uid, (gid_t)-1) == 0)
        return g_steal_pointer(&path);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return NULL;
}

static gboolean fail_tender(const char *text, gssize size, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s",
                size > 2 && text[0] == 'E'
                    ? text + 2
                    : "the process that tends to the private keys has ended");
    return FALSE;
}

/* Has it let the service's user through, which the keys' user cannot: he is not in that group. */
static gboolean open_folder(int folder, uid_t uid, guint group)
{
    struct stat st;

    return fstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid &&
           fchown(folder, (uid_t)-1, (gid_t)group) == 0;
}

/* A record, with an end behind it. */
static gssize hear_record(const DaemonTender *self, char *text, gsize room, int *folder)
{
    ssize_t size = seal_record_receive(self->control, text, room - 1, folder, folder ? 1 : 0);

    text[CLAMP(size, 0, (ssize_t)room - 1)] = '\0';
    return size;
}

/* *@count: of those who tend. */
static gboolean hear_folder(DaemonTender *self, uid_t uid, guint group, gulong *count,
                            GError **error)
{
    char text[SEAL_EXCHANGE_TEXT_MAX + 1];
    int folder = -1;
    gssize size = hear_record(self, text, sizeof text, &folder);
    char *rest = NULL;

    if (size < 4 || text[0] != 'T')
        return fail_tender(text, size, error);
    *count = strtoul(text + 2, &rest, 10);
    if (*count == 0)
        return TRUE;
    self->folder = g_strdup(rest + 1);
    gboolean opened = open_folder(folder, uid, group);
    if (!opened)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", self->folder,
                    g_strerror(errno));
    if (folder >= 0)
        close(folder);
    return opened;
}

static gboolean hear_ready(DaemonTender *self, uid_t uid, guint group, GError **error)
{
    char text[SEAL_EXCHANGE_TEXT_MAX + 1];
    gulong count = 0;

    if (!hear_folder(self, uid, group, &count, error))
        return FALSE;
    if (count == 0)
        daemon_tender_clear(self);
    for (; count > 0; count--) {
        gssize size = hear_record(self, text, sizeof text, NULL);

        if (size != 1 || text[0] != 'R')
            return fail_tender(text, size, error);
    }
    return TRUE;
}

gboolean daemon_tender_start(DaemonTender *self, const SealDaemonSettings *settings, GError **error)
{
    g_autofree char *parent = NULL;
    int pair[2];
    uid_t uid;
    pid_t pid;

    if (geteuid() != 0)
        return TRUE;
    if (!daemon_find_keys_user(settings->keys_user, &uid, error) ||
        !(parent = make_parent(settings, uid, error)))
        return FALSE;
    if (!daemon_pair(pair) || (pid = fork()) < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "no process can be started: %s",
                    g_strerror(errno));
        return FALSE;
    }
    if (pid == 0) {
        close(pair[0]);
        become_tender(settings, parent, pair[1]);
    }
    close(pair[1]);
    self->control = pair[0];
    return hear_ready(self, uid, settings->group, error);
}

void daemon_tender_clear(DaemonTender *self)
{
    if (self->control >= 0)
        close(self->control);
    self->control = -1;
    g_clear_pointer(&self->folder, g_free);
}
