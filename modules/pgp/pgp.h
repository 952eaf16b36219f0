/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgp.h: the module's data, and what its tables call.
 */
#pragma once

#include "agent.h"
#include "engine.h"
#include "home.h"
#include "judged.h"

#define PGP_FORMAT "pgp"

typedef struct {
    char *home;    /**< where its public keys are read; NULL: there is none for this process */
    char *missing; /**< why there is none, where one is configured; or NULL */
    PgpEngine *engine;
    PgpJudged *judged;
    GPtrArray *introducers;   /**< fingerprints, lower case; none where nobody is */
    GByteArray *named;        /**< their key ids, 8 octets each */
    SealKeyIndex *certifiers; /**< keys in files, some of them the introducers' */
    SealKeyIndex *ring;       /**< the keys of the home, once they were read */
    GPtrArray *ring_keys;     /**< likewise, of SealKey; or NULL */
    char *ring_state;         /**< that of the home then */
    char *seen_state;         /**< and when changes were asked for last */
    guint64 changes;
} PgpModule;

/* The calls of the Format. */
gboolean pgp_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                  GError **error);
gboolean pgp_usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                    gint64 at, SealDecision *decision, GError **error);
SealKey *pgp_merge(SealModule *self, GPtrArray *copies, GError **error);
SealContent *pgp_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error);
SealContent *pgp_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                      GError **error);
gboolean pgp_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                     GPtrArray *keys, GError **error);
/** TRUE where signing_key does not keep the key in the home from signing. */
gboolean pgp_may_sign(SealModule *self, const char *fingerprint);
/** own.c: the keys of the home that sign, and introducers. */
gboolean pgp_own(SealModule *self, SealOwnVisitor visit, gpointer user_data, GError **error);
SealContent *pgp_open(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                      SealDetection *detection, GError **error);
gboolean pgp_verify(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                    GPtrArray *signers, char **why, GError **error);
gboolean pgp_import(SealModule *self, GBytes *data, const SealSecret *passphrase,
                    const SealOrigin *origin, SealKeyImport *import, GError **error);
gboolean pgp_install(SealModule *self, GBytes *data, const SealSecret *passphrase, const char *name,
                     guint *count, char **where, GError **error);
GBytes *pgp_write(SealModule *self, SealKey *key, GError **error);
gboolean pgp_prove(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                   SealProven *proven, char **by, GError **error);
gboolean pgp_succeeds(SealModule *self, SealKey *old, SealKey *key, SealAddress *address, gint64 at,
                      gboolean *succeeds, char **why, GError **error);
/* That of the key source. */
gboolean pgp_lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                    GCancellable *cancellable, GPtrArray *keys, char **doubt, GError **error);

gboolean pgp_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                  gpointer user_data, GError **error);
gboolean pgp_copies(SealModule *self, SealKey *key, SealTrust trust, GCancellable *cancellable,
                    GPtrArray *keys, GError **error);

guint64 pgp_changes(SealModule *self, SealAddress *address, const char *format);

/** Reads the settings on introducers. */
gboolean pgp_load_introducers(SealModule *self, PgpModule *module, GError **error);
/** Calls @visit with those that are somewhere. */
void pgp_visit_introducers(SealModule *self, SealOwnVisitor visit, gpointer user_data);
/** FALSE where one of them is nowhere, or vouches for nobody. */
gboolean pgp_check_introducers(SealModule *self, GError **error);
/** Reads the ring of the home, if that is set and has changed. SEAL_ERROR_UNAVAILABLE. */
gboolean pgp_load_ring(SealModule *self, GError **error);
/** Appends the keys that are in ASCII armour, octets or a keybox. Those that cannot be read are an
 *  error; in the home only where the ring is not whole. */
gboolean pgp_read_keys(SealModule *self, GBytes *data, const SealOrigin *origin, gboolean in_home,
                       GPtrArray *keys, GError **error);
/** A block of ASCII armour, with what stands between it and the next. */
typedef struct {
    GBytes *octets;
    char *label;      /**< "PUBLIC KEY BLOCK" */
    gboolean laid_by; /**< a colon before its dashes keeps it from use */
} PgpBlock;

/** Goes to the next one from *@at on, in place of what is in @block; FALSE where there is none. */
gboolean pgp_block_next(GBytes *data, gsize *at, PgpBlock *block);
void pgp_block_clear(PgpBlock *block);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpBlock, pgp_block_clear)
/** (transfer full) Takes @key. */
SealKey *pgp_seal_key(PgpKey *key, const SealOrigin *origin);
/** PGP/MIME with @armor in it (RFC 3156 4). (transfer full) */
SealContent *pgp_mime_encrypted(SealContent *armor);
/** PGP/MIME with @entity and its @signature (RFC 3156 5). (transfer full) */
SealContent *pgp_mime_signed(SealContent *entity, SealContent *signature, guint hash);
