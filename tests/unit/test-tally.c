/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-tally.c: counters that processes share: several at once, one that is killed, more failures
 * than there is room for, and octets of somebody who means harm.
 */
#include "core/base/tally.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WRITERS = 6,
    EACH = 20000,
    MARK = 18, /* of a failure: before its id are its turn, its time, result and reason */
    TEXTS = 64 + 256 + 256,
};

typedef struct {
    int file;
    SealTally *tally;
} Fixture;

static void fixture_set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;

    fixture->file = seal_tally_create(&error);
    g_assert_no_error(error);
    fixture->tally = seal_tally_map(fixture->file, &error);
    g_assert_no_error(error);
    seal_tally_name_format(fixture->tally, "smime");
    seal_tally_name_format(fixture->tally, "pgp");
    seal_tally_share(fixture->tally);
    seal_tally_use(fixture->tally);
}

static void fixture_tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    seal_tally_unmap(fixture->tally);
    close(fixture->file);
}

static GVariant *read_tally(const Fixture *fixture, gboolean whole)
{
    g_autoptr(SealOut) out = seal_out_new();

    seal_tally_show(fixture->tally, whole, out);
    return seal_out_finish(out);
}

static gint64 number_of(GVariant *values, const char *name)
{
    gint64 number = -1;

    g_assert_true(g_variant_lookup(values, name, "x", &number));
    return number;
}

static const char *text_of(GVariant *values, const char *name)
{
    const char *text = NULL;

    return g_variant_lookup(values, name, "&s", &text) ? text : NULL;
}

/* In the rows of @list, of the one where each of the names has its value. */
static gint64 count_of(GVariant *answer, const char *list, const char *result, const char *other,
                       const char *value)
{
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, list, G_VARIANT_TYPE("aa{sv}"));

    g_assert_nonnull(rows);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if ((!result || g_strcmp0(text_of(row, "result"), result) == 0) &&
            g_strcmp0(text_of(row, other), value) == 0)
            return number_of(row, "count");
    }
    return 0;
}

static void do_one(const char *result, const char *reason, const char *format, const char *id)
{
    seal_tally_begin("transport");
    seal_tally_count(&(SealTallyEntry){.id = id,
                                       .to = "b@example.org",
                                       .result = result,
                                       .reason = reason,
                                       .format = format,
                                       .text = "because"});
    seal_tally_end();
}

static void wait_for(pid_t pid, int expected)
{
    int how = 0;

    g_assert_cmpint(waitpid(pid, &how, 0), ==, pid);
    g_assert_cmpint(how, ==, expected);
}

/* ------------------------------------------------------------------------------------------- */

static void test_counts(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    do_one("sealed", "key", "smime", "1");
    do_one("sealed", "key", "pgp", "2");
    do_one("plain", "never", "", "3");
    do_one("refused", "no-key", "", "4");
    do_one("refused", "a word of a module's", "", "5");
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);

    g_assert_cmpint(count_of(answer, "recipients", "sealed", "reason", "key"), ==, 2);
    g_assert_cmpint(count_of(answer, "recipients", "plain", "reason", "never"), ==, 1);
    g_assert_cmpint(count_of(answer, "recipients", "refused", "reason", "no-key"), ==, 1);
    g_assert_cmpint(count_of(answer, "recipients", "refused", "reason", "other"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "sealed", "format", "smime"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "sealed", "format", "pgp"), ==, 1);
    g_assert_cmpint(count_of(answer, "requests", NULL, "mode", "transport"), ==, 5);
    g_assert_cmpint(number_of(answer, "handled"), ==, 5);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "failures", NULL);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 2);
}

