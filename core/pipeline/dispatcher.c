/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dispatcher.c: opens everything, and takes a job through plan, group, apply and gate.
 */
#include "core/pipeline/dispatcher.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/scratch.h"
#include "core/base/tally.h"
#include "core/pipeline/apply.h"
#include "core/pipeline/gate.h"
#include "core/pipeline/group.h"
#include "core/pipeline/plan.h"
#include "core/pipeline/size.h"
#include "core/pipeline/trace.h"
#include "core/plugin/calls.h"
#include "core/plugin/daemon.h"
#include "core/plugin/expiry.h"
#include "core/plugin/service.h"
#include "core/plugin/tables.h"

/* -------------------------------------------------------------------------------------------
 * Opening
 */

static gboolean check_log(const SealSettings *core, GError **error)
{
    const char *target = seal_settings_string(core, "log_target");

    return *target == '/' || g_str_equal(target, "auto") || g_str_equal(target, "syslog") ||
           g_str_equal(target, "journal") || g_str_equal(target, "stderr") ||
           seal_settings_refuse(
               core, "log_target", error,
               "\"%s\" is neither auto, syslog, journal, stderr nor an absolute path", target);
}

/* It need not be there: what is kept in it makes itself heard. */
static gboolean check_dir(const SealSettings *core, const char *key, GError **error)
{
    const char *dir = seal_settings_string(core, key);

    return g_path_is_absolute(dir) ||
           seal_settings_refuse(core, key, error, "\"%s\" is not an absolute path", dir);
}

/* What processes that were killed have left behind. */
static void sweep_dirs(const SealSettings *core)
{
    const char *const dirs[] = {seal_settings_string(core, "run_dir"),
                                seal_settings_string(core, "state_dir"), NULL};

    seal_scratch_sweep(dirs);
}

static gboolean read_core(SealDispatcher *self, GError **error)
{
    self->core = seal_settings_new("core", seal_config_group(self->config, "core"), SEAL_TABLE_CORE,
                                   NULL, error);
    if (!self->core || !check_dir(self->core, "state_dir", error) ||
        !check_dir(self->core, "run_dir", error) || !check_log(self->core, error))
        return FALSE;
    return TRUE;
}

/* For who reads the configuration without being the daemon. */
static gboolean check_daemon(SealDispatcher *self, GError **error)
{
    g_autoptr(SealSettings) daemon = seal_settings_new(
        "daemon", seal_config_group(self->config, "daemon"), SEAL_TABLE_DAEMON, NULL, error);
    g_auto(SealDaemonSettings) settings = {0};

    return daemon && seal_daemon_settings_fill(daemon, &settings, error);
}

/* Reminders are not in the way of a message; what is wrong with them is said at once all the same.
 */
static gboolean check_expiry(SealDispatcher *self, GError **error)
{
    g_auto(SealExpirySettings) settings = {0};

    return seal_expiry_settings_read(self->config, &settings, error);
}

gboolean seal_dispatcher_expiry_settings(const SealDispatcher *self, SealExpirySettings *settings,
                                         GError **error)
{
    return seal_expiry_settings_read(self->config, settings, error);
}

static void close_all(SealDispatcher *self)
{
    g_clear_pointer(&self->outbound, seal_pipeline_free);
    g_clear_pointer(&self->registry, seal_registry_free);
    g_clear_pointer(&self->core, seal_settings_free);
    g_clear_pointer(&self->config, seal_config_free);
}

/* By its settings, before the module does anything. */
static gboolean become_owner_for(SealDispatcher *self, const SealModule *module, gboolean *became,
                                 GError **error)
{
    for (const SealSetting *row = module->descriptor.settings; row && row->key; row++) {
        const char *dir = row->owned ? seal_settings_string(module->settings, row->key) : NULL;
        g_autoptr(GError) problem = NULL;

        if (dir && !seal_service_become_owner(self->service, dir, became, &problem))
            return seal_settings_refuse(module->settings, row->key, error, "%s", problem->message);
        if (*became)
            break;
    }
    return TRUE;
}

/* Root, where [core] does not tell whose the service is: what is the service's user's alone does.
 */
static gboolean become_owner(SealDispatcher *self, gboolean *became, GError **error)
{
    GPtrArray *modules = seal_registry_modules(self->registry);

    *became = FALSE;
    if (!seal_service_is_undecided(self->service))
        return TRUE;
    for (guint i = 0; !*became && i < modules->len; i++) {
        if (!become_owner_for(self, g_ptr_array_index(modules, i), became, error))
            return FALSE;
    }
    if (!*became)
        seal_service_stay_root(self->service);
    return TRUE;
}

