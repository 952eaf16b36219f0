/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-cache.c: what is kept, as much as fits, and whether files have changed since.
 */
#include "core/base/files.h"
#include "core/base/watch.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------------
 * The cache
 */

static guint freed;

static void count_free(gpointer value)
{
    freed++;
    g_free(value);
}

static void put_text(SealCache *cache, const char *name, gsize weight)
{
    seal_cache_put(cache, name, g_strdup(name), weight);
}

static void test_bound(void)
{
    g_autoptr(SealCache) cache = seal_cache_new(100, count_free);

    freed = 0;
    for (guint i = 0; i < 10000; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);

        put_text(cache, name, 10);
        g_assert_cmpuint(seal_cache_count(cache), <=, 10);
    }
    g_assert_cmpuint(freed, ==, 9990);
    g_assert_null(seal_cache_find(cache, "9989"));
    g_assert_cmpstr(seal_cache_find(cache, "9990"), ==, "9990");
    put_text(cache, "heavy", 100);
    g_assert_cmpuint(seal_cache_count(cache), ==, 1);
    put_text(cache, "too heavy", 101);
    g_assert_null(seal_cache_find(cache, "too heavy"));
    g_assert_cmpstr(seal_cache_find(cache, "heavy"), ==, "heavy");
}

static void test_order(void)
{
    g_autoptr(SealCache) cache = seal_cache_new(3, count_free);

    put_text(cache, "a", 1);
    put_text(cache, "b", 1);
    put_text(cache, "c", 1);
    g_assert_nonnull(seal_cache_find(cache, "a"));
    put_text(cache, "d", 1);
    g_assert_null(seal_cache_find(cache, "b"));
    g_assert_nonnull(seal_cache_find(cache, "a"));
    g_assert_nonnull(seal_cache_find(cache, "c"));
    g_assert_nonnull(seal_cache_find(cache, "d"));
}

