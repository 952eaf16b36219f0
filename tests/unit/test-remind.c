/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-remind.c: when something that ends is to be said, what is remembered of it, and what may be
 * shown of texts that came with keys.
 */
#include "filters/ctl/remind/letter.h"
#include "filters/ctl/remind/memory.h"

#include <glib/gstdio.h>
#include <string.h>

#define DAY ((gint64)86400)

enum { NOW = 1800000000 };

char *ctl_key_addresses(const SealKey *key);

/* That of sealctl has more around it. */
char *ctl_key_addresses(const SealKey *key)
{
    return g_strdup(seal_key_label(key));
}

static GArray *days_new(void)
{
    static const gint days[] = {30, 14, 3};
    GArray *array = g_array_new(FALSE, FALSE, sizeof(gint));

    g_array_append_vals(array, days, G_N_ELEMENTS(days));
    return array;
}

static void test_steps(void)
{
    static const struct {
        gint64 left;
        gint step;
    } cases[] = {
        {31 * DAY, REMIND_EARLY},
        {30 * DAY + 1, REMIND_EARLY},
        {30 * DAY, 30},
        {14 * DAY + 1, 30},
        {14 * DAY, 14},
        {3 * DAY + 1, 14},
        {3 * DAY, 3},
        {1, 3},
        {0, 0},
        {-400 * DAY, 0},
        {G_MAXINT64 - NOW, REMIND_EARLY},
    };
    g_autoptr(GArray) days = days_new();

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(remind_step(days, NOW + cases[i].left, NOW), ==, cases[i].step);
    g_assert_cmpint(remind_step(days, 0, NOW), ==, 0);
}

/* Runs at each of @at (days before the end), and counts what is said. */
static guint count_said(RemindMemory *memory, const gint *at, guint count)
{
    g_autoptr(GArray) days = days_new();
    guint said = 0;

    for (guint i = 0; i < count; i++) {
        gint step = remind_step(days, NOW, NOW - at[i] * DAY);

        if (step < remind_memory_said(memory, REMIND_ADMIN, "pgp:aa", NOW)) {
            remind_memory_say(memory, REMIND_ADMIN, "pgp:aa", NOW, step);
            said++;
        }
    }
    return said;
}

static void test_each_once(void)
{
    static const gint daily_twice[] = {31, 31, 30, 30, 29, 29, 15, 14, 14, 13,
                                       4,  3,  3,  2,  1,  0,  0,  -1, -20};
    static const gint missed[] = {40, 10, 9, 4, -5, -6};
    g_autoptr(RemindMemory) one = remind_memory_new(), other = remind_memory_new();

    g_assert_cmpuint(count_said(one, daily_twice, G_N_ELEMENTS(daily_twice)), ==, 4);
    g_assert_cmpuint(count_said(other, missed, G_N_ELEMENTS(missed)), ==, 2);
}

static void test_renewed(void)
{
    g_autoptr(RemindMemory) memory = remind_memory_new();

    remind_memory_say(memory, REMIND_ADMIN, "pgp:aa", NOW, 3);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "pgp:aa", NOW), ==, 3);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "pgp:aa", NOW + DAY), ==,
                    REMIND_EARLY);
    g_assert_cmpint(remind_memory_said(memory, "a@example.org", "pgp:aa", NOW), ==, REMIND_EARLY);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "pgp:ab", NOW), ==, REMIND_EARLY);
}

static void test_one_a_day(void)
{
    const gint64 morning = NOW / DAY * DAY;
    g_autoptr(RemindMemory) memory = remind_memory_new();

    g_assert_false(remind_memory_wrote(memory, REMIND_ADMIN, morning));
    remind_memory_write_to(memory, REMIND_ADMIN, morning);
    g_assert_true(remind_memory_wrote(memory, REMIND_ADMIN, morning + DAY - 1));
    g_assert_false(remind_memory_wrote(memory, REMIND_ADMIN, morning + DAY));
    g_assert_false(remind_memory_wrote(memory, "a@example.org", morning));
}

