/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-exim-spool.c: Exim's spool file, as Exim writes it and as somebody might have had it
 * written.
 */
#include "filters/client/exim.h"
#include "filters/worker/exim.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define OLD "1xXZoK-0000B7-2h"
#define NEW "1xXZoK-00000000abC-0Def"

enum { EXIM = 101 };

#define BEGIN     OLD "-H\n"
#define APP       "app user 1000 1000\n"
#define SENDER    "<carol@example.org>\n1795939140 0\n"
#define TIMES     "-received_time_usec .836457\n-received_time_complete 1795939140.837000\n"
#define LOCAL     "-ident app\n-received_protocol local\n"
#define HOST      "--helo_name me.test\n--host_address [10.0.0.1]:99\n-host_auth plain\n"
#define PROTOCOL  "-received_protocol esmtpsa\n"
#define BODY      "-body_linecount 1\n-max_received_linelength 23\n"
#define REST      "-deliver_firsttime\n-tls_resumption A\n"
#define RECIPIENT "XX\n1\nalice@example.org\n\n"
#define HEADER    "024F From: alice@example.org\n019* Bcc: y@example.net\n011  Subject: t\n"
#define TAIL      RECIPIENT HEADER
#define REMOTE(x) BEGIN "Debian-exim 101 101\n" SENDER TIMES HOST PROTOCOL BODY x REST TAIL
/* A value of an access list's variable is as long as it says, whatever is in it. */
#define VARIABLE "-aclm _x 15\na\n-auth_id evil\n--aclm 0 0\n\n"

typedef struct {
    const char *text;
    const char *login;
    const char *unproven; /* a part of it */
} Good;

static const Good GOOD[] = {
    {REMOTE("--auth_id bob\n"), "bob", NULL},
    {REMOTE("--(lsearch)auth_id bob\n"), "bob", NULL},
    {REMOTE("-auth_id two words\n-auth_sender b@example.org\n"), "two words", NULL},
    {REMOTE(""), NULL, NULL},
    {REMOTE("-auth_id \n"), NULL, NULL},
    {REMOTE(VARIABLE), NULL, NULL},
    {REMOTE(VARIABLE "--auth_id bob\\n-auth_id alice\n"), "bob\\n-auth_id alice", NULL},
    {REMOTE("-some_later_option x\n--auth_id bob\n"), "bob", NULL},
    {BEGIN "Debian-exim 101 101\n" SENDER HOST "-received_protocol esmtp\n-auth_id bob\n" TAIL,
     NULL, "not of a session"},
    {BEGIN "Debian-exim 101 101\n" SENDER "--host_address [10.0.0.1]:99\n" PROTOCOL
           "-auth_id bob\n" TAIL,
     NULL, "not of a session"},
    /* On this machine: by whom it was, by name. */
    {BEGIN APP SENDER TIMES LOCAL BODY "-auth_id app user\n" REST "-local\n" TAIL, "app user",
     NULL},
    {BEGIN APP SENDER TIMES LOCAL BODY REST TAIL, "app user", NULL},
    {BEGIN APP SENDER "-received_protocol local-esmtpa\n-auth_id bob\n" TAIL, NULL, "nobody"},
    {BEGIN APP SENDER "--received_protocol sealed\n-auth_id app user\n" TAIL, NULL, "nobody"},
    {BEGIN APP SENDER TIMES TAIL, NULL, "nobody"},
    {BEGIN "Debian-exim 101 101\n" SENDER LOCAL "-auth_id Debian-exim\n-local\n" TAIL, NULL,
     "own user"},
    {BEGIN "app 101 101\n" SENDER LOCAL "-auth_id app\n-local\n" TAIL, NULL, "own user"},
    /* Recipients that are done, in a tree, and with what was asked for each. */
    {BEGIN APP SENDER LOCAL "YN b@example.org\nNY a@example.org\nNN c@example.org\n"
                            "2\nc@example.org\nd@example.org rfc822;d@x 8,0  0,-1#3\n\n" HEADER,
     "app user", NULL},
};

