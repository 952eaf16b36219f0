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

static gboolean is(GVariant *row, const char *key, const char *text)
{
    return g_str_equal(ctl_row_text(row, key), text);
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
    const char *name = ctl_row_text(row, "subject"), *text = ctl_row_text(row, "text");

    if (is(row, "code", "not-asked"))
        ctl_tree_add(rules, CTL_STYLE_FAINT, "[rule %s] was not asked: %s", name, text);
    else
        ctl_tree_add(rules, style_of(ctl_row_text(row, "verdict")), "[rule %s] %s: %s", name,
                     is(row, "code", "yes")    ? "holds"
                     : is(row, "code", "some") ? "may hold"
                                               : "does not hold",
                     text);
}

/* What a search was for. */
static CtlTree *find_search(Scope *scope, GVariant *row)
{
    const char *format = ctl_row_text(row, "format"), *subject = ctl_row_text(row, "subject");
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
    return g_strjoin("\n", ctl_row_text(row, "purpose"), ctl_row_text(row, "format"),
                     ctl_row_text(row, "subject"), source, NULL);
}

static void show_source(Scope *scope, GVariant *row)
{
    CtlTree *source = ctl_tree_add(find_search(scope, row), style_of(ctl_row_text(row, "verdict")),
                                   "%s", ctl_row_text(row, "text"));

    g_hash_table_insert(scope->groups, source_name(row, ctl_row_text(row, "source")), source);
}

/* Below the source that it is from, where that has been asked. */
static void show_key(Scope *scope, GVariant *row)
{
    g_autofree char *name = source_name(row, ctl_row_text(row, "origin"));
    CtlTree *parent = g_hash_table_lookup(scope->groups, name);
    gboolean used = ctl_row_is_set(row, "used"), fit = is(row, "verdict", "pass");
    const char *label = ctl_row_text(row, "label");

    ctl_tree_add(parent ? parent : find_search(scope, row),
                 used  ? CTL_STYLE_GOOD
                 : fit ? CTL_STYLE_PLAIN
                       : CTL_STYLE_FAINT,
                 "%s %.*s%s%s%s, %s, until %s: %s",
                 used  ? "used:"
                 : fit ? "fit:"
                       : "not:",
                 KEY_ID, ctl_row_text(row, "key"), *label ? " (" : "", label, *label ? ")" : "",
                 *ctl_row_text(row, "trust") ? ctl_row_text(row, "trust") : "own",
                 ctl_row_text(row, "until"), ctl_row_text(row, "text"));
}

static void show_named(Scope *scope, GVariant *row, const char *group)
{
    ctl_tree_add(find_group(scope, scope->tree, CTL_STYLE_PLAIN, group),
                 style_of(ctl_row_text(row, "verdict")), "%s: %s", ctl_row_text(row, "subject"),
                 *ctl_row_text(row, "text") ? ctl_row_text(row, "text")
                                            : ctl_row_text(row, "verdict"));
}

static gboolean is_about(GVariant *row, const Scope *scope)
{
    return is(row, "recipient", scope->recipient) &&
           ctl_row_number(row, "delivery") == scope->delivery;
}

static void show_decision(GVariant *row, gpointer user_data)
{
    Scope *scope = user_data;
    const char *step = ctl_row_text(row, "step");

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
        ctl_tree_add(scope->tree, style_of(ctl_row_text(row, "verdict")), "%s: %s", step,
                     ctl_row_text(row, "text"));
}

static void show_decisions(GVariant *answer, CtlTree *tree, const char *recipient, gint64 delivery)
{
    g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Scope scope = {tree, recipient, delivery, groups};

    ctl_rows_visit(answer, "decisions", show_decision, &scope);
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
    const char *author = ctl_row_text(row, "author"), *login = ctl_row_text(row, "login");
    CtlTree *message = ctl_tree_add(
        show->tree, CTL_STYLE_HEAD, "message of %" G_GINT64_FORMAT " octets, %s",
        ctl_row_number(row, "octets"),
        is(row, "came", "plain") ? "neither encrypted nor signed" : ctl_row_text(row, "came"));

    if (*ctl_row_text(row, "notice"))
        ctl_tree_add(message, CTL_STYLE_DOUBT, "%s", ctl_row_text(row, "notice"));
    if (*ctl_row_text(row, "sender"))
        ctl_tree_add(message, CTL_STYLE_PLAIN, "sender: %s", ctl_row_text(row, "sender"));
    if (*author)
        ctl_tree_add(message, CTL_STYLE_PLAIN, "author: %s", author);
    else if (*ctl_row_text(row, "no_author"))
        ctl_tree_add(message, CTL_STYLE_DOUBT, "author: none: %s", ctl_row_text(row, "no_author"));
    ctl_tree_add(message, CTL_STYLE_PLAIN, "submitted: %s%s%s",
                 ctl_row_is_set(row, "submitted") ? "yes" : "no", *login ? ", login " : "", login);
    show_decisions(row, message, "", 0);
}

