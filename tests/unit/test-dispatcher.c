/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-dispatcher.c: plan, group, apply and gate, with the real modules and one that lies.
 */
#include "core/frontend.h"

#include <glib/gstdio.h>
#include <string.h>

#define SECRET "the secret words"

static char *top;     /* scratch folder of this run */
static char *modules; /* copies of the modules */

/* -------------------------------------------------------------------------------------------
 * Keys and configuration
 */

static void put(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(top, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
}

static void openssl(const char *arguments)
{
    g_autofree char *line = g_strconcat("openssl ", arguments, NULL);
    g_auto(GStrv) argv = NULL;
    int status = 1;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_assert_true(
        g_spawn_sync(top, argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
}

/* @folder/@name.pem, for this local part. */
static void make_certificate_for(const char *local, const char *folder, const char *name)
{
    g_autofree char *ext = g_strdup_printf("subjectAltName=email:%s@example.org\n", local);
    g_autofree char *request = g_strdup_printf("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                                               "-nodes -keyout %s.key -out %s.csr -subj /CN=%s",
                                               name, name, name);
    g_autofree char *issue =
        g_strdup_printf("x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -days 30 "
                        "-extfile ext.cnf -out %s/%s.pem",
                        name, folder, name);

    put("ext.cnf", ext);
    openssl(request);
    openssl(issue);
}

static void make_certificate(const char *name)
{
    make_certificate_for(name, "certs", name);
}

static void copy_module(const char *from, const char *name)
{
    g_autofree char *source = g_build_filename(g_getenv(from), name, NULL);
    g_autofree char *target = g_build_filename(modules, name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(source, &data, &length, NULL));
    g_assert_true(g_file_set_contents(target, data, (gssize)length, NULL));
    g_chmod(target, 0755);
}

static void set_up(void)
{
    g_autofree char *certs = NULL;

    top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    modules = g_build_filename(top, "modules", NULL);
    certs = g_build_filename(top, "certs", NULL);
    g_mkdir(modules, 0755);
    g_mkdir(certs, 0755);
    copy_module("SEALPIPE_TEST_MODULES", "smime.so");
    copy_module("SEALPIPE_TEST_MODULES", "keys-file.so");
    copy_module("SEALPIPE_TEST_FAULTY", "faulty.so");
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out "
            "ca.pem -subj /CN=root -days 30");
    make_certificate("alice");
    make_certificate("bob");
    make_certificate("mallory");
}

static void tear_down(void)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", top, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(modules);
    g_free(top);
}

/* A dispatcher with the usual modules, and @more lines of configuration. */
static SealDispatcher *dispatcher_of(const char *more, GError **error)
{
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    g_autofree char *text =
        g_strdup_printf("[core]\nlog_target=%s/log\n[module smime]\ntrust_anchors=%s/ca.pem\n"
                        "[module keys-file]\npaths=%s/certs\n%s\n",
                        top, top, top, more);

    g_mkdir(conf, 0755);
    put("conf/x.conf", text);
    return seal_dispatcher_new(conf, modules, error);
}

/* Likewise; @text has a group [core] of its own. */
static SealDispatcher *dispatcher_limited(const char *text)
{
    g_autofree char *path = g_build_filename(top, "conf", "y.conf", NULL);
    g_autoptr(GError) error = NULL;

    put("conf/y.conf", text);
    SealDispatcher *dispatcher = dispatcher_of("", &error);
    g_assert_no_error(error);
    g_unlink(path);
    return dispatcher;
}

static SealJob *job_of(const char *message, const char *const *recipients, gboolean one_output)
{
    g_autoptr(SealContent) content = seal_content_new_copy(message, strlen(message));
    const SealJobSpec spec = {
        .sender = "bob@example.org",
        .recipients = recipients,
        .message = content,
        .one_output = one_output,
    };
    g_autoptr(GError) error = NULL;
    SealJob *job = seal_job_new(&spec, &error);

    g_assert_no_error(error);
    return job;
}

static char *output_of(SealJob *job, guint index)
{
    SealDelivery *delivery = g_ptr_array_index(seal_job_deliveries(job), index);
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    return g_strndup(data, size);
}

static SealVerdict result_of(SealJob *job, guint index)
{
    return seal_recipient_result(g_ptr_array_index(seal_job_recipients(job), index));
}

static const char *reason_of(SealJob *job, guint index)
{
    return seal_recipient_reason(g_ptr_array_index(seal_job_recipients(job), index));
}

static const char MESSAGE[] = "From: carol@example.org\nTo: alice@example.org, bob@example.org, "
                              "nokey@example.org\nBcc: mallory@example.org\nSubject: s\n\n" SECRET
                              "\nmore than one line of them\n";
static const char *const ALICE[] = {"alice@example.org", NULL};

/* What a message sealed to @who looks like; @/ in @more is the folder of the test. */
static void make_sealed_by(const char *more, const char *message, const char *who, const char *file)
{
    const char *const recipients[] = {who, NULL};
    g_auto(GStrv) parts = g_strsplit(more, "@/", -1);
    g_autofree char *folder = g_strconcat(top, "/", NULL);
    g_autofree char *text = g_strjoinv(folder, parts);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(text, NULL);
    g_autoptr(SealJob) job = job_of(message, recipients, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job, 0);
    put(file, output);
}

static void make_sealed_file(const char *message, const char *who, const char *file)
{
    make_sealed_by("", message, who, file);
}

/* -------------------------------------------------------------------------------------------
 * The gate
 */

static void assert_stopped(const char *fault, const char *file, const char *why)
{
    g_autofree char *more = g_strdup_printf("[pipeline]\noutbound=smime;faulty\n[module faulty]\n"
                                            "fault=%s\nfile=%s/%s",
                                            fault, top, file);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, &error);
    g_assert_no_error(error);
    g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

    g_assert_false(seal_dispatcher_run(dispatcher, job, NULL, &error));
    g_test_message("%s: %s", fault, error->message);
    g_assert_nonnull(strstr(error->message, why));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 0);
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_DEFER);
    g_assert_null(strstr(error->message, SECRET));
}

