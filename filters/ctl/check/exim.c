/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * exim.c: Exim's wiring: the transports that run Sealpipe, and the main section. Each fault says
 * what follows from it; docs/mta/exim.md says how it should be.
 */
#include "filters/ctl/check/exim.h"

#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------------
 * Options of a transport
 */

typedef struct {
    const char *driver; /* NULL: any */
    const char *name;
    const char *wanted;
    CheckState state;
    const char *why;
} Wanted;

static const Wanted wanted_options[] = {
    {"smtp", "max_rcpt", "1", CHECK_PROBLEM,
     "mail with a Bcc recipient is not sent, since the others would learn of him"},
    {"smtp", "size_addition", "-1", CHECK_WARNING,
     "the size that is announced is that of before sealing"},
    {"pipe", "batch_max", "1", CHECK_PROBLEM,
     "mail with a Bcc recipient is not sent, since the others would learn of him"},
    {"pipe", "use_bsmtp", "true", CHECK_PROBLEM,
     "where the filter fails half a message is delivered"},
    {"pipe", "temp_errors", "*", CHECK_PROBLEM, "what should wait bounces"},
    {"pipe", "timeout_defer", "true", CHECK_PROBLEM, "what takes long bounces"},
    {"pipe", "ignore_status", "false", CHECK_PROBLEM, "mail is lost where the hand-over fails"},
};

static char *describe_option(const EximDriver *driver, const Wanted *wanted)
{
    if (g_str_equal(wanted->wanted, "true"))
        return g_strdup_printf("no %s", wanted->name);
    if (g_str_equal(wanted->wanted, "false"))
        return g_strdup(wanted->name);
    return g_strdup_printf("%s = %s", wanted->name, exim_option(driver, wanted->name));
}

static char *describe_remedy(const Wanted *wanted)
{
    if (g_str_equal(wanted->wanted, "true"))
        return g_strdup_printf("add %s to it", wanted->name);
    if (g_str_equal(wanted->wanted, "false"))
        return g_strdup_printf("take %s out of it", wanted->name);
    return g_strdup_printf("set %s = %s in it", wanted->name, wanted->wanted);
}

static void check_option(Exim *exim, const EximDriver *transport, const Wanted *wanted)
{
    g_autofree char *found = describe_option(transport, wanted);
    g_autofree char *remedy = describe_remedy(wanted);

    if (wanted->driver && !exim_is(transport, wanted->driver))
        return;
    if (!g_str_equal(exim_option(transport, wanted->name), wanted->wanted))
        check_put(exim->run, wanted->state, EXIM_TOPIC, remedy, "transport %s has %s: %s",
                  transport->name, found, wanted->why);
}

/* -------------------------------------------------------------------------------------------
 * Arguments of the filter
 */

static void check_addresses(Exim *exim, const EximDriver *transport, char *const *words)
{
    const char *remedy = "end transport_filter with: -- $pipe_addresses";

    if (!g_strv_contains((const char *const *)words, "$pipe_addresses"))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, remedy,
                  "transport %s gives the filter no $pipe_addresses: it has no recipients, or Exim "
                  "refuses them as tainted",
                  transport->name);
    else if (!wiring_has_dashes(words))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, remedy,
                  "transport %s has no -- ahead of $pipe_addresses: an address that begins with a "
                  "dash is taken for an option",
                  transport->name);
}

static void check_tainted(Exim *exim, const EximDriver *transport, char *const *words)
{
    for (; *words; words++) {
        if (strstr(*words, "$sender_address") || strstr(*words, "$authenticated_id"))
            check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                      "take that word out: return_path_add and --exim-spool say it",
                      "transport %s gives the filter %s, which Exim refuses as tainted: mail "
                      "bounces",
                      transport->name, *words);
    }
}

static void check_login(Exim *exim, const EximDriver *transport, char *const *words)
{
    gboolean knows = wiring_option(words, "--submission") || wiring_option(words, "--login");
    const char *spool = wiring_option(words, "--exim-spool"), *id = wiring_option(words, "--id");
    const char *remedy = "add to transport_filter, ahead of --: --exim-spool "
                         "$spool_directory/$queue_name/input --id=$message_exim_id";

    if (spool && !id)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, remedy,
                  "transport %s has --exim-spool without --id: the message's file is not found",
                  transport->name);
    else if (!id)
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC, remedy,
                  "transport %s has no --id: the log does not say which message a line is about",
                  transport->name);
    if (!spool && !knows && wiring_signs(exim->run))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC, remedy,
                  "transport %s does not tell who has logged in: nothing is signed for him",
                  transport->name);
}

