/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.h: one loaded module: its descriptor, its settings, its life.
 */
#pragma once

#include "core/plugin/settings.h"

#include "core/base/watch.h"

typedef struct SealRegistry SealRegistry;

struct SealModule {
    SealModuleDescriptor descriptor; /* a copy, zero where the module's is shorter */
    SealSettings *settings;
    const SealSettings *core; /* the group [core] */
    SealRegistry *registry;   /* where it stands; the next two are its own */
    SealWatch *watch;         /* what was read and is not followed */
    gboolean *worn;           /* some module asked for a restart */
    const char *keys_user;    /* [daemon] keys_user; the registry's */
    char *tended;             /* the folder of tend(), or NULL */
    gpointer data;
    gpointer private_data;
    void (*unload)(SealModule *); /* of the private half, where that was loaded */
    gboolean ready;
    gboolean attached;
};

/** The module of @descriptor as @group configures it. (transfer full) */
SealModule *seal_module_new(const SealModuleDescriptor *descriptor, const SealGroup *group,
                            GError **error);
/** Ends what was begun: detach, fini. */
void seal_module_free(SealModule *module);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealModule, seal_module_free)

/** Calls the module's init, and attach. A failure has a reason, and names the module. */
gboolean seal_module_init(SealModule *module, GError **error);
gboolean seal_module_attach(SealModule *module, GError **error);
