/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-dispatcher.c: plan, group and apply, with the real modules and one that lies.
 */
#include "test-job.h"

#include <string.h>

typedef struct {
    const char *more;       /* configuration */
    const char *recipients; /* with ; between them */
    const char *results;    /* one letter each: S sealed, P plain, R refused, D deferred */
    guint keys;             /* of the first delivery */
    const char *reason;     /* part of the first recipient's */
} Row;

static const Row ROWS[] = {
    /* One recipient. */
    {"", "alice@example.org", "S", 1, ""},
    {"", "ALICE@example.ORG", "S", 1, ""},
    {"", "alice+news@example.org", "S", 1, ""},
    {"", "nokey@example.org", "R", 0, "no smime key"},
    {"[policy]\nencrypt=preferred", "nokey@example.org", "P", 0, "no smime key"},
    {"[policy]\nencrypt=preferred", "alice@example.org", "S", 1, ""},
    {"[policy]\nencrypt=never", "alice@example.org", "P", 0, "encrypt=never"},
    {"[policy]\nfallback=allow", "nokey@example.org", "P", 0, "no smime key"},
    {"[policy]\nfallback=allow", "alice@example.org", "S", 1, ""},
    {"[policy]\nmin_trust=manual", "alice@example.org", "R", 0, ""},
    {"[module keys-file]\ntrust=unverified\npaths=/", "alice@example.org", "", 0, ""},
    {"[pipeline]\noutbound=", "alice@example.org", "R", 0, "none of the policy's formats"},
    /* A lone Bcc recipient is sealed normally. */
    {"", "mallory@example.org", "S", 1, ""},
    /* Several in one output. */
    {"", "alice@example.org;bob@example.org", "SS", 2, ""},
    {"", "alice@example.org;Alice@example.org", "S", 1, ""},
    {"", "alice@example.org;nokey@example.org", "RR", 0, "no smime key for nokey"},
    {"[policy]\nencrypt=preferred", "alice@example.org;nokey@example.org", "PP", 0, "nokey"},
    {"[policy]\nfallback=allow", "alice@example.org;nokey@example.org", "PP", 0, "nokey"},
    {"", "alice@example.org;mallory@example.org", "RR", 0, "max_rcpt = 1"},
    {"[policy]\nencrypt=never", "alice@example.org;mallory@example.org", "PP", 0, ""},
    /* Stages. */
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=unable", "alice@example.org", "R", 0,
     "licence has lapsed"},
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=refuse\n[policy]\nfallback=allow",
     "alice@example.org", "R", 0, "not this one"},
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=fail", "alice@example.org", "D", 0,
     "asked for"},
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=silent", "alice@example.org", "D", 0,
     "did not say why"},
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=undecided\n[policy]\nfallback=allow",
     "alice@example.org", "D", 0, "did not decide"},
    {"[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=sealed\n[policy]\nfallback=allow",
     "alice@example.org", "D", 0, "did not decide"},
    /* Sources: not to find out is not "no key". */
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=error", "alice@example.org", "D", 0,
     "does not answer"},
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=error\n[policy]\nencrypt=preferred",
     "alice@example.org", "D", 0, "does not answer"},
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=silent", "alice@example.org", "D", 0,
     "did not say why"},
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=silent\non_error=skip",
     "alice@example.org", "S", 1, ""},
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=error\non_error=skip",
     "alice@example.org", "S", 1, ""},
    /* It might have one that the anchors vouch for. */
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=error\ntrust=harvested",
     "alice@example.org", "D", 0, "does not answer"},
    {"[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error", "alice@example.org", "S", 1,
     ""},
    {"[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error",
     "alice@example.org;nokey@example.org", "DD", 0, "does not answer"},
};

