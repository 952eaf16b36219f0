/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys.c: the issuer's keys as files. The secret one is encrypted under its passphrase (Argon2id).
 */
#include "license.h"

#include <string.h>

#ifndef LICENSE_PUBLIC_KEY
#define LICENSE_PUBLIC_KEY ""
#endif

#define SECRET_HEAD "Sealpipe licence secret key 1\n"
#define PUBLIC_HEAD "Sealpipe licence public key 1: "

/* The secret key as it is kept, octets in this order; the numbers little-endian. */
typedef struct {
    guint64 ops;
    guint64 memory;
    guint8 salt[crypto_pwhash_SALTBYTES];
    guint8 nonce[crypto_secretbox_NONCEBYTES];
    guint8 box[crypto_secretbox_MACBYTES + crypto_sign_SEEDBYTES];
} KeptKey;
G_STATIC_ASSERT(sizeof(KeptKey) == 104);

/* (transfer full) NULL: there is not so much memory. */
static LicenseGuarded *derive_box_key(const KeptKey *kept, const SealSecret *passphrase)
{
    g_autoptr(LicenseGuarded) key = sodium_malloc(crypto_secretbox_KEYBYTES);

    if (key &&
        crypto_pwhash(key, crypto_secretbox_KEYBYTES, (const char *)seal_secret_data(passphrase),
                      seal_secret_size(passphrase), kept->salt, GUINT64_FROM_LE(kept->ops),
                      (size_t)GUINT64_FROM_LE(kept->memory), crypto_pwhash_ALG_ARGON2ID13) == 0)
        return g_steal_pointer(&key);
    return NULL;
}

gboolean license_has_built_in_key(void)
{
    return *LICENSE_PUBLIC_KEY;
}

static gboolean parse_public_key(const char *text, guint8 *public_key)
{
    g_autofree char *line = g_strstrip(g_strdup(text));
    const char *key = g_str_has_prefix(line, PUBLIC_HEAD) ? line + strlen(PUBLIC_HEAD) : line;

    return license_decode_octets(key, strlen(key), public_key, crypto_sign_PUBLICKEYBYTES);
}

gboolean license_read_public_key(const char *path, guint8 *public_key, GError **error)
{
    g_autoptr(GBytes) bytes = path ? seal_file_read(path, LICENSE_MAX_FILE, error) : NULL;

    if (path && !bytes)
        return FALSE;
    g_autofree char *text = bytes
                                ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes))
                                : g_strdup(LICENSE_PUBLIC_KEY);
    return parse_public_key(text, public_key) ||
           license_fail(error, SEAL_ERROR_KEY,
                        "%s: no public key of a licence issuer, which is 32 octets in base64, as "
                        "sealctl license keygen writes them into BASE.pub",
                        path ? path : "the key that was built in");
}

/* What is there already stays: a key that is lost cannot be made again. */
static gboolean write_pair(const char *base, const KeptKey *kept, const guint8 *public_key,
                           GError **error)
{
    g_autofree char *secret = license_encode_octets(kept, sizeof *kept);
    g_autofree char *public = license_encode_octets(public_key, crypto_sign_PUBLICKEYBYTES);
    const struct {
        const char *ending, *head, *text;
        guint mode;
    } files[] = {{".key", SECRET_HEAD, secret, 0600}, {".pub", PUBLIC_HEAD, public, 0644}};

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strconcat(base, files[i].ending, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return license_fail(error, SEAL_ERROR_FAILED,
                                "%s is there already, and is not written over", path);
    }
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strconcat(base, files[i].ending, NULL);
        g_autofree char *text = g_strconcat(files[i].head, files[i].text, "\n", NULL);

        if (!seal_file_save(path, text, strlen(text), files[i].mode, error))
            return FALSE;
    }
    return TRUE;
}

gboolean license_make_keys(const char *base, const SealSecret *passphrase, GError **error)
{
    KeptKey kept = {.ops = GUINT64_TO_LE(crypto_pwhash_OPSLIMIT_MODERATE),
                    .memory = GUINT64_TO_LE(crypto_pwhash_MEMLIMIT_MODERATE)};
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    g_autoptr(LicenseGuarded) seed = sodium_malloc(crypto_sign_SEEDBYTES);
    g_autoptr(LicenseGuarded) secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);

    if (seal_secret_size(passphrase) == 0)
        return license_fail(error, SEAL_ERROR_KEY, "the passphrase is empty");
    randombytes_buf(kept.salt, sizeof kept.salt);
    randombytes_buf(kept.nonce, sizeof kept.nonce);
    g_autoptr(LicenseGuarded) key = seed && secret_key ? derive_box_key(&kept, passphrase) : NULL;
    if (!key)
        return license_fail(error, SEAL_ERROR_FAILED,
                            "not enough memory to work on the passphrase");
    randombytes_buf(seed, crypto_sign_SEEDBYTES);
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    crypto_secretbox_easy(kept.box, seed, crypto_sign_SEEDBYTES, kept.nonce, key);
    return write_pair(base, &kept, public_key, error);
}

static gboolean read_kept_key(const char *path, KeptKey *kept, GError **error)
{
    const gsize head = strlen(SECRET_HEAD);
    g_autoptr(SealSecret) file = seal_secret_read(path, error);

    if (!file)
        return FALSE;

    const char *text = (const char *)seal_secret_data(file);
    gsize size = seal_secret_size(file);
    if (size <= head || memcmp(text, SECRET_HEAD, head) != 0 || text[size - 1] != '\n' ||
        !license_decode_octets(text + head, size - head - 1, kept, sizeof *kept) ||
        GUINT64_FROM_LE(kept->ops) < crypto_pwhash_OPSLIMIT_MIN ||
        GUINT64_FROM_LE(kept->ops) > crypto_pwhash_OPSLIMIT_SENSITIVE ||
        GUINT64_FROM_LE(kept->memory) < crypto_pwhash_MEMLIMIT_MIN ||
        GUINT64_FROM_LE(kept->memory) > crypto_pwhash_MEMLIMIT_SENSITIVE)
        return license_fail(error, SEAL_ERROR_KEY,
                            "%s: not the secret key of a licence issuer, as sealctl license keygen "
                            "writes it into BASE.key",
                            path);
    return TRUE;
}

LicenseGuarded *license_read_secret_key(const char *path, const SealSecret *passphrase,
                                        GError **error)
{
    KeptKey kept = {0};
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    g_autoptr(LicenseGuarded) seed = sodium_malloc(crypto_sign_SEEDBYTES);
    g_autoptr(LicenseGuarded) secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);

    if (!read_kept_key(path, &kept, error))
        return NULL;
    g_autoptr(LicenseGuarded) key = seed && secret_key ? derive_box_key(&kept, passphrase) : NULL;
    if (!key || crypto_secretbox_open_easy(seed, kept.box, sizeof kept.box, kept.nonce, key) != 0) {
        license_fail(error, SEAL_ERROR_KEY, "%s: %s", path,
                     key ? "the passphrase is not its own, or it was altered"
                         : "not enough memory to work on the passphrase");
        return NULL;
    }
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    return g_steal_pointer(&secret_key);
}
