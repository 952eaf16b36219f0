/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-signing.c: whether and by whom a message is signed, with the sign module and with a format
 * that lies. What a real format makes of it is looked at elsewhere.
 */
#include "core/frontend.h"

#include <glib/gstdio.h>
#include <string.h>

static char *top;

static SealDispatcher *dispatcher_of(const char *text, GError **error)
{
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    g_autofree char *file = g_build_filename(conf, "x.conf", NULL);
    g_autofree char *modules = g_build_filename(top, "modules", NULL);
    g_autofree char *whole = g_strdup_printf("[core]\nlog_target=%s/log\n%s", top, text);

    g_mkdir(conf, 0755);
    g_assert_true(g_file_set_contents(file, whole, -1, NULL));
    g_chmod(file, 0644);
    return seal_dispatcher_new(conf, modules, error);
}

static void copy_module(const char *from, const char *name)
{
    g_autofree char *source = g_build_filename(g_getenv(from), name, NULL);
    g_autofree char *target = g_build_filename(top, "modules", name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(source, &data, &length, NULL));
    g_assert_true(g_file_set_contents(target, data, (gssize)length, NULL));
    g_chmod(target, 0755);
}

static void set_up(void)
{
    g_autofree char *modules = NULL;

    top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    modules = g_build_filename(top, "modules", NULL);
    g_mkdir(modules, 0755);
    copy_module("SEALPIPE_TEST_MODULES", "sign.so");
    copy_module("SEALPIPE_TEST_FAULTY", "mock.so");
    copy_module("SEALPIPE_TEST_FAULTY", "mock-opaque.so");
    copy_module("SEALPIPE_TEST_FAULTY", "faulty.so");
}

static void tear_down(void)
{
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", top, NULL};

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(top);
}

/* -------------------------------------------------------------------------------------------
 * One message, many configurations
 */

#define FROM    "From: Carol <carol@example.org>\n"
#define REST    "To: alice@example.org\nSubject: s\n\n"
#define PLAIN   FROM REST "the words\n"
#define BLANK   FROM REST "the words \n"
#define HEADER8 FROM "To: alice@example.org\nContent-Description: \xe9\n\nthe words\n"
#define NOBODY  "To: alice@example.org\n\nx\n"
#define TWO     "From: carol@example.org, dave@example.org\n" REST "x\n"
#define SIGNED  FROM "Content-Type: application/x-mock; signer=somebody\n" REST "x\n"

#define TWO_SIGNED                                                                                 \
    "From: carol@example.org, dave@example.org\nContent-Type: application/x-mock; "                \
    "signer=somebody\n" REST "x\n"

#define RETURNS                                                                                    \
    FROM "Content-Type: multipart/report; boundary=b; report-type=delivery-status\n" REST          \
         "--b\n\nx\n--b\nContent-Type: message/rfc822\n\nthe words\n--b--\n"

#define SIGN(need) "[policy]\nencrypt=never\nsign=" need "\n"
#define STAGE      "[pipeline]\noutbound=sign\n[module sign]\n"
#define MOCK       "[module mock]\n"
#define OPAQUE     "[module mock-opaque]\n"

#define LAPSED(word)                                                                               \
    "[pipeline]\noutbound=faulty;sign\n[module sign]\n[module faulty]\nplan=unable\n"              \
    "on_unable=" word "\n" MOCK

typedef struct {
    const char *conf;
    const char *message;
    gboolean submitted;
    const char *sender;
    char result;        /* G signed, P plain, R refused, D deferred, N a report */
    const char *reason; /* a part of it */
    const char *output; /* a part of it, where it leaves */
} Row;

