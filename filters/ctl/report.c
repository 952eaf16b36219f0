/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.c: `sealctl report`: what became of mail in the last days, for each domain.
 */
#include "filters/ctl/report.h"

#include "filters/ctl/keys.h"

#include <string.h>
#include <time.h>

enum {
    DAY = 24 * 60 * 60,
    GAPS = 100, /* that are named */
};

#define SINCE "30d"

const CtlOption CTL_REPORT_OPTIONS[] = {
    {"--since", "TIME", "from that day on: a date, 2026-11-30, or a time such as 30d; " SINCE},
    {"--until", "DATE", "to the end of that day; else to the end"},
    {"--domain", "DOMAIN", "mail to that domain alone"},
    {"--sender", "DOMAIN", "mail from that domain alone"},
    {NULL},
};

typedef struct {
    char *since, *until, *domain, *sender; /* as they were given */
    gint64 first, last;
    char *to, *from; /* domains, as they stand in the ledger; NULL: all */
    ReportSums *sums;
    SealOut *out;
    gint64 unknown;   /* lines of another version's */
    gint64 days;      /* with a file */
    gint64 begin;     /* the first of them */
    gint64 end;       /* the last one, so far */
    gint64 gap_count; /* runs of days without one */
    gint64 gap_days;
} Report;

static void report_clear(Report *report)
{
    g_free(report->since);
    g_free(report->until);
    g_free(report->domain);
    g_free(report->sender);
    g_free(report->to);
    g_free(report->from);
    report_sums_free(report->sums);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Report, report_clear)

/* -------------------------------------------------------------------------------------------
 * The command line
 */

static gboolean read_date(const char *text, gint64 *day)
{
    gint64 time;

    if (!seal_text_parse_day(text, &time))
        return FALSE;
    *day = time / DAY;
    return TRUE;
}

/* Whole days: 1d is yesterday and today. */
static gboolean read_since(const char *text, gint64 *day, GError **error)
{
    const gint64 now = (gint64)time(NULL);
    gint64 seconds;

    if (read_date(text, day))
        return TRUE;
    if (!ctl_time_read(text, &seconds, NULL))
        return ctl_misuse(error,
                          "--since takes a date such as 2026-11-30, or a time such as 30d, not "
                          "\"%s\"",
                          text) == CTL_OK;
    *day = MAX(now - seconds, 0) / DAY;
    return TRUE;
}

static gboolean read_until(const char *text, gint64 *day, GError **error)
{
    *day = G_MAXINT64;
    return !text || read_date(text, day) ||
           ctl_misuse(error, "--until takes a date such as 2026-11-30, not \"%s\"", text) == CTL_OK;
}

/* *@domain as the ledger has it: A-labels in lower case. */
static gboolean read_domain(const char *name, const char *text, char **domain, GError **error)
{
    g_autofree char *mailbox = text ? g_strconcat("x@", text + (*text == '@'), NULL) : NULL;
    g_autoptr(SealAddress) address = mailbox ? seal_address_parse(mailbox, NULL) : NULL;

    if (text && !address)
        return ctl_misuse(error, "%s takes a domain such as example.org, not \"%s\"", name, text) ==
               CTL_OK;
    *domain = address ? g_strdup(seal_address_domain(address)) : NULL;
    return TRUE;
}

static gboolean read_words(Report *report, int argc, char **argv, GError **error)
{
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"since", 0, 0, G_OPTION_ARG_FILENAME, &report->since, NULL, NULL},
        {"until", 0, 0, G_OPTION_ARG_FILENAME, &report->until, NULL, NULL},
        {"domain", 0, 0, G_OPTION_ARG_FILENAME, &report->domain, NULL, NULL},
        {"sender", 0, 0, G_OPTION_ARG_FILENAME, &report->sender, NULL, NULL},
        {NULL},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 0, &words, error) ||
        !read_since(report->since ? report->since : SINCE, &report->first, error) ||
        !read_until(report->until, &report->last, error) ||
        !read_domain("--domain", report->domain, &report->to, error) ||
        !read_domain("--sender", report->sender, &report->from, error))
        return FALSE;
    return report->first <= report->last ||
           ctl_misuse(error, "--until is before --since") == CTL_OK;
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static void put_day(SealOut *out, const char *key, gint64 day)
{
    g_autofree char *text = seal_text_day(day * DAY);

    seal_out_text(out, key, "%s", text);
}

