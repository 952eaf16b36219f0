/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loop.h: waits for gpg in GPGME's place.
 */
#pragma once

#include <gio/gio.h>
#include <gpgme.h>

typedef struct {
    GPtrArray *watches; /* Watch, as GPGME asked for them */
    GPtrArray *keys;    /**< gpgme_key_t that were listed */
    gboolean done;
    gpgme_error_t problem;
} PgpLoop;

/** Has @ctx use the loop, which must outlive it. Call before an operation is started. */
void pgp_loop_init(PgpLoop *loop, gpgme_ctx_t ctx);
void pgp_loop_clear(PgpLoop *loop);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpLoop, pgp_loop_clear)
/** Waits until the operation that was started has ended. */
gpgme_error_t pgp_loop_run(PgpLoop *loop, gpgme_ctx_t ctx, GCancellable *cancellable);
