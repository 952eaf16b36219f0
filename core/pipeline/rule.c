/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rule.c: whether a rule holds for a recipient of a message.
 */
#include "core/pipeline/rule.h"

#include "core/base/pattern.h"
#include "core/mail/texts.h"

#include <string.h>

/* One item of match_header. */
typedef struct {
    char *name; /* in lower case */
    SealGlob *glob;
} FieldMatch;

struct SealRule {
    GPtrArray *senders; /* of SealPattern; NULL where the rule does not ask */
    GPtrArray *authors;
    GPtrArray *recipients;
    GPtrArray *fields; /* of FieldMatch */
    GPtrArray *parts;  /* of SealGlob */
    gboolean has_size;
    gboolean larger; /* than size; else smaller */
    guint64 size;
    char *tag;
    char *tag_lower;
    char *tag_wide;
};

static void field_match_free(gpointer data)
{
    FieldMatch *match = data;

    g_free(match->name);
    seal_glob_free(match->glob);
    g_free(match);
}

void seal_rule_free(SealRule *rule)
{
    if (!rule)
        return;
    g_clear_pointer(&rule->senders, g_ptr_array_unref);
    g_clear_pointer(&rule->authors, g_ptr_array_unref);
    g_clear_pointer(&rule->recipients, g_ptr_array_unref);
    g_clear_pointer(&rule->fields, g_ptr_array_unref);
    g_clear_pointer(&rule->parts, g_ptr_array_unref);
    g_free(rule->tag);
    g_free(rule->tag_lower);
    g_free(rule->tag_wide);
    g_free(rule);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static gboolean says_something(const SealSettings *settings, const char *key, GError **error)
{
    if (*seal_settings_list(settings, key))
        return TRUE;
    return seal_settings_refuse(settings, key, error, "an empty list matches nothing");
}

static gboolean read_patterns(const SealSettings *settings, const char *key, gboolean may_be_null,
                              GPtrArray **patterns, GError **error)
{
    const char *const *texts = seal_settings_list(settings, key);

    if (!seal_settings_place(settings, key))
        return TRUE;
    if (!says_something(settings, key, error))
        return FALSE;
    *patterns = g_ptr_array_new_with_free_func((GDestroyNotify)seal_pattern_free);
    for (; *texts; texts++) {
        g_autoptr(GError) problem = NULL;
        SealPattern *pattern = seal_pattern_parse(*texts, &problem);

        if (!pattern)
            return seal_settings_refuse(settings, key, error, "%s", problem->message);
        g_ptr_array_add(*patterns, pattern);
        if (!may_be_null && g_str_equal(*texts, "<>"))
            return seal_settings_refuse(settings, key, error,
                                        "<> is the null sender: match_sender alone can ask for it");
    }
    return TRUE;
}

static gboolean read_fields(SealRule *rule, const SealSettings *settings, GError **error)
{
    const char *const *texts = seal_settings_list(settings, "match_header");

    if (!seal_settings_place(settings, "match_header"))
        return TRUE;
    if (!says_something(settings, "match_header", error))
        return FALSE;
    rule->fields = g_ptr_array_new_with_free_func(field_match_free);
    for (; *texts; texts++) {
        const char *colon = strchr(*texts, ':');
        FieldMatch *match = g_new0(FieldMatch, 1);

        g_ptr_array_add(rule->fields, match);
        if (!colon || colon == *texts)
            return seal_settings_refuse(settings, "match_header", error,
                                        "\"%s\" is not written FIELD: GLOB", *texts);
        g_autofree char *name = g_strchomp(g_strndup(*texts, (gsize)(colon - *texts)));
        g_autofree char *glob = g_strstrip(g_strdup(colon + 1));
        match->name = g_ascii_strdown(name, -1);
        match->glob = seal_glob_new(glob);
    }
    return TRUE;
}

static gboolean read_parts(SealRule *rule, const SealSettings *settings, GError **error)
{
    const char *const *texts = seal_settings_list(settings, "match_part");

    if (!seal_settings_place(settings, "match_part"))
        return TRUE;
    if (!says_something(settings, "match_part", error))
        return FALSE;
    rule->parts = g_ptr_array_new_with_free_func((GDestroyNotify)seal_glob_free);
    for (; *texts; texts++) {
        if (!strpbrk(*texts, "/."))
            return seal_settings_refuse(
                settings, "match_part", error,
                "\"%s\" is neither a media type, such as text/calendar, nor "
                "a file name, such as *.ics",
                *texts);
        g_ptr_array_add(rule->parts, seal_glob_new(*texts));
    }
    return TRUE;
}

static gboolean read_size(SealRule *rule, const SealSettings *settings, GError **error)
{
    const char *text = seal_settings_string(settings, "match_size");
    gint64 size = 0;

    if (!seal_settings_place(settings, "match_size"))
        return TRUE;
    rule->has_size = TRUE;
    rule->larger = *text == '>';
    if ((*text != '>' && *text != '<') || !seal_settings_parse_size(text + 1, &size))
        return seal_settings_refuse(
            settings, "match_size", error,
            "\"%s\" is not a size with < or > before it, such as >10M or <512K", text);
    if (!rule->larger && size <= 1)
        return seal_settings_refuse(settings, "match_size", error,
                                    "\"%s\" matches nothing: no message has less than one octet",
                                    text);
    rule->size = (guint64)size;
    return TRUE;
}

static gboolean read_tag(SealRule *rule, const SealSettings *settings, GError **error)
{
    const char *text = seal_settings_string(settings, "match_tag");

    if (!seal_settings_place(settings, "match_tag"))
        return TRUE;
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isgraph(*c))
            return seal_settings_refuse(settings, "match_tag", error,
                                        "a tag is one word of ASCII characters");
    }
    if (strlen(text) < 3)
        return seal_settings_refuse(settings, "match_tag", error,
                                    "a tag has three characters at least, such as [s]");
    rule->tag = g_strdup(text);
    rule->tag_lower = g_ascii_strdown(text, -1);
    rule->tag_wide = seal_text_fold(text);
    return TRUE;
}

