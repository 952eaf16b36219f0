/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * old.c: a module of interface version 1.0, which uses every table of it.
 */
#include "core/sealpipe.h"

static const SealSetting settings[] = {
    {"word", SEAL_SETTING_CHOICE, "one", "one|two", NULL, "A word."},
    {NULL},
};

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    seal_decision_set(decision, SEAL_VERDICT_REFUSE, "old", "refused by the word %s",
                      seal_module_string(self, "word"));
    return TRUE;
}

static gboolean lookup(SealModule *self, SealAddress *address, const char *format, SealTrust trust,
                       GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    return TRUE;
}

static const SealStage stage = {.size = sizeof stage, .name = "old", .plan = plan};
static const SealStage *const stages[] = {&stage, NULL};
static const SealSource source = {
    .size = sizeof source, .name = "old", .trust = SEAL_TRUST_VERIFIED, .lookup = lookup};
static const SealSource *const sources[] = {&source, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "old",
    .version = "1.0",
    .summary = "A module of interface version 1.0",
    .settings = settings,
    .stages = stages,
    .sources = sources,
};
