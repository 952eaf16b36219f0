/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/base/user.h"

#include "core/frontend.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

gboolean seal_user_find(const char *name, uid_t *uid, GError **error)
{
    const struct passwd *entry = getpwnam(name);
    guint64 number;

    if (!entry && g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &number, NULL))
        entry = getpwuid((uid_t)number);
    if (!entry) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "there is no user \"%s\"", name);
        return FALSE;
    }
    *uid = entry->pw_uid;
    return TRUE;
}

char *seal_user_name(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);

    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)uid);
}

static gboolean fail_user(const char *name, const char *why, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "cannot become user %s, whose sealpipe is: %s; run it as %s, or as a root that may "
                "change to other users",
                name, why, name);
    return FALSE;
}

/* Also where capabilities were kept that ought to have gone. */
static gboolean is_for_good(uid_t uid, gid_t gid)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return FALSE;
    for (guint i = 0; i < 3; i++) {
        if (uids[i] != uid || gids[i] != gid)
            return FALSE;
    }
    return setuid(0) != 0 && seteuid(0) != 0 && (gid == 0 || setegid(0) != 0);
}

/* A temporary folder of root's own, say, is closed to others. */
static void forget_root(const char *home)
{
    static const char *const names[] = {
        "TMPDIR",          "TMP",           "TEMP",     "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME", "XDG_DATA_HOME", "GNUPGHOME"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
    if (g_getenv("HOME"))
        g_setenv("HOME", home, TRUE);
}

/* The kernel forgets both when the user changes. */
static gboolean guard_again(int death_signal, pid_t parent)
{
    seal_secret_guard_process();
    return prctl(PR_SET_PDEATHSIG, death_signal) == 0 && (!death_signal || getppid() == parent);
}

gboolean seal_user_become_named(const char *name, GError **error)
{
    uid_t uid;

    return seal_user_find(name, &uid, error) && seal_user_become(uid, error);
}

gboolean seal_user_become(uid_t uid, GError **error)
{
    const struct passwd *entry = getpwuid(uid);
    const pid_t parent = getppid();
    int death_signal = 0;

    if (!entry) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "there is no user %u", (guint)uid);
        return FALSE;
    }
    g_autofree char *name = g_strdup(entry->pw_name);
    g_autofree char *home = g_strdup(entry->pw_dir);
    const gid_t gid = entry->pw_gid;

    if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0 || initgroups(name, gid) != 0 ||
        setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return fail_user(name, g_strerror(errno), error);
    if (uid != 0 && !is_for_good(uid, gid))
        return fail_user(name, "there would be a way back to root", error);
    if (!guard_again(death_signal, parent))
        return fail_user(name, "whoever started this has ended", error);
    forget_root(home);
    return TRUE;
}
