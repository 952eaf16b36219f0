/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * files.c: reads and writes files, and reads folders.
 */
#include "core/base/files.h"

#include "core/base/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_NAMES = 100000,
    YOUNG_S = 3,
};

/* Paths to descriptors: see seal_file_keep(). */
static GHashTable *kept;

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

static gboolean fail_file(GError **error, int code, const char *path, const char *why)
{
    g_set_error(error, SEAL_ERROR, code, "%s: %s", path, why);
    return FALSE;
}

gssize seal_fd_read(int fd, void *data, gsize size)
{
    gsize done = 0;

    while (done < size) {
        ssize_t got = read(fd, (guint8 *)data + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (gsize)got;
    }
    return (gssize)done;
}

gboolean seal_fd_write(int fd, const void *data, gsize size)
{
    const guint8 *from = data;

    while (size > 0) {
        ssize_t wrote = write(fd, from, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return FALSE;
        from += wrote;
        size -= (gsize)wrote;
    }
    return TRUE;
}

static GBytes *read_fd(int fd, const char *path, gsize size, GError **error)
{
    g_autofree guint8 *data = g_malloc(size + 1);
    gssize got = seal_fd_read(fd, data, size);

    if (got >= 0)
        return g_bytes_new_take(g_steal_pointer(&data), (gsize)got);
    fail_file(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
    return NULL;
}

/* Of which waiting is no cure. */
static gboolean is_lasting(int number)
{
    static const int lasting[] = {ENOENT, ENOTDIR, ELOOP, EACCES, EPERM, ENXIO, ENAMETOOLONG};

    for (guint i = 0; i < G_N_ELEMENTS(lasting); i++) {
        if (lasting[i] == number)
            return TRUE;
    }
    return FALSE;
}

/* Not blocking, since a FIFO may stand where a file should. */
static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

void seal_file_keep(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    int fd = open_to_read(path);
    if (fd < 0)
        return;
    if (!kept)
        kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert(kept, g_strdup(path), GINT_TO_POINTER(fd));
}

/* Once: what is read again is opened again. */
static int take_kept(const char *path)
{
    gpointer fd = NULL;

    if (!kept || !g_hash_table_lookup_extended(kept, path, NULL, &fd))
        return -1;
    g_hash_table_remove(kept, path);
    return GPOINTER_TO_INT(fd);
}

GBytes *seal_file_read_state(const char *path, gsize max, SealFileState *state, GError **error)
{
    int fd = take_kept(path);
    struct stat st = {0};
    GBytes *bytes = NULL;

    *state = (SealFileState){0};
    if (fd < 0)
        fd = open_to_read(path);
    if (fd < 0 || fstat(fd, &st) < 0)
        fail_file(error, is_lasting(errno) ? SEAL_ERROR_CONFIG : SEAL_ERROR_UNAVAILABLE, path,
                  g_strerror(errno));
    else if (!S_ISREG(st.st_mode))
        fail_file(error, SEAL_ERROR_CONFIG, path, "not a regular file");
    else if ((guint64)st.st_size > max)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                    "%s: it has %" G_GINT64_FORMAT " octets, and at most %" G_GSIZE_FORMAT
                    " are read",
                    path, (gint64)st.st_size, max);
    else
        bytes = read_fd(fd, path, (gsize)st.st_size, error);
    if (fd >= 0) {
        seal_file_state_fill(state, &st);
        close(fd);
    }
    return bytes;
}

GBytes *seal_file_read(const char *path, gsize max, GError **error)
{
    SealFileState state;

    return seal_file_read_state(path, max, &state, error);
}

/* -------------------------------------------------------------------------------------------
 * Whether a file is still what it was
 */

static gint64 nanoseconds(const struct timespec *time)
{
    return (gint64)time->tv_sec * 1000000000 + time->tv_nsec;
}

void seal_file_state_fill(SealFileState *state, const struct stat *st)
{
    *state = (SealFileState){
        .device = st->st_dev,
        .inode = st->st_ino,
        .length = (guint64)st->st_size,
        .modified = nanoseconds(&st->st_mtim),
        .changed = nanoseconds(&st->st_ctim),
    };
}

gboolean seal_file_state(const char *path, SealFileState *state)
{
    struct stat st;

    *state = (SealFileState){0};
    if (stat(path, &st) != 0)
        return FALSE;
    seal_file_state_fill(state, &st);
    return TRUE;
}

gboolean seal_file_state_equal(const SealFileState *one, const SealFileState *other)
{
    return one->device == other->device && one->inode == other->inode &&
           one->length == other->length && one->modified == other->modified &&
           one->changed == other->changed;
}

gboolean seal_file_state_is_young(const SealFileState *state, gint64 now)
{
    gint64 seconds = MAX(state->modified, state->changed) / 1000000000;

    return seconds >= now - YOUNG_S && seconds <= now + YOUNG_S;
}

static guint8 *read_at(int fd, const char *path, guint64 offset, gsize length, GError **error)
{
    g_autofree guint8 *data = g_malloc(length + 1);
    gssize got = lseek(fd, (off_t)offset, SEEK_SET) < 0 ? -1 : seal_fd_read(fd, data, length);

    if (got == (gssize)length)
        return g_steal_pointer(&data);
    fail_file(error, SEAL_ERROR_UNAVAILABLE, path, got < 0 ? g_strerror(errno) : "it was cut");
    return NULL;
}

GBytes *seal_file_read_part(const char *path, const SealFileState *state, guint64 offset,
                            gsize length, GError **error)
{
    int fd = open_to_read(path);
    SealFileState found = {0};
    guint8 *data = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        fail_file(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
    } else {
        seal_file_state_fill(&found, &st);
        if (seal_file_state_equal(&found, state))
            data = read_at(fd, path, offset, length, error);
        else
            fail_file(error, SEAL_ERROR_UNAVAILABLE, path, "it has changed since it was looked at");
    }
    if (fd >= 0)
        close(fd);
    return data ? g_bytes_new_take(data, length) : NULL;
}

GBytes *seal_file_read_trusted(const char *path, gsize max, GError **error)
{
    GBytes *bytes = seal_owner_check(path, error) ? seal_file_read(path, max, error) : NULL;

    if (!bytes && error)
        (*error)->code = SEAL_ERROR_CONFIG;
    return bytes;
}

gboolean seal_file_is_ours(const char *path, gboolean folder, GError **error)
{
    g_autoptr(GError) problem = NULL;
    struct stat st;

    if (lstat(path, &st) < 0)
        return fail_file(error, SEAL_ERROR_MODULE, path, g_strerror(errno));
    if (S_ISLNK(st.st_mode))
        return fail_file(error, SEAL_ERROR_MODULE, path, "is a symbolic link");
    if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
        return fail_file(error, SEAL_ERROR_MODULE, path,
                         folder ? "is not a folder" : "is not a regular file");
    if (seal_owner_check_one(path, &st, &problem))
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MODULE, problem->message);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* The new name is on the disk once its folder is. */
static gboolean sync_folder(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

gboolean seal_file_save(const char *path, const void *data, gsize size, guint mode, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.new.XXXXXX", path);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, (int)mode);

    if (fd < 0)
        return fail_file(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));

    /* Whatever the umask is. */
    gboolean ok = fchmod(fd, mode) == 0 && seal_fd_write(fd, data, size) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok && g_rename(temporary, path) == 0;
    if (!ok) {
        fail_file(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
        g_unlink(temporary);
        return FALSE;
    }
    return sync_folder(path) || fail_file(error, SEAL_ERROR_UNAVAILABLE, path, g_strerror(errno));
}
