/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explain-show.c: what seal_dispatcher_explain() says, as trees: the message, each recipient, and
 * each delivery.
 */
#include "filters/ctl/explain.h"
#include "filters/ctl/tree.h"

#include <string.h>

enum { KEY_ID = 16 }; /* digits of a fingerprint that are shown */

/* -------------------------------------------------------------------------------------------
 * Rows
 */

/* "" where it has none of that name. */
static const char *text_of(GVariant *row, const char *key)
{
    const char *text = "";

    g_variant_lookup(row, key, "&s", &text);
    return text;
}

static gint64 number_of(GVariant *row, const char *key)
{
    gint64 number = 0;

    g_variant_lookup(row, key, "x", &number);
    return number;
}

static gboolean is_set(GVariant *row, const char *key)
{
    gboolean set = FALSE;

    g_variant_lookup(row, key, "b", &set);
    return set;
}

static gboolean is(GVariant *row, const char *key, const char *text)
{
    return g_str_equal(text_of(row, key), text);
}

typedef void RowVisitor(GVariant *row, gpointer user_data);

static void each_row(GVariant *answer, const char *list, RowVisitor *visit, gpointer user_data)
{
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, list, G_VARIANT_TYPE("aa{sv}"));

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        visit(row, user_data);
    }
}

static CtlStyle style_of(const char *verdict)
{
    static const struct {
        const char *verdict;
        CtlStyle style;
    } styles[] = {
        {"pass", CTL_STYLE_GOOD},      {"sealed", CTL_STYLE_GOOD},  {"signed", CTL_STYLE_GOOD},
        {"skip", CTL_STYLE_FAINT},     {"unable", CTL_STYLE_DOUBT}, {"plain", CTL_STYLE_DOUBT},
        {"reported", CTL_STYLE_DOUBT}, {"refused", CTL_STYLE_BAD},  {"deferred", CTL_STYLE_BAD},
    };

    for (guint i = 0; i < G_N_ELEMENTS(styles); i++) {
        if (g_str_equal(styles[i].verdict, verdict))
            return styles[i].style;
    }
    return CTL_STYLE_PLAIN;
}

/* -------------------------------------------------------------------------------------------
 * Decisions
 */

/* Those about one recipient, one delivery, or neither. */
typedef struct {
    CtlTree *tree;
    const char *recipient;
    gint64 delivery;
    GHashTable *groups; /* by their heading -> CtlTree, borrowed */
} Scope;

static CtlTree *find_group(Scope *scope, CtlTree *parent, CtlStyle style, const char *name)
{
    CtlTree *group = g_hash_table_lookup(scope->groups, name);

    if (!group) {
        group = ctl_tree_add(parent, style, "%s", name);
        g_hash_table_insert(scope->groups, g_strdup(name), group);
    }
    return group;
}

static void show_rule(Scope *scope, GVariant *row)
{
    CtlTree *rules = find_group(scope, scope->tree, CTL_STYLE_PLAIN, "rules");
    const char *name = text_of(row, "subject"), *text = text_of(row, "text");

    if (is(row, "code", "not-asked"))
        ctl_tree_add(rules, CTL_STYLE_FAINT, "[rule %s] was not asked: %s", name, text);
    else
        ctl_tree_add(rules, style_of(text_of(row, "verdict")), "[rule %s] %s: %s", name,
                     is(row, "code", "yes")    ? "holds"
                     : is(row, "code", "some") ? "may hold"
                                               : "does not hold",
                     text);
}

/* What a search was for. */
static CtlTree *find_search(Scope *scope, GVariant *row)
{
    const char *format = text_of(row, "format"), *subject = text_of(row, "subject");
    gboolean signs = is(row, "purpose", "sign");
    g_autofree char *name =
        g_strdup_printf("%s keys %s %s", format,
                        signs                           ? "with which to sign for"
                        : is(row, "purpose", "verify")  ? "that may have signed for"
                        : is(row, "purpose", "already") ? "to which it may have come encrypted for"
                                                        : "to encrypt to",
                        subject);

    return find_group(scope, scope->tree, CTL_STYLE_PLAIN, name);
}

static char *source_name(GVariant *row, const char *source)
{
    return g_strjoin("\n", text_of(row, "purpose"), text_of(row, "format"), text_of(row, "subject"),
                     source, NULL);
}

static void show_source(Scope *scope, GVariant *row)
{
    CtlTree *source = ctl_tree_add(find_search(scope, row), style_of(text_of(row, "verdict")), "%s",
                                   text_of(row, "text"));

    g_hash_table_insert(scope->groups, source_name(row, text_of(row, "source")), source);
}

