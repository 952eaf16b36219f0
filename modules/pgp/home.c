/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.c: the GnuPG home: whose it is, what stands in it; and a folder of our own for what is only
 * needed for a moment.
 */
#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_SOCKET = 106, /* what gpg-agent accepts */
    MAX_RING = 256 * 1024 * 1024,
    STALE = 3600, /* seconds */
};

/* The longest name among the sockets that gpg-agent opens; it does not start without any of them.
 */
#define SOCKET "/S.gpg-agent.browser"
#define PREFIX "sealpipe-gnupg-"

static const char *const RINGS[] = {"pubring.kbx", "pubring.gpg"};

/* -------------------------------------------------------------------------------------------
 * The operator's home
 */

/* Options in a file of gpg's change what is made, and for whom: encrypt-to adds a recipient in
 * silence. Everything needed is said in each call, so that there is no such file. */
static gboolean is_options_file(const char *name)
{
    return g_str_has_prefix(name, "gpg.conf") || g_str_equal(name, "gpg-agent.conf") ||
           g_str_equal(name, "common.conf") || g_str_equal(name, "options");
}

static gboolean check_options(SealModule *self, const char *path, GError **error)
{
    DIR *dir = opendir(path);
    const struct dirent *entry = NULL;
    gboolean ok = TRUE;

    /* Not through GDir, which takes an error for the end. */
    while (ok && dir && (errno = 0, entry = readdir(dir))) {
        if (is_options_file(entry->d_name))
            ok = seal_module_refuse(self, "home", error,
                                    "%s/%s would change what gpg does; sealpipe's home has no "
                                    "file of options: remove it",
                                    path, entry->d_name);
    }
    if (ok && errno != 0)
        ok = seal_module_refuse(self, "home", error, "%s cannot be read to its end: %s", path,
                                g_strerror(errno));
    if (dir)
        closedir(dir);
    return ok;
}

gboolean pgp_home_check(SealModule *self, const char *path, GError **error)
{
    struct stat st;

    if (strlen(path) + strlen(SOCKET) > MAX_SOCKET)
        return seal_module_refuse(self, "home", error,
                                  "%s is too long: with %s it must have at most %d octets", path,
                                  SOCKET, MAX_SOCKET);
    if (strpbrk(path, "\n:"))
        return seal_module_refuse(self, "home", error,
                                  "gpg cannot use a path with a colon or a line end");
    if (lstat(path, &st) < 0)
        return seal_module_refuse(self, "home", error, "%s: %s", path, g_strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return seal_module_refuse(self, "home", error, "%s is not a folder", path);
    if (st.st_uid != geteuid())
        return seal_module_refuse(self, "home", error,
                                  "%s belongs to user %u, and this runs as user %u", path,
                                  (guint)st.st_uid, (guint)geteuid());
    if (st.st_mode & 077)
        return seal_module_refuse(self, "home", error,
                                  "others than its owner can get into %s; chmod it to 0700", path);
    return check_options(self, path, error);
}

/* The ring that gpg takes: the old one where there is no keybox. NULL where there is neither. */
static char *find_ring(const char *home)
{
    for (guint i = 0; i < G_N_ELEMENTS(RINGS); i++) {
        g_autofree char *path = g_build_filename(home, RINGS[i], NULL);
        struct stat st;

        if (stat(path, &st) == 0 || errno != ENOENT)
            return g_steal_pointer(&path);
    }
    return NULL;
}

GBytes *pgp_home_read(const char *path, GError **error)
{
    g_autofree char *ring = find_ring(path);
    g_autoptr(GError) problem = NULL;

    if (!ring && g_file_test(path, G_FILE_TEST_IS_DIR))
        return g_bytes_new_static("", 0);
    GBytes *data = ring ? seal_file_read(ring, MAX_RING, &problem) : NULL;
    if (!data)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "the key ring in home %s cannot be read: %s", path,
                    problem ? problem->message : "there is no such folder");
    return data;
}

char *pgp_home_state(const char *path)
{
    GString *state = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(RINGS); i++) {
        g_autofree char *file = g_build_filename(path, RINGS[i], NULL);
        struct stat st;

        if (stat(file, &st) == 0)
            g_string_append_printf(state, "%ju %jd %jd.%09ld;", (uintmax_t)st.st_ino,
                                   (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
                                   st.st_mtim.tv_nsec);
        else
            g_string_append(state, "-;");
    }
    return g_string_free(state, FALSE);
}

/* -------------------------------------------------------------------------------------------
 * A folder of our own
 */

/* gpg makes files in its home, and no folder that is not empty. */
void pgp_folder_remove(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        if (unlink(file) < 0)
            rmdir(file);
    }
    rmdir(path);
}

/* A process that was killed has left its folder behind: its name tells whose it was. */
static void remove_stale(const char *parent)
{
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        if (!g_str_has_prefix(name, PREFIX))
            continue;
        gint64 pid = g_ascii_strtoll(name + strlen(PREFIX), NULL, 10);
        g_autofree char *path = g_build_filename(parent, name, NULL);
        struct stat st;

        if (pid > 0 && pid < G_MAXINT32 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
            st.st_uid == geteuid() && st.st_mtime + STALE < g_get_real_time() / G_USEC_PER_SEC &&
            kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            pgp_folder_remove(path);
    }
}

char *pgp_folder_make(GError **error)
{
    const char *parent = g_get_tmp_dir();
    g_autofree char *path = g_strdup_printf("%s/" PREFIX "%d-XXXXXX", parent, (int)getpid());

    remove_stale(parent);
    if (g_mkdtemp_full(path, 0700))
        return g_steal_pointer(&path);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "cannot make a temporary folder in %s: %s",
                parent, g_strerror(errno));
    return NULL;
}
