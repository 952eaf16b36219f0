/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-ledger.c: what became of mail is written down and read again: by several at once, with a
 * clock that jumps, on a disk that is full, and out of files that are damaged.
 */
#include "core/base/ledger.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

enum {
    DAY = SEAL_LEDGER_DAY,
    TODAY = 20787, /* 2026-11-30 */
    NOON = 12 * 60 * 60,
    STRANGER = 12345,
};

#define DAY_NAME "2026-11-30"

typedef struct {
    char *state;
    char *folder; /* in it */
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->state = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    f->folder = g_build_filename(f->state, SEAL_LEDGER_FOLDER, NULL);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    const char *const argv[] = {"rm", "-rf", f->state, NULL};

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_free(f->folder);
    g_free(f->state);
}

/* -------------------------------------------------------------------------------------------
 * Helpers
 */

static const SealLedgerEntry SEALED = {
    .by = "transport",
    .domain = "example.org",
    .result = "sealed",
    .format = "smime",
    .rule = "",
    .code = "key",
    .sender = "example.com",
    .count = 1,
};

static GArray *make_entries(const SealLedgerEntry *entry, guint count)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof *entry);

    for (guint i = 0; i < count; i++)
        g_array_append_vals(entries, entry, 1);
    return entries;
}

static gboolean append_at(const Fixture *f, gint64 days, gint64 now, guint count, GError **error)
{
    g_autoptr(GArray) entries = make_entries(&SEALED, count);

    return seal_ledger_append(f->state, days, now, entries, error);
}

static void append_on(const Fixture *f, gint64 days, gint64 day)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(append_at(f, days, day * DAY + NOON, 1, &error));
    g_assert_no_error(error);
}

static void assert_refused(const Fixture *f, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(append_at(f, 400, (gint64)TODAY * DAY, 1, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, why));
}

static char *path_of(const Fixture *f, const char *name)
{
    return g_build_filename(f->folder, name, NULL);
}

