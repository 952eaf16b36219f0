/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * smime.h: what the files of the smime module share.
 */
#pragma once

#include "core/sealpipe.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define SMIME_FORMAT "smime"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ALGOR, X509_ALGOR_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE_CTX, X509_STORE_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

/** A stack of certificates and a reference to each. */
typedef STACK_OF(X509) SmimeCerts;

static inline void smime_certs_free(SmimeCerts *certs)
{
    sk_X509_pop_free(certs, X509_free);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmimeCerts, smime_certs_free)

/* -------------------------------------------------------------------------------------------
 * openssl.c: memory, errors, names, times
 */

/** Starts OpenSSL, in either half, and lets it allocate as GLib does, which ends the process where
 *  there is no memory: else a certificate would seem broken, and its owner to have none. Before
 *  anything else of OpenSSL. */
gboolean smime_start(SealModule *self, GError **error);
/** Sets SEAL_ERROR @code: the text, then what OpenSSL says; empties its error queue. */
void smime_set_error(GError **error, SealError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** A name in one line, for people: control characters escaped, cut where it is endless.
 *  (transfer full) */
char *smime_name_text(const X509_NAME *name);
/** FALSE where it cannot be read. */
gboolean smime_time(const ASN1_TIME *time, gint64 *seconds);
/** SHA-256 of the DER form; NULL where there is none. (transfer full) */
GBytes *smime_cert_digest(X509 *cert);
/** "is:..." for an issuer and a serial number, "ski:..." for a key identifier: what detect() and
 *  a key's detected_ids have in common. (transfer full) */
char *smime_id_issuer_serial(const X509_NAME *issuer, const ASN1_INTEGER *serial);
char *smime_id_key(const ASN1_OCTET_STRING *key_id);

/* -------------------------------------------------------------------------------------------
 * certificate.c: what a certificate says
 */

/** What SMIMECapabilities (RFC 4262) announce; a set. */
typedef enum {
    SMIME_CAN_AES128_CBC = 1 << 0,
    SMIME_CAN_AES256_CBC = 1 << 1,
    SMIME_CAN_AES128_GCM = 1 << 2,
    SMIME_CAN_AES256_GCM = 1 << 3,
    SMIME_CAN_OAEP = 1 << 4,
} SmimeCan;

enum { SMIME_MAX_ADDRESSES = 10000 }; /* in one certificate */

#define SMIME_NO_KEY G_MAXUINT

/** The native part of a SealKey. */
typedef struct {
    X509 *cert;
    guint can;         /**< SmimeCan */
    guint private_key; /**< of the server's own keys: its number in the private half; else
                            SMIME_NO_KEY */
} SmimeKey;

/** A key made of @cert; @private_key is the number of its private key, or SMIME_NO_KEY. (transfer
 *  full) */
SealKey *smime_key_new(X509 *cert, guint private_key, const SealOrigin *origin);
/** Octets of salt that a signature by PSS has: as long as the digest (RFC 4056 3), or what the key
 *  asks for where that is more. */
int smime_pss_salt(X509 *cert, int digest_length);
/** TRUE where extendedKeyUsage is absent or allows mail. */
gboolean smime_cert_allows_mail(X509 *cert);

/* -------------------------------------------------------------------------------------------
 * bundle.c: bytes to certificates
 */

/** Goes from PEM block to block; begin with at and end. */
typedef struct {
    const char *at;
    const char *end;
    const char *begin; /**< of this block; it ends at @at */
    char *label;       /**< of this block */
    GBytes *der;       /**< its octets, NULL where it is broken */
} SmimePem;

void smime_pem_clear(SmimePem *pem);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SmimePem, smime_pem_clear)
/** Goes to the next block. FALSE: there is none. */
gboolean smime_pem_next(SmimePem *pem);

/** What was found. */
typedef struct {
    GPtrArray *certs; /**< element type X509 */
    guint broken;     /**< blocks that should hold some and do not */
    gsize trailing;   /**< octets after DER certificates that are none */
    GHashTable *seen; /**< digests of the octets of certificates: none is kept twice */
    gsize in_bags;    /**< certificates in PKCS#7, kept or not */
} SmimeBundle;