static void put_gap(Report *report, gint64 first, gint64 last)
{
    report->gap_days += last - first + 1;
    if (report->gap_count++ >= GAPS)
        return;
    seal_out_row(report->out, "gaps");
    put_day(report->out, "from", first);
    put_day(report->out, "to", last);
    seal_out_number(report->out, "days", last - first + 1);
    seal_out_end_row(report->out);
}

static void note_day(Report *report, gint64 day)
{
    if (report->days == 0)
        report->begin = day;
    else if (day > report->end + 1)
        put_gap(report, report->end + 1, day - 1);
    report->end = day;
    report->days++;
}

static void note_line(gint64 day, const SealLedgerEntry *entry, gpointer user_data)
{
    Report *report = user_data;

    if (!entry)
        note_day(report, day);
    else if ((!report->to || g_str_equal(report->to, entry->domain)) &&
             (!report->from || g_str_equal(report->from, entry->sender)) &&
             !report_sums_add(report->sums, entry))
        report->unknown++;
}

/* -------------------------------------------------------------------------------------------
 * The answer
 */

/* People are spared what is nowhere; programs have all of it. */
static void put_sum(const Report *report, const ReportSum *sum, gboolean all)
{
    const ReportSum *total = report_sums_total(report->sums);
    SealOut *out = report->out;
    const char *format;

    seal_out_number(out, "recipients", sum->all);
    for (guint end = 0; end < REPORT_ENDS; end++) {
        if (all || total->ends[end] > 0)
            seal_out_number(out, REPORT_END_NAMES[end], sum->ends[end]);
        if (end != REPORT_SEALED)
            continue;
        for (guint i = 0; (format = report_sums_format(report->sums, i)); i++) {
            g_autofree char *key = g_strconcat("sealed_", format, NULL);
            seal_out_number(out, key, sum->formats[i]);
        }
        if (all || total->before > 0)
            seal_out_number(out, "came_sealed", sum->before);
    }
}

static void put_domains(const Report *report, gboolean all)
{
    g_autoptr(GPtrArray) domains = report_sums_domains(report->sums);

    seal_out_list(report->out, "domains");
    for (guint i = 0; i < domains->len; i++) {
        const ReportSum *sum = g_ptr_array_index(domains, i);

        seal_out_row(report->out, "domains");
        seal_out_text(report->out, "domain", "%s", sum->domain);
        put_sum(report, sum, all);
    }
    seal_out_end_row(report->out);
}

static void put_reasons(const Report *report)
{
    g_autoptr(GPtrArray) reasons = report_sums_reasons(report->sums);
    SealOut *out = report->out;

    seal_out_list(out, "reasons");
    for (guint i = 0; i < reasons->len; i++) {
        const ReportReason *reason = g_ptr_array_index(reasons, i);

        seal_out_row(out, "reasons");
        seal_out_text(out, "domain", "%s", reason->domain);
        seal_out_text(out, "result", "%s", REPORT_END_NAMES[reason->end]);
        seal_out_text(out, "rule", "%s", reason->rule);
        seal_out_text(out, "reason", "%s", reason->reason);
        seal_out_number(out, "recipients", reason->all);
    }
    seal_out_end_row(out);
}

static void put_period(const Report *report)
{
    put_day(report->out, "since", report->first);
    if (report->until)
        put_day(report->out, "until", report->last);
    if (report->days > 0) {
        put_day(report->out, "first", report->begin);
        put_day(report->out, "last", report->end);
    }
    seal_out_number(report->out, "days", report->days);
    if (report->to)
        seal_out_text(report->out, "domain", "%s", report->to);
    if (report->from)
        seal_out_text(report->out, "sender", "%s", report->from);
}