typedef struct {
    char *dir;
    char *path;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("sealpipe-test-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "reminders", NULL);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    g_unlink(f->path);
    g_rmdir(f->dir);
    g_free(f->path);
    g_free(f->dir);
}

static RemindMemory *read_sound(const Fixture *f)
{
    g_autofree char *damage = NULL;
    g_autoptr(GError) error = NULL;
    RemindMemory *memory = remind_memory_read(f->path, &damage, &error);

    g_assert_no_error(error);
    g_assert_null(damage);
    return memory;
}

static void write_some(const Fixture *f)
{
    g_autoptr(RemindMemory) memory = remind_memory_new();
    g_autoptr(GError) error = NULL;

    remind_memory_say(memory, REMIND_ADMIN, "smime:ab", NOW, 14);
    remind_memory_say(memory, "\"a b\nsaid\"@example.org", "smime:ab", NOW, 3);
    remind_memory_say(memory, REMIND_ADMIN, "check:license", 0, 0);
    remind_memory_write_to(memory, "a@example.org", NOW);
    remind_memory_write(memory, f->path, &error);
    g_assert_no_error(error);
}

static void test_file(Fixture *f, gconstpointer data)
{
    g_autoptr(RemindMemory) none = read_sound(f);
    g_assert_cmpint(remind_memory_said(none, REMIND_ADMIN, "smime:ab", NOW), ==, REMIND_EARLY);

    write_some(f);
    g_autoptr(RemindMemory) memory = read_sound(f);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "smime:ab", NOW), ==, 14);
    g_assert_cmpint(remind_memory_said(memory, "\"a b\nsaid\"@example.org", "smime:ab", NOW), ==,
                    3);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "check:license", 0), ==, 0);
    g_assert_true(remind_memory_wrote(memory, "a@example.org", NOW));

    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(ids, (char *)"smime:ab");
    remind_memory_keep(memory, ids);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "smime:ab", NOW), ==, 14);
    g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "check:license", 0), ==, REMIND_EARLY);
}

/* Whatever octet is another one, or missing, is found. */
static void test_damaged(Fixture *f, gconstpointer data)
{
    g_autofree char *whole = NULL;
    gsize length = 0;

    write_some(f);
    g_file_get_contents(f->path, &whole, &length, NULL);
    for (gsize i = 0; i <= length; i++) {
        for (guint cut = 0; cut < 2; cut++) {
            g_autofree char *broken = g_memdup2(whole, length + 1);
            g_autofree char *damage = NULL;
            g_autoptr(GError) error = NULL;

            if (i == length && cut)
                continue;
            broken[i] ^= cut ? 0 : 1;
            g_file_set_contents(f->path, broken, (gssize)(cut ? i : length + (i == length)), NULL);
            g_autoptr(RemindMemory) memory = remind_memory_read(f->path, &damage, &error);
            g_assert_no_error(error);
            g_assert_nonnull(damage);
            g_assert_cmpint(remind_memory_said(memory, REMIND_ADMIN, "smime:ab", NOW), ==,
                            REMIND_EARLY);
        }
    }
}

static void test_text(void)
{
    static const char *const cases[][2] = {
        {"CN=Alice Example", "CN=Alice Example"},
        {"Alice <alice@example.org>", "Alice <alice@example.org>"},
        {"alice@example.org, bob@example.net", "alice@example.org, bob@example.net"},
        {"Sectigo S.A.", "Sectigo S.A."},
        {"see https://evil.example/x?y", "see https[:]//evil[.]example/x?y"},
        {"www.evil.example", "www[.]evil[.]example"},
        {"pay at evil.example now", "pay at evil[.]example now"},
        {"a@b.example/evil.example", "a@b[.]example/evil[.]example"},
        {"mailto:x@evil.example", "mailto[:]x@evil[.]example"},
        {"javascript:alert", "javascript[:]alert"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = remind_text(cases[i][0]);
        g_assert_cmpstr(text, ==, cases[i][1]);
    }
    g_autofree char *line = remind_text("a\r\nBcc: x\x1b[31m\xe2\x80\xae\xff");
    g_assert_null(strpbrk(line, "\r\n\x1b"));
    g_assert_null(strstr(line, "\xe2\x80\xae"));
    g_assert_true(g_utf8_validate(line, -1, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/remind/steps", test_steps);
    g_test_add_func("/remind/each-once", test_each_once);
    g_test_add_func("/remind/renewed", test_renewed);
    g_test_add_func("/remind/one-a-day", test_one_a_day);
    g_test_add("/remind/file", Fixture, NULL, set_up, test_file, tear_down);
    g_test_add("/remind/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
    g_test_add_func("/remind/text", test_text);
    return g_test_run();
}