void smime_bundle_clear(SmimeBundle *bundle);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SmimeBundle, smime_bundle_clear)
void smime_bundle_init(SmimeBundle *bundle);
/** Adds what is in one PEM block, or in DER. FALSE where a bound is passed. */
gboolean smime_bundle_add_block(SmimeBundle *bundle, const char *label, GBytes *der,
                                GError **error);
gboolean smime_bundle_add_der(SmimeBundle *bundle, const guint8 *data, gsize length,
                              GError **error);
/** PEM, DER, PKCS#7. Bytes that are something else give nothing. FALSE where a bound is passed. */
gboolean smime_bundle_read(SmimeBundle *bundle, GBytes *data, GError **error);

typedef struct SmimeModule SmimeModule;
/** Takes what is in a file; @count says how many there were. */
typedef gboolean (*SmimeFileReader)(SmimeModule *module, GBytes *data, const char *path,
                                    guint *count, GError **error);
/** Has @reader read the files that @setting names, each of which should hold a @what
 * ("certificate").
 */
gboolean smime_read_setting(SealModule *self, const char *setting, const char *what,
                            SmimeFileReader reader, GError **error);

/* -------------------------------------------------------------------------------------------
 * pool.c: CA certificates that were met, for building chains; nothing is trusted for being here
 */

typedef struct SmimePool SmimePool;

SmimePool *smime_pool_new(void);
void smime_pool_free(SmimePool *pool);
/** Remembers a CA certificate, once. Those from sources that are not trusted cannot crowd out the
 *  others. */
void smime_pool_add(SmimePool *pool, X509 *cert, gboolean from_trusted);
/** How many there are. */
guint smime_pool_count(const SmimePool *pool);
/** The pool's own of @cert, or NULL. (borrowed) */
X509 *smime_pool_find(SmimePool *pool, X509 *cert);
/** The first certificate that has signed @cert, or NULL. (borrowed) */
X509 *smime_pool_issuer(SmimePool *pool, X509 *cert);
/** The certificates that may stand between @cert and an anchor: each has signed one before it.
 *  (transfer full) */
SmimeCerts *smime_pool_path(SmimePool *pool, X509 *cert);

/* -------------------------------------------------------------------------------------------
 * crl.c: revocation lists; crl.h has the rest
 */

/** As the words stand in the setting's range. */
typedef enum {
    SMIME_CRL_OFF,
    SMIME_CRL_SOFT,
    SMIME_CRL_HARD,
} SmimeCrlMode;

/** What lists say of a certificate or a chain, the gravest last. */
typedef enum {
    SMIME_REVOCATION_NONE = 0,
    SMIME_REVOCATION_UNKNOWN, /**< of hard alone: a list is missing, and to be had */
    SMIME_REVOCATION_NOWHERE, /**< likewise, and nowhere to be had */
    SMIME_REVOCATION_REVOKED,
} SmimeRevocation;

/** Reads what the settings name. */
gboolean smime_crls_load(SealModule *self, GError **error);
void smime_crls_unload(SmimeModule *module);
/** What lists say of all of @chain but the last, which has not to answer for itself; *@why of the
 *  gravest. @want: the chain leads to an anchor, so that lists of it may be fetched. Lowers *@until
 *  to when that is to be asked again. Warns of lists in `crls` that are out of date. (@why:
 * transfer full) */
SmimeRevocation smime_crls_judge(SealModule *self, SmimeCerts *chain, gboolean want, gint64 at,
                                 gint64 *until, char **why);
/** The code of a decision on that. */
const char *smime_crls_code(SmimeRevocation revocation);
/** Another number once what was fetched may have changed. */
guint64 smime_crls_seen(SealModule *self);
/** crl-refresh.c: of the descriptor. */
gboolean smime_refresh(SealModule *self, gboolean all, gint64 now, GCancellable *cancellable,
                       SealOut *out, gint64 *next, GError **error);
/** What is wanted and not there, for people; NULL where all is. (transfer full) */
char *smime_refresh_lack(SealModule *self);

/* -------------------------------------------------------------------------------------------
 * mail-roots.c, anchors.c: trust anchors
 */

