/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sealpipe-keeping.h: private keys, apart from the rest of a module; a part of sealpipe.h, which
 * includes it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** Marks what libsealpipe exports to modules. Everything else is hidden. */
#define SEAL_API __attribute__((visibility("default")))

typedef struct SealModule SealModule;

/** How a digest is signed. */
typedef enum {
    SEAL_SIGN_RSA_PKCS1 = 1, /**< RSASSA-PKCS1-v1_5 (RFC 8017 8.2) */
    SEAL_SIGN_RSA_PSS,       /**< RSASSA-PSS (8.1), MGF1 with the same hash, salt as long as it */
    SEAL_SIGN_ECDSA,         /**< as the DER form of two numbers (RFC 5758 3.2) */
} SealSignScheme;

typedef enum {
    SEAL_HASH_SHA256 = 1,
    SEAL_HASH_SHA384,
    SEAL_HASH_SHA512,
} SealHash;
/** Octets of its digests; 0 for what is none of them. */
SEAL_API gsize seal_hash_length(SealHash hash);

/** A digest that is to be signed. */
typedef struct {
    gsize size; /**< sizeof(SealDigestSigning), as the caller has it */
    guint key;  /**< one that list() named */
    SealSignScheme scheme;
    SealHash hash;
    const guint8 *digest; /**< seal_hash_length() octets */
    gpointer reserved[4];
} SealDigestSigning;

/** How a content key is encrypted. */
typedef enum {
    SEAL_UNWRAP_RSA_PKCS1 = 1, /**< RSAES-PKCS1-v1_5 (RFC 8017 7.2) */
    SEAL_UNWRAP_RSA_OAEP,      /**< RSAES-OAEP (7.1), no label, MGF1 with the same hash */
    SEAL_UNWRAP_ECDH, /**< dhSinglePass-stdDH with X9.63's KDF, and AES key wrap (RFC 5753) */
} SealUnwrapScheme;

/** A content key that is to be decrypted. */
typedef struct {
    gsize size; /**< sizeof(SealKeyUnwrapping), as the caller has it */
    guint key;  /**< one that list() named */
    SealUnwrapScheme scheme;
    SealHash hash; /**< of OAEP, and of the KDF */
    const guint8 *encrypted;
    gsize encrypted_length;
    const guint8
        *originator; /**< of ECDH: the point, uncompressed; it must lie on the key's curve */
    gsize originator_length;
    const guint8 *shared_info; /**< of ECDH: the DER form of ECC-CMS-SharedInfo */
    gsize shared_info_length;
    gsize wrap_length; /**< of ECDH: octets of the key that wraps, 16, 24 or 32 */
    gsize length;      /**< of the content key: 16, 24 or 32 octets */
    gpointer reserved[4];
} SealKeyUnwrapping;

/** Takes what the other half of the module needs of a private key: its number, and octets of the
 *  module's own form, which hold nothing secret. */
typedef void (*SealPrivateVisitor)(guint key, const guint8 *octets, gsize length,
                                   gpointer user_data);

/** What tend() has for its work. */
typedef struct {
    gsize size;         /**< sizeof(SealTending), as core has it */
    const char *folder; /**< of the keys' user, empty, and there for this alone: the service's user
                             may go through it and read files that its group may read */
    int end;            /**< a descriptor: as soon as it can be read, tend() is to return */
    void (*ready)(gpointer user_data); /**< to be called, once, when all is ready */
    gpointer user_data;
    gpointer reserved[4];
} SealTending;

/** A Format's private keys, apart from the rest of the module: where the daemon runs, in a process
 *  that does nothing else, under a user of its own, and that has called neither init nor attach;
 * else in the same one. What both halves have in common are the settings. The name is the Format's.
 */
typedef struct {
    gsize size; /**< sizeof(SealPrivate) */
    const char *name;
    /** Reads the private keys, and keeps them by seal_module_set_private_data(). */
    gboolean (*load)(SealModule *self, GError **error);
    void (*unload)(SealModule *self);
    /** Calls @visit for each key, or more than once for one, and for what belongs to none
     * (G_MAXUINT).
     */
    void (*list)(SealModule *self, SealPrivateVisitor visit, gpointer user_data);
    /** Appends the signature to @signature. Refuses what the key is not for. */
    gboolean (*sign)(SealModule *self, const SealDigestSigning *signing, GByteArray *signature,
                     GError **error);
    /** Writes the content key to @key. Of what RSAES-PKCS1-v1_5 cannot be decrypted it makes a key
     * up, the same for the same ciphertext. May be NULL. */
    gboolean (*unwrap)(SealModule *self, const SealKeyUnwrapping *unwrapping, guint8 *key,
                       GError **error);
    /** Where the daemon has the private keys under a user of their own: under that user, in a
     *  process of its own that has called neither load nor init, makes ready in a folder what the
     *  module's other half needs of them that is no matter of sign() and unwrap(), such as another
     *  program's socket, and sees to it that it stays so. May start children. FALSE where that
     *  cannot be had. May be NULL. */
    gboolean (*tend)(SealModule *self, const SealTending *tending, GError **error);
    gpointer reserved[3];
} SealPrivate;

/** The folder of tend(), for the other half; NULL where nobody tends to anything. */
SEAL_API const char *seal_module_tended_folder(const SealModule *self);
/** TRUE where private keys that belong to the user @uid are not this process's to use: he is
 *  [daemon] keys_user, and this runs as somebody else. */
SEAL_API gboolean seal_module_keys_are_apart(const SealModule *self, guint uid);
/** The same of who owns @path or, where it cannot be seen, the folder that closes it. */
SEAL_API gboolean seal_module_path_is_apart(const SealModule *self, const char *path);
/** The same for the module's private half, freed by unload. */
SEAL_API void seal_module_set_private_data(SealModule *self, gpointer data);
SEAL_API gpointer seal_module_private_data(const SealModule *self);
/** What the private half lists, wherever it runs; it is loaded where it is not yet. Nothing where
 * the module has none. */
SEAL_API gboolean seal_module_list_private(SealModule *self, SealPrivateVisitor visit,
                                           gpointer user_data, GError **error);
/** Has the private half sign a digest, or decrypt a content key. */
SEAL_API gboolean seal_module_sign_digest(SealModule *self, const SealDigestSigning *signing,
                                          GByteArray *signature, GError **error);
SEAL_API gboolean seal_module_unwrap_key(SealModule *self, const SealKeyUnwrapping *unwrapping,
                                         guint8 *key, GError **error);

G_END_DECLS
