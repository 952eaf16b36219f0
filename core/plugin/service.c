/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * service.c: root reads the configuration once to learn whom to become, and believes root's own
 * files alone: who may write as the service must not be able to choose another user. What it has
 * become then reads all again, so that it finds what the mail server's user finds.
 */
#include "core/plugin/service.h"

#include "core/base/ledger.h"
#include "core/base/log.h"
#include "core/base/owner.h"
#include "core/base/spool.h"
#include "core/base/state.h"
#include "core/base/user.h"
#include "core/plugin/tables.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DAEMON_SOCKET "sealpiped.sock" /* as filters/client/daemon.h has it */

struct SealService {
    char *conf_dir;
    SealConfig *config;
    SealSettings *core;
    gboolean has_user; /* [core] user is somebody */
    uid_t user;        /* else who runs this */
    gboolean undecided;
    GError *problem; /* see seal_service_check() */
};

static gboolean refuse_core(const SealSettings *core, const char *key, const GError *problem,
                            GError **error)
{
    return seal_settings_refuse(core, key, error, "%s", problem->message);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

/* One that is written but cannot be read must not count as not written. */
static gboolean check_state_dir(const SealGroup *group, const SealSettings *core, GError **error)
{
    const SealPlace *place = group ? g_hash_table_lookup(group->values, "state_dir") : NULL;
    const char *dir = seal_settings_string(core, "state_dir");

    if (place && !seal_settings_place(core, "state_dir"))
        return seal_config_refuse(place, error, "[core] state_dir: \"%s\" cannot be read",
                                  place->text);
    return g_path_is_absolute(dir) ||
           seal_settings_refuse(core, "state_dir", error, "\"%s\" is not an absolute path", dir);
}

/* @skip: files that are not believed are passed over, else they are an error. */
static gboolean read_core(SealService *self, gboolean skip, GError **error)
{
    g_clear_pointer(&self->core, seal_settings_free);
    g_clear_pointer(&self->config, seal_config_free);
    self->config = seal_config_read_sound(self->conf_dir, skip, "state_dir", error);
    if (!self->config)
        return FALSE;
    const SealGroup *group = seal_config_group(self->config, "core");
    self->core = seal_settings_new_sound("core", group, SEAL_TABLE_CORE);
    return check_state_dir(group, self->core, error);
}

/* A name that is nobody's is an error of what is to be done with mail, not of suspending it. */
static void find_user(SealService *self)
{
    const char *name = seal_settings_string(self->core, "user");
    g_autoptr(GError) problem = NULL;

    g_clear_error(&self->problem);
    self->user = geteuid();
    self->has_user = *name && seal_user_find(name, &self->user, &problem);
    if (problem)
        seal_settings_refuse(self->core, "user", &self->problem,
                             "%s; name the one that the mail server runs sealpipe as",
                             problem->message);
}

/* -------------------------------------------------------------------------------------------
 * Becoming the service's user
 */

static gboolean is_roots_folder(const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);

    return seal_owner_check_folder(parent, NULL);
}

/* What the service's user cannot make himself, in folders that only root can write. */
static void make_things(const SealService *self, uid_t user)
{
    const char *log = seal_settings_string(self->core, "log_target");
    const char *state = seal_settings_string(self->core, "state_dir");

    if (*log == '/' && access(log, F_OK) != 0 && is_roots_folder(log))
        seal_log_make(log, user);
    if (self->has_user && access(state, F_OK) != 0 && is_roots_folder(state))
        seal_state_make(state, user);
}

static gboolean become_user(const SealService *self, uid_t user, GError **error)
{
    make_things(self, user);
    return seal_user_become(user, error);
}

static gboolean is_missing(const GError *problem)
{
    return g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
}

/* Where what decides it cannot be read or believed, root stays root, which reads all again and says
 * so. */
static gboolean become_service(SealService *self, GError **error)
{
    g_autoptr(GError) problem = NULL;
    uid_t user = 0;

    self->undecided = TRUE;
    if (!read_core(self, TRUE, NULL))
        return TRUE;
    find_user(self);
    if (self->has_user) {
        user = self->user;
        self->undecided = FALSE;
    } else if (!seal_owner_of_service(seal_settings_string(self->core, "state_dir"), &user,
                                      &problem)) {
        if (is_missing(problem))
            return TRUE;
        g_prefix_error(&problem, "cannot tell whose the service is (name him in user): ");
        return refuse_core(self->core, "state_dir", problem, error);
    }
    if (user == 0)
        return TRUE;
    self->undecided = FALSE;
    if (become_user(self, user, &problem))
        return TRUE;
    return refuse_core(self->core, self->has_user ? "user" : "state_dir", problem, error);
}

