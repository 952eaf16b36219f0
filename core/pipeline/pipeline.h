/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pipeline.h: what a message passes, ready for use: a value that the steps of its way take.
 */
#pragma once

#include "core/pipeline/job.h"
#include "core/pipeline/keyring.h"
#include "core/pipeline/policies.h"
#include "core/plugin/registry.h"

/** One name in the pipeline: a stage, or core's encrypt step bound to a format. */
typedef struct {
    const char *name;
    const SealStageEntry *stage;
    const SealFormatEntry *format;
} SealStep;

typedef struct {
    const SealRegistry *registry;
    SealSettings *settings; /* the group [pipeline], which owns the names */
    GArray *steps;          /* of SealStep */
    GPtrArray *warnings;    /* of char *: what the operator may not have meant */
    SealPolicies *policies;
    SealKeyring *keyring;
    const char *spool_dir;
    gsize spool_memory;
    gint64 deadline;    /* seconds */
    guint64 size_limit; /* octets of what leaves; 0: any */
} SealPipeline;

/** The pipeline of outbound mail: [pipeline], [policy], rules and [keyring] of @config. @core is
 * the group [core]; it and @registry outlive the pipeline. SEAL_ERROR_CONFIG. (transfer full) */
SealPipeline *seal_pipeline_new(const SealConfig *config, const SealSettings *core,
                                const SealRegistry *registry, GError **error);
void seal_pipeline_free(SealPipeline *pipeline);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPipeline, seal_pipeline_free)

/** The format of that name if it stands in the pipeline, else NULL. (borrowed) */
const SealFormatEntry *seal_pipeline_format(const SealPipeline *pipeline, const char *name);

/** SEAL_ERROR_DEADLINE once the message's time is over. */
gboolean seal_pipeline_check_time(GCancellable *cancellable, GError **error);

/** A stream for content on its way. (transfer full) */
GOutputStream *seal_pipeline_spool(const SealPipeline *pipeline);
