/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * canonical.c: fuzzes content: whatever it is pieced together from and however it is read, it is
 * the same octets; the canonical form is that of a model that is too simple to be wrong.
 */
#include "fuzz.h"

#include "core/base/content.h"
#include "core/base/spool.h"

#include <string.h>

enum { BUFFER = 64 * 1024 };

static GByteArray *model_of(const uint8_t *data, size_t size)
{
    GByteArray *model = g_byte_array_new();

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
            g_byte_array_append(model, (const guint8 *)"\r", 1);
        g_byte_array_append(model, data + i, 1);
    }
    return model;
}

/* Reads by different amounts in turn, one octet at a time among them. Takes @stream. */
static void check_stream(GInputStream *stream, const uint8_t *model, size_t size, guint step)
{
    static const gsize steps[] = {1, 2, 3, 7, 64, BUFFER};
    g_autofree guint8 *buffer = g_malloc(BUFFER);
    size_t at = 0;

    for (;;) {
        gsize most = steps[step++ % G_N_ELEMENTS(steps)];
        gssize got = g_input_stream_read(stream, buffer, most, NULL, NULL);

        g_assert_cmpint(got, >=, 0);
        g_assert_cmpuint((gsize)got, <=, most);
        if (got == 0)
            break;
        g_assert_cmpuint(at + (gsize)got, <=, size);
        g_assert_cmpmem(buffer, (gsize)got, model + at, (gsize)got);
        at += (gsize)got;
    }
    g_assert_cmpuint(at, ==, size);
    g_object_unref(stream);
}

static void check(SealContent *content, const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) model = model_of(data, size);

    g_assert_cmpuint(seal_content_size(content), ==, size);
    check_stream(seal_content_read(content), data, size, 0);
    for (guint step = 0; step < 6; step += 5)
        check_stream(seal_content_read_canonical(content), model->data, model->len, step);
}

static SealContent *spooled(const uint8_t *data, size_t size)
{
    g_autoptr(GOutputStream) spool = seal_spool_open(g_get_tmp_dir(), 0);

    g_assert_true(g_output_stream_write_all(spool, data, size, NULL, NULL, NULL));
    return seal_spool_finish(spool, NULL);
}

static void check_slice(SealContent *content, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;

    size_t from = data[0] % size;
    size_t length = data[size - 1] % (size - from + 1);
    g_autoptr(SealContent) slice = seal_content_slice(content, from, length);

    check(slice, data + from, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) whole = fuzz_content(data, size);
    g_autoptr(SealContent) cut = fuzz_content_cut(data, size);
    g_autoptr(SealContent) file = spooled(data, size);
    g_autoptr(SealContent) mixed = seal_content_join(file, cut);
    g_autoptr(GByteArray) twice = g_byte_array_new();

    g_byte_array_append(twice, data, (guint)size);
    g_byte_array_append(twice, data, (guint)size);
    check(whole, data, size);
    check(cut, data, size);
    check(mixed, twice->data, twice->len);
    check_slice(cut, data, size);
    check_slice(mixed, twice->data, twice->len);
    return 0;
}