static void test_gate_faults(void)
{
    put("plain.eml", MESSAGE);
    assert_stopped("append", "plain.eml", "not wholly encrypted");
    assert_stopped("prepend", "plain.eml", "not wholly encrypted");
    assert_stopped("multipart", "plain.eml", "not wholly encrypted");
    assert_stopped("field", "plain.eml", "the header field X-Body stands outside");
    assert_stopped("field", "plain.eml", "added or changed by faulty");
    assert_stopped("content-field", "plain.eml",
                   "the header field Content-Body stands outside, and belongs to what");
    assert_stopped("twice", "plain.eml", "Content-Disposition stands 2 times");
    assert_stopped("bcc", "plain.eml", "never leaves; added or changed by faulty");
    assert_stopped("version", "plain.eml", "MIME-Version");
    assert_stopped("empty", "plain.eml", "nothing is left of the message, by faulty");
    assert_stopped("fail", "plain.eml", "stage faulty: the fault that was asked for");
    assert_stopped("silent", "plain.eml", "did not say why");
}

static void test_gate_clear_as_sealed(void)
{
    put("plain.eml", "From: carol@example.org\nMIME-Version: 1.0\n\n" SECRET "\n");
    assert_stopped("file", "plain.eml", "not wholly encrypted");
    put("plain.eml", "From: carol@example.org\nMIME-Version: 1.0\nContent-Type: "
                     "application/pkcs7-mime; smime-type=enveloped-data\n\n" SECRET "\n");
    assert_stopped("file", "plain.eml", "not wholly encrypted");
}

static void test_gate_other_key(void)
{
    make_sealed_file(MESSAGE, "mallory@example.org", "mallory.eml");
    assert_stopped("file", "mallory.eml", "keys that no recipient has");
}

static void test_gate_one_key_more(void)
{
    static const char *const both[] = {"alice@example.org", "bob@example.org", NULL};
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of("", NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, both, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job, 0);
    put("both.eml", output);
    assert_stopped("file", "both.eml", "keys that no recipient has");
}

static void test_gate_one_key_less(void)
{
    static const char *const both[] = {"alice@example.org", "bob@example.org", NULL};
    g_autofree char *more = g_strdup_printf("[pipeline]\noutbound=smime;faulty\n[module faulty]\n"
                                            "fault=file\nfile=%s/alice.eml",
                                            top);
    g_autoptr(GError) error = NULL;

    make_sealed_file(MESSAGE, "alice@example.org", "alice.eml");
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, both, TRUE);
    g_assert_false(seal_dispatcher_run(dispatcher, job, NULL, &error));
    g_assert_nonnull(strstr(error->message, "1 of the recipients' keys are not among"));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, 0);
}

