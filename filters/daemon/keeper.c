/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/keeper.h"

#include "filters/client/exchange.h"
#include "filters/daemon/daemon.h"
#include "filters/daemon/sandbox.h"
#include "filters/daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };

/* -------------------------------------------------------------------------------------------
 * The keeper
 */

static int say_problem(int control, const GError *error)
{
    g_autofree char *text = g_strdup_printf("E %s", error->message);

    seal_record_send(control, text, MIN(strlen(text), SEAL_EXCHANGE_TEXT_MAX), -1);
    return 1;
}

typedef struct {
    const SealDaemonSettings *settings;
    SealKeeper *keys;
    int control;
    int signals;
} Keeper;

static void start_server(const Keeper *self, int socket)
{
    if (fork() != 0)
        return;
    close(self->control);
    close(self->signals);
    if (!daemon_sandbox_enter_server(self->settings))
        _exit(1);
    seal_keeper_serve(self->keys, socket);
    _exit(0);
}

/* One that made a system call that is not for it is ended by the kernel: somebody is to hear of it,
 * and not from here, where there is no log any more. */
static void reap_servers(const Keeper *self)
{
    int status;

    while (daemon_signals_next(self->signals))
        ;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        if (WIFSIGNALED(status))
            daemon_say(self->control, 'K', WTERMSIG(status));
    }
}

/* FALSE: the generation has ended. */
static gboolean take_socket(const Keeper *self)
{
    char letter;
    int socket;

    if (seal_record_receive(self->control, &letter, 1, &socket, 1) != 1)
        return FALSE;
    if (socket >= 0) {
        start_server(self, socket);
        close(socket);
    }
    return TRUE;
}

/* Says so of each state that they come to be in. */
static void look_at_files(const Keeper *self, guint64 *told)
{
    guint64 sum = 0;
    gboolean changed = seal_keeper_look(self->keys, &sum);

    sum = changed ? MAX(sum >> 1, 1) : 0;
    if (sum != *told && daemon_say(self->control, 'C', (gint64)sum))
        *told = sum;
}

static void serve_generation(const Keeper *self)
{
    struct pollfd fds[] = {
        {.fd = self->control, .events = POLLIN},
        {.fd = self->signals, .events = POLLIN},
    };
    guint64 told = 0;

    for (;;) {
        if (poll(fds, 2, LOOK_MS) == 0)
            look_at_files(self, &told);
        if (fds[1].revents)
            reap_servers(self);
        if (fds[0].revents && !take_socket(self))
            return;
    }
}

gboolean daemon_find_keys_user(const char *name, uid_t *uid, GError **error)
{
    const struct passwd *entry = getpwnam(name);

    if (!entry) {
        g_set_error(
            error, SEAL_ERROR, SEAL_ERROR_CONFIG,
            "there is no user \"%s\" to keep the private keys ([daemon] keys_user): useradd "
            "--system --user-group --no-create-home --shell /usr/sbin/nologin %s",
            name, name);
        return FALSE;
    }
    if (entry->pw_uid == 0) {
        g_set_error_literal(
            error, SEAL_ERROR, SEAL_ERROR_CONFIG,
            "[daemon] keys_user is root: name a user who does nothing else, such as "
            "sealpipe-keys");
        return FALSE;
    }
    *uid = entry->pw_uid;
    return TRUE;
}

gboolean daemon_become_keys_user(const char *name, GError **error)
{
    uid_t uid;

    return daemon_find_keys_user(name, &uid, error) && seal_user_become_named(name, error);
}

static gboolean enter(const SealDaemonSettings *settings, gboolean root, GError **error)
{
    return (!root || daemon_become_keys_user(settings->keys_user, error)) &&
           daemon_sandbox_enter_keeper(settings, root, error);
}

static int run_keeper(const SealDaemonSettings *settings, int control)
{
    static const int numbers[] = {SIGCHLD, 0};
    const gboolean root = geteuid() == 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(SealKeeper) keys = seal_keeper_open(settings->conf_dir, NULL, &error);
    int listed = keys ? seal_keeper_list(keys, &error) : -1;
    const Keeper self = {settings, keys, control, daemon_signals_open(numbers)};

    if (listed < 0 || !enter(settings, root, &error))
        return say_problem(control, error);
    if (self.signals < 0 || !seal_record_send(control, "L", 1, listed))
        return 1;
    close(listed);
    serve_generation(&self);
    return 0;
}

G_GNUC_NORETURN static void become_keeper(const SealDaemonSettings *settings, int control)
{
    prctl(PR_SET_NAME, "sealpiped-keep");
    daemon_signals_reset();
    close(DAEMON_CONTROL_FD);
    close(DAEMON_LISTEN_FD);
    _exit(run_keeper(settings, control));
}

/* -------------------------------------------------------------------------------------------
 * The generation's end
 */

static gboolean hear_listed(DaemonKeeper *self, int *listed, GError **error)
{
    char text[SEAL_EXCHANGE_TEXT_MAX + 1];
    ssize_t size = seal_record_receive(self->control, text, sizeof text - 1, listed, 1);

    if (size == 1 && text[0] == 'L' && *listed >= 0)
        return TRUE;
    text[CLAMP(size, 0, SEAL_EXCHANGE_TEXT_MAX)] = '\0';
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s",
                size > 2 && text[0] == 'E' ? text + 2
                                           : "the process that keeps the private keys has ended");
    return FALSE;
}

gboolean daemon_keeper_start(DaemonKeeper *self, const SealDaemonSettings *settings, int *listed,
                             GError **error)
{
    int pair[2];

    *self = (DaemonKeeper){.control = -1};
    if (!daemon_pair(pair) || (self->pid = fork()) < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "the keeper cannot be started: %s",
                    g_strerror(errno));
        return FALSE;
    }
    if (self->pid == 0) {
        close(pair[0]);
        become_keeper(settings, pair[1]);
    }
    close(pair[1]);
    self->control = pair[0];
    return hear_listed(self, listed, error);
}

int daemon_keeper_connect(DaemonKeeper *self)
{
    int pair[2];

    if (self->control < 0 || !daemon_pair(pair))
        return -1;
    gboolean given = seal_record_send(self->control, "K", 1, pair[1]);
    close(pair[1]);
    if (given)
        return pair[0];
    close(pair[0]);
    return -1;
}

void daemon_keeper_clear(DaemonKeeper *self)
{
    if (self->control >= 0)
        close(self->control);
    self->control = -1;
}