SealRule *seal_rule_new(const SealSettings *settings, GError **error)
{
    g_autoptr(SealRule) rule = g_new0(SealRule, 1);

    if (!read_patterns(settings, "match_sender", TRUE, &rule->senders, error) ||
        !read_patterns(settings, "match_from", FALSE, &rule->authors, error) ||
        !read_patterns(settings, "match_recipient", FALSE, &rule->recipients, error) ||
        !read_fields(rule, settings, error) || !read_parts(rule, settings, error) ||
        !read_size(rule, settings, error) || !read_tag(rule, settings, error))
        return NULL;
    if (!rule->senders && !rule->authors && !rule->recipients && !rule->fields && !rule->parts &&
        !rule->has_size && !rule->tag) {
        seal_settings_refuse_group(settings, error,
                                   "says nothing to match; what holds always stands in [policy]");
        return NULL;
    }
    return g_steal_pointer(&rule);
}

const char *seal_rule_tag(const SealRule *rule)
{
    return rule->tag;
}

/* -------------------------------------------------------------------------------------------
 * Matching
 */

/* What readers could take in two ways matches in one of them at most: SEAL_MATCH_SOME. */

static SealMatch match_address(GPtrArray *patterns, SealAddress *address)
{
    SealMatch best = SEAL_MATCH_NO;

    for (guint i = 0; i < patterns->len && best != SEAL_MATCH_YES; i++) {
        const SealPattern *pattern = g_ptr_array_index(patterns, i);

        if (seal_pattern_match(pattern, address, FALSE))
            best = SEAL_MATCH_YES;
        else if (address && seal_pattern_match(pattern, address, TRUE))
            best = SEAL_MATCH_SOME;
    }
    return best;
}

/* Nobody has said who sends, or it cannot be read; only that it is no bounce is taken for granted.
 */
static SealMatch match_unknown_sender(const SealRule *rule, SealMatch match)
{
    for (guint i = 0; i < rule->senders->len; i++) {
        if (!seal_pattern_is_null_sender(g_ptr_array_index(rule->senders, i)))
            return match;
    }
    return SEAL_MATCH_NO;
}

static SealMatch match_sender(const SealRule *rule, SealJob *job)
{
    if (job->sender || seal_job_is_bounce(job))
        return match_address(rule->senders, job->sender);
    return match_unknown_sender(rule, job->message ? SEAL_MATCH_SOME : SEAL_MATCH_MAYBE);
}

