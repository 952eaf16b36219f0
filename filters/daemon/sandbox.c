/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c: workers reach what the configuration names and what programs need, but no private
 * key; the keeper reaches nothing. Where both are one user, nothing else keeps them apart, so that
 * Landlock has to be there.
 */
#include "filters/daemon/sandbox.h"

#include "filters/daemon/landlock.h"
#include "filters/daemon/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs and libraries. */
static const char *const SYSTEM_RUN[] = {"/usr",   "/bin",   "/sbin",   "/lib",
                                         "/lib32", "/lib64", "/libx32", NULL};
/* What they read; /etc as a whole has much more in it. Of /proc Landlock keeps back what is another
 * process's. */
static const char *const SYSTEM_READ[] = {"/proc",
                                          "/sys/devices/system/cpu",
                                          "/dev/urandom",
                                          "/dev/random",
                                          "/dev/zero",
                                          "/etc/alternatives",
                                          "/etc/crypto-policies",
                                          "/etc/gcrypt",
                                          "/etc/gnupg",
                                          "/etc/group",
                                          "/etc/ld.so.cache",
                                          "/etc/ld.so.preload",
                                          "/etc/locale.alias",
                                          "/etc/localtime",
                                          "/etc/nsswitch.conf",
                                          "/etc/passwd",
                                          "/etc/ssl/certs",
                                          "/etc/ssl/openssl.cnf",
                                          NULL};
static const char *const NETWORK_READ[] = {
    "/etc/gai.conf",  "/etc/host.conf", "/etc/hosts",           "/etc/resolv.conf", "/etc/services",
    "/etc/protocols", "/etc/hostname",  "/run/systemd/resolve", "/run/resolvconf",  NULL};

/* What is named, as it is found. */
typedef struct {
    GPtrArray *named[SEAL_PATH_SECRET + 1]; /* of each SealPathUse */
    DaemonSandbox *sandbox;
    int version;
} Places;

