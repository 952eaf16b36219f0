/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-pgp-vouch.c: who vouches for a key, which key may follow another, and how keys are written.
 */
#include "test-pgp.h"

#include <string.h>

#define ALICE "Alice <alice@example.org>"
#define CA    "The CA <ca@example.org>"

/* Long after what is made here, by a clock that runs at most half a day ahead. */
static gint64 soon(void)
{
    return g_get_real_time() / G_USEC_PER_SEC + 12 * 3600;
}

static char *fingerprint_of(Pgp *pgp, const char *user_id)
{
    g_autoptr(GBytes) data = gpg_export(pgp, pgp->theirs, user_id, FALSE);
    g_autoptr(SealKey) key = pgp_key(pgp, data);

    return g_strdup(seal_key_fingerprint(key));
}

static void certify(Pgp *pgp, const char *by, const char *fingerprint, const char *option,
                    const char *value)
{
    g_bytes_unref(gpg(pgp, pgp->theirs, "--allow-weak-key-signatures", "--default-key", by,
                      option ? option : "--no-verbose", option ? value : "--no-verbose",
                      "--quick-sign-key", fingerprint, NULL));
}

/* The module anew, with the one introducer. */
static void open_with(Pgp *pgp, const char *introducer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) data = gpg_export(pgp, pgp->theirs, introducer, TRUE);
    gsize size;
    const char *octets = g_bytes_get_data(data, &size);
    g_autofree char *path = pgp_write(pgp, "introducers.asc", octets, size);
    g_autofree char *fingerprint = fingerprint_of(pgp, introducer);
    g_autofree char *settings =
        g_strdup_printf("introducers=%s\nintroducer_keys=%s", fingerprint, path);

    pgp_open(pgp, settings, &error);
    g_assert_no_error(error);
}

static SealKey *exported(Pgp *pgp, const char *user_id)
{
    g_autoptr(GBytes) data = gpg_export(pgp, pgp->theirs, user_id, FALSE);

    return pgp_key(pgp, data);
}

static char *prove(Pgp *pgp, SealKey *key, const char *whose, gint64 at)
{
    g_autoptr(SealAddress) address = whose ? seal_address_parse(whose, NULL) : NULL;
    g_autoptr(GError) error = NULL;
    SealProven proven = SEAL_PROVEN_PUBLIC;
    char *by = NULL;

    g_assert_true(pgp->format->prove(pgp->module, key, address, at, &proven, &by, &error));
    g_assert_no_error(error);
    g_assert_cmpint(proven, ==, by ? SEAL_PROVEN_NAMED : SEAL_PROVEN_NOT);
    return by;
}

static void assert_proven(Pgp *pgp, const char *user_id, const char *whose, gboolean wanted)
{
    g_autoptr(SealKey) key = exported(pgp, user_id);
    g_autofree char *by = prove(pgp, key, whose, soon());

    g_test_message("%s: %s", user_id, by);
    g_assert_cmpint(by != NULL, ==, wanted);
}

