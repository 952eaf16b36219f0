/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * quit.c: a stage that ends the process, as a library may, at a place and in a way of choice.
 */
#include "core/sealpipe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const SealSetting SETTINGS[] = {
    {"at", SEAL_SETTING_CHOICE, "nowhere",
     .range = "nowhere|init|attach|plan|apply|detach|fini|late", .help = "Where."},
    {"how", SEAL_SETTING_CHOICE, "exit-0", .range = "exit-0|exit-69|_exit-0|_exit-69|abort",
     .help = "How."},
    {"refuse", SEAL_SETTING_BOOLEAN, "false", .help = "Refuse every recipient."},
    {NULL},
};

static const char *late;

static void quit(const char *how)
{
    const char *status = strchr(how, '-');

    if (g_str_has_prefix(how, "exit"))
        exit(atoi(status + 1));
    if (g_str_has_prefix(how, "_exit"))
        _exit(atoi(status + 1));
    abort();
}

static void quit_late(void)
{
    quit(late);
}

static void quit_at(SealModule *self, const char *place)
{
    if (g_str_equal(seal_module_string(self, "at"), place))
        quit(seal_module_string(self, "how"));
}

static gboolean init(SealModule *self, GError **error)
{
    quit_at(self, "init");
    if (g_str_equal(seal_module_string(self, "at"), "late")) {
        late = g_strdup(seal_module_string(self, "how"));
        atexit(quit_late);
    }
    return TRUE;
}

static gboolean attach(SealModule *self, GError **error)
{
    quit_at(self, "attach");
    return TRUE;
}

static void detach(SealModule *self)
{
    quit_at(self, "detach");
}

static void fini(SealModule *self)
{
    quit_at(self, "fini");
}

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    gboolean refuse = seal_module_boolean(self, "refuse");

    quit_at(self, "plan");
    seal_decision_set_plan(decision, refuse ? SEAL_PLAN_REFUSE : SEAL_PLAN_PASS,
                           refuse ? "no" : "pass", "as it was asked for");
    return TRUE;
}

static gboolean apply(SealModule *self, SealJob *job, SealDelivery *delivery,
                      GCancellable *cancellable, GError **error)
{
    quit_at(self, "apply");
    return TRUE;
}

#ifdef QUIT_CONSTRUCTOR
__attribute__((constructor)) static void begin(void)
{
    quit(QUIT_CONSTRUCTOR);
}
#endif

static const SealStage STAGE = {sizeof STAGE, "quit", plan, apply};
static const SealStage *const STAGES[] = {&STAGE, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    SEAL_MODULE_HEAD,     .name = "quit",   .version = "1", .summary = "Ends the process",
    .settings = SETTINGS, .init = init,     .fini = fini,   .attach = attach,
    .detach = detach,     .stages = STAGES,
};
