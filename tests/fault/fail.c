/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fail.c: preloaded into a program, makes the FAIL_AT-th call of FAIL_CALL fail, once. Writes to
 * the file FAIL_REPORT how many calls there were, and to FAIL_DONE that one was made to fail.
 *
 * With sanitizers it stands before their library, and calls what stands next: theirs.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
/* The sanitizers' own, where they are there. */
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));

static const char *failing;
static long fail_at;
static long count;
static pid_t process;

/* By system calls alone: none of this is to be counted. */
static void report(const char *variable, long number)
{
    const char *path = getenv(variable);
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", number);

    if (!path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0) {
        syscall(SYS_write, fd, text, (size_t)length);
        syscall(SYS_close, fd);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_AT");

    fail_at = at ? atol(at) : 0;
    process = getpid();
    failing = getenv("FAIL_CALL");
}

__attribute__((destructor)) static void end(void)
{
    failing = NULL;
    if (getpid() == process)
        report("FAIL_REPORT", count);
}

static bool must_fail(const char *call)
{
    if (!failing || strcmp(failing, call) != 0 || ++count != fail_at)
        return false;
    report("FAIL_DONE", count);
    return true;
}

/* -------------------------------------------------------------------------------------------
 * Memory: these are called before anything can be looked up.
 */

void *malloc(size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __interceptor_calloc ? __interceptor_calloc(number, size) : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    if (must_fail("malloc")) {
        errno = ENOMEM;
        return NULL;
    }
    return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

/* -------------------------------------------------------------------------------------------
 * Everything else: WRAP(counted as, result, name, parameters, arguments, what to return, errno)
 */

#define WRAP(call, type, name, parameters, arguments, failed, number)                              \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*real) parameters;                                                             \
                                                                                                   \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        if (must_fail(call)) {                                                                     \
            errno = number;                                                                        \
            return failed;                                                                         \
        }                                                                                          \
        return real arguments;                                                                     \
    }

/* The third argument is taken along whether it was given or not. */
#define WRAP_OPEN(name)                                                                            \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode_t mode = va_arg(args, mode_t);                                                        \
        va_end(args);                                                                              \
        if (must_fail("open")) {                                                                   \
            errno = EIO;                                                                           \
            return -1;                                                                             \
        }                                                                                          \
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);                              \
    }

#define WRAP_FCNTL(name)                                                                           \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, command);                                                                   \
        long argument = va_arg(args, long);                                                        \
        va_end(args);                                                                              \
        if (must_fail("fcntl")) {                                                                  \
            errno = EBADF;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        return (int)syscall(SYS_fcntl, fd, command, argument);                                     \
    }

typedef struct stat64 Stat64;
typedef struct stat Stat;
typedef struct dirent Entry;
typedef struct dirent64 Entry64;

/* clang-format off */
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
WRAP("read", ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), -1, EIO)
WRAP("pread", ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), -1, EIO)
WRAP("pread", ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), -1, EIO)
WRAP("fsync", int, fsync, (int fd), (fd), -1, EIO)
WRAP("fsync", int, fdatasync, (int fd), (fd), -1, EIO)
WRAP("stat", int, fstat, (int fd, Stat *st), (fd, st), -1, EIO)
WRAP("stat", int, fstat64, (int fd, Stat64 *st), (fd, st), -1, EIO)
WRAP("stat", int, stat, (const char *path, Stat *st), (path, st), -1, EIO)
WRAP("stat", int, stat64, (const char *path, Stat64 *st), (path, st), -1, EIO)
WRAP("stat", int, lstat, (const char *path, Stat *st), (path, st), -1, EIO)
WRAP("stat", int, lstat64, (const char *path, Stat64 *st), (path, st), -1, EIO)
WRAP("access", int, access, (const char *path, int mode), (path, mode), -1, EIO)
WRAP("opendir", DIR *, opendir, (const char *path), (path), NULL, EIO)
WRAP("readdir", Entry *, readdir, (DIR *dir), (dir), NULL, EIO)
WRAP("readdir", Entry64 *, readdir64, (DIR *dir), (dir), NULL, EIO)
/* What a client calls beside these. */
WRAP("socketpair", int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds), -1, EMFILE)
WRAP("recvmsg", ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1, EIO)
WRAP("sendmsg", ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1, EIO)
WRAP("dup", int, dup2, (int from, int to), (from, to), -1, EBADF)
WRAP("fork", pid_t, fork, (void), (), -1, EAGAIN)
WRAP("poll", int, poll, (struct pollfd *fds, nfds_t number, int limit), (fds, number, limit), -1, ENOMEM)
WRAP("signalfd", int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags), -1, ENFILE)
WRAP("waitid", int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options), -1, ECHILD)
WRAP("sigprocmask", int, sigprocmask, (int how, const sigset_t *mask, sigset_t *old), (how, mask, old), -1, EINVAL)
WRAP("execve", int, execve, (const char *path, char *const *argv, char *const *env), (path, argv, env), -1, ENOMEM)
/* clang-format on */

/* Where filters/runner/output.c keeps standard output. */
enum { RUNNER_OUTPUT = 10 };

/* Writes to standard output are left alone: what has left cannot be taken back, and the exit status
 * says so. */
ssize_t write(int fd, const void *buffer, size_t size)
{
    if (fd != STDOUT_FILENO && fd != RUNNER_OUTPUT && must_fail("write")) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, buffer, size);
}
