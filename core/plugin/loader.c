/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loader.c: opens modules and believes none: file, folder, version, sizes and descriptor are
 * checked before the first call.
 */
#include "core/base/files.h"
#include "core/frontend.h"
#include "core/plugin/elf-check.h"
#include "core/plugin/offers.h"

#include <gmodule.h>
#include <string.h>

static const char *folder_or_default(const char *module_dir)
{
    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");
    return module_dir ? module_dir : SEAL_MODULE_DIR;
}

static gboolean refuse_module(const char *name, GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE, "module %s: %s", name, why);
    return FALSE;
}

/* Only what every version has in the same place may be read before the version is known. */
static gboolean check_version(const char *name, const SealModuleHead *found, GError **error)
{
    if (found->magic != SEAL_MODULE_MAGIC)
        return refuse_module(
            name, error,
            "not a sealpipe module: its seal_module does not begin with SEAL_MODULE_HEAD");
    if (found->abi_major != SEAL_ABI_MAJOR || found->abi_minor > SEAL_ABI_MINOR) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE,
                    "module %s: made for version %u.%u of the module interface, and this is %d.%d; "
                    "build it against this version, or upgrade sealpipe",
                    name, found->abi_major, found->abi_minor, SEAL_ABI_MAJOR, SEAL_ABI_MINOR);
        return FALSE;
    }
    if (found->size < sizeof(SealModuleDescriptor))
        return refuse_module(name, error, "its descriptor is shorter than its version's");
    return TRUE;
}

static gboolean check_descriptor(const char *name, const SealModuleDescriptor *descriptor,
                                 GError **error)
{
    if (!descriptor->name || !g_str_equal(descriptor->name, name)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE,
                    "module %s: its descriptor should have the file's name, and has %s", name,
                    descriptor->name ? descriptor->name : "none");
        return FALSE;
    }
    if (!descriptor->version || !descriptor->summary)
        return refuse_module(name, error, "its descriptor says no version or summary");
    if (!SEAL_IS_ZERO(descriptor->reserved))
        return refuse_module(name, error, "it uses reserved slots of its descriptor");

    const char *why = NULL, *key = seal_offer_bad_setting(descriptor->settings, &why);
    if (key)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE, "module %s: its setting %s %s", name, key,
                    why);
    return key == NULL;
}

static const SealModuleDescriptor *open_file(const char *name, const char *dir, GError **error)
{
    g_autofree char *file = g_strconcat(name, ".so", NULL);
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autoptr(GError) problem = NULL;
    gpointer symbol = NULL;

    if (!seal_file_is_ours(dir, TRUE, &problem) || !seal_file_is_ours(path, FALSE, &problem) ||
        !seal_elf_check(path, &problem)) {
        refuse_module(name, error, problem->message);
        return NULL;
    }

    GModule *module = g_module_open_full(path, G_MODULE_BIND_LOCAL, &problem);
    if (!module) {
        refuse_module(name, error, problem->message);
        return NULL;
    }
    /* Resident: what it registered with its libraries must stay callable to the end. */
    g_module_make_resident(module);
    if (!g_module_symbol(module, "seal_module", &symbol) || !symbol) {
        refuse_module(name, error, "not a sealpipe module: it exports no seal_module");
        return NULL;
    }
    return symbol;
}

const SealModuleDescriptor *seal_module_peek(const char *module_dir, const char *name,
                                             GError **error)
{
    const SealModuleDescriptor *found = open_file(name, folder_or_default(module_dir), error);

    return found && check_version(name, &found->head, error) && check_descriptor(name, found, error)
               ? found
               : NULL;
}

const SealCommand *seal_module_standalone(const char *module_dir, const char *name,
                                          const char *command, GError **error)
{
    const SealModuleDescriptor *found = seal_module_peek(module_dir, name, error);

    for (guint i = 0; found && found->commands && found->commands[i] && i < SEAL_MAX_OFFERS; i++) {
        const SealCommand *one = found->commands[i];
        if (!seal_offer_fault(SEAL_OFFER_COMMAND, one) && one->standalone &&
            g_str_equal(one->name, command))
            return one;
    }
    return NULL;
}

GPtrArray *seal_module_names(const char *module_dir, GError **error)
{
    GPtrArray *names = seal_dir_list(folder_or_default(module_dir), ".so", error);

    for (guint i = 0; names && i < names->len; i++) {
        char *name = g_ptr_array_index(names, i);
        name[strlen(name) - strlen(".so")] = '\0';
    }
    return names;
}
