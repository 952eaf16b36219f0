/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policies.c: turns [policy] and the rules into what holds for each recipient. A rule's keys stand
 * over those of [policy].
 */
#include "core/pipeline/policies.h"

#include "core/base/files.h"
#include "core/pipeline/notice.h"
#include "core/pipeline/rule.h"
#include "core/pipeline/trace.h"
#include "core/plugin/tables.h"

#include <string.h>

enum {
    MAX_RULES = 1000,
    MAX_KEYS = 64,
    MAX_TEXT = 64 * 1024, /* of a report */
    MAX_NAMES = 5,        /* of rules in a reason */
};

/* [policy], or a rule with all that it inherits. */
typedef struct {
    SealSettings *settings;
    SealRule *rule; /* NULL for [policy] */
    GPtrArray *formats;
    SealAddress *archive_to;
    char *report_text;
    SealPolicy policy;
} Entry;

struct SealPolicies {
    Entry *base;
    GPtrArray *rules; /* of Entry, in configuration order */
};

/* What reading needs to know beside the group. */
typedef struct {
    const SealRegistry *registry;
    gboolean can_sign;
} Context;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    seal_settings_free(entry->settings);
    seal_rule_free(entry->rule);
    if (entry->formats)
        g_ptr_array_unref(entry->formats);
    seal_address_unref(entry->archive_to);
    g_free(entry->report_text);
    g_free(entry);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Entry, entry_free)

/* -------------------------------------------------------------------------------------------
 * Values
 */

/* A value that is not written in a rule is inherited; [policy] has presets for all. */
static gboolean is_set(const Entry *entry, const char *key)
{
    return !entry->rule || seal_settings_place(entry->settings, key);
}

/* The place of the word in its table, which is that of its enum. */
static guint read_choice(const Entry *entry, const char *key, guint inherited)
{
    return is_set(entry, key) ? (guint)seal_settings_choice(entry->settings, key) : inherited;
}

/* Likewise, for what its table lists the other way about, the strictest first. */
static guint read_strictness(const Entry *entry, const char *key, guint strictest, guint inherited)
{
    return strictest - read_choice(entry, key, strictest - inherited);
}

static gboolean read_boolean(const Entry *entry, const char *key, gboolean inherited)
{
    return is_set(entry, key) ? seal_settings_boolean(entry->settings, key) : inherited;
}

/* The default names formats that may not be installed, written out or not; any other list names
 * what must be. */
static gboolean read_formats(Entry *entry, const Context *context, GError **error)
{
    const char *const *names = seal_settings_list(entry->settings, "formats");
    gboolean shipped = seal_settings_is_preset(entry->settings, "formats",
                                               seal_tables_preset(SEAL_TABLE_POLICY, "formats"));

    if (!is_set(entry, "formats"))
        return TRUE;
    entry->formats = g_ptr_array_new();
    for (; *names; names++) {
        if (seal_registry_format(context->registry, *names))
            g_ptr_array_add(entry->formats, (gpointer)*names);
        else if (!shipped)
            return seal_settings_refuse(entry->settings, "formats", error,
                                        "no enabled module offers the format \"%s\"", *names);
    }
    g_ptr_array_add(entry->formats, NULL);
    entry->policy.formats = (const char *const *)entry->formats->pdata;
    return TRUE;
}

/* What must be signed needs a stage that does it. */
static gboolean check_sign(const Entry *entry, const Context *context, GError **error)
{
    if (context->can_sign || !seal_settings_place(entry->settings, "sign") ||
        entry->policy.sign != SEAL_NEED_REQUIRED)
        return TRUE;
    return seal_settings_refuse(entry->settings, "sign", error,
                                "no stage that signs stands in [pipeline] outbound");
}

/* Written empty, it undoes what [policy] says. */
static gboolean read_archive(Entry *entry, GError **error)
{
    const char *text = seal_settings_string(entry->settings, "archive_to");
    g_autoptr(GError) problem = NULL;

    if (!is_set(entry, "archive_to"))
        return TRUE;
    entry->archive_to = *text ? seal_address_parse(text, &problem) : NULL;
    entry->policy.archive_to = entry->archive_to;
    return !problem ||
           seal_settings_refuse(entry->settings, "archive_to", error, "%s", problem->message);
}

