/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sweep.c: sweep CORPUS REFUSED: every fourth message of the corpus, or every n-th where
 * SEALPIPE_CORPUS_EVERY says n, through one dispatcher in one process, so that sanitizers see what
 * messages leave behind for one another. Each result is taken apart and decrypted by OpenSSL alone.
 * corpus.py runs all of them through the programs. REFUSED names the messages that sealpipe
 * refuses.
 */
#include "tests/unit/test-smime-pki.h"

#include <openssl/cms.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY = 4, MAX_SHOWN = 20 };

typedef struct {
    const char *address;
    EVP_PKEY *key;
    X509 *cert;
} Person;

typedef struct {
    Smime smime;
    Person people[2];
    guint tried;
    guint failed;
} Sweep;

#ifdef SEAL_SANITIZE
/* GMime loses memory when a comment in an address does not end, and only a slow walk up the stack
 * sees that it was GMime. */
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
int __lsan_do_recoverable_leak_check(void);

const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:libgmime\n";
}
#endif

/* -------------------------------------------------------------------------------------------
 * Which messages
 */

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void walk(const char *top, const char *below, GPtrArray *names)
{
    g_autofree char *folder = g_build_filename(top, below, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *entry;

    while (dir && (entry = g_dir_read_name(dir))) {
        g_autofree char *name = *below ? g_build_filename(below, entry, NULL) : g_strdup(entry);
        g_autofree char *path = g_build_filename(top, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            walk(top, name, names);
        else
            g_ptr_array_add(names, g_steal_pointer(&name));
    }
}

/* INDEX.tsv in the folder above says which files are messages; without it, all but SOURCES.txt. */
static GPtrArray *names_of(const char *corpus)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *above = g_path_get_dirname(corpus);
    g_autofree char *base = g_path_get_basename(corpus);
    g_autofree char *prefix = g_strconcat(base, "/", NULL);
    g_autofree char *index = g_build_filename(above, "INDEX.tsv", NULL);
    g_autofree char *text = NULL;

    if (g_file_get_contents(index, &text, NULL, NULL)) {
        g_auto(GStrv) rows = g_strsplit(text, "\n", -1);
        for (char **row = rows; *row; row++) {
            if (g_str_has_prefix(*row, prefix))
                g_ptr_array_add(
                    names, g_strndup(*row + strlen(prefix), strcspn(*row, "\t") - strlen(prefix)));
        }
    } else {
        walk(corpus, "", names);
    }
    for (guint i = names->len; i-- > 0;) {
        if (g_str_has_suffix(g_ptr_array_index(names, i), "SOURCES.txt"))
            g_ptr_array_remove_index(names, i);
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

static gboolean is_refused(const char *refused, const char *name)
{
    g_autofree char *text = NULL;
    g_autofree char *start = g_strconcat(name, "\t", NULL);

    g_assert_true(g_file_get_contents(refused, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (g_str_has_prefix(*line, start))
            return TRUE;
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * One message. What is wrong with it is returned: (transfer full), NULL where nothing is.
 */

static GBytes *canonical(SealContent *content)
{
    g_autoptr(GInputStream) stream = seal_content_read_canonical(content);
    g_autoptr(GOutputStream) out = g_memory_output_stream_new_resizable();

    g_assert_cmpint(
        g_output_stream_splice(out, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, NULL), >=,
        0);
    return g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(out));
}

/* The octets behind the first empty line, line ends CRLF. */
static gboolean body_of(GBytes *entity, const char **body, gsize *length)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(entity, &size);
    const char *end = data ? memmem(data, size, "\r\n\r\n", 4) : NULL;

    if (!end)
        return FALSE;
    *body = end + 4;
    *length = size - (gsize)(*body - data);
    return TRUE;
}

/* Everything behind the header must be base64, and be one CMS object that @person opens. */
static char *open_it(GBytes *sealed, const Person *person, GBytes **opened)
{
    gsize size = 0;
    const char *text = g_bytes_get_data(sealed, &size);
    const char *crlf = memmem(text, size, "\r\n\r\n", 4), *lf = memmem(text, size, "\n\n", 2);
    const char *body = crlf && (!lf || crlf < lf) ? crlf + 4 : lf ? lf + 2 : NULL;

    if (!body)
        return g_strdup("the result has no empty line");
    g_autofree char *armor = g_strndup(body, size - (gsize)(body - text));
    if (strspn(armor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n") !=
        size - (gsize)(body - text))
        return g_strdup("not base64 alone behind the header");

    gsize length = 0;
    g_autofree guchar *der = g_base64_decode(armor, &length);
    const guchar *end = der;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &end, (long)length);
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL, *wrong = NULL;

    if (!cms || end != der + length) {
        wrong = g_strdup("not one CMS object as a whole");
    } else if (CMS_decrypt(cms, person->key, person->cert, NULL, out, CMS_BINARY) != 1) {
        wrong = g_strdup_printf("%s cannot open it", person->address);
    } else {
        long got = BIO_get_mem_data(out, &data);
        *opened = g_bytes_new(data, (gsize)got);
    }
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    return wrong;
}

/* The body is what the message ends with, and all that follows the fields of the entity. */
static char *compare(SealContent *message, GBytes *opened)
{
    g_autoptr(GBytes) whole = canonical(message);
    gsize size = 0, length = 0;
    const char *data = g_bytes_get_data(whole, &size);
    const char *body = NULL;

    if (!body_of(opened, &body, &length))
        return g_strdup("what was sealed has no empty line");
    if (length > size || memcmp(data + size - length, body, length) != 0)
        return g_strdup("what was sealed is not what the message ends with");
    return NULL;
}

static char *look(Sweep *sweep, SealJob *job, SealContent *message, const Person *person)
{
    GPtrArray *deliveries = seal_job_deliveries(job);
    const SealRecipient *recipient = g_ptr_array_index(seal_job_recipients(job), 0);
    g_autoptr(GBytes) opened = NULL;

    if (seal_recipient_result(recipient) != SEAL_VERDICT_SEALED || deliveries->len != 1)
        return g_strdup_printf("not sealed: %s", seal_recipient_reason(recipient));

    SealContent *content = seal_delivery_content(g_ptr_array_index(deliveries, 0));
    g_autoptr(GBytes) sealed = seal_content_to_bytes(content, G_MAXINT32, NULL);
    g_assert_nonnull(sealed);
    gsize size = 0;
    const char *data = g_bytes_get_data(sealed, &size);
    g_autoptr(SealDetection) detection = smime_look(&sweep->smime, data, size);
    if (seal_detection_what(detection) != SEAL_DETECTED_ENCRYPTED ||
        seal_detection_ids(detection)->len != 1 || seal_detection_hidden(detection) != 0)
        return g_strdup_printf("not wholly encrypted to one key: %s",
                               seal_detection_text(detection));

    char *wrong = open_it(sealed, person, &opened);
    return wrong ? wrong : compare(message, opened);
}

static char *try_one(Sweep *sweep, const char *path, const Person *person)
{
    const char *const recipients[] = {person->address, NULL};
    g_autoptr(GOutputStream) spool = seal_dispatcher_spool(sweep->smime.dispatcher);
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(path, &data, &length, NULL));
    g_assert_true(g_output_stream_write_all(spool, data, length, NULL, NULL, NULL));
    g_autoptr(SealContent) message = seal_spool_finish(spool, NULL);
    g_assert_nonnull(message);

    const SealJobSpec spec = {
        .id = "sweep", .recipients = recipients, .message = message, .one_output = TRUE};
    g_autoptr(SealJob) job = seal_job_new(&spec, &error);
    if (!job || !seal_dispatcher_run(sweep->smime.dispatcher, job, NULL, &error))
        return g_strdup(error ? error->message : "no error set");
    return look(sweep, job, message, person);
}

/* -------------------------------------------------------------------------------------------
 * All of them
 */

/* One with RSA, one with EC: every other message is for the other. */
static void start(Sweep *sweep)
{
    g_autoptr(X509) ca = pki_ca("Sweep", NULL);
    g_autoptr(GBytes) anchor = pki_pem(ca);
    g_autoptr(GError) error = NULL;

    sweep->people[0] = (Person){"alice@example.org", pki_other_key("RSA"), NULL};
    sweep->people[1] = (Person){"bob@example.org", pki_other_key("P-256"), NULL};
    sweep->people[0].cert = pki_person(sweep->people[0].address, "RSA", NULL, ca);
    sweep->people[1].cert = pki_person(sweep->people[1].address, "P-256", CAP_AES256_GCM, ca);

    smime_prepare(&sweep->smime);
    g_free(smime_write(&sweep->smime, "ca.pem", anchor));
    for (guint i = 0; i < G_N_ELEMENTS(sweep->people); i++) {
        g_autoptr(GBytes) pem = pki_pem(sweep->people[i].cert);
        g_autofree char *name = g_strdup_printf("certs/%u.pem", i);
        g_free(smime_write(&sweep->smime, name, pem));
    }
    const char *dir = sweep->smime.dir;
    g_autofree char *settings = g_strdup_printf("trust_anchors=%s/ca.pem", dir);
    /* What is sealed already is sealed again here, so that no message passes untried. */
    g_autofree char *more = g_strdup_printf("[policy]\nencrypt=required\nalready_sealed=wrap\n"
                                            "[module keys-file]\npaths=%s/certs\n",
                                            dir);
    smime_open_with(&sweep->smime, settings, more, &error);
    g_assert_no_error(error);
}

static void end(Sweep *sweep)
{
    for (guint i = 0; i < G_N_ELEMENTS(sweep->people); i++)
        X509_free(sweep->people[i].cert);
    smime_end(&sweep->smime);
}

static void run(Sweep *sweep, guint every, const char *corpus, const char *refused)
{
    g_autoptr(GPtrArray) names = names_of(corpus);

    for (guint i = 0; i < names->len; i += every) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(corpus, name, NULL);

        if (is_refused(refused, name))
            continue;
        g_autofree char *wrong = try_one(sweep, path, &sweep->people[sweep->tried % 2]);
        sweep->tried++;
        if (wrong && ++sweep->failed <= MAX_SHOWN)
            printf("# %s: %s\n", name, wrong);
        fflush(stdout);
    }
    printf("# %u of %u messages, every %u., %u failed\n", sweep->tried, names->len, every,
           sweep->failed);
}

int main(int argc, char **argv)
{
    Sweep sweep = {0};
    const char *word = g_getenv("SEALPIPE_CORPUS_EVERY");
    guint64 every = EVERY;

    if (argc != 3 || (word && !g_ascii_string_to_unsigned(word, 10, 1, G_MAXUINT, &every, NULL))) {
        fprintf(stderr, "usage: [SEALPIPE_CORPUS_EVERY=N] sweep CORPUS REFUSED\n");
        return 2;
    }
    const char *other = g_getenv("SEALPIPE_CORPUS");
    const char *corpus = other && *other ? other : argv[1];
    if (!g_file_test(corpus, G_FILE_TEST_IS_DIR)) {
        printf("1..0 # SKIP no corpus: %s is absent; 0 messages tried\n", corpus);
        return 0;
    }
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
    printf("1..2\n");
    start(&sweep);
    run(&sweep, (guint)every, corpus, argv[2]);
    end(&sweep);

    gboolean sealed = sweep.tried > 0 && sweep.failed == 0;
    printf("%s 1 - every message is sealed, in one process\n", sealed ? "ok" : "not ok");
    fflush(stdout);
#ifdef SEAL_SANITIZE
    gboolean clean = __lsan_do_recoverable_leak_check() == 0;
    printf("%s 2 - nothing is left behind\n", clean ? "ok" : "not ok");
#else
    gboolean clean = TRUE;
    printf("ok 2 - nothing is left behind # SKIP only a build with sanitizers can tell\n");
#endif
    /* At the end leaks are looked for again, and stdio is not heard any more. */
    fflush(stdout);
    return sealed && clean ? 0 : 1;
}
