/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.h: the enabled modules, and what they offer, by name.
 */
#pragma once

#include "core/plugin/module.h"

/** What a process without private keys has of them; see keeper.h. */
typedef struct SealKept SealKept;

/** What one module offers under one name. Tables are core's own copies, as long as core knows them,
 *  zero where the module's were shorter. core/plugin/calls.h calls what is in them. */
typedef struct {
    SealModule *module;
    SealStage table;
} SealStageEntry;

typedef struct {
    SealModule *module;
    SealFormat table;
} SealFormatEntry;

typedef struct {
    SealModule *module;
    SealSource table;
} SealSourceEntry;

typedef struct {
    SealModule *module;
    SealCheck table;
} SealCheckEntry;

typedef struct {
    SealModule *module;
    SealCommand table;
} SealCommandEntry;

typedef struct {
    SealModule *module;
    SealPrivate table;
} SealPrivateEntry;

/** Opens every module that @config enables with a group [module NAME]. @core is the
 *  group [core], which outlives the registry. Formats are initialised before modules that offer
 * none. SEAL_ERROR_MODULE or SEAL_ERROR_CONFIG, with file and line of the group. (transfer full) */
SealRegistry *seal_registry_new(const SealConfig *config, const char *module_dir,
                                const SealSettings *core, GError **error);
void seal_registry_free(SealRegistry *registry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealRegistry, seal_registry_free)

/** Judges the files that settings name, and calls every module's init. */
gboolean seal_registry_init(SealRegistry *registry, GError **error);
/** Calls every module's attach; detach follows when the registry is freed. */
gboolean seal_registry_attach(SealRegistry *registry, GError **error);

/** NULL where no enabled module offers that name. (borrowed) */
const SealStageEntry *seal_registry_stage(const SealRegistry *registry, const char *name);
const SealFormatEntry *seal_registry_format(const SealRegistry *registry, const char *name);
const SealSourceEntry *seal_registry_source(const SealRegistry *registry, const char *name);
const SealCommandEntry *seal_registry_command(const SealRegistry *registry, const char *name);
/** The first stage that can prove who the author is, or NULL. (borrowed) */
const SealStageEntry *seal_registry_prover(const SealRegistry *registry);

/** The private half of @module; NULL where it has none. (borrowed) */
const SealPrivateEntry *seal_registry_private(const SealRegistry *registry,
                                              const SealModule *module);

/** (borrowed, element type SealPrivateEntry) */
GPtrArray *seal_registry_privates(const SealRegistry *registry);
/** What private halves list, where another process has them: before init. Takes it over. */
void seal_registry_keep(SealRegistry *registry, SealKept *kept);
/** Where tend() has made things ready, a folder for each module below @folder: before init. */
void seal_registry_set_tended(SealRegistry *registry, const char *folder);
/** NULL where they are in this process. (borrowed) */
SealKept *seal_registry_kept(const SealRegistry *registry);

/** What the modules have read, but for what they follow themselves. (borrowed) */
SealWatch *seal_registry_watch(const SealRegistry *registry);
/** One of them has asked for a restart. */
gboolean seal_registry_is_worn(const SealRegistry *registry);

/** (borrowed, element type SealCheckEntry) */
GPtrArray *seal_registry_checks(const SealRegistry *registry);
/** (borrowed, element type SealStageEntry) */
GPtrArray *seal_registry_stages(const SealRegistry *registry);
/** (borrowed, element type SealSourceEntry) In the order in which modules were loaded. */
GPtrArray *seal_registry_sources(const SealRegistry *registry);
/** (borrowed, element type SealModule) */
GPtrArray *seal_registry_modules(const SealRegistry *registry);
/** (borrowed, element type SealFormatEntry) */
GPtrArray *seal_registry_formats(const SealRegistry *registry);
