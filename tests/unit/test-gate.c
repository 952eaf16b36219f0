/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-gate.c: deliveries that core would not make itself. The gate must not let them go, whoever
 * made them. test-gate-modules.c has what modules can do wrong.
 */
#include "core/pipeline/dispatcher.h"

#include "core/pipeline/gate.h"
#include "core/pipeline/plan.h"

#include <glib/gstdio.h>

typedef struct {
    char *top;
    SealDispatcher *dispatcher; /* without a module: nobody has a key */
} Fixture;

static const char *const ALICE[] = {"alice@example.org", NULL};
static const char MESSAGE[] = "From: carol@example.org\nTo: alice@example.org\n"
                              "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"
                              "\nthe secret words\n";

static void set_up(Fixture *f, gconstpointer policy)
{
    g_autofree char *conf = NULL, *path = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;

    f->top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    conf = g_build_filename(f->top, "conf", NULL);
    path = g_build_filename(conf, "x.conf", NULL);
    text = g_strdup_printf("[core]\nlog_target=%s/log\n[policy]\n%s\n", f->top,
                           policy ? (const char *)policy : "encrypt=required");
    g_mkdir(conf, 0755);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
    f->dispatcher = seal_dispatcher_new(conf, f->top, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer policy)
{
    static const char *const names[] = {"conf/x.conf", "conf", "log", ""};

    seal_dispatcher_free(f->dispatcher);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(f->top, names[i], NULL);
        g_remove(path);
    }
    g_free(f->top);
}

static SealJob *new_job(void)
{
    g_autoptr(SealContent) content = seal_content_new_copy(MESSAGE, sizeof MESSAGE - 1);
    const SealJobSpec spec = {.sender = "", .recipients = ALICE, .message = content};
    SealJob *job = seal_job_new(&spec, NULL);

    g_assert_nonnull(job);
    return job;
}

/* A delivery of the message as it came to all recipients. */
static SealDelivery *delivery_of(Fixture *f, SealJob *job, SealChoice choice)
{
    SealDelivery *delivery = seal_job_add_delivery(job, choice, NULL, SEAL_NEED_NEVER);
    g_autoptr(SealContent) clear = seal_message_clear(job->message, FALSE);

    g_assert_true(seal_plan(f->dispatcher->outbound, job, NULL, NULL));
    seal_delivery_set_content(delivery, clear);
    for (guint i = 0; i < job->recipients->len; i++)
        g_ptr_array_add(delivery->recipients, g_ptr_array_index(job->recipients, i));
    return delivery;
}

static void assert_shut(Fixture *f, SealJob *job, SealDelivery *delivery, const char *why)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(seal_gate(f->dispatcher->outbound, job, delivery, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_GATE);
    g_assert_nonnull(strstr(error->message, why));
    for (guint i = 0; i < job->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, i);
        g_assert_cmpint(recipient->result, !=, SEAL_VERDICT_PLAIN);
        g_assert_cmpint(recipient->result, !=, SEAL_VERDICT_SEALED);
    }
}

static void test_clear(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();

    assert_shut(f, job, delivery_of(f, job, SEAL_CHOICE_CLEAR),
                "in clear, and alice@example.org requires encryption");
}

/* The same is let go where policy says so: it is that which stops the others. */
static void test_allowed(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();
    SealDelivery *delivery = delivery_of(f, job, SEAL_CHOICE_CLEAR);
    const SealRecipient *recipient = g_ptr_array_index(job->recipients, 0);

    g_assert_true(seal_gate(f->dispatcher->outbound, job, delivery, NULL, NULL));
    g_assert_cmpint(recipient->result, ==, SEAL_VERDICT_PLAIN);
}

/* It says that it is encrypted, and is not. */
static void test_already(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();

    assert_shut(f, job, delivery_of(f, job, SEAL_CHOICE_ALREADY),
                "planned as encrypted already, but it is not");
}

static void test_no_plan(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();

    assert_shut(f, job, delivery_of(f, job, (SealChoice)99),
                "a delivery was made of what is refused or deferred");
}

static void test_nobody(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();
    SealDelivery *delivery = delivery_of(f, job, SEAL_CHOICE_CLEAR);

    g_ptr_array_set_size(delivery->recipients, 0);
    assert_shut(f, job, delivery, "a delivery without a recipient");
}

static void test_private_field(Fixture *f, gconstpointer policy)
{
    static const char text[] = "Bcc: bob@example.org\n\nx\n";
    g_autoptr(SealContent) content = seal_content_new_copy(text, sizeof text - 1);
    g_autoptr(SealJob) job = new_job();
    SealDelivery *delivery = delivery_of(f, job, SEAL_CHOICE_CLEAR);

    seal_delivery_set_content(delivery, content);
    assert_shut(f, job, delivery, "the header field Bcc is there, which never leaves");
}

/* What a reader could take for a header or its end stands before what is checked as one. */
static void test_lines(Fixture *f, gconstpointer policy)
{
    static const char *const rows[][2] = {
        {"From the secret words\nTo: alice@example.org\n\nx\n", "a From_ line stands before"},
        {"To: alice@example.org\rBcc: bob@example.org\n\nx\n", "malformed message"},
        {"To: alice@example.org\n\r\rx\n\nx\n", "malformed message"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealContent) content = seal_content_new_copy(rows[i][0], strlen(rows[i][0]));
        g_autoptr(SealJob) job = new_job();
        SealDelivery *delivery = delivery_of(f, job, SEAL_CHOICE_CLEAR);

        seal_delivery_set_content(delivery, content);
        assert_shut(f, job, delivery, rows[i][1]);
    }
}

