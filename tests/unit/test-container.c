/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the client of sealpipe-pipe believes of the runner's file: all of it, or nothing.
 */
#include "filters/pipe/container.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Two deliveries of 5 and 3 octets; c is refused, d deferred. */
static const char *const GOOD[] = {
    "/state",
    "ID1",
    "s@example.org",
    "/usr/sbin/sendmail",
    "4",
    "a@x",
    "sent",
    "",
    "",
    "b@x",
    "sent",
    "",
    "",
    "c@x",
    "refused",
    "5.7.1",
    "no key",
    "d@x",
    "deferred",
    "",
    "later",
    "2",
    "5",
    "1",
    "1",
    KEY,
    "3",
    "1",
    "0",
    KEY,
    "end",
};
#define N_GOOD G_N_ELEMENTS(GOOD)
#define OCTETS "first2nd"

static GByteArray *index_of(const char *const *texts, gsize count)
{
    GByteArray *index = g_byte_array_new();

    for (gsize i = 0; i < count; i++)
        g_byte_array_append(index, (const guint8 *)texts[i], (guint)strlen(texts[i]) + 1);
    return index;
}

static GByteArray *file_of(const char *octets, const GByteArray *index)
{
    GByteArray *file = g_byte_array_new();
    g_autofree char *trailer = g_strdup_printf("%016zx %016zx %s\n", strlen(octets),
                                               (gsize)index->len, SEAL_CONTAINER_MARK);

    g_byte_array_append(file, (const guint8 *)octets, (guint)strlen(octets));
    g_byte_array_append(file, index->data, index->len);
    g_byte_array_append(file, (const guint8 *)trailer, (guint)strlen(trailer));
    return file;
}

static gboolean read_octets(SealContainer *container, const void *octets, gsize size,
                            const char **why)
{
    int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, octets, size), ==, (gssize)size);
    gboolean ok = seal_container_read(container, fd, why);
    close(fd);
    return ok;
}

/* Whether a container of these texts and octets is believed. */
static gboolean believed(const char *octets, const char *const *texts, gsize count)
{
    g_autoptr(GByteArray) index = index_of(texts, count);
    g_autoptr(GByteArray) file = file_of(octets, index);
    SealContainer container;
    const char *why = NULL;
    gboolean ok = read_octets(&container, file->data, file->len, &why);

    g_assert_nonnull(why);
    seal_container_clear(&container);
    return ok;
}

static void test_good(void)
{
    g_autoptr(GByteArray) index = index_of(GOOD, N_GOOD);
    g_autoptr(GByteArray) file = file_of(OCTETS, index);
    SealContainer container;
    const char *why;

    g_assert_true(read_octets(&container, file->data, file->len, &why));
    g_assert_cmpstr(container.state_dir, ==, "/state");
    g_assert_cmpstr(container.id, ==, "ID1");
    g_assert_cmpstr(container.sender, ==, "s@example.org");
    g_assert_cmpstr(container.sendmail, ==, "/usr/sbin/sendmail");
    g_assert_cmpuint(container.n_recipients, ==, 4);
    g_assert_cmpint(container.recipients[2].result, ==, SEAL_CONTAINER_REFUSED);
    g_assert_cmpstr(container.recipients[2].code, ==, "5.7.1");
    g_assert_cmpint(container.recipients[3].result, ==, SEAL_CONTAINER_DEFERRED);
    g_assert_cmpstr(container.recipients[3].reason, ==, "later");
    g_assert_cmpuint(container.n_deliveries, ==, 2);
    g_assert_cmpuint(container.deliveries[0].end, ==, 5);
    g_assert_cmpuint(container.deliveries[1].start, ==, 5);
    g_assert_cmpuint(container.deliveries[1].end, ==, 8);
    g_assert_cmpstr(container.deliveries[0].recipients[0]->address, ==, "b@x");
    g_assert_cmpstr(container.deliveries[1].recipients[0]->address, ==, "a@x");
    g_assert_cmpstr(container.deliveries[1].recipients[0]->key, ==, KEY);
    seal_container_clear(&container);
}

static void test_cut(void)
{
    g_autoptr(GByteArray) index = index_of(GOOD, N_GOOD);
    g_autoptr(GByteArray) file = file_of(OCTETS, index);

    for (guint size = 0; size < file->len; size++) {
        SealContainer container;
        const char *why;

        g_assert_false(read_octets(&container, file->data, size, &why));
        seal_container_clear(&container);
        /* From the front, likewise. */
        g_assert_false(read_octets(&container, file->data + size + 1, file->len - size - 1, &why));
        seal_container_clear(&container);
    }
}

