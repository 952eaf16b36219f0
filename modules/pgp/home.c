/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * home.c: the GnuPG home: whose it is, and what stands in it.
 */
#include "home.h"
#include "ring.h"

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
                                  "%s belongs to user %u, and this runs as user %u: run it as root "
                                  "or as that user if it is [core] user, else chown it",
                                  path, (guint)st.st_uid, (guint)geteuid());
    if (st.st_mode & 077)
        return seal_module_refuse(self, "home", error,
                                  "others than its owner can get into %s; chmod it to 0700", path);
    return check_options(self, path, error);
}

/* -------------------------------------------------------------------------------------------
 * Its keys
 */

/* NULL where neither stands there: gpg takes the old one where there is no keybox. */
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

/* gpg makes a ring at its first use of a home. Where there is none, the folder is not what was
 * set up: what is mounted there is gone, or the ring is. */
char *pgp_home_ring(const char *path, GError **error)
{
    char *ring = find_ring(path);
    g_autofree char *keyboxd = g_build_filename(path, "public-keys.d", NULL);

    if (ring)
        return ring;
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "the key ring in home %s cannot be read: there is no such folder", path);
    else if (g_file_test(keyboxd, G_FILE_TEST_EXISTS))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "home %s has no pubring.kbx: its keys are keyboxd's, in public-keys.d, which "
                    "sealpipe does not read; export them there and import them without "
                    "use-keyboxd",
                    path);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "home %s has no key ring, neither pubring.kbx nor pubring.gpg: is it mounted? "
                    "If it is new, `gpg --homedir %s --list-keys` makes one, as the service's "
                    "user; else restore it from a backup",
                    path, path);
    return NULL;
}

GBytes *pgp_home_read(const char *ring, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = seal_file_read(ring, MAX_RING, &problem);

    if (!data)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "the key ring in home cannot be read: %s", problem->message);
    else if (g_bytes_get_size(data) == 0)
        g_set_error(
            error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
            "the key ring %s has 0 octets, and even one without keys has more; " PGP_MEND_RING,
            ring);
    else if (g_str_has_suffix(ring, ".kbx") && !pgp_ring_is_keybox(data))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "the key ring %s does not begin as a keybox does; " PGP_MEND_RING, ring);
    else
        return g_steal_pointer(&data);
    return NULL;
}

char *pgp_home_lacks_secrets(const char *path)
{
    g_autofree char *folder = g_build_filename(path, "private-keys-v1.d", NULL);
    DIR *dir = opendir(folder);
    const struct dirent *entry = NULL;

    if (!dir)
        return g_strdup_printf("%s: %s", folder, g_strerror(errno));
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && !g_str_has_suffix(entry->d_name, ".key"));
    char *why = entry        ? NULL
                : errno != 0 ? g_strdup_printf("%s: %s", folder, g_strerror(errno))
                             : g_strdup_printf("%s has no key in it", folder);
    closedir(dir);
    return why;
}

static char *describe_state(const char *home, const char *const *names, guint count, gint64 *newest)
{
    GString *state = g_string_new(NULL);

    for (guint i = 0; i < count; i++) {
        g_autofree char *file = g_build_filename(home, names[i], NULL);
        struct stat st;

        if (stat(file, &st) != 0) {
            g_string_append(state, "-;");
            continue;
        }
        *newest = MAX(*newest, st.st_ctim.tv_sec);
        g_string_append_printf(state, "%ju %jd %jd.%09ld %jd.%09ld;", (uintmax_t)st.st_ino,
                               (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
                               st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    }
    return g_string_free(state, FALSE);
}

char *pgp_home_state(const char *path)
{
    gint64 newest = 0;

    return describe_state(path, RINGS, G_N_ELEMENTS(RINGS), &newest);
}

char *pgp_home_full_state(const char *path, gint64 *newest)
{
    static const char *const names[] = {"pubring.kbx", "pubring.gpg", "trustdb.gpg",
                                        "private-keys-v1.d"};

    *newest = 0;
    return describe_state(path, names, G_N_ELEMENTS(names), newest);
}
