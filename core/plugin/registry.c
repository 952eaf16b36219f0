/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.c: opens the modules that the configuration enables, and finds what they offer.
 */
#include "core/plugin/registry.h"

#include "core/frontend.h"
#include "core/plugin/offers.h"
#include "core/plugin/tables.h"

#include <string.h>

/* Every typed entry is one of these. */
typedef struct {
    SealModule *module;
    SealOfferHead table;
} Entry;

G_STATIC_ASSERT(offsetof(SealStageEntry, table) == offsetof(Entry, table));
G_STATIC_ASSERT(offsetof(SealFormatEntry, table) == offsetof(Entry, table));
G_STATIC_ASSERT(offsetof(SealSourceEntry, table) == offsetof(Entry, table));
G_STATIC_ASSERT(offsetof(SealCheckEntry, table) == offsetof(Entry, table));
G_STATIC_ASSERT(offsetof(SealCommandEntry, table) == offsetof(Entry, table));
G_STATIC_ASSERT(offsetof(SealPrivateEntry, table) == offsetof(Entry, table));

struct SealRegistry {
    GPtrArray *modules;
    GPtrArray *offers[SEAL_OFFER_KINDS]; /* of Entry */
    const SealSettings *core;
    SealKept *kept;
    SealWatch *watch;
    char *keys_user; /* [daemon] keys_user */
    gboolean worn;
};

static const char *const KIND_NAMES[] = {
    [SEAL_OFFER_STAGE] = "stage",       [SEAL_OFFER_FORMAT] = "format",
    [SEAL_OFFER_SOURCE] = "key source", [SEAL_OFFER_CHECK] = "check",
    [SEAL_OFFER_COMMAND] = "command",   [SEAL_OFFER_PRIVATE] = "private half",
};

static gconstpointer find_entry(const SealRegistry *registry, SealOfferKind kind, const char *name)
{
    for (guint i = 0; i < registry->offers[kind]->len; i++) {
        const Entry *entry = g_ptr_array_index(registry->offers[kind], i);
        if (g_str_equal(entry->table.name, name))
            return entry;
    }
    return NULL;
}

/* Stages and formats stand in one pipeline, by their names. */
static gboolean name_is_taken(const SealRegistry *registry, SealOfferKind kind, const char *name)
{
    if (kind == SEAL_OFFER_CHECK)
        return FALSE;
    if (kind == SEAL_OFFER_STAGE && find_entry(registry, SEAL_OFFER_FORMAT, name))
        return TRUE;
    return (kind == SEAL_OFFER_FORMAT && find_entry(registry, SEAL_OFFER_STAGE, name)) ||
           find_entry(registry, kind, name);
}

/* Reads as many octets of a table as it says it has, and as core knows: one of an older minor
 * version is zero behind its end. */
static gboolean register_offer(SealRegistry *registry, SealModule *module, SealOfferKind kind,
                               const SealOfferHead *table, GError **error)
{
    const char *fault = seal_offer_fault(kind, table);
    gsize size = seal_offer_size(kind);

    if (!fault && name_is_taken(registry, kind, table->name))
        fault = "has a name that another one has";
    if (fault) {
        gboolean named = table->size >= sizeof *table && table->name;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MODULE, "module %s: the table of its %s%s%s %s",
                    module->descriptor.name, KIND_NAMES[kind], named ? " " : "",
                    named ? table->name : "", fault);
        return FALSE;
    }
    Entry *entry = g_malloc0(offsetof(Entry, table) + size);
    entry->module = module;
    memcpy(&entry->table, table, MIN(size, table->size));
    g_ptr_array_add(registry->offers[kind], entry);
    return TRUE;
}

