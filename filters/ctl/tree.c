/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ctl/tree.h"

#include "filters/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct CtlTree {
    char *text; /* NULL: the root, which is not printed */
    CtlStyle style;
    GPtrArray *below; /* of CtlTree */
};

/* What stands before a line. */
typedef struct {
    const char *fork, *last, *bar, *blank;
    gboolean colours;
} Look;

CtlTree *ctl_tree_new(void)
{
    CtlTree *tree = g_new0(CtlTree, 1);

    tree->below = g_ptr_array_new_with_free_func((GDestroyNotify)ctl_tree_free);
    return tree;
}

void ctl_tree_free(CtlTree *tree)
{
    if (!tree)
        return;
    g_ptr_array_unref(tree->below);
    g_free(tree->text);
    g_free(tree);
}

CtlTree *ctl_tree_add(CtlTree *parent, CtlStyle style, const char *format, ...)
{
    CtlTree *tree = ctl_tree_new();
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    tree->text = seal_text_line(text, strlen(text), G_MAXSIZE);
    tree->style = style;
    g_ptr_array_add(parent->below, tree);
    return tree;
}

/* -------------------------------------------------------------------------------------------
 * Printing
 */

static gboolean writes_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = g_getenv(names[i]);

        if (!value || !*value)
            continue;
        g_autofree char *lower = g_ascii_strdown(value, -1);
        return strstr(lower, "utf-8") || strstr(lower, "utf8");
    }
    return FALSE;
}

static Look find_look(void)
{
    if (!isatty(STDOUT_FILENO))
        return (Look){"  ", "  ", "  ", "  ", FALSE};
    if (writes_utf8())
        return (Look){"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   ", ctl_wants_colours()};
    return (Look){"|- ", "`- ", "|  ", "   ", ctl_wants_colours()};
}

static void print_text(const CtlTree *tree, const Look *look)
{
    static const char *const codes[] = {
        [CTL_STYLE_PLAIN] = "",   [CTL_STYLE_HEAD] = "1", [CTL_STYLE_GOOD] = "32",
        [CTL_STYLE_DOUBT] = "33", [CTL_STYLE_BAD] = "31", [CTL_STYLE_FAINT] = "2",
    };
    const char *code = look->colours ? codes[tree->style] : "";

    printf(*code ? "\033[%s%s%s\033[0m\n" : "%s%s%s\n", code, *code ? "m" : "", tree->text);
}

static void print_below(const CtlTree *tree, const Look *look, const char *before)
{
    for (guint i = 0; i < tree->below->len; i++) {
        const CtlTree *child = g_ptr_array_index(tree->below, i);
        gboolean last = i + 1 == tree->below->len;
        g_autofree char *further = g_strconcat(before, last ? look->blank : look->bar, NULL);

        printf("%s%s", before, last ? look->last : look->fork);
        print_text(child, look);
        print_below(child, look, further);
    }
}

void ctl_tree_print(const CtlTree *tree)
{
    Look look = find_look();

    for (guint i = 0; i < tree->below->len; i++) {
        const CtlTree *child = g_ptr_array_index(tree->below, i);

        if (i > 0)
            putchar('\n');
        print_text(child, &look);
        print_below(child, &look, "");
    }
}
