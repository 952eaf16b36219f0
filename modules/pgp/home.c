/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.c: the GnuPG home: whose it is, what stands in it; and a folder of our own for what is only
 * needed for a moment.
 */
#include "pgp.h"

#include <errno.h>
#include <fcntl.h>
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
#define SOCKET  "/S.gpg-agent.browser"
#define PREFIX  "sealpipe-gnupg-"
#define KEYBOX  "pubring.kbx"
#define OLDRING "pubring.gpg"

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
    g_autoptr(GError) problem = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &problem);
    const char *name;

    if (!dir)
        return seal_module_refuse(self, "home", error, "%s", problem->message);
    while ((name = g_dir_read_name(dir))) {
        if (is_options_file(name))
            return seal_module_refuse(self, "home", error,
                                      "%s/%s would change what gpg does; sealpipe's home has no "
                                      "file of options: remove it",
                                      path, name);
    }
    return TRUE;
}

gboolean pgp_home_check(SealModule *self, const char *path, GError **error)
{
    struct stat st;

    if (strlen(path) + strlen(SOCKET) > MAX_SOCKET)
        return seal_module_refuse(self, "home", error,
                                  "%s is too long: with %s it must have at most %d octets", path,
                                  SOCKET, MAX_SOCKET);
    if (strpbrk(path, "\n:"))
        return seal_module_refuse(self, "home", error, "a path that gpg cannot use");
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

static int open_ring(const char *home, const char *name)
{
    g_autofree char *path = g_build_filename(home, name, NULL);

    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static GBytes *read_all(int fd, gsize size, GError **error)
{
    g_autofree guint8 *data = g_malloc(size + 1);
    gsize done = 0;

    while (done < size) {
        ssize_t got = read(fd, data + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the key ring in home: %s",
                        g_strerror(errno));
            return NULL;
        }
        if (got == 0)
            break;
        done += (gsize)got;
    }
    return g_bytes_new_take(g_steal_pointer(&data), done);
}

gboolean pgp_home_read(const char *path, GBytes **data, GError **error)
{
    int fd = open_ring(path, KEYBOX);
    struct stat st;

    *data = NULL;
    /* gpg takes the old ring where there is no keybox. */
    if (fd < 0 && errno == ENOENT)
        fd = open_ring(path, OLDRING);
    if (fd < 0 && errno == ENOENT && g_file_test(path, G_FILE_TEST_IS_DIR))
        return TRUE;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_RING) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "the key ring in %s: %s", path,
                    fd < 0 ? g_strerror(errno) : "no file that can be read");
    } else {
        *data = read_all(fd, (gsize)st.st_size, error);
    }
    if (fd >= 0)
        close(fd);
    return *data != NULL;
}

char *pgp_home_state(const char *path)
{
    GString *state = g_string_new(NULL);
    const char *names[] = {KEYBOX, OLDRING};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *file = g_build_filename(path, names[i], NULL);
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
