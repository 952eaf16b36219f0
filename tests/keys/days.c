/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * days.c: stands in for GLib's clock, by LD_PRELOAD: it is as many days later as SEALPIPE_TEST_DAYS
 * says.
 */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

gint64 g_get_real_time(void)
{
    struct timespec now;
    const char *days = getenv("SEALPIPE_TEST_DAYS");

    clock_gettime(CLOCK_REALTIME, &now);
    return ((gint64)now.tv_sec + (days ? strtoll(days, NULL, 10) : 0) * 86400) * G_USEC_PER_SEC +
           now.tv_nsec / 1000;
}
