/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.c: opens modules and believes none: file, folder, version, sizes and tables are checked
 * before the first call.
 */
#include "core/plugin/module.h"

#include "core/base/content.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/state.h"
#include "core/pipeline/keyring.h"
#include "core/plugin/elf-check.h"

#include <gmodule.h>
#include <string.h>

/* A module offers no more of each. */
enum { MAX_OFFERS = 64 };

struct SealModule {
    SealRegistry *registry;
    SealModuleDescriptor descriptor; /* a copy, zero where the module's is shorter */
    SealSettings *settings;
    gpointer data;
    gboolean ready;
    gboolean attached;
};

struct SealRegistry {
    GPtrArray *modules;
    GPtrArray *stages;
    GPtrArray *formats;
    GPtrArray *sources;
    GPtrArray *checks;
    GPtrArray *commands;
    const SealSettings *core;
};

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

GOutputStream *seal_spool_new(SealModule *self)
{
    return seal_registry_spool(self->registry);
}

const char *seal_module_state_dir(SealModule *self, gboolean write, GError **error)
{
    const char *dir = seal_settings_string(self->registry->core, "state_dir");

    return seal_state_check(dir, write, error) ? dir : NULL;
}

gboolean seal_module_become_owner(SealModule *self, GError **error)
{
    return seal_state_enter(seal_settings_string(self->registry->core, "state_dir"), error);
}

gboolean seal_read_keys(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                        GError **error)
{
    g_autoptr(GError) first = NULL;
    guint before = keys->len;

    for (guint i = 0; i < self->registry->formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(self->registry->formats, i);
        g_autoptr(GError) problem = NULL;

        if (!format->table.read(format->module, data, origin, keys, &problem) && !first)
            first = g_steal_pointer(&problem);
    }
    if (first && keys->len == before) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    return TRUE;
}

gboolean seal_find_signer(SealModule *self, SealJob *job, const char *format,
                          GCancellable *cancellable, SealKey **signer, char **why, GError **error)
{
    const SealFormatEntry *entry = seal_registry_format(self->registry, format);

    if (entry && job->author)
        return seal_keyring_find_signer(job, entry, cancellable, signer, why, error);
    *signer = NULL;
    *why = job->author ? g_strdup_printf("there is no format %s", format)
                       : g_strdup("From does not name one author");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Checking
 */

static gboolean refuse(const char *name, GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE, "module %s: %s", name, why);
    return FALSE;
}

static gboolean all_zero(const gpointer *slots, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        if (slots[i])
            return FALSE;
    }
    return TRUE;
}

#define ALL_ZERO(slots) all_zero((const gpointer *)(slots), G_N_ELEMENTS(slots))

/* Only what every version has in the same place may be read before the version is known. */
static gboolean check_version(const char *name, const SealModuleHead *found, GError **error)
{
    if (found->magic != SEAL_MODULE_MAGIC)
        return refuse(name, error, "not a sealpipe module: it says no version");
    if (found->abi_major != SEAL_ABI_MAJOR || found->abi_minor > SEAL_ABI_MINOR) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE,
                    "module %s: made for version %u.%u of the module interface, this is %d.%d",
                    name, found->abi_major, found->abi_minor, SEAL_ABI_MAJOR, SEAL_ABI_MINOR);
        return FALSE;
    }
    if (found->size < sizeof(SealModuleDescriptor))
        return refuse(name, error, "its descriptor is shorter than its version's");
    return TRUE;
}

static gboolean check_descriptor(const char *name, const SealModuleDescriptor *descriptor,
                                 GError **error)
{
    if (!descriptor->name || !g_str_equal(descriptor->name, name))
        return refuse(name, error, "the file and its descriptor disagree about the name");
    if (!descriptor->version || !descriptor->summary)
        return refuse(name, error, "its descriptor says no version or summary");
    if (!ALL_ZERO(descriptor->reserved))
        return refuse(name, error, "it uses reserved slots of its descriptor");
    return TRUE;
}

static const SealModuleDescriptor *open_file(const char *name, const char *dir, GError **error)
{
    g_autofree char *file = g_strconcat(name, ".so", NULL);
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autoptr(GError) problem = NULL;
    gpointer symbol = NULL;

    if (!seal_file_is_ours(dir, TRUE, &problem) || !seal_file_is_ours(path, FALSE, &problem) ||
        !seal_elf_check(path, &problem)) {
        refuse(name, error, problem->message);
        return NULL;
    }

    GModule *module = g_module_open_full(path, G_MODULE_BIND_LOCAL, &problem);
    if (!module) {
        refuse(name, error, problem->message);
        return NULL;
    }
    /* Resident: what it registered with its libraries must stay callable to the end. */
    g_module_make_resident(module);
    if (!g_module_symbol(module, "seal_module", &symbol) || !symbol) {
        refuse(name, error, "not a sealpipe module: it exports no seal_module");
        return NULL;
    }
    return symbol;
}

