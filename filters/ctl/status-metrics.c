/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status-metrics.c: what `sealctl status` says, in the text form of OpenMetrics 1.0.
 */
#include "filters/ctl/status.h"

#include <string.h>

#define PREFIX "sealpipe_"

/* A family, and what makes samples of it of rows. */
typedef struct {
    GString *text;
    const char *name;
    const char *labels[4]; /* of the row's texts; ends with NULL */
    const char *value;     /* of the row's numbers */
    gdouble scale;
} Family;

static void begin_family(GString *text, const char *name, const char *type, const char *help)
{
    g_string_append_printf(text, "# TYPE " PREFIX "%s %s\n# HELP " PREFIX "%s %s\n", name, type,
                           name, help);
}

static void add_number(GString *text, gdouble number)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(text, " %s\n", g_ascii_formatd(digits, sizeof digits, "%.15g", number));
}

/* As the form has it; of what could come from outside nothing else is special. */
static void add_label(GString *text, const char *name, const char *value, gboolean first)
{
    g_string_append_printf(text, "%s%s=\"", first ? "{" : ",", name);
    for (; *value; value++) {
        if (*value == '\n')
            g_string_append(text, "\\n");
        else if (*value == '"' || *value == '\\')
            g_string_append_printf(text, "\\%c", *value);
        else
            g_string_append_c(text, *value);
    }
    g_string_append_c(text, '"');
}

static void add_row(GVariant *row, gpointer user_data)
{
    const Family *family = user_data;

    g_string_append_printf(family->text, PREFIX "%s", family->name);
    for (guint i = 0; family->labels[i]; i++)
        add_label(family->text, family->labels[i], ctl_row_text(row, family->labels[i]), i == 0);
    if (family->labels[0])
        g_string_append_c(family->text, '}');
    add_number(family->text, (gdouble)ctl_row_number(row, family->value) * family->scale);
}

static void add_sample(GString *text, const char *name, gdouble value)
{
    g_string_append_printf(text, PREFIX "%s", name);
    add_number(text, value);
}

static void add_gauge(GString *text, const char *name, const char *help, gdouble value)
{
    begin_family(text, name, "gauge", help);
    add_sample(text, name, value);
}

/* @list's rows, each with its count. */
static void add_counters(GString *text, GVariant *answer, const char *list, const char *name,
                         const char *help, const char *first, const char *second)
{
    g_autofree char *total = g_strconcat(name, "_total", NULL);
    Family family = {text, total, {first, second, NULL}, "count", 1};

    begin_family(text, name, "counter", help);
    ctl_rows_visit(answer, list, add_row, &family);
}

/* -------------------------------------------------------------------------------------------
 * The daemon
 */

