/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dispatcher.c: opens everything, and takes a job through plan, group, apply and gate.
 */
#include "core/pipeline/dispatcher.h"

#include "core/base/content.h"
#include "core/base/log.h"
#include "core/base/state.h"
#include "core/plugin/tables.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static gboolean configure_log(const SealSettings *core, GError **error)
{
    static const char *const names[] = {"error", "warning", "info", "debug", NULL};
    const char *target = seal_settings_string(core, "log_target");
    const char *level = seal_settings_string(core, "log_level");
    g_autoptr(GError) problem = NULL;
    guint index = 0;

    while (!g_str_equal(names[index], level))
        index++;
    if (*target != '/' && !g_str_equal(target, "auto") && !g_str_equal(target, "syslog") &&
        !g_str_equal(target, "journal") && !g_str_equal(target, "stderr"))
        return seal_settings_refuse(core, "log_target", error,
                                    "\"%s\" is none of auto, syslog, journal, stderr and no path",
                                    target);
    if (!seal_log_configure(target, (SealLogLevel)index, &problem))
        return seal_settings_refuse(core, "log_target", error, "%s", problem->message);
    return TRUE;
}

/* It need not be there: what is kept in it makes itself heard. */
static gboolean check_state_dir(const SealSettings *core, GError **error)
{
    const char *dir = seal_settings_string(core, "state_dir");

    return g_path_is_absolute(dir) ||
           seal_settings_refuse(core, "state_dir", error, "\"%s\" is not an absolute path", dir);
}

static gboolean read_core(SealDispatcher *self, GError **error)
{
    self->core = seal_settings_new("core", seal_config_group(self->config, "core"), SEAL_TABLE_CORE,
                                   NULL, error);
    return self->core && check_state_dir(self->core, error) && configure_log(self->core, error);
}

/* The daemon is not here yet; its settings are checked all the same. */
static gboolean check_daemon(SealDispatcher *self, GError **error)
{
    g_autoptr(SealSettings) daemon = seal_settings_new(
        "daemon", seal_config_group(self->config, "daemon"), SEAL_TABLE_DAEMON, NULL, error);

    return daemon != NULL;
}

static gboolean add_step(SealDispatcher *self, const char *name, GError **error)
{
    SealStep step = {name, seal_registry_stage(self->registry, name),
                     seal_registry_format(self->registry, name)};

    for (guint i = 0; i < self->outbound->len; i++) {
        if (g_str_equal(g_array_index(self->outbound, SealStep, i).name, name))
            return seal_settings_refuse(self->pipeline, "outbound", error, "%s stands twice", name);
    }
    if (step.stage || step.format)
        g_array_append_val(self->outbound, step);
    else if (seal_settings_place(self->pipeline, "outbound"))
        return seal_settings_refuse(self->pipeline, "outbound", error,
                                    "no enabled module offers \"%s\"", name);
    return TRUE;
}

