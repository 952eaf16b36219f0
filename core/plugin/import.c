/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * import.c: files of keys, entry by entry.
 */
#include "core/plugin/import.h"

#include "core/plugin/calls.h"

struct SealKeyImport {
    const char *format;
    SealImportVisitor visit;
    gpointer user_data;
};

static void import_tell(SealKeyImport *import, SealImportEntry entry)
{
    entry.format = import->format;
    import->visit(&entry, import->user_data);
}

void seal_key_import_add(SealKeyImport *import, const char *entry, SealKey *key)
{
    import_tell(import, (SealImportEntry){.what = SEAL_IMPORT_KEY, .entry = entry, .key = key});
}

void seal_key_import_leave(SealKeyImport *import, const char *entry, const char *what)
{
    import_tell(import, (SealImportEntry){.what = SEAL_IMPORT_LEFT, .entry = entry, .text = what});
}

void seal_key_import_fail(SealKeyImport *import, const char *entry, const GError *problem)
{
    import_tell(import,
                (SealImportEntry){.what = SEAL_IMPORT_FAILED, .entry = entry, .problem = problem});
}

/* Of a Format that cannot say more. */
static gboolean import_read(const SealFormatEntry *format, GBytes *data, const SealOrigin *origin,
                            SealKeyImport *import, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    gboolean ok = format->table.read(format->module, data, origin, keys, error);

    for (guint i = 0; i < keys->len; i++)
        seal_key_import_add(import, NULL, g_ptr_array_index(keys, i));
    return ok;
}

static gboolean import_by(const SealFormatEntry *format, GBytes *data, const SealSecret *passphrase,
                          const SealOrigin *origin, SealKeyImport *import, GError **error)
{
    GError *problem = NULL;
    gboolean ok = format->table.import ? format->table.import(format->module, data, passphrase,
                                                              origin, import, &problem)
                                       : import_read(format, data, origin, import, &problem);

    return seal_call_ended(format->table.name, ok, problem, error);
}

gboolean seal_registry_import(const SealRegistry *registry, GBytes *data,
                              const SealSecret *passphrase, const SealOrigin *origin,
                              SealImportVisitor visit, gpointer user_data, GError **error)
{
    GPtrArray *formats = seal_registry_formats(registry);
    gboolean all = TRUE;

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        SealKeyImport import = {format->table.name, visit, user_data};

        all = import_by(format, data, passphrase, origin, &import, all ? error : NULL) && all;
    }
    return all;
}
