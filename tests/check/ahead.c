/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ahead.c: stands in for GLib's clock, by LD_PRELOAD: it is AHEAD seconds later than it is.
 */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

gint64 g_get_real_time(void)
{
    static gint64 seconds = -1;
    struct timespec now;

    if (seconds < 0)
        seconds = atoll(getenv("AHEAD"));
    clock_gettime(CLOCK_REALTIME, &now);
    return ((gint64)now.tv_sec + seconds) * G_USEC_PER_SEC + now.tv_nsec / 1000;
}