static void check_row(const Row *row)
{
    g_auto(GStrv) recipients = g_strsplit(row->recipients, ";", -1);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(row->more, &error);
    g_autoptr(GString) results = g_string_new(NULL);

    g_test_message("%s -> %s", row->more, row->recipients);
    if (!*row->results) {
        g_assert_null(dispatcher);
        return;
    }
    g_assert_no_error(error);
    g_autoptr(SealJob) job = job_of(MESSAGE, (const char *const *)recipients, TRUE);
    gboolean ran = seal_dispatcher_run(dispatcher, job, NULL, NULL);

    for (guint i = 0; i < seal_job_recipients(job)->len; i++)
        g_string_append_c(results, letter(result_of(job, i)));
    g_assert_cmpstr(results->str, ==, row->results);
    g_assert_nonnull(strstr(reason_of(job, 0), row->reason));
    g_assert_true(ran || !strchr(row->results, 'S'));
    if (strpbrk(row->results, "RD")) {
        g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 0);
        return;
    }
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 1);
    g_autofree char *output = output_of(job, 0);
    g_assert_true((strstr(output, SECRET) == NULL) == (strchr("SN", row->results[0]) != NULL));
    /* With its colon, which no base64 has. */
    g_assert_null(strstr(output, "Bcc:"));
    g_assert_cmpuint(seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0))->len, ==,
                     row->keys);
}

static void test_plan(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++)
        check_row(&ROWS[i]);
}

/* What a stage says that is unable follows, whatever policy says; but mail that is neither to be
 * encrypted nor signed is none of its business. The check foretells what happens. */
static void test_unable(void)
{
    static const char *const encrypts[] = {"required", "preferred", "never", NULL};
    static const char *const words[] = {"refuse", "report", "allow", NULL};
    static const char *const recipients[] = {
        "alice@example.org", "alice@example.org;bob@example.org", "nokey@example.org", NULL};

    for (guint i = 0; i < 3 * 3 * 3 * 3 * 2; i++) {
        const char *unable = words[i % 3], *encrypt = encrypts[i / 3 % 3];
        const char *to = recipients[i / 27 % 3];
        gboolean untouched = g_str_equal(encrypt, "never");
        char result = untouched || g_str_equal(unable, "allow") ? 'P'
                      : g_str_equal(unable, "report")           ? 'N'
                                                                : 'R';
        const char results[] = {result, strchr(to, ';') ? result : '\0', '\0'};
        g_autofree char *more = g_strdup_printf(
            "[pipeline]\noutbound=faulty;smime\n[module faulty]\nplan=unable\non_unable=%s\n"
            "[policy]\nencrypt=%s\nfallback=%s\nall_or_none=%s",
            unable, encrypt, words[i / 9 % 3], i / 81 ? "true" : "false");
        const Row row = {more, to, results, 0, untouched ? "encrypt=never" : "licence has lapsed"};
        g_autoptr(SealDispatcher) dispatcher = NULL;
        g_auto(GStrv) list = g_strsplit(to, ";", -1);

        check_row(&row);
        dispatcher = dispatcher_of(more, NULL);
        const SealJobSpec spec = {.recipients = (const char *const *)list};
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
        g_assert_true(seal_dispatcher_check(dispatcher, job, NULL, NULL));
        g_assert_cmpint(letter(result_of(job, 0)), ==, result);
    }
}

/* A front end that can hand over several: each gets what is right, and a Bcc stands alone. */
static void test_deliveries(void)
{
    static const char *const all[] = {"alice@example.org", "mallory@example.org",
                                      "nokey@example.org", "bob@example.org", NULL};
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, all, FALSE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    GPtrArray *deliveries = seal_job_deliveries(job);
    g_assert_cmpuint(deliveries->len, ==, 2);
    g_assert_cmpuint(seal_delivery_recipients(g_ptr_array_index(deliveries, 0))->len, ==, 2);
    g_assert_cmpuint(seal_delivery_keys(g_ptr_array_index(deliveries, 0))->len, ==, 2);
    g_assert_cmpuint(seal_delivery_recipients(g_ptr_array_index(deliveries, 1))->len, ==, 1);
    g_assert_cmpuint(seal_delivery_keys(g_ptr_array_index(deliveries, 1))->len, ==, 1);
    g_assert_cmpint(result_of(job, 2), ==, SEAL_VERDICT_REFUSE);
}

