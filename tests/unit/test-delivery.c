/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-delivery.c: what a stage sees of a delivery, and the header fields that it writes.
 */
#include "core/pipeline/job.h"

static const char *const ALICE[] = {"alice@example.org", NULL};

static SealJob *job_of(const char *text)
{
    g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
    const SealJobSpec spec = {.sender = "", .recipients = ALICE, .message = content};
    SealJob *job = seal_job_new(&spec, NULL);
    SealDelivery *delivery;

    g_assert_nonnull(job);
    delivery = seal_job_add_delivery(job, SEAL_CHOICE_CLEAR, NULL, SEAL_NEED_NEVER);
    seal_delivery_set_content(delivery, content);
    return job;
}

static SealDelivery *delivery_of(const SealJob *job)
{
    return g_ptr_array_index(seal_job_deliveries(job), 0);
}

static void assert_content(const SealDelivery *delivery, const char *want)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(seal_delivery_content(delivery), 4096, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autofree char *text = g_strndup(data, size);

    g_assert_cmpstr(text, ==, want);
}

/* -------------------------------------------------------------------------------------------
 * Entity
 */

static void test_entity(void)
{
    static const char changed[] = "Content-Type: text/html\n\n<p>";
    g_autoptr(SealJob) job = job_of("From: carol@example.org\n\nx\n");
    SealDelivery *delivery = delivery_of(job);
    g_autoptr(SealContent) content = seal_content_new_copy(changed, strlen(changed));
    SealEntity *entity = seal_delivery_entity(delivery, NULL);

    g_assert_cmpstr(seal_entity_type(entity), ==, "text/plain");
    g_assert_true(seal_delivery_entity(delivery, NULL) == entity);
    /* What an earlier stage made is what the next one sees; the job's stays as it came. */
    seal_delivery_set_content(delivery, content);
    g_assert_cmpstr(seal_entity_type(seal_delivery_entity(delivery, NULL)), ==, "text/html");
    g_assert_cmpstr(seal_entity_type(seal_job_entity(job)), ==, "text/plain");
}

static void test_entity_empty(void)
{
    g_autoptr(SealJob) job = job_of("From: carol@example.org\n\nx\n");
    g_autoptr(SealContent) nothing = seal_content_new_copy("", 0);
    g_autoptr(GError) error = NULL;

    seal_delivery_set_content(delivery_of(job), nothing);
    g_assert_null(seal_delivery_entity(delivery_of(job), &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_MESSAGE);
}

/* -------------------------------------------------------------------------------------------
 * Fields
 */

static void test_fields(void)
{
    static const struct {
        const char *from, *name, *value, *to;
    } rows[] = {
        /* Behind the last one. */
        {"From: a@b.example\nTo: c\n\nx\n", "X-Seen", "yes",
         "From: a@b.example\nTo: c\nX-Seen: yes\n\nx\n"},
        {"From: a@b.example\r\n\r\nx\r\n", "X-Seen", "yes",
         "From: a@b.example\r\nX-Seen: yes\r\n\r\nx\r\n"},
        /* In place of the first, continuation lines and further ones included. */
        {"x-seen: no\n more\nTo: c\nX-SEEN: never\n\nx\n", "X-Seen", "yes",
         "X-Seen: yes\nTo: c\n\nx\n"},
        /* No body, and no end of the header. */
        {"To: c\n\n", "X-Seen", "yes", "To: c\nX-Seen: yes\n\n"},
        {"To: c\n", "X-Seen", "yes", "To: c\nX-Seen: yes\n\n"},
        {"To: c", "X-Seen", "yes", "To: c\nX-Seen: yes\n\n"},
        /* The body begins at once, and is not to become a field. */
        {"To: c\nno field\n", "X-Seen", "yes", "To: c\nX-Seen: yes\n\nno field\n"},
        {"\nTo: not a field\n", "X-Seen", "yes", "X-Seen: yes\n\nTo: not a field\n"},
        /* More than ASCII (RFC 2047). */
        {"To: c\n\n", "X-Seen", "J\xc3\xb6rg", "To: c\nX-Seen: =?UTF-8?b?SsO2cmc=?=\n\n"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealJob) job = job_of(rows[i].from);
        SealDelivery *delivery = delivery_of(job);

        g_test_message("%s", rows[i].from);
        g_assert_true(seal_delivery_set_field(delivery, rows[i].name, rows[i].value, NULL));
        assert_content(delivery, rows[i].to);
        /* What was looked at before it is looked at anew. */
        g_assert_cmpuint(seal_entity_count(seal_delivery_entity(delivery, NULL), "X-Seen"), ==, 1);
    }
}

static void test_fields_refused(void)
{
    g_autofree char *long_value = g_strnfill(1000, 'x');
    const char *const rows[][2] = {
        {"", "x"},          {"X Y", "x"},  {"X:", "x"},   {"X\xc3\xb6", "x"}, {"X", "a\nBcc: b"},
        {"X", "a\rBcc: b"}, {"X", "\x7f"}, {"X", "\xff"}, {"X", long_value},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealJob) job = job_of("To: c\n\nx\n");
        g_autoptr(GError) error = NULL;

        g_assert_false(seal_delivery_set_field(delivery_of(job), rows[i][0], rows[i][1], &error));
        g_assert_nonnull(error);
        assert_content(delivery_of(job), "To: c\n\nx\n");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/delivery/entity", test_entity);
    g_test_add_func("/delivery/entity-empty", test_entity_empty);
    g_test_add_func("/delivery/fields", test_fields);
    g_test_add_func("/delivery/fields-refused", test_fields_refused);
    return g_test_run();
}
