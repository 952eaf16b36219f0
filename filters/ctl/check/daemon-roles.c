/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon-roles.c: what each process of the daemon is there for, by whose child it is.
 */
#include "filters/ctl/check/daemon.h"

enum { MAX_DEPTH = 4 /* of its processes below each other */ };

const CheckProcess *daemon_process(const CheckDaemon *self, pid_t pid)
{
    for (guint i = 0; i < self->processes->len; i++) {
        const CheckProcess *process = &g_array_index(self->processes, CheckProcess, i);

        if (process->pid == pid)
            return process;
    }
    return NULL;
}

const char *daemon_role(const CheckDaemon *self, const CheckProcess *process)
{
    const CheckProcess *above = process;

    if (process->pid == self->listener && process->pid != 1)
        return "the daemon itself";
    if (!self->generation)
        return NULL;
    if (process->pid == self->generation->parent)
        return "the daemon itself";
    if (process->pid == self->generation->pid)
        return "what starts the workers";
    for (guint depth = 0; above && depth < MAX_DEPTH; depth++) {
        if (above->parent == self->generation->pid)
            return above->group == above->pid ? "a worker" : "the keeper";
        above = daemon_process(self, above->parent);
    }
    return NULL;
}