static void test_deferred_alone(void)
{
    static const char *const both[] = {"alice@example.org", "nokey@example.org", NULL};
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of("[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error", NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, both, FALSE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_SEALED);
    g_assert_cmpint(result_of(job, 1), ==, SEAL_VERDICT_DEFER);
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 1);
}

static void test_encrypt_to_sender(void)
{
    static const char from_bob[] = "From: Bob <BOB@example.org>\nTo: alice@example.org\n\nx\n";
    static const char two[] = "From: bob@example.org, c@example.org\nTo: alice@example.org\n\nx\n";
    static const struct {
        const char *more;
        const char *message;
        guint keys;
    } rows[] = {
        {"", from_bob, 2},
        {"[policy]\nencrypt_to_sender=false", from_bob, 1},
        {"", two, 1},
        {"", MESSAGE, 1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(rows[i].more, NULL);
        g_autoptr(SealJob) job = job_of(rows[i].message, ALICE, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_assert_cmpuint(seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0))->len,
                         ==, rows[i].keys);
    }
}

/* A source that answers with somebody else's key is not believed. */
static void test_wrong_address(void)
{
    g_autofree char *more =
        g_strdup_printf("[keyring]\nsources=faulty\n[module faulty]\nlookup=keys\n"
                        "file=%s/certs/mallory.pem",
                        top);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_REFUSE);
}

/* Nor is a key with less trust than its source was asked for. */
static void test_weak_trust(void)
{
    g_autofree char *more =
        g_strdup_printf("[policy]\nmin_trust=manual\n[keyring]\nsources=faulty\n"
                        "[module faulty]\ntrust=manual\nlookup=weak\nfile=%s/certs/alice.pem",
                        top);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_REFUSE);
    g_assert_nonnull(strstr(reason_of(job, 0), "trusted as unverified only"));
}

/* Of the keys of one source, one that is trusted less, as far as its anchor goes, is not used
 * beside one that is trusted more; alone it is. */
static void test_mixed_trust(void)
{
    static const struct {
        const char *file, *better;
        guint keys;
    } rows[] = {
        {"certs/alice.pem", "alice-other.pem", 1},
        {"certs/alice.pem", "certs/mallory.pem", 1},
        {"certs/mallory.pem", "alice-other.pem", 1},
        {"certs/mallory.pem", "alices.pem", 2},
    };

    make_certificate_for("alice", ".", "alice-other");
    g_autofree char *both = g_strdup_printf(
        "sh -c 'cat %s/certs/alice.pem %s/alice-other.pem >%s/alices.pem'", top, top, top);
    g_assert_true(g_spawn_command_line_sync(both, NULL, NULL, NULL, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *more = g_strdup_printf(
            "[policy]\nmin_trust=unverified\nencrypt_to_sender=false\n"
            "[keyring]\nsources=faulty\n[module faulty]\ntrust=manual\nlookup=weak\n"
            "file=%s/%s\nbetter=%s/%s",
            top, rows[i].file, top, rows[i].better);
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
        g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_SEALED);
        GPtrArray *keys = seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0));
        g_assert_cmpuint(keys->len, ==, rows[i].keys);
        g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==,
                        i == 1 ? SEAL_TRUST_VERIFIED : SEAL_TRUST_MANUAL);
    }
}

