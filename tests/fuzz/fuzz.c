/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz.c: what the fuzz targets share.
 */
#include "fuzz.h"

#include <string.h>

/* A warning of GLib or GMime is a finding as well. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
    return 0;
}

SealContent *fuzz_content(const uint8_t *data, size_t size)
{
    return seal_content_new_copy(data, size);
}

static SealContent *append(SealContent *front, const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) first = front;
    g_autoptr(SealContent) second = seal_content_new_copy(data, size);

    return seal_content_join(first, second);
}

SealContent *fuzz_content_cut(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    guint hash = g_bytes_hash(bytes);
    size_t one = hash % (size + 1), two = (hash >> 16) % (size + 1);
    size_t first = MIN(one, two), second = MAX(one, two);
    SealContent *content = seal_content_new_copy(data, first);

    content = append(content, data + first, second - first);
    return append(content, data + second, size - second);
}

void fuzz_assert_same(SealContent *a, SealContent *b)
{
    g_autoptr(GBytes) one = seal_content_to_bytes(a, G_MAXSSIZE, NULL);
    g_autoptr(GBytes) other = seal_content_to_bytes(b, G_MAXSSIZE, NULL);

    g_assert_cmpuint(seal_content_size(a), ==, seal_content_size(b));
    g_assert_true(g_bytes_equal(one, other));
}

void fuzz_assert_one_line(const char *text)
{
    g_assert_nonnull(text);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        g_assert_false(g_unichar_iscntrl(g_utf8_get_char(c)));
        g_assert_cmpint(g_unichar_type(g_utf8_get_char(c)), !=, G_UNICODE_FORMAT);
    }
}