static void test_replaced(void)
{
    g_autoptr(SealCache) cache = seal_cache_new(10, count_free);

    freed = 0;
    put_text(cache, "a", 6);
    seal_cache_put(cache, "a", g_strdup("other"), 6);
    g_assert_cmpuint(freed, ==, 1);
    g_assert_cmpstr(seal_cache_find(cache, "a"), ==, "other");
    put_text(cache, "b", 4);
    g_assert_cmpuint(seal_cache_count(cache), ==, 2);
    /* One that does not fit takes the place of what it was to replace all the same. */
    seal_cache_put(cache, "a", g_strdup("heavy"), 11);
    g_assert_null(seal_cache_find(cache, "a"));
    seal_cache_drop(cache, "b");
    seal_cache_drop(cache, "nobody");
    g_assert_cmpuint(seal_cache_count(cache), ==, 0);
    put_text(cache, "c", 10);
    seal_cache_clear(cache);
    g_assert_cmpuint(seal_cache_count(cache), ==, 0);
    g_assert_cmpuint(freed, ==, 5);
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

typedef struct {
    char *dir;
    char *path;
} Folder;

static void folder_prepare(Folder *folder)
{
    folder->dir = g_dir_make_tmp("sealpipe-cache-XXXXXX", NULL);
    folder->path = g_build_filename(folder->dir, "file", NULL);
    g_assert_true(g_file_set_contents(folder->path, "0123456789", -1, NULL));
}

static void folder_clear(Folder *folder)
{
    g_chmod(folder->dir, 0700);
    g_unlink(folder->path);
    g_rmdir(folder->dir);
    g_free(folder->path);
    g_free(folder->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Folder, folder_clear)

static void append_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    g_assert_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void test_part(void)
{
    g_auto(Folder) folder = {0};
    g_autoptr(GError) error = NULL;
    SealFileState state, other;

    folder_prepare(&folder);
    g_assert_true(seal_file_state(folder.path, &state));
    g_assert_cmpuint(state.length, ==, 10);
    g_assert_true(seal_file_state_is_young(&state, g_get_real_time() / G_USEC_PER_SEC));
    g_assert_false(seal_file_state_is_young(&state, g_get_real_time() / G_USEC_PER_SEC + 60));
    g_autoptr(GBytes) part = seal_file_read_part(folder.path, &state, 3, 4, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(part, NULL), g_bytes_get_size(part), "3456", 4);
    g_assert_null(seal_file_read_part(folder.path, &state, 8, 4, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_clear_error(&error);

    append_text(folder.path, "x");
    g_assert_null(seal_file_read_part(folder.path, &state, 3, 4, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "changed"));
    g_assert_true(seal_file_state(folder.path, &other));
    g_assert_false(seal_file_state_equal(&state, &other));
    g_unlink(folder.path);
    g_assert_false(seal_file_state(folder.path, &other));
    g_assert_cmpuint(other.inode, ==, 0);
}

/* Another file of the same length and time in its place is another file. */
static void test_replaced_file(void)
{
    g_auto(Folder) folder = {0};
    g_autofree char *new = NULL;
    SealFileState state, other;

    folder_prepare(&folder);
    new = g_strconcat(folder.path, ".new", NULL);
    g_assert_true(seal_file_state(folder.path, &state));
    g_assert_true(g_file_set_contents(new, "abcdefghij", -1, NULL));
    const struct timespec times[] = {
        {state.modified / 1000000000, state.modified % 1000000000},
        {state.modified / 1000000000, state.modified % 1000000000},
    };
    g_assert_cmpint(utimensat(AT_FDCWD, new, times, 0), ==, 0);
    g_assert_cmpint(g_rename(new, folder.path), ==, 0);
    g_assert_true(seal_file_state(folder.path, &other));
    g_assert_cmpint(state.modified, ==, other.modified);
    g_assert_false(seal_file_state_equal(&state, &other));
}

static void add_now(SealWatch *watch, const char *path)
{
    SealFileState state;

    seal_file_state(path, &state);
    seal_watch_add(watch, path, &state);
}

static void test_watch(void)
{
    for (guint held = 0; held < 2; held++) {
        g_auto(Folder) folder = {0};
        SealWatch *watch = seal_watch_new();
        guint64 sum = 0, grown = 0, gone = 0;

        folder_prepare(&folder);
        add_now(watch, folder.dir);
        add_now(watch, folder.path);
        if (held)
            seal_watch_hold(watch);
        g_assert_false(seal_watch_look(watch, &sum));
        append_text(folder.path, "x");
        g_assert_true(seal_watch_look(watch, &grown));
        g_assert_cmpuint(grown, !=, sum);
        g_assert_true(seal_watch_look(watch, &sum));
        g_assert_cmpuint(grown, ==, sum);
        g_unlink(folder.path);
        g_assert_true(seal_watch_look(watch, &gone));
        g_assert_cmpuint(gone, !=, grown);
        seal_watch_free(watch);
    }
}

/* What was read before it changed has changed at the first look. */
static void test_watch_before(void)
{
    g_auto(Folder) folder = {0};
    SealWatch *watch = seal_watch_new();
    SealFileState state;
    guint64 sum = 0;

    folder_prepare(&folder);
    seal_file_state(folder.path, &state);
    append_text(folder.path, "x");
    seal_watch_add(watch, folder.path, &state);
    g_assert_true(seal_watch_look(watch, &sum));
    seal_watch_free(watch);
}

/* That a link is set anew shows in the folder that it is in. */
static void test_watch_link(void)
{
    g_auto(Folder) folder = {0};
    SealWatch *watch = seal_watch_new();
    g_autofree char *link = NULL;
    guint64 sum = 0;

    folder_prepare(&folder);
    link = g_build_filename(folder.dir, "link", NULL);
    g_assert_cmpint(symlink("file", link), ==, 0);
    add_now(watch, link);
    seal_watch_hold(watch);
    g_assert_false(seal_watch_look(watch, &sum));
    g_unlink(link);
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    g_assert_true(seal_watch_look(watch, &sum));
    g_unlink(link);
    seal_watch_free(watch);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/bound", test_bound);
    g_test_add_func("/cache/order", test_order);
    g_test_add_func("/cache/replaced", test_replaced);
    g_test_add_func("/files/part", test_part);
    g_test_add_func("/files/replaced", test_replaced_file);
    g_test_add_func("/watch/changes", test_watch);
    g_test_add_func("/watch/before", test_watch_before);
    g_test_add_func("/watch/link", test_watch_link);
    return g_test_run();
}
