/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * kept.c: private keys that the daemon keeps are files of root's, which the service's user, whom
 * root becomes here, cannot read: a child that becomes the keys' user lists them, as the daemon's
 * keeper does, and answers for them.
 */
#include "filters/client/exchange.h"
#include "filters/ctl/ctl.h"

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_SOCKET "sealpiped.sock"
#define TENDED        "keys" /* as filters/daemon/tender.c has it */

static gboolean is_roots(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_uid == 0 && (S_ISSOCK(st.st_mode) || !(st.st_mode & 022));
}

/* Nobody else is to have files read as root. */
static gboolean is_roots_folder(const char *path)
{
    g_autoptr(GDir) dir = is_roots(path) ? g_dir_open(path, 0, NULL) : NULL;
    gboolean all = dir != NULL;
    const char *name;

    while (all && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        all = is_roots(file);
    }
    return all;
}

/* As where root has started the daemon, or is to start it, since mail waits for it. */
static gboolean are_apart(const SealDaemonSettings *settings)
{
    g_autofree char *path = g_build_filename(settings->run_dir, DAEMON_SOCKET, NULL);
    gboolean awaited = !settings->in_process && settings->user != G_MAXUINT &&
                       getpwnam(settings->keys_user) && access(path, F_OK) != 0;

    return (awaited || is_roots(path)) && is_roots_folder(settings->conf_dir);
}

_Noreturn static void keep(const SealDaemonSettings *settings, gboolean opens, int socket,
                           pid_t parent)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealKeeper) keys = seal_keeper_open(settings->conf_dir, NULL, &error);
    int listed = keys ? seal_keeper_list(keys, &error) : -1;

    if (keys && opens)
        seal_keeper_let_open(keys);

    if (listed < 0 || !seal_user_become_named(settings->keys_user, &error)) {
        const char *why = error->message;

        seal_record_send(socket, why, MIN(strlen(why), SEAL_EXCHANGE_TEXT_MAX), -1);
        _exit(CTL_PROBLEM);
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        seal_record_send(socket, "L", 1, listed))
        seal_keeper_serve(keys, socket);
    _exit(CTL_OK);
}

/* The newest: behind a reload there may be several for a while. Who they are for is the service's
 * user, whom root becomes. (transfer full) */
static char *find_tended(const SealDaemonSettings *settings)
{
    g_autofree char *parent = g_build_filename(settings->run_dir, TENDED, NULL);
    g_autoptr(GPtrArray) names = seal_dir_list(parent, "", NULL);
    const struct passwd *user = getpwnam(settings->keys_user);
    char *newest = NULL;
    time_t time = 0;

    for (guint i = 0; names && user && i < names->len; i++) {
        g_autofree char *path = g_build_filename(parent, g_ptr_array_index(names, i), NULL);
        struct stat st;

        if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != user->pw_uid ||
            (newest && st.st_mtime <= time))
            continue;
        time = st.st_mtime;
        g_free(newest);
        newest = g_steal_pointer(&path);
    }
    return newest;
}

static gboolean hear_keeper(CtlKept *kept, GError **error)
{
    char text[SEAL_EXCHANGE_TEXT_MAX + 1];
    ssize_t size = seal_record_receive(kept->socket, text, sizeof text - 1, &kept->listed, 1);

    if (kept->listed >= 0)
        return TRUE;
    text[CLAMP(size, 0, SEAL_EXCHANGE_TEXT_MAX)] = '\0';
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s",
                size > 0 ? text : "the process that reads the private keys has ended");
    return FALSE;
}

gboolean ctl_kept_open(CtlKept *kept, const char *conf_dir, GError **error)
{
    g_auto(SealDaemonSettings) settings = {0};
    pid_t child, parent = getpid();
    int pair[2];

    *kept = (CtlKept){.listed = -1, .socket = -1, .opens = kept->opens};
    /* What is wrong with the configuration the service says. */
    if (geteuid() != 0 || !seal_daemon_settings_read(conf_dir, &settings, NULL) ||
        !are_apart(&settings))
        return TRUE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || (child = fork()) < 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "the process that reads the private keys cannot be started");
        return FALSE;
    }
    if (child == 0) {
        close(pair[0]);
        keep(&settings, kept->opens, pair[1], parent);
    }
    close(pair[1]);
    kept->socket = pair[0];
    kept->tended = find_tended(&settings);
    return hear_keeper(kept, error);
}

void ctl_kept_close(CtlKept *kept)
{
    if (kept->listed >= 0)
        close(kept->listed);
    if (kept->socket >= 0)
        close(kept->socket);
    g_clear_pointer(&kept->tended, g_free);
}
