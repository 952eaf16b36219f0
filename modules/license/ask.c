/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ask.c: what holds here: the licence and the state where the settings have them, and the verdict
 * on both.
 */
#include "license.h"

void license_answer_clear(LicenseAnswer *answer)
{
    license_free(answer->license);
    license_state_free(answer->state);
    g_free(answer->lost);
    license_verdict_clear(&answer->verdict);
    *answer = (LicenseAnswer){0};
}

/* The folder of the module's state. */
static char *find_dir(SealModule *self, GError **error)
{
    const char *dir = seal_module_state_dir(self, FALSE, error);

    return dir ? g_build_filename(dir, "license", NULL) : NULL;
}

/* Where the licence is, or would be put. */
static char *find_path(SealModule *self, GError **error)
{
    const char *file = seal_module_string(self, "file");
    g_autofree char *dir = *file ? NULL : find_dir(self, error);

    if (*file)
        return g_strdup(file);
    return dir ? g_build_filename(dir, "licence", NULL) : NULL;
}

static License *read_bytes(SealModule *self, GBytes *bytes, GError **error)
{
    const LicenseSetup *setup = seal_module_data(self);

    if (setup->has_key)
        return license_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                            setup->public_key, error);
    license_fail(error, SEAL_ERROR_KEY,
                 "there is no public key to verify it with; set public_key in [module license]");
    return NULL;
}

static gboolean find_license(SealModule *self, LicenseAnswer *answer, GError **error)
{
    g_autofree char *path = find_path(self, error);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = NULL;

    if (!path)
        return FALSE;
    if (license_read_file(path, LICENSE_MAX_FILE, &bytes, &problem) && bytes)
        answer->license = read_bytes(self, bytes, &problem);
    if (!problem)
        return TRUE;
    /* One that cannot be read is not known to be invalid. */
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    answer->invalid = TRUE;
    answer->verdict = (LicenseVerdict){
        .lapsed = TRUE,
        .warn = TRUE,
        .text = g_strdup_printf("the licence in %s is not valid: %s", path, problem->message)};
    return TRUE;
}

/* What has to be there and is not: a licence proper does not hang on a state that somebody took
 * away; but no trial follows it. FALSE: it cannot be told. */
static gboolean find_state(LicenseAnswer *answer, const char *dir, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!license_state_read(dir, &answer->state, &problem)) {
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        answer->lost = g_strdup(problem->message);
        if (!answer->license || license_is_evaluation(answer->license))
            return TRUE;
    }
    if (!answer->state)
        answer->state = license_state_new();
    if (answer->lost)
        answer->state->started = answer->state->until = 1;
    return TRUE;
}

/* By the state in @dir, whatever was judged before. What is to be remembered is written where it is
 * open. */
static gboolean judge_state(LicenseAnswer *answer, const char *dir, LicenseStore *store,
                            const SealAddress *sender, LicenseUse use, GError **error)
{
    LicenseVerdict *verdict = &answer->verdict;

    license_verdict_clear(verdict);
    g_clear_pointer(&answer->state, license_state_free);
    g_clear_pointer(&answer->lost, g_free);
    if (!find_state(answer, dir, error))
        return FALSE;
    if (!answer->state) {
        *verdict = (LicenseVerdict){.lapsed = TRUE, .warn = TRUE, .text = g_strdup(answer->lost)};
        return TRUE;
    }
    license_judge(answer->license, answer->state, sender, use, license_now(), verdict);
    return !store || !verdict->changed || license_state_write(store, answer->state, error);
}

/* Most of the time nothing is to be remembered, and nobody waits for a lock. */
static gboolean judge_here(SealModule *self, LicenseAnswer *answer, const char *dir,
                           const SealAddress *sender, LicenseUse use, GError **error)
{
    g_autoptr(LicenseStore) store = NULL;

    if (!judge_state(answer, dir, NULL, sender, use, error))
        return FALSE;
    if (!answer->verdict.changed || use == LICENSE_REHEARSED)
        return TRUE;
    if (!seal_module_state_dir(self, TRUE, error) || !(store = license_store_open(dir, error)) ||
        !judge_state(answer, dir, store, sender, use, error))
        return FALSE;
    if (answer->lost && answer->state)
        seal_module_warn(self, "%s; it was begun anew, without a trial", answer->lost);
    return TRUE;
}

gboolean license_ask(SealModule *self, const SealAddress *sender, LicenseUse use,
                     LicenseAnswer *answer, GError **error)
{
    if (!find_license(self, answer, error))
        return FALSE;

    g_autofree char *dir = find_dir(self, answer->invalid ? NULL : error);
    if (!answer->invalid)
        return dir && judge_here(self, answer, dir, sender, use, error);
    /* The verdict is that, whatever the state says. */
    if (dir)
        license_state_read(dir, &answer->state, NULL);
    return TRUE;
}

gboolean license_install(SealModule *self, GBytes *bytes, GError **error)
{
    g_auto(LicenseAnswer) answer = {0};
    g_autofree char *path = find_path(self, error);
    g_autofree char *dir = path ? find_dir(self, error) : NULL;
    gsize size = 0;
    gconstpointer data = g_bytes_get_data(bytes, &size);

    if (!dir || !(answer.license = read_bytes(self, bytes, error)))
        return FALSE;

    /* What it would do here, on a state that is thrown away. */
    g_autoptr(LicenseStore) store = license_store_open(dir, error);
    if (!store || !judge_state(&answer, dir, NULL, NULL, FALSE, error))
        return FALSE;
    if (answer.verdict.lapsed)
        return license_fail(error, SEAL_ERROR_KEY, "%s", answer.verdict.text);
    return seal_file_save(path, data, size, 0640, error);
}
