/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report-sums.c: lines of the ledger, summed.
 */
#include "filters/ctl/report.h"

#include <string.h>

#define NOBODY "(no address)"
#define OTHERS "(others)"
#define POLICY "[policy]"

const char *const REPORT_END_NAMES[REPORT_ENDS] = {
    "sealed", "signed", "clear", "reported", "refused", "turned_away", "deferred",
};

struct ReportSums {
    GHashTable *domains; /* of ReportSum by themselves */
    GHashTable *reasons; /* of ReportReason by themselves */
    GStringChunk *texts; /* rules and reasons, of which there are few */
    char *formats[REPORT_FORMATS];
    ReportSum total;
    gboolean full;
};

/* -------------------------------------------------------------------------------------------
 * What they are found by
 */

static guint hash_sum(gconstpointer key)
{
    return g_str_hash(((const ReportSum *)key)->domain);
}

static gboolean is_same_sum(gconstpointer a, gconstpointer b)
{
    return g_str_equal(((const ReportSum *)a)->domain, ((const ReportSum *)b)->domain);
}

static void free_sum(gpointer data)
{
    ReportSum *sum = data;

    g_free((char *)sum->domain);
    g_free(sum);
}

static guint hash_reason(gconstpointer key)
{
    const ReportReason *reason = key;

    return g_str_hash(reason->domain) * 31 + g_str_hash(reason->rule) * 7 +
           g_str_hash(reason->reason) + (guint)reason->end;
}

static gboolean is_same_reason(gconstpointer a, gconstpointer b)
{
    const ReportReason *one = a, *other = b;

    return one->end == other->end && g_str_equal(one->domain, other->domain) &&
           g_str_equal(one->rule, other->rule) && g_str_equal(one->reason, other->reason);
}

/* -------------------------------------------------------------------------------------------
 * Adding
 */

ReportSums *report_sums_new(void)
{
    ReportSums *self = g_new0(ReportSums, 1);

    self->domains = g_hash_table_new_full(hash_sum, is_same_sum, free_sum, NULL);
    self->reasons = g_hash_table_new_full(hash_reason, is_same_reason, g_free, NULL);
    self->texts = g_string_chunk_new(4096);
    return self;
}

void report_sums_free(ReportSums *self)
{
    if (!self)
        return;
    for (guint i = 0; i < REPORT_FORMATS; i++)
        g_free(self->formats[i]);
    g_hash_table_unref(self->reasons);
    g_hash_table_unref(self->domains);
    g_string_chunk_free(self->texts);
    g_free(self);
}

/* FALSE for a word that this version does not know. */
static gboolean read_end(const SealLedgerEntry *entry, ReportEnd *end)
{
    static const struct {
        SealVerdict verdict;
        ReportEnd end;
    } ends[] = {
        {SEAL_VERDICT_SEALED, REPORT_SEALED},  {SEAL_VERDICT_SIGNED, REPORT_SIGNED},
        {SEAL_VERDICT_PLAIN, REPORT_CLEAR},    {SEAL_VERDICT_REPORT, REPORT_REPORTED},
        {SEAL_VERDICT_REFUSE, REPORT_REFUSED}, {SEAL_VERDICT_DEFER, REPORT_DEFERRED},
        {SEAL_VERDICT_NONE, REPORT_DEFERRED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (!g_str_equal(entry->result, seal_verdict_name(ends[i].verdict)))
            continue;
        *end = ends[i].end;
        if (*end == REPORT_REFUSED && g_str_equal(entry->by, "check"))
            *end = REPORT_TURNED_AWAY;
        return TRUE;
    }
    return FALSE;
}

/* It becomes a key of the answer, which is shown as it is. */
static gboolean is_word(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text);
}

static guint find_format(ReportSums *self, const char *name)
{
    guint i;

    for (i = 0; i + 1 < REPORT_FORMATS && self->formats[i]; i++) {
        if (g_str_equal(self->formats[i], name))
            return i;
    }
    if (!self->formats[i])
        self->formats[i] = g_strdup(i + 1 < REPORT_FORMATS ? name : OTHERS);
    return i;
}

