/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * probe.c: whether key sources answer, and how soon, by asking each for an address.
 */
#include "core/pipeline/dispatcher.h"
#include "core/pipeline/keyring-search.h"
#include "core/plugin/calls.h"
#include "core/plugin/module.h"

/* FALSE: it could not find out; the error says why. */
static gboolean ask_source(const SealSourceEntry *source, const char *format, SealAddress *address,
                           GError **error)
{
    g_autoptr(GPtrArray) keys = seal_keys_new();
    g_autofree char *doubt = NULL;

    return seal_source_lookup(source, address, format, NULL, keys, &doubt, error);
}

/* In the format in which it takes the longest; the first trouble counts. */
static void probe_source(SealDispatcher *self, const SealSourceEntry *source, SealAddress *address,
                         SealProbeVisitor visit, gpointer user_data)
{
    GPtrArray *formats = seal_registry_formats(self->registry);
    g_autofree char *lack = seal_source_lack(source);
    g_autoptr(GError) problem = NULL;
    SealProbe probe = {
        .source = source->table.name,
        .module = seal_module_name(source->module),
        .lack = lack,
    };

    for (guint i = 0; i < formats->len && !problem; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        gint64 begun = g_get_monotonic_time();

        ask_source(source, format->table.name, address, &problem);
        probe.usec = MAX(probe.usec, g_get_monotonic_time() - begun);
    }
    probe.problem = problem;
    visit(&probe, user_data);
}

void seal_dispatcher_probe_sources(SealDispatcher *self, SealAddress *address,
                                   SealProbeVisitor visit, gpointer user_data)
{
    GPtrArray *sources = self->outbound->keyring->sources;

    for (guint i = 0; i < sources->len; i++)
        probe_source(self, g_ptr_array_index(sources, i), address, visit, user_data);
}