static const Row ROWS[] = {
    {SIGN("required") STAGE MOCK, PLAIN, TRUE, NULL, 'G', "", "signer=author; form=clear\n"},
    {SIGN("preferred") STAGE MOCK, PLAIN, TRUE, NULL, 'G', "", "signer=author; form=clear\n"},
    {SIGN("never") STAGE MOCK, PLAIN, TRUE, NULL, 'P', "never", "the words\n"},
    {SIGN("required") STAGE "format=mock\n" MOCK, PLAIN, TRUE, NULL, 0, NULL, NULL},
    /* Proof of submission. */
    {SIGN("required") STAGE MOCK, PLAIN, FALSE, NULL, 'R', "--submission", NULL},
    {SIGN("preferred") STAGE MOCK, PLAIN, FALSE, NULL, 'P', "--submission", "the words\n"},
    {SIGN("required") STAGE "trust_from=true\n" MOCK, PLAIN, FALSE, NULL, 'G', "", "author"},
    /* A report that returns something is never signed; what else comes from the null sender, where
     * it must be. */
    {SIGN("required") STAGE MOCK, RETURNS, TRUE, "<>", 'P', "never", "the words\n"},
    {SIGN("preferred") STAGE MOCK, RETURNS, TRUE, NULL, 'P', "never", "the words\n"},
    {SIGN("required") STAGE MOCK, RETURNS, TRUE, NULL, 'R', "is never signed", NULL},
    {SIGN("preferred") STAGE MOCK, PLAIN, TRUE, "<>", 'P', "never", "the words\n"},
    {SIGN("required") STAGE "trust_from=true\n" MOCK, PLAIN, FALSE, "<>", 'G', "", "signer=author"},
    {SIGN("required") STAGE MOCK, PLAIN, TRUE, "<>", 'R', "submission", NULL},
    {SIGN("required") STAGE MOCK, PLAIN, FALSE, "<>", 'R', "--submission", NULL},
    /* The author is the one address in From. */
    {SIGN("required") STAGE MOCK, TWO, TRUE, NULL, 'R', "one author", NULL},
    {SIGN("preferred") STAGE MOCK, TWO, TRUE, NULL, 'P', "one author", "x\n"},
    {SIGN("required") STAGE MOCK, NOBODY, TRUE, NULL, 'R', "one author: there is none", NULL},
    {SIGN("required") STAGE MOCK, "From: carol@example.org, mallory@-evil-\n" REST "x\n", TRUE,
     NULL, 'R', "From does not name one author: a comma", NULL},
    {SIGN("preferred") STAGE MOCK, FROM "From:\n" REST "x\n", TRUE, NULL, 'P',
     "From does not name one author: From stands more than once", "x\n"},
    {SIGN("preferred") STAGE MOCK, "From : carol@example.org\n" REST "x\n", TRUE, NULL, 'P',
     "before its colon", "x\n"},
    {SIGN("required") STAGE MOCK,
     "From: =?utf-8?q?Car=C3=B6l=2C_C=2E?= <carol@example.org>\n" REST "x\n", TRUE, NULL, 'G', "",
     "signer=author"},
    /* Who may write as whom. */
    {SIGN("preferred") STAGE MOCK, PLAIN, TRUE, "mallory@example.org", 'P',
     "may not sign as carol@example.org", "the words\n"},
    {SIGN("required") STAGE MOCK, PLAIN, TRUE, "mallory@example.org", 'R',
     "may not sign as carol@example.org", NULL},
    {SIGN("required") STAGE MOCK, PLAIN, TRUE, "Carol+bounces@EXAMPLE.org", 'G', "", "author"},
    {SIGN("required") STAGE "submission_domains=example.org\n" MOCK, PLAIN, TRUE, "app@example.com",
     'G', "", "author"},
    {SIGN("required") STAGE "submission_domains=@example.org\n" MOCK, PLAIN, FALSE,
     "carol@example.org", 'R', "--submission", NULL},
    {SIGN("required") STAGE "submission_domains=Carol@example.org\n" MOCK, PLAIN, TRUE,
     "app@example.com", 'G', "", "author"},
    {SIGN("required") STAGE "submission_domains=example.net\n" MOCK, PLAIN, TRUE,
     "carol@example.org", 'R', "submission_domains= does not have it", NULL},
    {SIGN("required") STAGE "submission_domains=a b\n" MOCK, PLAIN, TRUE, NULL, 0, NULL, NULL},
    {SIGN("required") STAGE "senders=/nowhere\n" MOCK, PLAIN, TRUE, NULL, 0, NULL, NULL},
    /* Keys; that of an address without its detail signs for it, and is no worse than none. */
    {SIGN("required") STAGE MOCK, "From: Carol <carol+lists@example.org>\n" REST "x\n", TRUE, NULL,
     'G', "", "signer=author"},
    {SIGN("required") STAGE MOCK, "From: car+ol@example.org\n" REST "x\n", TRUE, "car@example.org",
     'R', "no mock key", NULL},
    {SIGN("required") STAGE MOCK "signers=none\n", PLAIN, TRUE, NULL, 'R', "no mock key", NULL},
    {SIGN("preferred") STAGE MOCK "signers=none\n", PLAIN, TRUE, NULL, 'P', "no mock key", "words"},
    {SIGN("required") STAGE MOCK "signers=stranger\n", PLAIN, TRUE, NULL, 'R', "no mock key", NULL},
    {SIGN("required") STAGE MOCK "usable=no\n", PLAIN, TRUE, NULL, 'R', "has expired", NULL},
    {SIGN("preferred") STAGE MOCK "usable=no\n", PLAIN, TRUE, NULL, 'P', "has expired", "words"},
    {SIGN("required") STAGE MOCK "signers=error\n", PLAIN, TRUE, NULL, 'D', "agent", NULL},
    {SIGN("preferred") STAGE MOCK "signers=error\n", PLAIN, TRUE, NULL, 'D', "agent", NULL},
    /* A format that fails or lies. */
    {SIGN("required") STAGE MOCK "fault=fail\n", PLAIN, TRUE, NULL, 'D', "asked for", NULL},
    {SIGN("preferred") STAGE MOCK "fault=fail\n", PLAIN, TRUE, NULL, 'D', "asked for", NULL},
    {SIGN("required") STAGE MOCK "fault=unsigned\n", PLAIN, TRUE, NULL, 'D', "it is not", NULL},
    {SIGN("required") STAGE MOCK "fault=other\n", PLAIN, TRUE, NULL, 'D', "the key that", NULL},
    {SIGN("required") STAGE MOCK "fault=two\n", PLAIN, TRUE, NULL, 'D', "the key that", NULL},
    /* A stage behind the one that signs. */
    {SIGN("required") "[pipeline]\noutbound=mocksign;faulty\n[module faulty]\nfault=append\n" MOCK,
     PLAIN, TRUE, NULL, 'D', "changed after it was signed, by faulty", NULL},
    {SIGN("required") "[pipeline]\noutbound=faulty;mocksign\n[module faulty]\nfault=append\n" MOCK,
     PLAIN, TRUE, NULL, 'G', "", "the words\nthe secret words\n"},
    /* A stage that does nothing. */
    {SIGN("required") "[pipeline]\noutbound=mocksign\n" MOCK "stage=nothing\n", PLAIN, TRUE, NULL,
     'D', "not signed", NULL},
    {SIGN("required") "[pipeline]\noutbound=mocksign\n" MOCK "signers=none\n", PLAIN, TRUE, NULL,
     'D', "not signed", NULL},
    /* What needs an encoding, and what no encoding helps. */
    {SIGN("required") STAGE MOCK, BLANK, TRUE, NULL, 'G', "",
     "form=clear\n\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
     "the words=20\n"},
    {SIGN("required") STAGE MOCK, HEADER8, TRUE, NULL, 'G',
     "8BITMIME may break the signature: a part's header", "signer=author; form=clear\n"},
    {SIGN("preferred") STAGE MOCK, HEADER8, TRUE, NULL, 'P', "a part's header", "the words\n"},
    {SIGN("required") STAGE OPAQUE, HEADER8, TRUE, NULL, 'G',
     "encloses the message instead of standing beside it: a part's header", "form=opaque\n"},
    {SIGN("required") STAGE "signature=opaque\n" OPAQUE, BLANK, TRUE, NULL, 'G', "",
     "form=opaque\n\nContent-Type: text/plain\n\nthe words \n"},
    /* A stage that is unable has the only word on what follows. */
    {SIGN("required") LAPSED("allow"), PLAIN, TRUE, NULL, 'P', "has lapsed", "the words\n"},
    {SIGN("preferred") LAPSED("allow"), PLAIN, TRUE, NULL, 'P', "has lapsed", "the words\n"},
    {SIGN("required") LAPSED("report"), PLAIN, TRUE, NULL, 'N', "has lapsed", "could not be"},
    {SIGN("required") LAPSED("refuse"), PLAIN, TRUE, NULL, 'R', "has lapsed", NULL},
    {SIGN("preferred") LAPSED("refuse"), PLAIN, TRUE, NULL, 'R', "has lapsed", NULL},
    {SIGN("never") LAPSED("refuse"), PLAIN, TRUE, NULL, 'P', "never", "the words\n"},
    {SIGN("required") LAPSED("refuse"), RETURNS, TRUE, "<>", 'P', "never", "the words\n"},
    {SIGN("required") LAPSED("refuse"), PLAIN, TRUE, "<>", 'R', "has lapsed", NULL},
    /* A problem report is signed as well. */
    {"[policy]\nencrypt=required\nsign=required\nfallback=report\n" STAGE MOCK, PLAIN, TRUE, NULL,
     'N', "none of the policy's formats",
     "signer=author; form=clear\n\nContent-Type: multipart/alternative"},
    {"[policy]\nencrypt=required\nsign=required\nfallback=report\n" STAGE MOCK "fault=other\n",
     PLAIN, TRUE, NULL, 'D', "the key that", NULL},
    /* What is signed already. */
    {SIGN("preferred") STAGE MOCK, SIGNED, TRUE, NULL, 'P', "never", "signer=somebody\n"},
    {SIGN("required") STAGE MOCK, SIGNED, TRUE, NULL, 'G', "not count: the mock has made it up",
     "signer=author; form=clear\n\nContent-Type: application/x-mock; signer=somebody\n"},
    {SIGN("required") STAGE MOCK, SIGNED, FALSE, NULL, 'R', "not count: the mock has made it up",
     NULL},
    {SIGN("required") STAGE MOCK "verify=author\n", SIGNED, FALSE, NULL, 'G',
     "it came signed by its author", "application/x-mock; signer=somebody\n"},
    {SIGN("required") "min_trust=manual\n" STAGE MOCK "verify=author\n", SIGNED, FALSE, NULL, 'G',
     "it came signed by its author", "signer=somebody\n"},
    {SIGN("required") STAGE MOCK "verify=stranger\n", SIGNED, FALSE, NULL, 'R',
     "made by Carol, whose key is not for carol@example.org", NULL},
    {SIGN("required") STAGE MOCK "verify=author\nusable=no\n", SIGNED, FALSE, NULL, 'R',
     "has expired", NULL},
    {SIGN("required") STAGE MOCK "verify=error\n", SIGNED, TRUE, NULL, 'D',
     "cannot be verified now: ", NULL},
    {SIGN("required") STAGE MOCK "signers=error\n", SIGNED, TRUE, NULL, 'D',
     "cannot be verified now: ", NULL},
    {SIGN("required") STAGE MOCK "verify=author\n", TWO_SIGNED, TRUE, NULL, 'R',
     "not count: From does not name one author", NULL},
    {SIGN("required") STAGE MOCK "verify=author\n", "Content-Type: text/plain\n" SIGNED, FALSE,
     NULL, 'R', "--submission", NULL},
    {SIGN("required") "[pipeline]\noutbound=sign;faulty\n[module sign]\n[module faulty]\n"
                      "fault=append\n" MOCK "verify=author\n",
     SIGNED, FALSE, NULL, 'D', "what it covers was changed", NULL},
    {SIGN("required") "already_signed=wrap\n" STAGE MOCK, SIGNED, TRUE, NULL, 'G', "",
     "signer=author; form=clear\n\nContent-Type: application/x-mock; signer=somebody\n"},
    /* Configurations that cannot be. */
    {SIGN("required") MOCK, PLAIN, TRUE, NULL, 0, NULL, NULL},
    {SIGN("required") STAGE "format=pgp\nsignature=opaque\n" MOCK, PLAIN, TRUE, NULL, 0, NULL,
     NULL},
};

