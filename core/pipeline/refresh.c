/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * refresh.c: has modules fetch what gets out of date; never in the way of a message.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"

gboolean seal_dispatcher_can_refresh(const SealDispatcher *self)
{
    GPtrArray *modules = seal_registry_modules(self->registry);
    g_autoptr(GCancellable) cancelled = g_cancellable_new();
    gint64 next = G_MAXINT64;

    g_cancellable_cancel(cancelled);
    for (guint i = 0; i < modules->len && next == G_MAXINT64; i++) {
        SealModule *module = g_ptr_array_index(modules, i);
        g_autoptr(SealOut) out = seal_out_new();

        if (module->descriptor.refresh)
            seal_call_refresh(module, FALSE, 0, cancelled, out, &next, NULL);
    }
    return next != G_MAXINT64;
}

gboolean seal_dispatcher_refresh(SealDispatcher *self, gboolean all, SealOut *out, gint64 *next,
                                 GError **error)
{
    GPtrArray *modules = seal_registry_modules(self->registry);
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GError) first = NULL;

    *next = G_MAXINT64;
    seal_out_list(out, "refreshed");
    for (guint i = 0; i < modules->len; i++) {
        SealModule *module = g_ptr_array_index(modules, i);
        gint64 again = G_MAXINT64;

        if (!module->descriptor.refresh)
            continue;
        seal_call_refresh(module, all, now, NULL, out, &again, first ? NULL : &first);
        seal_out_end_row(out);
        *next = MIN(*next, again);
    }
    if (!first)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&first));
    return FALSE;
}