/* -------------------------------------------------------------------------------------------
 * Tables
 */

/* One more of what modules offer. Reads @size octets at most of a table that says it has as many,
 * so that a table of an older minor version is zero behind its end. */
static gpointer entry_new(SealModule *module, gsize entry_size, gsize at, const void *table,
                          gsize size)
{
    guint8 *entry = g_malloc0(entry_size);

    memcpy(entry, &module, sizeof module);
    memcpy(entry + at, table, MIN(size, *(const gsize *)table));
    return entry;
}

static gboolean check_stage(const SealModule *module, const SealStage *stage, GError **error)
{
    const char *name = module->descriptor.name;

    if (stage->size < sizeof *stage || !stage->name || !ALL_ZERO(stage->reserved))
        return refuse(name, error, "a stage's table is not of its version");
    if (seal_registry_stage(module->registry, stage->name) ||
        seal_registry_format(module->registry, stage->name))
        return refuse(name, error, "it offers a stage under a name that is taken");
    return TRUE;
}

static gboolean check_format(const SealModule *module, const SealFormat *format, GError **error)
{
    const char *name = module->descriptor.name;

    if (format->size < sizeof *format || !format->name || !ALL_ZERO(format->reserved) ||
        !format->read || !format->detect || !format->usable || !format->encrypt)
        return refuse(name, error, "a format's table is not of its version, or lacks a function");
    if (seal_registry_stage(module->registry, format->name) ||
        seal_registry_format(module->registry, format->name))
        return refuse(name, error, "it offers a format under a name that is taken");
    return TRUE;
}

static gboolean check_source(const SealModule *module, const SealSource *source, GError **error)
{
    const char *name = module->descriptor.name;

    if (source->size < sizeof *source || !source->name || !ALL_ZERO(source->reserved) ||
        !source->lookup || source->trust == SEAL_TRUST_UNSET || source->trust > SEAL_TRUST_MANUAL)
        return refuse(name, error, "a key source's table is not of its version, or lacks a member");
    if (seal_registry_source(module->registry, source->name))
        return refuse(name, error, "it offers a key source under a name that is taken");
    return TRUE;
}

static gboolean check_check(const SealModule *module, const SealCheck *check, GError **error)
{
    if (check->size < sizeof *check || !check->name || !ALL_ZERO(check->reserved) || !check->run)
        return refuse(module->descriptor.name, error,
                      "a check's table is not of its version, or lacks a member");
    return TRUE;
}

static gboolean is_command(const SealCommand *command)
{
    return command->size >= sizeof *command && command->name && command->usage && command->run &&
           ALL_ZERO(command->reserved);
}

static gboolean check_command(const SealModule *module, const SealCommand *command, GError **error)
{
    const char *name = module->descriptor.name;

    if (!is_command(command))
        return refuse(name, error, "a command's table is not of its version, or lacks a member");
    if (seal_registry_command(module->registry, command->name))
        return refuse(name, error, "it offers a command under a name that is taken");
    return TRUE;
}

static gboolean register_answers(SealModule *module, GError **error)
{
    SealRegistry *registry = module->registry;
    const SealModuleDescriptor *d = &module->descriptor;

    for (guint i = 0; d->checks && d->checks[i] && i < MAX_OFFERS; i++) {
        if (!check_check(module, d->checks[i], error))
            return FALSE;
        g_ptr_array_add(registry->checks,
                        entry_new(module, sizeof(SealCheckEntry), offsetof(SealCheckEntry, table),
                                  d->checks[i], sizeof(SealCheck)));
    }
    for (guint i = 0; d->commands && d->commands[i] && i < MAX_OFFERS; i++) {
        if (!check_command(module, d->commands[i], error))
            return FALSE;
        g_ptr_array_add(registry->commands, entry_new(module, sizeof(SealCommandEntry),
                                                      offsetof(SealCommandEntry, table),
                                                      d->commands[i], sizeof(SealCommand)));
    }
    return TRUE;
}

