/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answer.h: what a worker has said so far, record by record; see exchange.h.
 */
#pragma once

#include "filters/client/exchange.h"

typedef enum {
    SEAL_CLIENT_ERROR,
    SEAL_CLIENT_WARNING,
    SEAL_CLIENT_INFO,
    SEAL_CLIENT_DEBUG,
} SealClientLevel;

/** Where the worker's log goes. */
typedef struct {
    enum {
        SEAL_CLIENT_LOG_UNKNOWN, /**< the worker has not said so */
        SEAL_CLIENT_LOG_SYSLOG,
        SEAL_CLIENT_LOG_JOURNAL,
        SEAL_CLIENT_LOG_FILE,
    } target;
    SealClientLevel level; /**< what is less grave is not written */
    int file;              /**< -1 where it is no file */
} SealClientLog;

/** Of the result, within a file. */
typedef struct {
    int file;
    uint64_t from;
    uint64_t size;
} SealPiece;

typedef struct {
    int status;    /**< the one that was named, or -1 */
    bool refused;  /**< not mine */
    bool begun;    /**< the timer was armed */
    int64_t limit; /**< what it was armed to, in milliseconds */
    int64_t due;
    int file;                               /**< the result, or -1 */
    SealPiece pieces[SEAL_EXCHANGE_PIECES]; /**< or it is these */
    size_t n_pieces;
    char text[SEAL_EXCHANGE_TEXT_MAX];
    size_t text_size;
    SealClientLog log;
    char fault[192]; /**< the first one; "" for none */
} SealAnswer;

/** One in which nothing has been said, with the timer armed to @limit milliseconds. */
void seal_answer_begin(SealAnswer *answer, int64_t limit);
/** Closes its files. */
void seal_answer_clear(SealAnswer *answer);
/** Takes one record in. @who ("the runner") is for the fault. FALSE: there is none, at least for
 *  now, or there is a fault; *@ended: nothing will come any more. */
bool seal_answer_read(SealAnswer *answer, int socket, const char *who, bool *ended);
/** The first fault counts: what follows is its consequence. */
void seal_answer_fail(SealAnswer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Milliseconds until it counts as dead. */
int seal_answer_time_left(const SealAnswer *answer);
