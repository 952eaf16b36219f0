/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-due.c: when lists are fetched. An issuer that publishes ahead of time is asked once a day;
 * one that cannot be reached less and less often.
 */
#include "crl.h"

enum {
    MINUTE = 60,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
};

gint64 smime_due_after(gint64 from, gint64 until, gint64 fetched)
{
    gint64 span = until - from;

    if (from <= 0 || span <= 0)
        return fetched + DAY;
    gint64 due = MIN(from + span / 4 * 3, fetched + DAY);
    return MAX(due, fetched + CLAMP(span / 8, MINUTE, HOUR));
}

gint64 smime_due_again(guint failures, gint64 tried)
{
    gint64 pause = MINUTE;

    for (; failures > 1 && pause < HOUR; failures--)
        pause *= 2;
    return tried + MIN(pause, HOUR);
}