static gboolean register_offers(SealModule *module, GError **error)
{
    SealRegistry *registry = module->registry;
    const SealModuleDescriptor *d = &module->descriptor;

    for (guint i = 0; d->stages && d->stages[i] && i < MAX_OFFERS; i++) {
        if (!check_stage(module, d->stages[i], error))
            return FALSE;
        g_ptr_array_add(registry->stages,
                        entry_new(module, sizeof(SealStageEntry), offsetof(SealStageEntry, table),
                                  d->stages[i], sizeof(SealStage)));
    }
    for (guint i = 0; d->formats && d->formats[i] && i < MAX_OFFERS; i++) {
        if (!check_format(module, d->formats[i], error))
            return FALSE;
        g_ptr_array_add(registry->formats,
                        entry_new(module, sizeof(SealFormatEntry), offsetof(SealFormatEntry, table),
                                  d->formats[i], sizeof(SealFormat)));
    }
    for (guint i = 0; d->sources && d->sources[i] && i < MAX_OFFERS; i++) {
        if (!check_source(module, d->sources[i], error))
            return FALSE;
        g_ptr_array_add(registry->sources,
                        entry_new(module, sizeof(SealSourceEntry), offsetof(SealSourceEntry, table),
                                  d->sources[i], sizeof(SealSource)));
    }
    return register_answers(module, error);
}

/* -------------------------------------------------------------------------------------------
 * Loading
 */

const SealModuleDescriptor *seal_module_peek(const char *module_dir, const char *name,
                                             GError **error)
{
    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");

    const SealModuleDescriptor *found =
        open_file(name, module_dir ? module_dir : SEAL_MODULE_DIR, error);
    return found && check_version(name, &found->head, error) && check_descriptor(name, found, error)
               ? found
               : NULL;
}

const SealCommand *seal_module_standalone(const char *module_dir, const char *name,
                                          const char *command, GError **error)
{
    const SealModuleDescriptor *found = seal_module_peek(module_dir, name, error);

    for (guint i = 0; found && found->commands && found->commands[i] && i < MAX_OFFERS; i++) {
        const SealCommand *one = found->commands[i];
        if (is_command(one) && one->standalone && g_str_equal(one->name, command))
            return one;
    }
    return NULL;
}

GPtrArray *seal_module_names(const char *module_dir, GError **error)
{
    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");

    GPtrArray *names = seal_dir_list(module_dir ? module_dir : SEAL_MODULE_DIR, ".so", error);
    for (guint i = 0; names && i < names->len; i++) {
        char *name = g_ptr_array_index(names, i);
        name[strlen(name) - strlen(".so")] = '\0';
    }
    return names;
}

static void module_free(gpointer data)
{
    SealModule *module = data;

    if (module->attached && module->descriptor.detach)
        module->descriptor.detach(module);
    if (module->ready && module->descriptor.fini)
        module->descriptor.fini(module);
    seal_settings_free(module->settings);
    g_free(module);
}

static SealModule *load_module(SealRegistry *registry, const char *name, const SealGroup *group,
                               const char *dir, GError **error)
{
    const SealModuleDescriptor *found = open_file(name, dir, error);
    if (!found || !check_version(name, &found->head, error))
        return NULL;

    SealModule *module = g_new0(SealModule, 1);
    g_ptr_array_add(registry->modules, module);
    module->registry = registry;
    memcpy(&module->descriptor, found, MIN(found->head.size, sizeof module->descriptor));
    if (!check_descriptor(name, &module->descriptor, error))
        return NULL;
    module->settings =
        seal_settings_new(group->name, group, module->descriptor.settings,
                          module->descriptor.sources ? SOURCE_SETTINGS : MODULE_SETTINGS, error);
    if (!module->settings || !register_offers(module, error))
        return NULL;
    return module;
}

/* Passes on what a module said, with its name where the text has no place of its own. */
static gboolean failed(const SealModule *module, GError *problem, GError **error)
{
    if (!problem)
        return refuse(module->descriptor.name, error, "it failed to start and did not say why");
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG))
        g_prefix_error(&problem, "module %s: ", module->descriptor.name);
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean init_module(SealModule *module, GError **error)
{
    GError *problem = NULL;

    if (module->descriptor.init && !module->descriptor.init(module, &problem))
        return failed(module, problem, error);
    module->ready = TRUE;
    return TRUE;
}

/* Others may need the formats as soon as they start. */
static gboolean init_all(SealRegistry *registry, GError **error)
{
    for (int formats = 1; formats >= 0; formats--) {
        for (guint i = 0; i < registry->modules->len; i++) {
            SealModule *module = g_ptr_array_index(registry->modules, i);
            if ((module->descriptor.formats != NULL) == formats && !init_module(module, error))
                return FALSE;
        }
    }
    return TRUE;
}

/* `enabled` is read before the module is: a disabled one need not be installed. */
static gboolean group_enables(const SealGroup *group, gboolean *enabled, GError **error)
{
    const SealPlace *place = g_hash_table_lookup(group->values, "enabled");

    *enabled = !place || g_str_equal(place->text, "true");
    if (place && !*enabled && !g_str_equal(place->text, "false"))
        return seal_config_refuse(place, error, "[%s] enabled: \"%s\" is neither true nor false",
                                  group->name, place->text);
    return TRUE;
}