static gboolean load_all(SealDispatcher *self, const char *module_dir, GError **error)
{
    self->config = seal_config_read(seal_service_conf_dir(self->service), error);
    if (!self->config || !read_core(self, error) ||
        !seal_tables_check_groups(self->config, error) || !check_daemon(self, error) ||
        !check_expiry(self, error))
        return FALSE;
    self->registry = seal_registry_new(self->config, module_dir, self->core, error);
    if (self->registry && self->kept)
        seal_registry_keep(self->registry, self->kept);
    if (self->registry && self->tended)
        seal_registry_set_tended(self->registry, self->tended);
    return self->registry != NULL;
}

static gboolean open_all(SealDispatcher *self, const char *module_dir, GError **error)
{
    gboolean became = FALSE;

    if (!seal_service_check(self->service, error) || !load_all(self, module_dir, error) ||
        !become_owner(self, &became, error))
        return FALSE;
    if (became) {
        close_all(self);
        if (!load_all(self, module_dir, error))
            return FALSE;
    }
    sweep_dirs(self->core);
    if (!seal_registry_init(self->registry, error))
        return FALSE;
    self->outbound = seal_pipeline_new(self->config, self->core, self->registry, error);
    return self->outbound != NULL;
}

SealDispatcher *seal_dispatcher_prepare(SealService *service, const char *module_dir, int listed,
                                        const char *tended, GError **error)
{
    g_autoptr(SealDispatcher) self = g_new0(SealDispatcher, 1);

    self->service = service;
    self->tended = tended;
    if (listed >= 0 && !(self->kept = seal_kept_read(listed, error)))
        return NULL;
    if (!module_dir)
        module_dir = g_getenv("SEALPIPE_MODULES");
    return open_all(self, module_dir ? module_dir : SEAL_MODULE_DIR, error) ? g_steal_pointer(&self)
                                                                            : NULL;
}

void seal_dispatcher_ask_at(SealDispatcher *self, int socket)
{
    if (self->kept)
        seal_kept_ask_at(self->kept, socket);
}

gboolean seal_dispatcher_lost_keys(const SealDispatcher *self)
{
    return self->kept && seal_kept_is_lost(self->kept);
}

gboolean seal_dispatcher_look(const SealDispatcher *self, guint64 *sum)
{
    return seal_watch_look(seal_registry_watch(self->registry), sum);
}

gboolean seal_dispatcher_is_worn(const SealDispatcher *self)
{
    return seal_registry_is_worn(self->registry);
}

gboolean seal_dispatcher_attach(SealDispatcher *self, GError **error)
{
    return seal_registry_attach(self->registry, error);
}

SealDispatcher *seal_dispatcher_open(SealService *service, const char *module_dir, GError **error)
{
    g_autoptr(SealDispatcher) self = seal_dispatcher_prepare(service, module_dir, -1, NULL, error);

    return self && seal_dispatcher_attach(self, error) ? g_steal_pointer(&self) : NULL;
}

SealDispatcher *seal_dispatcher_new(const char *conf_dir, const char *module_dir, GError **error)
{
    SealService *service = seal_service_open(conf_dir, error);
    SealDispatcher *self = service ? seal_dispatcher_open(service, module_dir, error) : NULL;

    if (self)
        self->own = service;
    else
        seal_service_free(service);
    return self;
}

void seal_dispatcher_free(SealDispatcher *self)
{
    if (!self)
        return;
    close_all(self);
    seal_kept_free(self->kept);
    seal_service_free(self->own);
    g_free(self);
}

void seal_dispatcher_visit_paths(const SealDispatcher *self, SealPathVisitor visit,
                                 gpointer user_data)
{
    static const char *const own[] = {"run_dir", "state_dir", "spool_dir"};
    GPtrArray *modules = seal_registry_modules(self->registry);
    const char *const parents[] = {seal_settings_string(self->core, "run_dir"),
                                   seal_settings_string(self->core, "state_dir"), NULL};

    visit(seal_service_conf_dir(self->service), SEAL_PATH_READ, user_data);
    for (guint i = 0; i < G_N_ELEMENTS(own); i++)
        visit(seal_settings_string(self->core, own[i]), SEAL_PATH_WRITE, user_data);
    visit(seal_scratch_parent(parents), SEAL_PATH_WRITE, user_data);
    for (guint i = 0; i < modules->len; i++) {
        const SealModule *module = g_ptr_array_index(modules, i);

        seal_settings_visit_paths(module->settings, visit, user_data);
    }
}

const char *seal_dispatcher_networker(const SealDispatcher *self)
{
    GPtrArray *modules = seal_registry_modules(self->registry);

    for (guint i = 0; i < modules->len; i++) {
        const SealModule *module = g_ptr_array_index(modules, i);

        if (module->descriptor.flags & SEAL_MODULE_NETWORK)
            return module->descriptor.name;
    }
    return NULL;
}

void seal_dispatcher_name_formats(const SealDispatcher *self, SealTally *tally)
{
    GPtrArray *formats = seal_registry_formats(self->registry);

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);

        seal_tally_name_format(tally, format->table.name);
    }
}

