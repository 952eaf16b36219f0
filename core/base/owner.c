/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * owner.c: who can change what is believed. A path is walked from the root: whoever can write one
 * folder of it can put something else in its place, and a link is as good as what it leads to. Once
 * nobody else can change any of it, there is nothing to race against either.
 */
#include "core/base/owner.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MAX_LINKS = 40 };

/* The folders that were found good, to whether others may put something there all the same. */
static GHashTable *good_folders;
static uid_t outsiders; /* who stands for all that are outside of a user namespace */

/* While it is found out whether a folder's owner is whom root may become: he may own what is on the
 * way there, too. */
static gboolean has_candidate;
static uid_t candidate_uid;
static gid_t candidate_gid;

/* A way that is being walked. */
typedef struct {
    const char *path;
    GString *at; /* what was reached: no links, no dots; "" is the root */
    char *rest;
    gboolean open; /* @at is a folder where others may put something: sticky, and root's */
    guint links;
} Walk;

static void walk_clear(Walk *walk)
{
    g_string_free(walk->at, TRUE);
    g_free(walk->rest);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

/* -------------------------------------------------------------------------------------------
 * One file
 */

/* In a user namespace all users outside have one number; here it is, or none where all are inside.
 */
static uid_t find_outsiders(void)
{
    FILE *overflow = fopen("/proc/sys/kernel/overflowuid", "re");
    FILE *map = fopen("/proc/self/uid_map", "re");
    guint nobody = 65534, inside = 0, outside = 0, count = 0;

    if (overflow && fscanf(overflow, "%u", &nobody) != 1)
        nobody = 65534;
    gboolean whole = map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 &&
                     inside == 0 && count == G_MAXUINT32;
    if (overflow)
        fclose(overflow);
    if (map)
        fclose(map);
    return whole ? (uid_t)-1 : (uid_t)nobody;
}

static void begin_looking(void)
{
    if (good_folders)
        return;
    good_folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    outsiders = find_outsiders();
}

static gboolean owner_is_known(uid_t uid)
{
    return uid == 0 ||
           (uid != outsiders && (uid == geteuid() || (has_candidate && uid == candidate_uid)));
}

static gboolean group_is_ours(gid_t gid)
{
    return gid == 0 || gid == getegid() || (has_candidate && gid == candidate_gid);
}

/* The bits of the group then say what others may have at most (acl(5)). */
static gboolean has_access_list(const char *path)
{
    return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static gboolean refuse_path(GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean refuse_path(GError **error, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s %s", *path ? path : "/", why);
    return FALSE;
}

static gboolean check_owner(const char *path, const struct stat *st, GError **error)
{
    if (owner_is_known(st->st_uid))
        return TRUE;
    if (st->st_uid == outsiders)
        return refuse_path(
            error, path,
            "belongs to user %u, as does in this user namespace all that is of users "
            "outside, root among them: map its owner into the namespace, or run "
            "outside of it",
            (guint)st->st_uid);
    const struct passwd *entry = getpwuid(st->st_uid);
    g_autofree char *name =
        entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)st->st_uid);
    return refuse_path(error, path,
                       "belongs neither to root nor to the user that runs this, but to user %s; "
                       "run this as root or as %s if that is [core] user, else chown it",
                       name, name);
}

/* @may_be_open: that others may add to a folder, and take nothing away, is no fault. */
static gboolean check_writers(const char *path, const struct stat *st, gboolean may_be_open,
                              gboolean *open, GError **error)
{
    gboolean group = (st->st_mode & S_IWGRP) != 0;

    *open = FALSE;
    if (!(st->st_mode & S_IWOTH) &&
        (!group || (group_is_ours(st->st_gid) && !has_access_list(*path ? path : "/"))))
        return TRUE;
    *open = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0;
    if (*open && may_be_open)
        return TRUE;
    if (st->st_mode & S_IWOTH)
        return refuse_path(error, path,
                           "can be written by others; take that right away with chmod go-w");
    if (!group_is_ours(st->st_gid))
        return refuse_path(error, path,
                           "can be written by group %u, which is not the service's own; take that "
                           "right away with chmod g-w",
                           (guint)st->st_gid);
    return refuse_path(error, path,
                       "can be written by whom its access list names; take that right "
                       "away with chmod g-w");
}

/* -------------------------------------------------------------------------------------------
 * A path
 */

static gboolean walk_fails(const Walk *walk, GError **error)
{
    const char *at = walk->at->len > 0 ? walk->at->str : "/", *why = g_strerror(errno);

    if (g_str_equal(at, walk->path))
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", at, why);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s leads to %s: %s", walk->path, at,
                    why);
    return FALSE;
}

/* What stands where the walk has come to. */
static gboolean check_here(Walk *walk, const struct stat *st, gboolean may_be_open, GError **error)
{
    const char *path = walk->at->str;

    if (has_candidate && walk->open && st->st_uid != 0)
        return refuse_path(error, path, "stands where everybody may put something");
    if (!check_owner(path, st, error) || !check_writers(path, st, may_be_open, &walk->open, error))
        return FALSE;
    if (S_ISDIR(st->st_mode))
        g_hash_table_insert(good_folders, g_strdup(path), GINT_TO_POINTER(walk->open));
    return TRUE;
}

