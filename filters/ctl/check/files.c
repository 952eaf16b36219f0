/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files.c: owner and mode of all that the configuration names, as its users see it: the service's,
 * the private keys' and those of mail servers.
 */
#include "filters/ctl/check/files.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_SOCKET "sealpiped.sock"

/* For one user. */
typedef struct {
    const FileList *list;
    const char *user;
    gboolean of_keys;
} Looking;

static void look_as_user(CheckRun *run, gpointer data)
{
    const Looking *looking = data;

    for (guint i = 0; i < looking->list->items->len; i++) {
        const FileItem *item = g_ptr_array_index(looking->list->items, i);

        if (!looking->list->keys_user || item->of_keys == looking->of_keys)
            files_look(run, item, looking->user);
    }
}

/* Root reads the files, and a GnuPG home is of the keys' user. */
static void look_as_keys_user(CheckRun *run, gpointer data)
{
    const Looking *looking = data;

    for (guint i = 0; i < looking->list->items->len; i++) {
        const FileItem *item = g_ptr_array_index(looking->list->items, i);

        if (item->of_keys && item->use == FILE_OWN)
            files_look(run, item, looking->user);
    }
}

static void look_as_root(CheckRun *run, gpointer data)
{
    const Looking *looking = data;

    for (guint i = 0; i < looking->list->items->len; i++) {
        const FileItem *item = g_ptr_array_index(looking->list->items, i);

        if (item->of_keys && item->use != FILE_OWN)
            files_look(run, item, "root");
    }
}

/* -------------------------------------------------------------------------------------------
 * Mail servers
 */

static void look_as_peer(CheckRun *run, gpointer data)
{
    const Looking *looking = data;
    g_autofree char *socket = g_build_filename(looking->list->run_dir, DAEMON_SOCKET, NULL);
    const FileItem item = {socket, (char *)"[core] run_dir", FILE_CONNECT, FALSE, FALSE};

    files_look(run, &item, looking->user);
}

/* Without the daemon, they are the service's user, or the wiring says so. */
static void look_as_peers(CheckRun *run, const FileList *list)
{
    g_autofree char *socket = g_build_filename(list->run_dir, DAEMON_SOCKET, NULL);
    GPtrArray *peers = check_peers(run);

    if (access(socket, F_OK) != 0)
        return;
    for (guint i = 0; i < peers->len; i++) {
        const char *user = g_ptr_array_index(peers, i);
        Looking looking = {list, user, FALSE};

        if (g_strcmp0(user, list->user) != 0)
            check_as_user(run, "files", user, look_as_peer, &looking);
    }
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

/* A file that others can change is not believed: that may be why nothing says whose it is. */
static void look_at_configuration(CheckRun *run, const FileList *list)
{
    for (guint i = 0; i < list->items->len; i++) {
        const FileItem *item = g_ptr_array_index(list->items, i);

        if (item->is_configuration)
            files_look_at_owners(run, item);
    }
}

static void look_as_all(CheckRun *run, G_GNUC_UNUSED gpointer data)
{
    g_auto(FileList) list = {0};
    g_autoptr(GError) error = NULL;
    gboolean read = files_list(&list, check_conf_dir(run), &error);

    if (!read && geteuid() != 0) {
        check_leave(run, "files", "%s; run this as root", error->message);
        return;
    }
    if (!read || !list.user) {
        look_at_configuration(run, &list);
        check_leave(run, "files", "as the service's user sees it: %s",
                    read ? "nothing says who that is; set user= in [core]" : error->message);
        return;
    }
    Looking looking = {&list, list.user, FALSE};
    check_as_user(run, "files", list.user, look_as_user, &looking);
    looking.user = list.keys_user;
    looking.of_keys = TRUE;
    if (list.keys_user && geteuid() == 0) {
        look_as_root(run, &looking);
        check_as_user(run, "files", list.keys_user, look_as_keys_user, &looking);
    }
    look_as_peers(run, &list);
    if (!check_has_trouble(run, "files"))
        check_put(run, CHECK_OK, "files", NULL,
                  "user %s can use all that the configuration names, and nobody else can change it",
                  list.user);
}

void check_files(CheckRun *run)
{
    check_in_child(run, "files", look_as_all, NULL);
}
