/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * uses.c: what is done with private keys: a digest is signed, a content key decrypted, and nothing
 * else, each in the way that the key and its certificate are for.
 */
#include "smime.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <string.h>

enum { MAX_MODULUS = 2048 }; /* octets */

/* -------------------------------------------------------------------------------------------
 * Signing
 */

static const EVP_MD *digest_of(SealHash hash)
{
    switch (hash) {
    case SEAL_HASH_SHA256:
        return EVP_sha256();
    case SEAL_HASH_SHA384:
        return EVP_sha384();
    case SEAL_HASH_SHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static gboolean refuse_use(const char *what, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "a private key was to be used %s", what);
    return FALSE;
}

static gboolean fits_scheme(EVP_PKEY *key, SealSignScheme scheme)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return scheme == SEAL_SIGN_RSA_PKCS1 || scheme == SEAL_SIGN_RSA_PSS;
    case EVP_PKEY_RSA_PSS:
        return scheme == SEAL_SIGN_RSA_PSS;
    case EVP_PKEY_EC:
        return scheme == SEAL_SIGN_ECDSA;
    default:
        return FALSE;
    }
}

static gboolean prepare_signing(EVP_PKEY_CTX *ctx, const SmimeKept *kept, SealSignScheme scheme,
                                const EVP_MD *digest)
{
    gboolean rsa = scheme != SEAL_SIGN_ECDSA;
    int padding = scheme == SEAL_SIGN_RSA_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;

    return ctx && EVP_PKEY_sign_init(ctx) > 0 &&
           (!rsa || EVP_PKEY_CTX_set_rsa_padding(ctx, padding) > 0) &&
           EVP_PKEY_CTX_set_signature_md(ctx, digest) > 0 &&
           (scheme != SEAL_SIGN_RSA_PSS ||
            EVP_PKEY_CTX_set_rsa_pss_saltlen(
                ctx, smime_pss_salt(kept->cert, EVP_MD_get_size(digest))) > 0);
}

gboolean smime_sign_digest(SealModule *self, const SealDigestSigning *signing,
                           GByteArray *signature, GError **error)
{
    const SmimeKept *kept =
        smime_kept_find(self, signing->key, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, error);
    const EVP_MD *digest = digest_of(signing->hash);
    gsize length = 0;

    if (!kept)
        return FALSE;
    if (!digest || !fits_scheme(kept->key, signing->scheme))
        return refuse_use("in a way that is not its own", error);
    ERR_clear_error();
    g_autoptr(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new(kept->key, NULL);
    gsize digest_length = seal_hash_length(signing->hash);
    if (prepare_signing(ctx, kept, signing->scheme, digest) &&
        EVP_PKEY_sign(ctx, NULL, &length, signing->digest, digest_length) > 0) {
        g_autofree guint8 *made = g_malloc(length);

        if (EVP_PKEY_sign(ctx, made, &length, signing->digest, digest_length) > 0) {
            g_byte_array_append(signature, made, (guint)length);
            return TRUE;
        }
    }
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot sign");
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Content keys
 */

/* The same for the same ciphertext, so that nobody can tell it from the content key of a message
 * that was garbled: OpenSSL 3.0 says openly that the padding was wrong. For each length another
 * one: who asks for two lengths of one ciphertext would know by what both have in common. */
static gboolean make_up_key(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping, guint8 *key)
{
    guint8 asked[MAX_MODULUS + 1], made[EVP_MAX_MD_SIZE];
    guint length = 0;

    memcpy(asked, unwrapping->encrypted, unwrapping->encrypted_length);
    asked[unwrapping->encrypted_length] = (guint8)unwrapping->length;
    gboolean ok = HMAC(EVP_sha256(), kept->seed, sizeof kept->seed, asked,
                       unwrapping->encrypted_length + 1, made, &length) &&
                  length >= unwrapping->length;
    if (ok)
        memcpy(key, made, unwrapping->length);
    OPENSSL_cleanse(made, sizeof made);
    return ok;
}

static gboolean is_rsa_length(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping)
{
    return EVP_PKEY_get_base_id(kept->key) == EVP_PKEY_RSA &&
           unwrapping->encrypted_length == (gsize)EVP_PKEY_get_size(kept->key) &&
           unwrapping->encrypted_length <= MAX_MODULUS;
}

/* @key takes MAX_MODULUS octets. */
static gboolean decrypt_rsa(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping, guint8 *key,
                            gsize *length)
{
    g_autoptr(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new(kept->key, NULL);
    const EVP_MD *digest = digest_of(unwrapping->hash);
    gboolean oaep = unwrapping->scheme == SEAL_UNWRAP_RSA_OAEP;

    *length = MAX_MODULUS;
    return ctx && EVP_PKEY_decrypt_init(ctx) > 0 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) >
               0 &&
           (!oaep || (digest && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, digest) > 0 &&
                      EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, digest) > 0)) &&
           EVP_PKEY_decrypt(ctx, key, length, unwrapping->encrypted, unwrapping->encrypted_length) >
               0;
}

