/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * postfix-ways.c: what mail takes to sealpipe-pipe and from there: two instances, or a content
 * filter.
 */
#include "filters/ctl/check/postfix.h"

#include <string.h>
#include <unistd.h>

static gint64 limit_of(const Postfix *postfix)
{
    return wiring_size(postfix_setting(postfix, "message_size_limit"));
}

static void check_running(Postfix *postfix)
{
    g_autofree char *program =
        g_build_filename(postfix_setting(postfix, "command_directory"), "postfix", NULL);
    const char *const argv[] = {program, "-c", postfix->folder, "status", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = geteuid() == 0 ? wiring_ask(argv, &error) : NULL;

    if (!answer && error)
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "start it: systemctl start postfix, or postfix start; the log says why it ended",
                  "the instance of %s does not run", postfix->folder);
}

void postfix_check_bounces(Postfix *postfix, const char *which)
{
    if (!g_str_equal(postfix_setting(postfix, "bounce_size_limit"), "1"))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set it to 1 with postconf -e, then postfix reload",
                  "bounce_size_limit of %s is %s: its bounces quote in clear what was to be sealed",
                  which, postfix_setting(postfix, "bounce_size_limit"));
    if (postfix_flag(postfix, "soft_bounce"))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "set it to no with postconf -e, then postfix reload",
                  "soft_bounce of %s is set: what is refused waits for days, and nobody is told",
                  which);
    check_running(postfix);
}

/* -------------------------------------------------------------------------------------------
 * The first of two instances
 */

/* Only the two that Postfix has names for are reached by tables that name no host of their own. */
static void check_clients(Postfix *postfix)
{
    static const char *const inward[] = {"relay_transport",
                                         "local_transport",
                                         "virtual_transport",
                                         "mailbox_transport",
                                         "address_verify_default_transport",
                                         "content_filter"};

    for (guint i = 0; i < postfix->services->len; i++) {
        const PostfixService *service = g_ptr_array_index(postfix->services, i);
        gboolean usual = g_str_equal(service->name, "smtp") || g_str_equal(service->name, "relay");
        gboolean used = FALSE;

        if (!g_str_equal(service->command, "smtp"))
            continue;
        for (guint j = 0; j < G_N_ELEMENTS(inward); j++)
            used = used || postfix_goes_by(postfix_setting(postfix, inward[j]), service->name);
        if (usual || !used)
            check_put(
                postfix->run, usual ? CHECK_PROBLEM : CHECK_WARNING, POSTFIX_TOPIC,
                "take the line out with postconf -MX, then postfix reload; what leads inside "
                "is described in " WIRING_PAGE("postfix"),
                "%s/master.cf has the service %s, by which a table can send mail out in clear",
                postfix->folder, service->name);
    }
}

static void check_relay(Postfix *postfix)
{
    const char *transport = postfix_setting(postfix, "relay_transport");

    if (*postfix_setting(postfix, "relay_domains") && postfix_goes_by(transport, "relay") &&
        !postfix_service(postfix, "relay", "unix"))
        check_put(
            postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
            "make a way of its own for it: see \"Relays and routes\" in " WIRING_PAGE("postfix"),
            "mail for relay_domains (%s) waits: there is no service %s any more",
            postfix_setting(postfix, "relay_domains"), transport);
}

static void check_reports(Postfix *postfix)
{
    if (!wiring_has_item(postfix_setting(postfix, "smtpd_discard_ehlo_keywords"), ", \t", "dsn"))
        check_put(
            postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
            "set smtpd_discard_ehlo_keywords = dsn, silent-discard, then postfix reload",
            "smtpd_discard_ehlo_keywords does not have dsn: who asks for a report is told that "
            "his mail was relayed while it may still bounce");
}

/* A milter that signs is known by its name or its usual port. */
static void check_dkim(Postfix *postfix)
{
    static const char *const names[] = {"non_smtpd_milters", "smtpd_milters"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *milters = postfix_setting(postfix, names[i]);

        if (strstr(milters, "dkim") || strstr(milters, ":8891"))
            check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                      "name it in non_smtpd_milters of the instance that sends out; see \"DKIM\" "
                      "in " WIRING_PAGE("postfix"),
                      "%s of %s is %s: a DKIM signature that is made ahead of sealing is taken out",
                      names[i], postfix->folder, milters);
    }
}

void postfix_check_first(Postfix *postfix, const PostfixService *service)
{
    const char *maps = postfix_setting(postfix, "sender_dependent_default_transport_maps");

    if (*maps)
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "take it out with postconf -X; the second instance has it",
                  "sender_dependent_default_transport_maps is %s, which comes before "
                  "default_transport: that mail does not come to %s",
                  maps, service->name);
    if (*postfix_setting(postfix, "content_filter"))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "see that what it hands back comes to default_transport",
                  "content_filter is %s, ahead of %s", postfix_setting(postfix, "content_filter"),
                  service->name);
    check_clients(postfix);
    check_relay(postfix);
    check_reports(postfix);
    check_dkim(postfix);
    postfix_check_bounces(postfix, postfix->folder);
}