static char letter(SealVerdict verdict)
{
    return verdict == SEAL_VERDICT_SIGNED   ? 'G'
           : verdict == SEAL_VERDICT_PLAIN  ? 'P'
           : verdict == SEAL_VERDICT_REFUSE ? 'R'
           : verdict == SEAL_VERDICT_REPORT ? 'N'
           : verdict == SEAL_VERDICT_REPORT ? 'N'
                                            : 'D';
}

static SealJob *job_of(const Row *row)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(row->message, strlen(row->message));
    const SealJobSpec spec = {
        .sender = row->sender ? row->sender : "carol@example.org",
        .recipients = recipients,
        .message = content,
        .submitted = row->submitted,
        .one_output = TRUE,
    };
    g_autoptr(GError) error = NULL;
    SealJob *job = seal_job_new(&spec, &error);

    g_assert_no_error(error);
    return job;
}

static char *output_of(SealJob *job)
{
    SealDelivery *delivery = g_ptr_array_index(seal_job_deliveries(job), 0);
    g_autoptr(GBytes) bytes =
        seal_content_to_bytes(seal_delivery_content(delivery), G_MAXINT32, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    return g_strndup(data, size);
}

/* The mock formats are none of the policy's defaults. */
static char *with_formats(const Row *row)
{
    g_auto(GStrv) parts = g_strsplit(row->conf, "[policy]\n", 2);

    return g_strconcat(parts[0], "[policy]\nformats=mock\n", parts[1], NULL);
}

static void check_row(const Row *row)
{
    g_autofree char *conf = with_formats(row);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(conf, &error);

    g_test_message("%s", conf);
    if (!row->result) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, "x.conf:"));
        return;
    }
    g_assert_no_error(error);
    g_autoptr(SealJob) job = job_of(row);
    seal_dispatcher_run(dispatcher, job, NULL, NULL);
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);

    g_test_message("%s", seal_recipient_reason(recipient));
    g_assert_cmpint(letter(seal_recipient_result(recipient)), ==, row->result);
    g_assert_nonnull(strstr(seal_recipient_reason(recipient), row->reason));
    g_assert_cmpuint(seal_job_deliveries(job)->len, ==, row->output ? 1 : 0);
    if (row->output) {
        g_autofree char *output = output_of(job);
        g_assert_nonnull(strstr(output, row->output));
    }
}

