/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private.c: the module's private half: private keys with their certificates, from the files and
 * folders of server_keys. uses.c has what is done with them. Whatever cannot be read or opened
 * stops everything: a key that is there and is not found would let mail leave unsigned.
 */
#include "smime.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

enum {
    MAX_FILES = 10000,
    MAX_FILE_SIZE = 16 * 1024 * 1024, /* of one that holds certificates alone */
    SECURE_HEAP = 4 * 1024 * 1024,    /* room for some two thousand RSA keys */
    SECURE_LEAST = 32,
};

/* What the other half is to know. */
typedef struct {
    guint number; /* of the key, or G_MAXUINT */
    X509 *cert;
    char *place;
} Listed;

typedef struct {
    GArray *kept;
    GArray *listed;
} Private;

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
    Private *made;
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

/* Says @cert to the other half, as one of the key of that number. */
static void list_cert(Private *made, guint number, const Item *cert, const char *place)
{
    Listed listed = {number, cert->cert, g_strdup(place)};

    X509_up_ref(cert->cert);
    g_array_append_val(made->listed, listed);
}

static void add_pair(Loading *loading, guint number, Item *cert)
{
    SmimeKept *kept = &g_array_index(loading->made->kept, SmimeKept, number);
    const Item *key = g_ptr_array_index(loading->keys, number);

    kept->cert = cert->cert;
    kept->usage |= X509_get_key_usage(cert->cert);
    list_cert(loading->made, number, cert, key->place);
}

static gboolean match_key(Loading *loading, guint number, GError **error)
{
    const Item *key = g_ptr_array_index(loading->keys, number);
    g_autoptr(GBytes) digest = digest_public_key(key->key);
    GPtrArray *certs = digest ? g_hash_table_lookup(loading->by_public_key, digest) : NULL;
    guint matches = 0;

    for (guint i = 0; certs && i < certs->len; i++) {
        Item *cert = g_ptr_array_index(certs, i);

        if (EVP_PKEY_eq(X509_get0_pubkey(cert->cert), key->key) != 1)
            continue;
        matches++;
        if (!cert->used && !is_repeated_cert(certs, i))
            add_pair(loading, number, cert);
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
    for (guint i = 0; i < loading->certs->len; i++) {
        Item *item = g_ptr_array_index(loading->certs, i);

        if (item->used)
            continue;
        if (X509_get_extension_flags(item->cert) & EXFLAG_CA) {
            list_cert(loading->made, G_MAXUINT, item, item->place);
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

gboolean smime_secure_heap_start(GError **error)
{
    if (CRYPTO_secure_malloc_initialized() ||
        CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST) != 0)
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot get guarded memory for private keys");
    return FALSE;
}

GPtrArray *smime_passwords_read(SealModule *self, GError **error)
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

/* Of the key itself: another one that is loaded, here or elsewhere, has the same. */
static gboolean make_seed(EVP_PKEY *key, guint8 *seed)
{
    guint8 *der = NULL;
    int length = i2d_PrivateKey(key, &der);
    gboolean ok = length > 0 && EVP_Digest(der, (gsize)length, seed, NULL, EVP_sha256(), NULL);

    OPENSSL_clear_free(der, length > 0 ? (gsize)length : 0);
    ERR_clear_error();
    return ok;
}

static gboolean keep_key(Loading *loading, const Item *key, GError **error)
{
    SmimeKept kept = {.key = key->key};

    if (!make_seed(key->key, kept.seed))
        return refuse_path(loading, error, key->place, "a private key in it cannot be encoded");
    EVP_PKEY_up_ref(key->key);
    g_array_append_val(loading->made->kept, kept);
    return TRUE;
}

static gboolean load_files(Loading *loading, GError **error)
{
    if (!seal_module_visit_files(loading->self, "server_keys", SEAL_VISIT_UNREAD, visit_file,
                                 loading, error))
        return FALSE;
    index_certs(loading);
    for (guint i = 0; i < loading->keys->len; i++) {
        if (!keep_key(loading, g_ptr_array_index(loading->keys, i), error) ||
            !match_key(loading, i, error))
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

static void kept_clear(gpointer data)
{
    EVP_PKEY_free(((SmimeKept *)data)->key);
}

static void listed_clear(gpointer data)
{
    Listed *listed = data;

    X509_free(listed->cert);
    g_free(listed->place);
}

void smime_private_unload(SealModule *self)
{
    Private *made = seal_module_private_data(self);

    g_array_unref(made->listed);
    g_array_unref(made->kept);
    g_free(made);
    seal_module_set_private_data(self, NULL);
}

static gboolean load_setting(SealModule *self, Private *made, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GHashTable) index =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                              (GDestroyNotify)g_ptr_array_unref);

    if (!*seal_module_list(self, "server_keys"))
        return TRUE;
    if (!smime_secure_heap_start(error))
        return FALSE;
    g_autoptr(GPtrArray) passwords = smime_passwords_read(self, error);
    Loading loading = {.self = self,
                       .made = made,
                       .passwords = passwords,
                       .keys = keys,
                       .certs = certs,
                       .by_public_key = index};
    return passwords && load_files(&loading, error);
}

gboolean smime_private_load(SealModule *self, GError **error)
{
    Private *made = g_new0(Private, 1);

    if (!smime_start(self, error)) {
        g_free(made);
        return FALSE;
    }
    made->kept = g_array_new(FALSE, FALSE, sizeof(SmimeKept));
    made->listed = g_array_new(FALSE, FALSE, sizeof(Listed));
    g_array_set_clear_func(made->kept, kept_clear);
    g_array_set_clear_func(made->listed, listed_clear);
    seal_module_set_private_data(self, made);
    if (load_setting(self, made, error))
        return TRUE;
    smime_private_unload(self);
    return FALSE;
}

/* The place, with its NUL, and the certificate. */
void smime_private_list(SealModule *self, SealPrivateVisitor visit, gpointer user_data)
{
    const Private *made = seal_module_private_data(self);

    for (guint i = 0; i < made->listed->len; i++) {
        const Listed *listed = &g_array_index(made->listed, Listed, i);
        g_autoptr(GByteArray) octets = g_byte_array_new();
        guint8 *der = NULL;
        int length = i2d_X509(listed->cert, &der);

        if (length <= 0)
            continue;
        g_byte_array_append(octets, (const guint8 *)listed->place,
                            (guint)strlen(listed->place) + 1);
        g_byte_array_append(octets, der, (guint)length);
        OPENSSL_free(der);
        visit(listed->number, octets->data, octets->len, user_data);
    }
    ERR_clear_error();
}

/* -------------------------------------------------------------------------------------------
 * By number
 */

const SmimeKept *smime_kept_find(SealModule *self, guint number, guint32 usage, GError **error)
{
    const Private *made = seal_module_private_data(self);
    const SmimeKept *kept =
        number < made->kept->len ? &g_array_index(made->kept, SmimeKept, number) : NULL;

    if (kept && (kept->usage & usage))
        return kept;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                kept ? "a private key was to be used for what its certificate is not for"
                     : "a private key was to be used that is not there");
    return NULL;
}