static void test_already_sealed(void)
{
    static const struct {
        const char *more;
        SealVerdict result;
        gboolean same;
    } rows[] = {
        {"", SEAL_VERDICT_SEALED, TRUE},
        {"[policy]\nalready_sealed=wrap", SEAL_VERDICT_SEALED, FALSE},
        {"[policy]\nalready_sealed=refuse", SEAL_VERDICT_REFUSE, FALSE},
    };
    g_autofree char *path = g_build_filename(top, "alice.eml", NULL);
    g_autofree char *sealed = NULL;

    make_sealed_file(MESSAGE, "alice@example.org", "alice.eml");
    g_assert_true(g_file_get_contents(path, &sealed, NULL, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(rows[i].more, NULL);
        g_autoptr(SealJob) job = job_of(sealed, ALICE, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_assert_cmpint(result_of(job, 0), ==, rows[i].result);
        if (rows[i].result == SEAL_VERDICT_REFUSE)
            continue;
        g_autofree char *output = output_of(job, 0);
        g_assert_true(g_str_equal(output, sealed) == rows[i].same);
    }
}

/* Some readers take a line of blanks for the header's end. */
static void test_already_sealed_tidy(void)
{
    static const char *const fields[] = {"X-A:", "MIME-Version:", "Content-Type:"};
    g_autofree char *path = g_build_filename(top, "alice.eml", NULL);
    g_autofree char *message = g_strconcat("X-A: b\n", MESSAGE, NULL);
    g_autofree char *sealed = NULL;
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);

    make_sealed_file(message, "alice@example.org", "alice.eml");
    g_assert_true(g_file_get_contents(path, &sealed, NULL, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_auto(GStrv) halves = g_strsplit(sealed, fields[i], 2);
        g_autofree char *folded = g_strconcat(halves[0], fields[i], "\n \t\n", halves[1], NULL);
        g_autofree char *tidy = g_strconcat(halves[0], fields[i], "\n", halves[1], NULL);
        g_autoptr(SealJob) job = job_of(folded, ALICE, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_SEALED);
        g_autofree char *output = output_of(job, 0);
        g_assert_cmpstr(output, ==, tidy);
    }
}

/* For whom it was encrypted. */
static void test_sealed_to(void)
{
    static const struct {
        const char *file, *more, *recipients, *results;
        gboolean same;
    } rows[] = {
        {"alice.eml", "", "alice@example.org", "S", TRUE},
        {"alice.eml", "", "alice+news@example.org", "S", TRUE},
        /* To somebody else only, as far as is known. */
        {"mallory.eml", "", "alice@example.org", "S", FALSE},
        {"mallory.eml", "", "nokey@example.org", "S", TRUE},
        {"mallory.eml", "[policy]\nalready_sealed=refuse", "alice@example.org", "S", FALSE},
        {"mallory.eml", "[policy]\nalready_sealed=refuse", "nokey@example.org", "R", TRUE},
        {"mallory.eml", "[policy]\nencrypt=never", "alice@example.org", "P", TRUE},
        /* One output is for each of them, or encrypted again. */
        {"alice.eml", "", "alice@example.org;bob@example.org", "SS", FALSE},
        {"alice.eml", "", "bob@example.org;alice@example.org", "SS", FALSE},
        {"alice.eml", "", "alice@example.org;nokey@example.org", "SS", TRUE},
        {"alice.eml", "", "bob@example.org;nokey@example.org", "RR", TRUE},
        /* Any of the recipient's usable keys will do, wherever it is. */
        {"second.eml",
         "[keyring]\nsources=file;faulty\n[module faulty]\nlookup=keys\nfile=@/"
         "second.pem",
         "alice@example.org", "S", TRUE},
        {"second.eml", "", "alice@example.org", "S", FALSE},
        /* Not to find out is not "no key". */
        {"mallory.eml", "[keyring]\nsources=faulty\n[module faulty]\nlookup=error",
         "nokey@example.org", "D", TRUE},
        {"mallory.eml", "[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error",
         "alice@example.org", "D", TRUE},
        {"alice.eml", "[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error",
         "alice@example.org", "S", TRUE},
        /* A key that cannot be used is none. */
        {"mallory.eml", "[policy]\nmin_trust=manual", "alice@example.org", "S", TRUE},
    };

    make_certificate_for("alice", ".", "second");
    make_sealed_file(MESSAGE, "alice@example.org", "alice.eml");
    make_sealed_file(MESSAGE, "mallory@example.org", "mallory.eml");
    make_sealed_by("[keyring]\nsources=faulty\n[module faulty]\nlookup=keys\nfile=@/second.pem",
                   MESSAGE, "alice@example.org", "second.eml");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) parts = g_strsplit(rows[i].more, "@/", -1);
        g_auto(GStrv) recipients = g_strsplit(rows[i].recipients, ";", -1);
        g_autofree char *path = g_build_filename(top, rows[i].file, NULL);
        g_autofree char *folder = g_strconcat(top, "/", NULL);
        g_autofree char *more = g_strjoinv(folder, parts);
        g_autofree char *sealed = NULL;
        g_autoptr(GString) results = g_string_new(NULL);

        g_test_message("%s: %s -> %s", rows[i].file, rows[i].more, rows[i].recipients);
        g_assert_true(g_file_get_contents(path, &sealed, NULL, NULL));
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
        g_autoptr(SealJob) job = job_of(sealed, (const char *const *)recipients, TRUE);
        seal_dispatcher_run(dispatcher, job, NULL, NULL);
        for (guint n = 0; n < seal_job_recipients(job)->len; n++)
            g_string_append_c(results, letter(result_of(job, n)));
        g_assert_cmpstr(results->str, ==, rows[i].results);
        if (seal_job_deliveries(job)->len == 0)
            continue;
        g_autofree char *output = output_of(job, 0);
        g_assert_true(g_str_equal(output, sealed) == rows[i].same);
    }
}