gboolean seal_dispatcher_configured(const SealDispatcher *self)
{
    return seal_settings_boolean(self->core, "enabled");
}

gint64 seal_dispatcher_deadline(const SealDispatcher *self)
{
    return seal_settings_number(self->core, "deadline");
}

gboolean seal_dispatcher_refuse_stderr(SealDispatcher *self, GError **error)
{
    if (!g_str_equal(seal_settings_string(self->core, "log_target"), "stderr"))
        return TRUE;
    seal_log_configure("auto", SEAL_LOG_INFO);
    return seal_settings_refuse(
        self->core, "log_target", error,
        "stderr is the mail server's here, not ours: use auto, syslog, journal or a path");
}

GOutputStream *seal_dispatcher_spool(SealDispatcher *self)
{
    return seal_pipeline_spool(self->outbound);
}

/* -------------------------------------------------------------------------------------------
 * Running
 */

/* Always FALSE. Takes @problem over. */
static gboolean fail_job(SealJob *job, GError *problem, GError **error)
{
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
           seal_service_suspended(self->service, &suspended, error);
}

/* *@refused: it is too large, or cannot be made as it must be, whenever it is tried. */
static gboolean try_delivery(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                             gboolean *refused, GCancellable *cancellable, GError **error)
{
    gboolean fits = TRUE;

    seal_trace_delivery(job, delivery);
    seal_clock_allow(job->size);
    if (!seal_size_foresee(pipeline, job, delivery, &fits, error))
        return FALSE;
    if (fits && (!seal_apply(pipeline, job, delivery, cancellable, error) ||
                 !seal_size_check(pipeline, job, delivery, &fits, error) ||
                 (fits && !seal_gate(pipeline, job, delivery, cancellable, error))))
        return FALSE;
    *refused = !fits;
    return TRUE;
}

/* Keys that nobody uses can be told by it. */
static void tell_used(const SealPipeline *pipeline, const SealDelivery *delivery)
{
    for (guint i = 0; delivery->choice == SEAL_CHOICE_SEAL && i < delivery->keys->len; i++)
        seal_source_key_used(pipeline->registry, g_ptr_array_index(delivery->keys, i));
}

/* Its recipients hear that it is refused, and nothing of it is left; the others are not affected.
 */
static gboolean make_delivery(const SealPipeline *pipeline, SealJob *job, SealDelivery *delivery,
                              gboolean *refused, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (try_delivery(pipeline, job, delivery, refused, cancellable, &problem)) {
        if (!*refused && !job->asks)
            tell_used(pipeline, delivery);
        return TRUE;
    }
    *refused = seal_error_is_for_good(problem);
    for (guint i = 0; i < delivery->recipients->len && *refused; i++)
        seal_job_refuse(job, g_ptr_array_index(delivery->recipients, i), problem);
    if (!*refused)
        g_propagate_error(error, g_steal_pointer(&problem));
    return *refused;
}

static gboolean run_job(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                        GError **error)
{
    gboolean refused = FALSE;

    if (!check_direction(job, error) || !check_suspended(self, job, error))
        return FALSE;
    if (seal_job_refuse_faulty(job))
        return TRUE;
    if (!seal_plan(self->outbound, job, cancellable, error))
        return FALSE;
    if (seal_job_refuse_faulty(job))
        return TRUE;
    if (!seal_group(self->outbound, job, cancellable, error))
        return FALSE;
    for (guint i = 0; i < job->deliveries->len; i += refused ? 0 : 1) {
        if (!make_delivery(self->outbound, job, g_ptr_array_index(job->deliveries, i), &refused,
                           cancellable, error))
            return FALSE;
        if (refused)
            g_ptr_array_remove_index(job->deliveries, i);
    }
    return seal_pipeline_check_time(cancellable, error);
}

gboolean seal_dispatcher_run(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                             GError **error)
{
    g_autoptr(GError) problem = NULL;

    seal_clock_begin(job->started, self->outbound->deadline);
    seal_clock_allow(job->size);
    gboolean done = run_job(self, job, cancellable, &problem);
    seal_clock_end();
    if (done)
        return TRUE;
    return fail_job(job, g_steal_pointer(&problem), error);
}

gboolean seal_dispatcher_check(SealDispatcher *self, SealJob *job, GCancellable *cancellable,
                               GError **error)
{
    g_autoptr(GError) problem = NULL;

    job->asks = TRUE;
    if (check_direction(job, &problem) && check_suspended(self, job, &problem) &&
        (seal_job_refuse_faulty(job) ||
         seal_plan_answer(self->outbound, job, cancellable, &problem))) {
        seal_job_refuse_faulty(job);
        return TRUE;
    }
    return fail_job(job, g_steal_pointer(&problem), error);
}
