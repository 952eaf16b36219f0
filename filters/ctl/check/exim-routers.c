/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim-routers.c: Exim's routers: those that ask sealpipe-check and those that hand to sealpipe,
 * their order, and those that send mail out past them.
 */
#include "filters/ctl/check/exim.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * A router that asks
 */

typedef struct {
    const char *name;
    const char *wanted;
    CheckState state;
    const char *remedy;
    const char *why;
} Wanted;

static const Wanted wanted_of_asking[] = {
    {"verify_sender", "false", CHECK_PROBLEM, "add no_verify_sender to it",
     "strangers, who have no key here, are refused when they write"},
    {"allow_fail", "true", CHECK_PROBLEM, "add allow_fail to it",
     "what cannot be sealed waits for days, and nobody is told"},
    {"allow_defer", "true", CHECK_PROBLEM, "add allow_defer to it", "what should wait is frozen"},
    {"retry_use_local_part", "true", CHECK_WARNING, "add retry_use_local_part to it",
     "one recipient who waits keeps others at his domain waiting"},
};

static void check_flags(Exim *exim, const EximDriver *router)
{
    for (guint i = 0; i < G_N_ELEMENTS(wanted_of_asking); i++) {
        const Wanted *wanted = &wanted_of_asking[i];
        gboolean found = exim_flag(router, wanted->name);

        if (found != g_str_equal(wanted->wanted, "true"))
            check_put(exim->run, wanted->state, EXIM_TOPIC, wanted->remedy,
                      "router %s has %s%s: %s", router->name, found ? "" : "no ", wanted->name,
                      wanted->why);
    }
}

static void check_words(Exim *exim, const EximDriver *router, char *const *words)
{
    const char *header = wiring_option(words, "-H");

    if (!wiring_option(words, "-f"))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC,
                  "add to sealpipe-check, ahead of --: -f $sender_address",
                  "router %s does not tell sealpipe-check the sender: a rule on senders may match "
                  "anybody",
                  router->name);
    if (!wiring_has_dashes(words))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "end sealpipe-check's words with: -- ${quote_local_part:$local_part}@$domain",
                  "router %s has no -- ahead of the address: one that begins with a dash is taken "
                  "for an option",
                  router->name);
    if (header && strstr(header, "$message_headers"))
        check_put(
            exim->run, CHECK_WARNING, EXIM_TOPIC,
            "replace -H by: --exim-spool $spool_directory/$queue_name/input "
            "--id=$message_exim_id",
            "router %s gives sealpipe-check the header in an argument: everybody on this host "
            "can read Subject and Bcc",
            router->name);
}

static void check_statuses(Exim *exim, const EximDriver *router)
{
    const char *data = exim_option(router, "data");

    if (strstr(data, ":fail:") && !strstr(data, "{69}"))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "let 69 alone fail: {${if eq{$runrc}{69}{:fail:}{:defer:}} $value}",
                  "router %s fails whatever sealpipe-check answers: mail bounces while the program "
                  "cannot run",
                  router->name);
}

#define CONDITION_REMEDY                                                                           \
    "set condition = ${if !eq{$received_protocol}{sealed}} in it, with the word behind -oMr"

static gboolean knows_tag(const EximDriver *router, const char *tag)
{
    return strstr(exim_option(router, "condition"), tag) != NULL;
}

static void check_asker(Exim *exim, const EximDriver *router, const char *tag, char *const *words)
{
    g_autofree char *who = g_strdup_printf("router %s", router->name);

    wiring_check_command(exim->run, EXIM_TOPIC, who, words);
    check_flags(exim, router);
    check_words(exim, router, words);
    check_statuses(exim, router);
    if (tag && !knows_tag(router, tag))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC, CONDITION_REMEDY,
                  "router %s asks about what is sealed already, too", router->name);
    /* Exim runs its routers as root. */
    wiring_check_user(exim->run, EXIM_TOPIC, who, "root", TRUE);
}

/* -------------------------------------------------------------------------------------------
 * Routers that hand to the filter
 */

static gboolean is_out(const Exim *exim, const EximDriver *router)
{
    const EximDriver *transport = exim_transport(exim, router);
    g_auto(GStrv) words = transport ? exim_filter_words(transport) : NULL;

    return words != NULL;
}