static void test_rows(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++)
        check_row(&ROWS[i]);
}

/* An address alone: what only the message can tell counts as "will be handled". */
static void test_check(void)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    const SealJobSpec spec = {.sender = "carol@example.org", .recipients = recipients};
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of(SIGN("required") "formats=mock\n" STAGE MOCK, NULL);
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    g_assert_true(seal_dispatcher_check(dispatcher, job, NULL, NULL));
    g_assert_cmpint(seal_recipient_result(g_ptr_array_index(seal_job_recipients(job), 0)), ==,
                    SEAL_VERDICT_PLAIN);
}

/* The header alone: what the front end does not tell counts as it would be best. */
static void check_header(const char *header, const char *more, const SealJobSpec *how, char result,
                         const char *reason)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(header, strlen(header));
    SealJobSpec spec = *how;
    g_autofree char *conf = g_strconcat(SIGN("required") "formats=mock\n" STAGE MOCK, more, NULL);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(conf, NULL);

    spec.recipients = recipients;
    spec.message = content;
    spec.header_only = TRUE;
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);
    g_assert_true(seal_dispatcher_check(dispatcher, job, NULL, NULL));
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    g_test_message("%s", seal_recipient_reason(recipient));
    g_assert_cmpint(letter(seal_recipient_result(recipient)), ==, result);
    g_assert_nonnull(strstr(seal_recipient_reason(recipient), reason));
}

