/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/status.h"

#include "filters/client/daemon.h"
#include "filters/daemon/socket.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    AT_ONCE = 8, /* of those who wait, before other things have their turn */
};

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static gboolean open_tally(DaemonStatus *self, GError **error)
{
    self->file = seal_tally_create(error);
    self->tally = self->file >= 0 ? seal_tally_map(self->file, error) : NULL;
    return self->tally != NULL;
}

static gboolean open_socket(DaemonStatus *self, const SealDaemonSettings *settings, GError **error)
{
    g_autofree char *path = g_build_filename(settings->run_dir, SEAL_STATUS_SOCKET, NULL);

    /* Where the daemon's own socket is systemd's, nobody has looked at it yet. */
    if (!daemon_socket_make_dir(settings->run_dir, error))
        return FALSE;
    self->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!daemon_socket_bind(path, self->fd, settings, error))
        return FALSE;
    self->path = g_steal_pointer(&path);
    return TRUE;
}

void daemon_status_open(DaemonStatus *self, const SealDaemonSettings *settings)
{
    g_autoptr(GError) error = NULL;

    *self = (DaemonStatus){.fd = -1, .file = -1, .user = settings->user};
    if (open_tally(self, &error) && open_socket(self, settings, &error))
        return;
    seal_log_warning("`sealctl status` cannot ask the daemon: %s", error->message);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

void daemon_status_clear(DaemonStatus *self)
{
    if (self->path)
        unlink(self->path);
    g_clear_pointer(&self->path, g_free);
    if (self->fd >= 0)
        close(self->fd);
    if (self->file >= 0)
        close(self->file);
    self->fd = self->file = -1;
    g_clear_pointer(&self->tally, seal_tally_unmap);
}

/* -------------------------------------------------------------------------------------------
 * Answering
 */

static gboolean may_hear_all(const DaemonStatus *self, int client)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof peer &&
           (peer.uid == 0 || peer.uid == geteuid() || peer.uid == self->user);
}

static void put_news(const DaemonNews *news, gboolean whole, SealOut *out)
{
    seal_out_text(out, "version", "%s", SEALPIPE_VERSION);
    seal_out_number(out, "pid", getpid());
    seal_out_number(out, "started", news->started);
    seal_out_number(out, "generation", news->generation);
    seal_out_number(out, "loaded", news->loaded);
    seal_out_number(out, "refused", news->refused);
    seal_out_boolean(out, "stopping", news->stopping);
    if (whole && news->problem)
        seal_out_text(out, "problem", "%s", news->problem);
    if (whole && news->digest)
        seal_out_text(out, "configuration", "%s", news->digest);
}

/* One record, which fits or not: a new connection has all of its room yet. */
static void answer_client(const DaemonStatus *self, const DaemonNews *news, int client)
{
    const gboolean whole = may_hear_all(self, client);
    g_autoptr(SealOut) out = seal_out_new();

    put_news(news, whole, out);
    if (self->tally)
        seal_tally_show(self->tally, whole, out);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    if (g_variant_get_size(answer) <= SEAL_STATUS_MAX)
        send(client, g_variant_get_data(answer), g_variant_get_size(answer),
             MSG_NOSIGNAL | MSG_DONTWAIT | MSG_EOR);
}

void daemon_status_answer(const DaemonStatus *self, const DaemonNews *news)
{
    for (guint i = 0; i < AT_ONCE; i++) {
        int client = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0)
            return;
        answer_client(self, news, client);
        close(client);
    }
}
