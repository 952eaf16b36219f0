/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-text.c: base64, hexadecimal, days, lines, values of the log and files.
 */
#include "core/base/log.h"
#include "core/sealpipe.h"

#include <glib/gstdio.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------
 * Base64
 */

/* What @text decodes to in pieces of @step characters; NULL where it is refused. */
static char *decode(const char *text, gsize step, gboolean blanks)
{
    SealBase64 state = {.may_have_blanks = blanks};
    g_autoptr(GString) whole = g_string_new(NULL);
    gsize length = strlen(text);

    for (gsize at = 0; at < length; at += step) {
        guint8 out[64];
        gsize got = 0;

        if (!seal_base64_decode(&state, text + at, MIN(step, length - at), out, &got))
            return NULL;
        g_string_append_len(whole, (const char *)out, (gssize)got);
    }
    return seal_base64_is_complete(&state) ? g_string_free(g_steal_pointer(&whole), FALSE) : NULL;
}

/* The vectors of RFC 4648 10. */
static void test_base64_vectors(void)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        char out[16];
        gsize size = seal_base64_encode((const guint8 *)rows[i][0], strlen(rows[i][0]), out);

        g_assert_cmpmem(out, size, rows[i][1], strlen(rows[i][1]));
        for (gsize step = 1; step <= 9; step++) {
            g_autofree char *back = decode(rows[i][1], step, FALSE);
            g_assert_cmpstr(back, ==, rows[i][0]);
        }
    }
}

static void test_base64_refused(void)
{
    static const char *const rows[] = {
        "Zg", /* breaks off */
        "Zg=",      "Z===",        "Zg===", "====",
        "=",        "Zm9vY",       "Zh==",            /* bits that encode nothing */
        "Zm9=",     "Zg==Zg==",    "Zg=Z",  "Zg==ZZ", /* text behind the padding */
        "Zm9v-_==", "Zm\xc3\xb6v", "Zm9v!",
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (gsize step = 1; step <= 9; step++) {
            g_test_message("%s by %" G_GSIZE_FORMAT, rows[i], step);
            g_assert_null(decode(rows[i], step, FALSE));
            g_assert_null(decode(rows[i], step, TRUE));
        }
    }
}

static void test_base64_blanks(void)
{
    for (gsize step = 1; step <= 9; step++) {
        g_autofree char *text = decode(" Zm9v\r\n\tYm Fy\n", step, TRUE);

        g_assert_cmpstr(text, ==, "foobar");
        g_assert_null(decode("Zm9v YmFy", step, FALSE));
        g_assert_null(decode("Zm9vYmFy\n", step, FALSE));
    }
}

/* Every octet, in every place of a quantum, as GLib writes it. */
static void test_base64_octets(void)
{
    guint8 data[3 * 256];
    char out[4 * 256];
    guint8 back[sizeof data + 3];
    SealBase64 state = {0};
    gsize got = 0;

    for (guint i = 0; i < sizeof data; i++)
        data[i] = (guint8)(i * 7 + i / 256);
    g_autofree char *want = g_base64_encode(data, sizeof data);
    g_assert_cmpuint(seal_base64_encode(data, sizeof data, out), ==, sizeof out);
    g_assert_cmpmem(out, sizeof out, want, strlen(want));
    g_assert_true(seal_base64_decode(&state, out, sizeof out, back, &got));
    g_assert_cmpmem(back, got, data, sizeof data);
}

/* A decoder as plain as can be: one character after the other. What it returns and writes is what
 * the fast one is to. */
static gboolean decode_plainly(SealBase64 *state, const char *text, gsize length, guint8 *out,
                               gsize *put)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    *put = 0;
    for (gsize i = 0; i < length; i++) {
        const char *letter = memchr(alphabet, text[i], 64);

        if (memchr(" \t\r\n", text[i], 4)) {
            if (!state->may_have_blanks)
                return FALSE;
        } else if (text[i] == '=') {
            state->pads++;
            if (state->have < 2 || state->have + state->pads > 4)
                return FALSE;
            if (state->have + state->pads < 4)
                continue;
            if (state->have == 2 ? state->bits & 15 : state->bits & 3)
                return FALSE;
            if (state->have == 2) {
                out[(*put)++] = (guint8)(state->bits >> 4);
            } else {
                out[(*put)++] = (guint8)(state->bits >> 10);
                out[(*put)++] = (guint8)(state->bits >> 2);
            }
        } else if (!letter || state->pads > 0) {
            return FALSE;
        } else {
            state->bits = state->bits << 6 | (guint32)(letter - alphabet);
            if (++state->have < 4)
                continue;
            for (int shift = 16; shift >= 0; shift -= 8)
                out[(*put)++] = (guint8)(state->bits >> shift);
            state->bits = state->have = 0;
        }
    }
    return TRUE;
}