/** Takes one of Mozilla's roots for mail. What it has issued @after is not trusted for mail;
 *  G_MAXINT64 where all is. */
typedef gboolean (*SmimeRootVisitor)(SmimeModule *module, X509 *cert, gint64 after, GError **error);
gboolean smime_mail_roots_visit(SealModule *self, SmimeRootVisitor visit, GError **error);
/** An anchor, and the file that names it. */
typedef struct {
    X509 *cert; /**< borrowed */
    char *place;
} SmimeNamed;
/** Reads what the setting names. */
gboolean smime_anchors_load(SealModule *self, GError **error);
void smime_anchors_free(SmimeModule *module);
/** Puts what is wrong with those that files name, as findings on "anchors". */
void smime_anchors_check(SealModule *self, SealOut *out);
/** Is it one that the operator has named, by a file? Else it is Mozilla's alone. */
gboolean smime_anchor_is_named(const SmimeModule *module, X509 *anchor);
/** FALSE where the anchor is trusted for no certificate that was issued @after a time before that
 *  of @cert. */
gboolean smime_anchor_is_for(const SmimeModule *module, X509 *anchor, X509 *cert, gint64 *after);

/* -------------------------------------------------------------------------------------------
 * chain.c: the way to a trust anchor
 */

/** What is remembered of chains that hold. (transfer full) */
SealCache *smime_chains_new(void);
/** The anchor that a chain from the key ends at, at @at, with nothing in it revoked. NULL where
 *  there is none, which @decision then says, if it is not NULL. (@anchor: borrowed until fini) */
gboolean smime_chain_check(SealModule *self, SealKey *key, gint64 at, SealDecision *decision,
                           X509 **anchor, GError **error);
/** For a key that needs no chain: is nothing revoked, as far as issuers are known? Sets @decision,
 *  which may be NULL, where it is. */
gboolean smime_chain_is_unrevoked(SealModule *self, SealKey *key, gint64 at,
                                  SealDecision *decision);
/** TRUE where @chain, with nothing else, leads from its first certificate to an anchor, whenever
 * that may have been. */
gboolean smime_chain_leads(SealModule *self, SmimeCerts *chain);
/** CA certificates that are known here, valid at @at, and lead from @cert to its root, which is
 *  not among them. NULL where there is no memory. (transfer full) */
SmimeCerts *smime_chain_between(SealModule *self, X509 *cert, gint64 at);

/* -------------------------------------------------------------------------------------------
 * pkcs12.c, private-keys.c: private keys
 */

#define SMIME_WRONG_PASSPHRASE                                                                     \
    "the passphrase (passphrase_file; empty without one) does not open it"
/** How often passphrases are hashed for a file, all in all: a second or two. */
#define SMIME_MAX_ITERATIONS 2500000

/** How often they were. Begins as zeros. */
typedef struct {
    gint64 spent;
    gint64 refused; /**< what was asked for and is too much, with what was spent before */
    gboolean bad;   /**< a count is none */
} SmimeWork;

/** What was found in files. */
typedef struct {
    GPtrArray *keys; /**< element type EVP_PKEY */
    SmimeBundle bundle;
    SmimeWork work;
} SmimePrivate;

void smime_private_init(SmimePrivate *found);
void smime_private_clear(SmimePrivate *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SmimePrivate, smime_private_clear)
/** What may open a file: @passphrase in each spelling, NULL for none, and the empty one.
 *  (transfer full, element type char *, in guarded memory) */
GPtrArray *smime_passwords_new(const SealSecret *passphrase, GError **error);
/** Adds all that is in a file. One that cannot be opened is an error; one with something else is
 *  none. */
gboolean smime_private_read(SmimePrivate *found, const guint8 *data, gsize length,
                            GPtrArray *passwords, GError **error);
/** FALSE where to derive a key from a password is too much work. */
gboolean smime_work_spend(SmimeWork *work, const X509_ALGOR *algorithm);
/** Was it? */
gboolean smime_work_failed(const SmimeWork *work);
void smime_work_set_error(const SmimeWork *work, GError **error);
/** Does it look like PKCS#12 in BER? */
gboolean smime_pkcs12_is(const guint8 *data, gsize length);
gboolean smime_pkcs12_read(SmimePrivate *found, const guint8 *data, gsize length,
                           GPtrArray *passwords, GError **error);
