/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-license.c: licences as files, the trial's state, and what both say together, with a clock
 * and a machine that are this program's.
 */
#include "modules/license/license.h"

#include <glib/gstdio.h>
#include <string.h>

#define START   1700000000 /* 2023-11-14, 22:13:20 UTC */
#define DAYS(n) ((gint64)(n)*LICENSE_DAY)

static gint64 the_time = START;
static const char *the_machine = "machine-one";

gint64 license_now(void)
{
    return the_time;
}

char *license_machine(void)
{
    return g_strdup(the_machine);
}

/* -------------------------------------------------------------------------------------------
 * Licences
 */

static guint8 public_key[crypto_sign_PUBLICKEYBYTES];
static guint8 secret_key[crypto_sign_SECRETKEYBYTES];

static License *license_of(const char *kind, const char *id)
{
    License *license = g_new0(License, 1);

    license->kind = g_strdup(kind);
    license->licensee = g_strdup("Bücher GmbH & Co");
    license->id = g_strdup(id);
    license->issued = START / LICENSE_DAY * LICENSE_DAY;
    license->valid_until = license->issued + DAYS(366) - 1;
    return license;
}

static License *extension(const LicenseState *state, int number)
{
    g_autofree char *id = g_strdup_printf("trial-%d", number);
    License *license = license_of("evaluation", id);

    license->trial = number;
    license->installation = g_strdup(state->installation);
    return license;
}

static char *written(const License *license)
{
    g_autoptr(GError) error = NULL;
    char *text = license_write(license, secret_key, &error);

    g_assert_no_error(error);
    return text;
}

static License *read_text(const char *text, gsize size, GError **error)
{
    return license_read((const guint8 *)text, size, public_key, error);
}

static void assert_refused(const char *text, gsize size, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_autoptr(License) license = read_text(text, size, &error);
    if (license)
        g_error("read: %s", text);
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    if (!strstr(error->message, why))
        g_error("%s: %s", why, error->message);
}

/* Every field there is. */
static License *full_license(const char *kind)
{
    License *license = license_of(kind, "id-1");

    license->covers = g_strdup("@example.org;@.example.org;boss@example.net");
    license->max_senders = 3;
    license->installation = g_strnfill(2 * LICENSE_ID_SIZE, 'a');
    license->trial = license_is_evaluation(license) ? 2 : 0;
    return license;
}

static void test_kinds(void)
{
    for (const char *const *kind = LICENSE_KINDS; *kind; kind++) {
        g_autoptr(License) license = full_license(*kind);
        g_autofree char *text = written(license);
        g_autoptr(License) again = read_text(text, strlen(text), NULL);

        g_assert_nonnull(again);
        g_assert_cmpstr(again->kind, ==, *kind);
        g_assert_cmpstr(again->licensee, ==, license->licensee);
        g_assert_cmpstr(again->id, ==, "id-1");
        g_assert_cmpint(again->issued, ==, license->issued);
        g_assert_cmpint(again->valid_until, ==, license->valid_until);
        g_assert_cmpstr(again->covers, ==, license->covers);
        g_assert_cmpint(again->max_senders, ==, 3);
        g_assert_cmpint(again->trial, ==, license->trial);
        g_assert_cmpstr(again->installation, ==, license->installation);
    }
    g_assert_cmpuint(g_strv_length((char **)LICENSE_KINDS), ==, 5);
}

/* Each bit of each octet: the signature is over all of them. */
static void test_bits(void)
{
    g_autoptr(License) license = full_license("evaluation");
    g_autofree char *text = written(license);
    gsize size = strlen(text);

    for (gsize i = 0; i < 8 * size; i++) {
        text[i / 8] ^= (char)(1 << (i % 8));
        assert_refused(text, size, "");
        text[i / 8] ^= (char)(1 << (i % 8));
    }
    g_autoptr(License) again = read_text(text, size, NULL);
    g_assert_nonnull(again);
}

/* On the heap and without a NUL behind, so that sanitizers see what is read around it. */
static void assert_refused_exactly(const char *text, gsize size)
{
    g_autofree char *exact = g_memdup2(text, size);

    assert_refused(exact, size, "");
}

