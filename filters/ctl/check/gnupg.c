/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gnupg.c: gpg, and the agent and the locks of the GnuPG home, as the home's user sees them. No
 * agent is started. Whose the home is and what stands in it, [module pgp] looks at itself.
 */
#include "filters/ctl/check/processes.h"
#include "filters/ctl/check/wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TOPIC "gnupg"

enum {
    PATIENCE_MS = 5000,
    MAX_LOCK = 256, /* octets of it: a number and a host's name */
    HELD_S = 60,    /* a lock is held for moments */
    MAX_NAMED = 5,  /* locks */
};

typedef struct {
    CheckRun *run;
    const char *home; /* "" where there is none */
    char *version;    /* what gpg says of itself */
} Look;

/* -------------------------------------------------------------------------------------------
 * gpg
 */

/* "gpg (GnuPG) 2.2.40" */
static gboolean check_gpg(Look *look)
{
    g_autofree char *gpg = g_find_program_in_path("gpg");
    const char *const argv[] = {gpg, "--version", NULL};
    g_autoptr(GError) error = NULL;
    char *answer = gpg ? wiring_ask(argv, &error) : NULL;

    if (answer) {
        answer[strcspn(answer, "\n")] = '\0';
        look->version = answer;
        return TRUE;
    }
    check_put(look->run, CHECK_PROBLEM, TOPIC,
              "install GnuPG (apt install gpg gpg-agent), or mend it: no OpenPGP mail is made "
              "without it",
              "%s",
              error ? error->message : "[module pgp] is enabled, and there is no gpg in PATH");
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * The agent
 */

/* As gpgconf has it, with %XX for what is no plain character. (transfer full) */
static char *find_socket(const Look *look)
{
    g_autofree char *gpgconf = g_find_program_in_path("gpgconf");
    const char *const argv[] = {gpgconf,       "--homedir",    look->home,
                                "--list-dirs", "agent-socket", NULL};
    g_autofree char *answer = gpgconf ? wiring_ask(argv, NULL) : NULL;

    char *path = answer ? g_uri_unescape_string(g_strchomp(answer), NULL) : NULL;

    return path ? path : g_build_filename(look->home, "S.gpg-agent", NULL);
}

/* What it says as soon as somebody is there. 0: it has; else why not. */
static int hear_greeting(int fd, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char greeting[2];
    int found;

    if (fd < 0 || strlen(path) >= sizeof name.sun_path)
        return ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0)
        return errno == EAGAIN ? ETIMEDOUT : errno;
    while ((found = poll(&ready, 1, PATIENCE_MS)) < 0 && errno == EINTR)
        ;
    if (found <= 0)
        return ETIMEDOUT;
    return read(fd, greeting, sizeof greeting) == sizeof greeting &&
                   memcmp(greeting, "OK", sizeof greeting) == 0
               ? 0
               : EPROTO;
}

/* The one of the home: whoever made the socket has handed it on, and gone. 0: none is seen. */
static pid_t find_agent(const Look *look)
{
    g_autoptr(GArray) processes = check_processes();

    for (guint i = 0; i < processes->len; i++) {
        const CheckProcess *process = &g_array_index(processes, CheckProcess, i);
        g_auto(GStrv) words = check_process_words(process->pid);

        if (words && *words && wiring_names(*words, "gpg-agent") &&
            g_strv_contains((const char *const *)words, look->home))
            return process->pid;
    }
    return 0;
}

static void put_agent(const Look *look, const char *path, int why)
{
    pid_t agent = why == ETIMEDOUT || why == EPROTO ? find_agent(look) : 0;
    g_autofree char *end = g_strdup_printf("kill -KILL %d: gpg starts another one", (int)agent);

    if (why == ETIMEDOUT || why == EPROTO)
        check_put(look->run, CHECK_PROBLEM, TOPIC,
                  agent > 0 ? end : "end the gpg-agent of that home: gpg starts another one",
                  "gpg-agent %s at %s: nothing is signed or opened",
                  why == EPROTO ? "does not answer as one does" : "does not answer within 5 s",
                  path);
    else if (why == ECONNREFUSED) {
        g_autofree char *word = ctl_shell_word(path);
        g_autofree char *remove = g_strdup_printf("rm %s: gpg starts another one", word);
        check_put(look->run, CHECK_WARNING, TOPIC, remove,
                  "%s was left behind by a gpg-agent that has ended", path);
    } else if (why != 0 && why != ENOENT)
        check_put(look->run, CHECK_PROBLEM, TOPIC, "see who may reach it, and what it is",
                  "gpg-agent cannot be reached at %s: %s", path, g_strerror(why));
}

