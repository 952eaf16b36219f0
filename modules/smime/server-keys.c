/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server-keys.c: the server's own keys: private keys with their certificates, from the files and
 * folders of server_keys. Whatever cannot be read or opened stops everything: a key that is there
 * and is not found would let mail leave unsigned.
 */
#include "smime.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

enum {
    MAX_FILES = 10000,
    MAX_FILE_SIZE = 16 * 1024 * 1024, /* of one that holds certificates alone */
    SECURE_HEAP = 4 * 1024 * 1024,    /* room for some two thousand RSA keys */
    SECURE_LEAST = 32,
};

/* Something that was found, and where. */
typedef struct {
    EVP_PKEY *key;
    X509 *cert;
    char *place;
    gboolean used;
} Item;

/* While the setting is read. */
typedef struct {
    SealModule *self;
    GPtrArray *passwords;
    GPtrArray *keys;           /* element type Item */
    GPtrArray *certs;          /* element type Item */
    GHashTable *by_public_key; /* digest to a GPtrArray of Item, certificates */
    guint files;
} Loading;

static void item_free(gpointer data)
{
    Item *item = data;

    EVP_PKEY_free(item->key);
    X509_free(item->cert);
    g_free(item->place);
    g_free(item);
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

static Item *item_add(GPtrArray *items, const char *place)
{
    Item *item = g_new0(Item, 1);

    item->place = g_strdup(place);
    g_ptr_array_add(items, item);
    return item;
}

static void keep_found(Loading *loading, const SmimePrivate *found, const char *path)
{
    for (guint i = 0; i < found->keys->len; i++) {
        EVP_PKEY *key = g_ptr_array_index(found->keys, i);

        EVP_PKEY_up_ref(key);
        item_add(loading->keys, path)->key = key;
    }
    for (guint i = 0; i < found->bundle.certs->len; i++) {
        X509 *cert = g_ptr_array_index(found->bundle.certs, i);

        X509_up_ref(cert);
        item_add(loading->certs, path)->cert = cert;
    }
}

static gboolean refuse_path(Loading *loading, GError **error, const char *path, const char *why)
{
    return seal_module_refuse(loading->self, "server_keys", error, "%s: %s", path, why);
}

/* Is this the name of a file that should hold a key or a certificate? */
static gboolean is_key_name(const char *path)
{
    static const char *const suffixes[] = {".p12", ".pfx", ".pem", ".key",
                                           ".crt", ".cer", ".der", ".p8"};
    g_autofree char *lower = g_ascii_strdown(path, -1);

    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        if (g_str_has_suffix(lower, suffixes[i]))
            return TRUE;
    }
    return FALSE;
}

/* A README may stand in a folder of keys. */
static gboolean check_found(Loading *loading, const SmimePrivate *found, const char *path,
                            gboolean named, GError **error)
{
    if (found->keys->len > 0 || found->bundle.certs->len > 0)
        return TRUE;
    if (named || is_key_name(path))
        return refuse_path(loading, error, path,
                           "neither a private key nor a certificate is in it");
    seal_module_warn(loading->self, "%s: neither a private key nor a certificate is in it", path);
    return TRUE;
}

/* A file that others can read (@open_to_others says so) may hold certificates, but no key. */
static gboolean read_bytes(Loading *loading, const char *path, const guint8 *data, gsize length,
                           gboolean named, const GError *open_to_others, GError **error)
{
    g_auto(SmimePrivate) found = {0};
    g_autoptr(GError) problem = NULL;

    smime_private_init(&found);
    gboolean ok = smime_private_read(&found, data, length, loading->passwords, &problem);
    if (open_to_others && (!ok || found.keys->len > 0))
        return seal_module_refuse(loading->self, "server_keys", error, "%s",
                                  open_to_others->message);
    if (!ok)
        return refuse_path(loading, error, path, problem->message);
    if (!check_found(loading, &found, path, named, error))
        return FALSE;
    keep_found(loading, &found, path);
    return TRUE;
}

