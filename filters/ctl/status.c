/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.c: `sealctl status`: whether mail is handled, and whether what that takes is ready.
 */
#include "filters/ctl/ctl.h"

static SealDispatcher *open_dispatcher(SealService *service, const CtlKept *kept, GError **error)
{
    g_autoptr(SealDispatcher) self =
        seal_dispatcher_prepare(service, NULL, kept->listed, NULL, error);

    if (!self)
        return NULL;
    seal_dispatcher_ask_at(self, kept->socket);
    return seal_dispatcher_attach(self, error) ? g_steal_pointer(&self) : NULL;
}

int ctl_status(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
               SealOut *out, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_auto(CtlKept) kept = {-1, -1};
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
    return configured && !suspended && ready ? CTL_OK : CTL_PROBLEM;
}
