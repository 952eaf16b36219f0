/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon.c: whether sealpiped is there, answers, has all its processes, and works with the programs
 * and the configuration that are installed now.
 */
#include "filters/ctl/check/daemon.h"

#include "filters/ctl/status.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON_SOCKET "sealpiped.sock" /* as filters/client/daemon.h has it */
#define RESTART       "systemctl restart sealpiped"

enum {
    SETTLE_US = 2 * G_USEC_PER_SEC, /* a worker that has ended is followed within this time */
    PAUSE_US = 50000,
};

/* -------------------------------------------------------------------------------------------
 * Its processes
 */

/* A generation's folder; NULL where it is none. (transfer full) */
static char *read_folder(pid_t pid)
{
    g_auto(GStrv) words = check_process_words(pid);

    if (!words || g_strv_length(words) != 4 || !g_str_equal(words[1], "--generation") ||
        !g_str_equal(words[2], "-c"))
        return NULL;
    return g_strdup(words[3]);
}

static gboolean is_same_folder(const char *one, const char *other)
{
    struct stat first, second;

    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Where systemd keeps the socket, it is the kernel's word for who listens. */
static gboolean is_of_listener(const CheckDaemon *self, const CheckProcess *process)
{
    const CheckProcess *parent = daemon_process(self, process->parent);

    return process->parent == self->listener ||
           (self->listener == 1 && parent && parent->user == self->user);
}

/* The newest one that has somebody to work. *@folder: of one with another configuration. */
static void find_generation(CheckDaemon *self, char **folder)
{
    self->generation = NULL;
    for (guint i = 0; i < self->processes->len; i++) {
        const CheckProcess *process = &g_array_index(self->processes, CheckProcess, i);

        if (!is_of_listener(self, process))
            continue;
        g_autofree char *found = read_folder(process->pid);
        if (!found)
            continue;
        if (!is_same_folder(found, self->settings.conf_dir)) {
            g_free(*folder);
            *folder = g_steal_pointer(&found);
        } else if (!self->generation || process->begun > self->generation->begun) {
            self->generation = process;
        }
    }
}

static guint count_workers(const CheckDaemon *self)
{
    guint count = 0;

    for (guint i = 0; self->generation && i < self->processes->len; i++) {
        const CheckProcess *process = &g_array_index(self->processes, CheckProcess, i);

        count += process->parent == self->generation->pid && process->state != 'Z' &&
                 g_strcmp0(daemon_role(self, process), "a worker") == 0;
    }
    return count;
}

/* Until all are there, or are not going to be. */
static void look_at_processes(CheckDaemon *self, char **folder)
{
    gint64 until = g_get_monotonic_time() + SETTLE_US;

    for (;;) {
        g_clear_pointer(&self->processes, g_array_unref);
        self->processes = check_processes();
        find_generation(self, folder);
        if (count_workers(self) >= self->settings.workers || g_get_monotonic_time() >= until)
            return;
        g_usleep(PAUSE_US);
    }
}

/* -------------------------------------------------------------------------------------------
 * What is to be said of them
 */

/* Those of one topic are one thing to mend. */
static void check_stopped(CheckDaemon *self, const char *topic)
{
    gboolean of_keeper = g_str_equal(topic, "keeper");
    g_autoptr(GString) names = g_string_new(NULL);
    g_autoptr(GString) remedy = g_string_new("kill -CONT");

    for (guint i = 0; i < self->processes->len; i++) {
        const CheckProcess *process = &g_array_index(self->processes, CheckProcess, i);
        const char *role = daemon_role(self, process);

        if (!role || (process->state != 'T' && process->state != 't') ||
            g_str_equal(role, "the keeper") != of_keeper)
            continue;
        g_string_append_printf(names, "%sprocess %d, %s", names->len ? "; " : "", (int)process->pid,
                               role);
        g_string_append_printf(remedy, " %d", (int)process->pid);
    }
    if (!names->len)
        return;
    g_string_append(remedy, ", or " RESTART);
    check_put(self->run, CHECK_PROBLEM, topic, remedy->str,
              "stopped by a signal (SIGSTOP), so that it does not answer: %s", names->str);
}

static void check_workers(CheckDaemon *self)
{
    guint count = count_workers(self);

    if (count == 0)
        check_put(self->run, CHECK_PROBLEM, "daemon",
                  "see why in its log, as journalctl -t sealpipe shows it",
                  "the daemon has no worker: each ends as soon as it begins, and all mail waits");
    else if (count < self->settings.workers)
        check_put(self->run, CHECK_WARNING, "daemon",
                  "see why in its log, as journalctl -t sealpipe shows it",
                  "the daemon has %u workers, and [daemon] workers has %u", count,
                  self->settings.workers);
}

static char *text_time(gint64 usec)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(usec / G_USEC_PER_SEC);

    return time ? g_date_time_format(time, "%F %T") : g_strdup("?");
}

