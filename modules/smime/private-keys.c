/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private-keys.c: private keys and certificates out of a file's bytes: PEM, DER, PKCS#12, and what
 * people make of them. Bytes that are secret stay in guarded memory.
 */
#include "smime.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

enum { MAX_BLOCKS = 10000 };

/* What a PEM block is made of. */
typedef struct {
    char *label;
    char *header;
    guint8 *data;
    long length;
} Block;

static void block_clear(Block *block)
{
    OPENSSL_secure_free(block->label);
    OPENSSL_secure_free(block->header);
    OPENSSL_secure_clear_free(block->data, (size_t)block->length);
    memset(block, 0, sizeof *block);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Block, block_clear)

/* -------------------------------------------------------------------------------------------
 * Passwords: the spellings of one passphrase. A PKCS#12 file made elsewhere may have taken the same
 * characters as Latin-1, as UTF-8, or as UTF-8 that was taken for Latin-1.
 */

static void password_free(gpointer password)
{
    OPENSSL_secure_clear_free(password, strlen(password) + 1);
}

static gboolean is_ascii(const guint8 *data, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] >= 0x80)
            return FALSE;
    }
    return TRUE;
}

/* Each octet as a character of its own. */
static void put_widened_text(char *out, const guint8 *data, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] >= 0x80) {
            *out++ = (char)(0xc0 | data[i] >> 6);
            *out++ = (char)(0x80 | (data[i] & 0x3f));
        } else {
            *out++ = (char)data[i];
        }
    }
    *out = 0;
}

/* FALSE where it has characters that Latin-1 has not. */
static gboolean put_narrowed_text(char *out, const guint8 *data, gsize length)
{
    const char *end = (const char *)data + length;

    for (const char *at = (const char *)data; at < end; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (character > 0xff)
            return FALSE;
        *out++ = (char)character;
    }
    *out = 0;
    return TRUE;
}

/* Zeroed, so that what is put there ends. */
static char *add_password(GPtrArray *passwords, gsize room)
{
    char *password = OPENSSL_secure_zalloc(room + 1);

    if (password)
        g_ptr_array_add(passwords, password);
    return password;
}

static gboolean add_spellings(GPtrArray *passwords, const guint8 *data, gsize length)
{
    char *widened = add_password(passwords, 2 * length);

    if (!widened)
        return FALSE;
    put_widened_text(widened, data, length);
    if (!g_utf8_validate((const char *)data, (gssize)length, NULL))
        return TRUE;

    char *narrowed = add_password(passwords, length);
    if (!narrowed)
        return FALSE;
    if (!put_narrowed_text(narrowed, data, length))
        g_ptr_array_remove(passwords, narrowed);
    return TRUE;
}

GPtrArray *smime_passwords_new(const SealSecret *passphrase, GError **error)
{
    g_autoptr(GPtrArray) passwords = g_ptr_array_new_with_free_func(password_free);
    const guint8 *data = passphrase ? seal_secret_data(passphrase) : NULL;
    gsize length = passphrase ? seal_secret_size(passphrase) : 0;
    gboolean ok = TRUE;

    if (length > 0 && memchr(data, 0, length)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                            "its first line has a NUL, which no passphrase has");
        return NULL;
    }
    if (length > 0) {
        char *exact = add_password(passwords, length);
        ok = exact && memcpy(exact, data, length);
        if (ok && !is_ascii(data, length))
            ok = add_spellings(passwords, data, length);
    }
    /* And the empty one. */
    if (ok && add_password(passwords, 0))
        return g_steal_pointer(&passwords);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                        "there is no guarded memory left for the passphrase");
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

static gboolean private_add_key(SmimePrivate *found, EVP_PKEY *key, GError **error)
{
    if (!key) {
        smime_set_error(error, SEAL_ERROR_KEY, "a private key in it cannot be read");
        return FALSE;
    }
    ERR_clear_error();
    g_ptr_array_add(found->keys, key);
    return TRUE;
}

static gboolean read_bare_key(SmimePrivate *found, const guint8 *data, long length, GError **error)
{
    return private_add_key(found, d2i_AutoPrivateKey(NULL, &data, length), error);
}