static gboolean read_file(Loading *loading, const char *path, gboolean named, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(SealSecret) secret = seal_secret_read(path, &why);
    if (secret)
        return read_bytes(loading, path, seal_secret_data(secret), seal_secret_size(secret), named,
                          NULL, error);

    g_autoptr(GBytes) data = seal_file_read(path, MAX_FILE_SIZE, NULL);
    if (!data)
        return seal_module_refuse(loading->self, "server_keys", error, "%s", why->message);
    return read_bytes(loading, path, g_bytes_get_data(data, NULL), g_bytes_get_size(data), named,
                      why, error);
}

static gboolean visit_file(SealModule *self, const SealFile *file, gpointer user_data,
                           GError **error)
{
    Loading *loading = user_data;

    if (file->problem)
        return seal_module_refuse(self, "server_keys", error, "%s", file->problem->message);
    if (loading->files++ == MAX_FILES)
        return seal_module_refuse(self, "server_keys", error, "more than %d files in all",
                                  MAX_FILES);
    return read_file(loading, file->path, file->named, error);
}

/* -------------------------------------------------------------------------------------------
 * Keys and their certificates
 */

/* NULL where it cannot be encoded. (transfer full) */
static GBytes *digest_public_key(EVP_PKEY *key)
{
    guint8 *der = NULL;
    int length = key ? i2d_PUBKEY(key, &der) : 0;
    guint8 digest[32];
    gboolean ok = length > 0 && EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL);

    OPENSSL_free(der);
    ERR_clear_error();
    return ok ? g_bytes_new(digest, sizeof digest) : NULL;
}

static void index_certs(Loading *loading)
{
    for (guint i = 0; i < loading->certs->len; i++) {
        Item *item = g_ptr_array_index(loading->certs, i);
        GBytes *digest = digest_public_key(X509_get0_pubkey(item->cert));
        if (!digest)
            continue;
        GPtrArray *same = g_hash_table_lookup(loading->by_public_key, digest);
        if (same) {
            g_bytes_unref(digest);
        } else {
            same = g_ptr_array_new();
            g_hash_table_insert(loading->by_public_key, digest, same);
        }
        g_ptr_array_add(same, item);
    }
}

/* One certificate may stand in several files, one key in several certificates. */
static gboolean is_repeated_cert(GPtrArray *certs, guint at)
{
    X509 *cert = ((Item *)g_ptr_array_index(certs, at))->cert;

    for (guint i = 0; i < at; i++) {
        if (X509_cmp(((Item *)g_ptr_array_index(certs, i))->cert, cert) == 0)
            return TRUE;
    }
    return FALSE;
}

/* The operator put it there: no CA has to vouch for it. */
static gboolean add_pair(Loading *loading, const Item *key, Item *cert, GError **error)
{
    SmimeModule *module = seal_module_data(loading->self);
    SealOrigin origin = {
        .size = sizeof origin, .source = "server", .place = key->place, .trust = SEAL_TRUST_MANUAL};
    g_autoptr(SealKey) made = smime_key_new(cert->cert, key->key, &origin);

    if (!made)
        return refuse_path(loading, error, cert->place, "a certificate in it cannot be read");
    if (seal_key_addresses(made)->len == 0)
        seal_module_warn(
            loading->self,
            "%s: the certificate of %s names no mail address; nobody's mail is signed with it",
            cert->place, seal_key_label(made));
    smime_note_signer(loading->self, made, key->place);
    seal_key_index_add(module->server_keys, made);
    return TRUE;
}

static gboolean match_key(Loading *loading, const Item *key, GError **error)
{
    g_autoptr(GBytes) digest = digest_public_key(key->key);
    GPtrArray *certs = digest ? g_hash_table_lookup(loading->by_public_key, digest) : NULL;
    guint matches = 0;

    for (guint i = 0; certs && i < certs->len; i++) {
        Item *cert = g_ptr_array_index(certs, i);

        if (EVP_PKEY_eq(X509_get0_pubkey(cert->cert), key->key) != 1)
            continue;
        matches++;
        if (!cert->used && !is_repeated_cert(certs, i) && !add_pair(loading, key, cert, error))
            return FALSE;
        cert->used = TRUE;
    }
    ERR_clear_error();
    return matches > 0 ||
           refuse_path(
               loading, error, key->place,
               "a private key without its certificate; put the certificate into the same file "
               "or folder, or name it in server_keys");
}

