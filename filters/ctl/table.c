/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * table.c: rows as a table for a terminal, no wider than that is: what is long goes on below.
 */
#include "filters/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    WIDTH = 80, /* of a terminal that does not say */
    GAP = 2,
    LEAST = 12, /* of a column that is made narrower */
};

char *ctl_text(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "yes" : "no");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));

    const char *text = g_variant_get_string(value, NULL);
    return seal_text_line(text, strlen(text), G_MAXSIZE);
}

typedef struct {
    GPtrArray *heads; /* the keys of all rows, in the order in which they come */
    GPtrArray *cells; /* of GPtrArray of char *, the heads' row first */
    glong *widths;
} Table;

static void table_clear(Table *table)
{
    g_ptr_array_unref(table->heads);
    g_ptr_array_unref(table->cells);
    g_free(table->widths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Table, table_clear)

static void add_heads(Table *table, GVariant *row)
{
    GVariantIter values;
    const char *key;

    g_variant_iter_init(&values, row);
    while (g_variant_iter_next(&values, "{&sv}", &key, NULL)) {
        if (!g_ptr_array_find_with_equal_func(table->heads, key, g_str_equal, NULL))
            g_ptr_array_add(table->heads, g_strdup(key));
    }
}

/* The heads' own where @row is NULL. */
static void add_cells(Table *table, GVariant *row)
{
    GPtrArray *cells = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(table->cells, cells);
    for (guint c = 0; c < table->heads->len; c++) {
        const char *key = g_ptr_array_index(table->heads, c);
        g_autoptr(GVariant) value = row ? g_variant_lookup_value(row, key, NULL) : NULL;
        char *text = value ? ctl_text(value) : row ? g_strdup("") : g_utf8_strup(key, -1);

        g_ptr_array_add(cells, text);
        table->widths[c] = MAX(table->widths[c], g_utf8_strlen(text, -1));
    }
}

static void table_read(Table *table, GVariant *rows)
{
    gsize count = g_variant_n_children(rows);

    table->heads = g_ptr_array_new_with_free_func(g_free);
    table->cells = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (gsize r = 0; r < count; r++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
        add_heads(table, row);
    }
    table->widths = g_new0(glong, table->heads->len + 1);
    add_cells(table, NULL);
    for (gsize r = 0; r < count; r++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
        add_cells(table, row);
    }
}

static glong terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : WIDTH;
}

/* The widest column gives way, as long as there is one that can. */
static void table_fit(Table *table, glong most)
{
    for (;;) {
        guint widest = 0;
        glong width = -GAP;

        for (guint c = 0; c < table->heads->len; c++) {
            width += table->widths[c] + GAP;
            if (table->widths[c] > table->widths[widest])
                widest = c;
        }
        if (width <= most || table->widths[widest] <= LEAST)
            return;
        table->widths[widest]--;
    }
}

/* Takes what goes into a line of @width from *@text: to a blank where there is one, else all that
 * fits. (transfer full) */
static char *take_line(const char **text, glong width)
{
    const char *start = *text, *end = start, *blank = NULL;

    for (glong n = 0; *end && n < width; n++) {
        if (*end == ' ')
            blank = end;
        end = g_utf8_next_char(end);
    }
    if (*end && *end != ' ' && blank && blank > start)
        end = blank;
    *text = end;
    while (**text == ' ')
        (*text)++;
    return g_strndup(start, (gsize)(end - start));
}

static void print_row(const Table *table, GPtrArray *cells)
{
    g_autofree const char **left = g_new0(const char *, cells->len + 1);
    gboolean more = TRUE;

    for (guint c = 0; c < cells->len; c++)
        left[c] = g_ptr_array_index(cells, c);
    while (more) {
        more = FALSE;
        for (guint c = 0; c < cells->len; c++) {
            g_autofree char *line = take_line(&left[c], table->widths[c]);
            glong pad = c + 1 == cells->len ? 0 : table->widths[c] - g_utf8_strlen(line, -1) + GAP;

            printf("%s%*s", line, (int)pad, "");
            more = more || *left[c];
        }
        putchar('\n');
    }
}

void ctl_print_table(GVariant *rows)
{
    g_auto(Table) table = {0};

    table_read(&table, rows);
    table_fit(&table, terminal_width());
    for (guint r = 0; r < table.cells->len; r++)
        print_row(&table, g_ptr_array_index(table.cells, r));
}
