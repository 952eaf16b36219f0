/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * daemon.c: what [daemon], and [core] beside it, say of the daemon, before it becomes anybody.
 */
#include "core/plugin/daemon.h"

#include "core/base/log.h"
#include "core/plugin/tables.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_WORKERS = 256,
    LEAST_AUTO = 2, /* one is never alone with a long message */
};

/* A number of workers, or auto: one for each processor. */
static gboolean read_workers(const SealSettings *daemon, guint *workers, GError **error)
{
    const char *text = seal_settings_string(daemon, "workers");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    guint64 number = 0;

    if (g_str_equal(text, "auto")) {
        *workers = (guint)CLAMP(processors, LEAST_AUTO, MAX_WORKERS);
        return TRUE;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 1, MAX_WORKERS, &number, NULL))
        return seal_settings_refuse(daemon, "workers", error,
                                    "\"%s\" is neither auto nor a number from 1 to %d", text,
                                    MAX_WORKERS);
    *workers = (guint)number;
    return TRUE;
}

static gboolean read_mode(const SealSettings *daemon, guint *mode, GError **error)
{
    const char *text = seal_settings_string(daemon, "socket_mode");
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(text, 8, 0, 0777, &number, NULL))
        return seal_settings_refuse(daemon, "socket_mode", error,
                                    "\"%s\" is no mode such as 0660, in octal digits", text);
    *mode = (guint)number;
    return TRUE;
}

/* Users; where @authors is, each may have an author behind "=". */
static gboolean read_peers(const SealSettings *daemon, const char *key, gboolean authors,
                           GStrv *peers, GError **error)
{
    const char *const *items = seal_settings_list(daemon, key);

    for (const char *const *item = items; *item; item++) {
        const char *equals = strchr(*item, '=');

        if (equals && !authors)
            return seal_settings_refuse(daemon, key, error, "\"%s\" is not the name of a user",
                                        *item);
        if (equals && (equals == *item || !strchr(equals, '@') || g_str_has_suffix(equals, "@")))
            return seal_settings_refuse(
                daemon, key, error, "\"%s\" is neither USER, USER=ADDRESS nor USER=@DOMAIN", *item);
    }
    *peers = g_strdupv((GStrv)items);
    return TRUE;
}

gboolean seal_daemon_settings_fill(const SealSettings *daemon, SealDaemonSettings *settings,
                                   GError **error)
{
    settings->keys_user = g_strdup(seal_settings_string(daemon, "keys_user"));
    settings->recycle = (guint)seal_settings_number(daemon, "recycle");
    settings->queue = (guint)seal_settings_number(daemon, "queue");
    settings->sandbox = (SealSandbox)seal_settings_choice(daemon, "sandbox");
    settings->network = (SealNetwork)seal_settings_choice(daemon, "network");
    settings->refresh = seal_settings_boolean(daemon, "refresh");
    settings->readable = g_strdupv((GStrv)seal_settings_list(daemon, "readable"));
    return read_workers(daemon, &settings->workers, error) &&
           read_mode(daemon, &settings->socket_mode, error) &&
           read_peers(daemon, "peers", FALSE, &settings->peers, error) &&
           read_peers(daemon, "submission_peers", TRUE, &settings->submission_peers, error) &&
           read_peers(daemon, "inbound_peers", FALSE, &settings->inbound_peers, error);
}

/* A user that is not there is for the generation to complain of. */
static void find_user(const SealSettings *core, SealDaemonSettings *settings)
{
    const struct passwd *entry = getpwnam(seal_settings_string(core, "user"));

    settings->user = entry ? entry->pw_uid : G_MAXUINT;
    settings->group = entry ? entry->pw_gid : G_MAXUINT;
}

/* A file that is not there is made for the service's user, by who becomes it. One that is, not even
 * root may write where a unit gives it no right to. */
static void open_log(const SealSettings *core)
{
    const char *target = seal_settings_string(core, "log_target");
    gboolean later = *target == '/' && access(target, W_OK) != 0;
    g_autofree char *where =
        seal_log_resolve(later ? "auto" : target, seal_settings_string(core, "state_dir"));

    seal_log_configure(where, (SealLogLevel)seal_settings_choice(core, "log_level"));
}

gboolean seal_daemon_settings_read(const char *conf_dir, SealDaemonSettings *settings,
                                   GError **error)
{
    g_autofree char *dir = seal_service_folder(conf_dir);
    g_autoptr(SealConfig) config = seal_config_read(dir, error);
    if (!config)
        return FALSE;
    g_autoptr(SealSettings) core =
        seal_settings_new("core", seal_config_group(config, "core"), SEAL_TABLE_CORE, NULL, error);
    g_autoptr(SealSettings) daemon =
        core ? seal_settings_new("daemon", seal_config_group(config, "daemon"), SEAL_TABLE_DAEMON,
                                 NULL, error)
             : NULL;
    if (!daemon)
        return FALSE;

    open_log(core);
    *settings = (SealDaemonSettings){
        .conf_dir = g_steal_pointer(&dir),
        .run_dir = g_strdup(seal_settings_string(core, "run_dir")),
        .digest = seal_config_digest(config),
        .deadline = seal_settings_number(core, "deadline"),
        .in_process = seal_settings_boolean(core, "in_process"),
    };
    find_user(core, settings);
    return seal_daemon_settings_fill(daemon, settings, error);
}

void seal_daemon_settings_clear(SealDaemonSettings *settings)
{
    g_free(settings->conf_dir);
    g_free(settings->run_dir);
    g_free(settings->digest);
    g_free(settings->keys_user);
    g_strfreev(settings->peers);
    g_strfreev(settings->submission_peers);
    g_strfreev(settings->inbound_peers);
    g_strfreev(settings->readable);
    *settings = (SealDaemonSettings){0};
}