static char *tag_of(const Exim *exim, const EximDriver *router)
{
    const EximDriver *transport = exim_transport(exim, router);

    return transport ? exim_tag(transport) : NULL;
}

/* The first one that takes all that goes out, else the first one. */
static const EximDriver *find_guard(const Exim *exim)
{
    const EximDriver *first = NULL;

    for (guint i = 0; i < exim->routers->len; i++) {
        const EximDriver *router = g_ptr_array_index(exim->routers, i);

        if (!is_out(exim, router))
            continue;
        if (exim_reach(router) == EXIM_ANY)
            return router;
        first = first ? first : router;
    }
    return first;
}

/* -------------------------------------------------------------------------------------------
 * What a condition comes to
 */

typedef enum {
    TRUTH_NO,
    TRUTH_YES,
    TRUTH_UNTOLD,
} Truth;

/* As Exim takes what a condition expands to. */
static Truth read_truth(const char *text)
{
    static const char *const no[] = {"", "0", "no", "false"};

    if (g_str_has_prefix(text, "Failed: "))
        return strstr(text, "\"fail\" requested") ? TRUTH_NO : TRUTH_UNTOLD;
    for (guint i = 0; i < G_N_ELEMENTS(no); i++) {
        if (g_ascii_strcasecmp(text, no[i]) == 0)
            return TRUTH_NO;
    }
    return TRUTH_YES;
}

/* Whether @router takes what came by @protocol, from somebody: a condition may know bounces. */
static Truth ask_condition(const Exim *exim, const EximDriver *router, const char *protocol)
{
    const char *condition = exim_option(router, "condition");
    const char *const argv[] = {
        exim->program, "-f", "somebody@example.org", "-oMr", protocol, "-be", condition, NULL};
    g_autofree char *text = *condition ? wiring_ask(argv, NULL) : NULL;

    if (!*condition)
        return TRUTH_YES;
    return text ? read_truth(g_strstrip(text)) : TRUTH_UNTOLD;
}

/* The same of what is not sealed yet; where not, *@protocol is how it came. */
static Truth ask_plain(const Exim *exim, const EximDriver *router, const char **protocol)
{
    static const char *const protocols[] = {"local", "esmtp", "esmtpsa"};
    Truth truth = TRUTH_YES;

    for (guint i = 0; truth == TRUTH_YES && i < G_N_ELEMENTS(protocols); i++) {
        *protocol = protocols[i];
        truth = ask_condition(exim, router, protocols[i]);
    }
    return truth;
}

static void put_untold(Exim *exim, const EximDriver *router)
{
    exim->untold = TRUE;
    check_leave(
        exim->run, EXIM_TOPIC,
        "what the condition of router %s takes, since Exim cannot say here what it comes to "
        "(exim -be, with that condition, says why)",
        router->name);
}

/* -------------------------------------------------------------------------------------------
 * What a router leaves out
 */

typedef struct {
    const char *name;
    CheckState state;
    const char *left;
} Restriction;

static const Restriction restrictions[] = {
    {"verify_only", CHECK_PROBLEM, "all mail goes on to"},
    {"unseen", CHECK_PROBLEM, "a copy goes on to"},
    {"senders", CHECK_WARNING, "mail from others goes on to"},
    {"local_parts", CHECK_WARNING, "mail to others goes on to"},
    {"local_part_prefix", CHECK_WARNING, "mail to others goes on to"},
    {"local_part_suffix", CHECK_WARNING, "mail to others goes on to"},
    {"check_local_user", CHECK_WARNING, "mail to others goes on to"},
    {"require_files", CHECK_WARNING, "where these are missing, mail goes on to"},
    {"condition", CHECK_WARNING, "what that is false for, besides what is sealed, goes on to"},
};

/* A variable other than the one that the tag is in, as $NAME, ${NAME} or def:NAME. */
static gboolean has_other_variable(const char *condition)
{
    static const char protocol[] = "received_protocol";
    g_auto(GStrv) pieces = g_strsplit(condition, "$", -1);

    for (guint i = 1; pieces[0] && pieces[i]; i++) {
        gboolean is_wrapped = *pieces[i] == '{';
        const char *name = pieces[i] + is_wrapped;
        gsize size = strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_");

        /* What is wrapped may be an operator, as ${if. */
        if (size == 0 || (is_wrapped && name[size] != '}'))
            continue;
        if (size != strlen(protocol) || strncmp(name, protocol, size) != 0)
            return TRUE;
    }
    return strstr(condition, "def:") != NULL;
}