/* As long as the line of a signature, a little less and a little more, with what may stand there.
 */
static void test_no_more_than_a_line(void)
{
    static const char FIRST[] = "Sealpipe licence 1\n";
    enum { LINE = sizeof "signature: " - 1 + 88 + 1 };

    for (gsize size = 1; size <= 2 * LINE; size++) {
        g_autofree char *text = g_strnfill(size, 'A');

        text[size - 1] = '\n';
        assert_refused_exactly(text, size);
        memcpy(text, FIRST, MIN(size, sizeof FIRST - 1));
        assert_refused_exactly(text, size);
        memcpy(text, "signature: ", MIN(size, sizeof "signature: " - 1));
        assert_refused_exactly(text, size);
    }
}

static void test_shapes(void)
{
    g_autoptr(License) license = full_license("commercial");
    g_autofree char *text = written(license);
    g_autofree char *twice = g_strconcat(text, text, NULL);
    g_autofree char *crlf = NULL;
    g_autofree char *large = g_strnfill(LICENSE_MAX_FILE + 1, '\n');
    guint8 other[crypto_sign_PUBLICKEYBYTES] = {1};
    g_autoptr(GString) lines = g_string_new(text);
    gsize size = strlen(text);

    for (gsize i = 0; i < size; i++)
        assert_refused(text, i, "");
    assert_refused(twice, 2 * size, "signature");
    g_string_replace(lines, "\n", "\r\n", 0);
    crlf = g_strdup(lines->str);
    assert_refused(crlf, strlen(crlf), "");
    memcpy(large, text, size);
    assert_refused(large, LICENSE_MAX_FILE + 1, "64 KiB");
    assert_refused("", 0, "not a licence");
    assert_refused("\0\0", 2, "not text");
    g_assert_null(license_read((const guint8 *)text, size, other, NULL));
}

/* What the issuer signed all the same. */
static void assert_unfit(const char *from, const char *to, const char *why)
{
    g_autoptr(License) license = full_license("evaluation");
    g_autofree char *text = written(license);
    g_autoptr(GString) body = g_string_new(text);
    char encoded[89];
    guint8 signature[crypto_sign_BYTES];

    g_string_truncate(body, (gsize)(strstr(text, "signature: ") - text));
    g_assert_cmpuint(g_string_replace(body, from, to, 1), ==, 1);
    crypto_sign_detached(signature, NULL, (const guint8 *)body->str, body->len, secret_key);
    sodium_bin2base64(encoded, sizeof encoded, signature, sizeof signature,
                      sodium_base64_VARIANT_ORIGINAL);
    g_string_append_printf(body, "signature: %s\n", encoded);
    assert_refused(body->str, body->len, why);
}

static void test_strict(void)
{
    assert_unfit(
        "kind: evaluation", "kind: eternal",
        "expected \"kind: \" and evaluation, commercial, community, open-source or startup, "
        "found \"kind: eternal\"");
    assert_unfit("kind: evaluation\n", "", "kind");
    assert_unfit("kind: evaluation", "kind:evaluation", "kind");
    assert_unfit("kind: evaluation", "kind: evaluation ", "kind");
    assert_unfit("kind: evaluation", "kind: evaluation\nkind: evaluation", "licensee");
    assert_unfit("kind: evaluation", "kind: commercial", "trial");
    assert_unfit("licensee: B", "licensee: \x1b[2J", "licensee");
    assert_unfit("licensee: B", "licensee:  B", "licensee");
    assert_unfit("licensee: B", "licensee: \xff", "licensee");
    assert_unfit("id: id-1", "id: id;1", "id");
    assert_unfit("issued: 2023-11-14", "issued: 2023-11-31", "issued");
    assert_unfit("issued: 2023-11-14", "issued: 14.11.2023", "issued");
    assert_unfit("issued: 2023-11-14", "issued: 2023-1-14", "issued");
    assert_unfit("issued: 2023-11-14", "issued: 2025-11-14", "ends before");
    assert_unfit("covers: @example.org", "covers: *@example.org;;", "covers");
    assert_unfit("covers: @example.org", "covers: @EXAMPLE.org", "covers");
    assert_unfit("max-senders: 3", "max-senders: 03", "max-senders");
    assert_unfit("max-senders: 3", "max-senders: 0", "max-senders");
    assert_unfit("max-senders: 3", "max-senders: 10001",
                 "expected \"max-senders: \" and a number from 1 to 10000, found");
    assert_unfit("trial: 2\n", "", "trial");
    assert_unfit("trial: 2", "trial: -1", "trial");
    assert_unfit("installation: a", "installation: A", "installation");
    assert_unfit("installation: aa", "installation: a", "installation");
    assert_unfit("installation:", "more: 1\ninstallation:",
                 "expected the signature behind its fields, found \"more: 1\"");
}

