/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * date.c: days, hexadecimal, and files that are read and written as a whole.
 */
#include "license.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean license_parse_day(const char *text, gint64 *day)
{
    int year, month, date, end = 0;

    if (strlen(text) != 10 || sscanf(text, "%4d-%2d-%2d%n", &year, &month, &date, &end) != 3 ||
        end != 10 || year < 1970)
        return FALSE;

    g_autoptr(GDateTime) time = g_date_time_new_utc(year, month, date, 0, 0, 0);
    g_autofree char *again = time ? g_date_time_format(time, "%Y-%m-%d") : NULL;
    if (g_strcmp0(again, text) != 0)
        return FALSE;
    *day = g_date_time_to_unix(time);
    return TRUE;
}

char *license_format_day(gint64 time)
{
    g_autoptr(GDateTime) day = time == G_MAXINT64 ? NULL : g_date_time_new_from_unix_utc(time);

    return day ? g_date_time_format(day, "%Y-%m-%d") : g_strdup("never");
}

char *license_hex(const guint8 *data, gsize size)
{
    char *text = g_malloc(2 * size + 1);

    return sodium_bin2hex(text, 2 * size + 1, data, size);
}

/* libsodium takes an octet beyond ASCII for a slash; so what was read is written again. */
gboolean license_base64(const char *text, gsize length, guint8 *data, gsize size)
{
    gsize room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL), got = 0;
    g_autofree char *again = g_malloc(room);

    if (length != room - 1 ||
        sodium_base642bin(data, size, text, length, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) < 0 ||
        got != size)
        return FALSE;
    sodium_bin2base64(again, room, data, size, sodium_base64_VARIANT_ORIGINAL);
    return memcmp(again, text, length) == 0;
}

static gboolean failed(const char *path, GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, why);
    return FALSE;
}

static GBytes *read_fd(int fd, const char *path, gsize max, GError **error)
{
    g_autofree guint8 *data = g_malloc(max + 1);
    gsize done = 0;

    while (done <= max) {
        ssize_t got = read(fd, data + done, max + 1 - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            failed(path, error, g_strerror(errno));
            return NULL;
        }
        if (got == 0)
            return g_bytes_new(data, done);
        done += (gsize)got;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "%s: too large", path);
    return NULL;
}

GBytes *license_load(const char *path, gsize max, gboolean *missing, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    GBytes *bytes = NULL;

    *missing = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
    if (fd < 0 || fstat(fd, &st) < 0)
        failed(path, error, g_strerror(errno));
    else if (!S_ISREG(st.st_mode))
        failed(path, error, "not a regular file");
    else
        bytes = read_fd(fd, path, max, error);
    if (fd >= 0)
        close(fd);
    return bytes;
}

static gboolean write_fd(int fd, const char *data, gsize size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, data, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return FALSE;
        data += wrote;
        size -= (gsize)wrote;
    }
    return fsync(fd) == 0;
}

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

gboolean license_save(const char *path, const char *data, gsize size, mode_t mode, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.new.XXXXXX", path);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, (int)mode);

    if (fd < 0)
        return failed(path, error, g_strerror(errno));

    /* Whatever the umask is. */
    gboolean ok = fchmod(fd, mode) == 0 && write_fd(fd, data, size);
    ok = close(fd) == 0 && ok && g_rename(temporary, path) == 0;
    if (!ok) {
        failed(path, error, g_strerror(errno));
        g_unlink(temporary);
        return FALSE;
    }
    return sync_folder(path) || failed(path, error, g_strerror(errno));
}