static void put_note(const Report *report, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void put_note(const Report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_out_row(report->out, "notes");
    seal_out_text(report->out, "note", "%s", text);
    seal_out_end_row(report->out);
}

static void put_notes(const Report *report, gint64 kept)
{
    const ReportSum *total = report_sums_total(report->sums);

    seal_out_list(report->out, "notes");
    if (total->ends[REPORT_REFUSED] + total->ends[REPORT_TURNED_AWAY] +
            total->ends[REPORT_DEFERRED] >
        0)
        put_note(report, "a message that is tried again counts again: refused, turned_away and "
                         "deferred may be more than there were messages");
    if (report->gap_count > 0)
        put_note(report,
                 "%" G_GINT64_FORMAT " days have no file: no mail was handled then, or nothing "
                 "could be written down",
                 report->gap_days);
    if (report->gap_count > GAPS)
        put_note(report, "%" G_GINT64_FORMAT " more gaps are not named", report->gap_count - GAPS);
    if (report->days == 0)
        put_note(report, "nothing was written down in this time");
    if (report_sums_is_full(report->sums))
        put_note(report, "there are too many domains to tell all apart: (others) has the rest; "
                         "--domain and a shorter time have them");
    if (kept == 0)
        put_note(report, "[core] ledger_days=0: nothing is written down any more");
}

/* FALSE where something is missing or damaged: in JSON, how much is there in any case. */
static gboolean put_faults(const Report *report, const SealLedgerFaults *faults, gboolean all)
{
    const gint64 missing = faults->missing_day >= report->first ? faults->missing : 0;
    const gint64 damaged = faults->damaged + report->unknown;

    if (all || damaged > 0)
        seal_out_number(report->out, "damaged", damaged);
    if (all || faults->unread > 0)
        seal_out_number(report->out, "unread", faults->unread);
    if (all || missing > 0)
        seal_out_number(report->out, "missing", missing);
    if (damaged > 0)
        put_note(report, "damaged: lines that cannot be read, as a full disk or a crash of the "
                         "machine leaves them, are not counted");
    if (faults->unread > 0)
        put_note(report, "unread: days whose file cannot be read are not counted");
    if (missing > 0) {
        g_autofree char *day = seal_text_day(faults->missing_day * DAY);
        put_note(report,
                 "missing: so many lines could not be written, the last on %s; the log says why",
                 day);
    }
    return damaged == 0 && faults->unread == 0 && missing == 0;
}

static gboolean refuse_none(GError **error)
{
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                        "[core] ledger_days=0: what becomes of mail is not written down; set it to "
                        "as many days as it is to be kept, such as 400");
    return FALSE;
}

static gboolean read_ledger(Report *report, const SealService *service, SealLedgerFaults *faults,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (seal_ledger_read(seal_service_state_dir(service), report->first, report->last, note_line,
                         report, faults, &problem))
        return TRUE;
    if (seal_service_ledger_days(service) == 0)
        return refuse_none(error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

int ctl_report(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(Report) report = {.out = out};
    SealLedgerFaults faults;

    if (!read_words(&report, argc, argv, error))
        return CTL_USAGE;
    g_autoptr(SealService) service = seal_service_open(options->conf_dir, error);
    if (!service)
        return CTL_PROBLEM;
    report.sums = report_sums_new();
    seal_out_list(out, "domains");
    seal_out_list(out, "reasons");
    seal_out_list(out, "gaps");
    if (!read_ledger(&report, service, &faults, error))
        return CTL_PROBLEM;
    put_period(&report);
    put_sum(&report, report_sums_total(report.sums), options->json);
    put_domains(&report, options->json);
    put_reasons(&report);
    put_notes(&report, seal_service_ledger_days(service));
    return put_faults(&report, &faults, options->json) ? CTL_OK : CTL_PROBLEM;
}
