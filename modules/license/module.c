/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.c: the stage `license`: whom nothing is encrypted or signed for, once a licence has
 * lapsed.
 */
#include "license.h"

#include <string.h>

#ifndef LICENSE_PUBLIC_KEY
#define LICENSE_PUBLIC_KEY ""
#endif

const char *const LICENSE_BUILT_IN_KEY = LICENSE_PUBLIC_KEY;

/* What init read. */
typedef struct {
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    gboolean has_key;
} Setup;

/* -------------------------------------------------------------------------------------------
 * Life
 */

static gboolean read_public_key(SealModule *self, Setup *setup, GError **error)
{
    const char *path = seal_module_string(self, "public_key");
    g_autoptr(GError) problem = NULL;

    if (*LICENSE_BUILT_IN_KEY && path)
        return seal_module_refuse(self, "public_key", error,
                                  "this sealpipe was built with its issuer's key");
    if (*LICENSE_BUILT_IN_KEY)
        return (setup->has_key =
                    license_public_key_parse(LICENSE_BUILT_IN_KEY, setup->public_key, error));
    if (!path)
        return TRUE;
    setup->has_key = license_public_key_read(path, setup->public_key, &problem);
    return setup->has_key || seal_module_refuse(self, "public_key", error, "%s", problem->message);
}

static gboolean init(SealModule *self, GError **error)
{
    g_autofree Setup *setup = g_new0(Setup, 1);
    const char *file = seal_module_string(self, "file");

    if (*file && !g_path_is_absolute(file))
        return seal_module_refuse(self, "file", error, "\"%s\" is not an absolute path", file);
    if (!read_public_key(self, setup, error))
        return FALSE;
    seal_module_set_data(self, g_steal_pointer(&setup));
    return TRUE;
}

static void fini(SealModule *self)
{
    g_free(seal_module_data(self));
}

gboolean license_public_key(SealModule *self, guint8 *public_key, GError **error)
{
    const Setup *setup = seal_module_data(self);

    if (setup->has_key) {
        memcpy(public_key, setup->public_key, sizeof setup->public_key);
        return TRUE;
    }
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY,
                        "there is no public key to verify a licence with; set public_key");
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What there is
 */

char *license_dir(SealModule *self, GError **error)
{
    const char *dir = seal_module_state_dir(self, FALSE, error);

    return dir ? g_build_filename(dir, "license", NULL) : NULL;
}

char *license_path(SealModule *self, GError **error)
{
    const char *file = seal_module_string(self, "file");
    g_autofree char *dir = *file ? NULL : license_dir(self, error);

    if (*file)
        return g_strdup(file);
    return dir ? g_build_filename(dir, "licence", NULL) : NULL;
}

