/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-gate-modules.c: what a module makes of a message that must not leave so. The gate stops it.
 * test-gate.c has deliveries that no module made.
 */
#include "test-job.h"

#include <string.h>

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
    rc = g_test_run();
    tear_down();
    return rc;
}
