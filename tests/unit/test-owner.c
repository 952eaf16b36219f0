/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-owner.c: who can change what is believed, of each part of a path.
 */
#include "core/base/owner.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { STRANGER = 12345 };

typedef struct {
    char *top;    /* in /tmp, which is sticky */
    char *folder; /* in it */
    char *file;   /* in that */
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    f->folder = g_build_filename(f->top, "conf", NULL);
    f->file = g_build_filename(f->folder, "file", NULL);
    g_assert_cmpint(g_mkdir(f->folder, 0755), ==, 0);
    g_assert_true(g_file_set_contents(f->file, "x", 1, NULL));
    g_assert_cmpint(g_chmod(f->file, 0644), ==, 0);
    /* What was known of an earlier folder of that name is no longer so. */
    seal_owner_forget();
}

static void tear_down(Fixture *f, gconstpointer data)
{
    const char *const argv[] = {"rm", "-rf", f->top, NULL};

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_free(f->file);
    g_free(f->folder);
    g_free(f->top);
}

static void assert_good(const char *path)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(seal_owner_check(path, &error));
    g_assert_no_error(error);
}

/* What is wrong is named, and what is the matter with it. */
static void assert_bad(const char *path, const char *named, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *start = g_strconcat(named, " ", NULL);

    seal_owner_forget();
    g_assert_false(seal_owner_check(path, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_true(g_str_has_prefix(error->message, start));
    g_assert_nonnull(strstr(error->message, why));
}

static void test_good(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dots = g_build_filename(f->folder, "..", ".", "conf//file", NULL);

    assert_good(f->file);
    assert_good(dots);
    assert_good("/");
    g_assert_true(seal_owner_check_folder(f->folder, &error));
    g_assert_no_error(error);
    g_assert_cmpint(g_chdir(f->top), ==, 0);
    assert_good("conf/file");
    g_assert_cmpint(g_chdir("/"), ==, 0);
}

static void test_writable(Fixture *f, gconstpointer data)
{
    g_chmod(f->file, 0646);
    assert_bad(f->file, f->file, "written by others");
    g_chmod(f->file, 0644);
    g_chmod(f->folder, 0777);
    assert_bad(f->file, f->folder, "written by others");
    g_chmod(f->folder, 0755);
    g_chmod(f->top, 0707);
    assert_bad(f->file, f->top, "written by others");
    g_chmod(f->top, 0700);
    assert_good(f->file);
}

static void test_foreign_owner(Fixture *f, gconstpointer data)
{
    const char *const parts[] = {f->file, f->folder, f->top};

    if (chown(f->file, STRANGER, 0) != 0) {
        g_test_skip("only root can give a file away");
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_assert_cmpint(chown(parts[i], STRANGER, 0), ==, 0);
        assert_bad(f->file, parts[i], "neither to root");
        g_assert_cmpint(chown(parts[i], 0, 0), ==, 0);
    }
}

static void test_group(Fixture *f, gconstpointer data)
{
    g_chmod(f->file, 0664);
    assert_good(f->file);
    if (chown(f->file, 0, STRANGER) != 0) {
        g_test_skip("only root can give a file away");
        return;
    }
    g_chmod(f->file, 0664);
    assert_bad(f->file, f->file, "group 12345");
}

/* The group's bits are then all that anybody may have whom the list names. */
static void test_access_list(Fixture *f, gconstpointer data)
{
    static const guint8 list[] = {2,    0, 0, 0,                      /* version */
                                  1,    0, 6, 0, 255, 255, 255, 255,  /* the owner: rw */
                                  2,    0, 6, 0, 57,  48,  0,   0,    /* user 12345: rw */
                                  4,    0, 4, 0, 255, 255, 255, 255,  /* the group: r */
                                  0x10, 0, 6, 0, 255, 255, 255, 255,  /* at most: rw */
                                  0x20, 0, 4, 0, 255, 255, 255, 255}; /* others: r */

    if (setxattr(f->file, "system.posix_acl_access", list, sizeof list, 0) != 0) {
        g_test_skip("this file system has no access lists");
        return;
    }
    assert_bad(f->file, f->file, "access list");
    g_chmod(f->file, 0644);
    assert_good(f->file);
}

/* In /tmp others can add files, and change none of ours; but what they add must not be believed. */
static void test_sticky(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *link = g_build_filename(f->folder, "link", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root's sticky folders count");
        return;
    }
    g_chmod(f->folder, 01777);
    seal_owner_forget();
    assert_good(f->file);
    g_assert_false(seal_owner_check_folder(f->folder, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);

    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    assert_good(link);
    g_assert_cmpint(lchown(link, STRANGER, 0), ==, 0);
    assert_bad(link, link, "neither to root");
    g_assert_cmpint(chown(f->folder, STRANGER, 0), ==, 0);
    assert_bad(f->file, f->folder, "neither to root");
}

/* A link is as good as what it leads to. */
static void test_links(Fixture *f, gconstpointer data)
{
    g_autofree char *away = g_build_filename(f->top, "away", NULL);
    g_autofree char *target = g_build_filename(away, "target", NULL);
    g_autofree char *link = g_build_filename(f->folder, "link", NULL);
    g_autofree char *folder_link = g_build_filename(f->top, "folder", NULL);
    g_autofree char *through = g_build_filename(folder_link, "target", NULL);

    g_assert_cmpint(g_mkdir(away, 0755), ==, 0);
    g_assert_true(g_file_set_contents(target, "x", 1, NULL));
    g_chmod(target, 0644);
    g_assert_cmpint(symlink("../away/target", link), ==, 0);
    g_assert_cmpint(symlink(away, folder_link), ==, 0);
    assert_good(link);
    assert_good(through);
    g_chmod(away, 0777);
    assert_bad(link, away, "written by others");
    assert_bad(through, away, "written by others");
    g_chmod(away, 0755);
    g_chmod(target, 0666);
    assert_bad(link, target, "written by others");
    g_chmod(target, 0644);
    g_chmod(f->folder, 0777);
    assert_bad(link, f->folder, "written by others");
}

/* What cannot be looked at is neither good nor somebody's fault. */
static void test_unknown(Fixture *f, gconstpointer data)
{
    g_autofree char *round = g_build_filename(f->folder, "round", NULL);
    g_autofree char *gone = g_build_filename(f->folder, "gone", NULL);
    g_autofree char *below = g_build_filename(f->file, "below", NULL);
    g_assert_cmpint(symlink("round", round), ==, 0);
    g_assert_cmpint(symlink("/nonexistent/x", gone), ==, 0);
    const char *const paths[] = {round, gone, below, "/nonexistent"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(seal_owner_check(paths[i], &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
        g_assert_nonnull(strstr(error->message, paths[i]));
    }
}

static void assert_service(const char *dir, int uid, int code)
{
    g_autoptr(GError) error = NULL;
    uid_t found = 0;
    gboolean ok = seal_owner_of_service(dir, &found, &error);

    if (error)
        g_test_message("%s", error->message);
    g_assert_true(ok == (code == 0));
    if (ok)
        g_assert_cmpint(found, ==, uid);
    else
        g_assert_error(error, SEAL_ERROR, code);
}

/* The owner of the state folder is whom root becomes: if only root, or he, could put it there. */
static void test_service(Fixture *f, gconstpointer data)
{
    g_autofree char *state = g_build_filename(f->top, "state", NULL);
    g_autofree char *inner = g_build_filename(state, "inner", NULL);
    g_autofree char *link = g_build_filename(f->top, "link", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root becomes another user");
        return;
    }
    assert_service(state, 0, SEAL_ERROR_UNAVAILABLE);
    g_assert_cmpint(g_mkdir(state, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(inner, 0700), ==, 0);
    assert_service(state, 0, 0);
    g_assert_cmpint(chown(state, STRANGER, STRANGER), ==, 0);
    g_assert_cmpint(symlink("state", link), ==, 0);
    assert_service(state, STRANGER, 0);
    assert_service(link, STRANGER, 0);
    /* Root's in a folder of somebody else: it is harmless to stay root. */
    assert_service(inner, 0, 0);
    g_assert_cmpint(chown(inner, STRANGER, STRANGER), ==, 0);
    assert_service(inner, STRANGER, 0);
    g_assert_cmpint(chown(inner, STRANGER + 1, STRANGER), ==, 0);
    assert_service(inner, 0, SEAL_ERROR_CONFIG);
    /* Anybody could have made it. */
    g_assert_cmpint(chown(inner, STRANGER, STRANGER), ==, 0);
    g_chmod(f->top, 01777);
    assert_service(state, 0, SEAL_ERROR_CONFIG);
    assert_service(inner, 0, SEAL_ERROR_CONFIG);
    g_chmod(f->top, 0777);
    assert_service(state, 0, SEAL_ERROR_CONFIG);
    g_chmod(f->top, 0755);
    g_chmod(state, 0777);
    assert_service(state, 0, SEAL_ERROR_CONFIG);
    /* What was found for him does not count for root's own questions. */
    g_chmod(state, 0755);
    g_assert_cmpint(chown(f->file, STRANGER, 0), ==, 0);
    g_assert_false(seal_owner_check(f->file, NULL));
}

/* In a user namespace root itself is a stranger, and the text says why. */
static void test_namespace(Fixture *f, gconstpointer data)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        g_autoptr(GError) error = NULL;

        if (unshare(CLONE_NEWUSER) != 0)
            _exit(77);
        seal_owner_forget();
        _exit(!seal_owner_check("/etc/passwd", &error) && strstr(error->message, "user namespace")
                  ? 0
                  : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        g_test_skip("no user namespaces here");
    else
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/owner/good", test_good);
    ADD("/owner/writable", test_writable);
    ADD("/owner/foreign-owner", test_foreign_owner);
    ADD("/owner/group", test_group);
    ADD("/owner/access-list", test_access_list);
    ADD("/owner/sticky", test_sticky);
    ADD("/owner/links", test_links);
    ADD("/owner/unknown", test_unknown);
    ADD("/owner/service", test_service);
    ADD("/owner/namespace", test_namespace);
    return g_test_run();
}