static void test_check_header(void)
{
    const SealJobSpec unknown = {.sender = "carol@example.org", .submission_unknown = TRUE};
    const SealJobSpec nobody = {.sender = "carol@example.org"};
    const SealJobSpec login = {
        .sender = "carol@example.org", .submitted = TRUE, .login = "bob", .names_login = TRUE};

    check_header(FROM REST, "", &unknown, 'P', "");
    check_header(FROM REST, "signers=none\n", &unknown, 'R', "carol@example.org");
    check_header(TWO, "", &unknown, 'R', "one author");
    check_header(FROM REST, "", &nobody, 'R', "--submission");
    check_header(FROM REST, "", &login, 'R', "login bob may not sign as carol@example.org");
    /* What may be signed or encrypted already, only the body tells. */
    check_header(FROM "Content-Type: multipart/signed; boundary=b\n" REST, "signers=none\n",
                 &unknown, 'P', "");
}

/* -------------------------------------------------------------------------------------------
 * What cannot be signed, whenever it is tried
 */

/* A line that no relay carries, where no transfer encoding helps. */
static SealContent *unfit_message(void)
{
    g_autofree char *line = g_strnfill(1200, 'x');
    g_autofree char *text =
        g_strconcat(FROM "To: alice@example.org, bob@example.org\nContent-Description: ", line,
                    "\n\nx\n", NULL);

    return seal_content_new_copy(text, strlen(text));
}

