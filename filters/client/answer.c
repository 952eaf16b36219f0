/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/client/answer.h"

#include "filters/client/io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LIMIT_MAX 86400000 /* a day: nothing honest asks for more */
#define ENDS_MAX  255      /* an exit status */

static void arm_answer(SealAnswer *answer, int64_t limit)
{
    answer->limit = limit;
    answer->due = seal_io_now_ms() + limit;
}

void seal_answer_begin(SealAnswer *answer, int64_t limit)
{
    *answer = (SealAnswer){.status = -1, .file = -1, .log.file = -1};
    arm_answer(answer, limit);
}

void seal_answer_clear(SealAnswer *answer)
{
    seal_io_close(&answer->file);
    for (size_t i = 0; i < answer->n_pieces; i++)
        seal_io_close(&answer->pieces[i].file);
    answer->n_pieces = 0;
    seal_io_close(&answer->log.file);
}

void seal_answer_fail(SealAnswer *answer, const char *format, ...)
{
    va_list args;

    if (answer->fault[0])
        return;
    va_start(args, format);
    vsnprintf(answer->fault, sizeof answer->fault, format, args);
    va_end(args);
}

int seal_answer_time_left(const SealAnswer *answer)
{
    int64_t left = answer->due - seal_io_now_ms();

    return left > 0 ? (int)left : 0;
}

/* -------------------------------------------------------------------------------------------
 * Records. Each takes the descriptor that it has use for; another one is a fault.
 */

static bool read_number(const char *text, size_t size, uint64_t max, uint64_t *ret)
{
    return seal_io_number(text, size, 10, max, ret);
}

/* It is said before the message is read: what is told then is the configuration's word. */
static bool take_log(SealAnswer *answer, const char *text, size_t size, int *file)
{
    static const char *const targets[] = {
        [SEAL_CLIENT_LOG_SYSLOG] = "syslog",
        [SEAL_CLIENT_LOG_JOURNAL] = "journal",
        [SEAL_CLIENT_LOG_FILE] = "file",
    };
    SealClientLog *log = &answer->log;
    uint64_t level;

    if (answer->begun || size < 2 || text[1] != ' ' ||
        !read_number(text, 1, SEAL_CLIENT_DEBUG, &level))
        return false;
    seal_io_close(&log->file);
    log->target = SEAL_CLIENT_LOG_UNKNOWN;
    for (size_t i = SEAL_CLIENT_LOG_SYSLOG; i < sizeof targets / sizeof *targets; i++) {
        if (size - 2 == strlen(targets[i]) && memcmp(text + 2, targets[i], size - 2) == 0)
            log->target = i;
    }
    log->level = (SealClientLevel)level;
    if (log->target == SEAL_CLIENT_LOG_FILE) {
        log->file = *file;
        *file = -1;
        return log->file >= 0;
    }
    return log->target != SEAL_CLIENT_LOG_UNKNOWN;
}

static bool take_text(SealAnswer *answer, const char *text, size_t size)
{
    if (answer->text_size > 0)
        return false;
    memcpy(answer->text, text, size);
    answer->text_size = size;
    return true;
}

/* One that can be read without waiting for anybody. */
static bool take_file(SealAnswer *answer, int *file)
{
    struct stat info;

    if (answer->file >= 0 || answer->n_pieces > 0 || *file < 0 || fstat(*file, &info) != 0 ||
        !S_ISREG(info.st_mode))
        return false;
    answer->file = *file;
    *file = -1;
    return true;
}

/* Likewise, and no more than is there. */
static bool take_piece(SealAnswer *answer, const char *text, size_t size, int *file)
{
    const char *blank = memchr(text, ' ', size);
    size_t first = blank ? (size_t)(blank - text) : 0;
    SealPiece piece = {.file = *file};
    struct stat info;

    if (!blank || answer->file >= 0 || answer->n_pieces == SEAL_EXCHANGE_PIECES || *file < 0 ||
        !read_number(text, first, INT64_MAX, &piece.from) ||
        !read_number(blank + 1, size - first - 1, INT64_MAX, &piece.size) ||
        fstat(*file, &info) != 0 || !S_ISREG(info.st_mode) || piece.size == 0 ||
        piece.from > (uint64_t)info.st_size || piece.size > (uint64_t)info.st_size - piece.from)
        return false;
    answer->pieces[answer->n_pieces++] = piece;
    *file = -1;
    return true;
}

static bool take_record(SealAnswer *answer, const char *text, size_t size, int *file)
{
    const char *rest = size > 2 ? text + 2 : "";
    size_t left = size > 2 ? size - 2 : 0;
    uint64_t number = 0;

    /* Behind E nothing may follow. */
    if (answer->status >= 0 || answer->refused || (size > 1 && text[1] != ' '))
        return false;
    switch (text[0]) {
    case 'N':
        answer->refused = true;
        return size == 1 && !answer->begun;
    case 'L':
        return take_log(answer, rest, left, file);
    case 'A':
        if (!read_number(rest, left, LIMIT_MAX, &number))
            return false;
        answer->begun = true;
        arm_answer(answer, (int64_t)number);
        return true;
    case 'T':
        return size > 1 && take_text(answer, rest, left);
    case 'F':
        return size == 1 ? take_file(answer, file) : take_piece(answer, rest, left, file);
    case 'E':
        if (!read_number(rest, left, ENDS_MAX, &number))
            return false;
        answer->status = (int)number;
        return true;
    default:
        return false;
    }
}

bool seal_answer_read(SealAnswer *answer, int socket, const char *who, bool *ended)
{
    char text[SEAL_EXCHANGE_TEXT_MAX + 2];
    int file = -1;
    ssize_t size = seal_record_receive(socket, text, sizeof text, &file, 1);
    bool ok;

    *ended = size == 0 || (size < 0 && errno == ECONNRESET);
    if (*ended || (size < 0 && errno == EAGAIN))
        return false;
    if (size < 0 && errno != EPROTO) {
        seal_answer_fail(answer, "%s cannot be listened to: %s", who, strerror(errno));
        return false;
    }
    ok = size > 0 && (size_t)size <= sizeof text &&
         take_record(answer, text, (size_t)size, &file) && file < 0;
    seal_io_close(&file);
    if (!ok)
        seal_answer_fail(answer, "%s sent a malformed record", who);
    return ok;
}