gboolean license_current(SealModule *self, License **license, char **invalid, GError **error)
{
    g_autofree char *path = license_path(self, error);
    guint8 public_key[crypto_sign_PUBLICKEYBYTES];
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = NULL;
    gboolean missing = FALSE;

    if (!path)
        return FALSE;
    bytes = license_load(path, LICENSE_MAX_FILE, &missing, &problem);
    if (missing)
        return TRUE;
    if (bytes && license_public_key(self, public_key, &problem))
        *license = license_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), public_key,
                                &problem);
    /* One that cannot be read is not known to be invalid. */
    if (problem && !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (problem)
        *invalid = g_strdup_printf("the licence in %s is not valid: %s", path, problem->message);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Judging
 */

/* A licence proper does not hang on a state that somebody took away; but no trial follows it. */
static LicenseState *state_after_loss(void)
{
    LicenseState *state = license_state_new();

    state->started = state->until = 1;
    return state;
}

/* @lost: why the state that should be there is none. FALSE: it cannot be told. */
static gboolean read_state(const char *dir, LicenseState **state, char **lost, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (license_state_read(dir, state, &problem))
        return TRUE;
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *lost = g_strdup(problem->message);
    return TRUE;
}

/* With the lock held. */
static gboolean judge_and_write(LicenseStore *store, const char *dir, const License *license,
                                const SealAddress *sender, gboolean count, LicenseVerdict *verdict,
                                char **lost, GError **error)
{
    g_autoptr(LicenseState) state = NULL;

    g_clear_pointer(lost, g_free);
    if (!read_state(dir, &state, lost, error))
        return FALSE;
    if (!state)
        state = *lost ? state_after_loss() : license_state_new();
    license_judge(license, state, sender, count, license_now(), verdict);
    return !verdict->changed || license_state_write(store, state, error);
}

/* Root asks about another user's state: what it says, but nothing of root's is put there. */
static void judge_only(const License *license, LicenseState *state, const char *lost,
                       const SealAddress *sender, LicenseVerdict *verdict)
{
    g_autoptr(LicenseState) own = state ? NULL : lost ? state_after_loss() : license_state_new();

    license_judge(license, state ? state : own, sender, FALSE, license_now(), verdict);
    verdict->warn = FALSE;
}

static gboolean is_proper(const License *license)
{
    return license && !license_is_evaluation(license);
}

static gboolean judge(SealModule *self, const License *license, const SealAddress *sender,
                      gboolean count, LicenseVerdict *verdict, GError **error)
{
    g_autofree char *dir = license_dir(self, error);
    g_autofree char *lost = NULL;
    g_autoptr(LicenseState) state = NULL;
    g_autoptr(LicenseStore) store = NULL;

    if (!dir || !read_state(dir, &state, &lost, error))
        return FALSE;
    if (lost && !is_proper(license)) {
        *verdict = (LicenseVerdict){.lapsed = TRUE, .warn = TRUE, .text = g_strdup(lost)};
        return TRUE;
    }
    if (state) {
        license_judge(license, state, sender, count, license_now(), verdict);
        if (!verdict->changed)
            return TRUE;
        license_verdict_clear(verdict);
    }
    *verdict = (LicenseVerdict){0};
    if (!count && !seal_module_state_dir(self, TRUE, NULL)) {
        judge_only(license, state, lost, sender, verdict);
        return TRUE;
    }
    store = seal_module_state_dir(self, TRUE, error) ? license_store_open(dir, error) : NULL;
    if (!store || !judge_and_write(store, dir, license, sender, count, verdict, &lost, error))
        return FALSE;
    if (lost)
        seal_module_warn(self, "%s; it was begun anew, without a trial", lost);
    return TRUE;
}

gboolean license_ask(SealModule *self, const SealAddress *sender, gboolean count,
                     LicenseVerdict *verdict, GError **error)
{
    g_autoptr(License) license = NULL;
    char *invalid = NULL;

    if (!license_current(self, &license, &invalid, error))
        return FALSE;
    if (invalid) {
        *verdict = (LicenseVerdict){.lapsed = TRUE, .warn = TRUE, .text = invalid};
        return TRUE;
    }
    return judge(self, license, sender, count, verdict, error);
}

/* -------------------------------------------------------------------------------------------
 * The stage
 */

static SealFallback on_lapse(SealModule *self)
{
    const char *word = seal_module_string(self, "on_lapse");

    return g_str_equal(word, "allow")    ? SEAL_FALLBACK_ALLOW
           : g_str_equal(word, "report") ? SEAL_FALLBACK_REPORT
                                         : SEAL_FALLBACK_REFUSE;
}

/* Who counts as the sender: the author, since applications share one envelope sender. */
static SealAddress *sender_of(const SealJob *job)
{
    SealAddress *author = seal_job_author(job);

    return author && seal_job_sender(job) ? author : seal_job_sender(job);
}

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    g_auto(LicenseVerdict) verdict = {0};

    if (seal_recipient_encrypt(recipient) == SEAL_NEED_NEVER &&
        seal_recipient_sign(recipient) == SEAL_NEED_NEVER) {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "neither encrypted nor signed");
        return TRUE;
    }
    if (!license_ask(self, sender_of(job), seal_job_entity(job) != NULL, &verdict, error))
        return FALSE;
    if (verdict.warn)
        seal_module_warn(self, "%s", verdict.text);
    if (verdict.lapsed) {
        seal_recipient_set_fallback(recipient, on_lapse(self));
        seal_decision_set_plan(decision, SEAL_PLAN_UNABLE, "lapsed", "licence lapsed: %s",
                               verdict.text);
    } else {
        seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "%s", verdict.text);
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

static const SealStage stage = {.size = sizeof stage, .name = "license", .plan = plan};
static const SealStage *const stages[] = {&stage, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "license",
    .version = "0.1.0",
    .summary = "Asks for a licence, or a trial, before anything is encrypted or signed",
    .settings = settings,
    .init = init,
    .fini = fini,
    .stages = stages,
    .checks = license_checks,
    .commands = license_commands,
};
