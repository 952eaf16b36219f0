/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * configuration.c: it has loaded; whether it has mail handled.
 */
#include "filters/ctl/check/check.h"

static void look_enabled(CheckRun *run)
{
    g_autoptr(GError) error = NULL;
    gboolean suspended = FALSE;

    if (!seal_dispatcher_configured(check_dispatcher(run)))
        check_put(run, CHECK_PROBLEM, "configuration",
                  "set [core] enabled=true, or take the line away",
                  "[core] enabled=false: outbound mail passes as it comes, unencrypted");
    if (!seal_service_suspended(check_service(run), &suspended, &error))
        check_put_error(run, "configuration", "mend that: until then all mail waits", error);
    else if (suspended)
        check_put(run, CHECK_PROBLEM, "configuration", "sealctl resume handles mail again",
                  "suspended: outbound mail passes as it comes, unencrypted");
}

void check_configuration(CheckRun *run)
{
    look_enabled(run);
    if (!check_has_trouble(run, "configuration"))
        check_put(run, CHECK_OK, "configuration", NULL, "%s loads", check_conf_dir(run));
}
