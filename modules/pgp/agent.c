/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent.c: keeps gpg-agent alive, and what it lets others have as new as the home. The agent has a
 * folder of its own, through which only its user gets, since who reaches its main socket may export
 * keys; its extra socket signs, and refuses whatever else would be of use.
 */
#include "agent.h"
#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET  "S.gpg-agent"
#define SECRETS "private-keys-v1.d"

enum {
    PATIENCE_MS = 300, /* between looks at the home and the agent */
    LEAST_PAUSE = 100, /* milliseconds, before an agent that has ended is started anew */
    MOST_PAUSE = 10000,
    SETTLED = 2, /* seconds */
    MAX_FILE = 256 * 1024 * 1024,
};

/* What is copied. */
static const char *const FILES[] = {"trustdb.gpg", "pubring.kbx", "pubring.gpg"};

typedef struct {
    SealModule *module;
    const char *home;
    const char *folder; /* what others may have */
    char *agent_home;
    char *state;   /* of the home, when it was copied */
    gboolean lost; /* it could not be read */
    pid_t group;   /* of the agent; 0: it does not run */
    gint64 pause;  /* milliseconds */
    gint64 again;  /* when it may be started anew */
} Tender;

static gboolean fail_path(const char *path, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What others may have
 */

static gboolean has_octets(const char *path, const char *octets, gsize size)
{
    g_autofree char *have = NULL;
    gsize length;

    return g_file_get_contents(path, &have, &length, NULL) && length == size &&
           memcmp(have, octets, size) == 0;
}

/* What is missing there is missing here. */
static gboolean copy_file(const Tender *self, const char *name, GError **error)
{
    g_autofree char *from = g_build_filename(self->home, name, NULL);
    g_autofree char *to = g_build_filename(self->folder, name, NULL);
    gsize size;

    if (access(from, F_OK) != 0 && errno == ENOENT)
        return unlink(to) == 0 || errno == ENOENT || fail_path(to, error);
    g_autoptr(GBytes) data = seal_file_read(from, MAX_FILE, error);
    if (!data)
        return FALSE;
    const char *octets = g_bytes_get_data(data, &size);
    if (has_octets(to, octets, size))
        return TRUE;
    return g_file_set_contents_full(to, octets, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0644,
                                    error);
}

/* The names of the keys in it. */
static GHashTable *list_keys(const char *folder)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (g_str_has_suffix(entry->d_name, ".key"))
            g_hash_table_add(names, g_strdup(entry->d_name));
    }
    if (dir)
        closedir(dir);
    return names;
}

static gboolean mark_key(const char *path, gboolean is_there, GError **error)
{
    if (is_there)
        return g_file_set_contents_full(path, "", 0, G_FILE_SET_CONTENTS_NONE, 0644, error);
    return unlink(path) == 0 || fail_path(path, error);
}

/* Those in one of them alone get or lose their mark. */
static gboolean mark_others(const char *marks, GHashTable *names, GHashTable *others,
                            gboolean are_there, GError **error)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        g_autofree char *path = g_build_filename(marks, name, NULL);

        if (!g_hash_table_contains(others, name) && !mark_key(path, are_there, error))
            return FALSE;
    }
    return TRUE;
}

/* That a key is there is no secret, and gpg is asked for none that is not. */
static gboolean mark_keys(const Tender *self, GError **error)
{
    g_autofree char *secrets = g_build_filename(self->home, SECRETS, NULL);
    g_autofree char *marks = g_build_filename(self->folder, SECRETS, NULL);

    if (mkdir(marks, 0755) != 0 && errno != EEXIST)
        return fail_path(marks, error);
    g_autoptr(GHashTable) keys = list_keys(secrets);
    g_autoptr(GHashTable) marked = list_keys(marks);
    return mark_others(marks, keys, marked, TRUE, error) &&
           mark_others(marks, marked, keys, FALSE, error);
}

/* As long as a change could have the time of the one before, it is looked at each time. */
static gboolean copy_home(Tender *self, GError **error)
{
    gint64 newest = 0;
    g_autofree char *state = pgp_home_full_state(self->home, &newest);

    if (g_strcmp0(state, self->state) == 0 && newest + SETTLED < g_get_real_time() / G_USEC_PER_SEC)
        return TRUE;
    if (!mark_keys(self, error))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        if (!copy_file(self, FILES[i], error))
            return FALSE;
    }
    g_free(self->state);
    self->state = g_steal_pointer(&state);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The agent
 */

static char *socket_path(const char *folder)
{
    return g_build_filename(folder, SOCKET, NULL);
}

/* Its secret keys are those of the home; what else is in there is none of its business. */
static gboolean make_agent_home(Tender *self, GError **error)
{
    g_autofree char *secrets = g_build_filename(self->home, SECRETS, NULL);

    self->agent_home = g_build_filename(self->folder, "agent", NULL);
    g_autofree char *link = g_build_filename(self->agent_home, SECRETS, NULL);
    return (mkdir(self->agent_home, 0700) == 0 && symlink(secrets, link) == 0) ||
           fail_path(link, error);
}