static gboolean succeeds(Pgp *pgp, SealKey *old, SealKey *key, const char *whose, char **why)
{
    g_autoptr(SealAddress) address = seal_address_parse(whose, NULL);
    g_autoptr(GError) error = NULL;
    gboolean answer = FALSE;

    g_assert_true(
        pgp->format->succeeds(pgp->module, old, key, address, soon(), &answer, why, &error));
    g_assert_no_error(error);
    g_assert_nonnull(*why);
    g_test_message("%s", *why);
    return answer;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static GBytes *written(Pgp *pgp, SealKey *key)
{
    g_autoptr(GError) error = NULL;
    GBytes *data = pgp->format->write(pgp->module, key, &error);

    g_assert_no_error(error);
    return data;
}

static void test_written(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autoptr(GBytes) armored = gpg_export(&pgp, pgp.theirs, "alice@example.org", TRUE);
    g_autoptr(SealKey) key = pgp_key(&pgp, armored);
    g_autoptr(GBytes) data = written(&pgp, key);
    g_autoptr(SealKey) again = pgp_key(&pgp, data);
    g_autoptr(GBytes) same = written(&pgp, again);
    g_autofree char *code =
        pgp_judge_for(&pgp, again, "alice@example.org", SEAL_PURPOSE_ENCRYPT, soon(), NULL);

    g_assert_true(g_bytes_equal(data, same));
    g_assert_cmpstr(seal_key_fingerprint(key), ==, seal_key_fingerprint(again));
    g_assert_cmpstr(code, ==, "usable");
}

/* -------------------------------------------------------------------------------------------
 * Introducers
 */

static void assert_refused(Pgp *pgp, const char *settings, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(pgp_open(pgp, settings, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, part));
}

static void test_settings(void)
{
    static const char nobody[] = "introducers=0123456789012345678901234567890123456789";
    g_auto(Pgp) pgp = {0};
    pgp_prepare(&pgp);
    g_autofree char *none = pgp_write(&pgp, "none.asc", "no key\n", 7);
    g_autofree char *empty = g_strdup_printf("introducer_keys=%s", none);
    g_autofree char *home = g_strdup_printf("%s\nhome=%s", nobody, pgp.ours);
    g_autoptr(GError) error = NULL;
    SealProven proven;
    char *by;

    assert_refused(&pgp, "introducers=1234567890ABCDEF", "40 hexadecimal digits");
    assert_refused(&pgp, "introducers=ca@example.org", "40 hexadecimal digits");
    assert_refused(&pgp,
                   "introducers=cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9",
                   "version 4");
    assert_refused(&pgp, nobody, "introducer_keys");
    assert_refused(&pgp, empty, "no OpenPGP public key");
    pgp_open(&pgp, home, &error);
    g_assert_no_error(error);
    g_assert_true(pgp.format->prove(pgp.module, NULL, NULL, 0, &proven, &by, &error));
    g_assert_cmpint(proven, ==, SEAL_PROVEN_NAMED);
    pgp_open(&pgp, "", &error);
    g_assert_true(pgp.format->prove(pgp.module, NULL, NULL, 0, &proven, &by, &error));
    g_assert_cmpint(proven, ==, SEAL_PROVEN_NOT);
}

static void prepare_people(Pgp *pgp)
{
    pgp_start(pgp);
    gpg_generate(pgp, pgp->theirs, CA, NULL);
    gpg_generate(pgp, pgp->theirs, ALICE, NULL);
    gpg_generate(pgp, pgp->theirs, "Mallory <mallory@example.net>", NULL);
}

static void test_certified(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");

    open_with(&pgp, "ca@example.org");
    assert_proven(&pgp, "alice@example.org", "alice@example.org", FALSE);
    certify(&pgp, "mallory@example.net", alice, NULL, NULL);
    assert_proven(&pgp, "alice@example.org", "alice@example.org", FALSE);
    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    /* A user id that the introducer has not seen. */
    g_bytes_unref(
        gpg(&pgp, pgp.theirs, "--quick-add-uid", alice, "Alice <other@example.org>", NULL));
    assert_proven(&pgp, "alice@example.org", "alice@example.org", TRUE);
    assert_proven(&pgp, "alice@example.org", "other@example.org", FALSE);
    assert_proven(&pgp, "alice@example.org", "bob@example.org", FALSE);
    assert_proven(&pgp, "alice@example.org", NULL, TRUE);
    assert_proven(&pgp, "mallory@example.net", "mallory@example.net", FALSE);

    /* What was written says the same. */
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autoptr(GBytes) data = written(&pgp, key);
    g_autoptr(SealKey) again = pgp_key(&pgp, data);
    g_autofree char *by = prove(&pgp, again, "alice@example.org", soon());
    g_assert_nonnull(strstr(by, "The CA"));

    /* gpg encrypts to it, and others' certifications are nothing to it. */
    g_autofree char *code =
        pgp_judge_for(&pgp, key, "alice@example.org", SEAL_PURPOSE_ENCRYPT, soon(), NULL);
    g_assert_cmpstr(code, ==, "usable");

    open_with(&pgp, "mallory@example.net");
    assert_proven(&pgp, "alice@example.org", "alice@example.org", TRUE);
}

/* Where the signatures over the user id end: behind them stands the first subkey. The last of them
 * begins at *@last. */
static gsize end_of_signatures(const guint8 *octets, gsize size, gsize *last)
{
    gsize at = 0;

    while (at < size && (octets[at] & 0x3f) != 14) {
        *last = at;
        at += 6 + ((gsize)octets[at + 2] << 24 | (gsize)octets[at + 3] << 16 |
                   (gsize)octets[at + 4] << 8 | octets[at + 5]);
    }
    return at;
}

/* The key with @count more of the last signature over its user id, none of which holds, before
 * that one; of a stranger, or by whoever made it. */
static SealKey *crowded(Pgp *pgp, GBytes *data, guint count, gboolean stranger)
{
    gsize size, last = 0;
    const guint8 *octets = g_bytes_get_data(data, &size);
    gsize end = end_of_signatures(octets, size, &last);
    g_autoptr(GByteArray) all = g_byte_array_new();
    g_autofree guint8 *copy = g_memdup2(octets + last, end - last);

    g_byte_array_append(all, octets, (guint)last);
    for (guint i = 0; i < count; i++) {
        copy[end - last - 1] = (guint8)(octets[end - 1] + 1 + i);
        /* The issuer's fingerprint stands among what is hashed, and its key id behind that. */
        for (gsize at = 0; stranger && at + 24 < end - last; at++) {
            if (copy[at] == 22 && copy[at + 1] == 33)
                memset(copy + at + 3, (int)i + 1, 20);
            if (copy[at] == 9 && copy[at + 1] == 16)
                memset(copy + at + 2, (int)i + 1, 8);
        }
        g_byte_array_append(all, copy, (guint)(end - last));
    }
    g_byte_array_append(all, octets + last, (guint)(size - last));
    g_autoptr(GBytes) made = g_bytes_new(all->data, all->len);
    return pgp_key(pgp, made);
}

/* Any number of strangers' change nothing; too many by the introducer's name, and none counts, as
 * one of them may revoke the others. So it is with what is written of that key. */
static void test_crowded(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    open_with(&pgp, "ca@example.org");
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autoptr(GBytes) data = written(&pgp, key);
    g_autoptr(SealKey) strangers = crowded(&pgp, data, 200, TRUE);
    g_autoptr(SealKey) some = crowded(&pgp, data, 30, FALSE);
    g_autoptr(SealKey) many = crowded(&pgp, data, 60, FALSE);
    g_autoptr(GBytes) of_many = written(&pgp, many);
    g_autoptr(SealKey) again = pgp_key(&pgp, of_many);
    g_autofree char *by_strangers = prove(&pgp, strangers, "alice@example.org", soon());
    g_autofree char *by_some = prove(&pgp, some, "alice@example.org", soon());
    g_autofree char *by_many = prove(&pgp, many, "alice@example.org", soon());
    g_autofree char *by_again = prove(&pgp, again, "alice@example.org", soon());
    g_autofree char *code =
        pgp_judge_for(&pgp, many, "alice@example.org", SEAL_PURPOSE_ENCRYPT, soon(), NULL);

    g_assert_nonnull(by_strangers);
    g_assert_nonnull(by_some);
    g_assert_null(by_many);
    g_assert_null(by_again);
    g_assert_cmpstr(code, ==, "usable");
}

/* One octet at the end of the last certification by the CA is another. */
static void test_forged(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    open_with(&pgp, "ca@example.org");
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autoptr(GBytes) data = written(&pgp, key);
    gsize size, last;
    const guint8 *octets = g_bytes_get_data(data, &size);
    g_autofree guint8 *copy = g_memdup2(octets, size);

    copy[end_of_signatures(octets, size, &last) - 1] ^= 1;
    g_autoptr(GBytes) forged = g_bytes_new(copy, size);
    g_autoptr(SealKey) other = pgp_key(&pgp, forged);
    g_autofree char *good = prove(&pgp, key, "alice@example.org", soon());
    g_autofree char *bad = prove(&pgp, other, "alice@example.org", soon());

    g_assert_nonnull(good);
    g_assert_null(bad);
}

static void test_sha1(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    certify(&pgp, "ca@example.org", alice, "--cert-digest-algo", "SHA1");
    open_with(&pgp, "ca@example.org");
    assert_proven(&pgp, "alice@example.org", "alice@example.org", FALSE);
}

static void test_ended(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    certify(&pgp, "ca@example.org", alice, "--default-cert-expire", "2d");
    open_with(&pgp, "ca@example.org");
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autofree char *now = prove(&pgp, key, "alice@example.org", soon());
    g_autofree char *later = prove(&pgp, key, "alice@example.org", soon() + (gint64)2 * 24 * 3600);
    g_autofree char *before = prove(&pgp, key, "alice@example.org", soon() - (gint64)24 * 3600);

    g_assert_nonnull(now);
    g_assert_null(later);
    g_assert_null(before);
}

static void test_revoked(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    g_autofree char *ca = fingerprint_of(&pgp, "ca@example.org");
    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    g_autoptr(GBytes) before = gpg_export(&pgp, pgp.theirs, "alice@example.org", FALSE);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--quick-revoke-sig", alice, ca, NULL));
    open_with(&pgp, "ca@example.org");
    assert_proven(&pgp, "alice@example.org", "alice@example.org", FALSE);

    /* An older copy alone says otherwise, and both together do not. */
    g_autoptr(SealKey) old = pgp_key(&pgp, before);
    g_autoptr(SealKey) now = exported(&pgp, "alice@example.org");
    g_autofree char *by = prove(&pgp, old, "alice@example.org", soon());
    g_assert_nonnull(by);
    g_autoptr(GPtrArray) copies = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_ptr_array_add(copies, old);
    g_ptr_array_add(copies, now);
    g_autoptr(SealKey) merged = pgp.format->merge(pgp.module, copies, &error);
    g_assert_no_error(error);
    g_autofree char *none = prove(&pgp, merged, "alice@example.org", soon());
    g_assert_null(none);
}

static char *revocation_of(Pgp *pgp, const char *fingerprint)
{
    g_autofree char *upper = g_ascii_strup(fingerprint, -1);
    g_autofree char *name = g_strdup_printf("%s.rev", upper);
    g_autofree char *path = g_build_filename(pgp->theirs, "openpgp-revocs.d", name, NULL);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    /* gpg puts a colon before it. */
    char *colon = strstr(text, ":-----BEGIN");
    memmove(colon, colon + 1, strlen(colon));
    return text;
}

/* The introducer's own key has been revoked, or has ended. */
static void test_introducer_unfit(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    g_autofree char *ca = fingerprint_of(&pgp, "ca@example.org");
    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--quick-set-expire", ca, "3d", NULL));
    open_with(&pgp, "ca@example.org");
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autofree char *now = prove(&pgp, key, "alice@example.org", soon());
    g_autofree char *later = prove(&pgp, key, "alice@example.org", soon() + (gint64)3 * 24 * 3600);
    g_assert_nonnull(now);
    g_assert_null(later);

    g_autofree char *revocation = revocation_of(&pgp, ca);
    g_autofree char *path = pgp_write(&pgp, "revoke.asc", revocation, strlen(revocation));
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--import", path, NULL));
    open_with(&pgp, "ca@example.org");
    g_autofree char *revoked = prove(&pgp, key, "alice@example.org", soon());
    g_assert_null(revoked);
}

/* Its key is nowhere: whoever it would have vouched for cannot be told. */
static void test_introducer_missing(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    g_autofree char *ca = fingerprint_of(&pgp, "ca@example.org");
    g_autofree char *settings = g_strdup_printf("home=%s\nintroducers=%s", pgp.ours, ca);
    g_autoptr(SealAddress) address = seal_address_parse("alice@example.org", NULL);
    g_autoptr(GError) error = NULL;
    SealProven proven;
    char *by = NULL;

    certify(&pgp, "ca@example.org", alice, NULL, NULL);
    g_bytes_unref(gpg(&pgp, pgp.ours, "--list-keys", NULL));
    g_assert_true(pgp_open(&pgp, settings, NULL));
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_assert_false(pgp.format->prove(pgp.module, key, address, soon(), &proven, &by, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, ca));

    /* It is found in home. */
    g_autoptr(GBytes) data = gpg_export(&pgp, pgp.theirs, "ca@example.org", TRUE);
    gsize size;
    const char *octets = g_bytes_get_data(data, &size);
    g_autofree char *path = pgp_write(&pgp, "ca.asc", octets, size);
    g_bytes_unref(gpg(&pgp, pgp.ours, "--import", path, NULL));
    g_autofree char *found = prove(&pgp, key, "alice@example.org", soon());
    g_assert_nonnull(found);
}

/* -------------------------------------------------------------------------------------------
 * Successors
 */

static void test_same(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    gpg_generate(&pgp, pgp.theirs, ALICE, NULL);
    g_autofree char *alice = fingerprint_of(&pgp, "alice@example.org");
    g_autoptr(SealKey) old = exported(&pgp, "alice@example.org");
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--quick-set-expire", alice, "5y", NULL));
    g_autoptr(SealKey) key = exported(&pgp, "alice@example.org");
    g_autofree char *why = NULL;

    g_assert_true(succeeds(&pgp, old, key, "alice@example.org", &why));
}

static char *second_alice(Pgp *pgp)
{
    g_bytes_unref(gpg(pgp, pgp->theirs, "--pinentry-mode", "loopback", "--passphrase", "",
                      "--quick-gen-key", "Alice anew <alice@example.org>", "future-default",
                      "default", "never", NULL));
    return fingerprint_of(pgp, "Alice anew");
}

static void test_succeeds(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *first = fingerprint_of(&pgp, "alice@example.org");
    g_autoptr(SealKey) old = exported(&pgp, first);
    g_autofree char *second = second_alice(&pgp);
    g_autoptr(SealKey) alone = exported(&pgp, second);
    g_autofree char *why = NULL, *why2 = NULL, *why3 = NULL, *why4 = NULL, *why5 = NULL;

    g_assert_false(succeeds(&pgp, old, alone, "alice@example.org", &why));
    certify(&pgp, "mallory@example.net", second, NULL, NULL);
    g_autoptr(SealKey) strangers = exported(&pgp, second);
    g_assert_false(succeeds(&pgp, old, strangers, "alice@example.org", &why2));
    certify(&pgp, first, second, NULL, NULL);
    g_autoptr(SealKey) key = exported(&pgp, second);
    g_assert_true(succeeds(&pgp, old, key, "alice@example.org", &why3));
    g_assert_nonnull(strstr(why3, first));
    g_assert_false(succeeds(&pgp, old, key, "bob@example.org", &why4));

    /* A revoked key says nothing any more. */
    g_autofree char *revocation = revocation_of(&pgp, first);
    g_autofree char *path = pgp_write(&pgp, "revoke.asc", revocation, strlen(revocation));
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--import", path, NULL));
    g_autoptr(SealKey) revoked = exported(&pgp, first);
    g_assert_false(succeeds(&pgp, revoked, key, "alice@example.org", &why5));
    g_assert_nonnull(strstr(why5, "revoked"));
}

/* The usual case: the old key is over. */
static void test_succeeds_expired(void)
{
    g_auto(Pgp) pgp = {0};
    pgp_start(&pgp);
    g_autofree char *now =
        g_strdup_printf("%" G_GINT64_FORMAT, g_get_real_time() / G_USEC_PER_SEC - 30 * 24 * 3600);
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--faked-system-time", now, "--pinentry-mode", "loopback",
                      "--passphrase", "", "--quick-gen-key", ALICE, "future-default", "default",
                      "10d", NULL));
    g_autofree char *first = fingerprint_of(&pgp, "alice@example.org");
    g_bytes_unref(gpg(&pgp, pgp.theirs, "--faked-system-time", now, "--pinentry-mode", "loopback",
                      "--passphrase", "", "--quick-gen-key", "Alice anew <alice@example.org>",
                      "future-default", "default", "never", NULL));
    g_autofree char *second = fingerprint_of(&pgp, "Alice anew");
    certify(&pgp, first, second, "--faked-system-time", now);
    g_autoptr(SealKey) old = exported(&pgp, first);
    g_autoptr(SealKey) key = exported(&pgp, second);
    g_autofree char *why = NULL;

    g_assert_true(succeeds(&pgp, old, key, "alice@example.org", &why));
}