/* Where From is not clear, whoever it could name may be the author for some reader. */
static SealMatch match_author(const SealRule *rule, SealJob *job)
{
    SealMatch best = SEAL_MATCH_NO;

    if (!job->message)
        return SEAL_MATCH_MAYBE;
    if (job->author)
        return match_address(rule->authors, job->author);
    for (guint i = 0; i < job->maybe_authors->len && best == SEAL_MATCH_NO; i++)
        best = match_address(rule->authors, g_ptr_array_index(job->maybe_authors, i));
    return MIN(best, SEAL_MATCH_SOME);
}

static SealMatch some_or_all(guint count, guint all)
{
    return count == 0 ? SEAL_MATCH_NO : count < all ? SEAL_MATCH_SOME : SEAL_MATCH_YES;
}

static SealMatch match_reading(const SealText *text, const SealGlob *glob)
{
    gboolean wide = FALSE, found = FALSE;
    guint count = 0;

    for (guint i = 0; i < SEAL_READINGS; i++) {
        if (i == 0 || text->lower[i] != text->lower[i - 1]) {
            found = seal_glob_match(glob, text->lower[i]);
            wide =
                wide || !text->folded[i] || (!found && seal_glob_match_wide(glob, text->folded[i]));
        }
        count += found ? 1 : 0;
    }
    SealMatch match = count == 0 && wide ? SEAL_MATCH_SOME : some_or_all(count, SEAL_READINGS);
    return text->unclear ? MIN(match, SEAL_MATCH_SOME) : match;
}

static SealMatch match_text(const SealText *text, const SealGlob *glob)
{
    SealMatch match = match_reading(text, glob);

    for (const SealText *far = text->far; far && match == SEAL_MATCH_NO; far = far->far)
        match = MIN(match_reading(far, glob), SEAL_MATCH_SOME);
    return match;
}

/* Of a field that stands twice, nobody knows which one its readers see. */
static SealMatch match_field(SealJob *job, const FieldMatch *match)
{
    GPtrArray *texts = seal_job_texts(job, match->name);
    SealMatch best = SEAL_MATCH_NO;

    for (guint i = 0; i < texts->len && best == SEAL_MATCH_NO; i++)
        best = match_text(g_ptr_array_index(texts, i), match->glob);
    return texts->len > 1 ? MIN(best, SEAL_MATCH_SOME) : best;
}

static SealMatch match_fields(const SealRule *rule, SealJob *job)
{
    SealMatch best = SEAL_MATCH_NO;

    for (guint i = 0; i < rule->fields->len && best != SEAL_MATCH_YES; i++)
        best = MAX(best, match_field(job, g_ptr_array_index(rule->fields, i)));
    return best;
}

static SealMatch match_size(const SealRule *rule, const SealJob *job)
{
    gboolean holds = rule->larger ? job->size > rule->size : job->size < rule->size;

    if (job->header_only)
        return SEAL_MATCH_MAYBE;
    return holds ? SEAL_MATCH_YES : SEAL_MATCH_NO;
}

/* How many of the readings have the tag; what is alike only folded is none of them. */
static guint count_tagged(const SealRule *rule, const SealText *text, gboolean *wide)
{
    gboolean found = FALSE;
    guint count = 0;

    for (guint n = 0; n < SEAL_READINGS; n++) {
        if (n == 0 || text->lower[n] != text->lower[n - 1])
            found = strstr(text->lower[n], rule->tag_lower) != NULL;
        count += found ? 1 : 0;
        *wide = *wide || found || !text->folded[n] || strstr(text->folded[n], rule->tag_wide);
    }
    return count;
}

static SealMatch match_tag(const SealRule *rule, SealJob *job)
{
    GPtrArray *texts = seal_job_texts(job, "subject");
    guint count = 0, all = texts->len * SEAL_READINGS;
    gboolean unclear = texts->len > 1, wide = FALSE;

    for (guint i = 0; i < texts->len; i++) {
        const SealText *text = g_ptr_array_index(texts, i);

        unclear = unclear || text->unclear;
        count += count_tagged(rule, text, &wide);
        for (const SealText *far = text->far; far && !wide; far = far->far)
            count_tagged(rule, far, &wide);
    }
    if (count == 0)
        return wide ? SEAL_MATCH_SOME : SEAL_MATCH_NO;
    return unclear ? MIN(some_or_all(count, all), SEAL_MATCH_SOME) : some_or_all(count, all);
}

