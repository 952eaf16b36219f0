/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * print.c: an answer for people and for programs.
 */
#include "filters/ctl/ctl.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_values(GVariant *row)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, row);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE("aa{sv}")))
            continue;
        g_autofree char *text = ctl_text(value);
        printf("%s: %s\n", key, text);
    }
}

static void print_list(const char *name, GVariant *rows, gboolean terminal)
{
    gsize count = g_variant_n_children(rows);

    /* An answer to people that says nothing at all is none. */
    if (count == 0 && g_str_equal(name, "keys"))
        printf("keys: 0\n");
    if (terminal && count > 0) {
        ctl_print_table(rows);
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

/* As https://no-color.org has it. */
gboolean ctl_wants_colours(void)
{
    const char *no = g_getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && !(no && *no) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

char *ctl_shell_word(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("/._-+:@,%=", *c))
            return g_shell_quote(text);
    }
    return g_strdup(text);
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
        print_list(key, value, terminal);
        gap = TRUE;
    }
}
