/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scratch.c: a folder is locked (flock) by the process that made it, as long as that lives: one
 * that can be locked is a leftover. Nothing is followed, and nothing of another user's is touched.
 */
#include "core/base/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "sealpipe-tmp-"

enum {
    /* gpg-agent's sockets have names of at most 106 octets; the longest is S.gpg-agent.browser. */
    MAX_PARENT = 106 - (int)sizeof "/" PREFIX "XXXXXX" - (int)sizeof "/S.gpg-agent.browser",
    MAX_DEPTH = 4,
    MAX_TRIES = 10,
};

struct SealFolder {
    char *path;
    int fd; /* of the folder; holds the lock */
    pid_t maker;
};

/* -------------------------------------------------------------------------------------------
 * Removing
 */

static void empty_folder(int fd, guint depth);

static void remove_entry(int fd, const char *name, guint depth)
{
    int inner = -1;

    if (unlinkat(fd, name, 0) == 0 || depth == MAX_DEPTH)
        return;
    inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return;
    empty_folder(inner, depth + 1);
    unlinkat(fd, name, AT_REMOVEDIR);
}

/* Takes @fd over. */
static void empty_folder(int fd, guint depth)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir))) {
        if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
            remove_entry(dirfd(dir), entry->d_name, depth);
    }
    closedir(dir);
}

/* @fd is locked until it is gone. */
static void remove_folder(const char *path, int fd)
{
    int inner = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (inner >= 0)
        empty_folder(inner, 0);
    rmdir(path);
}

static void sweep_one(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
        remove_folder(path, fd);
    close(fd);
}

static void sweep_parent(const char *parent)
{
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path =
            g_str_has_prefix(name, PREFIX) ? g_build_filename(parent, name, NULL) : NULL;
        if (path)
            sweep_one(path);
    }
}

/* -------------------------------------------------------------------------------------------
 * Where
 */

/* Of nobody else's, so that no name in it can be taken or replaced. */
static gboolean is_ours(const char *parent)
{
    struct stat st;

    return strlen(parent) <= MAX_PARENT && stat(parent, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
           access(parent, W_OK | X_OK) == 0;
}

const char *seal_scratch_parent(const char *const *parents)
{
    for (; *parents; parents++) {
        if (is_ours(*parents))
            return *parents;
    }
    return g_get_tmp_dir();
}

void seal_scratch_sweep(const char *const *parents)
{
    gboolean any = FALSE;

    for (; *parents; parents++) {
        if (!is_ours(*parents))
            continue;
        sweep_parent(*parents);
        any = TRUE;
    }
    if (!any)
        sweep_parent(g_get_tmp_dir());
}

/* -------------------------------------------------------------------------------------------
 * Making
 */

/* Another process that swept in between has removed it. */
static gboolean is_there(int fd, const char *path)
{
    struct stat open_one, named;

    return fstat(fd, &open_one) == 0 && lstat(path, &named) == 0 &&
           open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

static SealFolder *make_folder(const char *parent)
{
    g_autofree char *path = g_build_filename(parent, PREFIX "XXXXXX", NULL);

    if (!g_mkdtemp_full(path, 0700))
        return NULL;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0 && is_there(fd, path)) {
        SealFolder *folder = g_new0(SealFolder, 1);
        folder->path = g_steal_pointer(&path);
        folder->fd = fd;
        folder->maker = getpid();
        return folder;
    }
    if (fd >= 0)
        close(fd);
    rmdir(path);
    errno = EAGAIN;
    return NULL;
}

SealFolder *seal_scratch_make(const char *const *parents, GError **error)
{
    const char *parent = seal_scratch_parent(parents);

    for (guint i = 0; i < MAX_TRIES; i++) {
        SealFolder *folder = make_folder(parent);

        if (folder)
            return folder;
        if (errno != EAGAIN)
            break;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "cannot make a temporary folder in %s: %s", parent, g_strerror(errno));
    return NULL;
}

const char *seal_folder_path(const SealFolder *folder)
{
    return folder->path;
}

void seal_folder_free(SealFolder *folder)
{
    if (!folder)
        return;
    /* A child that was forked has no say in it. */
    if (folder->maker == getpid())
        remove_folder(folder->path, folder->fd);
    close(folder->fd);
    g_free(folder->path);
    g_free(folder);
}