/* What stands in @text: letters, with something else at random places, from hardly ever to mostly.
 */
static void fill_text(GRand *rand, char *text, gsize length)
{
    static const char some[] = "AZaz09+/";
    static const char blanks[] = "\n\n\n\r \t";
    guint letters = (guint)g_rand_int_range(rand, 1, 400);
    gboolean hostile = g_rand_boolean(rand);

    for (gsize i = 0; i < length; i++) {
        if (g_rand_int_range(rand, 0, (gint32)letters + 1) > 0)
            text[i] = some[g_rand_int_range(rand, 0, 8)];
        else if (hostile)
            text[i] = g_rand_boolean(rand) ? '=' : (char)g_rand_int_range(rand, 0, 256);
        else
            text[i] = blanks[g_rand_int_range(rand, 0, 6)];
    }
    for (gsize pads = (gsize)g_rand_int_range(rand, 0, 4); pads > 0 && pads < length; pads--)
        text[length - pads] = '=';
}

/* The same verdict, octets, and state, in pieces of any size, each at any alignment. */
static void compare_decoders(GRand *rand, const char *text, gsize length, gboolean blanks)
{
    SealBase64 fast = {.may_have_blanks = blanks}, plain = fast;
    gboolean ok = TRUE;

    for (gsize at = 0, step; ok && at < length; at += step) {
        guint8 out[2][1024];
        gsize put[2];

        step = (gsize)g_rand_int_range(rand, 1, 600);
        step = MIN(step, length - at);
        memset(out, 0, sizeof out);
        ok = decode_plainly(&plain, text + at, step, out[0], &put[0]);
        g_assert_cmpint(seal_base64_decode(&fast, text + at, step, out[1], &put[1]), ==, ok);
        g_assert_cmpmem(out[1], put[1], out[0], put[0]);
        if (ok)
            g_assert_cmpint(seal_base64_is_complete(&fast), ==,
                            plain.have == 0 || plain.have + plain.pads == 4);
    }
}

static void test_base64_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)g_test_rand_int());

    for (guint i = 0; i < 30000; i++) {
        char text[1000];
        gsize length = (gsize)g_rand_int_range(rand, 0, i % 8 ? 40 : sizeof text);

        fill_text(rand, text, length);
        compare_decoders(rand, text, length, i & 1);
    }
}

/* Every pair of octets, at both places of a quantum. */
static void test_base64_pairs(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (guint pair = 0; pair < 65536; pair++) {
        char text[] = {(char)pair, (char)(pair >> 8), 'Q', 'R',
                       (char)pair, (char)(pair >> 8), '=', '='};

        for (gsize at = 0; at <= 4; at += 2) {
            compare_decoders(rand, text + at, sizeof text - at, FALSE);
            compare_decoders(rand, text + at, sizeof text - at, TRUE);
        }
    }
}

/* -------------------------------------------------------------------------------------------
 * Text
 */

static void test_hex(void)
{
    g_autofree char *none = seal_text_hex("", 0);
    g_autofree char *some = seal_text_hex("\x00\x7f\xa0\xff", 4);

    g_assert_cmpstr(none, ==, "");
    g_assert_cmpstr(some, ==, "007fa0ff");
}

