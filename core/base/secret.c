/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * secret.c: bytes in libsodium's guarded memory, wiped when freed.
 */
#include "core/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_SECRET = 64 * 1024 };

struct SealSecret {
    guint8 *data; /* from sodium_malloc */
    gsize size;
};

static SealSecret *secret_new(gsize size, GError **error)
{
    guint8 *data = sodium_init() < 0 ? NULL : sodium_malloc(size ? size : 1);

    if (!data) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "cannot get guarded memory for a secret");
        return NULL;
    }

    SealSecret *secret = g_new0(SealSecret, 1);
    secret->data = data;
    secret->size = size;
    return secret;
}

void seal_secret_guard_process(void)
{
#ifndef SEAL_SANITIZE
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

void seal_secret_free(SealSecret *secret)
{
    if (!secret)
        return;
    sodium_free(secret->data);
    g_free(secret);
}

static gboolean refuse_secret(const char *path, GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "secret file %s: %s", path, why);
    return FALSE;
}

/* What was opened is what is judged, so that a swapped file cannot pass. */
static gboolean check_file(const char *path, int fd, gsize *size, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return refuse_secret(path, error, g_strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse_secret(path, error, "not a regular file");
    if (st.st_mode & (S_IROTH | S_IWOTH)) {
        g_autofree char *why = g_strdup_printf("its mode is %04o, so that others can read or write "
                                               "it; it has to be 0600, or 0640 with "
                                               "the group of the user that sealpipe runs as",
                                               st.st_mode & 07777);
        return refuse_secret(path, error, why);
    }
    if (st.st_size > MAX_SECRET)
        return refuse_secret(path, error,
                             "larger than 64 KiB, the most that a secret file may have");
    *size = (gsize)st.st_size;
    return TRUE;
}

SealSecret *seal_secret_read(const char *path, GError **error)
{
    gsize size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        refuse_secret(path, error, g_strerror(errno));
        return NULL;
    }

    g_autoptr(SealSecret) secret = NULL;
    if (check_file(path, fd, &size, error))
        secret = secret_new(size, error);
    gssize got = secret ? seal_fd_read(fd, secret->data, secret->size) : 0;
    if (secret && got != (gssize)secret->size) {
        refuse_secret(path, error,
                      got < 0 ? g_strerror(errno) : "it became shorter while it was read");
        g_clear_pointer(&secret, seal_secret_free);
    }
    close(fd);
    return g_steal_pointer(&secret);
}

SealSecret *seal_secret_first_line(const SealSecret *secret, GError **error)
{
    const guint8 *end = memchr(secret->data, '\n', secret->size);
    gsize length = end ? (gsize)(end - secret->data) : secret->size;

    if (length > 0 && secret->data[length - 1] == '\r')
        length--;

    SealSecret *line = secret_new(length, error);
    if (line)
        memcpy(line->data, secret->data, length);
    return line;
}

const guint8 *seal_secret_data(const SealSecret *secret)
{
    return secret->data;
}

gsize seal_secret_size(const SealSecret *secret)
{
    return secret->size;
}

/* -------------------------------------------------------------------------------------------
 * From the terminal
 */

/* To the end of the line; FALSE where the terminal ends before. */
static gboolean read_line(int fd, SealSecret *line)
{
    gsize done = 0;
    guint8 byte = 0;

    while (done < line->size) {
        ssize_t got = read(fd, &byte, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FALSE;
        if (byte == '\n') {
            line->size = done;
            return TRUE;
        }
        line->data[done++] = byte;
    }
    return FALSE;
}

SealSecret *seal_secret_ask(const char *prompt, GError **error)
{
    enum { MAX_LINE = 1024 };
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, silent;
    gboolean got = FALSE;

    if (fd < 0 || tcgetattr(fd, &before) < 0) {
        if (fd >= 0)
            close(fd);
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                            "there is no terminal to ask for the passphrase; name a file that "
                            "has it");
        return NULL;
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    silent.c_lflag |= ECHONL;

    g_autoptr(SealSecret) line = secret_new(MAX_LINE, error);
    if (line && tcsetattr(fd, TCSAFLUSH, &silent) == 0) {
        got = seal_fd_write(fd, prompt, strlen(prompt)) && read_line(fd, line);
        tcsetattr(fd, TCSAFLUSH, &before);
    }
    close(fd);
    if (line && !got)
        g_set_error_literal(
            error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
            "one line of 1 to 1023 octets was expected as passphrase, and another or "
            "none was typed");
    return got ? g_steal_pointer(&line) : NULL;
}