static SealJob *unfit_job(gboolean header_only)
{
    static const char *const recipients[] = {"alice@example.org", "bob@example.org", NULL};
    g_autoptr(SealContent) content = unfit_message();
    const SealJobSpec spec = {.sender = "carol@example.org",
                              .recipients = recipients,
                              .message = content,
                              .header_only = header_only,
                              .submitted = TRUE};

    return seal_job_new(&spec, NULL);
}

/* @results: of Alice and Bob. */
static void assert_results(SealJob *job, const char *results)
{
    for (guint i = 0; results[i]; i++) {
        const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), i);

        g_test_message("%s", seal_recipient_reason(recipient));
        g_assert_cmpint(letter(seal_recipient_result(recipient)), ==, results[i]);
        g_assert_true((results[i] == 'R') == (strstr(seal_recipient_reason(recipient),
                                                     "cannot be signed: a part's header") != NULL));
    }
}

static void test_unfit(void)
{
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of(SIGN("required") "formats=mock\n[rule bob]\nmatch_recipient=bob@*\n"
                                       "sign=preferred\n" STAGE MOCK,
                      NULL);
    g_autoptr(SealJob) run = unfit_job(FALSE);
    g_autoptr(SealJob) asked = unfit_job(FALSE);
    g_autoptr(SealJob) header = unfit_job(TRUE);

    /* The others are not affected. */
    g_assert_true(seal_dispatcher_run(dispatcher, run, NULL, NULL));
    assert_results(run, "RP");
    g_assert_cmpuint(seal_job_deliveries(run)->len, ==, 1);
    g_assert_true(seal_dispatcher_check(dispatcher, asked, NULL, NULL));
    assert_results(asked, "RP");
    g_assert_cmpuint(seal_job_deliveries(asked)->len, ==, 0);
    g_assert_true(seal_dispatcher_check(dispatcher, header, NULL, NULL));
    assert_results(header, "PP");
}

/* Where the signature encloses it, it is no matter. */
static void test_unfit_opaque(void)
{
    g_autoptr(SealDispatcher) dispatcher =
        dispatcher_of(SIGN("required") "formats=mock\n" STAGE OPAQUE, NULL);
    g_autoptr(SealJob) asked = unfit_job(FALSE);

    g_assert_true(seal_dispatcher_check(dispatcher, asked, NULL, NULL));
    assert_results(asked, "PP");
}

/* -------------------------------------------------------------------------------------------
 * Logins
 */

#define TABLE                                                                                      \
    "# who may write as whom\n"                                                                    \
    "bob: bob@example.org\n"                                                                       \
    "carol  dave@example.org,\n"                                                                   \
    "# between\n"                                                                                  \
    "\n"                                                                                           \
    "\tcarol@example.org\n"                                                                        \
    "\"a: \\\"b\": @example.org\n"                                                                 \
    "nobody\n"

static const struct {
    const char *login;
    const char *sender;
    gboolean submitted;
    gboolean names_login;
    const char *reason; /* NULL: signed */
} LOGINS[] = {
    {"carol", "carol@example.org", TRUE, TRUE, NULL},
    {"carol", "bounces@example.com", TRUE, TRUE, NULL},
    {"a: \"b", "carol@example.org", TRUE, TRUE, NULL},
    {"bob", "carol@example.org", TRUE, TRUE, "login bob may not sign as carol@example.org"},
    {"Carol", "carol@example.org", TRUE, TRUE, "does not have this login"},
    {"carol ", "carol@example.org", TRUE, TRUE, "does not have this login"},
    {"nobody", "carol@example.org", TRUE, TRUE, "among his authors"},
    {"carol", "carol@example.org", FALSE, TRUE, "--submission"},
    /* Without a login the table proves nothing, and the sender is no proof beside it. */
    {NULL, "carol@example.org", TRUE, TRUE, "submission without a login"},
    {"", "carol@example.org", TRUE, TRUE, "submission without a login"},
    {NULL, "carol@example.org", TRUE, FALSE, "submission without a login"},
};

