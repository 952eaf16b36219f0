/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.c: the GnuPG home: whose it is, and what stands in it.
 */
#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_SOCKET = 106, /* what gpg-agent accepts */
    MAX_RING = 256 * 1024 * 1024,
};

/* The longest name among the sockets that gpg-agent opens; it does not start without any of them.
 */
#define SOCKET "/S.gpg-agent.browser"

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