static char *contents_of(const Fixture *f, const char *name)
{
    g_autofree char *path = path_of(f, name);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

static void put_contents(const Fixture *f, const char *name, const char *text, gsize length)
{
    g_autofree char *path = path_of(f, name);

    g_mkdir(f->folder, 0750);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(seal_fd_write(fd, text, length));
    close(fd);
}

typedef struct {
    GString *days;
    guint lines;
    guint count;
    char *rule; /* the last one's */
} Found;

static void note_line(gint64 day, const SealLedgerEntry *entry, gpointer user_data)
{
    Found *found = user_data;

    if (!entry) {
        g_string_append_printf(found->days, " %d", (int)(day - TODAY));
        return;
    }
    g_assert_true(g_utf8_validate(entry->domain, -1, NULL));
    found->lines++;
    found->count += entry->count;
    g_free(found->rule);
    found->rule = g_strdup(entry->rule);
}

static void found_clear(Found *found)
{
    g_string_free(found->days, TRUE);
    g_free(found->rule);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

static SealLedgerFaults read_from(const Fixture *f, gint64 first, gint64 last, Found *found)
{
    g_autoptr(GError) error = NULL;
    SealLedgerFaults faults;

    found->days = g_string_new(NULL);
    g_assert_true(seal_ledger_read(f->state, first, last, note_line, found, &faults, &error));
    g_assert_no_error(error);
    return faults;
}

static SealLedgerFaults read_all(const Fixture *f, Found *found)
{
    return read_from(f, 0, G_MAXINT64, found);
}

/* -------------------------------------------------------------------------------------------
 * Lines
 */

static void test_line(Fixture *f, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);

    seal_ledger_put(text, (gint64)TODAY * DAY + 7 * 3600 + 5 * 60 + 59, &SEALED);
    g_assert_cmpstr(text->str, ==,
                    "1 07:05 transport 1 example.org sealed smime - key example.com .\n");
}

static char *long_text(const char *piece, guint times)
{
    GString *text = g_string_new(NULL);

    while (times-- > 0)
        g_string_append(text, piece);
    return g_string_free(text, FALSE);
}

/* Whatever stands in it, a line is a line, and is the same when it is read. */
static void test_line_back(Fixture *f, gconstpointer data)
{
    static const char *const rules[] = {"",
                                        "-",
                                        "--",
                                        "a b",
                                        "\n",
                                        "1 . .\n1 2",
                                        ".",
                                        "100%",
                                        "%2D",
                                        "Gr\xc3\xbc\xc3\x9f"
                                        "e",
                                        "\x7f\t",
                                        "=",
                                        "\"",
                                        "[rule]",
                                        NULL};

    for (const char *const *rule = rules; *rule; rule++) {
        g_autoptr(GString) text = g_string_new(NULL);
        SealLedgerEntry entry = SEALED, back;

        entry.rule = *rule;
        entry.domain = "[ipv6:2001:db8::1]";
        entry.count = 999999999;
        seal_ledger_put(text, 0, &entry);
        g_assert_true(text->str[text->len - 1] == '\n' &&
                      strchr(text->str, '\n') == text->str + text->len - 1);
        g_string_truncate(text, text->len - 1);
        g_assert_true(seal_ledger_parse(text->str, text->len, &back));
        g_assert_cmpstr(back.rule, ==, *rule);
        g_assert_cmpstr(back.domain, ==, entry.domain);
        g_assert_cmpstr(back.sender, ==, entry.sender);
        g_assert_cmpuint(back.count, ==, entry.count);
    }
}

static void test_line_long(Fixture *f, gconstpointer data)
{
    g_autofree char *rule = long_text("\xc3\xa4x", 200), *domain = long_text("a.", 400);
    g_autoptr(GString) text = g_string_new(NULL);
    SealLedgerEntry entry = SEALED, back;

    entry.rule = entry.code = entry.by = entry.result = entry.format = rule;
    entry.domain = entry.sender = domain;
    seal_ledger_put(text, 0, &entry);
    g_assert_cmpuint(text->len, <, SEAL_LEDGER_LINE);
    g_string_truncate(text, text->len - 1);
    g_assert_true(seal_ledger_parse(text->str, text->len, &back));
    g_assert_true(g_str_has_prefix(rule, back.rule));
    g_assert_cmpuint(strlen(back.rule), ==, 99); /* no half character */
    g_assert_cmpuint(strlen(back.domain), ==, 255);
}

static void test_line_refused(Fixture *f, gconstpointer data)
{
    static const char *const lines[] = {
        "",
        "1",
        "2 07:05 transport 1 example.org sealed smime - key example.com .",
        "1 7:05 transport 1 example.org sealed smime - key example.com .",
        "1 07:05 transport 0 example.org sealed smime - key example.com .",
        "1 07:05 transport 1x example.org sealed smime - key example.com .",
        "1 07:05 transport -1 example.org sealed smime - key example.com .",
        "1 07:05 transport 1000000000 example.org sealed smime - key example.com .",
        "1 07:05 transport 1 example.org sealed smime - key example.com",
        "1 07:05 transport 1 example.org sealed smime - key example.com ",
        "1 07:05 transport 1 example.org sealed smime - key .",
        "1 07:05 transport 1 example.org sealed smime - key example.com . .",
        "1 07:05 transport 1 example.org sealed smime - key example.com ..",
        "1 07:05 transport 1 example.org sealed smime  key example.com .",
        "1 07:05 transport 1 example%2 sealed smime - key example.com .",
        "1 07:05 transport 1 example%zz sealed smime - key example.com .",
        "1 07:05 transport 1 example%00 sealed smime - key example.com .",
        "1 07:05 transport 1 example%FF sealed smime - key example.com .",
        "1 07:05 transport 1 ex\xc3\xa4mple sealed smime - key example.com .",
        "1 07:05 transport 1 example.org sealed smime - key exam1 07:05 transport 1 a b c d e f .",
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *line = g_strdup(lines[i]);
        SealLedgerEntry entry;

        g_assert_false(seal_ledger_parse(line, strlen(lines[i]), &entry));
    }
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

static void test_files(Fixture *f, gconstpointer data)
{
    g_autofree char *path = path_of(f, DAY_NAME);
    g_auto(Found) found = {0}, some = {0};
    struct stat st;

    append_on(f, 400, TODAY - 1);
    append_on(f, 400, TODAY);
    g_assert_true(append_at(f, 400, (gint64)TODAY * DAY + DAY - 1, 3, NULL));
    append_on(f, 400, TODAY + 1);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0640);

    SealLedgerFaults faults = read_all(f, &found);
    g_assert_cmpstr(found.days->str, ==, " -1 0 1");
    g_assert_cmpuint(found.count, ==, 6);
    g_assert_true(faults.damaged == 0 && faults.unread == 0 && faults.missing == 0);
    g_assert_cmpint(faults.missing_day, ==, -1);
    read_from(f, TODAY, TODAY, &some);
    g_assert_cmpstr(some.days->str, ==, " 0");
    g_assert_cmpuint(some.count, ==, 4);
}

/* The folder of a service that has no state yet is for others to make. */
static void test_nowhere(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    SealLedgerFaults faults;

    g_assert_cmpint(g_rmdir(f->state), ==, 0);
    append_on(f, 400, TODAY);
    g_assert_false(g_file_test(f->state, G_FILE_TEST_EXISTS));
    g_assert_false(seal_ledger_read(f->state, 0, G_MAXINT64, note_line, NULL, &faults, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "it begins with the next message"));
}

/* More than one write has room for. */
static void test_many_at_once(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};

    g_assert_true(append_at(f, 400, (gint64)TODAY * DAY, 5000, NULL));
    g_assert_cmpint(read_all(f, &found).damaged, ==, 0);
    g_assert_cmpuint(found.count, ==, 5000);
}

