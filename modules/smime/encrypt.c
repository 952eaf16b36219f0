/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encrypt.c: EnvelopedData and AuthEnvelopedData (RFC 5652, RFC 5083) as one entity (RFC 8551),
 * streamed from content to content.
 */
#include "smime.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

/* -------------------------------------------------------------------------------------------
 * What all recipients can read
 */

/* @any: what some certificate announces; @all: what each does. */
static SmimeCipher choose_cipher(GPtrArray *keys)
{
    guint all = ~0u;
    gboolean small_only = FALSE;

    for (guint i = 0; i < keys->len; i++) {
        guint can = ((SmimeKey *)seal_key_native(g_ptr_array_index(keys, i)))->can;

        all &= can;
        if ((can & SMIME_CAN_AES128_CBC) && !(can & SMIME_CAN_AES256_CBC))
            small_only = TRUE;
    }
    /* Many readers cannot open GCM, so that only an announcement counts; every one that follows
     * RFC 8551 opens AES-CBC, and nothing weaker is used whatever is announced. */
    if (all & SMIME_CAN_AES256_GCM)
        return SMIME_CIPHER_AES256_GCM;
    if (all & SMIME_CAN_AES128_GCM)
        return SMIME_CIPHER_AES128_GCM;
    return small_only ? SMIME_CIPHER_AES128_CBC : SMIME_CIPHER_AES256_CBC;
}

static const EVP_CIPHER *evp_cipher(SmimeCipher cipher)
{
    static const EVP_CIPHER *(*const ciphers[])(void) = {
        [SMIME_CIPHER_AUTO] = EVP_aes_256_cbc,       [SMIME_CIPHER_AES256_CBC] = EVP_aes_256_cbc,
        [SMIME_CIPHER_AES128_CBC] = EVP_aes_128_cbc, [SMIME_CIPHER_AES256_GCM] = EVP_aes_256_gcm,
        [SMIME_CIPHER_AES128_GCM] = EVP_aes_128_gcm,
    };

    return ciphers[cipher]();
}

/* -------------------------------------------------------------------------------------------
 * Recipients
 */

static gboolean set_oaep_padding(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
}

static gboolean set_recipient_parameters(SmimeModule *module, SmimeKey *key,
                                         CMS_RecipientInfo *info)
{
    EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(info);
    gboolean oaep = module->rsa == SMIME_RSA_OAEP ||
                    (module->rsa == SMIME_RSA_AUTO && (key->can & SMIME_CAN_OAEP));

    if (!ctx)
        return FALSE;
    if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
        /* OpenSSL's own choice is SHA-1. */
        return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
    return !oaep || set_oaep_padding(ctx);
}

static gboolean cms_add_recipient(SmimeModule *module, CMS_ContentInfo *cms, SealKey *key,
                                  GError **error)
{
    SmimeKey *native = seal_key_native(key);
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, native->cert, CMS_KEY_PARAM);

    if (info && set_recipient_parameters(module, native, info))
        return TRUE;
    smime_set_error(error, SEAL_ERROR_KEY, "cannot encrypt to the certificate of %s",
                    seal_key_label(key));
    return FALSE;
}

static CMS_ContentInfo *make_enveloped(SmimeModule *module, GPtrArray *keys, SmimeCipher cipher,
                                       GError **error)
{
    g_autoptr(CMS_ContentInfo) cms =
        CMS_encrypt(NULL, NULL, evp_cipher(cipher), CMS_BINARY | CMS_STREAM | CMS_PARTIAL);

    if (!cms) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to encrypt");
        return NULL;
    }
    /* Two recipients may have one certificate; it is named once. */
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if (g_hash_table_add(seen, (gpointer)seal_key_fingerprint(key)) &&
            !cms_add_recipient(module, cms, key, error))
            return NULL;
    }
    return g_steal_pointer(&cms);
}

/* -------------------------------------------------------------------------------------------
 * The entity
 */

static gboolean check_encryptable(const SealSealing *sealing, GError **error)
{
    if (sealing->signer || sealing->hide) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            sealing->hide ? "S/MIME cannot hide recipients from one another"
                                          : "S/MIME does not sign and encrypt in one step");
        return FALSE;
    }
    if (sealing->keys->len == 0 || seal_content_size(sealing->entity) == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            sealing->keys->len == 0 ? "cannot encrypt: there is no key"
                                                    : "cannot encrypt: there is no content");
        return FALSE;
    }
    return TRUE;
}

SealContent *smime_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                           GError **error)
{
    SmimeModule *module = seal_module_data(self);

    if (!check_encryptable(sealing, error))
        return NULL;
    ERR_clear_error();
    SmimeCipher cipher =
        module->cipher == SMIME_CIPHER_AUTO ? choose_cipher(sealing->keys) : module->cipher;
    g_autoptr(CMS_ContentInfo) cms = make_enveloped(module, sealing->keys, cipher, error);
    if (!cms)
        return NULL;

    gboolean gcm = cipher == SMIME_CIPHER_AES256_GCM || cipher == SMIME_CIPHER_AES128_GCM;
    return smime_enclose(self, sealing->entity, cms, gcm ? "authEnveloped-data" : "enveloped-data",
                         "encrypt", cancellable, error);
}