/** Adds what is public of one that others have made, in bounded time: certificates (element type
 *  X509, an alias is its name in the file), and how many private keys there are.
 *  SEAL_ERROR_UNAVAILABLE where another passphrase may do. */
gboolean smime_pkcs12_certs(GPtrArray *certs, guint *keys, SmimeWork *work, const guint8 *data,
                            gsize length, GPtrArray *passwords, GError **error);
/** The PKCS#12 behind some text, or NULL. */
const guint8 *smime_pkcs12_find(const guint8 *data, gsize length);

/** A private key that is kept. */
typedef struct {
    EVP_PKEY *key;
    X509 *cert;      /**< one of its certificates, borrowed; NULL where it has none */
    guint32 usage;   /**< what all of them together allow it: KU_... */
    guint8 seed[32]; /**< for what it is asked in vain */
} SmimeKept;

/** private.c: guarded memory for private keys. */
gboolean smime_secure_heap_start(GError **error);
/** What opens the files of server_keys; NULL where passphrase_file cannot be read. (transfer full)
 */
GPtrArray *smime_passwords_read(SealModule *self, GError **error);
/** private.c: of SealPrivate. */
gboolean smime_private_load(SealModule *self, GError **error);
void smime_private_unload(SealModule *self);
void smime_private_list(SealModule *self, SealPrivateVisitor visit, gpointer user_data);
/** The key of that number, where its certificates allow one of @usage; else NULL, and an error.
 *  (borrowed) */
const SmimeKept *smime_kept_find(SealModule *self, guint number, guint32 usage, GError **error);
/** uses.c: of SealPrivate. */
gboolean smime_sign_digest(SealModule *self, const SealDigestSigning *signing,
                           GByteArray *signature, GError **error);
gboolean smime_unwrap_key(SealModule *self, const SealKeyUnwrapping *unwrapping, guint8 *key,
                          GError **error);

/* -------------------------------------------------------------------------------------------
 * server-keys.c: the server's own keys
 */

/** Takes what the private half has; certificates without a key go to the pool. */
gboolean smime_server_load(SealModule *self, GError **error);
/** Puts what is wrong with them, as findings on "signing". */
void smime_server_check(SealModule *self, SealOut *out);
/** The certificate that answers to @signer are to be encrypted to: its own if it may, else another
 *  of the server's for an address of its. NULL where there is none. (borrowed) */
X509 *smime_server_encryption_cert(SealModule *self, SealKey *signer, gint64 at);

/* -------------------------------------------------------------------------------------------
 * stream.c: content through CMS into base64
 */

gboolean smime_write_text(GOutputStream *out, const char *text, GCancellable *cancellable,
                          GError **error);
/** Writes @cms, which is complete, to @out in base64. */
gboolean smime_write_der(CMS_ContentInfo *cms, GOutputStream *out, GCancellable *cancellable,
                         GError **error);
/** Writes the canonical form of @entity to @to and flushes it. @verb ("encrypt") is for errors. */
gboolean smime_feed(SealContent *entity, BIO *to, const char *verb, GCancellable *cancellable,
                    GError **error);
/** An application/pkcs7-mime entity of what @cms makes of the canonical form of @entity.
 *  (transfer full) */
SealContent *smime_enclose(SealModule *self, SealContent *entity, CMS_ContentInfo *cms,
                           const char *smime_type, const char *verb, GCancellable *cancellable,
                           GError **error);

/** Likewise, of @front, the canonical form of @entity, and @back. */
SealContent *smime_enclose_between(SealModule *self, GBytes *front, SealContent *entity,
                                   GBytes *back, const char *smime_type, const char *verb,
                                   GCancellable *cancellable, GError **error);
/** signed.c: what stands in front of the canonical form of @entity, and behind it, where it is in
 *  @cms, which was made beside it. */
