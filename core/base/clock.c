/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/base/clock.h"

/* Of each message that is made, all passes over it together: far below what any machine does. */
#define OCTETS_A_SECOND (1024 * 1024)

/* One message at a time in a process. */
static struct {
    gboolean running;
    gint64 deadline; /* microseconds */
    gint64 started;
    gint64 moved; /* when something did */
    gint64 end;   /* of all */
    gint64 told;  /* when the listener was */
    void (*tell)(gint64 usec);
} the_clock;

void seal_clock_listen(void (*tell)(gint64 usec))
{
    the_clock.tell = tell;
}

/* Often enough for any deadline, and not with each octet. */
static void tell_listener(gint64 now, gboolean at_once)
{
    gint64 pause = MIN(G_TIME_SPAN_SECOND, the_clock.deadline / 8);
    gint64 left = MIN(the_clock.deadline, the_clock.end - now);

    if (!the_clock.tell || (!at_once && now - the_clock.told < pause))
        return;
    the_clock.told = now;
    the_clock.tell(MAX(left, 1000));
}

void seal_clock_begin(gint64 started, gint64 deadline)
{
    the_clock.running = TRUE;
    the_clock.deadline = deadline * G_TIME_SPAN_SECOND;
    the_clock.started = the_clock.moved = started;
    the_clock.end = started + the_clock.deadline;
    tell_listener(started, TRUE);
}

void seal_clock_allow(guint64 octets)
{
    the_clock.end += (gint64)(octets / OCTETS_A_SECOND) * G_TIME_SPAN_SECOND;
}

void seal_clock_move(void)
{
    if (!the_clock.running)
        return;
    the_clock.moved = g_get_monotonic_time();
    if (the_clock.moved < the_clock.end)
        tell_listener(the_clock.moved, FALSE);
}

gboolean seal_clock_check(GError **error)
{
    gint64 now = g_get_monotonic_time();

    if (!the_clock.running)
        return TRUE;
    if (now > the_clock.end)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_DEADLINE,
                    "it was not done within %" G_GINT64_FORMAT
                    " s, what its size adds among them; see [core] deadline",
                    (the_clock.end - the_clock.started) / G_TIME_SPAN_SECOND);
    else if (now - the_clock.moved > the_clock.deadline)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_DEADLINE,
                    "it made no progress within %" G_GINT64_FORMAT " s; see [core] deadline",
                    the_clock.deadline / G_TIME_SPAN_SECOND);
    else
        return TRUE;
    return FALSE;
}

void seal_clock_end(void)
{
    the_clock.running = FALSE;
}
