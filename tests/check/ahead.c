/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ahead.c: stands in for GLib's clock, by LD_PRELOAD: it is AHEAD days later than it is.
 */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

gint64 g_get_real_time(void)
{
    static gint64 days = -1;
    struct timespec now;

    if (days < 0)
        days = atoll(getenv("AHEAD"));
    clock_gettime(CLOCK_REALTIME, &now);
    return ((gint64)now.tv_sec + days * 86400) * G_USEC_PER_SEC + now.tv_nsec / 1000;
}
