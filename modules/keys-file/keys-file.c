/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-file.c: the key source `file`: certificates and keys from files and folders.
 */
#include "core/sealpipe.h"

enum { MAX_KEYS = 100000 };

/* A file as init() found it. */
typedef struct {
    char *path;
    GBytes *data;
    gboolean named; /* in the setting itself, not found in a folder */
} File;

typedef struct {
    GPtrArray *files;    /* File; NULL once they are parsed */
    GHashTable *by_name; /* seal_address_key() to a GPtrArray of SealKey */
    SealTrust trust;     /* of all keys */
    guint count;
    GError *problem; /* what every lookup has to answer: a key may be where nobody could look */
} KeysFile;

static void file_free(gpointer data)
{
    File *file = data;

    g_free(file->path);
    g_bytes_unref(file->data);
    g_free(file);
}

static void remember(KeysFile *source, const char *text)
{
    if (!source->problem)
        source->problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, text);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* @user_data: the path in the setting. */
static gboolean visit(SealModule *self, const char *path, GBytes *data, const GError *problem,
                      gpointer user_data, GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (problem) {
        remember(source, problem->message);
        return TRUE;
    }
    File *file = g_new0(File, 1);
    file->path = g_strdup(path);
    file->data = g_bytes_ref(data);
    file->named = g_str_equal(path, user_data);
    g_ptr_array_add(source->files, file);
    return TRUE;
}

static gboolean init(SealModule *self, GError **error)
{
    const char *const *paths = seal_module_list(self, "paths");
    KeysFile *source = g_new0(KeysFile, 1);

    source->files = g_ptr_array_new_with_free_func(file_free);
    source->by_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    seal_module_set_data(self, source);
    for (; *paths; paths++) {
        g_autoptr(GError) problem = NULL;

        if (!seal_module_visit_files(self, *paths, visit, (gpointer)*paths, &problem))
            remember(source, problem->message);
    }
    return TRUE;
}

static void fini(SealModule *self)
{
    KeysFile *source = seal_module_data(self);

    g_clear_pointer(&source->files, g_ptr_array_unref);
    g_hash_table_unref(source->by_name);
    g_clear_error(&source->problem);
    g_free(source);
    seal_module_set_data(self, NULL);
}

/* -------------------------------------------------------------------------------------------
 * Parsing, in attach(): every Format has been initialised by then, whatever the order of modules,
 * and CA certificates found here are known before the first chain is built.
 */

static SealTrust own_trust(SealModule *self)
{
    static const struct {
        const char *word;
        SealTrust trust;
    } words[] = {
        {"unverified", SEAL_TRUST_UNVERIFIED}, {"harvested", SEAL_TRUST_HARVESTED},
        {"discovered", SEAL_TRUST_DISCOVERED}, {"verified", SEAL_TRUST_VERIFIED},
        {"manual", SEAL_TRUST_MANUAL},
    };
    const char *set = seal_module_string(self, "trust");

    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_strcmp0(set, words[i].word) == 0)
            return words[i].trust;
    }
    return SEAL_TRUST_VERIFIED;
}

static void add_key(KeysFile *source, SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        const char *name = seal_address_key(g_ptr_array_index(addresses, i));
        GPtrArray *same = g_hash_table_lookup(source->by_name, name);

        if (!same) {
            same = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
            g_hash_table_insert(source->by_name, g_strdup(name), same);
        }
        /* A key may have one address twice, in two spellings. */
        if (same->len == 0 || g_ptr_array_index(same, same->len - 1) != key)
            g_ptr_array_add(same, seal_key_ref(key));
    }
    source->count++;
}

static void parse_file(SealModule *self, KeysFile *source, const File *file)
{
    SealOrigin origin = {
        .size = sizeof origin, .source = "file", .place = file->path, .trust = source->trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;

    /* One broken file must not stop the others. */
    if (!seal_module_read_keys(self, file->data, &origin, keys, &problem))
        seal_module_warn(self, "%s is passed over: %s", file->path, problem->message);
    else if (keys->len == 0 && file->named)
        seal_module_warn(self, "%s: no key in it that an enabled format can read", file->path);

    for (guint i = 0; i < keys->len; i++) {
        if (source->count >= MAX_KEYS) {
            g_autofree char *text =
                g_strdup_printf("%s: more than %d keys in all", file->path, MAX_KEYS);
            remember(source, text);
            return;
        }
        add_key(source, g_ptr_array_index(keys, i));
    }
}

static gboolean attach(SealModule *self, GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (!source->files)
        return TRUE;
    source->trust = own_trust(self);
    for (guint i = 0; i < source->files->len; i++)
        parse_file(self, source, g_ptr_array_index(source->files, i));
    g_clear_pointer(&source->files, g_ptr_array_unref);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

static gboolean lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                       GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (source->problem) {
        g_propagate_error(error, g_error_copy(source->problem));
        return FALSE;
    }
    /* The keys carry the trust that the configuration gave them; another one would be a lie. */
    if (source->files || trust != source->trust) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "the key source file was asked in a way that it is not ready for");
        return FALSE;
    }

    GPtrArray *same = g_hash_table_lookup(source->by_name, seal_address_key(address));
    for (guint i = 0; same && i < same->len; i++) {
        SealKey *key = g_ptr_array_index(same, i);

        if (g_str_equal(seal_key_format(key), format))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return TRUE;
}

static const SealSetting settings[] = {
    {.key = "paths",
     .type = SEAL_SETTING_PATHS,
     .help = "Certificates, bundles and key rings: files or folders"},
    {.key = NULL},
};

static const SealSource file_source = {
    .size = sizeof file_source,
    .name = "file",
    .trust = SEAL_TRUST_VERIFIED,
    .may_skip = FALSE,
    .lookup = lookup,
};

static const SealSource *const sources[] = {&file_source, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "keys-file",
    .version = "0.1.0",
    .summary = "Keys and certificates from files and folders",
    .settings = settings,
    .init = init,
    .fini = fini,
    .attach = attach,
    .sources = sources,
};