enum {
    PROCESSES = 4,
    EACH = 500,
};

/* Each begins the day, the folder, or neither. */
static void test_together(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};
    pid_t children[PROCESSES];

    for (guint i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        g_assert_cmpint(children[i], >=, 0);
        if (children[i] != 0)
            continue;
        for (guint n = 0; n < EACH; n++) {
            if (!append_at(f, 400, (gint64)TODAY * DAY, 1 + n % 20, NULL))
                _exit(1);
        }
        _exit(0);
    }
    for (guint i = 0; i < PROCESSES; i++) {
        int status = -1;

        g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
        g_assert_cmpint(status, ==, 0);
    }
    g_assert_cmpint(read_all(f, &found).damaged, ==, 0);
    g_assert_cmpuint(found.count, ==, PROCESSES * EACH / 20 * 210);
}

/* Its last one at most, and nobody else's. */
static void test_killed(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};
    g_autofree char *path = path_of(f, DAY_NAME);
    struct stat st = {0};
    pid_t child = fork();

    while (child == 0)
        append_at(f, 400, (gint64)TODAY * DAY, 2, NULL);
    while (stat(path, &st) != 0 || st.st_size < 100000)
        g_usleep(100);
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    append_on(f, 400, TODAY);
    g_assert_cmpint(read_all(f, &found).damaged, ==, 0);
    g_assert_cmpuint(found.count % 2, ==, 1);
    g_assert_cmpuint(found.count, >, 1000);
}

/* -------------------------------------------------------------------------------------------
 * Clocks
 */

static void test_old_days(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};

    for (gint64 day = TODAY - 40; day <= TODAY; day++)
        append_on(f, 30, day);
    put_contents(f, "2019-01-01x", "1", 1);
    put_contents(f, "notes", "1", 1);
    read_all(f, &found);
    g_assert_cmpuint(found.count, ==, 30);
    g_assert_true(g_str_has_prefix(found.days->str, " -29 -28"));
    g_autofree char *notes = contents_of(f, "notes"); /* what is not ours stays */
    g_autofree char *other = contents_of(f, "2019-01-01x");
}

static void test_few_days(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};

    for (gint64 day = TODAY - 5; day <= TODAY; day++)
        append_on(f, 2, day);
    read_all(f, &found);
    g_assert_cmpstr(found.days->str, ==, " -1 0");
}

/* A clock that is wrong for a while takes nothing away, and what it wrote is read. */
static void test_clock(Fixture *f, gconstpointer data)
{
    g_auto(Found) found = {0};

    for (gint64 day = TODAY - 10; day <= TODAY; day++)
        append_on(f, 30, day);
    append_on(f, 30, TODAY + 4000);
    append_on(f, 30, TODAY + 4001);
    append_on(f, 30, TODAY);
    append_on(f, 30, TODAY - 10);
    append_on(f, 30, 0);
    read_all(f, &found);
    g_assert_cmpuint(found.count, ==, 16);
    g_assert_true(g_str_has_suffix(found.days->str, " 0 4000 4001"));
}

/* -------------------------------------------------------------------------------------------
 * What cannot be written
 */

