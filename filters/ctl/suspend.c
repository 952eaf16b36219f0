/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * suspend.c: `sealctl suspend` and `sealctl resume`, and how both stand in answers.
 */
#include "filters/ctl/ctl.h"

void ctl_put_disabled(SealOut *out)
{
    seal_out_text(out, "notice", "sealpipe is disabled. Emails will not be encrypted.");
}

gboolean ctl_put_suspended(const SealService *service, SealOut *out, gboolean *suspended,
                           GError **error)
{
    if (!seal_service_suspended(service, suspended, error))
        return FALSE;
    seal_out_boolean(out, "suspended", *suspended);
    return TRUE;
}

static int set_suspended(const CtlOptions *options, gboolean suspend, SealOut *out, GError **error)
{
    g_autoptr(SealService) service = seal_service_open(options->conf_dir, error);
    gboolean suspended = FALSE;

    if (!service || !seal_service_suspend(service, suspend, error) ||
        !ctl_put_suspended(service, out, &suspended, error))
        return CTL_PROBLEM;
    if (suspended)
        ctl_put_disabled(out);
    return suspended == suspend ? CTL_OK : CTL_PROBLEM;
}

int ctl_suspend(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                SealOut *out, GError **error)
{
    return set_suspended(options, TRUE, out, error);
}

int ctl_resume(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
               SealOut *out, GError **error)
{
    return set_suspended(options, FALSE, out, error);
}