static gboolean read_pipeline(SealDispatcher *self, GError **error)
{
    self->outbound = g_array_new(FALSE, FALSE, sizeof(SealStep));
    self->pipeline = seal_settings_new("pipeline", seal_config_group(self->config, "pipeline"),
                                       SEAL_TABLE_PIPELINE, NULL, error);
    if (!self->pipeline)
        return FALSE;

    const char *const *names = seal_settings_list(self->pipeline, "outbound");
    for (; *names; names++) {
        if (!add_step(self, *names, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean has_signing_step(const SealDispatcher *self)
{
    for (guint i = 0; i < self->outbound->len; i++) {
        const SealStep *step = &g_array_index(self->outbound, SealStep, i);
        if (step->stage && (step->stage->table.flags & SEAL_STAGE_SIGNS))
            return TRUE;
    }
    return FALSE;
}

static gboolean open_all(SealDispatcher *self, const char *conf_dir, const char *module_dir,
                         GError **error)
{
    self->config = seal_config_read(conf_dir, error);
    if (!self->config || !read_core(self, error) ||
        !seal_tables_check_groups(self->config, error) || !check_daemon(self, error))
        return FALSE;
    self->registry = seal_registry_new(self->config, module_dir, self->core, error);
    if (!self->registry || !read_pipeline(self, error))
        return FALSE;
    self->policies = seal_policies_new(self->config, self->registry, has_signing_step(self), error);
    if (!self->policies)
        return FALSE;
    self->keyring = seal_keyring_new(self->config, self->registry, error);
    return self->keyring && seal_registry_attach(self->registry, error);
}

SealDispatcher *seal_dispatcher_new(const char *conf_dir, const char *module_dir, GError **error)
{
    g_autoptr(SealDispatcher) self = g_new0(SealDispatcher, 1);

    if (!conf_dir)
        conf_dir = g_getenv("SEALPIPE_CONF");
    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");
    if (!open_all(self, conf_dir ? conf_dir : SEAL_CONF_DIR,
                  module_dir ? module_dir : SEAL_MODULE_DIR, error))
        return NULL;
    return g_steal_pointer(&self);
}

void seal_dispatcher_free(SealDispatcher *self)
{
    if (!self)
        return;
    seal_keyring_free(self->keyring);
    seal_policies_free(self->policies);
    seal_registry_free(self->registry);
    if (self->outbound)
        g_array_unref(self->outbound);
    seal_settings_free(self->pipeline);
    seal_settings_free(self->core);
    seal_config_free(self->config);
    g_free(self);
}

static const char *state_dir(const SealDispatcher *self)
{
    return seal_settings_string(self->core, "state_dir");
}

gboolean seal_dispatcher_enabled(const SealDispatcher *self)
{
    gboolean suspended = FALSE;

    /* Where that cannot be told, the message is ours to defer: see check_suspended(). */
    return seal_settings_boolean(self->core, "enabled") &&
           (!seal_state_suspended(state_dir(self), &suspended, NULL) || !suspended);
}

gboolean seal_dispatcher_suspended(const SealDispatcher *self, gboolean *suspended, GError **error)
{
    return seal_state_suspended(state_dir(self), suspended, error);
}

gboolean seal_dispatcher_become_owner(const SealDispatcher *self, GError **error)
{
    return seal_state_enter(state_dir(self), error);
}

gboolean seal_dispatcher_suspend(const SealDispatcher *self, gboolean suspend, GError **error)
{
    return seal_state_suspend(state_dir(self), suspend, error);
}

gboolean seal_dispatcher_configured(const SealDispatcher *self)
{
    return seal_settings_boolean(self->core, "enabled");
}

const SealCommand *seal_dispatcher_command(SealDispatcher *self, const char *name,
                                           SealModule **module)
{
    const SealCommandEntry *entry = seal_registry_command(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}

gboolean seal_dispatcher_check_modules(SealDispatcher *self, SealOut *out)
{
    GPtrArray *checks = seal_registry_checks(self->registry);
    gboolean ready = TRUE;

    for (guint i = 0; i < checks->len; i++) {
        const SealCheckEntry *entry = g_ptr_array_index(checks, i);
        g_autoptr(GError) problem = NULL;

        seal_out_row(out, "checks");
        seal_out_text(out, "check", "%s", entry->table.name);
        gboolean ok = entry->table.run(entry->module, out, &problem);
        seal_out_boolean(out, "ready", ok);
        seal_out_text(out, "problem", "%s",
                      ok        ? ""
                      : problem ? problem->message
                                : "it failed and did not say why");
        seal_out_end_row(out);
        ready = ready && ok;
    }
    return ready;
}

static void show_group(const SealConfig *config, const char *name, const SealSetting *table,
                       SealOut *out)
{
    g_autoptr(SealSettings) settings =
        seal_settings_new(name, seal_config_group(config, name), table, NULL, NULL);

    if (settings)
        seal_settings_show(settings, out);
}

/* Of a rule only what is written is in force; the rest is [policy]'s. */
static void show_rule(const SealGroup *group, SealOut *out)
{
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(group->values), (GCompareFunc)strcmp);

    for (GList *key = keys; key; key = key->next) {
        const SealPlace *place = g_hash_table_lookup(group->values, key->data);
        seal_settings_show_value(group->name, key->data, place->text, place, out);
    }
}

void seal_dispatcher_show_config(SealDispatcher *self, SealOut *out)
{
    GPtrArray *modules = seal_registry_modules(self->registry);
    GPtrArray *groups = seal_config_groups(self->config);

    seal_out_list(out, "settings");
    seal_settings_show(self->core, out);
    seal_settings_show(self->pipeline, out);
    show_group(self->config, "policy", SEAL_TABLE_POLICY, out);
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);
        if (g_str_has_prefix(group->name, "rule "))
            show_rule(group, out);
    }
    show_group(self->config, "keyring", SEAL_TABLE_KEYRING, out);
    show_group(self->config, "daemon", SEAL_TABLE_DAEMON, out);
    for (guint i = 0; i < modules->len; i++)
        seal_settings_show(seal_module_settings(g_ptr_array_index(modules, i)), out);
}

gboolean seal_dispatcher_in_process(const SealDispatcher *self)
{
    return seal_settings_boolean(self->core, "in_process");
}

gint64 seal_dispatcher_deadline(const SealDispatcher *self)
{
    return seal_settings_number(self->core, "deadline");
}

const char *seal_dispatcher_state_dir(const SealDispatcher *self)
{
    return seal_settings_string(self->core, "state_dir");
}

gboolean seal_dispatcher_refuse_stderr(SealDispatcher *self, GError **error)
{
    if (!g_str_equal(seal_settings_string(self->core, "log_target"), "stderr"))
        return TRUE;
    seal_log_configure("auto", SEAL_LOG_INFO, NULL);
    return seal_settings_refuse(self->core, "log_target", error,
                                "standard error is the mail server's here, not ours");
}

const SealFormat *seal_dispatcher_format(SealDispatcher *self, const char *name,
                                         SealModule **module)
{
    const SealFormatEntry *entry = seal_registry_format(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}

const SealSource *seal_dispatcher_source(SealDispatcher *self, const char *name,
                                         SealModule **module)
{
    const SealSourceEntry *entry = seal_registry_source(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}

GOutputStream *seal_dispatcher_spool(SealDispatcher *self)
{
    return seal_registry_spool(self->registry);
}

int seal_dispatcher_spool_file(SealDispatcher *self, GError **error)
{
    return seal_spool_file(seal_settings_string(self->core, "spool_dir"), error);
}

const SealFormatEntry *seal_dispatcher_step_format(const SealDispatcher *self, const char *name)
{
    for (guint i = 0; i < self->outbound->len; i++) {
        const SealStep *step = &g_array_index(self->outbound, SealStep, i);
        if (step->format && g_str_equal(step->name, name))
            return step->format;
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Running
 */

gboolean seal_dispatcher_check_time(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                                    GError **error)
{
    if (g_get_monotonic_time() - job->started > seal_dispatcher_deadline(self)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_DEADLINE,
                            "the deadline passed; see [core] deadline");
        return FALSE;
    }
    return !g_cancellable_set_error_if_cancelled(cancellable, error);
}

/* Always FALSE. Takes @problem over; a module may have failed without a word. */
static gboolean fail(SealJob *job, GError *problem, GError **error)
{
    if (!problem)
        problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_FAILED,
                                      "a module failed and did not say why");
    seal_job_fail(job, problem);
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean check_direction(const SealJob *job, GError **error)
{
    if (job->direction == SEAL_DIRECTION_OUTBOUND)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                        "inbound mail cannot be handled in this version yet");
    return FALSE;
}

/* Outbound mail must not be sealed while the operator may have suspended that, nor pass while he
 * may not have. */
static gboolean check_suspended(const SealDispatcher *self, const SealJob *job, GError **error)
{
    gboolean suspended = FALSE;

    return job->direction != SEAL_DIRECTION_OUTBOUND ||
           seal_state_suspended(state_dir(self), &suspended, error);
}

static gboolean run(SealDispatcher *self, SealJob *job, GCancellable *cancellable, GError **error)
{
    if (!check_direction(job, error) || !check_suspended(self, job, error) ||
        !seal_plan(self, job, cancellable, error) || !seal_group(self, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->deliveries->len; i++) {
        SealDelivery *delivery = g_ptr_array_index(job->deliveries, i);

        if (!seal_apply(self, job, delivery, cancellable, error) ||
            !seal_gate(self, job, delivery, cancellable, error))
            return FALSE;
    }
    return seal_dispatcher_check_time(self, job, cancellable, error);
}

gboolean seal_dispatcher_run(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                             GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (run(self, job, cancellable, &problem))
        return TRUE;
    return fail(job, g_steal_pointer(&problem), error);
}

gboolean seal_dispatcher_check(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                               GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (check_direction(job, &problem) && check_suspended(self, job, &problem) &&
        seal_plan_answer(self, job, cancellable, &problem))
        return TRUE;
    return fail(job, g_steal_pointer(&problem), error);
}