/* Any of the globs will do. */
static SealMatch match_globs(const SealText *text, GPtrArray *globs)
{
    SealMatch best = SEAL_MATCH_NO;

    for (guint i = 0; i < globs->len && best != SEAL_MATCH_YES; i++)
        best = MAX(best, match_text(text, g_ptr_array_index(globs, i)));
    return best;
}

/* Whatever its readers take a part for, it matches; or in one reading at least, some part. */
static SealMatch match_parts(const SealRule *rule, SealJob *job)
{
    if (job->header_only)
        return SEAL_MATCH_MAYBE;
    const SealParts *parts = seal_job_parts(job);
    g_autofree guint8 *matches = g_malloc(parts->texts->len);
    SealMatch best = parts->complete ? SEAL_MATCH_NO : SEAL_MATCH_SOME;

    for (guint i = 0; i < parts->texts->len; i++) {
        const SealText *text = g_ptr_array_index(parts->texts, i);
        SealMatch match = match_globs(text, rule->parts);

        matches[i] = (guint8)match;
        best = MAX(best, text->alone ? match : MIN(match, SEAL_MATCH_SOME));
    }
    for (guint i = 0; i < parts->groups->len && best == SEAL_MATCH_SOME; i++) {
        const GArray *group = g_ptr_array_index(parts->groups, i);
        guint8 least = SEAL_MATCH_YES;

        for (guint n = 0; n < group->len; n++)
            least = MIN(least, matches[g_array_index(group, guint, n)]);
        best = MAX(best, (SealMatch)least);
    }
    return best;
}

/* The cheap questions first; what has been answered with no is not asked further. */
static SealMatch match_message(const SealRule *rule, SealJob *job)
{
    SealMatch least = SEAL_MATCH_YES;

    if (rule->senders)
        least = match_sender(rule, job);
    if (rule->authors && least != SEAL_MATCH_NO)
        least = MIN(least, match_author(rule, job));
    if (!job->message)
        return rule->has_size || rule->tag || rule->fields || rule->parts
                   ? MIN(least, SEAL_MATCH_MAYBE)
                   : least;
    if (rule->has_size)
        least = MIN(least, match_size(rule, job));
    if (rule->tag && least != SEAL_MATCH_NO)
        least = MIN(least, match_tag(rule, job));
    if (rule->fields && least != SEAL_MATCH_NO)
        least = MIN(least, match_fields(rule, job));
    if (rule->parts && least != SEAL_MATCH_NO)
        least = MIN(least, match_parts(rule, job));
    return least;
}

SealMatch seal_rule_match(const SealRule *rule, guint index, SealJob *job,
                          const SealRecipient *recipient)
{
    static const int unknown = -1;
    SealMatch match = SEAL_MATCH_YES;

    while (job->matches->len <= index)
        g_array_append_val(job->matches, unknown);
    int *of_message = &g_array_index(job->matches, int, index);
    if (*of_message == SEAL_MATCH_NO)
        return SEAL_MATCH_NO;
    if (rule->recipients)
        match = match_address(rule->recipients, recipient->address);
    if (match == SEAL_MATCH_NO)
        return match;
    if (*of_message == unknown)
        *of_message = (int)match_message(rule, job);
    return MIN(match, (SealMatch)*of_message);
}

/* -------------------------------------------------------------------------------------------
 * Telling why
 */

/* One match_... of a rule, and what is said where it does not hold: never what the message says. */
typedef struct {
    const char *key;
    gboolean (*asks)(const SealRule *rule);
    SealMatch (*match)(const SealRule *rule, SealJob *job, const SealRecipient *recipient);
    char *(*tell)(SealJob *job, const SealRecipient *recipient);
} Criterion;

static gboolean asks_sender(const SealRule *rule)
{
    return rule->senders != NULL;
}

static SealMatch ask_sender(const SealRule *rule, SealJob *job,
                            G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_sender(rule, job);
}

