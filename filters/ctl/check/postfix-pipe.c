/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * postfix-pipe.c: the line of master.cf that runs sealpipe-pipe, and its limits.
 */
#include "filters/ctl/check/postfix.h"

#include <string.h>

enum { HAND_OVERS = 13 * 60 }; /* seconds that sealpipe-pipe takes for them at most */

static void put_pipe(Postfix *postfix, CheckState state, const PostfixService *service,
                     const char *remedy, const char *what)
{
    check_put(postfix->run, state, POSTFIX_TOPIC, remedy, "service %s in %s/master.cf %s",
              service->name, postfix->folder, what);
}

/* -------------------------------------------------------------------------------------------
 * How it is run
 */

static void check_flags(Postfix *postfix, const PostfixService *service)
{
    g_autofree char *flags = postfix_attribute(service, "flags");
    g_autofree char *sender = postfix_attribute(service, "null_sender");

    if (!flags || !strchr(flags, 'q'))
        put_pipe(postfix, CHECK_PROBLEM, service, "set flags=q in it",
                 "has no flags=q: an address whose local part needs quotes is another one then");
    if (flags && strpbrk(flags, "BDFOX.>"))
        put_pipe(postfix, CHECK_PROBLEM, service, "set flags=q in it, and no others",
                 "has flags that change the message, or say that it has arrived");
    if (!sender || *sender)
        put_pipe(postfix, CHECK_PROBLEM, service, "set null_sender= in it, with nothing behind it",
                 "has no empty null_sender=: bounces have a sender, and are answered by bounces");
}

static void check_columns(Postfix *postfix, const PostfixService *service)
{
    if (!g_str_equal(service->unprivileged, "n"))
        put_pipe(postfix, CHECK_PROBLEM, service, "set its fourth field to n",
                 "is unprivileged (its fourth field): it cannot become its user");
    if (g_str_equal(service->chroot, "y"))
        put_pipe(postfix, CHECK_PROBLEM, service, "set its fifth field to n",
                 "runs in a chroot (its fifth field), where sealpipe-pipe is not");
}

static void check_arguments(Postfix *postfix, const PostfixService *service, char *const *words)
{
    gboolean knows = wiring_option(words, "--submission") || wiring_option(words, "--login");

    if (g_strcmp0(wiring_option(words, "-f"), "${sender}") != 0)
        put_pipe(postfix, CHECK_PROBLEM, service, "add to it: -f ${sender}",
                 "does not tell the sender (-f ${sender})");
    if (!wiring_option(words, "--id"))
        put_pipe(postfix, CHECK_PROBLEM, service, "add to it: --id ${queue_id}",
                 "has no --id ${queue_id}: at a retry what was handed over is sent twice");
    if (!g_strv_contains((const char *const *)words, "${recipient}"))
        put_pipe(postfix, CHECK_PROBLEM, service, "end it with: -- ${recipient}",
                 "names no ${recipient}");
    else if (!wiring_has_dashes(words))
        put_pipe(postfix, CHECK_PROBLEM, service, "end it with: -- ${recipient}",
                 "has no -- ahead of ${recipient}: an address may be taken for an option");
    if (!knows && wiring_signs(postfix->run))
        put_pipe(postfix, CHECK_WARNING, service, "add to it: --login=${sasl_username}",
                 "does not tell who has logged in: nothing is signed for him");
}

static void check_runner(Postfix *postfix, const PostfixService *service)
{
    g_autofree char *who =
        g_strdup_printf("service %s in %s/master.cf", service->name, postfix->folder);
    g_autofree char *user = postfix_attribute(service, "user");
    const char *owner = postfix_setting(postfix, "mail_owner");

    if (!user || !*user || g_str_equal(user, "root") || g_str_equal(user, owner)) {
        put_pipe(postfix, CHECK_PROBLEM, service,
                 "set user=sealpipe in it, or another user of its own",
                 "has no user of its own: pipe(8) runs nothing as root or as Postfix's user");
        return;
    }
    user[strcspn(user, ":")] = '\0';
    wiring_check_user(postfix->run, POSTFIX_TOPIC, who, user, TRUE);
}

/* -------------------------------------------------------------------------------------------
 * Its limits
 */

static const char *setting_of(const Postfix *postfix, const PostfixService *service,
                              const char *name)
{
    g_autofree char *key = g_strconcat(service->name, "_", name, NULL);

    return postfix_setting(postfix, key);
}

static void check_limits(Postfix *postfix, const PostfixService *service)
{
    const char *count = setting_of(postfix, service, "destination_recipient_limit");
    const char *time = setting_of(postfix, service, "time_limit");
    gint64 size = wiring_size(postfix_setting(postfix, "message_size_limit"));
    gint64 needed = wiring_patience(postfix->run, size) + HAND_OVERS;
    gint64 found = wiring_seconds(time);

    if (!g_str_equal(count, "1"))
        check_put(postfix->run, CHECK_WARNING, POSTFIX_TOPIC,
                  "set it to 1 with postconf -e, then postfix reload",
                  "%s_destination_recipient_limit is %s: recipients of a message bounce or wait "
                  "together",
                  service->name, count);
    if (found > 0 && found < needed)
        check_put(postfix->run, CHECK_PROBLEM, POSTFIX_TOPIC,
                  "set it to 2h with postconf -e, then postfix reload",
                  "%s_time_limit is %s, and a message may take %" G_GINT64_FORMAT
                  " s ([core] deadline, its size, handing over): it bounces",
                  service->name, time, needed);
}

void postfix_check_pipe(Postfix *postfix, const PostfixService *service, char *const *words)
{
    g_autofree char *who =
        g_strdup_printf("service %s in %s/master.cf", service->name, postfix->folder);

    wiring_check_command(postfix->run, POSTFIX_TOPIC, who, words);
    check_flags(postfix, service);
    check_columns(postfix, service);
    check_arguments(postfix, service, words);
    check_runner(postfix, service);
    check_limits(postfix, service);
}
