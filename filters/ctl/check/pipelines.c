/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pipelines.c: what is configured and has no effect: formats that nobody uses, rules behind others
 * that match as much, and a policy that does nothing.
 */
#include "filters/ctl/check/check.h"

#include <string.h>

#define POLICY      "policy"
#define RULE_PREFIX "rule "
#define MATCH       "match_"

/* A group of the configuration, as far as it is in force. */
typedef struct {
    char *name;
    GHashTable *values; /* of text, by key */
} Group;

static void group_free(gpointer data)
{
    Group *group = data;

    g_free(group->name);
    g_hash_table_unref(group->values);
    g_free(group);
}

/* In the order of the configuration. (transfer full, element type Group) */
static GPtrArray *read_groups(SealDispatcher *dispatcher)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
    g_autoptr(SealOut) out = seal_out_new();
    const char *name, *key, *value;
    Group *group = NULL;

    seal_dispatcher_show_config(dispatcher, out);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "settings", G_VARIANT_TYPE("aa{sv}"));
    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!g_variant_lookup(row, "group", "&s", &name) ||
            !g_variant_lookup(row, "key", "&s", &key) ||
            !g_variant_lookup(row, "value", "&s", &value))
            continue;
        if (!group || !g_str_equal(group->name, name)) {
            group = g_new0(Group, 1);
            group->name = g_strdup(name);
            group->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
            g_ptr_array_add(groups, group);
        }
        g_hash_table_insert(group->values, g_strdup(key), g_strdup(value));
    }
    return groups;
}

static const char *group_value(const Group *group, const char *key)
{
    return g_hash_table_lookup(group->values, key);
}

static gboolean is_rule(const Group *group)
{
    return g_str_has_prefix(group->name, RULE_PREFIX);
}

/* Whether it decides about mail: [policy] or a rule. */
static gboolean is_policy(const Group *group)
{
    return is_rule(group) || g_str_equal(group->name, POLICY);
}

/* The items of a list, without blanks around them. (transfer full) */
static GStrv read_items(const char *text)
{
    g_auto(GStrv) items = g_strsplit(text ? text : "", ";", -1);
    g_autoptr(GStrvBuilder) kept = g_strv_builder_new();

    for (char **item = items; *item; item++) {
        if (*g_strstrip(*item))
            g_strv_builder_add(kept, *item);
    }
    return g_strv_builder_end(kept);
}

static gboolean names_item(const char *text, const char *item)
{
    g_auto(GStrv) items = read_items(text);

    return g_strv_contains((const char *const *)items, item);
}

/* -------------------------------------------------------------------------------------------
 * Formats
 */

static gboolean is_in_policy(GPtrArray *groups, const char *format)
{
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = g_ptr_array_index(groups, i);

        if (is_policy(group) && names_item(group_value(group, "formats"), format))
            return TRUE;
    }
    return FALSE;
}

static void check_format(CheckRun *run, GPtrArray *groups, const char *format)
{
    const char *outbound = check_setting(run, "pipeline", "outbound");
    gboolean stands = names_item(outbound, format), wanted = is_in_policy(groups, format);

    if (!seal_dispatcher_has_format(check_dispatcher(run), format, NULL) || (stands && wanted))
        return;
    if (wanted)
        check_put(run, CHECK_WARNING, "pipelines",
                  "add it to [pipeline] outbound, or take it out of formats",
                  "the policy's formats name \"%s\", and [pipeline] outbound (%s) leaves it out: "
                  "nothing is encrypted with it",
                  format, outbound);
    else
        check_put(run, CHECK_WARNING, "pipelines",
                  "add it to [policy] formats, or take its module's file out of the "
                  "configuration's folder",
                  "a module is enabled for the format \"%s\", and no policy's formats name it: "
                  "nothing is encrypted with it",
                  format);
}

static void check_formats(CheckRun *run, GPtrArray *groups)
{
    static const char *const formats[] = {"smime", "pgp"};

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        check_format(run, groups, formats[i]);
}

/* Whoever enables a module wants its keys; without a home gnupg has none. */
static void check_source(CheckRun *run, const char *source)
{
    const char *sources = check_setting(run, "keyring", "sources");
    const char *home = check_setting(run, "module pgp", "home");
    SealModule *module = NULL;

    if (!seal_dispatcher_source(check_dispatcher(run), source, &module) ||
        names_item(sources, source) || (g_str_equal(source, "gnupg") && !(home && *home)))
        return;
    check_put(run, CHECK_WARNING, "pipelines",
              "add it to [keyring] sources, or take the module's file out of the configuration's "
              "folder",
              "[module %s] is enabled, and its key source \"%s\" does not stand in [keyring] "
              "sources (%s): it is not asked",
              seal_module_name(module), source, sources);
}

