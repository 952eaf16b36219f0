/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys.c: the issuer's keys as files. The secret one is encrypted under its passphrase (Argon2id).
 */
#include "license.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SECRET_HEAD "Sealpipe licence secret key 1\n"
#define PUBLIC_HEAD "Sealpipe licence public key 1: "

enum { VARIANT = sodium_base64_VARIANT_ORIGINAL };

/* The secret key as it is kept, octets in this order; the numbers little-endian. */
typedef struct {
    guint8 ops[8];
    guint8 memory[8];
    guint8 salt[crypto_pwhash_SALTBYTES];
    guint8 nonce[crypto_secretbox_NONCEBYTES];
    guint8 box[crypto_secretbox_MACBYTES + crypto_sign_SEEDBYTES];
} Kept;

static gboolean fail(GError **error, SealError code, const char *what, const char *why)
{
    g_set_error(error, SEAL_ERROR, code, "%s: %s", what, why);
    return FALSE;
}

static void put_number(guint8 *octets, guint64 number)
{
    for (guint i = 0; i < 8; i++)
        octets[i] = (guint8)(number >> (8 * i));
}

static guint64 get_number(const guint8 *octets)
{
    guint64 number = 0;

    for (guint i = 0; i < 8; i++)
        number |= (guint64)octets[i] << (8 * i);
    return number;
}

/* (transfer full, sodium_free) NULL: there is not so much memory. */
static guint8 *derive(const Kept *kept, const SealSecret *passphrase)
{
    guint8 *key = sodium_malloc(crypto_secretbox_KEYBYTES);

    if (key &&
        crypto_pwhash(key, crypto_secretbox_KEYBYTES, (const char *)seal_secret_data(passphrase),
                      seal_secret_size(passphrase), kept->salt, get_number(kept->ops),
                      (size_t)get_number(kept->memory), crypto_pwhash_ALG_ARGON2ID13) == 0)
        return key;
    sodium_free(key);
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Public keys
 */

gboolean license_public_key_parse(const char *text, guint8 *public_key, GError **error)
{
    g_autofree char *line = g_strdup(text);
    const char *at = g_strstrip(line);

    if (g_str_has_prefix(at, PUBLIC_HEAD))
        at += strlen(PUBLIC_HEAD);
    if (!license_base64(at, strlen(at), public_key, crypto_sign_PUBLICKEYBYTES))
        return fail(error, SEAL_ERROR_KEY, "the public key", "it is none of a licence's issuer");
    return TRUE;
}

gboolean license_public_key_read(const char *path, guint8 *public_key, GError **error)
{
    gboolean missing = FALSE;
    g_autoptr(GBytes) bytes = license_load(path, LICENSE_MAX_FILE, &missing, error);

    if (!bytes)
        return FALSE;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (license_public_key_parse(text, public_key, error))
        return TRUE;
    g_prefix_error(error, "%s: ", path);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Secret keys
 */

static gboolean write_new(const char *path, const char *text, mode_t mode, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return fail(error, SEAL_ERROR_FAILED, path, "it is there already");
    return license_save(path, text, strlen(text), mode, error);
}

static gboolean write_pair(const char *base, const Kept *kept, const guint8 *public_key,
                           GError **error)
{
    char secret[sodium_base64_ENCODED_LEN(sizeof(Kept), VARIANT)];
    char public[sodium_base64_ENCODED_LEN(crypto_sign_PUBLICKEYBYTES, VARIANT)];
    g_autofree char *key_path = g_strconcat(base, ".key", NULL);
    g_autofree char *pub_path = g_strconcat(base, ".pub", NULL);
    g_autofree char *key_text = NULL;
    g_autofree char *pub_text = NULL;

    sodium_bin2base64(secret, sizeof secret, (const guint8 *)kept, sizeof *kept, VARIANT);
    sodium_bin2base64(public, sizeof public, public_key, crypto_sign_PUBLICKEYBYTES, VARIANT);
    key_text = g_strconcat(SECRET_HEAD, secret, "\n", NULL);
    pub_text = g_strconcat(PUBLIC_HEAD, public, "\n", NULL);
    if (g_file_test(pub_path, G_FILE_TEST_EXISTS))
        return fail(error, SEAL_ERROR_FAILED, pub_path, "it is there already");
    return write_new(key_path, key_text, 0600, error) && write_new(pub_path, pub_text, 0644, error);
}

gboolean license_keys_make(const char *base, const SealSecret *passphrase, GError **error)
{
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    guint8 *seed, *secret_key, *key = NULL;
    gboolean ok = FALSE;
    Kept kept;

    if (sodium_init() < 0 || seal_secret_size(passphrase) == 0)
        return fail(error, SEAL_ERROR_KEY, "the passphrase", "it is empty");
    seed = sodium_malloc(crypto_sign_SEEDBYTES);
    secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    put_number(kept.ops, crypto_pwhash_OPSLIMIT_MODERATE);
    put_number(kept.memory, crypto_pwhash_MEMLIMIT_MODERATE);
    randombytes_buf(kept.salt, sizeof kept.salt);
    randombytes_buf(kept.nonce, sizeof kept.nonce);
    if (seed && secret_key)
        key = derive(&kept, passphrase);
    if (key) {
        randombytes_buf(seed, crypto_sign_SEEDBYTES);
        crypto_sign_seed_keypair(public_key, secret_key, seed);
        crypto_secretbox_easy(kept.box, seed, crypto_sign_SEEDBYTES, kept.nonce, key);
        ok = write_pair(base, &kept, public_key, error);
    } else {
        fail(error, SEAL_ERROR_FAILED, "the passphrase", "not enough memory to work on it");
    }
    sodium_free(key);
    sodium_free(secret_key);
    sodium_free(seed);
    return ok;
}

static gboolean read_kept(const char *path, Kept *kept, GError **error)
{
    g_autoptr(SealSecret) file = seal_secret_read(path, error);

    if (!file)
        return FALSE;

    const char *text = (const char *)seal_secret_data(file);
    gsize size = seal_secret_size(file), head = strlen(SECRET_HEAD);
    if (size <= head || memcmp(text, SECRET_HEAD, head) != 0 || text[size - 1] != '\n' ||
        !license_base64(text + head, size - head - 1, (guint8 *)kept, sizeof *kept) ||
        get_number(kept->ops) < crypto_pwhash_OPSLIMIT_MIN ||
        get_number(kept->ops) > crypto_pwhash_OPSLIMIT_SENSITIVE ||
        get_number(kept->memory) < crypto_pwhash_MEMLIMIT_MIN ||
        get_number(kept->memory) > crypto_pwhash_MEMLIMIT_SENSITIVE)
        return fail(error, SEAL_ERROR_KEY, path, "it is no licence issuer's secret key");
    return TRUE;
}

gboolean license_keys_open(const char *path, const SealSecret *passphrase, guint8 *secret_key,
                           GError **error)
{
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    guint8 *seed, *key;
    gboolean ok;
    Kept kept;

    if (sodium_init() < 0 || !read_kept(path, &kept, error))
        return FALSE;
    seed = sodium_malloc(crypto_sign_SEEDBYTES);
    key = seed ? derive(&kept, passphrase) : NULL;
    ok = key && crypto_secretbox_open_easy(seed, kept.box, sizeof kept.box, kept.nonce, key) == 0;
    if (ok)
        crypto_sign_seed_keypair(public_key, secret_key, seed);
    else
        fail(error, SEAL_ERROR_KEY, path,
             key ? "the passphrase is not its own, or it was altered"
                 : "not enough memory to work on the passphrase");
    sodium_free(key);
    sodium_free(seed);
    return ok;
}
