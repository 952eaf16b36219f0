/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgp.h: what the files of the pgp module share.
 */
#pragma once

#include "core/sealpipe.h"

#define PGP_FORMAT "pgp"

/* -------------------------------------------------------------------------------------------
 * armor.c: octets, in ASCII armour (RFC 4880 6.2) or as they are, read piece by piece
 */

typedef enum {
    PGP_ARMOR_BEFORE, /* the line that begins it is still to come */
    PGP_ARMOR_HEADERS,
    PGP_ARMOR_DATA,
    PGP_ARMOR_SUM, /* the checksum has been read */
    PGP_ARMOR_AFTER,
} PgpArmorState;

typedef struct {
    GInputStream *in;
    GCancellable *cancellable;
    const char *label; /**< of the armour; NULL: there is none */
    gboolean among;    /**< blocks may stand among other text, and there may be several */
    PgpArmorState state;
    guint headers;
    guint32 crc;
    SealBase64 base64;
    gboolean ended; /**< @in has no more */
    gboolean cut;   /**< what comes next is the rest of a line that was too long */
    guint8 *raw;
    gsize raw_at;
    gsize raw_length;
    guint8 *data;
    gsize at;
    gsize length;
    const char *fault; /**< what is wrong with the bytes */
    GError *error;     /**< they could not be read */
} PgpOctets;

void pgp_octets_init(PgpOctets *octets, GInputStream *in, const char *label, gboolean among,
                     GCancellable *cancellable);
void pgp_octets_clear(PgpOctets *octets);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpOctets, pgp_octets_clear)
/** These return FALSE with fault or error set. @out may be NULL: the octets are passed over. */
gboolean pgp_octets_read(PgpOctets *octets, guint8 *out, guint64 length);
gboolean pgp_octets_ended(PgpOctets *octets, gboolean *ended);
/** Sets the fault. Always FALSE. */
gboolean pgp_octets_fail(PgpOctets *octets, const char *fault);

/* -------------------------------------------------------------------------------------------
 * packets.c: packets (RFC 4880 4.2) while they stream by
 */

enum {
    PGP_TAG_PKESK = 1,
    PGP_TAG_SIGNATURE = 2,
    PGP_TAG_SKESK = 3,
    PGP_TAG_SECRET_KEY = 5,
    PGP_TAG_PUBLIC_KEY = 6,
    PGP_TAG_SECRET_SUBKEY = 7,
    PGP_TAG_SED = 9, /* without integrity protection */
    PGP_TAG_MARKER = 10,
    PGP_TAG_TRUST = 12,
    PGP_TAG_USER_ID = 13,
    PGP_TAG_PUBLIC_SUBKEY = 14,
    PGP_TAG_USER_ATTRIBUTE = 17,
    PGP_TAG_SEIPD = 18,
    PGP_TAG_AEAD = 20, /* GnuPG 2.3's own */
    PGP_TAG_PADDING = 21,
};

enum {
    PGP_FINGERPRINT = 20, /* octets of a v4 key's */
    PGP_KEY_ID = 8,
};

typedef struct {
    PgpOctets *octets;
    guint8 tag;
    gboolean partial; /* more pieces follow the one in hand */
    guint64 left;     /* of the piece in hand */
} PgpPacket;

/** Goes to the next packet; *@none where there is no more. The one before must be read to its end.
 */
gboolean pgp_packet_next(PgpPacket *packet, PgpOctets *octets, gboolean *none);
gboolean pgp_packet_read(PgpPacket *packet, guint8 *out, guint64 length);
/** Passes over the rest and adds its octets to *@count, which may be NULL. */
gboolean pgp_packet_skip(PgpPacket *packet, guint64 *count);
/** Reads the rest; more than @max octets are a fault. */
gboolean pgp_packet_rest(PgpPacket *packet, GByteArray *out, gsize max);

/** What a signature says of itself; nothing of it is verified. */
typedef struct {
    guint8 type;
    guint8 hash;
    gboolean has_issuer;
    guint8 issuer[PGP_KEY_ID];
    gboolean has_issuer_fingerprint;
    guint8 issuer_fingerprint[PGP_FINGERPRINT];
    gint64 created;
    guint32 lives;     /**< seconds until the signature expires; zero for ever */
    guint32 key_lives; /**< likewise the key, from its creation */
    gboolean has_ciphers;
    gboolean aes; /**< among the preferred ciphers */
    gboolean has_hashes;
    guint hashes; /**< of the preferred ones, those of SHA-2: a bit for each number */
    gboolean has_revoker;
    guint8 revoker[PGP_KEY_ID];
} PgpSignature;