static void assert_covered(const License *license, const char *address, gboolean covered)
{
    g_autoptr(SealAddress) sender = seal_address_parse(address, NULL);

    g_assert_cmpint(license_covers(license, sender), ==, covered);
}

static void test_covers(void)
{
    g_autoptr(License) license = full_license("commercial");

    assert_covered(license, "a@example.org", TRUE);
    assert_covered(license, "a@EXAMPLE.ORG", TRUE);
    assert_covered(license, "a@b.example.org", TRUE);
    assert_covered(license, "a@notexample.org", FALSE);
    assert_covered(license, "a@example.org.evil.example", FALSE);
    assert_covered(license, "BOSS@example.net", TRUE);
    assert_covered(license, "a@example.net", FALSE);
    g_clear_pointer(&license->covers, g_free);
    assert_covered(license, "a@example.net", TRUE);
}

/* -------------------------------------------------------------------------------------------
 * Verdicts
 */

/* @expected: V valid, L lapsed, R refused to this sender. */
static void judge_as(const License *license, LicenseState *state, const char *sender, gint64 now,
                     char expected, const char *why)
{
    g_auto(LicenseVerdict) verdict = {0};
    g_autoptr(SealAddress) address = sender ? seal_address_parse(sender, NULL) : NULL;

    license_judge(license, state, address, LICENSE_SENT_BY_HIM, now, &verdict);
    g_test_message("%s", verdict.text);
    char found = verdict.lapsed ? 'L' : verdict.refused ? 'R' : 'V';
    if (found != expected || !strstr(verdict.text, why))
        g_error("expected %c, \"%s\", and found %c: %s", expected, why, found, verdict.text);
}

static void judge(const License *license, LicenseState *state, gint64 now, gboolean lapsed,
                  const char *why)
{
    judge_as(license, state, NULL, now, lapsed ? 'L' : 'V', why);
}

static void test_dates(void)
{
    for (const char *const *kind = LICENSE_KINDS + 1; *kind; kind++) {
        g_autoptr(License) license = license_of(*kind, "one");
        g_autoptr(LicenseState) state = license_state_new();

        judge(license, state, license->issued - DAYS(2), TRUE, "in the future");
        judge(license, state, START, FALSE, "valid until");
        judge(license, state, license->valid_until, FALSE, "valid until");
        judge(license, state, license->valid_until + 1, TRUE, "ended on");
    }
    g_autoptr(License) forever = license_of("open-source", "two");
    g_autoptr(LicenseState) state = license_state_new();
    forever->valid_until = G_MAXINT64;
    judge(forever, state, START + DAYS(100000), FALSE, "does not end");
}

static void test_installation(void)
{
    g_autoptr(License) license = full_license("commercial");
    g_autoptr(LicenseState) state = license_state_new();

    judge(license, state, START, TRUE, "another installation");
    g_free(license->installation);
    license->installation = g_strdup(state->installation);
    judge(license, state, START, FALSE, "valid");
}

