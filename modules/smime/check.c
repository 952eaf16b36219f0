/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * check.c: what an operator is told of the module.
 */
#include "smime.h"

static gboolean run_check(SealModule *self, SealOut *out, G_GNUC_UNUSED GError **error)
{
    const SmimeModule *module = seal_module_data(self);
    g_autofree char *lack = smime_refresh_lack(self);
    guint roots = g_hash_table_size(module->mail_roots);

    seal_out_number(out, "anchors", module->anchor_count - roots);
    if (roots > 0)
        seal_out_number(out, "mail_roots", roots);
    smime_anchors_check(self, out);
    smime_server_check(self, out);
    if (module->notes->len > 0)
        seal_out_finding(out, SEAL_FINDING_WARNING, NULL,
                         "change the setting, or leave it where that is meant", "%s",
                         module->notes->str);
    if (lack)
        seal_out_finding(out, SEAL_FINDING_WARNING, "anchors",
                         "sealctl keys refresh fetches them, and says why where it cannot", "%s",
                         lack);
    return TRUE;
}

static const SealCheck check = {.size = sizeof check, .name = "smime", .run = run_check};
const SealCheck *const smime_checks[] = {&check, NULL};