/* EncryptedPrivateKeyInfo (RFC 5958). */
static gboolean read_sealed_key(SmimePrivate *found, const guint8 *data, long length,
                                GPtrArray *passwords, GError **error)
{
    const X509_ALGOR *algorithm = NULL;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &data, length);
    PKCS8_PRIV_KEY_INFO *bare = NULL;

    if (!sealed) {
        smime_set_error(error, SEAL_ERROR_KEY, "a private key in it cannot be read");
        return FALSE;
    }
    X509_SIG_get0(sealed, &algorithm, NULL);
    for (guint i = 0; !bare && i < passwords->len && smime_work_spend(&found->work, algorithm);
         i++) {
        const char *password = g_ptr_array_index(passwords, i);

        ERR_clear_error();
        bare = PKCS8_decrypt(sealed, password, (int)strlen(password));
    }
    X509_SIG_free(sealed);
    if (!bare) {
        ERR_clear_error();
        if (smime_work_failed(&found->work))
            smime_work_set_error(&found->work, error);
        else
            smime_set_error(error, SEAL_ERROR_KEY, SMIME_WRONG_PASSPHRASE);
        return FALSE;
    }
    gboolean ok = private_add_key(found, EVP_PKCS82PKEY(bare), error);
    PKCS8_PRIV_KEY_INFO_free(bare);
    return ok;
}

static int give_password(char *buffer, int size, int writing, void *user_data)
{
    const char *password = user_data;
    int length = (int)strlen(password);

    if (length > size)
        return -1;
    memcpy(buffer, password, (size_t)length);
    return length;
}

/* The old way: the header names the cipher (RFC 1421). */
static gboolean read_old_key(SmimePrivate *found, Block *block, GPtrArray *passwords,
                             GError **error)
{
    EVP_CIPHER_INFO cipher;

    if (!PEM_get_EVP_CIPHER_INFO(block->header, &cipher)) {
        smime_set_error(error, SEAL_ERROR_KEY,
                        "a private key in it is encrypted with a cipher that is not known here");
        return FALSE;
    }
    for (guint i = 0; i < passwords->len; i++) {
        guint8 *copy = OPENSSL_secure_malloc((size_t)block->length);
        long length = block->length;
        EVP_PKEY *key = NULL;

        ERR_clear_error();
        if (!copy)
            break;
        memcpy(copy, block->data, (size_t)length);
        if (PEM_do_header(&cipher, copy, &length, give_password, g_ptr_array_index(passwords, i))) {
            const guint8 *at = copy;
            key = d2i_AutoPrivateKey(NULL, &at, length);
        }
        OPENSSL_secure_clear_free(copy, (size_t)block->length);
        if (key)
            return private_add_key(found, key, error);
    }
    smime_set_error(error, SEAL_ERROR_KEY, SMIME_WRONG_PASSPHRASE);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * PEM
 */

static gboolean read_pem_block(SmimePrivate *found, Block *block, GPtrArray *passwords,
                               GError **error)
{
    if (g_str_equal(block->label, "ENCRYPTED PRIVATE KEY"))
        return read_sealed_key(found, block->data, block->length, passwords, error);
    if (g_str_equal(block->label, "PRIVATE KEY") || g_str_equal(block->label, "RSA PRIVATE KEY") ||
        g_str_equal(block->label, "EC PRIVATE KEY") || g_str_equal(block->label, "DSA PRIVATE KEY"))
        return *block->header ? read_old_key(found, block, passwords, error)
                              : read_bare_key(found, block->data, block->length, error);
    if (g_str_equal(block->label, "PKCS12"))
        return smime_pkcs12_read(found, block->data, (gsize)block->length, passwords, error);
    if (g_str_has_suffix(block->label, "PRIVATE KEY")) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "a private key in a form that is not known "
                    "here (%s); openssl pkcs8 -topk8 makes the usual one",
                    block->label);
        return FALSE;
    }
    g_autoptr(GBytes) der = g_bytes_new(block->data, (gsize)block->length);
    return smime_bundle_add_block(&found->bundle, block->label, der, error);
}