static void show_policy(CtlTree *tree, GVariant *row)
{
    const char *rule = ctl_row_text(row, "rule"), *archive = ctl_row_text(row, "archive_to");

    if (!*ctl_row_text(row, "encrypt"))
        return;
    ctl_tree_add(tree, CTL_STYLE_PLAIN,
                 "policy, by %s%s%s: encrypt=%s, sign=%s, formats=%s, fallback=%s, min_trust=%s, "
                 "already_sealed=%s%s%s",
                 *rule ? "[rule " : "[policy]", rule, *rule ? "]" : "",
                 ctl_row_text(row, "encrypt"), ctl_row_text(row, "sign"),
                 ctl_row_text(row, "formats"), ctl_row_text(row, "fallback"),
                 ctl_row_text(row, "min_trust"), ctl_row_text(row, "already_sealed"),
                 *archive ? ", archive_to=" : "", archive);
}

static void show_recipient(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    const char *result = ctl_row_text(row, "result"), *reason = ctl_row_text(row, "reason");
    gint64 delivery = ctl_row_number(row, "delivery");
    CtlTree *tree =
        ctl_tree_add(show->tree, style_of(result), "%s: %s%s%s", ctl_row_text(row, "recipient"),
                     result, *reason ? ": " : "", reason);

    if (*ctl_row_text(row, "detail"))
        ctl_tree_add(tree, CTL_STYLE_DOUBT, "for the log alone: %s", ctl_row_text(row, "detail"));
    if (*ctl_row_text(row, "status"))
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "status: %s", ctl_row_text(row, "status"));
    if (!ctl_row_is_set(row, "named"))
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "in no To or Cc");
    show_policy(tree, row);
    show_decisions(show->answer, tree, ctl_row_text(row, "recipient"), 0);
    if (delivery > 0)
        ctl_tree_add(tree, CTL_STYLE_PLAIN, "gets delivery %" G_GINT64_FORMAT, delivery);
    else
        ctl_tree_add(tree, CTL_STYLE_BAD, "nothing leaves");
}

static void show_part(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    gsize depth = (gsize)ctl_row_number(row, "depth") + 1;

    if (ctl_row_number(row, "delivery") != show->delivery)
        return;
    g_ptr_array_set_size(show->path, (gint)MIN(depth, show->path->len));
    CtlTree *parent = g_ptr_array_index(show->path, show->path->len - 1);
    CtlTree *part = ctl_tree_add(
        parent, CTL_STYLE_PLAIN, "%s%s, %s, %" G_GINT64_FORMAT " octets",
        ctl_row_is_set(row, "encrypted") && depth == 1 ? "encrypted in it: " : "",
        ctl_row_text(row, "type"), ctl_row_text(row, "encoding"), ctl_row_number(row, "octets"));
    g_ptr_array_add(show->path, part);
}

static void show_opened(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;

    if (ctl_row_number(row, "delivery") == show->delivery)
        ctl_tree_add(show->path->pdata[0],
                     ctl_row_is_set(row, "same")     ? CTL_STYLE_GOOD
                     : ctl_row_is_set(row, "opened") ? CTL_STYLE_BAD
                                                     : CTL_STYLE_FAINT,
                     "%s", ctl_row_text(row, "text"));
}

static void show_parts(Show *show, CtlTree *delivery)
{
    g_autoptr(GPtrArray) path = g_ptr_array_new();

    g_ptr_array_add(path, ctl_tree_add(delivery, CTL_STYLE_PLAIN, "structure"));
    show->path = path;
    ctl_rows_visit(show->answer, "parts", show_part, show);
    ctl_rows_visit(show->answer, "opened", show_opened, show);
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
    const char *format = ctl_row_text(row, "format"), *note = ctl_row_text(row, "note");
    const char *signer = ctl_row_text(row, "signer");

    show->delivery = ctl_row_number(row, "delivery");
    CtlTree *tree =
        ctl_tree_add(show->tree, CTL_STYLE_HEAD,
                     "delivery %" G_GINT64_FORMAT ": %s%s%s, %" G_GINT64_FORMAT " octets, to %s",
                     show->delivery, ctl_row_text(row, "what"), *format ? ", " : "", format,
                     ctl_row_number(row, "octets"), ctl_row_text(row, "recipients"));
    show_keys(tree,
              ctl_row_is_set(row, "hidden") ? "encrypted, without naming it, to" : "encrypted to",
              ctl_row_text(row, "keys"));
    if (*signer)
        ctl_tree_add(tree, CTL_STYLE_GOOD, "signed with %.*s, %s", KEY_ID, signer,
                     ctl_row_text(row, "signature"));
    if (*note)
        ctl_tree_add(tree, CTL_STYLE_DOUBT, "note: %s", note);
    show_decisions(show->answer, tree, "", show->delivery);
    show_parts(show, tree);
}

/* A delivery that did not come to be has decisions as well. */
static void show_failed(GVariant *row, gpointer user_data)
{
    const Show *show = user_data;
    gint64 number = ctl_row_number(row, "delivery");
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
    g_hash_table_add(user_data,
                     g_strdup_printf("%" G_GINT64_FORMAT, ctl_row_number(row, "delivery")));
}

void ctl_explain_show(GVariant *answer)
{
    g_autoptr(CtlTree) tree = ctl_tree_new();
    g_autoptr(GHashTable) made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Show show = {.answer = answer, .tree = tree, .made = made};

    if (g_variant_lookup(answer, "octets", "x", NULL))
        show_message(&show);
    ctl_rows_visit(answer, "recipients", show_recipient, &show);
    ctl_rows_visit(answer, "deliveries", show_delivery, &show);
    ctl_rows_visit(answer, "deliveries", note_made, made);
    ctl_rows_visit(answer, "decisions", show_failed, &show);
    ctl_tree_print(tree);
}