/* The operator's own words, which the report quotes. */
static gboolean read_report_text(Entry *entry, GError **error)
{
    const char *path = seal_settings_string(entry->settings, "report_text");
    g_autoptr(GError) problem = NULL;

    if (!is_set(entry, "report_text") || !path)
        return TRUE;
    g_autoptr(GBytes) bytes = seal_file_read(path, MAX_TEXT, &problem);
    if (!bytes)
        return seal_settings_refuse(entry->settings, "report_text", error, "%s", problem->message);

    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    if (size > 0 && !g_utf8_validate(data, (gssize)size, NULL))
        return seal_settings_refuse(entry->settings, "report_text", error,
                                    "%s is not text in UTF-8", path);
    entry->report_text = g_strndup(data, size);
    entry->policy.notice.text = entry->report_text;
    return TRUE;
}

static gboolean read_report(Entry *entry, GError **error)
{
    SealNoticeSpec *notice = &entry->policy.notice;

    if (is_set(entry, "report_subject"))
        notice->subject = seal_settings_string(entry->settings, "report_subject");
    if (is_set(entry, "report_languages"))
        notice->languages = seal_settings_list(entry->settings, "report_languages");
    if (!*notice->languages)
        return seal_settings_refuse(entry->settings, "report_languages", error,
                                    "the list is empty; name one language at least");
    for (const char *const *language = notice->languages; *language; language++) {
        if (!seal_notice_speaks(*language))
            return seal_settings_refuse(
                entry->settings, "report_languages", error,
                "there is no problem report in \"%s\"; see the manual page for the languages",
                *language);
    }
    return read_report_text(entry, error);
}

/* What the group says, over what is in entry->policy already. */
static gboolean read_policy(Entry *entry, const Context *context, GError **error)
{
    SealPolicy *p = &entry->policy;

    p->encrypt = (SealNeed)read_strictness(entry, "encrypt", SEAL_NEED_REQUIRED, p->encrypt);
    p->sign = (SealNeed)read_choice(entry, "sign", p->sign);
    p->fallback =
        (SealFallback)read_strictness(entry, "fallback", SEAL_FALLBACK_REFUSE, p->fallback);
    p->already_sealed = (SealAlready)read_choice(entry, "already_sealed", p->already_sealed);
    p->all_or_none = read_boolean(entry, "all_or_none", p->all_or_none);
    p->reduce_bounces = read_boolean(entry, "reduce_bounces", p->reduce_bounces);
    p->encrypt_to_sender = read_boolean(entry, "encrypt_to_sender", p->encrypt_to_sender);
    p->newest_key = read_choice(entry, "keys_per_recipient", p->newest_key) != 0;
    p->keep_signed = read_choice(entry, "already_signed", !p->keep_signed) == 0;
    p->refuse_unsupported = read_choice(entry, "on_unsupported", p->refuse_unsupported) != 0;
    p->min_trust =
        (SealTrust)(SEAL_TRUST_UNVERIFIED +
                    read_choice(entry, "min_trust", p->min_trust - SEAL_TRUST_UNVERIFIED));
    return seal_settings_check_owners(entry->settings, NULL, NULL, error) &&
           read_formats(entry, context, error) && read_archive(entry, error) &&
           read_report(entry, error) && check_sign(entry, context, error);
}

/* -------------------------------------------------------------------------------------------
 * Rules
 */

/* The keys of [policy] without their presets: in a rule, what is not written is inherited. */
static const SealSetting *rule_keys(void)
{
    static SealSetting keys[MAX_KEYS];

    for (guint i = 0; SEAL_TABLE_POLICY[i].key; i++) {
        g_assert(i + 1 < MAX_KEYS);
        keys[i] = SEAL_TABLE_POLICY[i];
        keys[i].preset = NULL;
    }
    return keys;
}

/* What a rule says must be able to have an effect. */
static gboolean check_rule(const Entry *entry, const char *name, GError **error)
{
    if (!*name)
        return seal_settings_refuse_group(entry->settings, error,
                                          "a rule needs a name, as in [rule NAME]");
    if (entry->policy.encrypt != SEAL_NEED_REQUIRED &&
        seal_settings_place(entry->settings, "fallback"))
        return seal_settings_refuse(entry->settings, "fallback", error,
                                    "has no effect where encrypt is not required");
    if (entry->policy.encrypt == SEAL_NEED_REQUIRED && !*entry->policy.formats &&
        seal_settings_place(entry->settings, "formats"))
        return seal_settings_refuse(entry->settings, "formats", error,
                                    "is empty, and encryption is required");
    return TRUE;
}