static const char *const BAD[] = {
    "",
    "\n",
    "1xXZoK-0000B7-2i-H\n" APP SENDER LOCAL TAIL,
    BEGIN,
    BEGIN "app\n" SENDER LOCAL TAIL,
    BEGIN "app x 1000\n" SENDER LOCAL TAIL,
    BEGIN " 1000 1000\n" SENDER LOCAL TAIL,
    BEGIN APP "carol@example.org\n1795939140 0\n" LOCAL TAIL,
    BEGIN APP "<carol@example.org>\n" LOCAL TAIL,
    BEGIN APP SENDER LOCAL,
    BEGIN APP SENDER "-\n" TAIL,
    BEGIN APP SENDER "---auth_id x\n" TAIL,
    BEGIN APP SENDER "--(auth_id x\n" TAIL,
    /* A login with a line end. */
    REMOTE("-auth_id bob\n-auth_id alice\n"),
    REMOTE("--auth_id alice\n-x\n"),
    REMOTE("-auth_id alice\nx\n"),
    REMOTE("-auth_id alice\n-received_protocol local\n"),
    REMOTE("-auth_id alice\n-local\n"),
    /* Values that are shorter or longer than they say. */
    REMOTE("-aclm _x 14\na\n-auth_id evil\n"),
    REMOTE("-aclm _x 99999\na\n"),
    REMOTE("-aclm _x\na\n"),
    REMOTE("-aclm _x -1\n\n"),
    /* Recipients. */
    BEGIN APP SENDER LOCAL "XX\n\n" HEADER,
    BEGIN APP SENDER LOCAL "XX\n2\na@example.org\n\n" HEADER,
    BEGIN APP SENDER LOCAL "XX\n0\na@example.org\n\n" HEADER,
    BEGIN APP SENDER LOCAL "XX\n-1\n\n" HEADER,
    BEGIN APP SENDER LOCAL "YN b@example.org\n1\na@example.org\n\n" HEADER,
    BEGIN APP SENDER LOCAL "NN\n1\na@example.org\n\n" HEADER,
    /* Fields. */
    BEGIN APP SENDER LOCAL RECIPIENT,
    BEGIN APP SENDER LOCAL RECIPIENT "024F From: alice@example.org\n00",
    BEGIN APP SENDER LOCAL RECIPIENT "024F From: alice@example.org",
    BEGIN APP SENDER LOCAL RECIPIENT "023F From: alice@example.org\n",
    BEGIN APP SENDER LOCAL RECIPIENT "025F From: alice@example.org\n",
    BEGIN APP SENDER LOCAL RECIPIENT "24F From: alice@example.org\n",
    BEGIN APP SENDER LOCAL RECIPIENT "024From: alice@example.org\n",
    BEGIN APP SENDER LOCAL RECIPIENT "99999999999999999999F From: alice@example.org\n",
    BEGIN APP SENDER LOCAL RECIPIENT "000  ",
    BEGIN APP SENDER LOCAL RECIPIENT "019* Bcc: y@example.net\n",
};

static void check_header(const WorkerExim *spool, const char *expected, gsize size)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(spool->header, G_MAXINT32, NULL);
    gsize length = 0;
    const void *data = g_bytes_get_data(bytes, &length);

    g_assert_cmpmem(data, length, expected, size);
}