static void test_both_named(void)
{
    g_auto(Pgp) pgp = {0};
    prepare_people(&pgp);
    g_autofree char *first = fingerprint_of(&pgp, "alice@example.org");
    g_autofree char *second = second_alice(&pgp);
    g_autofree char *why = NULL, *why2 = NULL;

    certify(&pgp, "ca@example.org", second, NULL, NULL);
    open_with(&pgp, "ca@example.org");
    g_autoptr(SealKey) unknown = exported(&pgp, first);
    g_autoptr(SealKey) key = exported(&pgp, second);
    g_assert_false(succeeds(&pgp, unknown, key, "alice@example.org", &why));
    certify(&pgp, "ca@example.org", first, NULL, NULL);
    g_autoptr(SealKey) old = exported(&pgp, first);
    g_assert_true(succeeds(&pgp, old, key, "alice@example.org", &why2));
    g_assert_nonnull(strstr(why2, "The CA"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgp/vouch/written", test_written);
    g_test_add_func("/pgp/vouch/settings", test_settings);
    g_test_add_func("/pgp/vouch/certified", test_certified);
    g_test_add_func("/pgp/vouch/crowded", test_crowded);
    g_test_add_func("/pgp/vouch/forged", test_forged);
    g_test_add_func("/pgp/vouch/sha1", test_sha1);
    g_test_add_func("/pgp/vouch/ended", test_ended);
    g_test_add_func("/pgp/vouch/revoked", test_revoked);
    g_test_add_func("/pgp/vouch/introducer-unfit", test_introducer_unfit);
    g_test_add_func("/pgp/vouch/introducer-missing", test_introducer_missing);
    g_test_add_func("/pgp/vouch/same", test_same);
    g_test_add_func("/pgp/vouch/succeeds", test_succeeds);
    g_test_add_func("/pgp/vouch/succeeds-expired", test_succeeds_expired);
    g_test_add_func("/pgp/vouch/both-named", test_both_named);
    return g_test_run();
}
