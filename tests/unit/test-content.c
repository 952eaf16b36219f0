/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-content.c: ropes, their streams, and spools.
 */
#include "core/base/content.h"
#include "core/base/spool.h"

#include <string.h>
#include <unistd.h>

static SealContent *text(const char *string)
{
    return seal_content_new_copy(string, strlen(string));
}

/* Reads a stream @chunk octets at a time, so that every boundary is met. */
static char *drain(GInputStream *stream, gsize chunk, gsize *length)
{
    GString *out = g_string_new(NULL);
    g_autofree char *buffer = g_malloc(chunk);
    gssize got;

    while ((got = g_input_stream_read(stream, buffer, chunk, NULL, NULL)) > 0)
        g_string_append_len(out, buffer, got);
    g_assert_cmpint(got, ==, 0);
    *length = out->len;
    return g_string_free(out, FALSE);
}

static void assert_reads(SealContent *content, gboolean canonical, const char *expected, gsize size)
{
    for (gsize chunk = 1; chunk < 9; chunk++) {
        g_autoptr(GInputStream) stream =
            canonical ? seal_content_read_canonical(content) : seal_content_read(content);
        gsize length = 0;
        g_autofree char *got = drain(stream, chunk, &length);

        g_assert_cmpmem(got, length, expected, size);
    }
}

static void test_rope(void)
{
    g_autoptr(SealContent) hello = text("hello ");
    g_autoptr(SealContent) world = text("world");
    g_autoptr(SealContent) both = seal_content_join(hello, world);
    g_autoptr(SealContent) middle = seal_content_slice(both, 3, 5);
    g_autoptr(SealContent) beyond = seal_content_slice(both, 9, 100);
    g_autoptr(SealContent) nothing = seal_content_slice(both, 100, 1);

    g_assert_cmpuint(seal_content_size(both), ==, 11);
    assert_reads(both, FALSE, "hello world", 11);
    assert_reads(middle, FALSE, "lo wo", 5);
    assert_reads(beyond, FALSE, "ld", 2);
    g_assert_cmpuint(seal_content_size(nothing), ==, 0);
}

static void test_canonical(void)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"", ""},
        {"\n", "\r\n"},
        {"\r\n", "\r\n"},
        {"\n\n", "\r\n\r\n"},
        {"a\nb\r\nc", "a\r\nb\r\nc"},
        {"\r", "\r"},
        {"\r\r\n", "\r\r\n"},
        {"a\rb\n", "a\rb\r\n"},
        {"\n\r\n\r", "\r\n\r\n\r"},
        {"no end", "no end"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealContent) content = text(rows[i].in);
        assert_reads(content, TRUE, rows[i].out, strlen(rows[i].out));
    }
}

/* A CR at the end of one piece and the LF at the start of the next are one line end. */
static void test_canonical_across_pieces(void)
{
    g_autoptr(SealContent) first = text("a\r");
    g_autoptr(SealContent) second = text("\nb\n");
    g_autoptr(SealContent) both = seal_content_join(first, second);

    assert_reads(both, TRUE, "a\r\nb\r\n", 6);
}

static void test_nul_octets(void)
{
    g_autoptr(SealContent) content = seal_content_new_copy("a\0b\n", 4);

    assert_reads(content, TRUE, "a\0b\r\n", 5);
}

static void check_spool(gsize memory, gsize size)
{
    g_autoptr(GOutputStream) spool = seal_spool_open(g_get_tmp_dir(), memory);
    g_autofree guint8 *data = g_malloc(size + 1);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < size; i++)
        data[i] = (guint8)(i * 7);
    for (gsize at = 0; at < size; at += 1000)
        g_assert_true(
            g_output_stream_write_all(spool, data + at, MIN(1000, size - at), NULL, NULL, NULL));

    g_autoptr(SealContent) content = seal_spool_finish(spool, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(content, size, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), data, size);
}

static void test_spool(void)
{
    check_spool(1000000, 0);
    check_spool(1000000, 200000);
    check_spool(4096, 200000);
    check_spool(0, 10);
}

static void test_spool_leaves_no_file(void)
{
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    g_autoptr(GOutputStream) spool = seal_spool_open(dir, 0);

    g_assert_true(g_output_stream_write_all(spool, "secret", 6, NULL, NULL, NULL));
    g_autoptr(GDir) open_dir = g_dir_open(dir, 0, NULL);
    g_assert_null(g_dir_read_name(open_dir));
    rmdir(dir);
}

static void test_spool_without_folder(void)
{
    g_autoptr(GOutputStream) spool = seal_spool_open("/nonexistent/folder", 2);
    g_autoptr(GError) error = NULL;

    g_assert_false(g_output_stream_write_all(spool, "secret", 6, NULL, NULL, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "spool_dir"));
}

static void test_limit(void)
{
    g_autoptr(SealContent) content = text("12345");
    g_autoptr(GError) error = NULL;

    g_assert_null(seal_content_to_bytes(content, 4, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/content/rope", test_rope);
    g_test_add_func("/content/canonical", test_canonical);
    g_test_add_func("/content/canonical-across-pieces", test_canonical_across_pieces);
    g_test_add_func("/content/nul-octets", test_nul_octets);
    g_test_add_func("/content/limit", test_limit);
    g_test_add_func("/spool/sizes", test_spool);
    g_test_add_func("/spool/leaves-no-file", test_spool_leaves_no_file);
    g_test_add_func("/spool/without-folder", test_spool_without_folder);
    return g_test_run();
}
