/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * state.c: the state folder: whose it is, and whether outbound mail is suspended.
 */
#include "core/base/state.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAG "suspended"

/* -------------------------------------------------------------------------------------------
 * The folder
 */

static const char *user_name(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);

    return entry ? entry->pw_name : "USER";
}

static gboolean dir_unavailable(const char *dir, GError **error, const char *why)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "[core] state_dir: %s: %s; as root: install -d -m 0700 -o %s %s", dir, why,
                user_name(geteuid()), dir);
    return FALSE;
}

gboolean seal_state_check(const char *dir, gboolean write, GError **error)
{
    struct stat st;

    if (stat(dir, &st) < 0)
        return dir_unavailable(dir, error, g_strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return dir_unavailable(dir, error, "not a folder");
    /* A mail server may ask the check as root and run the filter as somebody else. */
    if (st.st_uid != geteuid() && (write || geteuid() != 0))
        return dir_unavailable(dir, error, "belongs to another user than the one that runs this");
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return dir_unavailable(dir, error, "others can write to it");
    return TRUE;
}

/* For good: real, effective and saved. */
static gboolean become_user(uid_t uid, GError **error)
{
    const struct passwd *entry = getpwuid(uid);

    if (entry && initgroups(entry->pw_name, entry->pw_gid) == 0 && setgid(entry->pw_gid) == 0 &&
        setuid(uid) == 0)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "cannot become the state folder's owner, user %u: %s", (guint)uid,
                entry ? g_strerror(errno) : "there is no such user");
    return FALSE;
}

gboolean seal_state_enter(const char *dir, GError **error)
{
    struct stat st;

    if (geteuid() != 0) {
        if (g_mkdir(dir, 0700) < 0 && errno != EEXIST)
            return dir_unavailable(dir, error, g_strerror(errno));
        return seal_state_check(dir, TRUE, error);
    }
    /* Whose it would have to be is not known here. */
    if (stat(dir, &st) < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "[core] state_dir: %s: %s; create it for the user that sealpipe runs as: "
                    "install -d -m 0700 -o USER %s",
                    dir, g_strerror(errno), dir);
        return FALSE;
    }
    return (st.st_uid == 0 || become_user(st.st_uid, error)) && seal_state_check(dir, TRUE, error);
}

/* -------------------------------------------------------------------------------------------
 * The flag
 */

/* Where others can write the folder, a link to root's own file could stand for the flag. */
static gboolean flag_counts(const char *dir, const struct stat *flag)
{
    uid_t self = geteuid();
    struct stat st;

    if (!S_ISREG(flag->st_mode) || stat(dir, &st) < 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
        (self != 0 && st.st_uid != 0 && st.st_uid != self))
        return FALSE;
    return flag->st_uid == 0 || flag->st_uid == self || (self == 0 && flag->st_uid == st.st_uid);
}

gboolean seal_state_suspended(const char *dir, gboolean *suspended, GError **error)
{
    g_autofree char *path = g_build_filename(dir, FLAG, NULL);
    struct stat st;

    *suspended = FALSE;
    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            return TRUE;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "cannot tell whether sealpipe is suspended: %s: %s", path, g_strerror(errno));
        return FALSE;
    }
    *suspended = flag_counts(dir, &st);
    if (!*suspended)
        seal_log_warning("%s does not suspend: it, and its folder, must belong to root or to the "
                         "user that runs this, and others must not be able to write there",
                         path);
    return TRUE;
}

gboolean seal_state_suspend(const char *dir, gboolean suspend, GError **error)
{
    g_autofree char *path = g_build_filename(dir, FLAG, NULL);
    int fd = -1;

    if (!suspend && (g_unlink(path) == 0 || errno == ENOENT))
        return TRUE;
    if (suspend)
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        close(fd);
        return TRUE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
    return FALSE;
}
