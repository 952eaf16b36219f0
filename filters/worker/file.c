/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/worker/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY = 1024 * 1024 }; /* what is larger is read as it is needed */

static SealContent *fail_file(GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot read what the client hands over: %s",
                why);
    return NULL;
}

static SealContent *read_small(int file, gsize size, guint64 skip, GError **error)
{
    g_autofree guint8 *octets = g_malloc(size);
    gsize done = 0;

    while (done < size) {
        ssize_t got = pread(file, octets + done, size - done, (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail_file(error, got < 0 ? g_strerror(errno) : "it is shorter than it was");
        done += (gsize)got;
    }
    g_autoptr(GBytes) whole = g_bytes_new_take(g_steal_pointer(&octets), size);
    g_autoptr(GBytes) rest = g_bytes_new_from_bytes(whole, skip, size - skip);
    return seal_content_new(rest);
}

SealContent *worker_read_file(int file, guint64 skip, GError **error)
{
    struct stat info;

    if (fstat(file, &info) != 0)
        return fail_file(error, g_strerror(errno));
    if (!S_ISREG(info.st_mode) || (guint64)info.st_size < skip)
        return fail_file(error, "it is no regular file, or too short");
    if (info.st_size <= MEMORY)
        return read_small(file, (gsize)info.st_size, skip, error);
    int copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return fail_file(error, g_strerror(errno));
    g_autoptr(SealContent) whole = seal_content_new_file(copy, (guint64)info.st_size);
    return seal_content_slice(whole, skip, G_MAXUINT64);
}
