/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * topics.c: what is looked at, in the order in which it is shown: what breaks others first.
 */
#include "filters/ctl/check/check.h"

static const CheckTopic topics[] = {
    {"configuration", CHECK_AS_SERVICE, check_configuration},
    {"modules", CHECK_AS_SERVICE, check_modules},
    {"modules", CHECK_AS_CALLER, check_installed},
    {"versions", CHECK_AS_SERVICE, check_versions},
    {"files", CHECK_AT_END, check_files},
    {"anchors", CHECK_AS_SERVICE, NULL},
    {"keys", CHECK_AS_SERVICE, check_keys},
    {"signing", CHECK_AS_SERVICE, check_signing},
    {"sources", CHECK_AS_SERVICE, check_sources},
    {"gnupg", CHECK_AS_CALLER, check_gnupg},
    {"keeper", CHECK_AS_CALLER, NULL},
    {"daemon", CHECK_AS_CALLER, check_daemon},
    {"licence", CHECK_AS_SERVICE, NULL},
    {"clock", CHECK_AS_CALLER, check_clock},
    {"spool", CHECK_AS_SERVICE, check_spool},
    {"addresses", CHECK_AS_SERVICE, check_address_keys},
    {"pipelines", CHECK_AS_SERVICE, check_pipelines},
    {"wiring", CHECK_AS_CALLER, check_wiring},
    {"exim", CHECK_AS_CALLER, NULL},
    {"postfix", CHECK_AS_CALLER, NULL},
    {NULL, CHECK_AS_CALLER, NULL},
};

int ctl_check(const CtlOptions *options, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
              SealOut *out, GError **error G_GNUC_UNUSED)
{
    return check_run(topics, options, out);
}
