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
    GPtrArray *files; /* File; NULL once their keys are in the index */
    SealKeyIndex *index;
    SealTrust trust; /* of all keys */
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

static void remember_problem(KeysFile *source, const char *text)
{
    if (!source->problem)
        source->problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, text);
}

/* -------------------------------------------------------------------------------------------
 * Reading files
 */

static gboolean add_file(SealModule *self, const SealFile *found, gpointer user_data,
                         GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (found->problem) {
        remember_problem(source, found->problem->message);
        return TRUE;
    }
    File *file = g_new0(File, 1);
    file->path = g_strdup(found->path);
    file->data = g_bytes_ref(found->data);
    file->named = found->named;
    g_ptr_array_add(source->files, file);
    return TRUE;
}

static void keys_file_fini(SealModule *self)
{
    KeysFile *source = seal_module_data(self);

    g_clear_pointer(&source->files, g_ptr_array_unref);
    seal_key_index_free(source->index);
    g_clear_error(&source->problem);
    g_free(source);
    seal_module_set_data(self, NULL);
}

static gboolean keys_file_init(SealModule *self, GError **error)
{
    KeysFile *source = g_new0(KeysFile, 1);

    source->files = g_ptr_array_new_with_free_func(file_free);
    source->index = seal_key_index_new();
    seal_module_set_data(self, source);
    if (seal_module_visit_files(self, "paths", 0, add_file, NULL, error))
        return TRUE;
    keys_file_fini(self);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Reading keys, in attach(): every Format has been initialised by then, whatever the order of
 * modules, and CA certificates found here are known before the first chain is built.
 */

static void index_file(SealModule *self, KeysFile *source, const File *file)
{
    SealOrigin origin = {
        .size = sizeof origin, .source = "file", .place = file->path, .trust = source->trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;

    /* One broken file must not stop the others. */
    if (!seal_module_read_keys(self, file->data, &origin, keys, &problem))
        seal_module_warn(self, "the key file %s is passed over: %s", file->path, problem->message);
    else if (keys->len == 0 && file->named)
        seal_module_warn(self, "the key file %s has no key that an enabled format can read",
                         file->path);

    for (guint i = 0; i < keys->len; i++) {
        if (source->count >= MAX_KEYS) {
            g_autofree char *text = g_strdup_printf(
                "%s: at most %d keys are read from all files together, and here are more",
                file->path, MAX_KEYS);
            remember_problem(source, text);
            return;
        }
        seal_key_index_add(source->index, g_ptr_array_index(keys, i));
        source->count++;
    }
}

static gboolean keys_file_attach(SealModule *self, GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (!source->files)
        return TRUE;
    source->trust = seal_module_trust(self, "file");
    for (guint i = 0; i < source->files->len; i++)
        index_file(self, source, g_ptr_array_index(source->files, i));
    g_clear_pointer(&source->files, g_ptr_array_unref);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

static gboolean keys_file_lookup(SealModule *self, SealAddress *address, const char *format,
                                 SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                 GError **error)
{
    KeysFile *source = seal_module_data(self);

    if (source->problem) {
        g_propagate_error(error, g_error_copy(source->problem));
        return FALSE;
    }
    if (source->files) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "the key source file was asked before attach() had read its keys");
        return FALSE;
    }
    /* The keys carry the trust that the configuration gave them; another one would be a lie. */
    if (trust != source->trust) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "the key source file was asked for keys of trust %d, and all it has are of "
                    "trust %d",
                    trust, source->trust);
        return FALSE;
    }
    seal_key_index_find(source->index, address, format, keys);
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
    .lookup = keys_file_lookup,
};

static const SealSource *const sources[] = {&file_source, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "keys-file",
    .version = "0.1.0",
    .summary = "Keys and certificates from files and folders",
    .settings = settings,
    .init = keys_file_init,
    .fini = keys_file_fini,
    .attach = keys_file_attach,
    .sources = sources,
};
