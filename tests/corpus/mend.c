/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mend.c: makes messages fit for a signature in clear, for mended.py to look at. Its input is one
 * after the other, each behind a line with its size; so is its output, where the line says too
 * whether GMime sees the same in both (1, else 0), and why no transfer encoding can help ("-": all
 * is well). A size of -1: nothing was made.
 */
#include "core/mail/sevenbit.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <string.h>

/* Without the CRs before an LF, as readers do. */
static void append_lines(GString *out, const guint8 *data, gsize size)
{
    gsize start = out->len;

    for (gsize i = 0; i < size; i++) {
        while (data[i] == '\n' && out->len > start && out->str[out->len - 1] == '\r')
            g_string_truncate(out, out->len - 1);
        g_string_append_c(out, (char)data[i]);
    }
}

static void append_text(GString *out, const char *text)
{
    g_string_append_printf(out, "%s\n", text ? text : "-");
}

static void see_object(GString *out, GMimeObject *object);

static void see_part(GString *out, GMimePart *part)
{
    GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);

    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    if (wrapper)
        g_mime_data_wrapper_write_to_stream(wrapper, stream);
    append_text(out, g_mime_part_get_filename(part));
    append_text(out, g_mime_part_get_content_description(part));
    append_lines(out, bytes->data, bytes->len);
    g_object_unref(stream);
}

static void see_message(GString *out, GMimeMessage *message)
{
    append_text(out, g_mime_message_get_subject(message));
    for (GMimeAddressType type = GMIME_ADDRESS_TYPE_SENDER; type <= GMIME_ADDRESS_TYPE_CC; type++) {
        g_autofree char *list = internet_address_list_to_string(
            g_mime_message_get_addresses(message, type), NULL, FALSE);
        /* It keeps where lines are folded. */
        g_auto(GStrv) lines = g_strsplit(list ? list : "", "\n", -1);
        g_autofree char *line = g_strjoinv("", lines);
        append_text(out, line);
    }
    see_object(out, g_mime_message_get_mime_part(message));
}

static void see_object(GString *out, GMimeObject *object)
{
    if (!object)
        return;
    g_autofree char *type =
        g_mime_content_type_get_mime_type(g_mime_object_get_content_type(object));
    append_text(out, type);
    if (GMIME_IS_MULTIPART(object)) {
        for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object)); i++)
            see_object(out, g_mime_multipart_get_part(GMIME_MULTIPART(object), i));
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (message)
            see_message(out, message);
    } else if (GMIME_IS_PART(object)) {
        see_part(out, GMIME_PART(object));
    }
}

/* What GMime shows of it. (transfer full) */
static GString *see(GBytes *bytes)
{
    GString *out = g_string_new(NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

    if (message) {
        see_message(out, message);
        g_object_unref(message);
    }
    g_object_unref(parser);
    g_object_unref(stream);
    return out;
}

static gboolean sees_same(GBytes *a, GBytes *b)
{
    GString *one = see(a), *two = see(b);
    gboolean same = g_string_equal(one, two);

    g_string_free(one, TRUE);
    g_string_free(two, TRUE);
    return same;
}

static void answer(GBytes *message)
{
    g_autoptr(SealContent) content = seal_content_new(message);
    g_autoptr(SealContent) ready = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *why = NULL;

    if (!seal_sevenbit(content, g_get_tmp_dir(), 4096, &ready, &why, &error) || !ready) {
        printf("-1 0 %s\n", error ? error->message : why);
        return;
    }
    g_autoptr(GBytes) made = seal_content_to_bytes(ready, G_MAXINT32, NULL);
    gsize size = 0;
    const void *data = g_bytes_get_data(made, &size);
    printf("%zu %d %s\n", size, sees_same(message, made), why ? why : "-");
    fwrite(data, 1, size, stdout);
}

int main(void)
{
    gsize size;

    g_mime_init();
    while (scanf("%zu", &size) == 1 && getchar() == '\n') {
        g_autofree char *data = g_malloc(size + 1);
        if (fread(data, 1, size, stdin) != size)
            return 1;
        g_autoptr(GBytes) message = g_bytes_new(data, size);
        answer(message);
    }
    return 0;
}