static gboolean check_version(CheckDaemon *self)
{
    const CheckProcess *generation = self->generation;
    g_autofree char *begun = text_time(generation->begun);

    if (!check_process_is_old(generation->pid) && !check_process_is_old(generation->parent))
        return TRUE;
    check_put(self->run, CHECK_WARNING, "daemon", RESTART,
              "another version of Sealpipe was installed since the daemon started, and it "
              "still runs the one before (process %d, of %s)",
              (int)generation->pid, begun);
    return FALSE;
}

/* The generation has told which configuration it has read. */
static void check_loaded(CheckDaemon *self)
{
    g_autofree char *begun = text_time(self->generation->begun), *why = NULL;
    g_autoptr(GVariant) answer = ctl_daemon_ask(self->settings.run_dir, self->settings.user, &why);
    const char *digest = answer ? ctl_row_text(answer, "configuration") : "";

    if (!*digest)
        check_leave(self->run, "daemon", "whether it works with the configuration as it is now: %s",
                    why ? why : "the daemon tells root and the service's user alone");
    else if (!g_str_equal(digest, self->settings.digest))
        check_put(self->run, CHECK_WARNING, "daemon",
                  "systemctl reload sealpiped; the log says it where that fails",
                  "the configuration in %s is not the one that the daemon works with, which it "
                  "read at %s",
                  self->settings.conf_dir, begun);
}

/* -------------------------------------------------------------------------------------------
 * What asking has shown
 */

/* What is not known where the configuration does not load counts as the preset. */
static gboolean is_needed(const CheckDaemon *self)
{
    return g_strcmp0(check_setting(self->run, "core", "in_process"), "false") == 0;
}

static void put_absent(CheckDaemon *self)
{
    const char *left = access(self->socket, F_OK) == 0
                           ? ": it was left behind by one that did not end by itself"
                           : "";

    if (check_has_trouble(self->run, "configuration") || check_has_trouble(self->run, "keeper"))
        return;
    if (is_needed(self))
        check_put(self->run, CHECK_PROBLEM, "daemon",
                  "systemctl start sealpiped; where it does not stay, systemctl status sealpiped "
                  "says why",
                  "the daemon does not run: nobody listens at %s%s, and [core] in_process=false "
                  "has all mail wait for it",
                  self->socket, left);
    else
        check_put(self->run, CHECK_OK, "daemon", NULL,
                  "none runs; the mail server's calls do the work themselves ([core] "
                  "in_process=true)");
}

static void put_elsewhere(CheckDaemon *self, const char *folder)
{
    check_put(self->run, is_needed(self) ? CHECK_PROBLEM : CHECK_WARNING, "daemon",
              "end that one, or give each a [core] run_dir of its own",
              "the daemon at %s works with the configuration of %s, and not with that of %s: %s",
              self->socket, folder, self->settings.conf_dir,
              is_needed(self) ? "all mail waits" : "it does nothing for this one");
}