gboolean smime_signed_around(CMS_ContentInfo *cms, SealContent *entity, GBytes **front,
                             GBytes **back, GError **error);

/* -------------------------------------------------------------------------------------------
 * The Format's calls, and the module's data
 */

/* These three stand as the words do in the settings' ranges. */
typedef enum {
    SMIME_CIPHER_AUTO,
    SMIME_CIPHER_AES256_CBC,
    SMIME_CIPHER_AES128_CBC,
    SMIME_CIPHER_AES256_GCM,
    SMIME_CIPHER_AES128_GCM,
} SmimeCipher;

typedef enum {
    SMIME_RSA_AUTO,
    SMIME_RSA_OAEP,
    SMIME_RSA_PKCS1,
} SmimeRsa;

typedef enum {
    SMIME_RSA_SIGNATURE_AUTO,
    SMIME_RSA_SIGNATURE_PKCS1,
    SMIME_RSA_SIGNATURE_PSS,
} SmimeRsaSignature;

struct SmimeModule {
    X509_STORE *store;      /**< the trust anchors */
    SmimePool *anchors;     /**< the same, to be found by name */
    GHashTable *mail_roots; /**< of anchors.c: those of them that are Mozilla's */
    guint anchor_count;
    SmimePool *pool; /**< other CA certificates that were met */
    GPtrArray *crls; /**< of crl.c, as the next three */
    SmimeCrlMode crl_mode;
    gsize crl_most; /**< octets of one that is fetched */
    struct SmimeStore *store_of_lists;
    gint64 crl_due; /**< of crl-refresh.c, as the next */
    SealFileState crl_wanted;
    SealCache *chains; /**< of chain.c */
    SealKeyIndex *server_keys;
    GPtrArray *server_list;  /**< the same, of SealKey */
    GPtrArray *server_chain; /**< of X509: the CAs among them */
    GPtrArray *named;        /**< of SmimeNamed, of anchors.c */
    SmimeCipher cipher;
    SmimeRsa rsa;
    SmimeRsaSignature rsa_signature;
    GString *notes; /**< of readers.c */
};

/** readers.c: warns where cipher is one that not every reader opens. */
void smime_note_cipher(SealModule *self);
/** Warns where signatures of @key, which stands in @place, are not good for every reader. */
void smime_note_signer(SealModule *self, SealKey *key, const char *place);
extern const SealCheck *const smime_checks[];

/** install.c: private keys into the folder of server_keys. */
gboolean smime_install(SealModule *self, GBytes *data, const SealSecret *passphrase,
                       const char *name, guint *count, char **where, GError **error);
/** import.c: what people have certificates in. */
gboolean smime_import(SealModule *self, GBytes *data, const SealSecret *passphrase,
                      const SealOrigin *origin, SealKeyImport *import, GError **error);
gboolean smime_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                    GError **error);
/** scan.c: where certificates stand, and whose they are. */
gboolean smime_scan(SealModule *self, GBytes *data, SealKeyScan *scan, GError **error);
gboolean smime_usable(SealModule *self, SealKey *key, SealAddress *address, SealPurpose purpose,
                      gint64 at, SealDecision *decision, GError **error);
/** proof.c: who vouches for a key. */
gboolean smime_prove(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                     SealProven *proven, char **by, GError **error);
gboolean smime_succeeds(SealModule *self, SealKey *old, SealKey *key, SealAddress *address,
                        gint64 at, gboolean *succeeds, char **why, GError **error);
GBytes *smime_write(SealModule *self, SealKey *key, GError **error);
/** Does @key pass for @purpose, with no more said? Its chain is not asked for. */
gboolean smime_fits(SealModule *self, SealKey *key, SealPurpose purpose, gint64 at);
gboolean smime_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                       GPtrArray *keys, GError **error);
/** own.c: keys that somebody here has to renew. */
gboolean smime_own(SealModule *self, SealOwnVisitor visit, gpointer user_data, GError **error);
gboolean smime_verify(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                      GPtrArray *signers, char **why, GError **error);
SealContent *smime_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                        GError **error);
SealContent *smime_open(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                        SealDetection *detection, GError **error);
SealContent *smime_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                           GError **error);
