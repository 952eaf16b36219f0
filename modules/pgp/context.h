/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * context.h: what those who ask gpg through GPGME have in common.
 */
#pragma once

#include "engine.h"
#include "loop.h"

#include <gpgme.h>

struct PgpEngine {
    SealModule *self;
    char *home;             /* of the operator's, or NULL */
    gboolean tended;        /* by pgp_tend(): it has no agent, and nothing is written there */
    SealFolder *joined;     /* then: a home of our own, of what is there and the agent's socket */
    SealFolder *folder;     /* of our own: key files, and the home where there is no other */
    guint files;            /* made there so far */
    SealSecret *passphrase; /* or NULL: the empty one */
};

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_ctx_t, gpgme_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_data_t, gpgme_data_release, NULL)

/** What gpg reports. */
typedef struct {
    gboolean import_ended; /* it has seen the whole of the keys that it was to judge */
    gboolean told;         /* it has said something about a signature, or why it could not */
    gboolean no_such_key;
    gboolean end_encryption;
    guint cipher;
    gboolean integrity;
    guint signatures;
    guint hash;
    char signer[2 * PGP_FINGERPRINT + 1];
} PgpStatus;

/** Always FALSE, with @what and GPGME's text. */
gboolean pgp_fail_gpgme(GError **error, SealError code, const char *what, gpgme_error_t problem);
/** Writes gpg.conf into a folder that is to be a home. */
gboolean pgp_context_write_options(const SealFolder *folder, const char *options, GError **error);
/** Makes the engine's own folder, where there is none yet. */
gboolean pgp_context_make_folder(PgpEngine *engine, GError **error);
/** A context in @home that reports gpg's status lines to @status. */
gboolean pgp_context_open_in(const char *home, PgpStatus *status, PgpLoop *loop, gpgme_ctx_t *ctx,
                             GError **error);
/** @in_home: gpg needs what is in the operator's home, if there is one; else in one of our own. */
gboolean pgp_context_open(PgpEngine *engine, gboolean in_home, PgpStatus *status, PgpLoop *loop,
                          gpgme_ctx_t *ctx, GError **error);
/** Imports public keys into @home; gpg may refuse some of them. SEAL_ERROR_UNAVAILABLE, with @what.
 */
gboolean pgp_context_import(const char *home, const GByteArray *octets, const char *what,
                            GCancellable *cancellable, GError **error);