static void test_senders(void)
{
    g_autoptr(License) license = full_license("commercial");
    g_autoptr(License) other = license_of("commercial", "id-2");
    g_autoptr(LicenseState) state = license_state_new();

    g_clear_pointer(&license->installation, g_free);
    judge_as(license, state, "a@example.org", START, 'V', "");
    judge_as(license, state, "b@example.org", START, 'V', "");
    judge_as(license, state, "A@example.org", START, 'V', "");
    judge_as(license, state, "c@example.org", START, 'V', "");
    judge_as(license, state, "d@example.org", START, 'R', "one more");
    judge_as(license, state, "b@example.org", START, 'V', "");
    judge_as(license, state, "b@other.example", START, 'R', "does not cover");
    g_assert_cmpuint(state->senders->len, ==, 3);
    /* Asking about somebody counts nobody, and a From that may be forged counts nobody. */
    g_ptr_array_set_size(state->senders, 0);
    g_autoptr(SealAddress) asked = seal_address_parse("e@example.org", NULL);
    g_auto(LicenseVerdict) verdict = {0};
    license_judge(license, state, asked, LICENSE_ASKED, START, &verdict);
    license_verdict_clear(&verdict);
    license_judge(license, state, asked, LICENSE_SENT, START, &verdict);
    g_assert_false(verdict.lapsed || verdict.refused);
    g_assert_cmpuint(state->senders->len, ==, 0);
    /* Going to another licence and back does not begin the count anew. */
    for (const char *name = "abc"; *name; name++) {
        const char address[] = {*name, '@', 'e', 'x', 'a', 'm', 'p',
                                'l',   'e', '.', 'o', 'r', 'g', '\0'};
        judge_as(license, state, address, START, 'V', "");
    }
    judge_as(other, state, "x@example.org", START, 'V', "");
    g_assert_cmpuint(state->senders->len, ==, 0);
    judge_as(license, state, "a@example.org", START, 'V', "");
    judge_as(other, state, "x@example.org", START, 'V', "");
    g_assert_cmpuint(state->senders->len, ==, 1);
    /* One that has lapsed has lapsed for all. */
    judge_as(license, state, "b@other.example", license->valid_until + 1, 'L', "ended on");
}

static void test_trial(void)
{
    g_autoptr(LicenseState) state = license_state_new();

    judge(NULL, state, START, FALSE, "30 days more");
    judge(NULL, state, START + DAYS(30), FALSE, "0 days more");
    judge(NULL, state, START + DAYS(30) + 1, TRUE, "trial ended");
}

static void test_extensions(void)
{
    g_autoptr(LicenseState) state = license_state_new();

    judge(NULL, state, START, FALSE, "");
    g_autoptr(License) early = extension(state, 2);
    judge(early, state, START, TRUE, "next one here is 1");
    for (int i = 1; i <= LICENSE_TRIALS; i++) {
        g_autoptr(License) license = extension(state, i);
        gint64 end = START + DAYS(30 * (i + 1));

        judge(license, state, START + DAYS(30 * i), FALSE, "");
        judge(license, state, end, FALSE, "0 days more");
        judge(license, state, end + 1, TRUE, "trial ended");
    }
    g_assert_cmpint(state->until, ==, START + DAYS(180));
    g_autoptr(License) sixth = extension(state, 6);
    judge(sixth, state, START + DAYS(180), TRUE, "times at most");
    g_assert_cmpint(state->until, ==, START + DAYS(180));
}

static void test_replay(void)
{
    g_autoptr(LicenseState) state = license_state_new();
    g_autoptr(LicenseState) other = license_state_new();
    g_autoptr(License) first = extension(state, 1);
    g_autoptr(License) second = extension(state, 2);
    g_autoptr(License) again = extension(state, 1);

    judge(first, state, START, FALSE, "days more");
    gint64 until = state->until;
    judge(first, state, START, FALSE, "");
    g_assert_cmpint(state->until, ==, until);
    judge(second, state, START, FALSE, "");
    judge(first, state, START, TRUE, "used already");
    /* The same number under another id is no more. */
    g_free(again->id);
    again->id = g_strdup("another");
    judge(again, state, START, TRUE, "next one here is 3");
    judge(first, other, START, TRUE, "another installation");
    /* It is over when its file is. */
    g_autoptr(License) third = extension(state, 3);
    third->valid_until = START + DAYS(10);
    judge(third, state, START, FALSE, "10 days more");
    judge(third, state, START + DAYS(10) + 1, TRUE, "ended");
}

