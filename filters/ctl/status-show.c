/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status-show.c: what `sealctl status` says of the daemon, keys and disks, for people.
 */
#include "filters/ctl/status.h"

#include <stdio.h>
#include <string.h>

#define FAINT  "\033[2m"
#define BOLD   "\033[1m"
#define RED    "\033[1;31m"
#define YELLOW "\033[33m"
#define NONE   "\033[0m"

/* -------------------------------------------------------------------------------------------
 * Lines
 */

static void print_in(const char *colour, const char *text)
{
    gboolean colours = ctl_wants_colours() && colour;

    printf("%s%s%s", colours ? colour : "", text, colours ? NONE : "");
}

static void print_head(const char *text)
{
    putchar('\n');
    print_in(BOLD, text);
    putchar('\n');
}

/* What came from outside steers no terminal and begins no line. */
static void print_safe(const char *colour, const char *text)
{
    g_autofree char *line = seal_text_line(text, strlen(text), G_MAXSIZE);

    print_in(colour, line);
}

static char *say_time(gint64 seconds)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(seconds);

    return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("an unknown time");
}

static const char *colour_of(const char *result)
{
    return g_str_equal(result, "deferred") || g_str_equal(result, "refused") ? RED
           : g_str_equal(result, "sealed") || g_str_equal(result, "signed")  ? NULL
                                                                             : YELLOW;
}

/* -------------------------------------------------------------------------------------------
 * The daemon
 */

static void show_daemon(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    g_autofree char *started = say_time(ctl_row_number(row, "started"));
    g_autofree char *loaded = say_time(ctl_row_number(row, "loaded"));
    const gint64 refused = ctl_row_number(row, "refused"), missed = ctl_row_number(row, "missed");

    printf("  sealpiped ");
    print_safe(NULL, ctl_row_text(row, "version"));
    printf(", process %" G_GINT64_FORMAT ", since %s%s\n", ctl_row_number(row, "pid"), started,
           ctl_row_is_set(row, "stopping") ? ", is stopping" : "");
    if (ctl_row_number(row, "generation") > 0)
        printf("  works with the configuration as it was at %s (generation %" G_GINT64_FORMAT ")\n",
               loaded, ctl_row_number(row, "generation"));
    else
        printf("  has no configuration yet that works\n");
    if (refused > 0) {
        g_autofree char *when = say_time(refused);

        printf("  ");
        print_in(RED, "a later configuration does not work");
        printf(", as of %s%s", when, *ctl_row_text(row, "problem") ? ": " : "; see the log");
        print_safe(NULL, ctl_row_text(row, "problem"));
        putchar('\n');
    }
    printf(
        "  workers: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " at work; ",
        ctl_row_number(row, "alive"), ctl_row_number(row, "workers"), ctl_row_number(row, "busy"));
    g_autofree char *lost =
        g_strdup_printf("%" G_GINT64_FORMAT " ended that should not have", missed);
    print_in(missed > 0 ? YELLOW : NULL, lost);
    putchar('\n');
}

static void show_request(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    g_autofree char *padded = g_strdup_printf("%-10s", ctl_row_text(row, "mode"));

    printf("  ");
    print_safe(NULL, padded);
    printf(" %10" G_GINT64_FORMAT "\n", ctl_row_number(row, "count"));
}

static void show_recipient(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    const char *result = ctl_row_text(row, "result");
    g_autofree char *padded = g_strdup_printf("%-10s", result);

    printf("  ");
    print_safe(colour_of(result), padded);
    printf(" %10" G_GINT64_FORMAT "  ", ctl_row_number(row, "count"));
    print_safe(NULL, ctl_row_text(row, "reason"));
    print_safe(NULL, ctl_row_text(row, "format"));
    putchar('\n');
}

static void show_failure(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    g_autofree char *time = say_time(ctl_row_number(row, "time"));
    const char *result = ctl_row_text(row, "result"), *text = ctl_row_text(row, "text");

    printf("  %s ", time);
    print_safe(colour_of(result), result);
    printf(" (");
    print_safe(NULL, ctl_row_text(row, "reason"));
    printf(") ");
    print_safe(NULL, ctl_row_text(row, "id"));
    if (*ctl_row_text(row, "to"))
        printf(" to ");
    print_safe(NULL, ctl_row_text(row, "to"));
    if (*text)
        printf(": ");
    print_safe(FAINT, text);
    putchar('\n');
}