static void add_bucket(GVariant *row, gpointer user_data)
{
    GString *text = user_data;
    char bound[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_formatd(bound, sizeof bound, "%.15g", (gdouble)ctl_row_number(row, "up_to_ms") / 1000);
    g_string_append_printf(text, PREFIX "handling_seconds_bucket{le=\"%s%s\"}", bound,
                           strchr(bound, '.') ? "" : ".0");
    add_number(text, (gdouble)ctl_row_number(row, "count"));
}

static void add_times(GString *text, GVariant *answer, GVariant *daemon)
{
    const gdouble handled = (gdouble)ctl_row_number(daemon, "handled");

    begin_family(text, "handling_seconds", "histogram",
                 "How long the daemon took for a message or a question.");
    ctl_rows_visit(answer, "times", add_bucket, text);
    g_string_append(text, PREFIX "handling_seconds_bucket{le=\"+Inf\"}");
    add_number(text, handled);
    add_sample(text, "handling_seconds_sum", (gdouble)ctl_row_number(daemon, "handled_ms") / 1000);
    add_sample(text, "handling_seconds_count", handled);
}

static void add_daemon(GVariant *daemon, gpointer user_data)
{
    GString *text = user_data;

    begin_family(text, "daemon", "info", "The daemon that runs.");
    g_string_append(text, PREFIX "daemon_info");
    add_label(text, "version", ctl_row_text(daemon, "version"), TRUE);
    g_string_append(text, "} 1\n");
    add_gauge(text, "daemon_start_time_seconds", "When the daemon was started, since 1970.",
              (gdouble)ctl_row_number(daemon, "started"));
    add_gauge(text, "config_load_time_seconds",
              "When the configuration that is in use was loaded, since 1970.",
              (gdouble)ctl_row_number(daemon, "loaded"));
    add_gauge(text, "config_refused", "Whether a later configuration does not work (1).",
              ctl_row_number(daemon, "refused") > 0);
    begin_family(text, "generations", "counter", "How many times a configuration was loaded.");
    add_sample(text, "generations_total", (gdouble)ctl_row_number(daemon, "generation"));
    add_gauge(text, "workers_wanted", "How many workers there are to be.",
              (gdouble)ctl_row_number(daemon, "workers"));
    add_gauge(text, "workers_alive", "How many workers there are.",
              (gdouble)ctl_row_number(daemon, "alive"));
    add_gauge(text, "workers_busy", "How many workers are at work.",
              (gdouble)ctl_row_number(daemon, "busy"));
    begin_family(text, "workers_lost", "counter", "Workers that ended and should not have.");
    add_sample(text, "workers_lost_total", (gdouble)ctl_row_number(daemon, "missed"));
}

typedef struct {
    GString *text;
    GVariant *answer;
} Timing;

static void add_timing(GVariant *daemon, gpointer user_data)
{
    const Timing *timing = user_data;

    add_times(timing->text, timing->answer, daemon);
}

static void add_counts(GString *text, GVariant *answer)
{
    Timing timing = {text, answer};

    ctl_rows_visit(answer, "daemon", add_daemon, text);
    ctl_rows_visit(answer, "daemon", add_timing, &timing);
    add_counters(text, answer, "requests", "requests",
                 "Messages and questions that the daemon was given.", "mode", NULL);
    add_counters(text, answer, "recipients", "recipients",
                 "Recipients of messages, by what became of these and why.", "result", "reason");
    add_counters(text, answer, "formats", "formats",
                 "Recipients of messages that were encrypted or signed.", "result", "format");
}

/* -------------------------------------------------------------------------------------------
 * The rest
 */

static void add_keys(GString *text, GVariant *answer)
{
    Family family = {
        text, "key_end_time_seconds", {"what", "format", "fingerprint", NULL}, "ends", 1};

    if (!g_variant_lookup(answer, "partners_expiring", "x", NULL))
        return;
    begin_family(text, family.name, "gauge",
                 "When a key or licence of our own ends that does so within 30 days, since 1970.");
    ctl_rows_visit(answer, "expiring", add_row, &family);
    add_gauge(text, "partners_keys_ending",
              "Keys of partners that have ended or end within 30 days, and have no successor.",
              (gdouble)ctl_row_number(answer, "partners_expiring"));
    add_gauge(text, "keys_pending", "Keys that wait for leave.",
              (gdouble)ctl_row_number(answer, "pending"));
}

static void add_disk(GString *text, GVariant *answer)
{
    Family free = {text, "disk_free_bytes", {"place", "path", NULL}, "free", 1};
    Family size = {text, "disk_size_bytes", {"place", "path", NULL}, "size", 1};

    begin_family(text, free.name, "gauge", "Room that is left where sealpipe writes.");
    ctl_rows_visit(answer, "disk", add_row, &free);
    begin_family(text, size.name, "gauge", "Room that there is in all.");
    ctl_rows_visit(answer, "disk", add_row, &size);
}

static gboolean is_told(GVariant *answer, const char *name)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(answer, name, NULL);

    return value != NULL;
}

/* Where the configuration cannot be read, nobody knows whom to ask: 0 would be an answer. */
char *ctl_status_metrics(GVariant *answer)
{
    GString *text = g_string_new(NULL);

    if (is_told(answer, "daemon"))
        add_gauge(text, "up", "Whether the daemon answers (1).",
                  ctl_rows_count(answer, "daemon") > 0);
    add_gauge(text, "ready", "Whether `sealctl status` ends with 0 (1).",
              ctl_row_is_set(answer, "ready"));
    if (is_told(answer, "suspended"))
        add_gauge(text, "suspended", "Whether `sealctl suspend` holds (1).",
                  ctl_row_is_set(answer, "suspended"));
    if (ctl_rows_count(answer, "daemon") > 0)
        add_counts(text, answer);
    add_keys(text, answer);
    add_disk(text, answer);
    g_string_append(text, "# EOF\n");
    return g_string_free(text, FALSE);
}
