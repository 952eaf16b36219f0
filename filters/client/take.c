/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/take.h"

#include "filters/client/exchange.h"
#include "filters/client/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_S 300 /* for one wait on the other end of a pipe */
#define PIECE  (256 * 1024)

/* -------------------------------------------------------------------------------------------
 * Standard input
 */

static int open_memory(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC);
}

/* A file without a name, so that nothing is left behind however the process ends. */
static int open_unlinked(const char *dir)
{
    char name[SEAL_CLIENT_CONF_PATH + 32];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    snprintf(name, sizeof name, "%s/sealpipe-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static bool copy_file(int from, int to, uint64_t size)
{
    off_t at = 0;

    while ((uint64_t)at < size) {
        ssize_t done = sendfile(to, from, &at, (size_t)(size - (uint64_t)at));

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
    }
    return true;
}

/* What is too large for memory. */
static bool move_to_file(const SealClientConf *conf, int *file, uint64_t size)
{
    int larger = open_unlinked(conf->spool_dir);

    if (larger < 0 || !copy_file(*file, larger, size)) {
        seal_io_close(&larger);
        return false;
    }
    seal_io_close(file);
    *file = larger;
    return true;
}

/* 0 at the end, -1 where it cannot be read or nothing comes. */
static ssize_t read_input(char *bytes, size_t size)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    ssize_t got;

    do {
        /* Where it cannot be waited for so, it is read all the same. */
        if (poll(&ready, 1, IDLE_S * 1000) == 0) {
            errno = ETIME;
            return -1;
        }
        got = read(STDIN_FILENO, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

void seal_take_nothing(void)
{
    char bytes[16384];

    while (read_input(bytes, sizeof bytes) > 0)
        ;
}

/* Exim takes a filter that did not read all of its input for a broken one, or for a good one with
 * a short message, depending on the transport. Neither is wanted. */
int seal_take_message(const SealClientConf *conf, const char **why)
{
    char *bytes = malloc(PIECE);
    char few[4096];
    int file = open_memory("message");
    uint64_t size = 0;
    bool in_memory = true;
    ssize_t got;

    *why = file < 0 ? "cannot make a file in memory for the message" : NULL;
    while ((got = read_input(bytes ? bytes : few, bytes ? PIECE : sizeof few)) > 0) {
        if (*why)
            continue;
        if (in_memory && size + (uint64_t)got > conf->spool_memory) {
            in_memory = false;
            if (!move_to_file(conf, &file, size))
                *why = "cannot make a temporary file for the message in [core] spool_dir";
        }
        if (!*why && !seal_io_write(file, bytes ? bytes : few, (size_t)got))
            *why = "cannot write the message to a temporary file; see [core] spool_dir";
        size += (uint64_t)got;
    }
    if (got < 0)
        *why = "the message cannot be read to its end from standard input";
    if (*why)
        seal_io_close(&file);
    free(bytes);
    return file;
}

int seal_take_words(int argc, char **argv, const char **why)
{
    int file = open_memory("words");
    size_t size = 0;
    bool ok = file >= 0;

    for (int i = 1; ok && i < argc; i++) {
        size_t length = strlen(argv[i]) + 1;

        size += length;
        ok = size <= SEAL_EXCHANGE_WORDS && seal_io_write(file, argv[i], length);
    }
    if (!ok) {
        *why = size > SEAL_EXCHANGE_WORDS ? "the command line is too long"
                                          : "cannot make a file in memory for the command line";
        seal_io_close(&file);
    }
    return file;
}

/* -------------------------------------------------------------------------------------------
 * Standard output
 */

static volatile sig_atomic_t alarm_came;

static void note_alarm(int number)
{
    (void)number;
    alarm_came = 1;
}

/* A pipe takes the file's pages as they are; other files are copied. */
static ssize_t give_piece(int file, off_t *at, size_t size)
{
    char bytes[16384];
    ssize_t done = sendfile(STDOUT_FILENO, file, at, size);

    if (done >= 0 || (errno != EINVAL && errno != ENOSYS))
        return done;
    done = pread(file, bytes, size < sizeof bytes ? size : sizeof bytes, *at);
    if (done > 0)
        done = write(STDOUT_FILENO, bytes, (size_t)done);
    if (done > 0)
        *at += done;
    return done;
}

static bool give_range(int file, off_t at, uint64_t size)
{
    while (size > 0) {
        ssize_t done;

        alarm(IDLE_S);
        done = give_piece(file, &at, size < PIECE ? (size_t)size : PIECE);
        if (alarm_came) {
            errno = ETIME;
            return false;
        }
        if (done == 0)
            errno = EIO;
        if (done == 0 || (done < 0 && errno != EINTR))
            return false;
        size -= done > 0 ? (uint64_t)done : 0;
    }
    return true;
}

static bool give_all(const SealAnswer *answer)
{
    struct stat info;

    for (size_t i = 0; i < answer->n_pieces; i++) {
        const SealPiece *piece = &answer->pieces[i];

        if (!give_range(piece->file, (off_t)piece->from, piece->size))
            return false;
    }
    return answer->n_pieces > 0 ||
           (fstat(answer->file, &info) == 0 && give_range(answer->file, 0, (uint64_t)info.st_size));
}

bool seal_give_answer(const SealAnswer *answer)
{
    struct sigaction action = {.sa_handler = note_alarm}; /* without SA_RESTART */
    struct sigaction before;
    bool ok;

    if (sigaction(SIGALRM, &action, &before) != 0)
        return false;
    ok = give_all(answer);
    alarm(0);
    sigaction(SIGALRM, &before, NULL);
    return ok;
}
