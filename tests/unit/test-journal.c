/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The journal of sealpipe-pipe: what it remembers, for how long, and what a crash leaves.
 */
#include "filters/pipe/journal.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = SEAL_JOURNAL_KEY + 3 };

typedef struct {
    char *state_dir;
    char *folder;
    char *today;
} Fixture;

static char *name_of(const Fixture *fixture, long days_ago)
{
    return g_strdup_printf("%s/%ld", fixture->folder, (long)(time(NULL) / 86400) - days_ago);
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->state_dir = g_dir_make_tmp("sealpipe-journal-XXXXXX", NULL);
    fixture->folder = g_build_filename(fixture->state_dir, "journal", NULL);
    fixture->today = name_of(fixture, 0);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(fixture->folder);
    g_rmdir(fixture->state_dir);
    g_free(fixture->state_dir);
    g_free(fixture->folder);
    g_free(fixture->today);
}

static const char *key(char letter)
{
    static char keys[128][SEAL_JOURNAL_KEY + 1];

    memset(keys[(guchar)letter], letter, SEAL_JOURNAL_KEY);
    return keys[(guchar)letter];
}

/* As a new process would see it. */
static gboolean is_known(const Fixture *fixture, char letter)
{
    const char *keys[] = {key(letter)};
    bool found[] = {false};
    SealJournal journal;

    g_assert_true(seal_journal_open(&journal, fixture->state_dir));
    g_assert_true(seal_journal_find(&journal, keys, 1, found));
    seal_journal_close(&journal);
    return found[0];
}

static void test_remembers(Fixture *fixture, gconstpointer unused)
{
    const char *keys[] = {key('c'), key('a'), key('b')};
    bool found[3] = {false};
    SealJournal journal;
    off_t at;

    g_assert_true(seal_journal_open(&journal, fixture->state_dir));
    g_assert_true(seal_journal_begin(&journal, keys, 3, &at));
    for (const char *letter = "abc"; *letter; letter++)
        g_assert_false(is_known(fixture, *letter));
    g_assert_true(seal_journal_mark(&journal, at, 1, 2));
    g_assert_false(is_known(fixture, 'c'));
    g_assert_true(is_known(fixture, 'a'));
    g_assert_true(is_known(fixture, 'b'));
    g_assert_false(is_known(fixture, 'd'));
    g_assert_true(seal_journal_find(&journal, keys, 3, found));
    g_assert_true(!found[0] && found[1] && found[2]);
    g_assert_true(seal_journal_mark(&journal, at, 0, 1));
    g_assert_true(is_known(fixture, 'c'));
    seal_journal_close(&journal);
}

static void test_two_writers(Fixture *fixture, gconstpointer unused)
{
    SealJournal one, two;
    const char *keys[] = {key('a')}, *others[] = {key('b')};
    off_t at, behind;

    g_assert_true(seal_journal_open(&one, fixture->state_dir));
    g_assert_true(seal_journal_open(&two, fixture->state_dir));
    g_assert_true(seal_journal_begin(&one, keys, 1, &at));
    g_assert_true(seal_journal_begin(&two, others, 1, &behind));
    g_assert_cmpint(behind, ==, at + RECORD);
    g_assert_true(seal_journal_mark(&two, behind, 0, 1));
    g_assert_true(!is_known(fixture, 'a') && is_known(fixture, 'b'));
    g_assert_true(seal_journal_mark(&one, at, 0, 1));
    g_assert_true(is_known(fixture, 'a') && is_known(fixture, 'b'));
    seal_journal_close(&one);
    seal_journal_close(&two);
}

/* Many processes at once: each record is whole, and none is lost. */
static void test_many(Fixture *fixture, gconstpointer unused)
{
    enum { CHILDREN = 8, ROUNDS = 40 };
    pid_t children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        const char *keys[] = {key((char)('a' + i))};
        SealJournal journal;
        off_t at;
        bool ok = seal_journal_open(&journal, fixture->state_dir);

        for (int n = 0; n < ROUNDS && ok; n++)
            ok =
                seal_journal_begin(&journal, keys, 1, &at) && seal_journal_mark(&journal, at, 0, 1);
        _exit(ok ? 0 : 1);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;

        g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
        g_assert_cmpint(status, ==, 0);
        g_assert_true(is_known(fixture, (char)('a' + i)));
    }
    struct stat st;
    g_assert_cmpint(stat(fixture->today, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, CHILDREN * ROUNDS * RECORD);
}