/* -------------------------------------------------------------------------------------------
 * The second one
 */

static gboolean listens(const Postfix *out)
{
    if (wiring_has_item(postfix_setting(out, "master_service_disable"), ", \t", "inet"))
        return FALSE;
    for (guint i = 0; i < out->services->len; i++) {
        const PostfixService *service = g_ptr_array_index(out->services, i);

        if (g_str_equal(service->type, "inet"))
            return TRUE;
    }
    return FALSE;
}

static void check_submitters(Postfix *out, const char *user)
{
    const char *users = postfix_setting(out, "authorized_submit_users");

    if (g_str_has_prefix(users, "static:"))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "name that user alone: authorized_submit_users = sealpipe",
                  "authorized_submit_users of %s is %s: everybody here can send out in clear by it",
                  out->folder, users);
    else if (!wiring_has_item(users, ", \t", user))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "add him with postconf -c to authorized_submit_users",
                  "authorized_submit_users of %s is \"%s\", without user %s: what is sealed cannot "
                  "be handed over",
                  out->folder, users, user);
}

static void check_out_size(Postfix *postfix, Postfix *out)
{
    gint64 first = limit_of(postfix), second = limit_of(out), own = wiring_size_limit(out->run);

    if (second > 0 && (first == 0 || second < 2 * first))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set it to 0 with postconf -c: the first instance has a limit",
                  "message_size_limit of %s is %" G_GINT64_FORMAT ", and %" G_GINT64_FORMAT
                  " where mail comes in: sealing makes it larger, and what does not fit bounces",
                  out->folder, second, first);
    else if (second > 0 && own > second)
        check_put(out->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "set size_limit= in [core] to no more than that",
                  "[core] size_limit is %" G_GINT64_FORMAT
                  ", and message_size_limit of %s %" G_GINT64_FORMAT,
                  own, out->folder, second);
}

void postfix_check_out(Postfix *postfix, Postfix *out, const PostfixService *service)
{
    g_autofree char *user = postfix_attribute(service, "user");

    if (!postfix_flag(out, "multi_instance_enable"))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC, "postmulti -i NAME -e enable enables it",
                  "the instance of %s is not enabled: what is sealed stays in its queue",
                  out->folder);
    if (postfix_service(out, service->name, "unix") &&
        postfix_goes_by(postfix_setting(out, "default_transport"), service->name))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set default_transport = smtp with postconf -c",
                  "default_transport of %s is %s: what is sealed is sealed again and again",
                  out->folder, postfix_setting(out, "default_transport"));
    if (listens(out))
        check_put(out->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set master_service_disable = inet with postconf -c, and start it anew",
                  "the instance of %s listens: who reaches its port can send out in clear",
                  out->folder);
    check_submitters(out, user ? user : "sealpipe");
    check_out_size(postfix, out);
    postfix_check_bounces(out, out->folder);
}

/* -------------------------------------------------------------------------------------------
 * A content filter
 */

static void check_submission_size(Postfix *postfix, const char *service)
{
    const char *found = postfix_override(postfix, service, "message_size_limit");
    gint64 taken = found ? wiring_size(found) : limit_of(postfix), all = limit_of(postfix);

    if (all > 0 && (taken == 0 || all < 2 * taken))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "take less by that service than message_size_limit: see \"A content filter\" "
                  "in " WIRING_PAGE("postfix"),
                  "%s takes messages of %" G_GINT64_FORMAT
                  " octets, and what comes back sealed, which is larger, may have %" G_GINT64_FORMAT
                  ": what does not fit bounces",
                  service, taken, all);
}

static void check_submission(Postfix *postfix, const char *service)
{
    const char *words = postfix_override(postfix, service, "smtpd_discard_ehlo_keywords");
    const char *milters = postfix_override(postfix, service, "smtpd_milters");

    if (!words)
        words = postfix_setting(postfix, "smtpd_discard_ehlo_keywords");
    if (!wiring_has_item(words, ", \t", "dsn"))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "set smtpd_discard_ehlo_keywords=dsn,silent-discard for it with postconf -P",
                  "%s announces DSN: who asks for a report is told that his mail was relayed while "
                  "it may still bounce",
                  service);
    if (milters && (strstr(milters, "dkim") || strstr(milters, ":8891")))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "name it in non_smtpd_milters, for what comes back",
                  "smtpd_milters of %s is %s: a DKIM signature that is made ahead of sealing is "
                  "taken out",
                  service, milters);
    check_submission_size(postfix, service);
}

/* FALSE where it takes what it should not. */
static gboolean check_filtered(Postfix *postfix, const char *service)
{
    if (g_str_has_prefix(service, "pickup/"))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "take it out: postconf -PX pickup/unix/content_filter",
                  "content_filter of %s takes what comes back, too: it goes round for ever",
                  service);
    else if (g_str_has_prefix(service, "smtp/inet"))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "take it out: postconf -PX smtp/inet/content_filter; set it for submission",
                  "content_filter of %s takes mail from the world: strangers' mail to people here "
                  "is refused for the lack of a key",
                  service);
    else
        return TRUE;
    return FALSE;
}