/* In a process that may write no more than this to a file. TRUE where all went well. */
static gboolean with_limit(const Fixture *f, gsize size, guint count)
{
    const struct rlimit limit = {size, size};
    int status = -1;
    pid_t child = fork();

    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(append_at(f, 400, (gint64)TODAY * DAY, count, NULL) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    return status == 0;
}

/* What was cut is one damaged line; the others are as they were, and what is missing is counted. */
static void test_full_disk(Fixture *f, gconstpointer data)
{
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC / DAY;
    g_auto(Found) found = {0};

    append_on(f, 400, TODAY);
    g_autofree char *before = contents_of(f, DAY_NAME);
    g_assert_false(with_limit(f, strlen(before) + 20, 3));
    g_assert_false(with_limit(f, strlen(before) + 20, 4));
    append_on(f, 400, TODAY);
    SealLedgerFaults faults = read_all(f, &found);
    g_assert_cmpint(faults.damaged, ==, 1);
    g_assert_cmpuint(found.count, ==, 2);
    g_assert_cmpint(faults.missing, ==, 7);
    g_assert_cmpint(faults.missing_day, >=, now);
}

/* Cut at any octet, no other line comes of it. */
static void test_cut(Fixture *f, gconstpointer data)
{
    append_on(f, 400, TODAY);
    g_autofree char *whole = contents_of(f, DAY_NAME);

    for (gsize length = 1; length < strlen(whole); length++) {
        g_auto(Found) found = {0};

        put_contents(f, DAY_NAME, whole, length);
        append_on(f, 400, TODAY);
        g_assert_cmpint(read_all(f, &found).damaged, <=, 1);
        g_assert_cmpuint(found.lines, ==, length + 1 == strlen(whole) ? 2 : 1);
    }
}

static void test_not_ours(Fixture *f, gconstpointer data)
{
    g_autofree char *path = path_of(f, DAY_NAME), *target = g_build_filename(f->state, "x", NULL);

    g_assert_cmpint(g_mkdir(f->folder, 0755), ==, 0);
    g_assert_cmpint(g_chmod(f->folder, 0777), ==, 0);
    assert_refused(f, "others can write to it");
    g_assert_cmpint(g_chmod(f->folder, 0755), ==, 0);
    g_assert_cmpint(symlink(target, path), ==, 0);
    assert_refused(f, DAY_NAME);
    g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
    assert_refused(f, DAY_NAME);
    g_assert_cmpint(g_rmdir(path), ==, 0);
    append_on(f, 400, TODAY);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(f->folder, STRANGER, STRANGER), ==, 0);
        assert_refused(f, "belongs to another user");
    }
}

/* Root as [core] user, say: what he made in another user's folder would be in that one's way. */
static void test_state_not_ours(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(g_chmod(f->state, 0777), ==, 0);
    assert_refused(f, "others can write to it");
    g_assert_cmpint(g_chmod(f->state, 0755), ==, 0);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(f->state, STRANGER, STRANGER), ==, 0);
        assert_refused(f, "who has to own state_dir");
    }
    g_assert_false(g_file_test(f->folder, G_FILE_TEST_EXISTS));
    g_assert_cmpint(chown(f->state, geteuid(), (gid_t)-1), ==, 0);
    append_on(f, 400, TODAY);
}

static void write_now(guint count)
{
    g_autoptr(GArray) entries = make_entries(&SEALED, count);

    seal_ledger_write(entries);
    g_assert_cmpuint(entries->len, <=, count);
}

static void remove_folder(const Fixture *f)
{
    const char *const argv[] = {"rm", "-r", f->folder, NULL};

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
}

/* The file stays open; one that was removed is made anew, and what is full is tried again. */
static void test_often(Fixture *f, gconstpointer data)
{
    g_auto(Found) first = {0}, second = {0};

    seal_ledger_configure(f->state, 400);
    write_now(1);
    write_now(2);
    write_now(500);
    read_all(f, &first);
    g_assert_cmpuint(first.count, ==, 503);
    remove_folder(f);
    write_now(3);
    write_now(4);
    seal_ledger_configure(f->state, 0);
    read_all(f, &second);
    g_assert_cmpuint(second.count, ==, 7);
}

/* It is said once, and again when it had been mended. */
static void test_said_once(Fixture *f, gconstpointer data)
{
    g_autofree char *log = g_build_filename(f->state, "log", NULL);
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;

    seal_log_configure(log, SEAL_LOG_WARNING);
    seal_ledger_configure(f->state, 400);
    g_assert_cmpint(g_mkdir(f->folder, 0755), ==, 0);
    for (guint round = 0; round < 2; round++) {
        g_assert_cmpint(g_chmod(f->folder, 0777), ==, 0);
        write_now(1);
        write_now(1);
        g_assert_cmpint(g_chmod(f->folder, 0755), ==, 0);
        write_now(1);
        remove_folder(f);
        g_assert_cmpint(g_mkdir(f->folder, 0755), ==, 0);
    }
    seal_ledger_configure(f->state, 0);
    seal_log_configure("stderr", SEAL_LOG_INFO);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_nonnull(strstr(lines[0], "is not written down for sealctl report"));
}