static gboolean is_module_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '-')
            return FALSE;
    }
    return *name && strlen(name) <= 64;
}

static gboolean load_group(SealRegistry *registry, const SealGroup *group, const char *dir,
                           GError **error)
{
    const char *name = group->name + strlen("module ");
    g_autoptr(GError) problem = NULL;
    gboolean enabled = FALSE;

    if (!is_module_name(name))
        return seal_config_refuse(&group->place, error, "[%s]: not the name of a module",
                                  group->name);
    if (!group_enables(group, &enabled, error))
        return FALSE;
    if (!enabled || load_module(registry, name, group, dir, &problem))
        return TRUE;
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return seal_config_refuse(&group->place, error, "[%s]: %s", group->name, problem->message);
}

SealRegistry *seal_registry_new(const SealConfig *config, const char *module_dir,
                                const SealSettings *core, GError **error)
{
    g_autoptr(SealRegistry) registry = g_new0(SealRegistry, 1);
    GPtrArray *groups = seal_config_groups(config);

    registry->modules = g_ptr_array_new_with_free_func(module_free);
    registry->stages = g_ptr_array_new_with_free_func(g_free);
    registry->formats = g_ptr_array_new_with_free_func(g_free);
    registry->sources = g_ptr_array_new_with_free_func(g_free);
    registry->checks = g_ptr_array_new_with_free_func(g_free);
    registry->commands = g_ptr_array_new_with_free_func(g_free);
    registry->core = core;
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);

        if (g_str_has_prefix(group->name, "module ") &&
            !load_group(registry, group, module_dir, error))
            return NULL;
    }
    if (!init_all(registry, error))
        return NULL;
    return g_steal_pointer(&registry);
}

gboolean seal_registry_attach(SealRegistry *registry, GError **error)
{
    for (guint i = 0; i < registry->modules->len; i++) {
        SealModule *module = g_ptr_array_index(registry->modules, i);

        GError *problem = NULL;

        if (module->descriptor.attach && !module->descriptor.attach(module, &problem))
            return failed(module, problem, error);
        module->attached = TRUE;
    }
    return TRUE;
}

void seal_registry_free(SealRegistry *registry)
{
    if (!registry)
        return;
    g_ptr_array_unref(registry->modules);
    g_ptr_array_unref(registry->stages);
    g_ptr_array_unref(registry->formats);
    g_ptr_array_unref(registry->sources);
    g_ptr_array_unref(registry->checks);
    g_ptr_array_unref(registry->commands);
    g_free(registry);
}

const SealStageEntry *seal_registry_stage(const SealRegistry *registry, const char *name)
{
    for (guint i = 0; i < registry->stages->len; i++) {
        const SealStageEntry *entry = g_ptr_array_index(registry->stages, i);
        if (g_str_equal(entry->table.name, name))
            return entry;
    }
    return NULL;
}

const SealFormatEntry *seal_registry_format(const SealRegistry *registry, const char *name)
{
    for (guint i = 0; i < registry->formats->len; i++) {
        const SealFormatEntry *entry = g_ptr_array_index(registry->formats, i);
        if (g_str_equal(entry->table.name, name))
            return entry;
    }
    return NULL;
}

const SealSourceEntry *seal_registry_source(const SealRegistry *registry, const char *name)
{
    for (guint i = 0; i < registry->sources->len; i++) {
        const SealSourceEntry *entry = g_ptr_array_index(registry->sources, i);
        if (g_str_equal(entry->table.name, name))
            return entry;
    }
    return NULL;
}

const SealCommandEntry *seal_registry_command(const SealRegistry *registry, const char *name)
{
    for (guint i = 0; i < registry->commands->len; i++) {
        const SealCommandEntry *entry = g_ptr_array_index(registry->commands, i);
        if (g_str_equal(entry->table.name, name))
            return entry;
    }
    return NULL;
}

GPtrArray *seal_registry_checks(const SealRegistry *registry)
{
    return registry->checks;
}

GPtrArray *seal_registry_modules(const SealRegistry *registry)
{
    return registry->modules;
}

GPtrArray *seal_registry_formats(const SealRegistry *registry)
{
    return registry->formats;
}

GOutputStream *seal_registry_spool(const SealRegistry *registry)
{
    return seal_spool_open(seal_settings_string(registry->core, "spool_dir"),
                           (gsize)seal_settings_number(registry->core, "spool_memory"));
}

const SealSettings *seal_module_settings(const SealModule *module)
{
    return module->settings;
}
