/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * engine.h: what does the cryptography. One engine stands behind this: gpg, through GPGME.
 */
#pragma once

#include "key.h"

typedef struct PgpEngine PgpEngine;

/** @home: NULL for an empty one of our own. @tended: it is a folder of pgp_tend(). Takes
 *  @passphrase, NULL for the empty one. Neither opens nor starts anything. (transfer full) */
PgpEngine *pgp_engine_new(SealModule *self, const char *home, gboolean tended,
                          SealSecret *passphrase);
/** Stops what was started for a home of our own, and removes it. */
void pgp_engine_free(PgpEngine *engine);
/** Finds gpg, and what it can do, for this process and those that are forked from it. */
gboolean pgp_engine_prepare(GError **error);
/** Verifies @key. NULL where that was not possible. (transfer full) */
PgpJudgement *pgp_engine_judge(PgpEngine *engine, PgpKey *key, GError **error);
/** The fingerprint of a key in the operator's home that has a secret part there, and when the last
 *  of its parts that sign with one ends, or has ended; G_MAXINT64 for never. */
typedef void (*PgpSignerVisitor)(const char *fingerprint, gint64 until, gpointer user_data);
/** Calls @visit for each of them, by gpg's word. */
gboolean pgp_engine_visit_signers(PgpEngine *engine, PgpSignerVisitor visit, gpointer user_data,
                                  GError **error);
/** Verifies what @vouchers (PgpKey) say of @key: what is `vouched` in the judgement, and nothing
 *  else there. @clock: the time as it is to be there; zero for the real one. NULL where that was
 * not possible. (transfer full) */
PgpJudgement *pgp_engine_ask_vouchers(PgpEngine *engine, const PgpKey *key, GPtrArray *vouchers,
                                      gint64 clock, GError **error);
/** Appends those of @keys (SealKey) to @signers that have made a good detached @signature of the
 *  canonical form of @text. Where there is none, *@why says why. FALSE where that was not possible.
 */
gboolean pgp_engine_verify(PgpEngine *engine, GPtrArray *keys, SealContent *text, GBytes *signature,
                           GCancellable *cancellable, GPtrArray *signers, char **why,
                           GError **error);
/** Encrypts, signs, or both: encrypts where @sealing has keys, signs where it has a signer. What is
 *  made is armour, written to @spool. Success means that all of the entity was read, and that the
 *  engine says it has come to its end. *@hash (RFC 4880 9.4) is what was signed with, if anything;
 *  it may be NULL. (transfer full) */
SealContent *pgp_engine_make(PgpEngine *engine, const SealSealing *sealing, GOutputStream *spool,
                             guint *hash, GCancellable *cancellable, GError **error);
/** Decrypts the armoured message @armor with what is in the operator's home. SEAL_ERROR_KEY where
 *  that has no key for it. (transfer full) */
SealContent *pgp_engine_open(PgpEngine *engine, SealContent *armor, GOutputStream *spool,
                             GCancellable *cancellable, GError **error);
/** Has gpg import private keys into the operator's home; they keep their passphrase. *@taken: how
 *  many are there now. */
gboolean pgp_engine_install(PgpEngine *engine, GBytes *data, const SealSecret *passphrase,
                            guint *taken, GError **error);