/* The daemon's next generation may have other formats, and more than there is room for. */
static void test_formats(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *long_name = g_strnfill(32, 'n');

    do_one("sealed", "key", "mls", "1");
    seal_tally_name_format(fixture->tally, "pgp");
    seal_tally_name_format(fixture->tally, long_name);
    seal_tally_name_format(fixture->tally, "mls");
    do_one("sealed", "key", "mls", "2");
    do_one("sealed", "key", "pgp", "3");
    for (char name[] = "format-a"; name[7] <= 'z'; name[7]++) {
        seal_tally_name_format(fixture->tally, name);
        do_one("signed", "key", name, "4");
    }
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);

    g_assert_cmpint(count_of(answer, "formats", "sealed", "format", "other"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "sealed", "format", "mls"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "sealed", "format", "pgp"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "signed", "format", "format-d"), ==, 1);
    g_assert_cmpint(count_of(answer, "formats", "signed", "format", "other"), ==, 26 - 4);
}

/* What is asked counts as such alone; outside of a call, and where nothing is shared, nothing. */
static void test_counts_nothing(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    const SealTallyEntry entry = {.result = "refused", .reason = "no-key"};

    seal_tally_count(&entry);
    seal_tally_begin("check");
    seal_tally_count(&entry);
    seal_tally_end();
    seal_tally_end();
    seal_tally_use(NULL);
    seal_tally_begin("transport");
    seal_tally_count(&entry);
    seal_tally_end();
    seal_tally_workers(3, 2, 1);
    seal_tally_miss_worker();
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);

    g_assert_cmpint(count_of(answer, "requests", NULL, "mode", "check"), ==, 1);
    g_assert_cmpint(count_of(answer, "requests", NULL, "mode", "transport"), ==, 0);
    g_assert_cmpint(count_of(answer, "recipients", "refused", "reason", "no-key"), ==, 0);
    g_assert_cmpint(number_of(answer, "handled"), ==, 1);
    g_assert_cmpint(number_of(answer, "missed"), ==, 0);
}

static void test_errors(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) gate = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_GATE, "");
    g_autoptr(GError) odd = g_error_new_literal(SEAL_ERROR, 4711, "");
    g_autoptr(GError) other = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "");

    g_assert_cmpstr(seal_tally_reason_of(gate), ==, "gate");
    g_assert_cmpstr(seal_tally_reason_of(odd), ==, "error");
    g_assert_cmpstr(seal_tally_reason_of(other), ==, "error");
}

static void test_several(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    pid_t writers[WRITERS];
    int gate[2];
    char octet;

    g_assert_cmpint(pipe(gate), ==, 0);
    for (guint i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        g_assert_cmpint(writers[i], >=, 0);
        if (writers[i] == 0) {
            close(gate[1]);
            g_assert_cmpint(read(gate[0], &octet, 1), ==, 0); /* all of them at once */
        }
        for (guint n = 0; writers[i] == 0 && n < EACH; n++)
            do_one(n % 2 ? "sealed" : "deferred", n % 2 ? "key" : "unavailable", "smime", "id");
        if (writers[i] == 0)
            _exit(0);
    }
    close(gate[0]);
    close(gate[1]);
    /* Meanwhile it can be read. */
    g_autoptr(GVariant) meanwhile = read_tally(fixture, TRUE);
    g_assert_cmpint(number_of(meanwhile, "handled"), <=, WRITERS * EACH);
    for (guint i = 0; i < WRITERS; i++)
        wait_for(writers[i], 0);
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);

    g_assert_cmpint(count_of(answer, "recipients", "sealed", "reason", "key"), ==,
                    WRITERS * EACH / 2);
    g_assert_cmpint(count_of(answer, "recipients", "deferred", "reason", "unavailable"), ==,
                    WRITERS * EACH / 2);
    g_assert_cmpint(count_of(answer, "requests", NULL, "mode", "transport"), ==, WRITERS * EACH);
    g_assert_cmpint(number_of(answer, "handled"), ==, WRITERS * EACH);
}