static void test_good(void)
{
    static const char header[] = "From: alice@example.org\nSubject: t\n\n";

    for (guint i = 0; i < G_N_ELEMENTS(GOOD); i++) {
        g_auto(WorkerExim) spool = {0};
        g_autoptr(GError) error = NULL;

        g_test_message("%s", GOOD[i].text);
        worker_exim_parse(OLD, GOOD[i].text, strlen(GOOD[i].text), EXIM, &spool, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(spool.login, ==, GOOD[i].login);
        g_assert_true(!spool.unproven == !GOOD[i].unproven);
        g_assert_true(!spool.unproven || strstr(spool.unproven, GOOD[i].unproven));
        g_assert_cmpstr(spool.sender, ==, "carol@example.org");
        check_header(&spool, header, strlen(header));
    }
}

static void assert_bad(const char *text, gsize size)
{
    g_auto(WorkerExim) spool = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(worker_exim_parse(OLD, text, size, EXIM, &spool, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_null(spool.login);
}

static void test_bad(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_test_message("%s", BAD[i]);
        assert_bad(BAD[i], strlen(BAD[i]));
    }
}

/* Every beginning of a good one, but for those that end with a whole field. */
static void test_cut(void)
{
    const char *whole = GOOD[0].text, *header = strstr(whole, "024F");

    for (gsize size = 0; size <= (gsize)(header - whole); size++)
        assert_bad(whole, size);
}

/* The header is whole: octets of zeros, a bare CR, more than Exim hands out as an argument. */
static void test_whole_header(void)
{
    g_autoptr(GString) text = g_string_new(BEGIN APP SENDER LOCAL RECIPIENT);
    g_autoptr(GString) header = g_string_new(NULL);
    g_auto(WorkerExim) spool = {0};
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 100; i++) {
        g_autofree char *filler = g_strnfill(1990, 'x');
        g_autofree char *field = g_strdup_printf("X-%02u: %s", i, filler);

        g_string_append_printf(text, "%u  ", (guint)strlen(field) + 3);
        g_string_append(text, field);
        g_string_append_len(text, "\0\r\n", 3);
        g_string_append(header, field);
        g_string_append_len(header, "\0\r\n", 3);
    }
    g_string_append_c(header, '\n');
    worker_exim_parse(OLD, text->str, text->len, EXIM, &spool, &error);
    g_assert_no_error(error);
    check_header(&spool, header->str, header->len);
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

static void write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* As the client opens them, and the worker gets them. */
static void open_files(const char *dir, const char *id, SealRequest *request, WorkerEximFile *file)
{
    *request = (SealRequest)SEAL_REQUEST_NONE;
    seal_exim_open(dir, id, request);
    *file = (WorkerEximFile){
        .id = id,
        .problem = request->problem,
        .header = request->files[SEAL_REQUEST_EXIM_HEADER],
        .body = request->files[SEAL_REQUEST_EXIM_BODY],
    };
}

/* Y the file was found, R it is being received, N an error. */
static char outcome(const char *dir, const char *id)
{
    g_auto(WorkerExim) spool = {0};
    g_autoptr(GError) error = NULL;
    g_auto(WorkerEximFile) file = WORKER_EXIM_FILE_NONE;
    SealRequest request;
    gboolean found = FALSE;

    open_files(dir, id, &request, &file);
    gboolean ok = worker_exim_read(&file, &spool, &found, &error);

    g_assert_true(ok == !error);
    g_assert_true(found == (spool.header != NULL));
    return !ok ? 'N' : found ? 'Y' : 'R';
}

static void test_file(void)
{
    static const char *const ids[] = {"",
                                      "1xXZoK",
                                      "../xXZoK-0000B7-2h",
                                      OLD "-",
                                      "1xXZo/-0000B7-2h",
                                      "1xXZoK-0000B7-2h\n",
                                      OLD "/../",
                                      NEW "0"};
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    g_autofree char *split = g_build_filename(dir, "K", NULL);
    g_autofree char *link = g_build_filename(dir, "1xXZoL-0000B7-2h-H", NULL);
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", dir, NULL};

    g_mkdir(split, 0700);
    g_assert_cmpint(outcome(dir, OLD), ==, 'N');
    write_file(dir, OLD "-D", "x");
    g_assert_cmpint(outcome(dir, OLD), ==, 'R');
    write_file(split, OLD "-H", BEGIN APP SENDER LOCAL TAIL);
    g_assert_cmpint(outcome(dir, OLD), ==, 'Y');
    write_file(dir, OLD "-H", "");
    g_assert_cmpint(outcome(dir, OLD), ==, 'N');
    write_file(dir, OLD "-H", BEGIN APP SENDER LOCAL TAIL);
    g_assert_cmpint(outcome(dir, OLD), ==, 'Y');
    write_file(split, NEW "-H", NEW "-H\n" APP SENDER LOCAL TAIL);
    g_assert_cmpint(outcome(dir, NEW), ==, 'Y');
    g_assert_cmpint(symlink(OLD "-H", link), ==, 0);
    g_assert_cmpint(outcome(dir, "1xXZoL-0000B7-2h"), ==, 'N');
    g_assert_cmpint(outcome("relative", OLD), ==, 'N');
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++)
        g_assert_cmpint(outcome(dir, ids[i]), ==, 'N');
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* In octets with CRLF; without the line of its name. */
static void test_body_size(void)
{
    static const struct {
        const char *options;
        const char *body;
        guint64 size;
    } rows[] = {
        {"-body_linecount 2\n", "one\ntwo\n", 10},
        {"", "one\ntwo\n", 8},
        {"-body_linecount 2\n-spool_file_wireformat\n", "one\r\ntwo\r\n", 10},
        {"-body_linecount 2x\n", "one\ntwo\n", 8},
        {"-body_linecount 4000000000\n", "one\ntwo\n", 8},
        {"-body_linecount 0\n", "", 0},
    };
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    char *argv[] = {(char *)"rm", (char *)"-rf", (char *)"--", dir, NULL};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *header = g_strconcat(BEGIN APP SENDER LOCAL, rows[i].options, TAIL, NULL);
        g_autofree char *body = g_strconcat(OLD "-D\n", rows[i].body, NULL);
        g_auto(WorkerExim) spool = {0};
        g_auto(WorkerEximFile) file = WORKER_EXIM_FILE_NONE;
        SealRequest request;
        gboolean found = FALSE;

        write_file(dir, OLD "-H", header);
        write_file(dir, OLD "-D", body);
        open_files(dir, OLD, &request, &file);
        g_assert_true(worker_exim_read(&file, &spool, &found, NULL));
        g_assert_cmpuint(spool.body_size, ==, rows[i].size);
        g_assert_cmpuint(seal_content_size(spool.body), ==, strlen(rows[i].body));
    }
    /* Nor is it believed to be the body where another name stands in front. */
    for (guint i = 0; i < 2; i++) {
        g_auto(WorkerExim) spool = {0};
        g_auto(WorkerEximFile) file = WORKER_EXIM_FILE_NONE;
        SealRequest request;
        gboolean found = FALSE;

        write_file(dir, OLD "-D", i ? OLD "-D" : NEW "-D\none\n");
        open_files(dir, OLD, &request, &file);
        g_assert_true(worker_exim_read(&file, &spool, &found, NULL));
        g_assert_null(spool.body);
    }
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exim/good", test_good);
    g_test_add_func("/exim/bad", test_bad);
    g_test_add_func("/exim/cut", test_cut);
    g_test_add_func("/exim/whole-header", test_whole_header);
    g_test_add_func("/exim/file", test_file);
    g_test_add_func("/exim/body-size", test_body_size);
    return g_test_run();
}
