/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * worker.h: does the work of one call of a client, for the runner, which does one, and for the
 * daemon's workers, which do many; and the worker's side of the exchange
 * (filters/client/exchange.h).
 */
#pragma once

#include "core/frontend.h"

/** Exit codes (sysexits.h): the only ones that a client passes on. */
enum {
    WORKER_OK = 0,
    WORKER_REFUSED = 69, /* EX_UNAVAILABLE */
    WORKER_DEFER = 75,   /* EX_TEMPFAIL */
};

/** Begins an exchange over @socket; -1: there is nobody at its other end. The last is over. */
void worker_exchange_begin(int socket);
/** Hears of each arming, too, beside the client: who ends this process where it does not go on. */
void worker_exchange_watch(void (*watch)(gint64 usec));
/** Whether who was told of *@told, a time (monotonic, 0: of none), has to hear that it is @usec
 *  microseconds from now; then that is what he was told of. */
gboolean worker_is_news(gint64 *told, gint64 usec);
/** Tells the client to take this for dead unless it hears again within @usec microseconds. */
void worker_arm(gint64 usec);
/** Arms for one wait on a disk; cheap enough to be called before each. */
void worker_arm_idle(void);
/** Tells the client where the log goes, for what it has to say itself. Before the first that arms.
 */
void worker_tell_log(void);
/** Tells it what there is to say, at most SEAL_EXCHANGE_TEXT_MAX octets of it. */
void worker_tell_text(const char *text);
/** Gives it the result. */
gboolean worker_give_file(int file, GError **error);
gboolean worker_give_content(const SealService *service, SealContent *content, GError **error);
/** Tells it that this is the status: without it an ending is no answer, since every library can
 *  call exit(). The last that is done. Where the client cannot be told, WORKER_DEFER. */
int worker_end(int status);
