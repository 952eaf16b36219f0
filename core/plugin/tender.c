/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tender.c: has private halves tend to what their keys need besides: see SealPrivate.
 */
#include "core/base/owner.h"
#include "core/base/scratch.h"
#include "core/frontend.h"
#include "core/plugin/config.h"
#include "core/plugin/registry.h"
#include "core/plugin/tables.h"

#include <errno.h>
#include <sys/stat.h>

struct SealTender {
    SealConfig *config;
    SealSettings *core;
    SealRegistry *registry;
    GPtrArray *halves;  /* of SealPrivateEntry: those that have something to do */
    SealFolder *folder; /* with one for each of them */
};

SealTender *seal_tender_open(const char *conf_dir, const char *module_dir, GError **error)
{
    g_autoptr(SealTender) self = g_new0(SealTender, 1);

    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");
    self->halves = g_ptr_array_new();
    self->config = seal_config_read(conf_dir, error);
    if (!self->config)
        return NULL;
    self->core = seal_settings_new("core", seal_config_group(self->config, "core"), SEAL_TABLE_CORE,
                                   NULL, error);
    self->registry =
        self->core ? seal_registry_new(self->config, module_dir ? module_dir : SEAL_MODULE_DIR,
                                       self->core, error)
                   : NULL;
    if (!self->registry)
        return NULL;
    GPtrArray *halves = seal_registry_privates(self->registry);
    for (guint i = 0; i < halves->len; i++) {
        const SealPrivateEntry *half = g_ptr_array_index(halves, i);

        if (half->table.tend)
            g_ptr_array_add(self->halves, (gpointer)half);
    }
    return g_steal_pointer(&self);
}

void seal_tender_free(SealTender *self)
{
    if (!self)
        return;
    seal_folder_free(self->folder);
    g_ptr_array_unref(self->halves);
    seal_registry_free(self->registry);
    seal_settings_free(self->core);
    seal_config_free(self->config);
    g_free(self);
}

guint seal_tender_count(const SealTender *self)
{
    return self->halves->len;
}

static char *half_folder(const SealTender *self, const SealPrivateEntry *half)
{
    return g_build_filename(seal_folder_path(self->folder), half->table.name, NULL);
}

static gboolean fail_folder(const char *path, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

/* The folder that all lie in lets nobody through but its group. */
const char *seal_tender_make_folder(SealTender *self, const char *parent, GError **error)
{
    const char *const parents[] = {parent, NULL};

    seal_scratch_sweep(parents);
    self->folder = seal_scratch_make(parents, error);
    if (!self->folder)
        return NULL;
    if (!g_str_has_prefix(seal_folder_path(self->folder), parent)) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "no folder can be made in %s, which must be this user's alone and have a name "
                    "of 60 octets at most: look at [core] run_dir",
                    parent);
        return NULL;
    }
    for (guint i = 0; i < self->halves->len; i++) {
        g_autofree char *path = half_folder(self, g_ptr_array_index(self->halves, i));

        if (mkdir(path, 0700) != 0 || chmod(path, 0711) != 0) {
            fail_folder(path, error);
            return NULL;
        }
    }
    if (chmod(seal_folder_path(self->folder), 0710) == 0)
        return seal_folder_path(self->folder);
    fail_folder(seal_folder_path(self->folder), error);
    return NULL;
}

/* What is this user's is looked at by nobody else. */
static gboolean check_owners(const SealModule *module, GError **error)
{
    for (const SealSetting *row = module->descriptor.settings; row && row->key; row++) {
        const char *path = row->of_keys ? seal_settings_string(module->settings, row->key) : NULL;
        g_autoptr(GError) problem = NULL;

        if (path && !seal_owner_check(path, &problem))
            return seal_settings_refuse(module->settings, row->key, error, "%s", problem->message);
    }
    return TRUE;
}

gboolean seal_tender_run(SealTender *self, guint which, int end, void (*ready)(gpointer user_data),
                         gpointer user_data, GError **error)
{
    const SealPrivateEntry *half = g_ptr_array_index(self->halves, which);
    g_autofree char *folder = half_folder(self, half);
    SealTending tending = {
        .size = sizeof tending,
        .folder = folder,
        .end = end,
        .ready = ready,
        .user_data = user_data,
    };
    GError *problem = NULL;

    if (!check_owners(half->module, error))
        return FALSE;
    if (half->table.tend(half->module, &tending, &problem) && !problem)
        return TRUE;
    if (!problem)
        problem = g_error_new(SEAL_ERROR, SEAL_ERROR_FAILED,
                              "the private half of %s does not tend to its keys, and did not say "
                              "why",
                              half->table.name);
    g_propagate_error(error, problem);
    return FALSE;
}
