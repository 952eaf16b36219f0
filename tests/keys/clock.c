/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clock.c: stands in for GLib's clock, by LD_PRELOAD: a second is as a minute.
 */
#include <glib.h>
#include <time.h>

gint64 g_get_monotonic_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000) * 60;
}