/* A name of many words is a name where the key is known, and could be text where it is not. */
static void test_sealed_long_name(void)
{
    static const char more[] = "[keyring]\nsources=faulty\n[module faulty]\nlookup=keys\n"
                               "trust=manual\nfile=@/talker.pem";
    static const char *const nokey[] = {"nokey@example.org", NULL};
    g_autofree char *path = g_build_filename(top, "talker.eml", NULL);
    g_autofree char *sealed = NULL;

    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout talker.key -out "
            "talker.pem -subj '/CN=the one that we made for alice at home' -days 30 "
            "-addext subjectAltName=email:alice@example.org");
    make_sealed_by(more, MESSAGE, "alice@example.org", "talker.eml");
    g_assert_true(g_file_get_contents(path, &sealed, NULL, NULL));
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealJob) job = job_of(sealed, nokey, TRUE);
    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_REFUSE);
    g_assert_nonnull(strstr(reason_of(job, 0), "longer than names are"));
}

/* PGP/MIME to a key that nobody here knows. Nothing in it needs to decrypt. (transfer full) */
static char *pgp_message(const char *fields, const char *preamble)
{
    guint8 packets[3 + 10 + 2 + 256 + 3 + 300];
    g_autoptr(GRand) rand = g_rand_new_with_seed(29);

    for (guint i = 0; i < sizeof packets; i++)
        packets[i] = (guint8)g_rand_int(rand);
    memcpy(packets, "\x85\x01\x0c\x03\x11\x22\x33\x44\x55\x66\x77\x88\x01\x08\x00", 15);
    memcpy(packets + 271, "\xd2\xc0\x6c\x01", 4);
    g_autofree char *base64 = g_base64_encode(packets, sizeof packets);
    return g_strconcat("From: carol@example.org\nTo: nokey@example.org\n", fields,
                       "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
                       "boundary=b\n\n",
                       preamble,
                       "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n"
                       "Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\n",
                       base64, "\n-----END PGP MESSAGE-----\n\n--b--\n", NULL);
}

