/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * engine.h: what does the cryptography. One engine stands behind this: gpg, through GPGME.
 */
#pragma once

#include "pgp.h"

/** What an engine has verified of a subkey. */
typedef struct {
    char fingerprint[2 * PGP_FINGERPRINT + 1];
    gboolean encrypts;
    gboolean signs;
    gboolean dead;   /**< revoked, disabled or not properly bound */
    gboolean secret; /**< its secret part is in the home */
    gint64 created;
    gint64 expires; /**< zero: never */
} PgpJudgedSubkey;

/** What an engine has verified of a key. */
struct PgpJudgement {
    gboolean known; /**< FALSE: there is no such key, or nothing of it is valid */
    gboolean revoked;
    gboolean disabled;
    gboolean invalid;
    GArray *subkeys;      /**< PgpJudgedSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that are bound and not revoked */
    gpointer own;         /**< the engine's */
    GDestroyNotify own_free;
};

void pgp_judgement_free(PgpJudgement *judgement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgpJudgement, pgp_judgement_free)

/** What was made, as the engine says. */
typedef struct {
    guint cipher; /**< RFC 4880 9.2 */
    guint hash;   /**< RFC 4880 9.4 */
    gboolean integrity;
    char signer[2 * PGP_FINGERPRINT + 1]; /**< the fingerprint of the subkey that signed */
} PgpMade;

/** What is to be made of what. */
typedef struct {
    GPtrArray *keys; /**< SealKey; NULL where nothing is encrypted */
    PgpKey *signer;  /**< or NULL */
    gboolean hide;
    SealContent *entity; /**< read in canonical form */
    GOutputStream *out;  /**< gets the armour */
} PgpTask;

/** @home: NULL for an empty one of our own. Neither opens nor starts anything. (transfer full) */
PgpEngine *pgp_engine_new(const char *home, SealSecret *passphrase);
/** Stops what was started for a home of our own, and removes it. */
void pgp_engine_free(PgpEngine *engine);
/** Verifies @key and sets its judgement. FALSE where that was not possible. */
gboolean pgp_engine_judge(PgpEngine *engine, PgpKey *key, GError **error);
/** Encrypts, signs, or both. Success means that all of the entity was read, and that the engine
 * says it has come to its end. */
gboolean pgp_engine_make(PgpEngine *engine, const PgpTask *task, PgpMade *made,
                         GCancellable *cancellable, GError **error);