static void test_line(void)
{
    static const struct {
        const char *text;
        gsize max;
        const char *want;
    } rows[] = {
        {"J\xc3\xb6rg", 100, "J\xc3\xb6rg"},
        {"a\nb\tc\x1b[1m", 100, "a?b?c?[1m"},
        {"\xe2\x80\xae"
         "evil",
         100, "?evil"}, /* right to left from here on */
        {"a\xe2\x80\xa8"
         "b\xe2\x80\xa9"
         "c\xc2\x85"
         "d",
         100, "a?b?c?d"}, /* lines of Unicode */
        {"abcdef", 3, "abc..."},
        {"", 3, ""},
        {"\xff", 100, "\xef\xbf\xbd"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *line = seal_text_line(rows[i].text, strlen(rows[i].text), rows[i].max);
        g_assert_cmpstr(line, ==, rows[i].want);
    }
}

/* No reader takes what came from outside for a line of its own, or for the other way round. */
static void test_log_value(void)
{
    static const char *const rows[][2] = {
        {"plain", "name=plain"},
        {"J\xc3\xb6rg", "name=\"J\xc3\xb6rg\""},
        {"a\nb", "name=\"a\\u000ab\""},
        {"a\xc2\x85z", "name=\"a\\u0085z\""},
        {"a\xe2\x80\xa8z", "name=\"a\\u2028z\""},
        {"a\xe2\x80\xa9z", "name=\"a\\u2029z\""},
        {"a\xe2\x80\x8ez", "name=\"a\\u200ez\""}, /* marks, embeddings, isolates */
        {"a\xe2\x80\xaaz", "name=\"a\\u202az\""},
        {"a\xe2\x80\xaez", "name=\"a\\u202ez\""},
        {"a\xe2\x81\xa6z", "name=\"a\\u2066z\""},
        {"a\xe2\x81\xa9z", "name=\"a\\u2069z\""},
        {"a\xd8\x9cz", "name=\"a\\u061cz\""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealLogLine) line = seal_log_line_new(SEAL_LOG_RESULT);

        seal_log_put(line, "name", rows[i][0]);
        g_assert_cmpstr(seal_log_line_text(line), ==, rows[i][1]);
    }
}

static void test_days(void)
{
    static const char *const bad[] = {"",           "2026-2-01",   "2026-02-30", "2026-13-01",
                                      "1969-12-31", "2026-02-011", "20260201",   "2026-02-0x",
                                      " 026-02-01", "+026-02-01"};
    g_autofree char *first = seal_text_day(0);
    g_autofree char *last = seal_text_day(G_MAXINT64);
    g_autofree char *beyond = seal_text_day(G_MAXINT64 - 1);
    gint64 day = -1;

    g_assert_cmpstr(first, ==, "1970-01-01");
    g_assert_cmpstr(last, ==, "never");
    g_assert_cmpstr(beyond, ==, "a date that cannot be written");
    g_assert_true(seal_text_parse_day("2026-02-28", &day));
    g_assert_cmpint(day, ==, 1772236800);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        day = -1;
        g_assert_false(seal_text_parse_day(bad[i], &day));
        g_assert_cmpint(day, ==, -1);
    }
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

static void test_files(void)
{
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autofree char *missing = g_build_filename(dir, "none", "file", NULL);
    g_autoptr(GError) large = NULL, absent = NULL, folder = NULL;
    GStatBuf st;

    g_assert_true(seal_file_save(path, "first", 5, 0600, NULL));
    g_assert_true(seal_file_save(path, "second", 6, 0640, NULL));
    g_autoptr(GBytes) bytes = seal_file_read(path, 6, NULL);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "second", 6);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 0777, ==, 0640);

    g_assert_null(seal_file_read(path, 5, &large));
    g_assert_error(large, SEAL_ERROR, SEAL_ERROR_LIMIT);
    g_assert_false(seal_file_save(missing, "x", 1, 0600, &absent));
    g_assert_error(absent, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    /* What could not take its place is not left behind. */
    g_assert_false(seal_file_save(dir, "x", 1, 0600, &folder));
    g_assert_error(folder, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base64/vectors", test_base64_vectors);
    g_test_add_func("/base64/refused", test_base64_refused);
    g_test_add_func("/base64/blanks", test_base64_blanks);
    g_test_add_func("/base64/octets", test_base64_octets);
    g_test_add_func("/base64/random", test_base64_random);
    g_test_add_func("/base64/pairs", test_base64_pairs);
    g_test_add_func("/text/hex", test_hex);
    g_test_add_func("/text/line", test_line);
    g_test_add_func("/text/log-value", test_log_value);
    g_test_add_func("/text/days", test_days);
    g_test_add_func("/files/read-and-save", test_files);
    return g_test_run();
}
