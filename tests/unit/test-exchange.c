/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-exchange.c: records between a client and a worker.
 */
#include "filters/client/exchange.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 60000, MOST_S = 2, STOP = 1 << 30 };

static void make_pair(int pair[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), ==, 0);
}

static ssize_t receive(int socket, char *text, size_t size)
{
    int file;

    return seal_record_receive(socket, text, size, &file, 1);
}

static void test_end(void)
{
    char text[8];
    int pair[2];

    make_pair(pair);
    g_assert_cmpint(receive(pair[0], text, sizeof text), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_true(seal_record_send(pair[1], "E 0", 3, -1));
    close(pair[1]);
    g_assert_cmpint(receive(pair[0], text, sizeof text), ==, 3);
    g_assert_cmpint(receive(pair[0], text, sizeof text), ==, 0);
    close(pair[0]);
}

/* The lowest number that is free. */
static int next_file(void)
{
    int file = dup(STDIN_FILENO);

    close(file);
    return file;
}

/* What comes with a record that is refused is closed. */
static void test_files_alone(void)
{
    char text[8];
    int pair[2];

    make_pair(pair);
    int free = next_file();
    for (guint i = 0; i < 3; i++) {
        g_assert_true(seal_record_send(pair[1], "", 0, pair[1]));
        g_assert_true(seal_record_send(pair[1], "E 0", 3, -1));
        g_assert_cmpint(receive(pair[0], text, sizeof text), ==, -1);
        g_assert_cmpint(errno, ==, EPROTO);
        g_assert_cmpint(receive(pair[0], text, sizeof text), ==, 3);
    }
    g_assert_cmpint(next_file(), ==, free);
    close(pair[0]);
    close(pair[1]);
}

/* Says the last word, and has gone. */
static gpointer end_all(gpointer data)
{
    gint *next = data;

    for (;;) {
        int socket;

        while ((socket = g_atomic_int_get(next)) < 0)
            ;
        if (socket == STOP)
            return NULL;
        g_atomic_int_set(next, -1);
        seal_record_send(socket, "E 0", 3, -1);
        close(socket);
    }
}

/* Whoever looks just then has it all the same: the kernel alone would say now and then that there
 * is nothing. */
static void test_last_word(void)
{
    gint64 end = g_get_monotonic_time() + MOST_S * G_TIME_SPAN_SECOND;
    gint next = -1;
    GThread *other = g_thread_new("other", end_all, &next);

    /* One processor alone takes longer over a round. */
    for (guint i = 0; i < ROUNDS && g_get_monotonic_time() < end; i++) {
        char text[8];
        ssize_t got;
        int pair[2];

        make_pair(pair);
        g_atomic_int_set(&next, pair[1]);
        do
            got = receive(pair[0], text, sizeof text);
        while (got < 0 && errno == EAGAIN);
        g_assert_cmpint(got, ==, 3);
        close(pair[0]);
    }
    g_atomic_int_set(&next, STOP);
    g_thread_join(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exchange/end", test_end);
    g_test_add_func("/exchange/files-alone", test_files_alone);
    g_test_add_func("/exchange/last-word", test_last_word);
    return g_test_run();
}
