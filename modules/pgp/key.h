/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.h: an OpenPGP key: what its octets say, and what gpg has verified of it.
 */
#pragma once

#include "packets.h"

enum { PGP_HEAD = 6 }; /* octets before a packet in a PgpKey: tag, 255, length */

typedef struct {
    char fingerprint[2 * PGP_LONG_FINGERPRINT + 1];
    char id[2 * PGP_KEY_ID + 1];
    guint8 version;
    guint8 algorithm;
    gboolean known; /**< gpg can use it, of all that it may be */
    gint64 created;
    gint64 encrypts_until; /**< of one that is not known, as it says itself; zero: not at all */
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

/** What gpg has verified of another key's word for a user id: the newest. */
typedef struct {
    char *address; /**< in that user id */
    char by[2 * PGP_KEY_ID + 1];
    gint64 created;
    gint64 expires; /**< zero: never */
} PgpVouched;

/** What gpg has verified of a key. Shared: it is not changed any more. */
typedef struct {
    guint references;
    gboolean known; /**< FALSE: there is no such key, or nothing of it is valid */
    gboolean revoked;
    gboolean disabled;
    gboolean invalid;
    GArray *subkeys;      /**< PgpJudgedSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that are bound and not revoked */
    GArray *vouched;      /**< PgpVouched, where it was asked about others' word */
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
    GByteArray *octets;   /**< the key, with few of others' certifications */
    GByteArray *bare;     /**< see pgp_key_bare() */
    GArray *subkeys;      /**< PgpSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that the key itself claims to have signed, ever */
    GArray *bound_until;  /**< gint64 for each of them: when the newest such signature ends */
    char *label;
    gint64 valid_until;
    guint certifications; /**< by others, left out */
    gboolean overwhelmed; /**< with others' certifications or their revocations: none counts */
    gboolean flooded;
    char *unsupported; /**< what gpg lacks for the whole of it; or NULL */
    gboolean revoked_by_other;
    gboolean says_revoked; /**< of one that gpg does not judge: by itself */
    PgpPreferences preferences;
    gboolean in_home;       /**< a copy of it is in the home */
    gboolean merged;        /**< of several copies */
    gboolean is_revocation; /**< no key: revocations of the key of that fingerprint or id alone */
    char revokes[2 * PGP_LONG_FINGERPRINT + 1]; /**< that fingerprint or key id */
    PgpJudgement *judgement;                    /**< the last one, or NULL */
    char *digest;                               /**< of the octets, once it was asked for */
} PgpKey;

PgpKey *pgp_key_new(void);
void pgp_key_free(PgpKey *key);
/** Tells its octets from all others. (borrowed) */
const char *pgp_key_digest(PgpKey *key);
/** Its octets as gpg is to judge and use them: without others' certifications, and without subkeys
 *  that gpg would refuse the whole key for. (borrowed) */
GByteArray *pgp_key_bare(PgpKey *key);
/** Its octets without others' certifications. (transfer full) */
GByteArray *pgp_key_own(const PgpKey *key);
/** Its primary key, user ids and all signatures over them: what others' word is verified with.
 *  (transfer full) */
GByteArray *pgp_key_names(const PgpKey *key);
/** TRUE where signatures over its user ids name one of @ids (8 octets each) as theirs. */
gboolean pgp_key_is_certified_by(const PgpKey *key, const GByteArray *ids);
/** Not of a revocation. */
const PgpSubkey *pgp_key_primary(const PgpKey *key);
/** What an algorithm is called (RFC 9580 9.1 and later drafts), with its number. (transfer full) */
char *pgp_algorithm_name(guint8 algorithm);
/** TRUE where gpg, as Debian has it, can use such a key. */
gboolean pgp_is_known(guint8 version, guint8 algorithm);
/** The mailbox in a user id, or NULL. (transfer full) */
char *pgp_user_id_address(const char *text);
