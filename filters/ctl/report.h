/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.h: what became of mail, summed by domain in memory that is bounded.
 */
#pragma once

#include "filters/ctl/ctl.h"

/** What became of a recipient, in the order in which it is shown. */
typedef enum {
    REPORT_SEALED,
    REPORT_SIGNED,
    REPORT_CLEAR,
    REPORT_REPORTED,
    REPORT_REFUSED,
    REPORT_TURNED_AWAY, /* refused by sealpipe-check, ahead of the message */
    REPORT_DEFERRED,
    REPORT_ENDS,
} ReportEnd;

/** Their words, in answers. */
extern const char *const REPORT_END_NAMES[REPORT_ENDS];

enum {
    REPORT_FORMATS = 8, /* that are told apart; the last one is any other */
    REPORT_DOMAINS = 20000,
    REPORT_REASONS = 20000,
};

typedef struct {
    const char *domain;
    gint64 all;
    gint64 ends[REPORT_ENDS];
    gint64 formats[REPORT_FORMATS]; /* of what was sealed here */
    gint64 before;                  /* of what was sealed: came so */
} ReportSum;

/** What was not sealed, and why. */
typedef struct {
    const char *domain;
    ReportEnd end;
    const char *rule; /* "[policy]" where none has let it out in clear */
    const char *reason;
    gint64 all;
} ReportReason;

typedef struct ReportSums ReportSums;

/** (transfer full) */
ReportSums *report_sums_new(void);
void report_sums_free(ReportSums *sums);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReportSums, report_sums_free)
/** FALSE for a result that is not known. */
gboolean report_sums_add(ReportSums *sums, const SealLedgerEntry *entry);

/** Of all domains. (borrowed) */
const ReportSum *report_sums_total(const ReportSums *sums);
/** The name of the format at that place; NULL where there are no more. (borrowed) */
const char *report_sums_format(const ReportSums *sums, guint i);
/** The most recipients first. (transfer container, element type ReportSum) */
GPtrArray *report_sums_domains(const ReportSums *sums);
/** By domain, and what became of them. (transfer container, element type
 *  ReportReason) */
GPtrArray *report_sums_reasons(const ReportSums *sums);
/** Domains, and reasons, that are in a common one for want of room. */
gboolean report_sums_is_full(const ReportSums *sums);
