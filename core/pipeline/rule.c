/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rule.c: whether a rule holds for a recipient of a message.
 */
#include "core/pipeline/rule.h"

#include "core/base/pattern.h"
#include "core/mail/entity.h"
#include "core/mail/mime.h"

#include <string.h>

/* One item of match_header. */
typedef struct {
    char *name;
    char *glob;
} FieldMatch;

struct SealRule {
    GPtrArray *senders; /* of SealPattern; NULL where the rule does not ask */
    GPtrArray *authors;
    GPtrArray *recipients;
    GPtrArray *fields; /* of FieldMatch */
    gboolean has_size;
    gboolean larger; /* than size; else smaller */
    guint64 size;
    char *tag;
    gboolean strict;
};

static void field_match_free(gpointer data)
{
    FieldMatch *match = data;

    g_free(match->name);
    g_free(match->glob);
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
    g_free(rule->tag);
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
        match->name = g_strchomp(g_strndup(*texts, (gsize)(colon - *texts)));
        match->glob = g_strstrip(g_strdup(colon + 1));
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
    return TRUE;
}

SealRule *seal_rule_new(const SealSettings *settings, GError **error)
{
    g_autoptr(SealRule) rule = g_new0(SealRule, 1);

    if (!read_patterns(settings, "match_sender", TRUE, &rule->senders, error) ||
        !read_patterns(settings, "match_from", FALSE, &rule->authors, error) ||
        !read_patterns(settings, "match_recipient", FALSE, &rule->recipients, error) ||
        !read_fields(rule, settings, error) || !read_size(rule, settings, error) ||
        !read_tag(rule, settings, error))
        return NULL;
    if (!rule->senders && !rule->authors && !rule->recipients && !rule->fields && !rule->has_size &&
        !rule->tag) {
        seal_settings_refuse_group(settings, error,
                                   "says nothing to match; what holds always stands in [policy]");
        return NULL;
    }
    return g_steal_pointer(&rule);
}

void seal_rule_be_strict(SealRule *rule)
{
    rule->strict = TRUE;
}

const char *seal_rule_tag(const SealRule *rule)
{
    return rule->tag;
}

/* -------------------------------------------------------------------------------------------
 * Matching
 */

static SealMatch yes_or_no(gboolean yes)
{
    return yes ? SEAL_MATCH_YES : SEAL_MATCH_NO;
}

/* A rule that exempts knows a mailbox by its exact name alone. */
static gboolean match_any(const SealRule *rule, GPtrArray *patterns, SealAddress *address)
{
    for (guint i = 0; i < patterns->len; i++) {
        if (seal_pattern_match(g_ptr_array_index(patterns, i), address, !rule->strict))
            return TRUE;
    }
    return FALSE;
}

/* Nobody has said who sends; only that it is no bounce is taken for granted. */
static SealMatch match_unknown_sender(const SealRule *rule)
{
    for (guint i = 0; i < rule->senders->len; i++) {
        if (!seal_pattern_is_null_sender(g_ptr_array_index(rule->senders, i)))
            return SEAL_MATCH_MAYBE;
    }
    return SEAL_MATCH_NO;
}

static SealMatch match_sender(const SealRule *rule, const SealJob *job)
{
    if (job->sender || seal_job_is_bounce(job))
        return yes_or_no(match_any(rule, rule->senders, job->sender));
    return job->message ? SEAL_MATCH_NO : match_unknown_sender(rule);
}

/* Whom From could name counts for a rule that asks for more, whom it surely names for others. */
static SealMatch match_author(const SealRule *rule, const SealJob *job)
{
    if (!job->message)
        return SEAL_MATCH_MAYBE;
    if (rule->strict || job->author)
        return yes_or_no(job->author && match_any(rule, rule->authors, job->author));
    for (guint i = 0; i < job->maybe_authors->len; i++) {
        if (match_any(rule, rule->authors, g_ptr_array_index(job->maybe_authors, i)))
            return SEAL_MATCH_YES;
    }
    return SEAL_MATCH_NO;
}

/* Of a field that stands twice, nobody knows which one its readers see. */
static gboolean match_field(const SealRule *rule, SealEntity *entity, const FieldMatch *match)
{
    const SealHeader *header = seal_entity_header(entity);

    if (rule->strict && seal_entity_count(entity, match->name) > 1)
        return FALSE;
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is(header, field, match->name))
            continue;
        g_autofree char *value = seal_field_value(header, field);
        g_autofree char *text = seal_mime_decode(value);
        if (seal_glob_match(match->glob, text))
            return TRUE;
    }
    return FALSE;
}

static SealMatch match_fields(const SealRule *rule, SealJob *job)
{
    if (!job->message)
        return SEAL_MATCH_MAYBE;
    for (guint i = 0; i < rule->fields->len; i++) {
        if (match_field(rule, seal_message_entity(job->message),
                        g_ptr_array_index(rule->fields, i)))
            return SEAL_MATCH_YES;
    }
    return SEAL_MATCH_NO;
}

static SealMatch match_size(const SealRule *rule, const SealJob *job)
{
    if (!job->message || job->header_only)
        return SEAL_MATCH_MAYBE;
    return yes_or_no(rule->larger ? job->size > rule->size : job->size < rule->size);
}

static SealMatch match_tag(const SealRule *rule, SealJob *job)
{
    if (!job->message)
        return SEAL_MATCH_MAYBE;
    if (rule->strict && seal_entity_count(seal_message_entity(job->message), "Subject") > 1)
        return SEAL_MATCH_NO;
    return yes_or_no(seal_message_has_tag(job->message, rule->tag));
}

SealMatch seal_rule_match(const SealRule *rule, SealJob *job, const SealRecipient *recipient)
{
    SealMatch least = SEAL_MATCH_YES;

    if (rule->recipients && !match_any(rule, rule->recipients, recipient->address))
        return SEAL_MATCH_NO;
    if (rule->senders)
        least = MIN(least, match_sender(rule, job));
    if (rule->authors)
        least = MIN(least, match_author(rule, job));
    if (rule->has_size)
        least = MIN(least, match_size(rule, job));
    if (rule->tag && least != SEAL_MATCH_NO)
        least = MIN(least, match_tag(rule, job));
    if (rule->fields && least != SEAL_MATCH_NO)
        least = MIN(least, match_fields(rule, job));
    return least;
}