static gboolean is_within(const char *path, const char *folder)
{
    gsize length = strlen(folder);

    while (length > 0 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* -------------------------------------------------------------------------------------------
 * What cannot be had
 */

/* FALSE, with an error, where it is required. */
static gboolean do_without(SealSandbox sandbox, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean do_without(SealSandbox sandbox, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    if (sandbox != SEAL_SANDBOX_REQUIRED) {
        seal_log_warning("%s", why);
        return TRUE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                "[daemon] sandbox is required: %s; with sandbox=available the daemon does without",
                why);
    return FALSE;
}

static gboolean enter_seccomp(const SealDaemonSettings *settings, SeccompRole role,
                              gboolean network, GError **error)
{
    if (settings->sandbox == SEAL_SANDBOX_OFF || daemon_seccomp_enter(role, network))
        return TRUE;
    return do_without(settings->sandbox, error,
                      "the kernel does not limit the daemon's system calls (seccomp): %s",
                      g_strerror(errno));
}

/* *@version: 0 where it is done without. */
static gboolean find_landlock(const SealDaemonSettings *settings, gboolean apart, int *version,
                              GError **error)
{
    *version = settings->sandbox == SEAL_SANDBOX_OFF ? 0 : daemon_landlock_version();
    if (*version > 0 || settings->sandbox == SEAL_SANDBOX_OFF || (*version == 0 && apart))
        return TRUE;
    const char *why = *version == 0 ? "this kernel has none" : g_strerror(errno);
    *version = 0;
    if (apart)
        return do_without(settings->sandbox, error, "the kernel's Landlock cannot be used: %s",
                          why);
    return do_without(settings->sandbox, error,
                      "only root, who did not start the daemon, or the kernel's Landlock (%s) "
                      "could keep the private keys apart from those who work on mail",
                      why);
}

static gboolean fail_rules(const SealDaemonSettings *settings, GError **error, const char *what)
{
    return do_without(settings->sandbox, error, "the kernel's Landlock cannot be used: %s: %s",
                      what, g_strerror(errno));
}

/* -------------------------------------------------------------------------------------------
 * What workers reach
 */

static gboolean allow(const Places *places, const char *path, guint uses)
{
    return daemon_landlock_allow(places->sandbox->rules, places->version, path, uses);
}

static gboolean allow_each(const Places *places, const char *const *paths, guint uses)
{
    for (; *paths; paths++) {
        if (!allow(places, *paths, uses))
            return FALSE;
    }
    return TRUE;
}

/* The private key's place that lies in @folder; NULL where none does. */
static const char *find_secret(const Places *places, const char *folder)
{
    GPtrArray *secrets = places->named[SEAL_PATH_SECRET];

    for (guint i = 0; i < secrets->len; i++) {
        if (is_within(g_ptr_array_index(secrets, i), folder))
            return g_ptr_array_index(secrets, i);
    }
    return NULL;
}

/* A file is replaced by another one of its name, which only its folder's rule covers; but for where
 * that would open a private key. */
static gboolean allow_read(const Places *places, const char *path)
{
    g_autofree char *folder =
        g_file_test(path, G_FILE_TEST_IS_DIR) ? NULL : g_path_get_dirname(path);

    if (folder && !(find_secret(places, folder) && !places->sandbox->apart) &&
        !g_str_equal(folder, "/"))
        return allow(places, folder, LANDLOCK_READ);
    return allow(places, path, LANDLOCK_READ);
}

/* Under one user the kernel's other walls are not there. */
static gboolean check_apart(const Places *places, const char *path, GError **error)
{
    const char *secret = places->sandbox->apart ? NULL : find_secret(places, path);

    return !secret ||
           do_without(places->sandbox->settings->sandbox, error,
                      "%s lies in %s, which the daemon's workers reach: where root does not start "
                      "it, private keys need a folder of their own",
                      secret, path);
}

static gboolean check_all_apart(const Places *places, GError **error)
{
    for (guint use = SEAL_PATH_READ; use < SEAL_PATH_SECRET; use++) {
        for (guint i = 0; i < places->named[use]->len; i++) {
            if (!check_apart(places, g_ptr_array_index(places->named[use], i), error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean allow_named(const Places *places)
{
    GPtrArray *read = places->named[SEAL_PATH_READ], *write = places->named[SEAL_PATH_WRITE];

    for (guint i = 0; i < read->len; i++) {
        if (!allow_read(places, g_ptr_array_index(read, i)))
            return FALSE;
    }
    for (guint i = 0; i < write->len; i++) {
        if (!allow(places, g_ptr_array_index(write, i), LANDLOCK_READ | LANDLOCK_WRITE))
            return FALSE;
    }
    return TRUE;
}

/* Where gpg is found. Whoever starts the daemon says so. */
static gboolean allow_programs(const Places *places)
{
    const char *path = g_getenv("PATH");
    g_auto(GStrv) folders = g_strsplit(path ? path : "", ":", -1);

    for (char **folder = folders; *folder; folder++) {
        if (g_path_is_absolute(*folder) && !g_str_equal(*folder, "/") &&
            !allow(places, *folder, LANDLOCK_READ | LANDLOCK_RUN))
            return FALSE;
    }
    return TRUE;
}

static gboolean allow_system(const Places *places)
{
    /* Where gpg has its agent's socket, if the system has made such a folder. */
    g_autofree char *sockets = g_strdup_printf("/run/user/%u/gnupg", (guint)geteuid());

    return allow_each(places, SYSTEM_RUN, LANDLOCK_READ | LANDLOCK_RUN) && allow_programs(places) &&
           allow_each(places, SYSTEM_READ, LANDLOCK_READ) &&
           allow(places, "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE) &&
           allow(places, sockets, LANDLOCK_READ | LANDLOCK_WRITE) &&
           (!places->sandbox->network || allow_each(places, NETWORK_READ, LANDLOCK_READ));
}

/* As it is written, and where links lead to. */
static void note_path(const char *path, SealPathUse use, gpointer user_data)
{
    Places *places = user_data;
    char *real = realpath(path, NULL);

    g_ptr_array_add(places->named[use], g_strdup(path));
    if (real && !g_str_equal(real, path))
        g_ptr_array_add(places->named[use], g_strdup(real));
    free(real);
}

static void note_all(Places *places, const SealDispatcher *dispatcher)
{
    char **readable = places->sandbox->settings->readable;

    for (guint use = SEAL_PATH_READ; use <= SEAL_PATH_SECRET; use++)
        places->named[use] = g_ptr_array_new_with_free_func(g_free);
    seal_dispatcher_visit_paths(dispatcher, note_path, places);
    for (; *readable; readable++)
        note_path(*readable, SEAL_PATH_READ, places);
}

static void places_clear(Places *places)
{
    for (guint use = SEAL_PATH_READ; use <= SEAL_PATH_SECRET; use++)
        g_ptr_array_unref(places->named[use]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Places, places_clear)

static gboolean make_rules(DaemonSandbox *self, int version, const SealDispatcher *dispatcher,
                           GError **error)
{
    g_auto(Places) places = {.sandbox = self, .version = version};

    note_all(&places, dispatcher);
    if (!check_all_apart(&places, error))
        return FALSE;
    self->rules = daemon_landlock_new(version, self->network);
    if (self->rules >= 0 && allow_system(&places) && allow_named(&places))
        return TRUE;
    gboolean ok = fail_rules(self->settings, error, "rules");
    daemon_sandbox_clear(self);
    return ok;
}

/* A module that is not let out may still have its servers on this host. */
static gboolean choose_network(const SealDaemonSettings *settings, const SealDispatcher *dispatcher)
{
    const char *module = seal_dispatcher_networker(dispatcher);

    if (settings->network == SEAL_NETWORK_FALSE && module)
        seal_log_warning("module %s needs the network, which [daemon] network=false keeps from it: "
                         "it reaches sockets of this host alone",
                         module);
    return settings->network == SEAL_NETWORK_TRUE ||
           (settings->network == SEAL_NETWORK_AUTO && module);
}

gboolean daemon_sandbox_prepare(DaemonSandbox *self, const SealDaemonSettings *settings,
                                const SealDispatcher *dispatcher, gboolean apart,
                                gboolean refreshes, GError **error)
{
    int version;

    *self = (DaemonSandbox){.settings = settings,
                            .apart = apart,
                            .refreshes = refreshes,
                            .network = choose_network(settings, dispatcher),
                            .rules = -1};
    if (!apart)
        seal_log_warning("the daemon was not started by root: one user has its private keys and "
                         "works on mail, and keys in a GnuPG home are not kept apart from that");
    if (!find_landlock(settings, apart, &version, error))
        return FALSE;
    if (version == 0 && apart && settings->sandbox != SEAL_SANDBOX_OFF)
        seal_log_warning("there is no Landlock: the daemon's workers read whatever their user may");
    self->version = version;
    return (version == 0 || make_rules(self, version, dispatcher, error)) &&
           enter_seccomp(settings, SECCOMP_WORKER, self->network || refreshes, error);
}

void daemon_sandbox_clear(DaemonSandbox *self)
{
    if (self->rules >= 0)
        close(self->rules);
    self->rules = -1;
}

gboolean daemon_sandbox_enter_worker(const DaemonSandbox *self, GError **error)
{
    gboolean ok = self->rules < 0 || daemon_landlock_enter(self->rules) ||
                  fail_rules(self->settings, error, "a worker");

    if (self->rules >= 0)
        close(self->rules);
    /* What the generation left to who fetches. */
    return ok && (!self->refreshes || self->network ||
                  enter_seccomp(self->settings, SECCOMP_WORKER, FALSE, error));
}

/* -------------------------------------------------------------------------------------------
 * Who fetches
 */

/* What libcurl's libraries are, and what they ask about names and the system. */
static gboolean allow_fetching(const Places *places, const char *state_dir)
{
    return allow_each(places, SYSTEM_RUN, LANDLOCK_READ) &&
           allow(places, DAEMON_LIB_DIR, LANDLOCK_READ) &&
           allow_each(places, SYSTEM_READ, LANDLOCK_READ) &&
           allow_each(places, NETWORK_READ, LANDLOCK_READ) &&
           allow(places, "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE) &&
           allow(places, state_dir, LANDLOCK_READ | LANDLOCK_WRITE);
}

gboolean daemon_sandbox_enter_refresher(const DaemonSandbox *self, const char *state_dir,
                                        GError **error)
{
    DaemonSandbox own = {.rules = -1};
    const Places places = {.sandbox = &own, .version = self->version};

    if (self->version == 0)
        return TRUE;
    own.rules = daemon_landlock_new(self->version, TRUE);
    gboolean ok =
        own.rules >= 0 && allow_fetching(&places, state_dir) && daemon_landlock_enter(own.rules);
    daemon_sandbox_clear(&own);
    return ok || fail_rules(self->settings, error, "who fetches");
}

/* -------------------------------------------------------------------------------------------
 * The keeper
 */

gboolean daemon_sandbox_enter_keeper(const SealDaemonSettings *settings, gboolean apart,
                                     GError **error)
{
    int version, rules;

    if (!find_landlock(settings, apart, &version, error))
        return FALSE;
    if (version > 0) {
        rules = daemon_landlock_new(version, FALSE);
        gboolean ok = rules >= 0 && daemon_landlock_enter(rules);
        if (!ok && !fail_rules(settings, error, "the keeper"))
            return FALSE;
        if (rules >= 0)
            close(rules);
    }
    return enter_seccomp(settings, SECCOMP_KEEPER, FALSE, error);
}

gboolean daemon_sandbox_enter_tender(const SealDaemonSettings *settings, GError **error)
{
    return enter_seccomp(settings, SECCOMP_WORKER, settings->network == SEAL_NETWORK_TRUE, error);
}

gboolean daemon_sandbox_enter_server(const SealDaemonSettings *settings)
{
    return enter_seccomp(settings, SECCOMP_SERVER, FALSE, NULL);
}