/* What it had counted stays, and nobody else is kept from counting. */
static void test_killed(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    pid_t writer = fork();

    if (writer == 0) {
        do_one("sealed", "key", "smime", "1");
        seal_tally_begin("transport");
        seal_tally_count(&(SealTallyEntry){.result = "refused", .reason = "no-key"});
        raise(SIGKILL);
    }
    wait_for(writer, SIGKILL);
    do_one("sealed", "key", "smime", "2");
    g_autoptr(GVariant) answer = read_tally(fixture, FALSE);

    g_assert_cmpint(count_of(answer, "recipients", "sealed", "reason", "key"), ==, 2);
    g_assert_cmpint(count_of(answer, "recipients", "refused", "reason", "no-key"), ==, 1);
    g_assert_cmpint(count_of(answer, "requests", NULL, "mode", "transport"), ==, 3);
    g_assert_cmpint(number_of(answer, "handled"), ==, 2);
}

static void test_full(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *longest = g_strnfill(5000, 'x');

    for (guint i = 1; i <= 100; i++) {
        g_autofree char *id = g_strdup_printf("%u", i);
        do_one("deferred", "error", "", i < 100 ? id : longest);
    }
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "failures", NULL);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 32);
    g_autoptr(GVariant) first = g_variant_get_child_value(rows, 0);
    g_autoptr(GVariant) last = g_variant_get_child_value(rows, 31);

    g_assert_cmpstr(text_of(first, "id"), ==, "69");
    g_assert_cmpstr(text_of(first, "to"), ==, "b@example.org");
    g_assert_cmpstr(text_of(first, "text"), ==, "because");
    g_assert_cmpuint(strlen(text_of(last, "id")), ==, 63);
}

/* Where @id stands, once. */
static guint8 *find_id(const Fixture *fixture, gsize size, const char *id)
{
    guint8 *found = memmem(fixture->tally, size, id, strlen(id) + 1);

    g_assert_nonnull(found);
    return found;
}

static gsize size_of(const Fixture *fixture)
{
    struct stat info;

    g_assert_cmpint(fstat(fixture->file, &info), ==, 0);
    return (gsize)info.st_size;
}

/* One that was ended in the middle of a failure leaves a half of it, which is nobody's. */
static void test_half(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    do_one("deferred", "error", "", "whole");
    do_one("deferred", "error", "", "half-written");
    guint8 *turn = find_id(fixture, size_of(fixture), "half-written") - MARK;
    g_assert_cmpuint(turn[0] % 2, ==, 0);
    turn[0] |= 1;
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);
    g_autofree char *text = g_variant_print(answer, FALSE);

    g_assert_nonnull(strstr(text, "whole"));
    g_assert_null(strstr(text, "half-written"));
}

/* Addresses, and what may name them, are not for everybody. */
static void test_part(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    do_one("refused", "no-key", "", "1");
    g_autoptr(GVariant) answer = read_tally(fixture, FALSE);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "failures", NULL);
    g_autoptr(GVariant) row = g_variant_get_child_value(rows, 0);
    g_autofree char *text = g_variant_print(answer, FALSE);

    g_assert_cmpstr(text_of(row, "reason"), ==, "no-key");
    g_assert_null(strstr(text, "example.org"));
    g_assert_null(strstr(text, "because"));
}

/* -------------------------------------------------------------------------------------------
 * What somebody writes who means harm
 */

/* No text has a control character in it, no number is out of bounds, and no list too long. */
static void check_vetted(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        const char *text = g_variant_get_string(value, NULL);

        g_assert_cmpuint(strlen(text), <, 800); /* of 256 octets that are none of UTF-8 */
        for (; *text; text = g_utf8_next_char(text))
            g_assert_true(g_unichar_isprint(g_utf8_get_char(text)));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64)) {
        g_assert_cmpint(g_variant_get_int64(value), >=, 0);
        g_assert_cmpint(g_variant_get_int64(value), <, G_GINT64_CONSTANT(1) << 53);
    } else if (g_variant_is_container(value)) {
        for (gsize i = 0; i < g_variant_n_children(value); i++) {
            g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
            check_vetted(child);
        }
    }
}