static void test_gate_half(void)
{
    g_autofree char *path = g_build_filename(top, "alice.eml", NULL);
    g_autofree char *whole = NULL;

    /* Half of the content, properly sealed. */
    make_sealed_file("From: carol@example.org\nTo: alice@example.org\nSubject: s\n\nhalf\n",
                     "alice@example.org", "alice.eml");
    assert_stopped("file", "alice.eml", "shorter");
    /* Half of the ciphertext. */
    make_sealed_file(MESSAGE, "alice@example.org", "alice.eml");
    g_assert_true(g_file_get_contents(path, &whole, NULL, NULL));
    whole[strlen(whole) - 120] = '\0';
    put("alice.eml", whole);
    assert_stopped("file", "alice.eml", "not wholly encrypted");
}

/* What passes without a fault, so that the tests above stop at the fault and nothing else. */
static void test_gate_open(void)
{
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of("[pipeline]\noutbound=smime;faulty\n[module faulty]", NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_autofree char *output = output_of(job, 0);
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_SEALED);
    g_assert_null(strstr(output, SECRET));
    /* With its colon, which no base64 has. */
    g_assert_null(strstr(output, "Bcc:"));
}

/* -------------------------------------------------------------------------------------------
 * Plan and group
 */

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
    {"[keyring]\nsources=faulty;file\n[module faulty]\nlookup=error\ntrust=harvested",
     "alice@example.org", "S", 1, ""},
    {"[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error", "alice@example.org", "S", 1,
     ""},
    {"[keyring]\nsources=file;faulty\n[module faulty]\nlookup=error",
     "alice@example.org;nokey@example.org", "DD", 0, "does not answer"},
};

static char letter(SealVerdict verdict)
{
    return verdict == SEAL_VERDICT_SEALED   ? 'S'
           : verdict == SEAL_VERDICT_PLAIN  ? 'P'
           : verdict == SEAL_VERDICT_REFUSE ? 'R'
           : verdict == SEAL_VERDICT_REPORT ? 'N'
           : verdict == SEAL_VERDICT_DEFER  ? 'D'
                                            : '?';
}

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
        g_strdup_printf("[keyring]\nsources=faulty\n[module faulty]\nlookup=weak\n"
                        "file=%s/certs/alice.pem",
                        top);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
    g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

    g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
    g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_REFUSE);
    g_assert_nonnull(strstr(reason_of(job, 0), "trusted as unverified only"));
}

/* Of the keys of one source, one that is trusted less is not used beside one that is trusted more;
 * alone it is. */
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
        g_autofree char *more =
            g_strdup_printf("[policy]\nmin_trust=unverified\nencrypt_to_sender=false\n"
                            "[keyring]\nsources=faulty\n[module faulty]\nlookup=weak\n"
                            "file=%s/%s\nbetter=%s/%s",
                            top, rows[i].file, top, rows[i].better);
        g_autoptr(SealDispatcher) dispatcher = dispatcher_of(more, NULL);
        g_autoptr(SealJob) job = job_of(MESSAGE, ALICE, TRUE);

        g_assert_true(seal_dispatcher_run(dispatcher, job, NULL, NULL));
        g_assert_cmpint(result_of(job, 0), ==, SEAL_VERDICT_SEALED);
        GPtrArray *keys = seal_delivery_keys(g_ptr_array_index(seal_job_deliveries(job), 0));
        g_assert_cmpuint(keys->len, ==, rows[i].keys);
        g_assert_cmpint(seal_key_trust(g_ptr_array_index(keys, 0)), ==,
                        i == 1 ? SEAL_TRUST_UNVERIFIED : SEAL_TRUST_VERIFIED);
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

/* A message with @count lines of ten octets, as they count with CRLF. */
static char *message_of_lines(guint count)
{
    g_autoptr(GString) text = g_string_new(MESSAGE);

    for (guint i = 0; i < count; i++)
        g_string_append(text, "01234567\n");
    return g_strdup(text->str);
}