static void test_clock(void)
{
    g_autoptr(LicenseState) state = license_state_new();
    g_autoptr(License) license = license_of("commercial", "fresh");

    judge(NULL, state, START, FALSE, "30 days more");
    judge(NULL, state, START + DAYS(20), FALSE, "10 days more");
    /* Back a little: nothing is gained. Back by more: noticed. */
    judge(NULL, state, START + DAYS(20) - LICENSE_DAY + 60, FALSE, "10 days more");
    judge(NULL, state, START, TRUE, "clock was set back");
    judge(NULL, state, START + DAYS(20) + 1, FALSE, "9 days more");
    /* Forward: used up; and back again. */
    judge(NULL, state, START + DAYS(4000), TRUE, "trial ended");
    judge(NULL, state, START + DAYS(21), TRUE, "clock was set back");
    /* The issuer's word on the day sets it right, once. */
    judge(license, state, START + DAYS(21), FALSE, "");
    judge(license, state, START + DAYS(22), FALSE, "");
    judge(license, state, START + DAYS(3000), TRUE, "ended");
    judge(license, state, START + DAYS(22), TRUE, "clock was set back");
}

static gboolean warns(const License *license, LicenseState *state, gint64 now)
{
    g_auto(LicenseVerdict) verdict = {0};

    license_judge(license, state, NULL, LICENSE_SENT_BY_HIM, now, &verdict);
    return verdict.warn;
}

static void test_warnings(void)
{
    g_autoptr(LicenseState) state = license_state_new();
    gint64 last = 0;

    g_assert_false(warns(NULL, state, START));
    g_assert_false(warns(NULL, state, START + DAYS(16)));
    for (int day = 17; day < 40; day++) {
        last = START + DAYS(day);
        g_assert_true(warns(NULL, state, last));
        g_assert_false(warns(NULL, state, last + 60));
    }
}

/* -------------------------------------------------------------------------------------------
 * State on the disk
 */

typedef struct {
    char *dir;
} Folder;

static void set_up(Folder *folder, gconstpointer data)
{
    folder->dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    the_machine = "machine-one";
}

static void tear_down(Folder *folder, gconstpointer data)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", folder->dir, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(folder->dir);
}

static void save(const char *dir, LicenseState *state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LicenseStore) store = license_store_open(dir, &error);

    g_assert_no_error(error);
    license_state_write(store, state, &error);
    g_assert_no_error(error);
}

static LicenseState *load(const char *dir)
{
    g_autoptr(GError) error = NULL;
    LicenseState *state = NULL;

    license_state_read(dir, &state, &error);
    g_assert_no_error(error);
    return state;
}

