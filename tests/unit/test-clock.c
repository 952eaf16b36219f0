/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-clock.c: what ends a message's time, and what the listener hears of it.
 */
#include "core/base/clock.h"

#include "core/base/content.h"
#include "core/base/spool.h"

#include <string.h>

#define SECOND G_TIME_SPAN_SECOND

static gint64 heard; /* the last of it */
static guint times;

static void hear(gint64 usec)
{
    heard = usec;
    times++;
}

static gboolean is_over(const char **why)
{
    static char text[200];
    g_autoptr(GError) error = NULL;

    if (seal_clock_check(&error))
        return FALSE;
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_DEADLINE);
    g_strlcpy(text, error->message, sizeof text);
    *why = text;
    return TRUE;
}

/* Begun @ago seconds ago, with a deadline of 100. */
static void begin(gint64 ago, guint64 mib)
{
    seal_clock_begin(g_get_monotonic_time() - ago * SECOND, 100);
    seal_clock_allow(mib * 1024 * 1024);
}

static void test_over(void)
{
    const char *why = NULL;

    g_assert_false(is_over(&why));
    begin(99, 0);
    g_assert_false(is_over(&why));
    begin(101, 0);
    g_assert_true(is_over(&why));
    /* Progress takes the one limit away, and never the other. */
    begin(101, 1000);
    g_assert_true(is_over(&why));
    g_assert_nonnull(strstr(why, "no progress within 100 s"));
    seal_clock_move();
    g_assert_false(is_over(&why));
    begin(1101, 1000);
    seal_clock_move();
    g_assert_true(is_over(&why));
    g_assert_nonnull(strstr(why, "not done within 1100 s"));
    seal_clock_end();
    g_assert_false(is_over(&why));
}

static void test_listener(void)
{
    seal_clock_listen(hear);
    begin(0, 1000);
    g_assert_cmpint(heard, ==, 100 * SECOND);
    g_assert_cmpuint(times, ==, 1);
    /* Not with each octet. */
    for (guint i = 0; i < 1000; i++)
        seal_clock_move();
    g_assert_cmpuint(times, <, 10);
    /* No more than what is left of all. */
    begin(1050, 1000);
    times = 0;
    seal_clock_move();
    g_assert_cmpuint(times, ==, 1);
    g_assert_cmpint(heard, <=, 50 * SECOND);
    g_assert_cmpint(heard, >, 0);
    /* Then nothing more is granted. */
    begin(1101, 1000);
    times = 0;
    seal_clock_move();
    g_assert_cmpuint(times, ==, 0);
    seal_clock_end();
    seal_clock_move();
    g_assert_cmpuint(times, ==, 0);
    seal_clock_listen(NULL);
}

/* Reading content and writing it is what moves. */
static void test_content(void)
{
    g_autoptr(SealContent) content = seal_content_new_copy("octets", 6);
    const char *why = NULL;
    char octet;

    begin(101, 1000);
    g_assert_true(is_over(&why));
    g_assert_cmpint(seal_content_pread(content, 6, &octet, 1, NULL), ==, 0);
    g_assert_true(is_over(&why));
    g_assert_cmpint(seal_content_pread(content, 5, &octet, 1, NULL), ==, 1);
    g_assert_false(is_over(&why));
    begin(101, 1000);
    g_autoptr(GOutputStream) spool = seal_spool_open(g_get_tmp_dir(), 2);
    g_assert_true(g_output_stream_write_all(spool, "more", 4, NULL, NULL, NULL));
    g_assert_false(is_over(&why));
    seal_clock_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/over", test_over);
    g_test_add_func("/clock/listener", test_listener);
    g_test_add_func("/clock/content", test_content);
    return g_test_run();
}
