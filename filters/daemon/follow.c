/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/daemon/follow.h"

enum {
    LOOK_MS = 1000,
    SHARE = 50, /* of the time at most that looking may take */
    /* Another try, where what there is now did not work, and does not seem to have changed: a file
     * that was being written is in no index yet. */
    LEAST_AGAIN_MS = 1000,
    MOST_AGAIN_MS = 60000,
};

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

void daemon_follow_begin(DaemonFollow *self)
{
    *self = (DaemonFollow){.next = now_ms() + LOOK_MS};
}

static void look_at_files(DaemonFollow *self, const SealDispatcher *dispatcher)
{
    gint64 begun = now_ms();

    /* Workers could not open another log: a new generation has it from its start. */
    self->changed = seal_dispatcher_look(dispatcher, &self->sum) || seal_log_is_behind();
    self->next = now_ms() + MAX(LOOK_MS, (now_ms() - begun) * SHARE);
}

/* At once of each state that things are in: if one does not work, the next one may. */
gboolean daemon_follow_look(DaemonFollow *self, const SealDispatcher *dispatcher)
{
    guint64 sum;

    if (self->next <= now_ms())
        look_at_files(self, dispatcher);
    if (!self->changed && !self->kept_sum && !self->worn)
        return FALSE;
    sum = self->sum ^ self->kept_sum;
    if (!self->told || self->told_sum != sum)
        self->pause = 0;
    else if (now_ms() < self->told_at + self->pause)
        return FALSE;
    self->pause = CLAMP(self->pause * 2, LEAST_AGAIN_MS, MOST_AGAIN_MS);
    self->told = TRUE;
    self->told_sum = sum;
    self->told_at = now_ms();
    return TRUE;
}