/* Ended in the middle of a record: the next one is whole all the same. */
static void test_torn(Fixture *fixture, gconstpointer unused)
{
    const char *keys[] = {key('a'), key('b')};
    SealJournal journal;
    off_t at;

    g_assert_true(seal_journal_open(&journal, fixture->state_dir));
    g_assert_true(seal_journal_begin(&journal, keys, 2, &at));
    g_assert_true(seal_journal_mark(&journal, at, 0, 2));
    g_assert_cmpint(truncate(fixture->today, RECORD + 20), ==, 0);
    g_assert_true(is_known(fixture, 'a') && !is_known(fixture, 'b'));
    g_assert_true(seal_journal_begin(&journal, keys + 1, 1, &at));
    g_assert_cmpint(at, ==, RECORD);
    g_assert_true(seal_journal_mark(&journal, at, 0, 1));
    g_assert_true(is_known(fixture, 'a') && is_known(fixture, 'b'));
    seal_journal_close(&journal);
}

static void age(const Fixture *fixture, long days)
{
    g_autofree char *old = name_of(fixture, days);

    g_assert_cmpint(g_rename(fixture->today, old), ==, 0);
}

static void record(const Fixture *fixture, char letter)
{
    const char *keys[] = {key(letter)};
    SealJournal journal;
    off_t at;

    g_assert_true(seal_journal_open(&journal, fixture->state_dir));
    g_assert_true(seal_journal_begin(&journal, keys, 1, &at));
    g_assert_true(seal_journal_mark(&journal, at, 0, 1));
    seal_journal_close(&journal);
}

/* 'a' was recorded @days ago, and then something on each of the @others days before today. */
static void record_days(const Fixture *fixture, long days, long others)
{
    record(fixture, 'a');
    age(fixture, days);
    for (long i = others; i >= 0; i--) {
        record(fixture, (char)('b' + i));
        if (i > 0)
            age(fixture, i);
    }
}

