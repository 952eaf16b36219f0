/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fail.c: preloaded into the runner, makes the FAIL_AT-th call of FAIL_CALL fail, once. Says on
 * descriptor FAIL_FD how many calls there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static const char *failing;
static long fail_at;
static long count;
static int report_fd = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *call = getenv("FAIL_CALL");
    const char *at = getenv("FAIL_AT");
    const char *fd = getenv("FAIL_FD");

    fail_at = at ? atol(at) : 0;
    report_fd = fd ? atoi(fd) : -1;
    failing = call;
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", count);

    failing = NULL;
    if (report_fd >= 0 && write(report_fd, text, (size_t)length) < 0)
        return;
}

static bool must_fail(const char *call)
{
    return failing && strcmp(failing, call) == 0 && ++count == fail_at;
}

void *malloc(size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(old, size);
}

int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    if (must_fail("open")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

ssize_t read(int fd, void *buffer, size_t size)
{
    if (must_fail("read")) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_read, fd, buffer, size);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
    if (must_fail("pread")) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, buffer, size, offset);
}

ssize_t pread64(int fd, void *buffer, size_t size, off_t offset) __attribute__((alias("pread")));

/* Writes to standard output are left alone: what has left cannot be taken back, and the exit status
 * says so. */
ssize_t write(int fd, const void *buffer, size_t size)
{
    if (fd != STDOUT_FILENO && must_fail("write")) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, buffer, size);
}

int fsync(int fd)
{
    if (must_fail("fsync")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}