/** FALSE where it is no signature of a version known here. */
gboolean pgp_signature_read(PgpSignature *signature, const guint8 *data, gsize length);

/* -------------------------------------------------------------------------------------------
 * keys.c: transferable public keys (RFC 4880 11.1)
 */

typedef struct {
    char fingerprint[2 * PGP_FINGERPRINT + 1];
    char id[2 * PGP_KEY_ID + 1];
    guint8 algorithm;
    gint64 created;
} PgpSubkey;

typedef struct PgpJudgement PgpJudgement;

/** The native part of a SealKey. */
typedef struct {
    GByteArray *octets;   /**< the key, without what others have certified */
    GArray *subkeys;      /**< PgpSubkey, the primary key first */
    GPtrArray *addresses; /**< of user ids that the key itself has signed */
    char *label;
    gint64 valid_until;
    guint certifications; /**< by others, left out */
    guint own;            /**< signatures that the key seems to have made */
    gboolean flooded;
    gboolean revoked_by_other;
    gboolean has_ciphers;
    gboolean aes;
    gboolean has_hashes;
    guint hashes; /**< SHA-2 that its owner can verify: a bit for each number */
    gboolean in_home;
    PgpJudgement *judgement; /**< what the engine said of it, or NULL */
    gint64 judged;           /**< when: monotonic, microseconds */
} PgpKey;

void pgp_key_free(PgpKey *key);
/** Only what can be said without cryptography. */
typedef struct {
    GPtrArray *keys; /**< PgpKey */
    guint broken;
    guint secret;
    const char *fault; /**< of the last one that is broken */
} PgpRing;

void pgp_ring_clear(PgpRing *ring);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgpRing, pgp_ring_clear)
/** ASCII armour, octets, a keybox. Bytes that are something else give nothing. */
gboolean pgp_ring_read(PgpRing *ring, GBytes *data, GError **error);
/** Appends the ring's keys to @keys; the ring is empty then. */
void pgp_ring_to_keys(PgpRing *ring, SealModule *self, const SealOrigin *origin, gboolean in_home,
                      GPtrArray *keys);
/** The mailbox in a user id, or NULL. (transfer full) */
char *pgp_user_id_address(const char *text);
/** One line for people. (transfer full) */
char *pgp_line(const void *data, gsize length);
char *pgp_hex(const guint8 *data, gsize length);
/** "2026-01-31". (transfer full) */
char *pgp_date(gint64 seconds);

/* -------------------------------------------------------------------------------------------
 * home.c: the GnuPG home, and a folder for what is only needed for a moment
 */

/** May it be used? */
gboolean pgp_home_check(SealModule *self, const char *path, GError **error);
/** The public keys in it; FALSE where they cannot be read. None is no error. @state changes when
 *  they may have. */
gboolean pgp_home_read(const char *path, GBytes **data, GError **error);
char *pgp_home_state(const char *path);
/** A folder of our own, mode 0700. (transfer full) */
char *pgp_folder_make(GError **error);
void pgp_folder_remove(const char *path);

/* -------------------------------------------------------------------------------------------
 * The Format's calls, and the module's data
 */

typedef struct PgpEngine PgpEngine;

typedef struct {
    char *home;        /**< NULL: none of our own */
    char *signing_key; /**< upper-case fingerprint, or NULL for auto */
    PgpEngine *engine;
    GHashTable *ring; /**< of the home: address to a GPtrArray of SealKey */
    char *ring_state;
    SealTrust ring_trust; /**< of its keys */
} PgpModule;

gboolean pgp_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                  GError **error);
gboolean pgp_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                    SealDetection *detection, GError **error);
gboolean pgp_usable(SealModule *self, SealKey *key, SealPurpose purpose, gint64 at,
                    SealDecision *decision, GError **error);
SealContent *pgp_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error);
SealContent *pgp_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                      GError **error);
gboolean pgp_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                     GPtrArray *keys, GError **error);
gboolean pgp_lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                    GCancellable *cancellable, GPtrArray *keys, GError **error);
/** A boundary that nothing within can have. (transfer full) */
char *pgp_boundary(void);
/** Is @content one armoured message, whole, to exactly the keys of @sealing? */
gboolean pgp_check_made(SealContent *content, const SealSealing *sealing, GCancellable *cancellable,
                        GError **error);
