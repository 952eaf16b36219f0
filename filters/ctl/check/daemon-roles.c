/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * daemon-roles.c: what each process of the daemon is there for, by whose child it is.
 */
#include "filters/ctl/check/daemon.h"

#include <string.h>

enum { MAX_DEPTH = 4 /* of its processes below each other */ };

/* By the names that filters/daemon gives them. */
static const char *const names[][2] = {
    {"sealpiped-work", "a worker"},
    {"sealpiped-keep", "the keeper"},
    {"sealpiped-tend", "what tends to the private keys of gpg"},
    {"sealpiped-fetch", "what fetches lists of revocations"},
};

/* Of a child of the generation's. An older daemon's have no names of their own. */
static const char *role_of_child(const CheckProcess *child)
{
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(child->name, names[i][0]))
            return names[i][1];
    }
    return child->group == child->pid ? "a worker" : "the keeper";
}

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
            return role_of_child(above);
        above = daemon_process(self, above->parent);
    }
    return NULL;
}
