/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch.c: files and folders that were read, and whether they are still what they were. They are
 * looked at, since nothing tells of what another host does to them.
 */
#include "core/base/watch.h"

#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_WATCHED = 50000,
    MAX_HELD = 256, /* descriptors */
};

typedef struct {
    char *path;
    SealFileState state;
    int fd; /* held; else -1 */
} Watched;

struct SealWatch {
    GArray *all;
    GHashTable *paths; /* of all; the strings are theirs */
    gboolean held;     /* what is not held is not looked at */
};

static void watched_clear(gpointer data)
{
    Watched *watched = data;

    if (watched->fd >= 0)
        close(watched->fd);
    g_free(watched->path);
}

SealWatch *seal_watch_new(void)
{
    SealWatch *watch = g_new0(SealWatch, 1);

    watch->all = g_array_new(FALSE, FALSE, sizeof(Watched));
    g_array_set_clear_func(watch->all, watched_clear);
    watch->paths = g_hash_table_new(g_str_hash, g_str_equal);
    return watch;
}

void seal_watch_free(SealWatch *watch)
{
    if (!watch)
        return;
    g_hash_table_unref(watch->paths);
    g_array_unref(watch->all);
    g_free(watch);
}

void seal_watch_add(SealWatch *watch, const char *path, const SealFileState *state)
{
    Watched watched = {.state = *state, .fd = -1};

    if (watch->all->len >= MAX_WATCHED || g_hash_table_contains(watch->paths, path))
        return;
    watched.path = g_strdup(path);
    g_array_append_val(watch->all, watched);
    g_hash_table_add(watch->paths, watched.path);
}

/* What a link leads to is held, and so the folder that the link is in must be. */
static void add_parent(SealWatch *watch, const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);
    SealFileState state;

    if (seal_file_state(parent, &state))
        seal_watch_add(watch, parent, &state);
}

void seal_watch_hold(SealWatch *watch)
{
    guint count = watch->all->len;

    watch->held = TRUE;
    for (guint i = 0; i < count; i++)
        add_parent(watch, g_array_index(watch->all, Watched, i).path);
    /* Folders first: that a file is replaced shows in them. */
    for (guint i = watch->all->len; i > 0 && watch->all->len - i < MAX_HELD; i--) {
        Watched *watched = &g_array_index(watch->all, Watched, i - 1);

        watched->fd = open(watched->path, O_PATH | O_CLOEXEC);
    }
}

static void find_state(const Watched *watched, SealFileState *state)
{
    struct stat st;

    if (watched->fd < 0)
        seal_file_state(watched->path, state);
    else if (fstat(watched->fd, &st) == 0)
        seal_file_state_fill(state, &st);
    else
        *state = (SealFileState){0};
}

static guint64 mix(guint64 sum, guint64 value)
{
    sum = (sum ^ value) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static guint64 add_to_sum(guint64 sum, const SealFileState *state)
{
    sum = mix(mix(mix(sum, state->device), state->inode), state->length);
    return mix(mix(sum, (guint64)state->modified), (guint64)state->changed);
}

gboolean seal_watch_look(const SealWatch *watch, guint64 *sum)
{
    gboolean changed = FALSE;

    *sum = 0;
    for (guint i = 0; i < watch->all->len; i++) {
        const Watched *watched = &g_array_index(watch->all, Watched, i);
        SealFileState state;

        if (watch->held && watched->fd < 0)
            continue;
        find_state(watched, &state);
        changed = changed || !seal_file_state_equal(&state, &watched->state);
        *sum = add_to_sum(*sum, &state);
    }
    return changed;
}