static void check_agent(Look *look)
{
    g_autofree char *path = find_socket(look);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int why = hear_greeting(fd, path);

    put_agent(look, path, why);
    if (fd >= 0)
        close(fd);
}

/* -------------------------------------------------------------------------------------------
 * Locks: the number of a process in ten places, and the name of its host
 */

static gboolean is_gpg(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *name = NULL;

    return g_file_get_contents(path, &name, NULL, NULL) &&
           (strstr(name, "gpg") || strstr(name, "keyboxd"));
}

/* gpg takes away by itself what a process of this host has left that is there no more. */
static char *judge_lock(const char *path)
{
    char text[MAX_LOCK] = "";
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    gssize size = fd >= 0 ? seal_fd_read(fd, text, sizeof text - 1) : -1;
    gboolean is_old = fd >= 0 && fstat(fd, &info) == 0 &&
                      info.st_mtime + HELD_S < g_get_real_time() / G_USEC_PER_SEC;

    if (fd >= 0)
        close(fd);
    if (size <= 0 || !is_old)
        return NULL;
    int pid = atoi(text);
    const char *host = strchr(text, '\n');
    g_autofree char *node = g_strstrip(g_strdup(host ? host : ""));
    if (*node && !g_str_equal(node, g_get_host_name()))
        return g_strdup_printf("of process %d on the host %.64s, and this is %s", pid, node,
                               g_get_host_name());
    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
        return NULL;
    return is_gpg(pid) ? g_strdup_printf("held by process %d for more than a minute", pid)
                       : g_strdup_printf("of process %d, which is no gpg", pid);
}

static void check_locks(Look *look)
{
    g_autoptr(GPtrArray) names = seal_dir_list(look->home, ".lock", NULL);

    for (guint i = 0, told = 0; names && i < names->len && told < MAX_NAMED; i++) {
        g_autofree char *path = g_build_filename(look->home, g_ptr_array_index(names, i), NULL);
        g_autofree char *why = judge_lock(path);
        g_autofree char *word = ctl_shell_word(path);
        g_autofree char *remedy = g_strdup_printf("see that no gpg works there, and rm %s", word);

        told += why != NULL;
        if (why)
            check_put(look->run, CHECK_WARNING, TOPIC, remedy,
                      "%s is a lock %s: gpg waits for it before it writes", path, why);
    }
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void look_as_owner(CheckRun *run, gpointer data)
{
    Look *look = data;
    const struct passwd *user = getpwuid(geteuid());

    if (check_gpg(look) && *look->home) {
        check_agent(look);
        check_locks(look);
    }
    if (!check_has_trouble(run, TOPIC))
        check_put(run, CHECK_OK, TOPIC, NULL, "%s runs as %s%s%s", look->version,
                  user ? user->pw_name : "this user", *look->home ? ", with the home " : "",
                  look->home);
    g_clear_pointer(&look->version, g_free);
}

void check_gnupg(CheckRun *run)
{
    const char *home = check_setting(run, "module pgp", "home");
    const struct passwd *owner = NULL;
    struct stat info;
    Look look = {.run = run, .home = home};

    if (!home) {
        if (!check_setting(run, "core", "state_dir"))
            check_leave(run, TOPIC, "%s", CHECK_NO_SETTINGS);
        return;
    }
    /* Not where a link leads: the service's user could have this look as root. */
    if (*home && lstat(home, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid != 0)
        owner = getpwuid(info.st_uid);
    g_autofree char *user = g_strdup(owner ? owner->pw_name : check_user(run));
    if (user)
        check_as_user(run, TOPIC, user, look_as_owner, &look);
}
