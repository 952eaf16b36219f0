/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * state.c: the state folder: whose it is, and whether outbound mail is suspended.
 */
#include "core/base/state.h"

#include "core/base/log.h"
#include "core/base/user.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAG "suspended"

/* -------------------------------------------------------------------------------------------
 * The folder
 */

/* Root is still root where it is not known whose the folder would be. */
static gboolean dir_unavailable(const char *dir, GError **error, const char *why)
{
    g_autofree char *user = geteuid() == 0 ? g_strdup("USER") : seal_user_name(geteuid());

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "[core] state_dir: %s: %s; create it for the user that sealpipe runs as; as root: "
                "install -d -m 0700 -o %s %s",
                dir, why, user, dir);
    return FALSE;
}

gboolean seal_state_check(const char *dir, gboolean make, GError **error)
{
    struct stat st;

    if (make && geteuid() != 0 && g_mkdir(dir, 0700) < 0 && errno != EEXIST)
        return dir_unavailable(dir, error, g_strerror(errno));
    if (stat(dir, &st) < 0)
        return dir_unavailable(dir, error, g_strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return dir_unavailable(dir, error, "not a folder");
    if (st.st_uid != geteuid())
        return dir_unavailable(dir, error, "belongs to another user than the one that runs this");
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return dir_unavailable(dir, error, "others can write to it");
    return TRUE;
}

gboolean seal_state_make(const char *dir, uid_t user)
{
    return g_mkdir(dir, 0700) == 0 && lchown(dir, user, (gid_t)-1) == 0;
}

/* -------------------------------------------------------------------------------------------
 * The flag
 */

static gboolean is_believed(uid_t owner, uid_t service)
{
    return owner == 0 || owner == geteuid() || owner == service;
}

/* Where others can write the folder, a link to root's own file could stand for the flag. */
static gboolean flag_counts(const char *dir, const struct stat *flag, uid_t service)
{
    struct stat st;

    return S_ISREG(flag->st_mode) && stat(dir, &st) == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
           is_believed(st.st_uid, service) && is_believed(flag->st_uid, service);
}

static gboolean refuse_flag(const char *path, GError **error)
{
    const int number = errno;
    g_autofree char *name = number == EACCES ? seal_user_name(geteuid()) : NULL;
    g_autofree char *advice =
        name ? g_strdup_printf(": this runs as user %s, who has to own state_dir", name)
             : g_strdup("");

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "cannot tell whether sealpipe is suspended: %s: %s%s", path, g_strerror(number),
                advice);
    return FALSE;
}

gboolean seal_state_suspended(const char *dir, uid_t service, gboolean *suspended, GError **error)
{
    g_autofree char *path = g_build_filename(dir, FLAG, NULL);
    struct stat st;

    *suspended = FALSE;
    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            return TRUE;
        return refuse_flag(path, error);
    }
    *suspended = flag_counts(dir, &st, service);
    if (!*suspended)
        seal_log_warning("%s does not suspend: it, and its folder, must belong to root or to the "
                         "user that sealpipe runs as, and others must not be able to write there",
                         path);
    return TRUE;
}

/* Root does not know for whom, and all may look: then its flag counts for whoever it is. */
static gboolean make_for_all(const char *dir)
{
    return geteuid() == 0 && g_mkdir(dir, 0755) == 0 && g_chmod(dir, 0755) == 0;
}

static int make_flag(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
}

gboolean seal_state_suspend(const char *dir, gboolean suspend, GError **error)
{
    g_autofree char *path = g_build_filename(dir, FLAG, NULL);
    int fd = -1;

    if (!suspend) {
        if (g_unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
            return TRUE;
    } else {
        fd = make_flag(path);
        if (fd < 0 && errno == ENOENT && (make_for_all(dir) || seal_state_check(dir, TRUE, NULL)))
            fd = make_flag(path);
    }
    if (fd >= 0) {
        close(fd);
        return TRUE;
    }
    if (errno == ENOENT)
        return dir_unavailable(dir, error, g_strerror(errno));
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}