/* @any: was there a block? One that is broken is an error: it may have been the key. */
static gboolean private_read_pem(SmimePrivate *found, const guint8 *data, gsize length,
                                 GPtrArray *passwords, gboolean *any, GError **error)
{
    g_autoptr(BIO) bio = BIO_new_mem_buf(data, (int)length);
    guint count = 0;

    for (;;) {
        g_auto(Block) block = {0};

        ERR_clear_error();
        if (!bio || !PEM_read_bio_ex(bio, &block.label, &block.header, &block.data, &block.length,
                                     PEM_FLAG_SECURE))
            break;
        if (++count > MAX_BLOCKS) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d PEM blocks in it",
                        MAX_BLOCKS);
            return FALSE;
        }
        if (!read_pem_block(found, &block, passwords, error))
            return FALSE;
    }
    *any = count > 0;
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        smime_set_error(error, SEAL_ERROR_KEY, "a PEM block in it is broken");
        return FALSE;
    }
    ERR_clear_error();
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * DER
 */

static gboolean is_sealed_key(const guint8 *data, long length)
{
    X509_SIG *sealed = d2i_X509_SIG(NULL, &data, length);

    X509_SIG_free(sealed);
    ERR_clear_error();
    return sealed != NULL;
}

static gboolean private_read_der(SmimePrivate *found, const guint8 *data, gsize length,
                                 GPtrArray *passwords, GError **error)
{
    if (smime_pkcs12_is(data, length))
        return smime_pkcs12_read(found, data, length, passwords, error);

    const guint8 *at = data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)length);
    if (key)
        return private_add_key(found, key, error);
    ERR_clear_error();
    if (is_sealed_key(data, (long)length))
        return read_sealed_key(found, data, (long)length, passwords, error);

    return smime_bundle_add_der(&found->bundle, data, length, error);
}

/* Base64 without a PEM block's lines around it. */
static gboolean read_base64(SmimePrivate *found, const guint8 *data, gsize length,
                            GPtrArray *passwords, GError **error)
{
    gsize room = length / 4 * 3 + 6, size = 0;
    guint8 *der = OPENSSL_secure_malloc(room);
    SealBase64 base64 = {.may_have_blanks = TRUE};
    gboolean ok = TRUE;

    if (der && seal_base64_decode(&base64, data, length, der, &size) &&
        seal_base64_is_complete(&base64) && size > 0 && *der == 0x30)
        ok = private_read_der(found, der, size, passwords, error);
    OPENSSL_secure_clear_free(der, room);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

void smime_private_init(SmimePrivate *found)
{
    found->keys = g_ptr_array_new_with_free_func((GDestroyNotify)EVP_PKEY_free);
    smime_bundle_init(&found->bundle);
    memset(&found->work, 0, sizeof found->work);
}

void smime_private_clear(SmimePrivate *found)
{
    g_clear_pointer(&found->keys, g_ptr_array_unref);
    smime_bundle_clear(&found->bundle);
}

static gboolean read_any_form(SmimePrivate *found, const guint8 *data, gsize length,
                              GPtrArray *passwords, GError **error)
{
    gboolean any = FALSE;

    /* A digit of a text looks the same. */
    if (*data == 0x30 && !private_read_der(found, data, length, passwords, error))
        return FALSE;
    if (found->keys->len > 0 || found->bundle.certs->len > 0 || found->bundle.broken > 0)
        return TRUE;
    if (!private_read_pem(found, data, length, passwords, &any, error))
        return FALSE;
    if (any)
        return TRUE;
    const guint8 *inside = smime_pkcs12_find(data, length);
    if (inside)
        return smime_pkcs12_read(found, inside, length - (gsize)(inside - data), passwords, error);
    return read_base64(found, data, length, passwords, error);
}

gboolean smime_private_read(SmimePrivate *found, const guint8 *data, gsize length,
                            GPtrArray *passwords, GError **error)
{
    if (length == 0)
        return TRUE;
    if (!read_any_form(found, data, length, passwords, error))
        return FALSE;
    if (found->bundle.broken == 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "a certificate in it cannot be read");
    return FALSE;
}