/* The size that leaves is what counts, and each delivery has its own. */
static void test_size_limit(void)
{
    static const struct {
        const char *more;
        guint lines;
        gboolean any_size;
        SealVerdict results[2]; /* of alice, and of one without a key */
        const char *why;
    } rows[] = {
        {"1500", 10, FALSE, {SEAL_VERDICT_SEALED, SEAL_VERDICT_PLAIN}, ""},
        /* Base64 alone makes more of it than the limit. */
        {"1500", 120, FALSE, {SEAL_VERDICT_REFUSE, SEAL_VERDICT_PLAIN}, "with at least 1"},
        {"1500", 200, FALSE, {SEAL_VERDICT_REFUSE, SEAL_VERDICT_REFUSE}, "with at least 2"},
        /* The envelope around it does. */
        {"1500", 60, FALSE, {SEAL_VERDICT_REFUSE, SEAL_VERDICT_PLAIN}, "with 1"},
        {"1500",
         200,
         TRUE,
         {SEAL_VERDICT_SEALED, SEAL_VERDICT_PLAIN},
         "more than [core] size_limit"},
        {"0", 200, FALSE, {SEAL_VERDICT_SEALED, SEAL_VERDICT_PLAIN}, ""},
    };
    static const char *const recipients[] = {"alice@example.org", "nokey@example.org", NULL};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *more =
            g_strdup_printf("[policy]\nfallback=allow\n[core]\nsize_limit=%s\n", rows[i].more);
        g_autofree char *text = message_of_lines(rows[i].lines);
        g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
        const SealJobSpec spec = {.sender = "bob@example.org",
                                  .recipients = recipients,
                                  .message = content,
                                  .any_size = rows[i].any_size};
        g_autoptr(GError) error = NULL;
        g_autoptr(SealDispatcher) dispatcher = dispatcher_limited(more);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
        guint leave = 0;

        seal_dispatcher_run(dispatcher, job, NULL, &error);
        g_assert_no_error(error);
        for (guint n = 0; n < 2; n++) {
            const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), n);

            g_test_message("%u, %u: %s", i, n, seal_recipient_reason(recipient));
            g_assert_cmpint(seal_recipient_result(recipient), ==, rows[i].results[n]);
            leave += rows[i].results[n] != SEAL_VERDICT_REFUSE;
            g_assert_cmpstr(seal_recipient_status(recipient), ==,
                            rows[i].results[n] == SEAL_VERDICT_REFUSE ? "5.3.4" : "");
        }
        const SealRecipient *alice = g_ptr_array_index(seal_job_recipients(job), 0);
        g_assert_nonnull(strstr(seal_recipient_reason(alice), rows[i].why));
        g_assert_cmpuint(seal_job_deliveries(job)->len, ==, leave);
    }
}

/* Asked with the header and the body's size: refused where it is certain. */
static void test_size_answer(void)
{
    static const struct {
        const char *more;
        guint64 body;
        SealVerdict result;
    } rows[] = {
        {"", 0, SEAL_VERDICT_SEALED},
        {"", 1000, SEAL_VERDICT_SEALED},
        {"", 1100, SEAL_VERDICT_REFUSE},
        {"[policy]\nencrypt=never\n", 1300, SEAL_VERDICT_PLAIN},
        {"[policy]\nencrypt=never\n", 1500, SEAL_VERDICT_REFUSE},
        /* The body may show that another rule holds. */
        {"[rule a]\nmatch_part=*.ics\nencrypt=never\n", 1300, SEAL_VERDICT_PLAIN},
        /* A stage may leave something out. */
        {"[pipeline]\noutbound=faulty;smime\n[module faulty]\n", 1500, SEAL_VERDICT_SEALED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *more = g_strconcat("[core]\nsize_limit=1500\n", rows[i].more, NULL);
        g_autoptr(SealContent) content = seal_content_new_copy(MESSAGE, strlen(MESSAGE));
        const SealJobSpec spec = {.sender = "bob@example.org",
                                  .recipients = ALICE,
                                  .message = content,
                                  .header_only = TRUE,
                                  .body_size = rows[i].body};
        g_autoptr(SealDispatcher) dispatcher = dispatcher_limited(more);
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

        g_test_message("%u", i);
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
        {"[daemon]\nqueue=100", "x.conf:8: [daemon] queue: \"100\" has no effect"},
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
    g_test_add_func("/gate/open", test_gate_open);
    g_test_add_func("/gate/faults", test_gate_faults);
    g_test_add_func("/gate/clear-as-sealed", test_gate_clear_as_sealed);
    g_test_add_func("/gate/other-key", test_gate_other_key);
    g_test_add_func("/gate/one-key-more", test_gate_one_key_more);
    g_test_add_func("/gate/one-key-less", test_gate_one_key_less);
    g_test_add_func("/gate/half", test_gate_half);
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
    g_test_add_func("/dispatcher/size-limit", test_size_limit);
    g_test_add_func("/dispatcher/size-answer", test_size_answer);
    g_test_add_func("/dispatcher/configuration-errors", test_configuration_errors);
    g_test_add_func("/dispatcher/disabled-module", test_disabled_module);
    rc = g_test_run();
    tear_down();
    return rc;
}
