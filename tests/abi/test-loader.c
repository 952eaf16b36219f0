/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-loader.c: bad modules, each refused with its reason.
 */
#include "core/frontend.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *top;
    char *conf;
    char *modules;
    char *file; /* modules/bad.so */
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    f->conf = g_build_filename(f->top, "conf", NULL);
    f->modules = g_build_filename(f->top, "modules", NULL);
    f->file = g_build_filename(f->modules, "bad.so", NULL);
    g_mkdir(f->conf, 0755);
    g_mkdir(f->modules, 0755);

    g_autofree char *path = g_build_filename(f->conf, "x.conf", NULL);
    g_autofree char *text = g_strdup_printf("[core]\nlog_target=%s/log\n\n[module bad]\n", f->top);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", f->top, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(f->file);
    g_free(f->modules);
    g_free(f->conf);
    g_free(f->top);
}

static void place(Fixture *f, const char *fault, gssize most)
{
    g_autofree char *name = g_strdup_printf("bad-%s.so", fault);
    g_autofree char *from = g_build_filename(g_getenv("SEALPIPE_TEST_BAD"), name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(from, &data, &length, NULL));
    g_assert_true(g_file_set_contents(f->file, data, most < 0 ? (gssize)length : most, NULL));
    g_chmod(f->file, 0755);
}

/* Every refusal names the file and line of the group, the module, and the reason. */
static void assert_refused(Fixture *f, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = seal_dispatcher_new(f->conf, f->modules, &error);

    g_assert_null(dispatcher);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "bad"));
    g_assert_nonnull(strstr(error->message, why));
}

static void test_good(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    place(f, "none", -1);
    g_autoptr(SealDispatcher) dispatcher = seal_dispatcher_new(f->conf, f->modules, &error);
    g_assert_no_error(error);
    g_assert_nonnull(dispatcher);
}

static void test_descriptor(Fixture *f, gconstpointer data)
{
    const char *const *row = data;

    place(f, row[0], -1);
    assert_refused(f, row[1]);
}

static void test_missing(Fixture *f, gconstpointer data)
{
    assert_refused(f, "x.conf:4: [module bad]: module bad: ");
}

static void test_truncated(Fixture *f, gconstpointer data)
{
    place(f, "none", 3000);
    assert_refused(f, "breaks off");
    place(f, "none", 40);
    assert_refused(f, "no shared object");
    place(f, "none", 0);
    assert_refused(f, "no shared object");
}

static void test_writable(Fixture *f, gconstpointer data)
{
    place(f, "none", -1);
    g_chmod(f->file, 0777);
    assert_refused(f, "written by others");
}

static void test_writable_folder(Fixture *f, gconstpointer data)
{
    place(f, "none", -1);
    g_chmod(f->modules, 0777);
    assert_refused(f, "written by others");
}

static void test_link(Fixture *f, gconstpointer data)
{
    g_autofree char *elsewhere = g_build_filename(f->top, "elsewhere.so", NULL);

    place(f, "none", -1);
    g_assert_cmpint(g_rename(f->file, elsewhere), ==, 0);
    g_assert_cmpint(symlink(elsewhere, f->file), ==, 0);
    assert_refused(f, "symbolic link");
}

static void test_linked_folder(Fixture *f, gconstpointer data)
{
    g_autofree char *elsewhere = g_build_filename(f->top, "elsewhere", NULL);

    place(f, "none", -1);
    g_assert_cmpint(g_rename(f->modules, elsewhere), ==, 0);
    g_assert_cmpint(symlink(elsewhere, f->modules), ==, 0);
    assert_refused(f, "symbolic link");
}

static void test_foreign_owner(Fixture *f, gconstpointer data)
{
    place(f, "none", -1);
    if (chown(f->file, 12345, 12345) != 0) {
        g_test_skip("only root can give a file away");
        return;
    }
    assert_refused(f, "belongs neither to root");
}

static void test_folder_in_its_place(Fixture *f, gconstpointer data)
{
    g_mkdir(f->file, 0755);
    assert_refused(f, "not a regular file");
}

static const char *const DESCRIPTORS[][2] = {
    {"no-symbol", "exports no seal_module"},
    {"no-version", "does not begin with SEAL_MODULE_HEAD"},
    {"other-major", "made for version 2.0"},
    {"newer-minor", "made for version 1.1"},
    {"short", "shorter than its version's"},
    {"name", "should have the file's name, and has somebody-else"},
    {"no-summary", "says no version or summary"},
    {"reserved", "reserved slots"},
    {"setting", "its setting colour is a CHOICE without a range"},
    {"setting-twice", "its setting colour is in the table twice"},
    {"setting-type", "its setting colour has no type"},
    {"setting-reserved", "its setting colour uses reserved slots"},
    {"format", "lacks a function"},
    {"stage", "table of its stage bad uses reserved slots"},
    {"source", "table of its key source is shorter"},
    {"init-fails", "no way to start"},
    {"init-silent", "did not say why"},
};

#define ADD(path, data, function) g_test_add(path, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/loader/good", NULL, test_good);
    for (guint i = 0; i < G_N_ELEMENTS(DESCRIPTORS); i++) {
        g_autofree char *path = g_strconcat("/loader/", DESCRIPTORS[i][0], NULL);
        ADD(path, DESCRIPTORS[i], test_descriptor);
    }
    ADD("/loader/missing", NULL, test_missing);
    ADD("/loader/truncated", NULL, test_truncated);
    ADD("/loader/writable", NULL, test_writable);
    ADD("/loader/writable-folder", NULL, test_writable_folder);
    ADD("/loader/link", NULL, test_link);
    ADD("/loader/linked-folder", NULL, test_linked_folder);
    ADD("/loader/foreign-owner", NULL, test_foreign_owner);
    ADD("/loader/folder-in-its-place", NULL, test_folder_in_its_place);
    return g_test_run();
}
