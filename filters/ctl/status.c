/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.c: `sealctl status`: whether mail is handled, whether what that takes is ready, and what
 * the daemon has done.
 */
#include "filters/ctl/status.h"

#include <string.h>
#include <unistd.h>

static SealDispatcher *open_dispatcher(SealService *service, const CtlKept *kept, GError **error)
{
    g_autoptr(SealDispatcher) self =
        seal_dispatcher_prepare(service, NULL, kept->listed, NULL, error);

    if (!self)
        return NULL;
    seal_dispatcher_ask_at(self, kept->socket);
    return seal_dispatcher_attach(self, error) ? g_steal_pointer(&self) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * The daemon
 */

/* As root, who may always connect, and hears more than a service's user whom nothing names. Anybody
 * else asks with the service open: reading these settings makes the log's file. */
static GVariant *ask_first(const char *conf_dir)
{
    g_auto(SealDaemonSettings) settings = {0};
    g_autofree char *why = NULL;

    if (geteuid() != 0 || !seal_daemon_settings_read(conf_dir, &settings, NULL))
        return NULL;
    return ctl_daemon_ask(settings.run_dir, settings.user, &why);
}

static void put_value(SealOut *out, const char *name, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        seal_out_text(out, name, "%s", g_variant_get_string(value, NULL));
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        seal_out_number(out, name, g_variant_get_int64(value));
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        seal_out_boolean(out, name, g_variant_get_boolean(value));
}

static void put_values(SealOut *out, GVariant *row)
{
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, row);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
        put_value(out, name, value);
}

typedef struct {
    SealOut *out;
    const char *list;
} Copy;

static void copy_row(GVariant *row, gpointer user_data)
{
    const Copy *copy = user_data;

    seal_out_row(copy->out, copy->list);
    put_values(copy->out, row);
    seal_out_end_row(copy->out);
}

static void put_daemon(GVariant *answer, const char *why, SealOut *out)
{
    static const char *const lists[] = {"requests", "recipients", "formats", "times", "failures"};

    seal_out_list(out, "daemon");
    if (!answer) {
        seal_out_text(out, "daemon_problem", "%s", why);
        return;
    }
    seal_out_row(out, "daemon");
    put_values(out, answer);
    seal_out_end_row(out);
    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        Copy copy = {out, lists[i]};

        seal_out_list(out, lists[i]);
        ctl_rows_visit(answer, lists[i], copy_row, &copy);
    }
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

static void put_more(GVariant *asked, SealService *service, SealDispatcher *dispatcher,
                     SealOut *out)
{
    g_autofree char *why = NULL;
    g_autoptr(GVariant) answer =
        asked ? g_variant_ref(asked)
              : ctl_daemon_ask(seal_service_run_dir(service), seal_service_user(service), &why);

    put_daemon(answer, why, out);
    if (dispatcher)
        ctl_status_put_keys(dispatcher, out);
    ctl_status_put_disk(service, out);
}

/* @out: what was always told; @more: the rest. */
static int say_status(const CtlOptions *options, SealOut *out, SealOut *more, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_auto(CtlKept) kept = {-1, -1};
    g_autoptr(GVariant) asked = ask_first(options->conf_dir);
    gboolean has_keys = ctl_kept_open(&kept, options->conf_dir, &problem);
    g_autoptr(SealService) service = seal_service_open(options->conf_dir, error);
    gboolean suspended = FALSE;

    if (!service || !ctl_put_suspended(service, out, &suspended, error))
        return CTL_PROBLEM;
    g_autoptr(SealDispatcher) dispatcher = has_keys ? open_dispatcher(service, &kept, error) : NULL;
    if (!has_keys)
        g_propagate_error(error, g_steal_pointer(&problem));
    gboolean configured = dispatcher && seal_dispatcher_configured(dispatcher);
    if (dispatcher)
        seal_out_boolean(out, "enabled", configured);
    if (suspended || (dispatcher && !configured))
        ctl_put_disabled(out);
    seal_out_list(out, "checks");
    gboolean ready = seal_service_show(service, out);
    ready = dispatcher && seal_dispatcher_check_modules(dispatcher, out) && ready;
    put_more(asked, service, dispatcher, more);
    return configured && !suspended && ready ? CTL_OK : CTL_PROBLEM;
}

int ctl_status_print(const CtlOptions *options, SealOut *out, GError **error)
{
    g_autoptr(SealOut) first = seal_out_new(), more = seal_out_new();

    if (options->json)
        return say_status(options, out, out, error);
    int status = say_status(options, first, more, error);
    g_autoptr(GVariant) answer = seal_out_finish(first);
    g_autoptr(GVariant) rest = seal_out_finish(more);
    ctl_print(answer, FALSE);
    if (ctl_rows_count(rest, "disk") > 0)
        ctl_status_show(rest);
    return status;
}

char *ctl_status_text(const CtlOptions *options)
{
    g_autoptr(SealOut) out = seal_out_new();
    g_autoptr(GError) error = NULL;
    int status = say_status(options, out, out, &error);

    seal_out_boolean(out, "ready", status == CTL_OK);
    if (error)
        g_printerr("sealctl: %s\n", error->message);
    g_autoptr(GVariant) answer = seal_out_finish(out);
    return ctl_status_metrics(answer);
}
