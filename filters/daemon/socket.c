/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/socket.h"

#include "filters/client/daemon.h"
#include "filters/daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static gboolean fail_socket(const char *path, const char *what, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "%s: %s", path, what);
    return FALSE;
}

/* With errno, and what may be done. */
static gboolean fail_with_hint(const char *path, const char *hint, GError **error)
{
    g_autofree char *what = g_strdup_printf("%s; %s", g_strerror(errno), hint);

    return fail_socket(path, what, error);
}

/* Its process stands in it. */
static gboolean fail_locked(int pid_file, const char *path, GError **error)
{
    char text[16] = "";
    ssize_t size = pread(pid_file, text, sizeof text - 1, 0);
    g_autofree char *what = g_strdup_printf("another sealpiped runs already, as process %s",
                                            size > 0 ? g_strstrip(text) : "of an unknown number");

    return fail_socket(path, what, error);
}

/* Another one's socket could be put in place of ours. */
static gboolean check_run_dir(const char *run_dir, const struct stat *info, GError **error)
{
    g_autofree char *what = NULL;

    if (!S_ISDIR(info->st_mode))
        return fail_socket(run_dir, "[core] run_dir is no folder", error);
    if ((info->st_uid == 0 || info->st_uid == geteuid()) && !(info->st_mode & 022))
        return TRUE;
    what = g_strdup_printf("[core] run_dir belongs to user %u, mode %04o; it must be %s, and "
                           "nobody else may write there (0755): chown it, or remove it, and it is "
                           "made anew",
                           info->st_uid, (guint)info->st_mode & 07777,
                           geteuid() == 0 ? "root's" : "root's or of the user that runs this");
    return fail_socket(run_dir, what, error);
}

/* Who keeps the socket has this file locked; the lock ends with him, however he ends. */
static gboolean lock_pid_file(DaemonSocket *self, const char *run_dir, GError **error)
{
    g_autofree char *path = g_build_filename(run_dir, "sealpiped.pid", NULL);
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());

    self->pid_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
    if (self->pid_file < 0)
        return fail_with_hint(path, "start it as root, or name a [core] run_dir of your own",
                              error);
    if (flock(self->pid_file, LOCK_EX | LOCK_NB) != 0)
        return fail_locked(self->pid_file, path, error);
    return (fchmod(self->pid_file, 0644) == 0 && ftruncate(self->pid_file, 0) == 0 &&
            seal_fd_write(self->pid_file, text, strlen(text))) ||
           fail_socket(path, g_strerror(errno), error);
}

gboolean daemon_socket_make_dir(const char *run_dir, GError **error)
{
    struct stat info;

    if (mkdir(run_dir, 0755) == 0)
        return chmod(run_dir, 0755) == 0 || fail_socket(run_dir, g_strerror(errno), error);
    if (errno == EEXIST && stat(run_dir, &info) == 0)
        return check_run_dir(run_dir, &info, error);
    return fail_with_hint(run_dir,
                          geteuid() == 0 ? "[core] run_dir is made where the folder above it is "
                                           "there"
                                         : "start it as root, or name a [core] run_dir of your own",
                          error);
}

gboolean daemon_socket_bind(const char *path, int fd, const SealDaemonSettings *settings,
                            GError **error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    mode_t before;
    int rc;

    if (strlen(path) >= sizeof name.sun_path)
        return fail_socket(path, "the path is too long for a socket: name a shorter [core] run_dir",
                           error);
    memcpy(name.sun_path, path, strlen(path));
    /* The lock is ours, or systemd starts one alone: what stands there was left behind. */
    unlink(path);
    before = umask(0177);
    rc = bind(fd, (const struct sockaddr *)&name, sizeof name);
    umask(before);
    if (rc != 0 || listen(fd, (int)settings->queue) != 0)
        return fail_socket(path, g_strerror(errno), error);
    if (settings->group != G_MAXUINT && geteuid() == 0 &&
        chown(path, (uid_t)-1, settings->group) != 0)
        return fail_socket(path, g_strerror(errno), error);
    return chmod(path, settings->socket_mode) == 0 || fail_socket(path, g_strerror(errno), error);
}

static gboolean open_own(DaemonSocket *self, const SealDaemonSettings *settings, GError **error)
{
    if (!daemon_socket_make_dir(settings->run_dir, error) ||
        !lock_pid_file(self, settings->run_dir, error))
        return FALSE;
    self->path = g_build_filename(settings->run_dir, SEAL_DAEMON_SOCKET, NULL);
    self->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd < 0)
        return fail_socket(self->path, g_strerror(errno), error);
    return daemon_socket_bind(self->path, self->fd, settings, error);
}

static gboolean check_given(int fd, GError **error)
{
    int type = 0;
    socklen_t size = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return fail_socket("systemd's socket", "it must be one of ListenSequentialPacket=", error);
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

gboolean daemon_socket_open(DaemonSocket *self, const SealDaemonSettings *settings, GError **error)
{
    *self = (DaemonSocket){.fd = daemon_notify_socket(), .pid_file = -1};
    return self->fd >= 0 ? check_given(self->fd, error) : open_own(self, settings, error);
}

void daemon_socket_hide(DaemonSocket *self)
{
    if (self->path)
        unlink(self->path);
    g_clear_pointer(&self->path, g_free);
}

void daemon_socket_clear(DaemonSocket *self)
{
    daemon_socket_hide(self);
    if (self->fd >= 0)
        close(self->fd);
    if (self->pid_file >= 0)
        close(self->pid_file);
}
