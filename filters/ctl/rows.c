/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rows.c: what stands in the rows of an answer.
 */
#include "filters/ctl/ctl.h"

const char *ctl_row_text(GVariant *row, const char *name)
{
    const char *text = "";

    g_variant_lookup(row, name, "&s", &text);
    return text;
}

gint64 ctl_row_number(GVariant *row, const char *name)
{
    gint64 number = 0;

    g_variant_lookup(row, name, "x", &number);
    return number;
}

gboolean ctl_row_is_set(GVariant *row, const char *name)
{
    gboolean set = FALSE;

    g_variant_lookup(row, name, "b", &set);
    return set;
}

void ctl_rows_visit(GVariant *answer, const char *list, CtlRowVisitor *visit, gpointer user_data)
{
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, list, G_VARIANT_TYPE("aa{sv}"));

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        visit(row, user_data);
    }
}

gsize ctl_rows_count(GVariant *answer, const char *list)
{
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, list, G_VARIANT_TYPE("aa{sv}"));

    return rows ? g_variant_n_children(rows) : 0;
}