static gboolean add_rule(SealPolicies *policies, const SealGroup *group, const Context *context,
                         GError **error)
{
    g_autoptr(Entry) entry = g_new0(Entry, 1);
    const char *name = group->name + strlen("rule ");

    if (policies->rules->len == MAX_RULES)
        return seal_config_refuse(&group->place, error, "more than %d rules", MAX_RULES);
    entry->policy = policies->base->policy;
    entry->policy.rule = name;
    entry->settings = seal_settings_new(group->name, group, SEAL_TABLE_RULE, rule_keys(), error);
    entry->rule = entry->settings ? seal_rule_new(entry->settings, error) : NULL;
    if (!entry->rule || !read_policy(entry, context, error) || !check_rule(entry, name, error))
        return FALSE;
    entry->policy.tag = seal_rule_tag(entry->rule);
    g_ptr_array_add(policies->rules, g_steal_pointer(&entry));
    return TRUE;
}

SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                gboolean can_sign, GError **error)
{
    const Context context = {registry, can_sign};
    g_autoptr(SealPolicies) policies = g_new0(SealPolicies, 1);
    GPtrArray *groups = seal_config_groups(config);

    policies->rules = g_ptr_array_new_with_free_func(entry_free);
    policies->base = g_new0(Entry, 1);
    policies->base->policy.rule = "";
    policies->base->settings = seal_settings_new("policy", seal_config_group(config, "policy"),
                                                 SEAL_TABLE_POLICY, NULL, error);
    if (!policies->base->settings || !read_policy(policies->base, &context, error))
        return NULL;
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);

        if (g_str_has_prefix(group->name, "rule ") && !add_rule(policies, group, &context, error))
            return NULL;
    }
    return g_steal_pointer(&policies);
}

const SealPolicy *seal_policies_nth(const SealPolicies *policies, guint index)
{
    if (index == 0)
        return &policies->base->policy;
    return index <= policies->rules->len
               ? &((const Entry *)g_ptr_array_index(policies->rules, index - 1))->policy
               : NULL;
}

void seal_policies_free(SealPolicies *policies)
{
    if (!policies)
        return;
    entry_free(policies->base);
    g_ptr_array_unref(policies->rules);
    g_free(policies);
}

/* -------------------------------------------------------------------------------------------
 * Which of them holds
 */

/* Of those that may hold, the strictest of what each asks for. */
typedef struct {
    SealJob *job;
    const SealPolicy *policy; /* NULL: none yet */
} Strictest;

/* Where encryption is required, more trust in a key is stricter; else less of it, since the other
 * way is clear. */
static gboolean trusts_as_strictly(const SealPolicy *a, const SealPolicy *b)
{
    return a->encrypt == SEAL_NEED_REQUIRED ? a->min_trust >= b->min_trust
                                            : a->min_trust <= b->min_trust;
}

static gboolean is_stricter(const SealPolicy *a, const SealPolicy *b)
{
    if (a->encrypt != b->encrypt)
        return a->encrypt > b->encrypt;
    if (a->encrypt == SEAL_NEED_REQUIRED && a->fallback != b->fallback)
        return a->fallback > b->fallback;
    return a->min_trust != b->min_trust ? trusts_as_strictly(a, b) : a->sign > b->sign;
}

static gboolean is_as_strict(const SealPolicy *a, const SealPolicy *b)
{
    return !is_stricter(b, a) && a->sign >= b->sign && a->already_sealed >= b->already_sealed &&
           a->refuse_unsupported >= b->refuse_unsupported && a->keep_signed <= b->keep_signed &&
           a->reduce_bounces <= b->reduce_bounces && a->all_or_none >= b->all_or_none &&
           (a->archive_to || !b->archive_to) &&
           (a->encrypt != b->encrypt || trusts_as_strictly(a, b));
}