static void check_sender(Exim *exim, const EximDriver *transport, char *const *words)
{
    static const Wanted wanted = {NULL, "return_path_add", "true", CHECK_PROBLEM,
                                  "the filter is not told the envelope sender"};

    if (!wiring_option(words, "-f"))
        check_option(exim, transport, &wanted);
}

/* -------------------------------------------------------------------------------------------
 * Times and sizes
 */

/* message_size_limit of what comes by the protocol @tag, or of what comes in; 0: none; -1 where it
 * cannot be told. */
static gint64 find_limit(Exim *exim, const char *tag)
{
    const char *value = exim_option(exim->main, "message_size_limit");
    const char *const plain[] = {exim->program, "-be", value, NULL};
    const char *const sealed[] = {exim->program, "-oMr", tag, "-be", value, NULL};

    if (*value != '$')
        return wiring_size(value);
    g_autofree char *text = wiring_ask(tag ? sealed : plain, NULL);
    return text ? wiring_size(g_strstrip(text)) : -1;
}

static void check_timeout(Exim *exim, const EximDriver *transport, const char *name)
{
    gint64 found = wiring_seconds(exim_option(transport, name));
    gint64 needed = wiring_patience(exim->run, exim->limit);

    if (found > 0 && found < needed)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "set transport_filter_timeout = 30m in it, and timeout = 1h where it is a pipe",
                  "transport %s has %s = %s, and a message may take %" G_GINT64_FORMAT
                  " s ([core] deadline, and what its size adds)",
                  transport->name, name, exim_option(transport, name), needed);
}

static void check_limits(Exim *exim, const char *tag)
{
    gint64 plain = exim->limit, sealed = find_limit(exim, tag);
    gint64 own = wiring_size_limit(exim->run);

    if (sealed > 0 && (plain == 0 || sealed < 2 * plain))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "let what comes back be larger: message_size_limit = ${if "
                  "eq{$received_protocol}{sealed}{250M}{50M}}, on Debian MESSAGE_SIZE_LIMIT",
                  "message_size_limit is %" G_GINT64_FORMAT
                  " for what comes in and %" G_GINT64_FORMAT
                  " for what comes back sealed, which is larger: a large message waits for days",
                  plain, sealed);
    else if (sealed > 0 && own > sealed)
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC,
                  "set size_limit= in [core] to no more than that",
                  "[core] size_limit is %" G_GINT64_FORMAT
                  ", and Exim takes back no more than %" G_GINT64_FORMAT
                  " (message_size_limit): what lies between waits for days",
                  own, sealed);
}

/* -------------------------------------------------------------------------------------------
 * A pipe that hands back to Exim
 */

static gboolean is_trusted(const Exim *exim, const char *user)
{
    return g_str_equal(user, "root") || g_str_equal(user, exim_option(exim->main, "exim_user")) ||
           wiring_has_item(exim_option(exim->main, "trusted_users"), ":", user);
}

static gboolean is_hand_back(const EximDriver *transport)
{
    g_auto(GStrv) words = wiring_words(exim_option(transport, "command"));
    g_autofree char *base = words[0] ? g_path_get_basename(words[0]) : NULL;

    return base && (g_str_has_prefix(base, "exim") || g_str_equal(base, "sendmail"));
}

