/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * print.c: an answer for people and for programs.
 */
#include "filters/ctl/ctl.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Text may come from outside: nothing in it may steer a terminal or begin a line. */
static char *text_of(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "yes" : "no");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));

    const char *text = g_variant_get_string(value, NULL);
    return seal_text_line(text, strlen(text), G_MAXSIZE);
}

static void print_values(GVariant *row)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, row);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE("aa{sv}")))
            continue;
        g_autofree char *text = text_of(value);
        printf("%s: %s\n", key, text);
    }
}

/* -------------------------------------------------------------------------------------------
 * Tables
 */

/* The keys of all rows, in the order in which they come. */
static GPtrArray *columns_of(GVariant *rows)
{
    GPtrArray *columns = g_ptr_array_new_with_free_func(g_free);
    GVariantIter iter;
    GVariant *row;

    g_variant_iter_init(&iter, rows);
    while ((row = g_variant_iter_next_value(&iter))) {
        GVariantIter values;
        const char *key;

        g_variant_iter_init(&values, row);
        while (g_variant_iter_next(&values, "{&sv}", &key, NULL)) {
            if (!g_ptr_array_find_with_equal_func(columns, key, g_str_equal, NULL))
                g_ptr_array_add(columns, g_strdup(key));
        }
        g_variant_unref(row);
    }
    return columns;
}

/* (transfer full) */
static char *cell_of(GVariant *row, const char *key)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(row, key, NULL);

    return value ? text_of(value) : g_strdup("");
}

static void print_cell(const char *text, glong width, gboolean last)
{
    glong pad = last ? 0 : width - g_utf8_strlen(text, -1) + 2;

    printf("%s%*s%s", text, (int)MAX(pad, 0), "", last ? "\n" : "");
}

static void print_table(GVariant *rows)
{
    g_autoptr(GPtrArray) columns = columns_of(rows);
    g_autofree glong *widths = g_new0(glong, columns->len + 1);
    gsize count = g_variant_n_children(rows);

    for (guint c = 0; c < columns->len; c++) {
        const char *key = g_ptr_array_index(columns, c);
        widths[c] = g_utf8_strlen(key, -1);
        for (gsize r = 0; r < count; r++) {
            g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
            g_autofree char *text = cell_of(row, key);
            widths[c] = MAX(widths[c], g_utf8_strlen(text, -1));
        }
    }
    for (guint c = 0; c < columns->len; c++) {
        g_autofree char *head = g_utf8_strup(g_ptr_array_index(columns, c), -1);
        print_cell(head, widths[c], c + 1 == columns->len);
    }
    for (gsize r = 0; r < count; r++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
        for (guint c = 0; c < columns->len; c++) {
            g_autofree char *text = cell_of(row, g_ptr_array_index(columns, c));
            print_cell(text, widths[c], c + 1 == columns->len);
        }
    }
}

static void print_list(GVariant *rows, gboolean terminal)
{
    gsize count = g_variant_n_children(rows);

    if (terminal && count > 0) {
        print_table(rows);
        return;
    }
    for (gsize r = 0; r < count; r++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
        if (r > 0)
            putchar('\n');
        print_values(row);
    }
}

static void print_json(GVariant *answer)
{
    g_autoptr(JsonNode) node = json_gvariant_serialize(answer);
    g_autofree char *text = json_to_string(node, TRUE);

    printf("%s\n", text);
}

void ctl_print(GVariant *answer, gboolean json)
{
    gboolean terminal = isatty(STDOUT_FILENO), gap = FALSE;
    GVariantIter iter;
    const char *key;
    GVariant *value;

    if (json) {
        print_json(answer);
        return;
    }
    print_values(answer);
    g_variant_iter_init(&iter, answer);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        if (!g_variant_is_of_type(value, G_VARIANT_TYPE("aa{sv}"))) {
            gap = TRUE;
            continue;
        }
        if (gap && g_variant_n_children(value) > 0)
            putchar('\n');
        print_list(value, terminal);
        gap = TRUE;
    }
}