/* -------------------------------------------------------------------------------------------
 * Messages that are at fault themselves
 */

/* It is the same at every try: refused, and asked about as well. */
static void test_faulty(Fixture *f, gconstpointer policy)
{
    g_autofree char *many = g_strnfill(2 * 1024 * 1024, 'x');
    g_autofree char *large = g_strconcat("X: ", many, "\n\nx\n", NULL);
    const char *const rows[][2] = {{"To: a\rb\n\nx\n", "malformed message"},
                                   {large, "more than 1048576 octets"}};

    for (guint i = 0; i < 2 * G_N_ELEMENTS(rows); i++) {
        const char *text = rows[i / 2][0];
        g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
        const SealJobSpec spec = {
            .recipients = ALICE, .message = content, .header_only = i % 2 == 1};
        g_autoptr(SealJob) job = seal_job_new(&spec, NULL);

        g_assert_nonnull(job);
        g_assert_true(i % 2 ? seal_dispatcher_check(f->dispatcher, job, NULL, NULL)
                            : seal_dispatcher_run(f->dispatcher, job, NULL, NULL));
        const SealRecipient *recipient = g_ptr_array_index(job->recipients, 0);
        g_assert_cmpint(recipient->result, ==, SEAL_VERDICT_REFUSE);
        g_assert_nonnull(strstr(recipient->reason, rows[i / 2][1]));
        g_assert_cmpuint(job->deliveries->len, ==, 0);
    }
}

/* -------------------------------------------------------------------------------------------
 * Time, and who is too many
 */

static void assert_failed(Fixture *f, SealJob *job, GCancellable *cancellable, GQuark domain,
                          int code)
{
    const SealRecipient *recipient = g_ptr_array_index(job->recipients, 0);
    g_autoptr(GError) error = NULL;

    g_assert_false(seal_dispatcher_run(f->dispatcher, job, cancellable, &error));
    g_assert_error(error, domain, code);
    g_assert_cmpuint(job->deliveries->len, ==, 0);
    g_assert_cmpint(recipient->result, ==, SEAL_VERDICT_DEFER);
}

/* What took too long does not leave, though nothing else was wrong with it. */
static void test_deadline(Fixture *f, gconstpointer policy)
{
    g_autoptr(SealJob) job = new_job();

    job->started -= seal_dispatcher_deadline(f->dispatcher) * G_USEC_PER_SEC + G_USEC_PER_SEC;
    assert_failed(f, job, NULL, SEAL_ERROR, SEAL_ERROR_DEADLINE);
}

static void test_cancelled(Fixture *f, gconstpointer policy)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(SealJob) job = new_job();

    g_cancellable_cancel(cancellable);
    assert_failed(f, job, cancellable, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void test_in_time(Fixture *f, gconstpointer policy)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(SealJob) job = new_job();

    g_assert_true(seal_dispatcher_run(f->dispatcher, job, cancellable, NULL));
    g_assert_cmpuint(job->deliveries->len, ==, 1);
}

static SealJob *job_for(GPtrArray *recipients, GError **error)
{
    g_ptr_array_add(recipients, NULL);
    const SealJobSpec spec = {.sender = "", .recipients = (const char *const *)recipients->pdata};
    return seal_job_new(&spec, error);
}

static void test_many_recipients(void)
{
    enum { MOST = 10000 };
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < MOST + 1; i++)
        g_ptr_array_add(all, g_strdup_printf("r%u@example.org", i));
    g_autoptr(SealJob) job = job_for(all, &error);
    g_assert_null(job);
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
}

/* However often one is named, and however it is written, it is one recipient. */
static void test_same_recipients(void)
{
    static const char *const spellings[] = {"alice@example.org", "ALICE@example.org",
                                            "alice@EXAMPLE.org", "bob@example.org"};
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (guint i = 0; i < 20; i++)
        g_ptr_array_add(all, (gpointer)spellings[i % G_N_ELEMENTS(spellings)]);
    g_autoptr(SealJob) job = job_for(all, NULL);
    g_assert_nonnull(job);
    g_assert_cmpuint(job->recipients->len, ==, 2);
}

#define ADD(path, policy, function) g_test_add(path, Fixture, policy, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/gate/clear", NULL, test_clear);
    ADD("/gate/allowed", "encrypt=never", test_allowed);
    ADD("/gate/already", NULL, test_already);
    ADD("/gate/already-allowed", "encrypt=never", test_already);
    ADD("/gate/no-plan", "encrypt=never", test_no_plan);
    ADD("/gate/nobody", "encrypt=never", test_nobody);
    ADD("/gate/private-field", "encrypt=never", test_private_field);
    ADD("/gate/lines", "encrypt=never", test_lines);
    ADD("/run/faulty", "encrypt=never", test_faulty);
    ADD("/run/deadline", "encrypt=never", test_deadline);
    ADD("/run/cancelled", "encrypt=never", test_cancelled);
    ADD("/run/in-time", "encrypt=never", test_in_time);
    g_test_add_func("/job/many-recipients", test_many_recipients);
    g_test_add_func("/job/same-recipients", test_same_recipients);
    return g_test_run();
}