/* Its module is not enabled here, and its structure says what it is. */
static void test_sealed_otherwise(void)
{
    static const struct {
        const char *fields, *preamble, *recipient;
        char result;
        gboolean same;
        const char *reason;
    } rows[] = {
        {"MIME-Version: 1.0\n", "", "nokey@example.org", 'S', TRUE, "encrypted already"},
        {"", "", "nokey@example.org", 'S', TRUE, "encrypted already"},
        {"MIME-Version: 1.0\n", "This is a multi-part message in MIME format.\n",
         "nokey@example.org", 'S', TRUE, "encrypted already"},
        /* Encrypted again for a recipient whose certificate is known. */
        {"MIME-Version: 1.0\n", "", "alice@example.org", 'S', FALSE, ""},
        /* Readers do not show it, and nothing protects it. */
        {"MIME-Version: 1.0\n", SECRET "\n", "nokey@example.org", 'S', FALSE, "left out"},
        {"MIME-Version: 1.0\nContent-Description: " SECRET "\n", "", "nokey@example.org", 'R',
         FALSE, "not encrypted as a whole"},
        {"MIME-Version: 1.0\nMIME-Version: 1.0\n", "", "nokey@example.org", 'R', FALSE,
         "not encrypted as a whole"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const recipients[] = {rows[i].recipient, NULL};
        g_autofree char *text = pgp_message(rows[i].fields, rows[i].preamble);
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
        g_autoptr(SealJob) job = job_of(text, recipients, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_test_message("%u: %s", i, reason_of(job, 0));
        g_assert_cmpint(letter(result_of(job, 0)), ==, rows[i].result);
        g_assert_nonnull(strstr(reason_of(job, 0), rows[i].reason));
        if (rows[i].result == 'R')
            continue;
        g_autofree char *output = output_of(job, 0);
        g_assert_true(g_str_equal(output, text) == rows[i].same);
        g_assert_null(strstr(output, SECRET));
    }
}

/* Bait in the text is no encryption. */
static void test_bait(void)
{
    static const char bait[] = "From: c@example.org\nTo: nokey@example.org\nSubject: "
                               "-----BEGIN PKCS7-----\n\n-----BEGIN PGP MESSAGE-----\nMIAGCSqGSIb3"
                               "DQEHA6CAMIACAQAx\n" SECRET "\n";
    static const char *const nokey[] = {"nokey@example.org", NULL};
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealJob) job = job_of(bait, nokey, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_REFUSE);
}

static void test_crlf(void)
{
    static const char crlf[] = "From: c@example.org\r\nTo: alice@example.org\r\n\r\nx\r\n";
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealJob) job = job_of(crlf, ALICE, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job, 0);
    for (const char *lf = strchr(output, '\n'); lf; lf = strchr(lf + 1, '\n'))
        g_assert_true(lf[-1] == '\r');
}

static void test_inbound(void)
{
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealContent) content = seal_content_new_copy(MESSAGE, strlen(MESSAGE));
    const SealJobSpec spec = {
        .direction = SEAL_DIRECTION_INBOUND, .recipients = ALICE, .message = content};
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    g_assert_false(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_DEFER);
}

static void test_check(void)
{
    static const struct {
        const char *more;
        const char *address;
        SealVerdict result;
    } rows[] = {
        {"", "alice@example.org", SEAL_VERDICT_SEALED},
        {"", "nokey@example.org", SEAL_VERDICT_REFUSE},
        {"[policy]\nencrypt=never", "nokey@example.org", SEAL_VERDICT_PLAIN},
        {"[policy]\nencrypt=preferred", "nokey@example.org", SEAL_VERDICT_PLAIN},
        {"[policy]\nfallback=allow", "nokey@example.org", SEAL_VERDICT_PLAIN},
        {"[keyring]\nsources=faulty\n[module faulty]\nlookup=error", "alice@example.org",
         SEAL_VERDICT_DEFER},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const recipients[] = {rows[i].address, NULL};
        const SealJobSpec spec = {.sender = "", .recipients = recipients};
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(rows[i].more, NULL);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

        g_assert_true(seal_dispatcher_check(dispatcher, job, NULL, NULL));
        g_assert_cmpint(result_of(job, 0), ==, rows[i].result);
    }
}