/* The one that is stricter in what it wants encrypted gives the name and all else. */
static void mix(SealPolicy *into, const SealPolicy *other)
{
    into->sign = MAX(into->sign, other->sign);
    into->already_sealed = MAX(into->already_sealed, other->already_sealed);
    into->refuse_unsupported = into->refuse_unsupported || other->refuse_unsupported;
    into->keep_signed = into->keep_signed && other->keep_signed;
    into->reduce_bounces = into->reduce_bounces && other->reduce_bounces;
    into->all_or_none = into->all_or_none || other->all_or_none;
    if (!into->archive_to)
        into->archive_to = other->archive_to;
    if (into->encrypt == other->encrypt && !trusts_as_strictly(into, other))
        into->min_trust = other->min_trust;
}

static void add_candidate(Strictest *strictest, const SealPolicy *policy)
{
    const SealPolicy *had = strictest->policy;
    gboolean stricter = had && is_stricter(policy, had);

    if (!had || (stricter && is_as_strict(policy, had))) {
        strictest->policy = policy;
    } else if (!is_as_strict(had, policy)) {
        SealPolicy *own = g_new(SealPolicy, 1);

        *own = stricter ? *policy : *had;
        mix(own, stricter ? had : policy);
        g_ptr_array_add(strictest->job->policies, own);
        strictest->policy = own;
    }
}

/* A rule that matches in one reading alone may hold or not: the stricter counts. */
const SealPolicy *seal_policies_find(const SealPolicies *policies, SealJob *job,
                                     const SealRecipient *recipient, guint alternative)
{
    Strictest strictest = {job, NULL};

    for (guint i = 0; i < policies->rules->len; i++) {
        const Entry *entry = g_ptr_array_index(policies->rules, i);
        SealMatch match = seal_rule_match(entry->rule, i, job, recipient);

        if (match == SEAL_MATCH_SOME)
            add_candidate(&strictest, &entry->policy);
        if (match != SEAL_MATCH_YES && match != SEAL_MATCH_MAYBE)
            continue;
        Strictest here = strictest;
        if (match == SEAL_MATCH_YES || alternative == 0)
            add_candidate(&here, &entry->policy);
        if (alternative-- == 0)
            return here.policy;
        if (match == SEAL_MATCH_YES)
            return NULL;
    }
    if (alternative > 0)
        return NULL;
    add_candidate(&strictest, &policies->base->policy);
    return strictest.policy;
}

char *seal_policies_undecided(const SealPolicies *policies, SealJob *job,
                              const SealRecipient *recipient)
{
    g_autoptr(GString) names = g_string_new(NULL);
    SealMatch match = SEAL_MATCH_NO;
    guint count = 0;

    for (guint i = 0; i < policies->rules->len && match != SEAL_MATCH_YES; i++) {
        const Entry *entry = g_ptr_array_index(policies->rules, i);

        match = seal_rule_match(entry->rule, i, job, recipient);
        if (match == SEAL_MATCH_MAYBE && count++ < MAX_NAMES)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", entry->policy.rule);
    }
    if (count > MAX_NAMES)
        g_string_append_printf(names, " and %u more", count - MAX_NAMES);
    return count > 0 ? g_strdup(names->str) : NULL;
}

/* As far as it is about what somebody wrote, by the words of the configuration alone. */
static void explain_rule(const Entry *entry, SealJob *job, const SealRecipient *recipient,
                         SealMatch match)
{
    static const char *const codes[] = {"no", "maybe", "some", "yes"};
    g_autofree char *why = seal_rule_tell(entry->rule, entry->settings, job, recipient, match);

    seal_trace_note(job, "rule", entry->policy.rule,
                    match >= SEAL_MATCH_SOME ? SEAL_VERDICT_PASS : SEAL_VERDICT_SKIP, codes[match],
                    "%s", why);
}

void seal_policies_explain(const SealPolicies *policies, SealJob *job,
                           const SealRecipient *recipient)
{
    gboolean over = FALSE;

    for (guint i = 0; i < policies->rules->len; i++) {
        const Entry *entry = g_ptr_array_index(policies->rules, i);
        SealMatch match = over ? SEAL_MATCH_NO : seal_rule_match(entry->rule, i, job, recipient);

        if (over)
            seal_trace_note(job, "rule", entry->policy.rule, SEAL_VERDICT_SKIP, "not-asked",
                            "a rule before it holds");
        else
            explain_rule(entry, job, recipient, match);
        over = over || match == SEAL_MATCH_YES;
    }
}
