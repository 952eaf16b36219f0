/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * files.c: reads files and folders, and says whose they are.
 */
#include "core/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_NAMES = 100000,
    MAX_VISITED = 16 * 1024 * 1024,
};

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Not through GDir, which takes an error for the end: a certificate that is there would be missed.
 */
static gboolean read_names(DIR *stream, const char *dir, const char *suffix, GPtrArray *names,
                           GError **error)
{
    const struct dirent *entry;

    while ((errno = 0, entry = readdir(stream))) {
        if (entry->d_name[0] == '.' || !g_str_has_suffix(entry->d_name, suffix))
            continue;
        if (names->len == MAX_NAMES) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "%s holds more than %d files", dir,
                        MAX_NAMES);
            return FALSE;
        }
        g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    if (errno == 0)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s cannot be read to its end: %s", dir,
                g_strerror(errno));
    return FALSE;
}

GPtrArray *seal_dir_list(const char *dir, const char *suffix, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    DIR *stream = opendir(dir);

    if (!stream) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "the folder %s cannot be opened: %s", dir,
                    g_strerror(errno));
        return NULL;
    }
    gboolean ok = read_names(stream, dir, suffix, names, error);
    closedir(stream);
    if (!ok)
        return NULL;
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

/* Nobody but the owner can write, unless through root's group or our own. */
static gboolean only_owner_writes(const struct stat *st)
{
    if (st->st_mode & S_IWOTH)
        return FALSE;
    return !(st->st_mode & S_IWGRP) || st->st_gid == 0 || st->st_gid == getegid();
}

static gboolean owner_is_trusted(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid();
}

/* NULL where all is well. */
static const char *distrust(const struct stat *st)
{
    if (!owner_is_trusted(st))
        return "belongs neither to root nor to the user that runs this";
    if (!only_owner_writes(st))
        return "can be written by others; take that right away with chmod go-w";
    return NULL;
}

static gboolean fail(GError **error, int code, const char *path, const char *why)
{
    g_set_error(error, SEAL_ERROR, code, "%s: %s", path, why);
    return FALSE;
}

static GBytes *read_fd(int fd, const char *path, gsize size, GError **error)
{
    g_autofree guint8 *data = g_malloc(size + 1);
    gsize done = 0;

    while (done < size) {
        ssize_t got = read(fd, data + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fail(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
            return NULL;
        }
        if (got == 0)
            break;
        done += (gsize)got;
    }
    return g_bytes_new_take(g_steal_pointer(&data), done);
}

static GBytes *file_read(const char *path, gsize max, gboolean trusted, GError **error)
{
    /* Not blocking, since a FIFO may stand where a file should. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    GBytes *bytes = NULL;

    if (fd < 0 || fstat(fd, &st) < 0)
        fail(error, trusted ? SEAL_ERROR_CONFIG : SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
    else if (!S_ISREG(st.st_mode))
        fail(error, SEAL_ERROR_CONFIG, path, "not a regular file");
    else if (trusted && distrust(&st))
        fail(error, SEAL_ERROR_CONFIG, path, distrust(&st));
    else if ((guint64)st.st_size > max)
        fail(error, SEAL_ERROR_LIMIT, path, "the file is too large");
    else
        bytes = read_fd(fd, path, (gsize)st.st_size, error);
    if (fd >= 0)
        close(fd);
    return bytes;
}

GBytes *seal_file_read(const char *path, gsize max, GError **error)
{
    return file_read(path, max, FALSE, error);
}

GBytes *seal_file_read_trusted(const char *path, gsize max, GError **error)
{
    return file_read(path, max, TRUE, error);
}

gboolean seal_file_is_ours(const char *path, gboolean folder, GError **error)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return fail(error, SEAL_ERROR_MODULE, path, g_strerror(errno));
    if (S_ISLNK(st.st_mode))
        return fail(error, SEAL_ERROR_MODULE, path, "is a symbolic link");
    if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
        return fail(error, SEAL_ERROR_MODULE, path,
                    folder ? "is not a folder" : "is not a regular file");
    if (distrust(&st))
        return fail(error, SEAL_ERROR_MODULE, path, distrust(&st));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * For modules
 */

static gboolean visit_one(SealModule *self, const char *path, SealFileVisitor visit,
                          gpointer user_data, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = seal_file_read(path, MAX_VISITED, &problem);

    return visit(self, path, data, problem, user_data, error);
}

gboolean seal_visit_files(SealModule *self, const char *path, SealFileVisitor visit,
                          gpointer user_data, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return visit_one(self, path, visit, user_data, error);

    g_autoptr(GPtrArray) names = seal_dir_list(path, "", error);
    if (!names)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_build_filename(path, g_ptr_array_index(names, i), NULL);

        if (g_file_test(file, G_FILE_TEST_IS_DIR))
            continue;
        if (!visit_one(self, file, visit, user_data, error))
            return FALSE;
    }
    return TRUE;
}
