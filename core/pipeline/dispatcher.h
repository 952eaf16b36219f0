/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dispatcher.h: what a process needs to handle mail, opened once.
 */
#pragma once

#include "core/pipeline/pipeline.h"
#include "core/plugin/kept.h"

struct SealDispatcher {
    SealService *service; /* borrowed */
    SealService *own;     /* the same where nobody else has it, or NULL */
    SealConfig *config;
    SealSettings *core; /* the group [core] */
    SealRegistry *registry;
    SealPipeline *outbound;
    SealKept *kept;     /* NULL where private keys are in this process */
    const char *tended; /* borrowed while all is opened */
};