static gboolean has_restriction(const EximDriver *router, const char *name)
{
    const char *value = exim_option(router, name);
    g_autofree char *optional = g_strconcat(name, "_optional", NULL);

    if (g_str_equal(name, "condition"))
        return has_other_variable(value);
    return *value && !g_str_equal(value, "false") && !exim_flag(router, optional);
}

static gboolean is_restricted(const EximDriver *router)
{
    for (guint i = 0; i < G_N_ELEMENTS(restrictions); i++) {
        if (has_restriction(router, restrictions[i].name))
            return TRUE;
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What leaves past it
 */

static gboolean is_loopback(const EximDriver *router)
{
    const char *hosts = exim_option(router, "route_list");

    return strstr(hosts, "127.0.0.1") || strstr(hosts, "localhost") || strstr(hosts, "::1");
}

/* To another host, and not sealed. */
static gboolean sends_clear(const Exim *exim, const EximDriver *router, const char *tag)
{
    const EximDriver *transport = exim_transport(exim, router);

    if (!transport || !exim_is(transport, "smtp") || is_out(exim, router) ||
        g_str_equal(exim_option(transport, "protocol"), "lmtp") || exim_flag(router, "verify_only"))
        return FALSE;
    /* Some have a condition to take what is sealed alone. */
    return !tag || !knows_tag(router, tag) || strstr(exim_option(router, "condition"), "!eq");
}

static void put_past(Exim *exim, const EximDriver *router, const EximDriver *guard,
                     gboolean is_behind)
{
    gboolean sure = exim_reach(router) == EXIM_ANY && !is_loopback(router);
    const char *which = sure ? "" : ", for some domains or to this host,";

    if (is_behind)
        check_put(
            exim->run, sure ? CHECK_PROBLEM : CHECK_WARNING, EXIM_TOPIC,
            "add the lines of the page to that transport, or have the router name one that "
            "has them; see " WIRING_PAGE("exim"),
            "router %s%s sends mail by transport %s, which does not run sealpipe: it leaves in "
            "clear",
            router->name, which, exim_option(router, "transport"));
    else
        check_put(exim->run, sure ? CHECK_PROBLEM : CHECK_WARNING, EXIM_TOPIC,
                  "let it stand behind; Debian's split configuration goes by the files' names",
                  "router %s stands ahead of %s, and%s sends mail in clear", router->name,
                  guard->name, which);
}

/* Nothing that goes out comes to a router behind it. */
static gboolean takes_all(const EximDriver *router)
{
    return exim_reach(router) == EXIM_ANY && !*exim_option(router, "condition") &&
           !is_restricted(router) &&
           (!exim_flag(router, "more") || g_str_equal(exim_option(router, "driver"), "accept"));
}

/* What @guard leaves out comes to a router that takes all of it to the filter, before one that
 * sends it in clear. */
static gboolean is_backed(const Exim *exim, const EximDriver *guard, const char *tag)
{
    for (guint i = guard->at + 1; i < exim->routers->len; i++) {
        const EximDriver *router = g_ptr_array_index(exim->routers, i);

        if (is_out(exim, router) && exim_reach(router) == EXIM_ANY && !is_restricted(router))
            return TRUE;
        if (exim_reach(router) != EXIM_INSIDE && sends_clear(exim, router, tag))
            return FALSE;
    }
    return FALSE;
}

static void check_restrictions(Exim *exim, const EximDriver *guard)
{
    for (guint i = 0; i < G_N_ELEMENTS(restrictions); i++) {
        const Restriction *restriction = &restrictions[i];

        if (has_restriction(guard, restriction->name))
            check_put(exim->run, restriction->state, EXIM_TOPIC,
                      "take it out; where some mail is to leave in clear, let a rule of sealpipe's "
                      "say so",
                      "router %s has %s: %s the routers behind it, and leaves in clear",
                      guard->name, restriction->name, restriction->left);
    }
}

/* Of one that hands what is sealed back to Exim: what it is to take, and what it leaves out. */
static void check_taken(Exim *exim, const EximDriver *router, const char *tag, gboolean is_guard)
{
    gboolean is_last = is_guard && !is_backed(exim, router, tag);
    const char *missed = NULL;
    Truth plain = is_last ? ask_plain(exim, router, &missed) : TRUTH_YES;
    Truth back = plain == TRUTH_YES ? ask_condition(exim, router, tag) : plain;

    if (back == TRUTH_UNTOLD)
        put_untold(exim, router);
    else if (plain == TRUTH_NO)
        check_put(
            exim->run, CHECK_PROBLEM, EXIM_TOPIC, CONDITION_REMEDY,
            "router %s has a condition that is false for mail that comes by %s, not as %s: it "
            "goes past the filter, and leaves in clear",
            router->name, missed, tag);
    else if (back == TRUTH_YES)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, CONDITION_REMEDY,
                  "router %s takes what comes back as %s, too: it is sealed again and again",
                  router->name, tag);
    if (is_last && plain != TRUTH_NO)
        check_restrictions(exim, router);
}

static void check_out(Exim *exim, const EximDriver *router, const EximDriver *guard)
{
    g_autofree char *tag = tag_of(exim, router);

    if (!tag)
        return;
    check_taken(exim, router, tag, router == guard);
    if (exim_flag(router, "verify_sender") || exim_flag(router, "verify_recipient"))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC, "add no_verify to it",
                  "router %s has no no_verify: an address in a domain that does not exist is taken "
                  "for a good one",
                  router->name);
}

