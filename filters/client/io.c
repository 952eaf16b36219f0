/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool seal_io_hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            return false;
    }
    return true;
}

void seal_io_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool seal_io_write(int fd, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t done = write(fd, from, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        size -= (size_t)done;
    }
    return true;
}

bool seal_io_write_at(int fd, const void *bytes, size_t size, off_t at)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t done = pwrite(fd, from, size, at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

bool seal_io_read_at(int fd, void *bytes, size_t size, off_t at)
{
    char *to = bytes;

    while (size > 0) {
        ssize_t got = pread(fd, to, size, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

bool seal_io_number(const char *text, size_t size, unsigned base, uint64_t max, uint64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        const char *place = memchr(digits, text[i], base);
        uint64_t digit = place ? (uint64_t)(place - digits) : 0;

        if (!place || digit > max || value > (max - digit) / base)
            return false;
        value = value * base + digit;
    }
    *ret = value;
    return size > 0;
}

int64_t seal_io_now_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