gboolean seal_service_is_undecided(const SealService *self)
{
    return self->undecided;
}

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static void open_log(const SealService *self, gboolean make)
{
    const char *target = seal_settings_string(self->core, "log_target");
    SealLogLevel level = (SealLogLevel)seal_settings_choice(self->core, "log_level");
    gboolean leave = !make && *target == '/' && access(target, F_OK) != 0;

    g_autofree char *where =
        leave ? g_strdup("auto") : seal_log_resolve(target, seal_service_state_dir(self));
    seal_log_configure(where, level);
}

/* In a folder of the user's he may be able to make it himself. */
void seal_service_stay_root(SealService *self)
{
    open_log(self, is_roots_folder(seal_settings_string(self->core, "log_target")));
}

static gboolean is_another_user(const SealService *self)
{
    return self->has_user && self->user != geteuid();
}

/* Mail is handled all the same, as far as this user can read what it takes. */
static char *describe_users(const SealService *self)
{
    g_autofree char *wanted = seal_user_name(self->user);
    g_autofree char *found = seal_user_name(geteuid());

    return g_strdup_printf(
        "this runs as user %s, while [core] user is %s: have the mail server run "
        "it as %s, or change the setting, in a file of root's",
        found, wanted, wanted);
}

/* Where the work is the daemon's, who finds that it is not there may be another user, and has none.
 */
static gboolean has_ledger(const SealService *self)
{
    struct stat st;

    return seal_service_in_process(self) ||
           (stat(seal_service_state_dir(self), &st) == 0 && st.st_uid == geteuid());
}

/* As whoever this is now. */
static gboolean read_service(SealService *self, GError **error)
{
    seal_owner_forget();
    if (!read_core(self, FALSE, error))
        return FALSE;
    find_user(self);
    open_log(self, !self->undecided);
    seal_ledger_configure(seal_service_state_dir(self),
                          has_ledger(self) ? seal_service_ledger_days(self) : 0);
    if (is_another_user(self)) {
        g_autofree char *users = describe_users(self);
        seal_log_warning("%s", users);
    }
    return TRUE;
}

static gboolean open_service(SealService *self, GError **error)
{
    return (geteuid() != 0 || become_service(self, error)) && read_service(self, error);
}

char *seal_service_folder(const char *conf_dir)
{
    if (!conf_dir)
        conf_dir = g_getenv("SEALPIPE_CONF");
    return g_strdup(conf_dir ? conf_dir : SEAL_CONF_DIR);
}

guint seal_service_user(const SealService *self)
{
    return self->user;
}

gboolean seal_service_in_process(const SealService *self)
{
    return seal_settings_boolean(self->core, "in_process");
}

SealService *seal_service_open(const char *conf_dir, GError **error)
{
    g_autoptr(SealService) self = g_new0(SealService, 1);

    self->conf_dir = seal_service_folder(conf_dir);
    return open_service(self, error) ? g_steal_pointer(&self) : NULL;
}

gboolean seal_service_become_owner(SealService *self, const char *dir, gboolean *became,
                                   GError **error)
{
    uid_t user = 0;

    *became = FALSE;
    if (!seal_owner_of_service(dir, &user, error))
        return FALSE;
    if (user == 0)
        return TRUE;
    if (!become_user(self, user, error))
        return FALSE;
    self->undecided = FALSE;
    *became = TRUE;
    return read_service(self, error);
}

void seal_service_free(SealService *self)
{
    if (!self)
        return;
    seal_settings_free(self->core);
    seal_config_free(self->config);
    g_clear_error(&self->problem);
    g_free(self->conf_dir);
    g_free(self);
}

const char *seal_service_conf_dir(const SealService *self)
{
    return self->conf_dir;
}