/* Below the source that it is from, where that has been asked. */
static void show_key(Scope *scope, GVariant *row)
{
    g_autofree char *name = source_name(row, text_of(row, "origin"));
    CtlTree *parent = g_hash_table_lookup(scope->groups, name);
    gboolean used = is_set(row, "used"), fit = is(row, "verdict", "pass");
    const char *label = text_of(row, "label");

    ctl_tree_add(parent ? parent : find_search(scope, row),
                 used  ? CTL_STYLE_GOOD
                 : fit ? CTL_STYLE_PLAIN
                       : CTL_STYLE_FAINT,
                 "%s %.*s%s%s%s, %s, until %s: %s",
                 used  ? "used:"
                 : fit ? "fit:"
                       : "not:",
                 KEY_ID, text_of(row, "key"), *label ? " (" : "", label, *label ? ")" : "",
                 *text_of(row, "trust") ? text_of(row, "trust") : "own", text_of(row, "until"),
                 text_of(row, "text"));
}

static void show_named(Scope *scope, GVariant *row, const char *group)
{
    ctl_tree_add(find_group(scope, scope->tree, CTL_STYLE_PLAIN, group),
                 style_of(text_of(row, "verdict")), "%s: %s", text_of(row, "subject"),
                 *text_of(row, "text") ? text_of(row, "text") : text_of(row, "verdict"));
}

static gboolean is_about(GVariant *row, const Scope *scope)
{
    return is(row, "recipient", scope->recipient) && number_of(row, "delivery") == scope->delivery;
}

static void show_decision(GVariant *row, gpointer user_data)
{
    Scope *scope = user_data;
    const char *step = text_of(row, "step");

    if (!is_about(row, scope) || g_str_equal(step, "result"))
        return;
    if (g_str_equal(step, "rule"))
        show_rule(scope, row);
    else if (g_str_equal(step, "source"))
        show_source(scope, row);
    else if (g_str_equal(step, "key"))
        show_key(scope, row);
    else if (g_str_equal(step, "stage"))
        show_named(scope, row, "stages");
    else if (g_str_equal(step, "step"))
        show_named(scope, row, "steps");
    else
        ctl_tree_add(scope->tree, style_of(text_of(row, "verdict")), "%s: %s", step,
                     text_of(row, "text"));
}

static void show_decisions(GVariant *answer, CtlTree *tree, const char *recipient, gint64 delivery)
{
    g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Scope scope = {tree, recipient, delivery, groups};

    each_row(answer, "decisions", show_decision, &scope);
}

/* -------------------------------------------------------------------------------------------
 * The message, recipients, deliveries
 */

typedef struct {
    GVariant *answer;
    CtlTree *tree;
    gint64 delivery;  /* of parts */
    GPtrArray *path;  /* of CtlTree, by depth */
    GHashTable *made; /* numbers of deliveries that are shown, as text */
} Show;

static void show_message(const Show *show)
{
    GVariant *row = show->answer;
    const char *author = text_of(row, "author"), *login = text_of(row, "login");
    CtlTree *message = ctl_tree_add(
        show->tree, CTL_STYLE_HEAD, "message of %" G_GINT64_FORMAT " octets, %s",
        number_of(row, "octets"),
        is(row, "came", "plain") ? "neither encrypted nor signed" : text_of(row, "came"));

    if (*text_of(row, "notice"))
        ctl_tree_add(message, CTL_STYLE_DOUBT, "%s", text_of(row, "notice"));
    if (*text_of(row, "sender"))
        ctl_tree_add(message, CTL_STYLE_PLAIN, "sender: %s", text_of(row, "sender"));
    if (*author)
        ctl_tree_add(message, CTL_STYLE_PLAIN, "author: %s", author);
    else if (*text_of(row, "no_author"))
        ctl_tree_add(message, CTL_STYLE_DOUBT, "author: none: %s", text_of(row, "no_author"));
    ctl_tree_add(message, CTL_STYLE_PLAIN, "submitted: %s%s%s",
                 is_set(row, "submitted") ? "yes" : "no", *login ? ", login " : "", login);
    show_decisions(row, message, "", 0);
}

static void show_policy(CtlTree *tree, GVariant *row)
{
    const char *rule = text_of(row, "rule"), *archive = text_of(row, "archive_to");

    if (!*text_of(row, "encrypt"))
        return;
    ctl_tree_add(tree, CTL_STYLE_PLAIN,
                 "policy, by %s%s%s: encrypt=%s, sign=%s, formats=%s, fallback=%s, min_trust=%s, "
                 "already_sealed=%s%s%s",
                 *rule ? "[rule " : "[policy]", rule, *rule ? "]" : "", text_of(row, "encrypt"),
                 text_of(row, "sign"), text_of(row, "formats"), text_of(row, "fallback"),
                 text_of(row, "min_trust"), text_of(row, "already_sealed"),
                 *archive ? ", archive_to=" : "", archive);
}