static gboolean register_offers(SealRegistry *registry, SealModule *module, GError **error)
{
    for (SealOfferKind kind = 0; kind < SEAL_OFFER_KINDS; kind++) {
        const SealOfferHead *const *tables = seal_offer_tables(kind, &module->descriptor);

        for (guint i = 0; tables && tables[i] && i < SEAL_MAX_OFFERS; i++) {
            if (!register_offer(registry, module, kind, tables[i], error))
                return FALSE;
        }
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Loading
 */

static gboolean load_module(SealRegistry *registry, const char *name, const SealGroup *group,
                            const char *dir, GError **error)
{
    const SealModuleDescriptor *found = seal_module_peek(dir, name, error);
    SealModule *module = found ? seal_module_new(found, group, error) : NULL;

    if (!module)
        return FALSE;
    module->core = registry->core;
    module->registry = registry;
    module->watch = registry->watch;
    module->keys_user = registry->keys_user;
    module->worn = &registry->worn;
    g_ptr_array_add(registry->modules, module);
    return register_offers(registry, module, error);
}

/* Others may need the formats as soon as they start. */
gboolean seal_registry_init(SealRegistry *registry, GError **error)
{
    for (int formats = 1; formats >= 0; formats--) {
        for (guint i = 0; i < registry->modules->len; i++) {
            SealModule *module = g_ptr_array_index(registry->modules, i);
            if ((module->descriptor.formats != NULL) == formats && !seal_module_init(module, error))
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

static char *read_keys_user(const SealConfig *config)
{
    g_autoptr(SealSettings) daemon =
        seal_settings_new_sound("daemon", seal_config_group(config, "daemon"), SEAL_TABLE_DAEMON);

    return g_strdup(seal_settings_string(daemon, "keys_user"));
}

SealRegistry *seal_registry_new(const SealConfig *config, const char *module_dir,
                                const SealSettings *core, GError **error)
{
    g_autoptr(SealRegistry) registry = g_new0(SealRegistry, 1);
    GPtrArray *groups = seal_config_groups(config);

    registry->modules = g_ptr_array_new_with_free_func((GDestroyNotify)seal_module_free);
    for (SealOfferKind kind = 0; kind < SEAL_OFFER_KINDS; kind++)
        registry->offers[kind] = g_ptr_array_new_with_free_func(g_free);
    registry->core = core;
    registry->watch = seal_watch_new();
    registry->keys_user = read_keys_user(config);
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);

        if (g_str_has_prefix(group->name, "module ") &&
            !load_group(registry, group, module_dir, error))
            return NULL;
    }
    return g_steal_pointer(&registry);
}

gboolean seal_registry_attach(SealRegistry *registry, GError **error)
{
    for (guint i = 0; i < registry->modules->len; i++) {
        if (!seal_module_attach(g_ptr_array_index(registry->modules, i), error))
            return FALSE;
    }
    return TRUE;
}

void seal_registry_free(SealRegistry *registry)
{
    if (!registry)
        return;
    g_ptr_array_unref(registry->modules);
    for (SealOfferKind kind = 0; kind < SEAL_OFFER_KINDS; kind++)
        g_ptr_array_unref(registry->offers[kind]);
    seal_watch_free(registry->watch);
    g_free(registry->keys_user);
    g_free(registry);
}

/* -------------------------------------------------------------------------------------------
 * What there is
 */

const SealStageEntry *seal_registry_stage(const SealRegistry *registry, const char *name)
{
    return find_entry(registry, SEAL_OFFER_STAGE, name);
}

const SealStageEntry *seal_registry_prover(const SealRegistry *registry)
{
    GPtrArray *stages = registry->offers[SEAL_OFFER_STAGE];

    for (guint i = 0; i < stages->len; i++) {
        const SealStageEntry *stage = g_ptr_array_index(stages, i);

        if (stage->table.prove)
            return stage;
    }
    return NULL;
}

const SealFormatEntry *seal_registry_format(const SealRegistry *registry, const char *name)
{
    return find_entry(registry, SEAL_OFFER_FORMAT, name);
}

const SealSourceEntry *seal_registry_source(const SealRegistry *registry, const char *name)
{
    return find_entry(registry, SEAL_OFFER_SOURCE, name);
}

const SealCommandEntry *seal_registry_command(const SealRegistry *registry, const char *name)
{
    return find_entry(registry, SEAL_OFFER_COMMAND, name);
}

const SealPrivateEntry *seal_registry_private(const SealRegistry *registry,
                                              const SealModule *module)
{
    GPtrArray *halves = registry->offers[SEAL_OFFER_PRIVATE];

    for (guint i = 0; i < halves->len; i++) {
        const SealPrivateEntry *half = g_ptr_array_index(halves, i);

        if (half->module == module)
            return half;
    }
    return NULL;
}

GPtrArray *seal_registry_privates(const SealRegistry *registry)
{
    return registry->offers[SEAL_OFFER_PRIVATE];
}

void seal_registry_keep(SealRegistry *registry, SealKept *kept)
{
    registry->kept = kept;
}

void seal_registry_set_tended(SealRegistry *registry, const char *folder)
{
    for (guint i = 0; i < registry->modules->len; i++) {
        SealModule *module = g_ptr_array_index(registry->modules, i);
        const SealPrivateEntry *half = seal_registry_private(registry, module);

        if (half && half->table.tend)
            module->tended = g_build_filename(folder, half->table.name, NULL);
    }
}

SealKept *seal_registry_kept(const SealRegistry *registry)
{
    return registry->kept;
}

SealWatch *seal_registry_watch(const SealRegistry *registry)
{
    return registry->watch;
}

gboolean seal_registry_is_worn(const SealRegistry *registry)
{
    return registry->worn;
}

GPtrArray *seal_registry_checks(const SealRegistry *registry)
{
    return registry->offers[SEAL_OFFER_CHECK];
}

GPtrArray *seal_registry_stages(const SealRegistry *registry)
{
    return registry->offers[SEAL_OFFER_STAGE];
}

GPtrArray *seal_registry_sources(const SealRegistry *registry)
{
    return registry->offers[SEAL_OFFER_SOURCE];
}

GPtrArray *seal_registry_formats(const SealRegistry *registry)
{
    return registry->offers[SEAL_OFFER_FORMAT];
}

GPtrArray *seal_registry_modules(const SealRegistry *registry)
{
    return registry->modules;
}