/* What is in force for @listener, which listens at a port. */
static const char *listener_setting(const Postfix *postfix, const PostfixService *listener,
                                    const char *name)
{
    g_autofree char *which = g_strconcat(listener->name, "/", listener->type, NULL);
    const char *found = postfix_override(postfix, which, name);

    return found ? found : postfix_setting(postfix, name);
}

/* Mail comes in by it, other than at port 25, where the world's does. */
static gboolean is_listener(const Postfix *postfix, const PostfixService *service)
{
    const char *colon = strrchr(service->name, ':');
    const char *port = colon ? colon + 1 : service->name;
    const char *disabled = postfix_setting(postfix, "master_service_disable");
    g_autofree char *which = g_strconcat(service->name, "/inet", NULL);

    return g_str_equal(service->type, "inet") && g_str_equal(service->command, "smtpd") &&
           !g_str_equal(port, "smtp") && !g_str_equal(port, "25") &&
           !wiring_has_item(disabled, ", \t", "inet") && !wiring_has_item(disabled, ", \t", which);
}

/* Another filter hands back there: that there is none is on purpose. */
static gboolean is_way_back(const Postfix *postfix, const PostfixService *listener)
{
    static const char *const hosts[] = {"127.", "localhost:", "[::1]:", "::1:"};
    g_autofree char *which = g_strconcat(listener->name, "/inet", NULL);
    const char *filter = postfix_override(postfix, which, "content_filter");

    for (guint i = 0; filter && !*filter && i < G_N_ELEMENTS(hosts); i++) {
        if (g_str_has_prefix(listener->name, hosts[i]))
            return TRUE;
    }
    return FALSE;
}

/* It may be sealed where that hands it back. */
static void put_other_filter(Postfix *postfix, const PostfixService *listener, const char *filter,
                             const char *other)
{
    g_autofree char *remedy = g_strdup_printf(
        "see that what it hands back comes to a port with content_filter=%s:dummy, and nothing "
        "else does, or have it filtered by %s alone: postconf -P %s/inet/content_filter=%s:dummy",
        filter, filter, listener->name, filter);

    check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC, remedy,
              "%s/inet takes mail, and hands it to content_filter %s, not to %s: whether it is "
              "sealed behind that cannot be seen",
              listener->name, other, filter);
}

static void check_unfiltered(Postfix *postfix, const PostfixService *listener, const char *filter)
{
    const char *logins = listener_setting(postfix, listener, "smtpd_sasl_auth_enable");
    gboolean is_sure = g_ascii_strcasecmp(logins, "yes") == 0;
    g_autofree char *remedy = g_strdup_printf(
        "postconf -P %s/inet/content_filter=%s:dummy, and what else submission/inet has "
        "in " WIRING_PAGE("postfix") "%s",
        listener->name, filter,
        is_sure ? "" : "; a way back from another filter listens at 127.0.0.1, with none");

    check_put(postfix->run, is_sure ? CHECK_PROBLEM : CHECK_WARNING, POSTFIX_TOPIC, remedy,
              "%s/inet takes mail%s, and has no content_filter by %s: what leaves the host from "
              "there leaves in clear",
              listener->name, is_sure ? " of those who log in" : "", filter);
}

static void check_listeners(Postfix *postfix, const PostfixService *filter)
{
    for (guint i = 0; i < postfix->services->len; i++) {
        const PostfixService *service = g_ptr_array_index(postfix->services, i);
        const char *found = listener_setting(postfix, service, "content_filter");

        if (!is_listener(postfix, service) || is_way_back(postfix, service) ||
            postfix_goes_by(found, filter->name))
            continue;
        if (*found)
            put_other_filter(postfix, service, filter->name, found);
        else
            check_unfiltered(postfix, service, filter->name);
    }
}

void postfix_check_filter(Postfix *postfix, const PostfixService *service)
{
    GHashTableIter each;
    gpointer key, value;

    if (postfix_goes_by(postfix_setting(postfix, "content_filter"), service->name))
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "take it out of main.cf with postconf -X, and set it for submission/inet",
                  "content_filter in main.cf is %s: what comes back is filtered again and again",
                  postfix_setting(postfix, "content_filter"));
    g_hash_table_iter_init(&each, postfix->overrides);
    while (g_hash_table_iter_next(&each, &key, &value)) {
        g_autofree char *name = g_path_get_dirname(key);

        if (g_str_has_suffix(key, "/content_filter") && postfix_goes_by(value, service->name) &&
            check_filtered(postfix, name))
            check_submission(postfix, name);
    }
    check_listeners(postfix, service);
    postfix_check_bounces(postfix, postfix->folder);
}