static void show_recipient(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    const char *result = text_of(row, "result"), *reason = text_of(row, "reason");
    gint64 delivery = number_of(row, "delivery");
    CtlTree *tree = ctl_tree_add(show->tree, style_of(result), "%s: %s%s%s",
                                 text_of(row, "recipient"), result, *reason ? ": " : "", reason);

    if (*text_of(row, "detail"))
        ctl_tree_add(tree, CTL_STYLE_DOUBT, "for the log alone: %s", text_of(row, "detail"));
    if (*text_of(row, "status"))
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "status: %s", text_of(row, "status"));
    if (!is_set(row, "named"))
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "in no To or Cc");
    show_policy(tree, row);
    show_decisions(show->answer, tree, text_of(row, "recipient"), 0);
    if (delivery > 0)
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "gets delivery %" G_GINT64_FORMAT, delivery);
    else
        ctl_tree_add(tree, CTL_STYLE_BAD, "nothing leaves");
}

static void show_part(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    gsize depth = (gsize)number_of(row, "depth") + 1;

    if (number_of(row, "delivery") != show->delivery)
        return;
    g_ptr_array_set_size(show->path, (gint)MIN(depth, show->path->len));
    CtlTree *parent = g_ptr_array_index(show->path, show->path->len - 1);
    CtlTree *part =
        ctl_tree_add(parent, CTL_STYLE_PLAIN, "%s%s, %s, %" G_GINT64_FORMAT " octets",
                     is_set(row, "encrypted") && depth == 1 ? "encrypted in it: " : "",
                     text_of(row, "type"), text_of(row, "encoding"), number_of(row, "octets"));
    g_ptr_array_add(show->path, part);
}

static void show_opened(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;

    if (number_of(row, "delivery") == show->delivery)
        ctl_tree_add(show->path->pdata[0],
                     is_set(row, "same")     ? CTL_STYLE_GOOD
                     : is_set(row, "opened") ? CTL_STYLE_BAD
                                             : CTL_STYLE_FAINT,
                     "%s", text_of(row, "text"));
}

static void show_parts(Show *show, CtlTree *delivery)
{
    g_autoptr(GPtrArray) path = g_ptr_array_new();

    g_ptr_array_add(path, ctl_tree_add(delivery, CTL_STYLE_PLAIN, "structure"));
    show->path = path;
    each_row(show->answer, "parts", show_part, show);
    each_row(show->answer, "opened", show_opened, show);
}

static void show_keys(CtlTree *tree, const char *what, const char *keys)
{
    g_auto(GStrv) names = g_strsplit(keys, ",", -1);

    for (guint i = 0; names[i]; i++)
        ctl_tree_add(tree, CTL_STYLE_GOOD, "%s %.*s", what, KEY_ID, names[i]);
}

static void show_delivery(GVariant *row, gpointer user_data)
{
    Show *show = user_data;
    const char *format = text_of(row, "format"), *note = text_of(row, "note");
    const char *signer = text_of(row, "signer");

    show->delivery = number_of(row, "delivery");
    CtlTree *tree =
        ctl_tree_add(show->tree, CTL_STYLE_HEAD,
                     "delivery %" G_GINT64_FORMAT ": %s%s%s, %" G_GINT64_FORMAT " octets, to %s",
                     show->delivery, text_of(row, "what"), *format ? ", " : "", format,
                     number_of(row, "octets"), text_of(row, "recipients"));
    show_keys(tree, is_set(row, "hidden") ? "encrypted, without naming it, to" : "encrypted to",
              text_of(row, "keys"));
    if (*signer)
        ctl_tree_add(tree, CTL_STYLE_GOOD, "signed with %.*s, %s", KEY_ID, signer,
                     text_of(row, "signature"));
    if (*note)
        ctl_tree_add(tree, CTL_STYLE_DOUBT, "note: %s", note);
    show_decisions(show->answer, tree, "", show->delivery);
    show_parts(show, tree);
}

/* A delivery that did not come to be has decisions as well. */
static void show_failed(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    gint64 number = number_of(row, "delivery");
    g_autofree char *name = g_strdup_printf("%" G_GINT64_FORMAT, number);

    if (number == 0 || g_hash_table_contains(show->made, name))
        return;
    g_hash_table_add(show->made, g_steal_pointer(&name));
    CtlTree *tree = ctl_tree_add(show->tree, CTL_STYLE_BAD,
                                 "delivery %" G_GINT64_FORMAT ": does not leave", number);
    show_decisions(show->answer, tree, "", number);
}

static void note_made(GVariant *row, gpointer user_data)
{
    g_hash_table_add(user_data, g_strdup_printf("%" G_GINT64_FORMAT, number_of(row, "delivery")));
}

void ctl_explain_show(GVariant *answer)
{
    g_autoptr(CtlTree) tree = ctl_tree_new();
    g_autoptr(GHashTable) made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Show show = {.answer = answer, .tree = tree, .made = made};

    if (g_variant_lookup(answer, "octets", "x", NULL))
        show_message(&show);
    each_row(answer, "recipients", show_recipient, &show);
    each_row(answer, "deliveries", show_delivery, &show);
    each_row(answer, "deliveries", note_made, made);
    each_row(answer, "decisions", show_failed, &show);
    ctl_tree_print(tree);
}