static char *tell_sender(SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return g_strdup_printf("the sender is %s", *job->sender_text ? job->sender_text : "not known");
}

static gboolean asks_author(const SealRule *rule)
{
    return rule->authors != NULL;
}

static SealMatch ask_author(const SealRule *rule, SealJob *job,
                            G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_author(rule, job);
}

static char *tell_author(SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return job->author ? g_strdup_printf("the author is %s", seal_address_text(job->author))
                       : seal_job_no_author_reason(job);
}

static gboolean asks_recipient(const SealRule *rule)
{
    return rule->recipients != NULL;
}

static SealMatch ask_recipient(const SealRule *rule, G_GNUC_UNUSED SealJob *job,
                               const SealRecipient *recipient)
{
    return match_address(rule->recipients, recipient->address);
}

static char *tell_recipient(G_GNUC_UNUSED SealJob *job, const SealRecipient *recipient)
{
    return g_strdup_printf("the recipient is %s", seal_address_text(recipient->address));
}

static gboolean asks_size(const SealRule *rule)
{
    return rule->has_size;
}

static SealMatch ask_size(const SealRule *rule, SealJob *job,
                          G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_size(rule, job);
}

static char *tell_size(SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return g_strdup_printf("it has %" G_GUINT64_FORMAT " octets", job->size);
}

static gboolean asks_tag(const SealRule *rule)
{
    return rule->tag != NULL;
}

static SealMatch ask_tag(const SealRule *rule, SealJob *job,
                         G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_tag(rule, job);
}

static char *tell_tag(G_GNUC_UNUSED SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return g_strdup("it does not stand in the Subject");
}

static gboolean asks_fields(const SealRule *rule)
{
    return rule->fields != NULL;
}

static SealMatch ask_fields(const SealRule *rule, SealJob *job,
                            G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_fields(rule, job);
}

static char *tell_fields(G_GNUC_UNUSED SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return g_strdup("no header field of the message is so");
}

static gboolean asks_parts(const SealRule *rule)
{
    return rule->parts != NULL;
}

static SealMatch ask_parts(const SealRule *rule, SealJob *job,
                           G_GNUC_UNUSED const SealRecipient *recipient)
{
    return match_parts(rule, job);
}

static char *tell_parts(G_GNUC_UNUSED SealJob *job, G_GNUC_UNUSED const SealRecipient *recipient)
{
    return g_strdup("no part of the message is so");
}

static const Criterion CRITERIA[] = {
    {"match_recipient", asks_recipient, ask_recipient, tell_recipient},
    {"match_sender", asks_sender, ask_sender, tell_sender},
    {"match_from", asks_author, ask_author, tell_author},
    {"match_size", asks_size, ask_size, tell_size},
    {"match_tag", asks_tag, ask_tag, tell_tag},
    {"match_header", asks_fields, ask_fields, tell_fields},
    {"match_part", asks_parts, ask_parts, tell_parts},
};

/* All that it asks for, as it is written. (transfer full) */
static char *tell_criteria(const SealRule *rule, const SealSettings *settings)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(CRITERIA); i++) {
        if (CRITERIA[i].asks(rule))
            g_string_append_printf(text, "%s%s=%s", text->len > 0 ? ", " : "", CRITERIA[i].key,
                                   seal_settings_place(settings, CRITERIA[i].key)->text);
    }
    return g_strdup(text->str);
}

char *seal_rule_tell(const SealRule *rule, const SealSettings *settings, SealJob *job,
                     const SealRecipient *recipient, SealMatch match)
{
    for (guint i = 0; match == SEAL_MATCH_NO && i < G_N_ELEMENTS(CRITERIA); i++) {
        const Criterion *one = &CRITERIA[i];

        if (!one->asks(rule) || one->match(rule, job, recipient) != SEAL_MATCH_NO)
            continue;
        g_autofree char *found = one->tell(job, recipient);
        return g_strdup_printf("%s=%s: %s", one->key, seal_settings_place(settings, one->key)->text,
                               found);
    }
    g_autofree char *criteria = tell_criteria(rule, settings);
    return g_strdup_printf("%s%s", criteria,
                           match == SEAL_MATCH_SOME
                               ? ": in one reading of the message and not in another, so that the "
                                 "strictest of all that may hold counts"
                               : "");
}