static void check_answer(const Fixture *fixture)
{
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);

    check_vetted(answer);
    g_assert_cmpuint(g_variant_get_size(answer), <, 128 * 1024);
    g_assert_cmpint(number_of(answer, "busy"), <=, number_of(answer, "alive"));
    g_assert_cmpint(number_of(answer, "alive"), <=, 1024);
}

static void test_hostile(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(14);
    const gsize size = size_of(fixture);
    guint8 *octets = (guint8 *)fixture->tally;
    static const guint8 fills[] = {0x00, 0x01, 0x02, 0x1b, 0x7f, 0x80, 0xfe, 0xff, '\n', 'A'};

    for (guint i = 0; i < G_N_ELEMENTS(fills); i++) {
        memset(octets, fills[i], size);
        check_answer(fixture);
        do_one("refused", "no-key", "", "1"); /* and nobody is harmed who counts */
        check_answer(fixture);
    }
    for (guint turn = 0; turn < 200; turn++) {
        for (gsize i = 0; i + 4 <= size; i += 4) {
            guint32 word = g_rand_int(random) & (turn % 2 ? 0x7f1bffffU : 0x00000203U);
            memcpy(octets + i, &word, sizeof word);
        }
        check_answer(fixture);
    }
}

/* Those that pass for failures, with anything as result, reason and texts. */
static void test_hostile_failures(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    const gsize size = size_of(fixture);
    static const guint8 fills[] = {0x01, 0x1b, 0x7f, 0x80, 0xe2, 0xff, '\n', 'A'};

    for (guint i = 0; i < 32; i++) {
        g_autofree char *id = g_strdup_printf("failure-%u.", i);

        do_one("deferred", "error", "", id);
        memset(find_id(fixture, size, id) - 2, fills[i % G_N_ELEMENTS(fills)], TEXTS + 2);
    }
    g_autoptr(GVariant) answer = read_tally(fixture, TRUE);
    g_autoptr(GVariant) rows = g_variant_lookup_value(answer, "failures", NULL);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 32);
    check_answer(fixture);
}

/* Whoever has it cannot take it away from under the others, or give another one. */
static void test_sealed(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    int other = memfd_create("other", MFD_CLOEXEC);

    g_assert_cmpint(ftruncate(fixture->file, 0), ==, -1);
    g_assert_cmpint(ftruncate(fixture->file, 1 << 20), ==, -1);
    g_assert_null(seal_tally_map(other, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_null(seal_tally_map(-1, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED);
    close(other);
}

/* Who keeps keys is forked before it is shared: it would have no such memory. */
static void test_not_shared(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    SealTally *second = seal_tally_map(fixture->file, &error);
    const long page = sysconf(_SC_PAGESIZE);
    unsigned char there;

    g_assert_no_error(error);
    pid_t child = fork();
    if (child == 0)
        _exit(mincore(second, (size_t)page, &there) == 0 ? 1 : 0);
    wait_for(child, 0);
    seal_tally_share(second);
    child = fork();
    if (child == 0)
        _exit(mincore(second, (size_t)page, &there) == 0 ? 0 : 1);
    wait_for(child, 0);
    seal_tally_unmap(second);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add(name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)
    TEST("/tally/counts", test_counts);
    TEST("/tally/formats", test_formats);
    TEST("/tally/counts-nothing", test_counts_nothing);
    TEST("/tally/errors", test_errors);
    TEST("/tally/several", test_several);
    TEST("/tally/killed", test_killed);
    TEST("/tally/full", test_full);
    TEST("/tally/part", test_part);
    TEST("/tally/half", test_half);
    TEST("/tally/hostile", test_hostile);
    TEST("/tally/hostile-failures", test_hostile_failures);
    TEST("/tally/sealed", test_sealed);
    TEST("/tally/not-shared", test_not_shared);
    return g_test_run();
}