static void test_none_kept(Fixture *f, gconstpointer data)
{
    seal_ledger_configure(f->state, 0);
    write_now(1);
    g_assert_false(g_file_test(f->folder, G_FILE_TEST_EXISTS));
    seal_ledger_configure(f->state, 1);
    write_now(1);
    g_assert_true(g_file_test(f->folder, G_FILE_TEST_IS_DIR));
    seal_ledger_configure(f->state, 0);
}

/* -------------------------------------------------------------------------------------------
 * What is damaged
 */

enum {
    ROUNDS = 2000,
    LINES = 40,
};

/* Octets that are anything, at any place: whatever is read is counted, one way or the other. */
static void test_damage(Fixture *f, gconstpointer data)
{
    g_assert_true(append_at(f, 400, (gint64)TODAY * DAY, LINES, NULL));
    g_autofree char *whole = contents_of(f, DAY_NAME);
    const gsize length = strlen(whole);

    for (guint round = 0; round < ROUNDS; round++) {
        g_autofree char *text = g_memdup2(whole, length + 1);
        guint hits = (guint)g_test_rand_int_range(1, 30);
        g_auto(Found) found = {0};

        for (guint i = 0; i < hits; i++)
            text[g_test_rand_int_range(0, (gint32)length)] = (char)g_test_rand_int_range(0, 256);
        put_contents(f, DAY_NAME, text, length);
        SealLedgerFaults faults = read_all(f, &found);
        g_assert_cmpint(faults.unread, ==, 0);
        /* A line may fall apart, or two be one. */
        g_assert_cmpint(found.lines + faults.damaged, <=, LINES + hits);
        g_assert_cmpint(found.lines + faults.damaged + hits, >=, LINES);
    }
}

/* Lines without an end, and one that is there all the same. */
static void test_endless(Fixture *f, gconstpointer data)
{
    static const gsize lengths[] = {2000,  2047,   2048,   2049,   65535, 65536,
                                    65537, 131071, 131072, 131073, 500000};
    g_autoptr(GString) line = g_string_new(NULL);

    seal_ledger_put(line, 0, &SEALED);
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(GString) text = g_string_new(line->str);
        g_auto(Found) found = {0}, open = {0};

        for (gsize n = 0; n < lengths[i]; n++)
            g_string_append_c(text, 'x');
        put_contents(f, DAY_NAME, text->str, text->len);
        g_assert_cmpint(read_all(f, &open).damaged, ==, 1);
        g_assert_cmpuint(open.lines, ==, 1);
        g_string_append_c(text, '\n');
        g_string_append(text, line->str);
        put_contents(f, DAY_NAME, text->str, text->len);
        g_assert_cmpint(read_all(f, &found).damaged, ==, 1);
        g_assert_cmpuint(found.lines, ==, 2);
    }
}

static void test_no_file(Fixture *f, gconstpointer data)
{
    g_autofree char *pipe = path_of(f, "2026-11-28"), *loop = path_of(f, "2026-11-29");
    g_auto(Found) found = {0};

    append_on(f, 400, TODAY);
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_assert_cmpint(symlink("2026-11-30", loop), ==, 0);
    g_assert_cmpint(read_all(f, &found).unread, ==, 2);
    g_assert_cmpstr(found.days->str, ==, " 0");
}

#define ADD(name, test) g_test_add("/ledger/" name, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(022);
    ADD("line", test_line);
    ADD("line-back", test_line_back);
    ADD("line-long", test_line_long);
    ADD("line-refused", test_line_refused);
    ADD("files", test_files);
    ADD("nowhere", test_nowhere);
    ADD("many-at-once", test_many_at_once);
    ADD("together", test_together);
    ADD("killed", test_killed);
    ADD("old-days", test_old_days);
    ADD("few-days", test_few_days);
    ADD("clock", test_clock);
    ADD("full-disk", test_full_disk);
    ADD("cut", test_cut);
    ADD("not-ours", test_not_ours);
    ADD("state-not-ours", test_state_not_ours);
    ADD("often", test_often);
    ADD("said-once", test_said_once);
    ADD("none-kept", test_none_kept);
    ADD("damage", test_damage);
    ADD("endless", test_endless);
    ADD("no-file", test_no_file);
    return g_test_run();
}
