/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/peers.h"

#include <pwd.h>
#include <string.h>

/* One who may. */
typedef struct {
    guint user;
    char *author; /* an address, or @domain; NULL: for whomever */
} Peer;

struct DaemonPeers {
    GArray *all; /* element type Peer */
    GArray *submission;
    GArray *inbound;
};

static void peer_clear(gpointer data)
{
    g_free(((Peer *)data)->author);
}

static gboolean find_user(const char *name, guint self, guint *user)
{
    const struct passwd *entry;
    guint64 number;

    if (g_str_equal(name, "self")) {
        *user = self;
        return TRUE;
    }
    entry = getpwnam(name);
    if (!entry && g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL)) {
        *user = (guint)number;
        return TRUE;
    }
    if (entry)
        *user = entry->pw_uid;
    return entry != NULL;
}

static GArray *read_peers(const char *setting, GStrv items, guint self)
{
    GArray *peers = g_array_new(FALSE, FALSE, sizeof(Peer));

    g_array_set_clear_func(peers, peer_clear);
    for (; *items; items++) {
        const char *equals = strchr(*items, '=');
        g_autofree char *name =
            equals ? g_strndup(*items, (gsize)(equals - *items)) : g_strdup(*items);
        Peer peer = {.author = equals ? g_strdup(equals + 1) : NULL};

        if (find_user(g_strstrip(name), self, &peer.user)) {
            g_array_append_val(peers, peer);
        } else {
            seal_log_warning("[daemon] %s: there is no user \"%s\"", setting, name);
            g_free(peer.author);
        }
    }
    return peers;
}

DaemonPeers *daemon_peers_new(const SealDaemonSettings *settings, guint self)
{
    DaemonPeers *peers = g_new0(DaemonPeers, 1);

    peers->all = read_peers("peers", settings->peers, self);
    peers->submission = read_peers("submission_peers", settings->submission_peers, self);
    peers->inbound = read_peers("inbound_peers", settings->inbound_peers, self);
    return peers;
}

void daemon_peers_free(DaemonPeers *peers)
{
    if (!peers)
        return;
    g_array_unref(peers->all);
    g_array_unref(peers->submission);
    g_array_unref(peers->inbound);
    g_free(peers);
}

static gboolean is_peer(GArray *peers, guint user)
{
    for (guint i = 0; i < peers->len; i++) {
        if (g_array_index(peers, Peer, i).user == user)
            return TRUE;
    }
    return FALSE;
}

static gboolean refuse_peer(guint user, const char *setting, const char *what, GError **error)
{
    const struct passwd *entry = getpwuid(user);
    g_autofree char *number = g_strdup_printf("%u", user);

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "user %s may not %s: [daemon] %s does not name him",
                entry ? entry->pw_name : number, what, setting);
    return FALSE;
}

/* Without the word of somebody whose word counts, nobody has submitted it. */
static void limit_authors(const DaemonPeers *peers, guint user, WorkerTask *task)
{
    GPtrArray *authors = g_ptr_array_new_with_free_func(g_free);
    gboolean any = FALSE;

    for (guint i = 0; i < peers->submission->len; i++) {
        const Peer *peer = &g_array_index(peers->submission, Peer, i);

        if (peer->user != user)
            continue;
        any = any || !peer->author;
        if (peer->author)
            g_ptr_array_add(authors, g_strdup(peer->author));
    }
    g_ptr_array_add(authors, NULL);
    if (any)
        g_ptr_array_unref(authors);
    else
        task->authors = (GStrv)g_ptr_array_free(authors, FALSE);
}

gboolean daemon_peers_admit(const DaemonPeers *peers, guint user, GError **error)
{
    return is_peer(peers->all, user) || refuse_peer(user, "peers", "hand in messages", error);
}

gboolean daemon_peers_check(const DaemonPeers *peers, guint user, WorkerTask *task, GError **error)
{
    if (!daemon_peers_admit(peers, user, error))
        return FALSE;
    if (task->options.inbound && !is_peer(peers->inbound, user))
        return refuse_peer(user, "inbound_peers", "have mail opened", error);
    limit_authors(peers, user, task);
    return TRUE;
}