static void put_state(CheckDaemon *self, DaemonState state)
{
    const char *patience = "find out what its workers are at: more of them ([daemon] workers), or "
                           "what they wait for; " RESTART " ends one that hangs";

    if (state == DAEMON_CLOSED)
        check_put(self->run, CHECK_WARNING, "daemon", "run sealctl check as root",
                  "whether the daemon answers at %s cannot be seen: %s", self->socket,
                  g_strerror(self->why));
    else if (state == DAEMON_FULL)
        check_put(self->run, CHECK_PROBLEM, "daemon", patience,
                  "the daemon takes nobody: its queue at %s has had no room for 5 s", self->socket);
    else if (state == DAEMON_SILENT)
        check_put(self->run, CHECK_PROBLEM, "daemon", patience,
                  "no worker of the daemon at %s answers within 5 s", self->socket);
    else if (state == DAEMON_LEAVES)
        check_put(self->run, CHECK_PROBLEM, "daemon",
                  "see why in its log, as journalctl -t sealpipe shows it",
                  "the daemon at %s closes the connection, and says nothing", self->socket);
}

/* Something answers, and nothing of the daemon is seen: whether it is the one is not known. */
static void put_stranger(CheckDaemon *self)
{
    const char *service = check_user(self->run);
    const struct passwd *entry = service ? getpwnam(service) : NULL;

    if (entry && self->listener && self->user != 0 && self->user != entry->pw_uid)
        check_put(
            self->run, CHECK_PROBLEM, "daemon", "end it, then " RESTART,
            "process %d, which listens at %s, is of user %u: neither root's nor %s's, so that "
            "nobody hands it mail",
            (int)self->listener, self->socket, (guint)self->user, service);
    else
        check_leave(
            self->run, "daemon",
            "something listens at %s, and no process of sealpiped with the configuration of "
            "%s is to be seen: run this as root, where the daemon runs",
            self->socket, self->settings.conf_dir);
}

static void put_fine(CheckDaemon *self)
{
    g_autofree char *begun = text_time(self->generation->begun);

    check_put(self->run, CHECK_OK, "daemon", NULL,
              "process %d answers at %s, with %u workers and the configuration as of %s",
              (int)self->generation->parent, self->socket, count_workers(self), begun);
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void look_inside(CheckDaemon *self, DaemonState state)
{
    g_autofree char *folder = NULL;

    look_at_processes(self, &folder);
    check_stopped(self, "keeper");
    check_stopped(self, "daemon");
    if (!self->generation && folder) {
        put_elsewhere(self, folder);
        return;
    }
    if (!check_has_trouble(self->run, "daemon") && !check_has_trouble(self->run, "keeper"))
        put_state(self, state);
    if (!self->generation) {
        if (!check_has_trouble(self->run, "daemon") && !check_has_trouble(self->run, "keeper"))
            put_stranger(self);
        return;
    }
    check_workers(self);
    /* Why the configuration cannot be loaded is said elsewhere. */
    if (check_version(self) && !check_has_trouble(self->run, "daemon") &&
        !check_has_trouble(self->run, "configuration"))
        check_loaded(self);
    check_keeper(self);
    if (!check_has_trouble(self->run, "daemon"))
        put_fine(self);
}

static void look_at_daemon(CheckRun *run, G_GNUC_UNUSED gpointer data)
{
    CheckDaemon self = {.run = run};

    /* That it cannot be read is the topic configuration's. */
    if (!seal_daemon_settings_read(check_conf_dir(run), &self.settings, NULL))
        return;
    self.socket = g_build_filename(self.settings.run_dir, DAEMON_SOCKET, NULL);
    DaemonState state = daemon_ask(self.socket, &self.listener, &self.user);
    self.why = errno;
    if (geteuid() == 0 && (is_needed(&self) || (self.listener && self.user == 0)))
        check_keeper_user(&self);
    if (state == DAEMON_ABSENT)
        put_absent(&self);
    else
        look_inside(&self, state);
    g_clear_pointer(&self.processes, g_array_unref);
    g_free(self.socket);
    seal_daemon_settings_clear(&self.settings);
}

void check_daemon(CheckRun *run)
{
    check_in_child(run, "daemon", look_at_daemon, NULL);
}