static void test_longer(void)
{
    g_autoptr(GByteArray) index = index_of(GOOD, N_GOOD);
    g_autoptr(GByteArray) file = file_of(OCTETS, index);
    SealContainer container;
    const char *why;

    g_byte_array_append(file, (const guint8 *)"\n", 1);
    g_assert_false(read_octets(&container, file->data, file->len, &why));
    seal_container_clear(&container);

    g_assert_false(believed(OCTETS "x", GOOD, N_GOOD));
    g_assert_false(believed("first2n", GOOD, N_GOOD));
    g_assert_false(believed("", GOOD, N_GOOD));
}

/* Every octet of index and trailer spoilt in turn: never a crash, and the deliveries are either as
 * they were or not believed. */
static void test_spoilt(void)
{
    g_autoptr(GByteArray) index = index_of(GOOD, N_GOOD);
    g_autoptr(GByteArray) file = file_of(OCTETS, index);

    for (guint i = strlen(OCTETS); i < file->len; i++) {
        guint8 was = file->data[i];

        for (guint n = 0; n < 4; n++) {
            SealContainer container;
            const char *why;

            file->data[i] = (guint8[]){0, '9', 0xff, (guint8)(was ^ 1)}[n];
            if (read_octets(&container, file->data, file->len, &why)) {
                g_assert_cmpuint(container.n_deliveries, ==, 2);
                g_assert_cmpuint(container.deliveries[1].end, ==, strlen(OCTETS));
            }
            seal_container_clear(&container);
        }
        file->data[i] = was;
    }
}

static void test_texts(void)
{
    static const struct {
        guint at;
        const char *text;
    } wrong[] = {
        {4, "3"},
        {4, "5"},
        {4, "0"},
        {4, ""},
        {4, "-1"},
        {4, "+4"},
        {4, " 4"},
        {4, "4 "},
        {4, "0x4"},
        {4, "99999"},
        {4, "99999999999999999999999"},
        {5, ""},
        {5, "a\n@x"},
        {5, "a\x7f@x"},
        {6, "refused"},
        {6, "deferred"},
        {6, "Sent"},
        {6, ""},
        {14, "sent"},
        {18, "sent"},
        {21, "1"},
        {21, "3"},
        {21, "0"},
        {22, "0"},
        {22, "8"},
        {22, "4"},
        {22, "18446744073709551611"},
        {23, "0"},
        {23, "2"},
        {23, "5"},
        {24, "0"},
        {24, "2"},
        {24, "3"},
        {24, "4"},
        {25, "0123"},
        {26, "0"},
        {26, "4"},
        {27, "2"},
        {28, "1"},
        {29, KEY "0"},
        {30, "End"},
        {30, ""},
        {29, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"},
        {7, "5.7.1"},
        {15, ""},
        {15, "4.3.0"},
        {15, "5.7.1 "},
        {15, "5.7."},
        {15, "5.x.1"},
        {15, "5\n7.1"},
        {19, "4.3.0"},
    };

    g_assert_true(believed(OCTETS, GOOD, N_GOOD));
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        const char *texts[N_GOOD];

        memcpy((gpointer)texts, GOOD, sizeof texts);
        texts[wrong[i].at] = wrong[i].text;
        if (believed(OCTETS, texts, N_GOOD))
            g_error("believed: text %u as \"%s\"", wrong[i].at, wrong[i].text);
    }
}

static void test_count(void)
{
    const char *more[N_GOOD + 1];

    for (gsize count = 0; count < N_GOOD; count++)
        g_assert_false(believed(OCTETS, GOOD, count));
    memcpy((gpointer)more, GOOD, sizeof GOOD);
    more[N_GOOD] = "";
    g_assert_false(believed(OCTETS, more, N_GOOD + 1));
}

static void test_no_file(void)
{
    SealContainer container;
    const char *why;
    int fds[2];

    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    g_assert_false(seal_container_read(&container, fds[0], &why));
    seal_container_clear(&container);
    close(fds[0]);
    close(fds[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/container/good", test_good);
    g_test_add_func("/container/cut", test_cut);
    g_test_add_func("/container/longer", test_longer);
    g_test_add_func("/container/spoilt", test_spoilt);
    g_test_add_func("/container/texts", test_texts);
    g_test_add_func("/container/count", test_count);
    g_test_add_func("/container/no-file", test_no_file);
    return g_test_run();
}