static void check_hand_back(Exim *exim, const EximDriver *transport)
{
    g_autofree char *tag = exim_tag(transport);
    g_auto(GStrv) words = wiring_words(exim_option(transport, "command"));
    const char *user = exim_option(transport, "user");

    if (access(words[0], X_OK) != 0)
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, "name Exim by its whole path",
                  "transport %s runs %s, which cannot be run", transport->name, words[0]);
    if (!tag || !wiring_option(words, "-bS"))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "set command = /usr/sbin/exim4 -oMr sealed -bS in it",
                  "transport %s has command = %s: what comes back is not marked, and is sealed "
                  "again and again",
                  transport->name, exim_option(transport, "command"));
    else if (!is_trusted(exim, user))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC, "set user = to Exim's own user in it",
                  "transport %s runs as user \"%s\", whose -oMr Exim does not believe: what comes "
                  "back is sealed again and again",
                  transport->name, user);
    else
        check_limits(exim, tag);
    if (!exim_flag(exim->main, "allow_utf8_domains"))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC,
                  "set allow_utf8_domains = true in the main section",
                  "allow_utf8_domains is not set: a message with a domain in Unicode waits for "
                  "days");
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void check_transport(Exim *exim, const EximDriver *transport, char *const *words)
{
    g_autofree char *who = g_strdup_printf("transport %s", transport->name);
    const char *user = exim_option(transport, "user");

    wiring_check_command(exim->run, EXIM_TOPIC, who, words);
    check_addresses(exim, transport, words);
    check_tainted(exim, transport, words);
    check_login(exim, transport, words);
    check_sender(exim, transport, words);
    for (guint i = 0; i < G_N_ELEMENTS(wanted_options); i++)
        check_option(exim, transport, &wanted_options[i]);
    check_timeout(exim, transport, "transport_filter_timeout");
    if (exim_is(transport, "pipe"))
        check_timeout(exim, transport, "timeout");
    if (is_hand_back(transport))
        check_hand_back(exim, transport);
    if (!*user)
        user = exim_option(exim->main, "exim_user");
    if (!strchr(user, '$'))
        wiring_check_user(exim->run, EXIM_TOPIC, who, user, TRUE);
}

static guint check_transports(Exim *exim)
{
    guint found = 0;

    for (guint i = 0; i < exim->transports->len; i++) {
        const EximDriver *transport = g_ptr_array_index(exim->transports, i);
        g_auto(GStrv) words = exim_filter_words(transport);

        if (words)
            check_transport(exim, transport, words);
        found += words != NULL;
    }
    return found;
}

static void check_main(Exim *exim)
{
    if (exim_flag(exim->main, "bounce_return_body") &&
        exim_flag(exim->main, "bounce_return_message"))
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "set bounce_return_body = false in the main section",
                  "bounce_return_body is set: Exim's bounces quote in clear what was to be sealed");
    if (*exim_option(exim->main, "dsn_advertise_hosts"))
        check_put(exim->run, CHECK_WARNING, EXIM_TOPIC,
                  "take dsn_advertise_hosts out of the main section",
                  "dsn_advertise_hosts is set: reports of delivery say what is not so, since they "
                  "end at the filter");
}

static gboolean asks(const Exim *exim)
{
    for (guint i = 0; i < exim->routers->len; i++) {
        g_auto(GStrv) words = exim_check_words(g_ptr_array_index(exim->routers, i));

        if (words)
            return TRUE;
    }
    return FALSE;
}

/* FALSE: there is nothing of ours in it. */
static gboolean check_all(Exim *exim)
{
    exim->limit = find_limit(exim, NULL);
    guint filters = check_transports(exim);

    if (filters == 0 && !asks(exim))
        return FALSE;
    if (filters == 0) {
        check_put(exim->run, CHECK_PROBLEM, EXIM_TOPIC,
                  "add transport_filter as in " WIRING_PAGE("exim"),
                  "a router asks sealpipe-check, and no transport runs sealpipe: mail leaves in "
                  "clear");
        return TRUE;
    }
    exim_check_routers(exim);
    check_main(exim);
    if (!exim->untold && !check_has_trouble(exim->run, EXIM_TOPIC))
        check_put(exim->run, CHECK_OK, EXIM_TOPIC, NULL,
                  "%s hands what leaves to sealpipe; what signs with DKIM comes after it",
                  exim->program);
    return TRUE;
}

static const char *find_program(void)
{
    static const char *const paths[] = {"/usr/sbin/exim4", "/usr/sbin/exim", "/usr/local/sbin/exim",
                                        "/usr/exim/bin/exim"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

gboolean wiring_exim(CheckRun *run, gboolean *there)
{
    const char *program = find_program();
    g_autoptr(GError) error = NULL;
    g_autoptr(Exim) exim = program ? exim_read(run, program, &error) : NULL;

    *there = program != NULL;
    if (exim)
        return check_all(exim);
    if (program)
        check_put(run, geteuid() == 0 ? CHECK_PROBLEM : CHECK_WARNING, EXIM_TOPIC,
                  geteuid() == 0 ? "mend Exim's configuration; exim -bV says the same until then"
                                 : "run sealctl check as root, who may ask",
                  "%s", error->message);
    return program != NULL;
}