static void test_configuration_errors(void)
{
    static const struct {
        const char *more;
        const char *what;
    } rows[] = {
        {"[pipeline]\noutbound=smime;nothing", "x.conf:8: [pipeline] outbound: no enabled module"},
        {"[pipeline]\noutbound=smime;smime",
         "x.conf:8: [pipeline] outbound: \"smime\" is listed twice"},
        {"[policy]\nformats=pgp", "x.conf:8: [policy] formats: no enabled module offers"},
        {"[policy]\nsign=required", "x.conf:8: [policy] sign: "},
        {"[policy]\nheader_protection=clear", "x.conf:8: [policy] header_protection: "},
        {"[keyring]\nsources=store", "x.conf:8: [keyring] sources: no enabled module offers"},
        {"[daemon]\nqueue=0", "x.conf:8: [daemon] queue: 0 is out of range"},
        {"[daemon]\nworkers=few", "x.conf:8: [daemon] workers: \"few\" is neither auto"},
        {"[daemon]\nsocket_mode=0888", "x.conf:8: [daemon] socket_mode: \"0888\" is no mode"},
        {"[daemon]\npeers=mail=@example.org", "x.conf:8: [daemon] peers: \"mail=@example.org\""},
        {"[daemon]\nsubmission_peers=mail=example.org",
         "x.conf:8: [daemon] submission_peers: \"mail=example.org\" is neither"},
        {"[module nothing]", "x.conf:7: [module nothing]: "},
        {"[module ../x]", "x.conf:7: [module ../x]: not the name of a module"},
        {"[module faulty]\nenabled=maybe", "x.conf:8: [module faulty] enabled: "},
        {"[module faulty]\nunknown=1", "x.conf:8: [module faulty] has no setting"},
        {"[module faulty]\non_error=maybe", "x.conf:8: [module faulty] on_error: "},
        {"[rule x]", "x.conf:7: [rule x]: says nothing"},
        {"[elsewhere]", "x.conf:7: there is no group [elsewhere]"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(rows[i].more, &error);

        g_assert_null(dispatcher);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, rows[i].what));
    }
}

static void test_disabled_module(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of("[module not-installed]\nenabled=false", &error);

    g_assert_no_error(error);
    g_assert_nonnull(dispatcher);
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/dispatcher/plan", test_plan);
    g_test_add_func("/dispatcher/unable", test_unable);
    g_test_add_func("/dispatcher/deliveries", test_deliveries);
    g_test_add_func("/dispatcher/deferred-alone", test_deferred_alone);
    g_test_add_func("/dispatcher/encrypt-to-sender", test_encrypt_to_sender);
    g_test_add_func("/dispatcher/wrong-address", test_wrong_address);
    g_test_add_func("/dispatcher/weak-trust", test_weak_trust);
    g_test_add_func("/dispatcher/mixed-trust", test_mixed_trust);
    g_test_add_func("/dispatcher/already-sealed", test_already_sealed);
    g_test_add_func("/dispatcher/already-sealed-tidy", test_already_sealed_tidy);
    g_test_add_func("/dispatcher/sealed-to", test_sealed_to);
    g_test_add_func("/dispatcher/sealed-long-name", test_sealed_long_name);
    g_test_add_func("/dispatcher/sealed-otherwise", test_sealed_otherwise);
    g_test_add_func("/dispatcher/bait", test_bait);
    g_test_add_func("/dispatcher/crlf", test_crlf);
    g_test_add_func("/dispatcher/inbound", test_inbound);
    g_test_add_func("/dispatcher/check", test_check);
    g_test_add_func("/dispatcher/configuration-errors", test_configuration_errors);
    g_test_add_func("/dispatcher/disabled-module", test_disabled_module);
    rc = g_test_run();
    tear_down();
    return rc;
}
