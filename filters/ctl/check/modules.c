/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * modules.c: what the enabled modules say of themselves. They find for other topics, too: anchors,
 * keys, what signs.
 */
#include "filters/ctl/check/check.h"

static void put_finding(CheckRun *run, const SealFinding *finding)
{
    static const CheckState states[] = {
        [SEAL_FINDING_OK] = CHECK_OK,
        [SEAL_FINDING_WARNING] = CHECK_WARNING,
        [SEAL_FINDING_PROBLEM] = CHECK_PROBLEM,
    };
    gboolean is_named = *finding->check && g_str_equal(finding->topic, "modules");

    check_put(run, states[finding->state], finding->topic,
              *finding->remedy ? finding->remedy : NULL, "%s%s%s", is_named ? finding->check : "",
              is_named ? ": " : "", finding->text);
}

void check_modules(CheckRun *run)
{
    g_autoptr(SealOut) out = seal_out_new();
    GPtrArray *findings = seal_out_findings(out);

    seal_dispatcher_check_modules(check_dispatcher(run), out);
    for (guint i = 0; i < findings->len; i++)
        put_finding(run, g_ptr_array_index(findings, i));
    if (!check_has_trouble(run, "modules"))
        check_put(run, CHECK_OK, "modules", NULL, "all that are enabled are ready");
}
