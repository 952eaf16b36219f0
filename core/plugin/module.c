/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.c: what modules call of their own, and when they are called themselves.
 */
#include "core/plugin/module.h"

#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/spool.h"
#include "core/base/state.h"

#include <string.h>

enum { MAX_VISITED = 16 * 1024 * 1024 };

static const SealSetting MODULE_SETTINGS[] = {
    {"enabled", SEAL_SETTING_BOOLEAN, "true", .help = "Whether the module is loaded."},
    {NULL},
};

static const SealSetting SOURCE_SETTINGS[] = {
    {"enabled", SEAL_SETTING_BOOLEAN, "true", .help = "Whether the module is loaded."},
    {"trust", SEAL_SETTING_CHOICE, .range = "unverified|harvested|discovered|verified|manual",
     .help = "How far the keys of this module's sources are believed."},
    {"on_error", SEAL_SETTING_CHOICE, .range = "defer|skip",
     .help = "What follows where a source cannot find out."},
    {NULL},
};

/* -------------------------------------------------------------------------------------------
 * Life
 */

SealModule *seal_module_new(const SealModuleDescriptor *descriptor, const SealGroup *group,
                            GError **error)
{
    g_autoptr(SealModule) module = g_new0(SealModule, 1);

    memcpy(&module->descriptor, descriptor, MIN(descriptor->head.size, sizeof *descriptor));
    module->settings =
        seal_settings_new(group->name, group, module->descriptor.settings,
                          module->descriptor.sources ? SOURCE_SETTINGS : MODULE_SETTINGS, error);
    return module->settings ? g_steal_pointer(&module) : NULL;
}

void seal_module_free(SealModule *module)
{
    if (!module)
        return;
    if (module->attached && module->descriptor.detach)
        module->descriptor.detach(module);
    if (module->ready && module->descriptor.fini)
        module->descriptor.fini(module);
    seal_settings_free(module->settings);
    g_free(module);
}

/* Calls @begin, which may be NULL. A text without a place of its own gets the module's name. */
static gboolean begin_life(SealModule *module, gboolean (*begin)(SealModule *, GError **),
                           gboolean *begun, GError **error)
{
    GError *problem = NULL;

    *begun = !begin || begin(module, &problem);
    if (*begun && !problem)
        return TRUE;
    if (!problem)
        problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_MODULE,
                                      "it failed to start and did not say why");
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG))
        g_prefix_error(&problem, "module %s: ", module->descriptor.name);
    g_propagate_error(error, problem);
    return FALSE;
}

gboolean seal_module_init(SealModule *module, GError **error)
{
    return begin_life(module, module->descriptor.init, &module->ready, error);
}

gboolean seal_module_attach(SealModule *module, GError **error)
{
    return begin_life(module, module->descriptor.attach, &module->attached, error);
}

/* -------------------------------------------------------------------------------------------
 * What modules call
 */

const char *seal_module_name(const SealModule *self)
{
    return self->descriptor.name;
}

void seal_module_set_data(SealModule *self, gpointer data)
{
    self->data = data;
}

gpointer seal_module_data(const SealModule *self)
{
    return self->data;
}

const char *seal_module_string(SealModule *self, const char *key)
{
    return seal_settings_string(self->settings, key);
}

gboolean seal_module_boolean(SealModule *self, const char *key)
{
    return seal_settings_boolean(self->settings, key);
}

gint64 seal_module_number(SealModule *self, const char *key)
{
    return seal_settings_number(self->settings, key);
}

int seal_module_choice(SealModule *self, const char *key)
{
    return seal_settings_choice(self->settings, key);
}

const char *const *seal_module_list(SealModule *self, const char *key)
{
    return seal_settings_list(self->settings, key);
}

gboolean seal_module_refuse(SealModule *self, const char *key, GError **error, const char *format,
                            ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return seal_settings_refuse(self->settings, key, error, "%s", text);
}

void seal_module_warn(SealModule *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_log_warning("module %s: %s", self->descriptor.name, text);
}

GOutputStream *seal_module_spool(SealModule *self)
{
    return seal_spool_open(seal_settings_string(self->core, "spool_dir"),
                           (gsize)seal_settings_number(self->core, "spool_memory"));
}

const char *seal_module_state_dir(SealModule *self, gboolean write, GError **error)
{
    const char *dir = seal_settings_string(self->core, "state_dir");

    return seal_state_check(dir, write, error) ? dir : NULL;
}

gboolean seal_module_become_owner(SealModule *self, GError **error)
{
    return seal_state_enter(seal_settings_string(self->core, "state_dir"), error);
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

static gboolean visit_one(SealModule *self, const char *path, SealFileVisitor visit,
                          gpointer user_data, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = seal_file_read(path, MAX_VISITED, &problem);

    return visit(self, path, data, problem, user_data, error);
}

gboolean seal_module_visit_files(SealModule *self, const char *path, SealFileVisitor visit,
                                 gpointer user_data, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return visit_one(self, path, visit, user_data, error);

    g_autoptr(GPtrArray) names = seal_dir_list(path, "", error);
    if (!names)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_build_filename(path, g_ptr_array_index(names, i), NULL);

        if (g_file_test(file, G_FILE_TEST_IS_DIR))
            continue;
        if (!visit_one(self, file, visit, user_data, error))
            return FALSE;
    }
    return TRUE;
}