static SealDispatcher *with_table(const char *table, const char *more, GError **error)
{
    g_autofree char *path = g_build_filename(top, "senders", NULL);
    g_autofree char *conf =
        g_strdup_printf(SIGN("required") "formats=mock\n[pipeline]\noutbound=sign\n" MOCK
                                         "[module sign]\nsenders=%s\n%s",
                        path, more);

    g_assert_true(g_file_set_contents(path, table, -1, NULL));
    g_chmod(path, 0644);
    return dispatcher_of(conf, error);
}

static void check_login(SealDispatcher *dispatcher, guint i)
{
    static const char *const recipients[] = {"alice@example.org", NULL};
    g_autoptr(SealContent) content = seal_content_new_copy(PLAIN, strlen(PLAIN));
    const SealJobSpec spec = {
        .sender = LOGINS[i].sender,
        .recipients = recipients,
        .message = content,
        .submitted = LOGINS[i].submitted,
        .login = LOGINS[i].login,
        .names_login = LOGINS[i].names_login,
        .one_output = TRUE,
    };
    g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

    seal_dispatcher_run(dispatcher, job, NULL, NULL);
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    g_test_message("%u: %s", i, seal_recipient_reason(recipient));
    g_assert_cmpint(letter(seal_recipient_result(recipient)), ==, LOGINS[i].reason ? 'R' : 'G');
    if (LOGINS[i].reason)
        g_assert_nonnull(strstr(seal_recipient_reason(recipient), LOGINS[i].reason));
}

static void test_logins(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher = with_table(TABLE, "", &error);

    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(LOGINS); i++)
        check_login(dispatcher, i);
}

static void test_tables_refused(void)
{
    static const struct {
        const char *table;
        const char *reason;
    } tables[] = {
        {"bob: nobody\n", "line 1"},
        {"bob: b@example.org\nbob c@example.org\n", "line 2: the login \"bob\" stands"},
        {"\n  b@example.org\n", "line 2: a login was expected"},
        {"\"bob: b@example.org\n", "quotation marks"},
        {"\"bo\\nb\": b@example.org\n", "quotation marks"},
        {"\"bob\"b@example.org\n", "quotation marks"},
        {": b@example.org\n", "a login of 1"},
        {"bob: b@example.org; c@example.org\n", "line 1"},
        {"bob: @\n", "line 1"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SealDispatcher) dispatcher = with_table(tables[i].table, "", &error);

        g_assert_null(dispatcher);
        g_test_message("%s", error->message);
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, "senders"));
        g_assert_nonnull(strstr(error->message, tables[i].reason));
    }
}

/* Who can write the table can sign as everybody. */
static void test_table_of_others(void)
{
    g_autofree char *path = g_build_filename(top, "senders", NULL);
    g_autofree char *conf = g_strdup_printf(STAGE "senders=%s\n" MOCK, path);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, TABLE, -1, NULL));
    g_chmod(path, 0666);
    g_autoptr(SealDispatcher) dispatcher = dispatcher_of(conf, &error);
    g_assert_null(dispatcher);
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "senders"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/signing/rows", test_rows);
    g_test_add_func("/signing/check", test_check);
    g_test_add_func("/signing/check-header", test_check_header);
    g_test_add_func("/signing/unfit", test_unfit);
    g_test_add_func("/signing/unfit-opaque", test_unfit_opaque);
    g_test_add_func("/signing/logins", test_logins);
    g_test_add_func("/signing/tables-refused", test_tables_refused);
    g_test_add_func("/signing/table-of-others", test_table_of_others);
    int status = g_test_run();
    tear_down();
    return status;
}
