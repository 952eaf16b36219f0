/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.h: an OpenPGP key: what its octets say, and what gpg has verified of it.
 */
#pragma once

#include "packets.h"

typedef struct {
    char fingerprint[2 * PGP_FINGERPRINT + 1];
    char id[2 * PGP_KEY_ID + 1];
    guint8 algorithm;
    gint64 created;
} PgpSubkey;

/** What gpg has verified of a subkey. */
typedef struct {
    gboolean encrypts;
    gboolean signs;
    gboolean dead;   /**< revoked, disabled or not properly bound */
    gboolean secret; /**< its secret part is in the home */
    gint64 created;
    gint64 expires; /**< zero: never */
    char fingerprint[2 * PGP_FINGERPRINT + 1];
} PgpJudgedSubkey;

/** What gpg has verified of a key. Shared: it is not changed any more. */
typedef struct {
    guint references;
    gboolean known; /**< FALSE: there is no such key, or nothing of it is valid */
    gboolean revoked;
    gboolean disabled;
    gboolean invalid;
    GArray *subkeys;      /**< PgpJudgedSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that are bound and not revoked */
    gpointer own;         /**< the engine's */
    GDestroyNotify own_free;
} PgpJudgement;

PgpJudgement *pgp_judgement_new(void);
PgpJudgement *pgp_judgement_ref(PgpJudgement *judgement);
/** NULL is allowed. */
void pgp_judgement_unref(PgpJudgement *judgement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgpJudgement, pgp_judgement_unref)

/** The native part of a SealKey. */
typedef struct {
    GByteArray *octets;   /**< the key, without what others have certified */
    GArray *subkeys;      /**< PgpSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that the key itself claims to have signed, ever */
    GArray *bound_until;  /**< gint64 for each of them: when the newest such signature ends */
    char *label;
    gint64 valid_until;
    guint certifications; /**< by others, left out */
    gboolean flooded;
    gboolean revoked_by_other;
    PgpPreferences preferences;
    gboolean in_home;       /**< a copy of it is in the home */
    gboolean merged;        /**< of several copies */
    gboolean is_revocation; /**< no key: revocations of the key of that fingerprint or id alone */
    char revokes[2 * PGP_FINGERPRINT + 1]; /**< that fingerprint or key id */
    PgpJudgement *judgement;               /**< the last one, or NULL */
    char *digest;                          /**< of the octets, once it was asked for */
} PgpKey;

PgpKey *pgp_key_new(void);
void pgp_key_free(PgpKey *key);
/** Tells its octets from all others. (borrowed) */
const char *pgp_key_digest(PgpKey *key);
/** Not of a revocation. */
const PgpSubkey *pgp_key_primary(const PgpKey *key);
/** The mailbox in a user id, or NULL. (transfer full) */
char *pgp_user_id_address(const char *text);
