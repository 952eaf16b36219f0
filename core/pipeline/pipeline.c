/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pipeline.c: puts the steps together, in the order of the configuration.
 */
#include "core/pipeline/pipeline.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/spool.h"
#include "core/plugin/tables.h"

/* @shipped: as the default has it, which names what need not be enabled. */
static gboolean add_step(SealPipeline *pipeline, const char *name, gboolean shipped, GError **error)
{
    SealStep step = {name, seal_registry_stage(pipeline->registry, name),
                     seal_registry_format(pipeline->registry, name)};

    for (guint i = 0; i < pipeline->steps->len; i++) {
        if (g_str_equal(g_array_index(pipeline->steps, SealStep, i).name, name))
            return seal_settings_refuse(pipeline->settings, "outbound", error,
                                        "\"%s\" is listed twice", name);
    }
    if (step.stage || step.format)
        g_array_append_val(pipeline->steps, step);
    else if (!shipped)
        return seal_settings_refuse(pipeline->settings, "outbound", error,
                                    "no enabled module offers \"%s\"", name);
    return TRUE;
}

static gboolean read_steps(SealPipeline *pipeline, const SealConfig *config, GError **error)
{
    pipeline->steps = g_array_new(FALSE, FALSE, sizeof(SealStep));
    pipeline->settings = seal_settings_new("pipeline", seal_config_group(config, "pipeline"),
                                           SEAL_TABLE_PIPELINE, NULL, error);
    if (!pipeline->settings)
        return FALSE;

    const char *const *names = seal_settings_list(pipeline->settings, "outbound");
    gboolean shipped = seal_settings_is_preset(pipeline->settings, "outbound",
                                               seal_tables_preset(SEAL_TABLE_PIPELINE, "outbound"));
    for (; *names; names++) {
        if (!add_step(pipeline, *names, shipped, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean has_step(const SealPipeline *pipeline, const SealStageEntry *stage)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        if (g_array_index(pipeline->steps, SealStep, i).stage == stage)
            return TRUE;
    }
    return FALSE;
}

/* Whoever enables a module wants what it does: a licence that nobody asks for, say, is none. */
static void find_idle_stages(SealPipeline *pipeline)
{
    GPtrArray *stages = seal_registry_stages(pipeline->registry);

    pipeline->warnings = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < stages->len; i++) {
        const SealStageEntry *stage = g_ptr_array_index(stages, i);
        char *text;

        if (has_step(pipeline, stage))
            continue;
        text = g_strdup_printf("[module %s] is enabled, but its stage \"%s\" does not stand in "
                               "[pipeline] outbound: it is not asked about any mail",
                               seal_module_name(stage->module), stage->table.name);
        g_ptr_array_add(pipeline->warnings, text);
        seal_log_warning("%s", text);
    }
}

static gboolean has_signing_step(const SealPipeline *pipeline)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        const SealStep *step = &g_array_index(pipeline->steps, SealStep, i);
        if (step->stage && (step->stage->table.flags & SEAL_STAGE_SIGNS))
            return TRUE;
    }
    return FALSE;
}

SealPipeline *seal_pipeline_new(const SealConfig *config, const SealSettings *core,
                                const SealRegistry *registry, GError **error)
{
    g_autoptr(SealPipeline) pipeline = g_new0(SealPipeline, 1);

    pipeline->registry = registry;
    pipeline->spool_dir = seal_settings_string(core, "spool_dir");
    pipeline->spool_memory = (gsize)seal_settings_number(core, "spool_memory");
    pipeline->deadline = seal_settings_number(core, "deadline");
    pipeline->size_limit = (guint64)seal_settings_number(core, "size_limit");
    if (!read_steps(pipeline, config, error))
        return NULL;
    find_idle_stages(pipeline);
    pipeline->policies = seal_policies_new(config, registry, has_signing_step(pipeline), error);
    if (!pipeline->policies)
        return NULL;
    pipeline->keyring = seal_keyring_new(config, registry, error);
    return pipeline->keyring ? g_steal_pointer(&pipeline) : NULL;
}

void seal_pipeline_free(SealPipeline *pipeline)
{
    if (!pipeline)
        return;
    seal_keyring_free(pipeline->keyring);
    seal_policies_free(pipeline->policies);
    g_array_unref(pipeline->steps);
    g_clear_pointer(&pipeline->warnings, g_ptr_array_unref);
    seal_settings_free(pipeline->settings);
    g_free(pipeline);
}

const SealFormatEntry *seal_pipeline_format(const SealPipeline *pipeline, const char *name)
{
    for (guint i = 0; i < pipeline->steps->len; i++) {
        const SealStep *step = &g_array_index(pipeline->steps, SealStep, i);
        if (step->format && g_str_equal(step->name, name))
            return step->format;
    }
    return NULL;
}

gboolean seal_pipeline_check_time(GCancellable *cancellable, GError **error)
{
    return seal_clock_check(error) && !g_cancellable_set_error_if_cancelled(cancellable, error);
}

GOutputStream *seal_pipeline_spool(const SealPipeline *pipeline)
{
    return seal_spool_open(pipeline->spool_dir, pipeline->spool_memory);
}
