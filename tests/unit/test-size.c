/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-size.c: size_limit, of what leaves and of what would.
 */
#include "test-job.h"

#include <glib/gstdio.h>
#include <string.h>

/* The usual one; @text has a group [core] of its own. */
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

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/size/limit", test_size_limit);
    g_test_add_func("/size/answer", test_size_answer);
    rc = g_test_run();
    tear_down();
    return rc;
}