G_GNUC_NORETURN static void become_agent(const Tender *self, const char *socket)
{
    const char *argv[] = {"gpg-agent",
                          "--homedir",
                          self->agent_home,
                          "--quiet",
                          "--daemon",
                          "--no-detach",
                          "--disable-scdaemon",
                          "--pinentry-program",
                          "/bin/false",
                          "--extra-socket",
                          socket,
                          NULL};

    int nowhere = open("/dev/null", O_RDWR);

    /* What it has to say it tells gpg as well. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nowhere, fd);
    setpgid(0, 0);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

/* It goes on in a child of its own, which is ours once its parent has ended, with all sockets. */
static gboolean start_agent(Tender *self, GError **error)
{
    g_autofree char *socket = socket_path(self->folder);
    pid_t pid = fork();
    int status = 0;

    if (pid == 0)
        become_agent(self, socket);
    if (pid < 0)
        return fail_path("gpg-agent", error);
    setpgid(pid, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "gpg-agent cannot be started in %s (status %d)", self->agent_home, status);
        return FALSE;
    }
    self->group = pid;
    return chmod(socket, 0666) == 0 || fail_path(socket, error);
}

static void stop_agent(Tender *self)
{
    if (self->group)
        kill(-self->group, SIGTERM);
    self->group = 0;
}

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* One that ends again and again is waited for longer each time. */
static void miss_agent(Tender *self)
{
    if (!self->group || (waitpid(-self->group, NULL, WNOHANG) == 0))
        return;
    self->group = 0;
    self->pause =
        now_ms() - self->again > MOST_PAUSE ? 0 : CLAMP(self->pause * 2, LEAST_PAUSE, MOST_PAUSE);
    self->again = now_ms() + self->pause;
    seal_module_warn(self->module, "gpg-agent has ended; another one is started");
}

static void mind_agent(Tender *self)
{
    g_autoptr(GError) problem = NULL;

    miss_agent(self);
    if (self->group || self->again > now_ms() || start_agent(self, &problem))
        return;
    seal_module_warn(self->module, "%s", problem->message);
    stop_agent(self);
    self->pause = CLAMP(self->pause * 2, LEAST_PAUSE, MOST_PAUSE);
    self->again = now_ms() + self->pause;
}

/* -------------------------------------------------------------------------------------------
 * Tending
 */

/* A ring that cannot be read any more is there no more: who wants a key of it waits. */
static void mind_home(Tender *self)
{
    g_autoptr(GError) problem = NULL;

    if (copy_home(self, &problem)) {
        self->lost = FALSE;
        return;
    }
    if (!self->lost)
        seal_module_warn(self->module, "%s", problem->message);
    self->lost = TRUE;
    g_clear_pointer(&self->state, g_free);
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *path = g_build_filename(self->folder, FILES[i], NULL);
        unlink(path);
    }
}

static gboolean has_end(int end, int patience)
{
    struct pollfd fd = {.fd = end, .events = POLLIN};

    return poll(&fd, 1, patience) > 0;
}

static gboolean check_home(SealModule *self, const char *home, GError **error)
{
    if (!pgp_home_check(self, home, error))
        return FALSE;
    return !seal_module_string(self, "passphrase_file") ||
           seal_module_refuse(self, "passphrase_file", error,
                              "where the daemon is started by root, the keys in home have no "
                              "passphrase: take it away with gpg --passwd, and the setting");
}

static gboolean begin_tending(Tender *self, GError **error)
{
    return check_home(self->module, self->home, error) &&
           prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 && make_agent_home(self, error) &&
           copy_home(self, error) && start_agent(self, error);
}

static void tend_until(Tender *self, int end)
{
    while (!has_end(end, PATIENCE_MS)) {
        mind_home(self);
        mind_agent(self);
    }
}

gboolean pgp_tend(SealModule *self, const SealTending *tending, GError **error)
{
    Tender tender = {
        .module = self, .home = seal_module_string(self, "home"), .folder = tending->folder};
    gboolean ok = !tender.home || begin_tending(&tender, error);

    if (ok) {
        tending->ready(tending->user_data);
        if (tender.home)
            tend_until(&tender, tending->end);
        else
            has_end(tending->end, -1);
    }
    stop_agent(&tender);
    g_free(tender.agent_home);
    g_free(tender.state);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The others' end
 */

/* What libassuan takes for a socket that is elsewhere. */
static gboolean point_at_socket(const char *home, const char *tended, GError **error)
{
    g_autofree char *socket = socket_path(tended);
    g_autofree char *path = socket_path(home);
    g_autofree char *text = g_strdup_printf("%%Assuan%%\nsocket=%s\n", socket);

    return g_file_set_contents(path, text, -1, error);
}

gboolean pgp_agent_join(const char *home, const char *tended, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *from = g_build_filename(tended, FILES[i], NULL);
        g_autofree char *to = g_build_filename(home, FILES[i], NULL);

        if (symlink(from, to) != 0)
            return fail_path(to, error);
    }
    return point_at_socket(home, tended, error);
}
