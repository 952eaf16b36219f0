/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-words.c: encoded words, as strict readers take them and as lax ones do.
 */
#include "core/mail/words.h"

#include <string.h>

typedef struct {
    const char *value;
    const char *strict; /* NULL: as it stands */
    const char *lax;    /* NULL: the same as strict */
    const char *joined; /* NULL: the same as lax */
} Row;

static const Row ROWS[] = {
    {"plain text", NULL, NULL, NULL},
    {"=?utf-8?q?a_b=3D=5f?=", "a b=_", NULL, NULL},
    {"=?UTF-8?B?YWJj?= x", "abc x", NULL, NULL},
    {"=?utf-8*en?q?abc?=", "abc", NULL, NULL},
    {"=?iso-8859-1?q?Gr=FC=DFe?=", "Gr\u00fc\u00dfe", NULL, NULL},
    {"=?windows-1252?q?=80?=", "\u20ac", NULL, NULL},
    {"=?iso-2022-jp?b?GyRCJCIbKEI=?=", "\u3042", NULL, NULL},
    {"=?utf-7?q?+AFs-s+AF0-?=", "[s]", NULL, NULL},
    /* Blanks between words do not count, others do. */
    {"=?utf-8?q?a?= \t =?utf-8?q?b?=", "ab", NULL, NULL},
    {"=?utf-8?q?a?= x =?utf-8?q?b?= ", "a x b ", NULL, NULL},
    {"=?utf-8?b?W2VuY3I=?= =?utf-8?b?eXB0XQ==?=", "[encrypt]", NULL, NULL},
    {"=?utf-8?b?W2VuY3I=?= =?iso-8859-1?q?ypt=5D?=", "[encrypt]", NULL, NULL},
    /* A character cut in two. */
    {"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\ufffd\ufffd", "\u00fc", NULL},
    /* Padding that is not there: each word for itself, or base64 that goes on. */
    {"=?utf-8?b?YWI?=", NULL, "ab", NULL},
    {"=?utf-8?b?YW?= =?utf-8?b?Jj?=", NULL, "a&", "abc"},
    /* Glued to text, blanks in it, unknown, too long. */
    {"x=?utf-8?q?a?=y", NULL, "xay", NULL},
    {"=?utf-8?q?a?==?utf-8?q?b?=", NULL, "ab", NULL},
    {"=?utf-8?q?a b?=", NULL, "a b", NULL},
    {"=?x-none?q?ab=C3=BC?=", NULL, "ab\u00fc", NULL},
    {"=?x-none?q?ab=FC?=", NULL, "ab\u00fc", NULL},
    {"=?utf-8?q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?=",
     NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    /* None. */
    {"=?utf-8?q?a", NULL, NULL, NULL},
    {"=?utf-8?x?a?=", NULL, NULL, NULL},
    {"=??q?a?=", NULL, NULL, NULL},
    {"=?=?=?", NULL, NULL, NULL},
};

static void test_decode(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const Row *row = &ROWS[i];
        const char *strict = row->strict ? row->strict : row->value;
        const char *lax = row->lax ? row->lax : strict;
        g_autofree char *one = seal_words_decode(row->value, SEAL_READING_STRICT);
        g_autofree char *two = seal_words_decode(row->value, SEAL_READING_LAX);
        g_autofree char *three = seal_words_decode(row->value, SEAL_READING_JOINED);

        g_assert_cmpstr(one, ==, strict);
        g_assert_cmpstr(two, ==, lax);
        g_assert_cmpstr(three, ==, row->joined ? row->joined : lax);
    }
}

static void test_encode(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint n = 0; n < 400; n++) {
        g_autofree char *encoded = seal_words_encode(text->str, "\r\n");
        g_auto(GStrv) lines = g_strsplit(encoded, "\r\n", -1);

        g_assert_true(g_str_is_ascii(encoded));
        for (guint i = 0; lines[i]; i++)
            g_assert_cmpuint(strlen(lines[i]), <=, 998);
        for (guint i = 0; i < SEAL_READINGS; i++) {
            g_autofree char *unfolded = g_strjoinv("", lines);
            g_autofree char *back = seal_words_decode(unfolded, (SealReading)i);
            g_assert_cmpstr(back, ==, text->str);
        }
        g_string_append(text, n % 3 == 0 ? "\u00fc" : n % 3 == 1 ? "\U0001f600" : "=?");
        if (n == 0) /* nothing that ends a line is ever written as it is */
            g_string_assign(text, "a\r\n\nb\x01");
    }
}

/* What is not decoded in the time that its length needs would not end here. */
static void test_long(void)
{
    static const char *const units[] = {
        "=?", "=?a?q?", "=?utf-8?q?", "=?utf-8?b?=?=", "?=", "=?utf-8?q?a?= ", "=?utf-7?b?/?="};
    enum { SIZE = 1 << 20 };

    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autoptr(GString) value = g_string_new(NULL);

        while (value->len < SIZE)
            g_string_append(value, units[i]);
        for (guint end = 0; end < 2; end++) {
            for (guint n = 0; n < SEAL_READINGS; n++)
                g_free(seal_words_decode(value->str, (SealReading)n));
            g_string_append(value, "?=");
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/words/decode", test_decode);
    g_test_add_func("/words/encode", test_encode);
    g_test_add_func("/words/long", test_long);
    return g_test_run();
}