static gboolean unwrap_rsa(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping, guint8 *key)
{
    guint8 found[MAX_MODULUS], other[32];
    gboolean pkcs1 = unwrapping->scheme == SEAL_UNWRAP_RSA_PKCS1;
    gsize length = 0;

    if (!is_rsa_length(kept, unwrapping) || (pkcs1 && !make_up_key(kept, unwrapping, other)))
        return FALSE;
    gboolean fits = decrypt_rsa(kept, unwrapping, found, &length) && length == unwrapping->length;
    /* Both are there by now, whichever it is. */
    memcpy(key, fits || !pkcs1 ? found : other, unwrapping->length);
    OPENSSL_cleanse(found, sizeof found);
    OPENSSL_cleanse(other, sizeof other);
    return fits || pkcs1;
}

/* A point that is not on the key's curve is none. (transfer full) */
static EVP_PKEY *read_point(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping)
{
    EVP_PKEY *point = EVP_PKEY_new();

    if (point && unwrapping->originator_length > 0 &&
        EVP_PKEY_copy_parameters(point, kept->key) > 0 &&
        EVP_PKEY_set1_encoded_public_key(point, unwrapping->originator,
                                         unwrapping->originator_length) > 0)
        return point;
    EVP_PKEY_free(point);
    return NULL;
}

/* X9.63's KDF over the shared secret, which leaves this function in no other form. */
static gboolean derive_wrap(const SmimeKept *kept, EVP_PKEY *point,
                            const SealKeyUnwrapping *unwrapping, guint8 *wrap)
{
    g_autoptr(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new(kept->key, NULL);
    const EVP_MD *digest = digest_of(unwrapping->hash);
    gsize length = unwrapping->wrap_length;
    guint8 *info = OPENSSL_memdup(unwrapping->shared_info, unwrapping->shared_info_length);

    if (!ctx || !digest || !info || EVP_PKEY_derive_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_ecdh_kdf_type(ctx, EVP_PKEY_ECDH_KDF_X9_63) <= 0 ||
        EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, digest) <= 0 ||
        EVP_PKEY_CTX_set_ecdh_kdf_outlen(ctx, (int)length) <= 0) {
        OPENSSL_free(info);
        return FALSE;
    }
    /* It takes what it is given. */
    if (EVP_PKEY_CTX_set0_ecdh_kdf_ukm(ctx, info, (int)unwrapping->shared_info_length) <= 0) {
        OPENSSL_free(info);
        return FALSE;
    }
    return EVP_PKEY_derive_set_peer(ctx, point) > 0 && EVP_PKEY_derive(ctx, wrap, &length) > 0 &&
           length == unwrapping->wrap_length;
}

/* AES key wrap (RFC 3394): 8 octets more than what it wraps. */
static gboolean unwrap_aes(const guint8 *wrap, const SealKeyUnwrapping *unwrapping, guint8 *key)
{
    const EVP_CIPHER *cipher = unwrapping->wrap_length == 16   ? EVP_aes_128_wrap()
                               : unwrapping->wrap_length == 24 ? EVP_aes_192_wrap()
                                                               : EVP_aes_256_wrap();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    guint8 found[64];
    int length = 0;

    if (ctx)
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    gboolean ok = ctx && unwrapping->encrypted_length == unwrapping->length + 8 &&
                  EVP_DecryptInit_ex(ctx, cipher, NULL, wrap, NULL) > 0 &&
                  EVP_DecryptUpdate(ctx, found, &length, unwrapping->encrypted,
                                    (int)unwrapping->encrypted_length) > 0 &&
                  (gsize)length == unwrapping->length;
    if (ok)
        memcpy(key, found, unwrapping->length);
    OPENSSL_cleanse(found, sizeof found);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static gboolean unwrap_ecdh(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping, guint8 *key)
{
    EVP_PKEY *point =
        EVP_PKEY_get_base_id(kept->key) == EVP_PKEY_EC ? read_point(kept, unwrapping) : NULL;
    guint8 wrap[32];
    gboolean ok =
        point && derive_wrap(kept, point, unwrapping, wrap) && unwrap_aes(wrap, unwrapping, key);

    OPENSSL_cleanse(wrap, sizeof wrap);
    EVP_PKEY_free(point);
    return ok;
}

static gboolean is_key_length(gsize length)
{
    return length == 16 || length == 24 || length == 32;
}

/* A number that is none of them must not pass for one of them. */
static gboolean unwrap_by_scheme(const SmimeKept *kept, const SealKeyUnwrapping *unwrapping,
                                 guint8 *key)
{
    switch (unwrapping->scheme) {
    case SEAL_UNWRAP_RSA_PKCS1:
    case SEAL_UNWRAP_RSA_OAEP:
        return unwrap_rsa(kept, unwrapping, key);
    case SEAL_UNWRAP_ECDH:
        return is_key_length(unwrapping->wrap_length) && unwrap_ecdh(kept, unwrapping, key);
    default:
        return FALSE;
    }
}

gboolean smime_unwrap_key(SealModule *self, const SealKeyUnwrapping *unwrapping, guint8 *key,
                          GError **error)
{
    gboolean ecdh = unwrapping->scheme == SEAL_UNWRAP_ECDH;
    const SmimeKept *kept = smime_kept_find(self, unwrapping->key,
                                            ecdh ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT, error);

    if (!kept)
        return FALSE;
    ERR_clear_error();
    gboolean ok = is_key_length(unwrapping->length) && unwrap_by_scheme(kept, unwrapping, key);
    /* Why not would help who tries. */
    ERR_clear_error();
    if (!ok)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "the content key cannot be opened");
    return ok;
}