/* What has no key is there for chains. */
static void add_intermediates(Loading *loading)
{
    SmimeModule *module = seal_module_data(loading->self);

    for (guint i = 0; i < loading->certs->len; i++) {
        Item *item = g_ptr_array_index(loading->certs, i);

        if (item->used)
            continue;
        if (X509_get_extension_flags(item->cert) & EXFLAG_CA) {
            smime_pool_add(module->pool, item->cert, TRUE);
            continue;
        }
        g_autofree char *name = smime_name_text(X509_get_subject_name(item->cert));
        seal_module_warn(loading->self,
                         "%s: the certificate of %s has no private key here and is not used",
                         item->place, name);
    }
}

/* -------------------------------------------------------------------------------------------
 * The setting
 */

static gboolean start_secure_heap(SealModule *self, GError **error)
{
    if (CRYPTO_secure_malloc_initialized() ||
        CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST) != 0)
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot get guarded memory for private keys");
    return FALSE;
}

static GPtrArray *read_passwords(SealModule *self, GError **error)
{
    const char *path = seal_module_string(self, "passphrase_file");
    g_autoptr(SealSecret) file = NULL;
    g_autoptr(SealSecret) line = NULL;
    g_autoptr(GError) problem = NULL;
    GPtrArray *passwords = NULL;

    if (path && *path) {
        file = seal_secret_read(path, &problem);
        line = file ? seal_secret_first_line(file, &problem) : NULL;
        if (!line) {
            seal_module_refuse(self, "passphrase_file", error, "%s", problem->message);
            return NULL;
        }
    }
    passwords = smime_passwords_new(line, &problem);
    if (!passwords)
        seal_module_refuse(self, "passphrase_file", error, "%s: %s", path ? path : "no file",
                           problem->message);
    return passwords;
}

static gboolean load_files(Loading *loading, GError **error)
{
    if (!seal_module_visit_files(loading->self, "server_keys", SEAL_VISIT_UNREAD, visit_file,
                                 loading, error))
        return FALSE;
    index_certs(loading);
    for (guint i = 0; i < loading->keys->len; i++) {
        if (!match_key(loading, g_ptr_array_index(loading->keys, i), error))
            return FALSE;
    }
    add_intermediates(loading);
    if (loading->keys->len == 0) {
        g_autofree char *paths =
            g_strjoinv(";", (char **)seal_module_list(loading->self, "server_keys"));
        seal_module_warn(loading->self,
                         "server_keys: there is no private key in %s, so that nothing can be "
                         "signed: is it mounted?",
                         paths);
    }
    return TRUE;
}

gboolean smime_server_load(SealModule *self, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GHashTable) index =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                              (GDestroyNotify)g_ptr_array_unref);

    if (!*seal_module_list(self, "server_keys"))
        return TRUE;
    if (!start_secure_heap(self, error))
        return FALSE;
    g_autoptr(GPtrArray) passwords = read_passwords(self, error);
    Loading loading = {
        .self = self, .passwords = passwords, .keys = keys, .certs = certs, .by_public_key = index};
    return passwords && load_files(&loading, error);
}

/* -------------------------------------------------------------------------------------------
 * Asking
 */

gboolean smime_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                       GPtrArray *keys, GError **error)
{
    SmimeModule *module = seal_module_data(self);

    seal_key_index_find(module->server_keys, address, NULL, keys);
    return TRUE;
}

X509 *smime_server_encryption_cert(SealModule *self, SealKey *signer, gint64 at)
{
    SmimeModule *module = seal_module_data(self);
    GPtrArray *addresses = seal_key_addresses(signer);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    SealKey *best = NULL;

    if (smime_fits(self, signer, SEAL_PURPOSE_ENCRYPT, at))
        return ((SmimeKey *)seal_key_native(signer))->cert;
    for (guint i = 0; i < addresses->len; i++)
        seal_key_index_find(module->server_keys, g_ptr_array_index(addresses, i), NULL, keys);
    /* The newest. */
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if ((!best || seal_key_valid_from(key) > seal_key_valid_from(best)) &&
            smime_fits(self, key, SEAL_PURPOSE_ENCRYPT, at))
            best = key;
    }
    return best ? ((SmimeKey *)seal_key_native(best))->cert : NULL;
}