static gboolean is_there(const Fixture *fixture, long days)
{
    g_autofree char *path = name_of(fixture, days);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void test_age(Fixture *fixture, gconstpointer unused)
{
    /* With today's there are seven younger than the one of 7 days ago. */
    record_days(fixture, 7, 6);
    g_assert_true(is_known(fixture, 'g') && is_there(fixture, 6));
    g_assert_false(is_there(fixture, 7));
    g_assert_false(is_known(fixture, 'a'));
    for (char letter = 'b'; letter <= 'h'; letter++)
        g_assert_true(is_known(fixture, letter));
}

/* What is asked for again is kept for as long as it is. */
static void test_age_needed(Fixture *fixture, gconstpointer unused)
{
    record_days(fixture, 9, 6);
    for (int i = 0; i < 3; i++)
        g_assert_true(is_known(fixture, 'a'));
    g_assert_false(is_known(fixture, 'z'));
    g_assert_false(is_there(fixture, 9));
}

/* To a clock that has jumped everything is old. */
static void test_clock_ahead(Fixture *fixture, gconstpointer unused)
{
    record_days(fixture, 405, 0);
    for (long i = 400; i < 405; i++) {
        record(fixture, (char)('b' + i - 400));
        age(fixture, i);
    }
    record(fixture, 'y');
    g_assert_false(is_known(fixture, 'z'));
    for (long i = 400; i <= 405; i++)
        g_assert_true(is_there(fixture, i));
    g_assert_true(is_known(fixture, 'a') && is_known(fixture, 'f') && is_known(fixture, 'y'));
}

/* Back again, it finds what it has written ahead. */
static void test_clock_back(Fixture *fixture, gconstpointer unused)
{
    record(fixture, 'a');
    age(fixture, -400);
    record(fixture, 'b');
    g_assert_true(is_known(fixture, 'a') && is_known(fixture, 'b'));
    g_assert_false(is_known(fixture, 'z'));
    g_assert_true(is_there(fixture, -400));
}

/* Those that the letters stand for, of one message. */
static gboolean lock_keys(SealJournal *journal, const char *letters)
{
    const char *keys[8];
    size_t count = strlen(letters);

    for (size_t i = 0; i < count; i++)
        keys[i] = key(letters[i]);
    return seal_journal_lock(journal, "Q1", keys, count);
}

/* As a new process would. */
static gboolean hold_lock(const Fixture *fixture, const char *letters, SealJournal *journal)
{
    g_assert_true(seal_journal_open(journal, fixture->state_dir));
    return lock_keys(journal, letters);
}

static void test_lock(Fixture *fixture, gconstpointer unused)
{
    SealJournal one, same, other;

    g_assert_true(hold_lock(fixture, "ab", &one));
    g_assert_false(hold_lock(fixture, "bc", &same));
    g_assert_nonnull(strstr(same.why, "another run is handing the same over"));
    seal_journal_close(&same);
    g_assert_true(hold_lock(fixture, "cd", &other));
    seal_journal_close(&other);
    /* What another descriptor of this process did has released nothing. */
    g_assert_false(hold_lock(fixture, "a", &same));
    seal_journal_close(&one);
    g_assert_true(lock_keys(&same, "a"));
    seal_journal_close(&same);
}

/* One lock stands for all, of this message and of no other. */
static void test_lock_many(Fixture *fixture, gconstpointer unused)
{
    enum { MANY = 1000 };
    const char *keys[MANY];
    SealJournal one, other;

    for (int i = 0; i < MANY; i++)
        keys[i] = key('a');
    g_assert_true(seal_journal_open(&one, fixture->state_dir));
    g_assert_true(seal_journal_lock(&one, "Q1", keys, MANY));
    g_assert_false(hold_lock(fixture, "z", &other));
    g_assert_true(seal_journal_lock(&other, "Q2", keys, 1));
    seal_journal_close(&one);
    seal_journal_close(&other);
    g_assert_true(hold_lock(fixture, "z", &other));
    g_assert_true(seal_journal_open(&one, fixture->state_dir));
    g_assert_false(seal_journal_lock(&one, "Q1", keys, MANY));
    seal_journal_close(&one);
    seal_journal_close(&other);
}

/* Whoever is killed holds nothing any more, and what has been waiting gets it. */
static void test_lock_after_crash(Fixture *fixture, gconstpointer unused)
{
    SealJournal journal;
    int ready[2], status;
    char octet;

    g_assert_cmpint(pipe(ready), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        if (hold_lock(fixture, "a", &journal) && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    g_assert_cmpint(read(ready[0], &octet, 1), ==, 1);
    g_assert_false(hold_lock(fixture, "a", &journal));
    seal_journal_close(&journal);
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(hold_lock(fixture, "a", &journal));
    seal_journal_close(&journal);
    close(ready[0]);
    close(ready[1]);
}

static void refused(const Fixture *fixture, const char *word)
{
    SealJournal journal;

    g_assert_false(seal_journal_open(&journal, fixture->state_dir));
    if (!strstr(journal.why, word))
        g_error("\"%s\" does not say %s", journal.why, word);
    seal_journal_close(&journal);
}

static void test_bad_folders(Fixture *fixture, gconstpointer unused)
{
    Fixture nowhere = {.state_dir = (char *)"/nonexistent"};

    refused(&nowhere, "cannot open the state folder /nonexistent: No such file");
    record(fixture, 'a');
    g_assert_cmpint(g_chmod(fixture->folder, 0777), ==, 0);
    refused(fixture, "/journal has mode 0777 and belongs to uid ");
    g_assert_cmpint(g_chmod(fixture->folder, 0700), ==, 0);
    g_assert_cmpint(g_unlink(fixture->today), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", fixture->today), ==, 0);
    refused(fixture, "cannot open the journal's file");
    g_assert_cmpint(g_unlink(fixture->today), ==, 0);
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
    g_assert_cmpint(symlink("/tmp", fixture->folder), ==, 0);
    refused(fixture, "cannot open the journal's folder");
    g_assert_cmpint(g_unlink(fixture->folder), ==, 0);
}

/* A file that is no journal is nobody's entry. */
static void test_rubbish(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *other = NULL, *odd = NULL;
    g_autofree char *rubbish = g_strnfill(RECORD * 3 + 7, 'a');

    record(fixture, 'b');
    other = name_of(fixture, 1);
    odd = g_build_filename(fixture->folder, "notes", NULL);
    g_assert_true(g_file_set_contents(other, rubbish, -1, NULL));
    g_assert_true(g_file_set_contents(odd, rubbish, -1, NULL));
    g_assert_true(!is_known(fixture, 'a') && is_known(fixture, 'b'));
    g_assert_true(g_file_test(odd, G_FILE_TEST_EXISTS));
}

#define ADD(name, function) g_test_add("/journal/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("remembers", test_remembers);
    ADD("two-writers", test_two_writers);
    ADD("many", test_many);
    ADD("torn", test_torn);
    ADD("age", test_age);
    ADD("age-needed", test_age_needed);
    ADD("clock-ahead", test_clock_ahead);
    ADD("clock-back", test_clock_back);
    ADD("lock", test_lock);
    ADD("lock-many", test_lock_many);
    ADD("lock-after-crash", test_lock_after_crash);
    ADD("bad-folders", test_bad_folders);
    ADD("rubbish", test_rubbish);
    return g_test_run();
}
