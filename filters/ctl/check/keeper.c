/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keeper.c: the process that keeps the private keys, under a user of its own where root starts the
 * daemon.
 */
#include "filters/ctl/check/daemon.h"

#include <pwd.h>

void check_keeper_user(const CheckDaemon *daemon)
{
    const char *name = daemon->settings.keys_user;
    const char *user = check_setting(daemon->run, "core", "user");
    const struct passwd *entry = getpwnam(name);

    if (!entry)
        check_put(daemon->run, CHECK_PROBLEM, "keeper",
                  "make him: systemd-sysusers does where the package is installed; else useradd "
                  "--system --user-group --no-create-home --shell /usr/sbin/nologin NAME",
                  "[daemon] keys_user: there is no user \"%s\" to keep the private keys, and the "
                  "daemon does not start without him",
                  name);
    else if (entry->pw_uid == 0 || g_strcmp0(name, user) == 0)
        check_put(daemon->run, CHECK_PROBLEM, "keeper",
                  "name a user who does nothing else, such as sealpipe-keys",
                  "[daemon] keys_user is %s: the private keys are to be another user's than root "
                  "and [core] user, and the daemon does not start",
                  name);
}

static const CheckProcess *find_keeper(const CheckDaemon *daemon)
{
    for (guint i = 0; i < daemon->processes->len; i++) {
        const CheckProcess *process = &g_array_index(daemon->processes, CheckProcess, i);

        if (process->parent == daemon->generation->pid && process->state != 'Z' &&
            g_strcmp0(daemon_role(daemon, process), "the keeper") == 0)
            return process;
    }
    return NULL;
}

void check_keeper(const CheckDaemon *daemon)
{
    const CheckProcess *keeper = find_keeper(daemon);
    const struct passwd *entry = keeper ? getpwuid(keeper->user) : NULL;

    if (check_has_trouble(daemon->run, "keeper"))
        return;
    if (!keeper)
        check_put(daemon->run, CHECK_PROBLEM, "keeper", "systemctl restart sealpiped",
                  "the daemon runs, and the process that keeps the private keys for it does not: "
                  "nothing is signed or opened");
    else if (daemon->user != 0)
        check_put(daemon->run, CHECK_OK, "keeper", NULL,
                  "process %d keeps the private keys, as the same user as the daemon, who has "
                  "started it",
                  (int)keeper->pid);
    else
        check_put(daemon->run, CHECK_OK, "keeper", NULL, "process %d keeps the private keys as %s",
                  (int)keeper->pid, entry ? entry->pw_name : "a user of its own");
}