gboolean seal_service_check(const SealService *self, GError **error)
{
    if (!self->problem)
        return TRUE;
    g_propagate_error(error, g_error_copy(self->problem));
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What it says
 */

const char *seal_service_state_dir(const SealService *self)
{
    return seal_settings_string(self->core, "state_dir");
}

const char *seal_service_spool_dir(const SealService *self)
{
    return seal_settings_string(self->core, "spool_dir");
}

const char *seal_service_run_dir(const SealService *self)
{
    return seal_settings_string(self->core, "run_dir");
}

gint64 seal_service_ledger_days(const SealService *self)
{
    return seal_settings_number(self->core, "ledger_days");
}

gint64 seal_service_deadline(const SealService *self)
{
    return seal_settings_number(self->core, "deadline");
}

GOutputStream *seal_service_spool(const SealService *self)
{
    return seal_spool_open(seal_settings_string(self->core, "spool_dir"),
                           (gsize)seal_settings_number(self->core, "spool_memory"));
}

int seal_service_spool_file(const SealService *self, GError **error)
{
    return seal_spool_file(seal_settings_string(self->core, "spool_dir"), error);
}

/* A row of "checks". */
static gboolean show_check(SealOut *out, const char *name, gboolean ready, const char *text)
{
    seal_out_row(out, "checks");
    seal_out_text(out, "check", "%s", name);
    if (ready)
        seal_out_text(out, "detail", "%s", text);
    seal_out_boolean(out, "ready", ready);
    seal_out_text(out, "problem", "%s", ready ? "" : text);
    seal_out_end_row(out);
    return ready;
}

static gboolean show_user(const SealService *self, SealOut *out)
{
    const char *dir = seal_service_state_dir(self);
    g_autofree char *name = seal_user_name(geteuid());

    if (is_another_user(self)) {
        g_autofree char *users = describe_users(self);
        return show_check(out, "user", FALSE, users);
    }
    if (self->undecided && access(dir, F_OK) != 0) {
        g_autofree char *unknown = g_strdup_printf(
            "root, since neither [core] user nor an owner of %s says which user the mail server "
            "runs sealpipe as",
            dir);
        return show_check(out, "user", TRUE, unknown);
    }
    return show_check(out, "user", TRUE, name);
}

/* A socket may be left behind. One of records refuses a stream, and its worker hears nothing of
 * it. */
static gboolean is_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    gboolean listening = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
                         (errno != ENOENT && errno != ECONNREFUSED);
    if (fd >= 0)
        close(fd);
    return listening;
}

/* What keeps private keys apart, which depends on who has started it. */
static gboolean show_daemon(const SealService *self, SealOut *out)
{
    g_autofree char *path =
        g_build_filename(seal_settings_string(self->core, "run_dir"), DAEMON_SOCKET, NULL);
    struct stat st;

    if (stat(path, &st) != 0 || !is_listening(path))
        return seal_service_in_process(self) ||
               show_check(out, "daemon", FALSE,
                          "none is running, and [core] in_process=false has mail wait for it: "
                          "start sealpiped");
    g_autofree char *name = seal_user_name(st.st_uid);
    g_autofree char *text =
        st.st_uid == 0
            ? g_strdup("started by root: private keys are kept by a user of their own")
            : g_strdup_printf("started by %s, who has the private keys and works on mail: keys in "
                              "a GnuPG home are not kept apart from that",
                              name);
    return show_check(out, "daemon", TRUE, text);
}

static gboolean show_log(const SealService *self, SealOut *out)
{
    const char *problem = seal_log_problem();
    g_autofree char *target = seal_log_describe();

    if (g_str_equal(seal_settings_string(self->core, "log_target"), "stderr"))
        problem =
            "[core] log_target=stderr is for sealctl alone: the other programs refuse it, and "
            "all mail waits; use auto, syslog, journal or a path";
    return show_check(out, "log", !problem, problem ? problem : target);
}

gboolean seal_service_show(const SealService *self, SealOut *out)
{
    gboolean user = show_user(self, out);
    gboolean daemon = show_daemon(self, out);

    return show_log(self, out) && user && daemon;
}

/* -------------------------------------------------------------------------------------------
 * Suspending
 */

gboolean seal_service_suspended(const SealService *self, gboolean *suspended, GError **error)
{
    return seal_state_suspended(seal_service_state_dir(self), self->user, suspended, error);
}

gboolean seal_service_suspend(const SealService *self, gboolean suspend, GError **error)
{
    return seal_state_suspend(seal_service_state_dir(self), suspend, error);
}

/* A line that cannot be read might have said otherwise: false counts where all can. */
static gboolean is_disabled(const SealService *self)
{
    if (seal_settings_boolean(self->core, "enabled"))
        return FALSE;
    g_autoptr(SealConfig) config = seal_config_read(self->conf_dir, NULL);
    g_autoptr(SealSettings) core =
        config ? seal_settings_new("core", seal_config_group(config, "core"), SEAL_TABLE_CORE, NULL,
                                   NULL)
               : NULL;
    return core && !seal_settings_boolean(core, "enabled");
}

gboolean seal_service_passes(const SealService *self, gboolean *passes, GError **error)
{
    if (!seal_service_suspended(self, passes, error))
        return FALSE;
    *passes = *passes || is_disabled(self);
    return TRUE;
}
