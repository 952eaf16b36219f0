/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * show.c: what was found, for people.
 */
#include "filters/ctl/check/check.h"

#include <stdio.h>

enum { STATE_WIDTH = 9, TOPIC_WIDTH = 14 };

const char *check_state_name(CheckState state)
{
    static const char *const names[] = {"ok", "warning", "problem", "unchecked"};

    return names[state];
}

static const char *colour_of(CheckState state)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[1;31m", "\033[36m"};

    return colours[state];
}

static char *safe_text(const char *text)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_string(text));

    return ctl_text(value);
}

static void show_finding(const CheckFinding *finding, gboolean colours)
{
    g_autofree char *text = safe_text(finding->text);
    g_autofree char *remedy = safe_text(finding->remedy);

    printf("%s%-*s%s %-*s %s\n", colours ? colour_of(finding->state) : "", STATE_WIDTH,
           check_state_name(finding->state), colours ? "\033[0m" : "", TOPIC_WIDTH,
           finding->topic->name, text);
    if (*remedy)
        printf("%*s to do: %s\n", STATE_WIDTH + 1 + TOPIC_WIDTH, "", remedy);
}

static void show_count(guint count, const char *word)
{
    printf("%u %s%s", count, word, count == 1 ? "" : "s");
}

void check_show(GPtrArray *findings)
{
    guint counts[CHECK_UNCHECKED + 1] = {0};
    gboolean colours = ctl_wants_colours();

    for (guint i = 0; i < findings->len; i++) {
        const CheckFinding *finding = g_ptr_array_index(findings, i);

        counts[finding->state]++;
        show_finding(finding, colours);
    }
    putchar('\n');
    show_count(counts[CHECK_PROBLEM], "problem");
    printf(", ");
    show_count(counts[CHECK_WARNING], "warning");
    if (counts[CHECK_UNCHECKED] > 0)
        printf(", %u not looked at", counts[CHECK_UNCHECKED]);
    putchar('\n');
}