static void show_time(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    const gint64 handled = ctl_row_number(row, "handled");

    if (handled > 0)
        printf("  %" G_GINT64_FORMAT " ms each on average\n",
               ctl_row_number(row, "handled_ms") / handled);
}

static void show_counts(GVariant *answer)
{
    print_head("Handled since the daemon was started");
    ctl_rows_visit(answer, "requests", show_request, NULL);
    ctl_rows_visit(answer, "daemon", show_time, NULL);
    if (ctl_rows_count(answer, "recipients") > 0) {
        print_head("Recipients, by result and reason");
        ctl_rows_visit(answer, "recipients", show_recipient, NULL);
    }
    if (ctl_rows_count(answer, "formats") > 0) {
        print_head("Recipients, by format");
        ctl_rows_visit(answer, "formats", show_recipient, NULL);
    }
    if (ctl_rows_count(answer, "failures") > 0) {
        print_head("Last failures");
        ctl_rows_visit(answer, "failures", show_failure, NULL);
    }
}

static void show_absent(GVariant *answer)
{
    printf("  ");
    print_safe(YELLOW, ctl_row_text(answer, "daemon_problem"));
    printf("\n  nothing is counted: what sealpipe does without the daemon stands in the log "
           "alone\n");
}

/* -------------------------------------------------------------------------------------------
 * The rest
 */

static void show_ending(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    const gint64 days = ctl_row_number(row, "days"), ends = ctl_row_number(row, "ends");
    gboolean over = ends * G_USEC_PER_SEC <= g_get_real_time();
    g_autofree char *when =
        over ? g_strdup("is over")
             : g_strdup_printf("ends in %" G_GINT64_FORMAT " day%s", days, days == 1 ? "" : "s");

    printf("  ");
    print_in(over ? RED : YELLOW, when);
    printf(" (%s) ", *ctl_row_text(row, "until") ? ctl_row_text(row, "until") : "?");
    print_safe(NULL, ctl_row_text(row, "what"));
    printf(" ");
    print_safe(NULL, ctl_row_text(row, "label"));
    if (*ctl_row_text(row, "fingerprint"))
        printf(" %.16s", ctl_row_text(row, "fingerprint"));
    printf("%s\n", ctl_row_is_set(row, "replaced") ? ", and another one takes its place" : "");
}

static void show_keys(GVariant *answer)
{
    const gint64 partners = ctl_row_number(answer, "partners_expiring");
    gint64 pending = 0;

    print_head("Keys");
    if (ctl_rows_count(answer, "expiring") == 0)
        printf("  none of our own ends within %d days\n", CTL_STATUS_DAYS);
    ctl_rows_visit(answer, "expiring", show_ending, NULL);
    printf("  of partners: %" G_GINT64_FORMAT " ended or to end within %d days%s\n", partners,
           CTL_STATUS_DAYS, partners > 0 ? ": sealctl keys list --expiring 30d" : "");
    if (!g_variant_lookup(answer, "pending", "x", &pending))
        return;
    printf("  %" G_GINT64_FORMAT " waiting for leave%s\n", pending,
           pending > 0 ? ": sealctl keys pending" : "");
}

static void show_place(GVariant *row, gpointer user_data G_GNUC_UNUSED)
{
    const gint64 left = ctl_row_number(row, "free"), size = ctl_row_number(row, "size");
    g_autofree char *text = g_format_size_full((guint64)left, G_FORMAT_SIZE_IEC_UNITS);
    const gint64 percent = size > 0 ? left / MAX(size / 100, 1) : 0;

    printf("  %-10s %10s free (%" G_GINT64_FORMAT " %%) in ", ctl_row_text(row, "place"), text,
           MIN(percent, 100));
    print_safe(NULL, ctl_row_text(row, "path"));
    putchar('\n');
}

void ctl_status_show(GVariant *answer)
{
    print_head("Daemon");
    if (ctl_rows_count(answer, "daemon") > 0) {
        ctl_rows_visit(answer, "daemon", show_daemon, NULL);
        show_counts(answer);
    } else {
        show_absent(answer);
    }
    if (g_variant_lookup(answer, "partners_expiring", "x", NULL))
        show_keys(answer);
    if (ctl_rows_count(answer, "disk") > 0) {
        print_head("Disks");
        ctl_rows_visit(answer, "disk", show_place, NULL);
    }
}
