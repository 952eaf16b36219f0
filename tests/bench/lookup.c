/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lookup.c: looks for keys as a message would, through the keyring.
 *
 *   lookup CONF COUNT   asks for u000000@example.org and so on, each twice. Prints in nanoseconds
 *                       how long the first took, connection and all; of the others the median and
 *                       the 99th percentile; and the median of the second time, when what was said
 *                       is remembered
 */
#include "core/frontend.h"

#include <stdlib.h>
#include <time.h>

static gint64 nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static gint64 ask_one(SealDispatcher *dispatcher, guint number)
{
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) error = NULL;
    gboolean found = FALSE;
    char address[32];

    g_snprintf(address, sizeof address, "u%06u@example.org", number);
    gint64 begun = nanoseconds();
    if (!seal_dispatcher_lookup_keys(dispatcher, address, out, &found, &error))
        g_error("%s: %s", address, error->message);
    gint64 took = nanoseconds() - begun;
    if (!found)
        g_error("%s: no key", address);
    return took;
}

static int compare(const void *a, const void *b)
{
    const gint64 one = *(const gint64 *)a, other = *(const gint64 *)b;

    return one < other ? -1 : one > other;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    guint count = argc == 3 ? (guint)atoi(argv[2]) : 0;

    if (count < 2)
        g_error("usage: lookup CONF COUNT, which is 2 at least");
    g_autoptr(SealDispatcher) dispatcher = seal_dispatcher_new(argv[1], NULL, &error);
    if (!dispatcher)
        g_error("%s", error->message);

    g_autofree gint64 *asked = g_new(gint64, count), *remembered = g_new(gint64, count);
    for (guint i = 0; i < count; i++)
        asked[i] = ask_one(dispatcher, i);
    for (guint i = 0; i < count; i++)
        remembered[i] = ask_one(dispatcher, i);
    qsort(asked + 1, count - 1, sizeof *asked, compare);
    qsort(remembered, count, sizeof *remembered, compare);
    g_print("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
            asked[0], asked[1 + (count - 1) / 2], asked[1 + (count - 1) * 99 / 100],
            remembered[count / 2]);
    return 0;
}