static void check_key_sources(CheckRun *run)
{
    static const char *const sources[] = {"store", "file", "gnupg", "ldap"};

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
        check_source(run, sources[i]);
}

/* -------------------------------------------------------------------------------------------
 * Rules
 */

static gboolean is_glob(const char *item)
{
    return strpbrk(item, "*?") != NULL;
}

/* Whether all of @inner is of @outer, where that is plain to see. */
static gboolean item_covers(const char *outer, const char *inner)
{
    const char *domain = strrchr(inner, '@');

    if (g_ascii_strcasecmp(outer, inner) == 0)
        return TRUE;
    if (g_str_equal(outer, "*"))
        return !g_str_equal(inner, "<>");
    if (!domain || is_glob(domain))
        return FALSE;
    if (g_str_has_prefix(outer, "@."))
        return strlen(domain) >= strlen(outer) &&
               g_ascii_strcasecmp(domain + strlen(domain) - strlen(outer) + 1, outer + 1) == 0;
    return *outer == '@' && inner != domain && g_ascii_strcasecmp(outer, domain) == 0;
}

static gboolean list_covers(const char *outer, const char *inner)
{
    g_auto(GStrv) ours = read_items(outer);
    g_auto(GStrv) theirs = read_items(inner);

    for (char **their = theirs; *their; their++) {
        gboolean covered = FALSE;

        for (char **our = ours; *our && !covered; our++)
            covered = item_covers(*our, *their);
        if (!covered)
            return FALSE;
    }
    return *theirs != NULL;
}

/* Whatever matches @rule matches @first: each condition of that is one of @rule's, and as wide. */
static gboolean rule_covers(const Group *first, const Group *rule)
{
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, first->values);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        gboolean all = g_str_equal(key, MATCH "recipient") && names_item(value, "*");

        if (g_str_has_prefix(key, MATCH) && !all && !list_covers(value, group_value(rule, key)))
            return FALSE;
    }
    return TRUE;
}

static void check_rule(CheckRun *run, GPtrArray *groups, guint at)
{
    const Group *rule = g_ptr_array_index(groups, at);

    for (guint i = 0; i < at; i++) {
        const Group *first = g_ptr_array_index(groups, i);

        if (!is_rule(first) || !rule_covers(first, rule))
            continue;
        check_put(run, CHECK_WARNING, "pipelines",
                  "put it ahead of that one, or remove it; the first rule that matches counts",
                  "[%s] has no effect: [%s] stands ahead of it, and matches all that it matches",
                  rule->name, first->name);
        return;
    }
}

/* -------------------------------------------------------------------------------------------
 * What is done at all
 */

static gboolean any_wants(GPtrArray *groups, const char *key)
{
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = g_ptr_array_index(groups, i);
        const char *value = is_policy(group) ? group_value(group, key) : NULL;

        if (value && !g_str_equal(value, "never"))
            return TRUE;
    }
    return FALSE;
}

static void check_effect(CheckRun *run, GPtrArray *groups)
{
    gboolean encrypts = any_wants(groups, "encrypt"), signs = any_wants(groups, "sign");

    if (!encrypts && !signs)
        check_put(run, CHECK_WARNING, "pipelines",
                  "set encrypt or sign to preferred or required, in [policy] or in a rule",
                  "[policy] and all rules have encrypt=never and sign=never: outbound mail passes "
                  "as it comes");
    else if (!check_has_trouble(run, "pipelines"))
        check_put(run, CHECK_OK, "pipelines", NULL, "%s: %s",
                  check_setting(run, "pipeline", "outbound"),
                  encrypts && signs ? "mail is encrypted and signed as the policy says"
                  : encrypts        ? "mail is encrypted as the policy says, and never signed"
                                    : "mail is signed as the policy says, and never encrypted");
}

void check_pipelines(CheckRun *run)
{
    g_autoptr(GPtrArray) groups = read_groups(check_dispatcher(run));

    check_formats(run, groups);
    check_key_sources(run);
    for (guint i = 0; i < groups->len; i++) {
        if (is_rule(g_ptr_array_index(groups, i)))
            check_rule(run, groups, i);
    }
    check_effect(run, groups);
}
