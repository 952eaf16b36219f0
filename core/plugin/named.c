/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * named.c: what a configuration sets, told without starting anything, so that one that does not
 * load can be looked into.
 */
#include "core/base/owner.h"
#include "core/plugin/service.h"
#include "core/plugin/tables.h"

#include <string.h>

typedef struct {
    SealSettingVisitor visit;
    gpointer user_data;
} Telling;

static void tell_values(const Telling *telling, const char *group, const SealSettings *settings,
                        const SealSetting *row)
{
    if (row->type == SEAL_SETTING_PATH || row->type == SEAL_SETTING_PATHS) {
        g_auto(GStrv) paths = seal_settings_paths(settings, row->key);

        for (guint i = 0; paths && paths[i]; i++)
            telling->visit(group, row, paths[i], telling->user_data);
    } else if (row->type == SEAL_SETTING_STRING || row->type == SEAL_SETTING_SECRET ||
               row->type == SEAL_SETTING_CHOICE) {
        const char *value = seal_settings_string(settings, row->key);

        if (value && *value)
            telling->visit(group, row, value, telling->user_data);
    } else if (row->type == SEAL_SETTING_BOOLEAN) {
        gboolean value = seal_settings_boolean(settings, row->key);

        telling->visit(group, row, value ? "true" : "false", telling->user_data);
    }
}

static void tell_group(const Telling *telling, const SealConfig *config, const char *name,
                       const SealSetting *table)
{
    g_autoptr(SealSettings) settings =
        seal_settings_new_sound(name, seal_config_group(config, name), table);

    for (const SealSetting *row = table; row && row->key; row++)
        tell_values(telling, name, settings, row);
}

static gboolean is_disabled(const SealGroup *group)
{
    const SealPlace *place = g_hash_table_lookup(group->values, "enabled");

    return place && g_str_equal(place->text, "false");
}

gboolean seal_config_visit(const char *conf_dir, SealSettingVisitor visit, gpointer user_data,
                           GError **error)
{
    g_autofree char *folder = seal_service_folder(conf_dir);
    g_autoptr(SealConfig) config = seal_config_read_sound(folder, TRUE, "state_dir", error);
    const Telling telling = {visit, user_data};

    if (!config)
        return FALSE;
    tell_group(&telling, config, "core", SEAL_TABLE_CORE);
    tell_group(&telling, config, "daemon", SEAL_TABLE_DAEMON);
    GPtrArray *groups = seal_config_groups(config);
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);

        if (!g_str_has_prefix(group->name, "module ") || is_disabled(group))
            continue;
        const SealModuleDescriptor *module =
            seal_module_peek(NULL, group->name + strlen("module "), NULL);
        visit(group->name, NULL, group->place.file, user_data);
        if (module && module->settings)
            tell_group(&telling, config, group->name, module->settings);
    }
    return TRUE;
}

gboolean seal_path_check_owner(const char *path, GError **error)
{
    return seal_owner_check(path, error);
}
