/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dispatcher.h: what the steps of a message's way share.
 */
#pragma once

#include "core/pipeline/job.h"
#include "core/pipeline/keyring.h"
#include "core/pipeline/policy.h"
#include "core/plugin/module.h"

/** One name in the pipeline: a stage, or core's encrypt step bound to a format. */
typedef struct {
    const char *name;
    const SealStageEntry *stage;
    const SealFormatEntry *format;
} SealStep;

struct SealDispatcher {
    SealConfig *config;
    SealSettings *core;
    SealSettings *pipeline;
    SealRegistry *registry;
    SealPolicies *policies;
    SealKeyring *keyring;
    GArray *outbound; /* of SealStep */
};

/** The format of that name if it stands in the pipeline, else NULL. (borrowed) */
const SealFormatEntry *seal_dispatcher_step_format(const SealDispatcher *dispatcher,
                                                   const char *name);

/** SEAL_ERROR_DEADLINE once the job's time is over. */
gboolean seal_dispatcher_check_time(SealDispatcher *dispatcher, SealJob *job,
                                    GCancellable *cancellable, GError **error);

/** Looks at the message, gives each recipient its policy, asks every stage about it, and finds its
 * keys. A recipient about which a source could not find out is deferred, which is no error of the
 * job. */
gboolean seal_plan(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                   GError **error);

/** Says what would become of a message to each recipient alone, without one. For front ends that
 *  ask. What only the message can tell counts for the better. */
gboolean seal_plan_answer(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                          GError **error);

/** Groups recipients into deliveries, or settles them as refused. An error where the one output
 *  that a front end can take cannot be made for all. */
gboolean seal_group(SealDispatcher *dispatcher, SealJob *job, GCancellable *cancellable,
                    GError **error);

/** Takes @delivery through the pipeline: what it holds afterwards is for the gate to judge. */
gboolean seal_apply(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                    GCancellable *cancellable, GError **error);

/** Reads @entity, which @format has signed: SEAL_ERROR_GATE where it is not signed, or not by
 *  @signer alone. */
gboolean seal_gate_signature(SealJob *job, const SealFormatEntry *format, SealContent *entity,
                             const SealKey *signer, GCancellable *cancellable, GError **error);

/** Reads the final bytes of @delivery again and settles its recipients, or says with
 *  SEAL_ERROR_GATE why it may not leave. */
gboolean seal_gate(SealDispatcher *dispatcher, SealJob *job, SealDelivery *delivery,
                   GCancellable *cancellable, GError **error);