static void check_past(Exim *exim, const EximDriver *guard)
{
    g_autofree char *tag = tag_of(exim, guard);
    gboolean comes_back = exim_is(exim_transport(exim, guard), "pipe");

    for (guint i = 0; i < exim->routers->len; i++) {
        const EximDriver *router = g_ptr_array_index(exim->routers, i);

        if (router == guard && (comes_back || takes_all(guard)))
            return;
        if (exim_reach(router) != EXIM_INSIDE && sends_clear(exim, router, tag))
            put_past(exim, router, guard, !comes_back);
    }
}

/* -------------------------------------------------------------------------------------------
 * Their order
 */

static void check_order(Exim *exim, const EximDriver *asker, const EximDriver *guard)
{
    if (!asker)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "add the router sealpipe_check of " WIRING_PAGE("exim"),
                  "no router asks sealpipe-check: what cannot be sealed waits for ever, and nobody "
                  "is told");
    else if (asker->at > guard->at)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, "let it stand ahead",
                  "router %s, which asks sealpipe-check, stands behind %s: it is never asked",
                  asker->name, guard->name);
}

static gboolean has_age(const Exim *exim, const EximDriver *guard)
{
    for (guint i = 0; i < guard->at; i++) {
        const EximDriver *router = g_ptr_array_index(exim->routers, i);

        if (exim_is(router, "redirect") && strstr(exim_option(router, "condition"), "$message_age"))
            return TRUE;
    }
    return FALSE;
}

static void check_age(Exim *exim, const EximDriver *guard)
{
    if (!has_age(exim, guard))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC,
                  "add the router sealpipe_aged of " WIRING_PAGE("exim"),
                  "no router ahead of %s returns what has grown old ($message_age): Exim tries a "
                  "filter that fails for ever",
                  guard->name);
}

/* (borrowed) The first that asks. */
static const EximDriver *check_askers(Exim *exim, const char *tag)
{
    const EximDriver *first = NULL;

    for (guint i = 0; i < exim->routers->len; i++) {
        const EximDriver *router = g_ptr_array_index(exim->routers, i);
        g_auto(GStrv) words = exim_check_words(router);

        if (words)
            check_asker(exim, router, tag, words);
        if (words && !first)
            first = router;
    }
    return first;
}

void exim_check_routers(Exim *exim)
{
    const EximDriver *guard = find_guard(exim);
    g_autofree char *tag = guard ? tag_of(exim, guard) : NULL;
    const EximDriver *asker = check_askers(exim, tag);

    if (!guard) {
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "have the routers that send mail out name the transport with the filter; "
                  "see " WIRING_PAGE("exim"),
                  "no router names a transport that runs sealpipe: mail leaves in clear");
        return;
    }
    check_order(exim, asker, guard);
    check_age(exim, guard);
    for (guint i = 0; i < exim->routers->len; i++) {
        if (is_out(exim, g_ptr_array_index(exim->routers, i)))
            check_out(exim, g_ptr_array_index(exim->routers, i), guard);
    }
    check_past(exim, guard);
}
