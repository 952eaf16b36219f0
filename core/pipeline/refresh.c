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

/* How often each came of it. */
typedef struct {
    SealOut *out;
    guint due;
    guint fetched;
    guint failed;
} Round;

static void round_take_row(Round *round, GVariant *row)
{
    GVariantIter iter;
    const char *key, *result = "";
    GVariant *value;

    seal_out_row(round->out, "refreshed");
    g_variant_iter_init(&iter, row);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        const char *text = g_variant_get_string(value, NULL);

        seal_out_text(round->out, key, "%s", text);
        if (g_str_equal(key, "result"))
            result = g_intern_string(text);
        g_variant_unref(value);
    }
    seal_out_end_row(round->out);
    round->due++;
    round->fetched += g_str_equal(result, "fetched") || g_str_equal(result, "unchanged");
    round->failed += g_str_equal(result, "failed");
}

/* What a module has answered, and counts of it. */
static void round_take(Round *round, SealOut *answer)
{
    g_autoptr(GVariant) values = seal_out_finish(answer);
    g_autoptr(GVariant) rows = g_variant_lookup_value(values, "refreshed", NULL);

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        round_take_row(round, row);
    }
}

static void round_finish(const Round *round, gint64 now, gint64 next)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(MAX(next, now));
    g_autofree char *text = time ? g_date_time_format_iso8601(time) : g_strdup("never");

    seal_out_number(round->out, "due", round->due);
    seal_out_number(round->out, "fetched", round->fetched);
    seal_out_number(round->out, "failed", round->failed);
    seal_out_text(round->out, "next", "%s", text);
    if (round->due == 0)
        seal_out_text(round->out, "note", "%s",
                      time ? "nothing is due; --all tries now" : "there is nothing to fetch");
}

gboolean seal_dispatcher_refresh(SealDispatcher *self, gboolean all, SealOut *out, gint64 *next,
                                 GError **error)
{
    GPtrArray *modules = seal_registry_modules(self->registry);
    Round round = {.out = out};
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GError) first = NULL;

    *next = G_MAXINT64;
    seal_out_list(out, "refreshed");
    for (guint i = 0; i < modules->len; i++) {
        SealModule *module = g_ptr_array_index(modules, i);
        g_autoptr(SealOut) answer = seal_out_new();
        gint64 again = G_MAXINT64;

        if (!module->descriptor.refresh)
            continue;
        seal_call_refresh(module, all, now, NULL, answer, &again, first ? NULL : &first);
        round_take(&round, answer);
        *next = MIN(*next, again);
    }
    round_finish(&round, now, *next);
    if (!first)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&first));
    return FALSE;
}
