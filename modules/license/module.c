/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.c: the stage `license`: whom nothing is encrypted or signed for, once a licence has
 * lapsed.
 */
#include "license.h"

static gboolean read_issuer_key(SealModule *self, LicenseSetup *setup, GError **error)
{
    const char *path = seal_module_string(self, "public_key");
    g_autoptr(GError) problem = NULL;

    if (path && license_has_built_in_key())
        return seal_module_refuse(self, "public_key", error,
                                  "this sealpipe was built with its issuer's key, and takes no "
                                  "other one");
    if (!path && !license_has_built_in_key())
        return TRUE;
    setup->has_key = license_read_public_key(path, setup->public_key, &problem);
    return setup->has_key || seal_module_refuse(self, "public_key", error, "%s", problem->message);
}

static gboolean license_init(SealModule *self, GError **error)
{
    g_autofree LicenseSetup *setup = g_new0(LicenseSetup, 1);
    const char *file = seal_module_string(self, "file");

    if (*file && !g_path_is_absolute(file))
        return seal_module_refuse(self, "file", error,
                                  "an absolute path was expected, and \"%s\" was found", file);
    if (*file && !seal_module_check_path(self, "file", file, error))
        return FALSE;
    if (!license_start_sodium(error) || !read_issuer_key(self, setup, error))
        return FALSE;
    seal_module_set_data(self, g_steal_pointer(&setup));
    return TRUE;
}

static void license_fini(SealModule *self)
{
    g_free(seal_module_data(self));
}

/* Who counts as the sender: the author, since applications share one envelope sender. */
static SealAddress *find_sender(const SealJob *job)
{
    SealAddress *author = seal_job_author(job);

    return author && seal_job_sender(job) ? author : seal_job_sender(job);
}

/* From is anybody's to write: a place is taken by an author who is known to be himself. */
static gboolean find_use(SealModule *self, SealJob *job, LicenseUse *use, GError **error)
{
    SealProof proof = SEAL_PROOF_NONE;
    g_autofree char *why = NULL;

    if (!seal_module_prove_author(self, job, &proof, &why, error))
        return FALSE;
    *use = seal_job_is_rehearsal(job)   ? LICENSE_REHEARSED
           : !seal_job_entity(job)      ? LICENSE_ASKED
           : proof == SEAL_PROOF_AUTHOR ? LICENSE_SENT_BY_HIM
                                        : LICENSE_SENT;
    return TRUE;
}

static gboolean license_plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                             SealDecision *decision, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};
    const LicenseVerdict *verdict = &answer.verdict;
    LicenseUse use = LICENSE_ASKED;

    if (seal_recipient_encrypt(recipient) == SEAL_NEED_NEVER &&
        seal_recipient_sign(recipient) == SEAL_NEED_NEVER) {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "neither encrypted nor signed");
        return TRUE;
    }
    if (!find_use(self, job, &use, error) ||
        !license_ask(self, find_sender(job), use, &answer, error))
        return FALSE;
    if (verdict->warn && use != LICENSE_REHEARSED)
        seal_module_warn(self, "%s", verdict->text);
    if (verdict->lapsed) {
        /* Its words begin with the strictest. */
        int fallback = SEAL_FALLBACK_REFUSE - seal_module_choice(self, "on_lapse");
        seal_recipient_set_fallback(recipient, (SealFallback)fallback);
        seal_decision_set_plan(decision, SEAL_PLAN_UNABLE, "lapsed", "licence lapsed: %s",
                               verdict->text);
    } else if (verdict->refused) {
        seal_decision_set_plan(decision, SEAL_PLAN_REFUSE, "sender", "%s", verdict->text);
    } else {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "%s", verdict->text);
    }
    return TRUE;
}

static const SealSetting settings[] = {
    {.key = "file",
     .type = SEAL_SETTING_STRING,
     .preset = "",
     .help = "The licence; empty: license/licence in the state folder. Without one a trial of 30 "
             "days begins"},
    {.key = "public_key",
     .type = SEAL_SETTING_PATH,
     .help = "The issuer's public key, with which licences are verified; not where one was built "
             "in"},
    {.key = "on_lapse",
     .type = SEAL_SETTING_CHOICE,
     .preset = "refuse",
     .range = "refuse|report|allow",
     .help = "What happens to mail that is to be encrypted or signed once the licence has lapsed, "
             "whatever the policy says; allow: it leaves in clear"},
    {.key = NULL},
};

static const SealStage stage = {.size = sizeof stage, .name = "license", .plan = license_plan};
static const SealStage *const stages[] = {&stage, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "license",
    .version = "0.1.0",
    .summary = "Asks for a licence, or a trial, before anything is encrypted or signed",
    .settings = settings,
    .init = license_init,
    .fini = license_fini,
    .stages = stages,
    .checks = license_checks,
    .commands = license_commands,
};
