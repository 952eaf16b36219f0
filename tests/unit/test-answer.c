/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-answer.c: what a client makes of a worker's records.
 */
#include "filters/client/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int pair[2];
    SealAnswer answer;
} Talk;

static void talk_begin(Talk *talk)
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, talk->pair), ==, 0);
    seal_answer_begin(&talk->answer, 1000);
}

static void talk_end(Talk *talk)
{
    seal_answer_clear(&talk->answer);
    close(talk->pair[0]);
    close(talk->pair[1]);
}

static bool say(Talk *talk, const char *text, size_t size, int file)
{
    bool ended;

    g_assert_true(seal_record_send(talk->pair[1], text, size, file));
    return seal_answer_read(&talk->answer, talk->pair[0], "the worker", &ended);
}

static void test_malformed(void)
{
    static const char *const records[] = {
        "X",   "A",           "A ",          "A x",         "A -1",     "A 86400001",
        "A1",  "E",           "E ",          "E x",         "E 256",    "E0",
        "F x", "F",           "T",           "Tx",          "N x",      "L",
        "L 0", "L 4 journal", "L x journal", "L 0 nowhere", "L 0 file", "L 0journal",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
        Talk talk;

        talk_begin(&talk);
        g_test_message("%s", records[i]);
        g_assert_false(say(&talk, records[i], strlen(records[i]), -1));
        g_assert_cmpstr(talk.answer.fault, ==, "the worker sent a malformed record");
        g_assert_cmpint(talk.answer.status, ==, -1);
        talk_end(&talk);
    }
}

/* One that is right by itself, behind one that it may not follow. */
static void test_order(void)
{
    static const char *const records[][2] = {
        {"E 0", "E 0"}, {"E 0", "A 5"}, {"E 75", "T x"}, {"N", "A 5"},
        {"N", "E 0"},   {"A 5", "N"},   {"T x", "T x"},  {"A 5", "L 0 journal"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
        Talk talk;

        talk_begin(&talk);
        g_test_message("%s, %s", records[i][0], records[i][1]);
        g_assert_true(say(&talk, records[i][0], strlen(records[i][0]), -1));
        g_assert_false(say(&talk, records[i][1], strlen(records[i][1]), -1));
        g_assert_cmpstr(talk.answer.fault, !=, "");
        talk_end(&talk);
    }
}

static void test_files(void)
{
    int file = memfd_create("result", MFD_CLOEXEC), ends[2];
    char long_text[SEAL_EXCHANGE_TEXT_MAX + 3];
    Talk talk;

    g_assert_cmpint(pipe(ends), ==, 0);
    memset(long_text, 'T', sizeof long_text);
    long_text[1] = ' ';
    talk_begin(&talk);
    g_assert_true(say(&talk, "F", 1, file));
    g_assert_false(say(&talk, "F", 1, file));
    talk_end(&talk);
    talk_begin(&talk);
    g_assert_false(say(&talk, "F", 1, ends[0]));
    talk_end(&talk);
    talk_begin(&talk);
    g_assert_false(say(&talk, "A 5", 3, file));
    talk_end(&talk);
    talk_begin(&talk);
    g_assert_false(say(&talk, long_text, sizeof long_text, -1));
    talk_end(&talk);
    talk_begin(&talk);
    g_assert_true(say(&talk, long_text, sizeof long_text - 1, -1));
    g_assert_true(say(&talk, "E 69", 4, -1));
    g_assert_cmpint(talk.answer.status, ==, 69);
    g_assert_cmpuint(talk.answer.text_size, ==, SEAL_EXCHANGE_TEXT_MAX);
    talk_end(&talk);
    close(file);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/answer/malformed", test_malformed);
    g_test_add_func("/answer/order", test_order);
    g_test_add_func("/answer/files", test_files);
    return g_test_run();
}