static ReportSum *find_sum(ReportSums *self, const char *domain)
{
    const ReportSum key = {.domain = domain};
    ReportSum *sum = g_hash_table_lookup(self->domains, &key);

    if (sum)
        return sum;
    if (g_hash_table_size(self->domains) >= REPORT_DOMAINS && !g_str_equal(domain, OTHERS)) {
        self->full = TRUE;
        return find_sum(self, OTHERS);
    }
    sum = g_new0(ReportSum, 1);
    sum->domain = g_strdup(domain);
    g_hash_table_add(self->domains, sum);
    return sum;
}

static void add_to(ReportSum *sum, const SealLedgerEntry *entry, ReportEnd end, gint format)
{
    sum->all += entry->count;
    sum->ends[end] += entry->count;
    if (end != REPORT_SEALED)
        return;
    if (format >= 0)
        sum->formats[format] += entry->count;
    else
        sum->before += entry->count;
}

static const char *keep_text(ReportSums *self, const char *text)
{
    return g_string_chunk_insert_const(self->texts, text);
}

static void add_reason(ReportSums *self, const ReportSum *sum, const SealLedgerEntry *entry,
                       ReportEnd end)
{
    const gboolean full = g_hash_table_size(self->reasons) >= REPORT_REASONS;
    const gboolean leaves = end == REPORT_SIGNED || end == REPORT_CLEAR || end == REPORT_REPORTED;
    const gboolean policy = leaves && !*entry->rule && !g_str_equal(entry->code, "disabled");
    ReportReason key = {sum->domain, end, policy ? POLICY : entry->rule, entry->code, 0};
    ReportReason *reason = g_hash_table_lookup(self->reasons, &key);

    if (!reason && full) {
        self->full = TRUE;
        key = (ReportReason){OTHERS, end, "", "", 0};
        reason = g_hash_table_lookup(self->reasons, &key);
    }
    if (!reason) {
        key.rule = keep_text(self, key.rule);
        key.reason = keep_text(self, key.reason);
        reason = g_memdup2(&key, sizeof key);
        g_hash_table_add(self->reasons, reason);
    }
    reason->all += entry->count;
}

gboolean report_sums_add(ReportSums *self, const SealLedgerEntry *entry)
{
    ReportEnd end;

    if (!read_end(entry, &end) || !is_word(entry->format))
        return FALSE;
    ReportSum *sum = find_sum(self, *entry->domain ? entry->domain : NOBODY);
    gboolean here =
        end == REPORT_SEALED && *entry->format && !g_str_equal(entry->code, "already-sealed");
    gint format = here ? (gint)find_format(self, entry->format) : -1;
    add_to(sum, entry, end, format);
    add_to(&self->total, entry, end, format);
    if (end != REPORT_SEALED)
        add_reason(self, sum, entry, end);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What came of it
 */

const ReportSum *report_sums_total(const ReportSums *self)
{
    return &self->total;
}

const char *report_sums_format(const ReportSums *self, guint i)
{
    return i < REPORT_FORMATS ? self->formats[i] : NULL;
}

gboolean report_sums_is_full(const ReportSums *self)
{
    return self->full;
}

static gint compare_sums(gconstpointer a, gconstpointer b)
{
    const ReportSum *one = *(const ReportSum *const *)a, *other = *(const ReportSum *const *)b;

    if (one->all != other->all)
        return one->all > other->all ? -1 : 1;
    return strcmp(one->domain, other->domain);
}

static GPtrArray *sort_keys(GHashTable *table, GCompareFunc compare)
{
    GPtrArray *sorted = g_ptr_array_sized_new(g_hash_table_size(table));
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(sorted, key);
    g_ptr_array_sort(sorted, compare);
    return sorted;
}

GPtrArray *report_sums_domains(const ReportSums *self)
{
    return sort_keys(self->domains, compare_sums);
}

static gint compare_reasons(gconstpointer a, gconstpointer b)
{
    const ReportReason *one = *(const ReportReason *const *)a;
    const ReportReason *other = *(const ReportReason *const *)b;
    int domains = strcmp(one->domain, other->domain);
    int rules = strcmp(one->rule, other->rule);

    if (domains != 0)
        return domains;
    if (one->end != other->end)
        return one->end < other->end ? -1 : 1;
    if (one->all != other->all)
        return one->all > other->all ? -1 : 1;
    return rules != 0 ? rules : strcmp(one->reason, other->reason);
}

GPtrArray *report_sums_reasons(const ReportSums *self)
{
    return sort_keys(self->reasons, compare_reasons);
}