/* Back to a folder on the way here. */
static void stand_at(Walk *walk, gsize length)
{
    g_string_truncate(walk->at, length);
    walk->open = GPOINTER_TO_INT(g_hash_table_lookup(good_folders, walk->at->str));
}

static gboolean follow_link(Walk *walk, const struct stat *st, gsize parent, GError **error)
{
    char target[4096];
    ssize_t length = readlink(walk->at->str, target, sizeof target - 1);

    if (++walk->links > MAX_LINKS)
        errno = ELOOP;
    if (length < 0 || walk->links > MAX_LINKS)
        return walk_fails(walk, error);
    /* Elsewhere, only who can write the folder could have put it there. */
    if (walk->open && !check_owner(walk->at->str, st, error))
        return FALSE;
    target[length] = '\0';
    char *rest = g_strconcat(target, "/", walk->rest, NULL);
    g_free(walk->rest);
    walk->rest = rest;
    stand_at(walk, *target == '/' ? 0 : parent);
    return TRUE;
}

/* Takes the next name off what is left. (transfer full) */
static char *take_name(Walk *walk)
{
    const char *from = walk->rest + strspn(walk->rest, "/");
    gsize length = strcspn(from, "/");
    char *name = g_strndup(from, length);
    char *rest = g_strdup(from + length + strspn(from + length, "/"));

    g_free(walk->rest);
    walk->rest = rest;
    return name;
}

static void walk_up(Walk *walk)
{
    const char *slash = strrchr(walk->at->str, '/');

    stand_at(walk, slash ? (gsize)(slash - walk->at->str) : 0);
}

/* One name further. @strict: of the last one, a folder in which others may put something is none to
 * be believed. */
static gboolean walk_on(Walk *walk, gboolean strict, GError **error)
{
    g_autofree char *name = take_name(walk);
    gsize parent = walk->at->len;
    gpointer open = NULL;
    struct stat st;

    if (!*name || g_str_equal(name, "."))
        return TRUE;
    if (g_str_equal(name, "..")) {
        walk_up(walk);
        return TRUE;
    }
    g_string_append_printf(walk->at, "/%s", name);
    if (*walk->rest && g_hash_table_lookup_extended(good_folders, walk->at->str, NULL, &open)) {
        walk->open = GPOINTER_TO_INT(open);
        return TRUE;
    }
    if (lstat(walk->at->str, &st) < 0)
        return walk_fails(walk, error);
    if (!S_ISLNK(st.st_mode))
        return check_here(walk, &st, !strict || *walk->rest, error);
    return follow_link(walk, &st, parent, error);
}

static gboolean check_path(const char *path, gboolean strict, GError **error)
{
    g_autofree char *here = g_path_is_absolute(path) ? NULL : g_get_current_dir();
    g_auto(Walk) walk = {.path = path,
                         .at = g_string_new(NULL),
                         .rest = here ? g_strconcat(here, "/", path, NULL) : g_strdup(path)};
    struct stat st;

    begin_looking();
    if (!g_hash_table_contains(good_folders, "")) {
        if (lstat("/", &st) < 0)
            return walk_fails(&walk, error);
        if (!check_here(&walk, &st, TRUE, error))
            return FALSE;
    }
    while (*walk.rest) {
        if (!walk_on(&walk, strict, error))
            return FALSE;
    }
    /* It may end in dots, or where a link to a folder was followed that is known. */
    return !strict || !walk.open ||
           refuse_path(error, walk.at->str,
                       "lets everybody put files there; take that right away with chmod o-w");
}

gboolean seal_owner_check_one(const char *path, const struct stat *st, GError **error)
{
    gboolean open;

    begin_looking();
    return check_owner(path, st, error) && check_writers(path, st, FALSE, &open, error);
}

gboolean seal_owner_check(const char *path, GError **error)
{
    return check_path(path, FALSE, error);
}

gboolean seal_owner_check_folder(const char *path, GError **error)
{
    return check_path(path, TRUE, error);
}

void seal_owner_forget(void)
{
    g_clear_pointer(&good_folders, g_hash_table_unref);
}

gboolean seal_owner_of_service(const char *dir, uid_t *uid, GError **error)
{
    struct stat st;

    if (stat(dir, &st) < 0) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", dir, g_strerror(errno));
        return FALSE;
    }
    *uid = st.st_uid;
    if (st.st_uid == 0)
        return TRUE;
    const struct passwd *entry = getpwuid(st.st_uid);
    has_candidate = TRUE;
    candidate_uid = st.st_uid;
    candidate_gid = entry ? entry->pw_gid : st.st_gid;
    seal_owner_forget();
    gboolean ok = seal_owner_check_folder(dir, error);
    has_candidate = FALSE;
    seal_owner_forget();
    return ok;
}