static void assert_tampered(const char *dir, const char *why)
{
    g_autoptr(GError) error = NULL;
    LicenseState *state = NULL;

    g_assert_false(license_state_read(dir, &state, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_KEY);
    g_assert_nonnull(strstr(error->message, why));
}

static void test_round_trip(Folder *folder, gconstpointer data)
{
    g_autoptr(LicenseState) none = load(folder->dir);
    g_autoptr(LicenseState) state = license_state_new();
    g_autoptr(License) license = full_license("commercial");

    g_assert_null(none);
    g_clear_pointer(&license->installation, g_free);
    judge(NULL, state, START, FALSE, "");
    judge_as(license, state, "a@example.org", START + DAYS(1), 'V', "");
    save(folder->dir, state);
    g_autoptr(LicenseState) again = load(folder->dir);
    g_assert_cmpstr(again->installation, ==, state->installation);
    g_assert_cmpint(again->started, ==, START);
    g_assert_cmpint(again->until, ==, START + DAYS(30));
    g_assert_cmpint(again->seen, ==, START + DAYS(1));
    g_assert_cmpstr(again->active, ==, "id-1");
    g_assert_cmpuint(again->used->len, ==, 1);
    g_assert_cmpuint(again->senders->len, ==, 1);
    judge_as(license, again, "a@example.org", START + DAYS(1), 'V', "");
    g_assert_cmpuint(again->senders->len, ==, 1);
}

static void test_edited(Folder *folder, gconstpointer data)
{
    g_autoptr(LicenseState) state = license_state_new();
    g_autofree char *path = g_build_filename(folder->dir, "state", NULL);
    g_autofree char *text = NULL;
    gsize size = 0;

    judge(NULL, state, START, FALSE, "");
    save(folder->dir, state);
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    for (gsize i = 0; i < size; i++) {
        text[i] ^= 1;
        g_assert_true(g_file_set_contents(path, text, (gssize)size, NULL));
        assert_tampered(folder->dir, "edited");
        text[i] ^= 1;
    }
    for (gsize i = 0; i < size; i += 7) {
        g_assert_true(g_file_set_contents(path, text, (gssize)i, NULL));
        assert_tampered(folder->dir, "edited");
    }
    g_assert_true(g_file_set_contents(path, text, (gssize)size, NULL));
    g_autoptr(LicenseState) again = load(folder->dir);
    g_assert_nonnull(again);
}

static void test_deleted(Folder *folder, gconstpointer data)
{
    g_autoptr(LicenseState) state = license_state_new();
    g_autofree char *path = g_build_filename(folder->dir, "state", NULL);
    g_autofree char *marker = g_build_filename(folder->dir, "installation", NULL);

    save(folder->dir, state);
    /* A marker that is missing is made again. */
    g_assert_cmpint(g_unlink(marker), ==, 0);
    g_autoptr(LicenseState) unmarked = load(folder->dir);
    g_auto(LicenseVerdict) verdict = {0};
    license_judge(NULL, unmarked, NULL, LICENSE_SENT_BY_HIM, START, &verdict);
    g_assert_true(verdict.changed);
    save(folder->dir, unmarked);
    g_assert_true(g_file_test(marker, G_FILE_TEST_EXISTS));
    g_assert_cmpint(g_unlink(path), ==, 0);
    assert_tampered(folder->dir, "deleted");
}

static void test_foreign(Folder *folder, gconstpointer data)
{
    g_autoptr(LicenseState) state = license_state_new();
    g_autoptr(LicenseState) other = license_state_new();
    g_autofree char *marker = g_build_filename(folder->dir, "installation", NULL);
    g_autofree char *id = g_strconcat(other->installation, "\n", NULL);

    save(folder->dir, state);
    the_machine = "machine-two";
    assert_tampered(folder->dir, "another machine");
    the_machine = "machine-one";
    g_assert_true(g_file_set_contents(marker, id, -1, NULL));
    assert_tampered(folder->dir, "another installation");
}

/* A file is whole or not there, and one that cannot be read is no file that is not there. */
static void test_unreadable(Folder *folder, gconstpointer data)
{
    g_autofree char *path = g_build_filename(folder->dir, "state", NULL);
    g_autoptr(GError) error = NULL;
    LicenseState *state = NULL;

    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    g_assert_false(license_state_read(folder->dir, &state, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(sodium_init(), >=, 0);
    crypto_sign_keypair(public_key, secret_key);
    g_test_add_func("/license/kinds", test_kinds);
    g_test_add_func("/license/bits", test_bits);
    g_test_add_func("/license/shapes", test_shapes);
    g_test_add_func("/license/no-more-than-a-line", test_no_more_than_a_line);
    g_test_add_func("/license/strict", test_strict);
    g_test_add_func("/license/covers", test_covers);
    g_test_add_func("/license/dates", test_dates);
    g_test_add_func("/license/installation", test_installation);
    g_test_add_func("/license/senders", test_senders);
    g_test_add_func("/license/trial", test_trial);
    g_test_add_func("/license/extensions", test_extensions);
    g_test_add_func("/license/replay", test_replay);
    g_test_add_func("/license/clock", test_clock);
    g_test_add_func("/license/warnings", test_warnings);
    g_test_add("/license/state/round-trip", Folder, NULL, set_up, test_round_trip, tear_down);
    g_test_add("/license/state/edited", Folder, NULL, set_up, test_edited, tear_down);
    g_test_add("/license/state/deleted", Folder, NULL, set_up, test_deleted, tear_down);
    g_test_add("/license/state/foreign", Folder, NULL, set_up, test_foreign, tear_down);
    g_test_add("/license/state/unreadable", Folder, NULL, set_up, test_unreadable, tear_down);
    return g_test_run();
}
