/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * inspect.c: what sealctl shows of an open dispatcher: settings, checks, and what modules offer.
 */
#include "core/pipeline/archive.h"
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"
#include "core/plugin/tables.h"

#include <string.h>

#define MEND "mend that, then run sealctl check again"
#define ENABLE                                                                                     \
    "enable a module that encrypts, with a file in the configuration's folder; sealctl modules "   \
    "lists what is installed"
#define NO_MODULE "no module is enabled: no mail is encrypted or signed"

/* Mail that is to be encrypted, and nothing that could. */
static gboolean check_formats(const SealPipeline *pipeline, SealOut *out)
{
    const SealPolicy *policy;

    for (guint i = 0; (policy = seal_policies_nth(pipeline->policies, i)) != NULL; i++) {
        gboolean ready = policy->encrypt == SEAL_NEED_NEVER;

        for (guint n = 0; policy->formats[n] && !ready; n++)
            ready = seal_pipeline_format(pipeline, policy->formats[n]) != NULL;
        if (ready)
            continue;
        seal_out_row(out, "checks");
        seal_out_text(out, "check", "formats");
        seal_out_boolean(out, "ready", FALSE);
        seal_out_text(out, "problem", "%s", SEAL_NO_FORMAT);
        seal_out_end_row(out);
        seal_out_finding(out, SEAL_FINDING_PROBLEM, NULL, ENABLE, "%s", SEAL_NO_FORMAT);
        return FALSE;
    }
    return TRUE;
}

/* Then nothing is done with any mail, whatever policy says. */
static gboolean check_any(const SealRegistry *registry, SealOut *out)
{
    if (seal_registry_modules(registry)->len > 0)
        return TRUE;
    seal_out_row(out, "checks");
    seal_out_text(out, "check", "modules");
    seal_out_boolean(out, "ready", FALSE);
    seal_out_text(out, "problem", "%s", NO_MODULE);
    seal_out_end_row(out);
    seal_out_finding(out, SEAL_FINDING_PROBLEM, NULL, ENABLE, "%s", NO_MODULE);
    return FALSE;
}

/* The texts of findings in that state, in one line. (transfer full) */
static char *join_findings(SealOut *out, guint first, SealFindingState state)
{
    GPtrArray *findings = seal_out_findings(out);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = first; i < findings->len; i++) {
        const SealFinding *finding = g_ptr_array_index(findings, i);

        if (finding->state != state)
            continue;
        g_string_append_printf(text, "%s%s%s%s", text->len > 0 ? "; " : "", finding->text,
                               *finding->remedy ? ": " : "", finding->remedy);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean check_one(const SealCheckEntry *check, SealOut *out)
{
    guint first = seal_out_findings(out)->len;
    g_autoptr(GError) problem = NULL;

    seal_out_row(out, "checks");
    seal_out_text(out, "check", "%s", check->table.name);
    if (!seal_check_run(check, out, &problem))
        seal_out_finding(out, SEAL_FINDING_PROBLEM, NULL, MEND, "%s", problem->message);
    gboolean ready = seal_out_claim_findings(out, first, check->table.name);
    g_autofree char *warnings = join_findings(out, first, SEAL_FINDING_WARNING);
    g_autofree char *problems = join_findings(out, first, SEAL_FINDING_PROBLEM);
    if (*warnings)
        seal_out_text(out, "warning", "%s", warnings);
    seal_out_boolean(out, "ready", ready);
    seal_out_text(out, "problem", "%s", problem ? problem->message : problems);
    seal_out_end_row(out);
    return ready;
}

gboolean seal_dispatcher_check_modules(SealDispatcher *self, SealOut *out)
{
    GPtrArray *checks = seal_registry_checks(self->registry);
    gboolean ready = TRUE;

    for (guint i = 0; i < checks->len; i++)
        ready = check_one(g_ptr_array_index(checks, i), out) && ready;
    /* Without any there is no format either. */
    ready = check_any(self->registry, out) && check_formats(self->outbound, out) && ready;
    ready = seal_archive_inspect(self->outbound, out) && ready;
    for (guint i = 0; i < self->outbound->warnings->len; i++) {
        const char *warning = g_ptr_array_index(self->outbound->warnings, i);

        seal_out_row(out, "warnings");
        seal_out_text(out, "warning", "%s", warning);
        seal_out_end_row(out);
        seal_out_finding(out, SEAL_FINDING_WARNING, "pipelines",
                         "add it to [pipeline] outbound, or take the module's file out of the "
                         "configuration's folder",
                         "%s", warning);
    }
    return ready;
}

static void show_group(const SealConfig *config, const char *name, const SealSetting *table,
                       SealOut *out)
{
    g_autoptr(SealSettings) settings =
        seal_settings_new(name, seal_config_group(config, name), table, NULL, NULL);

    if (settings)
        seal_settings_show(settings, out);
}

/* Of a rule only what is written is in force; the rest is [policy]'s. */
static void show_rule(const SealGroup *group, SealOut *out)
{
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(group->values), (GCompareFunc)strcmp);

    for (GList *key = keys; key; key = key->next) {
        const SealPlace *place = g_hash_table_lookup(group->values, key->data);
        seal_settings_show_value(group->name, key->data, place->text, place, out);
    }
}

void seal_dispatcher_show_config(SealDispatcher *self, SealOut *out)
{
    GPtrArray *modules = seal_registry_modules(self->registry);
    GPtrArray *groups = seal_config_groups(self->config);

    seal_out_list(out, "settings");
    seal_settings_show(self->core, out);
    seal_settings_show(self->outbound->settings, out);
    show_group(self->config, "policy", SEAL_TABLE_POLICY, out);
    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);
        if (g_str_has_prefix(group->name, "rule "))
            show_rule(group, out);
    }
    show_group(self->config, "keyring", SEAL_TABLE_KEYRING, out);
    show_group(self->config, "daemon", SEAL_TABLE_DAEMON, out);
    show_group(self->config, "expiry", SEAL_TABLE_EXPIRY, out);
    for (guint i = 0; i < modules->len; i++)
        seal_settings_show(((SealModule *)g_ptr_array_index(modules, i))->settings, out);
}

/* -------------------------------------------------------------------------------------------
 * What modules offer, by name
 */

const SealCommand *seal_dispatcher_command(SealDispatcher *self, const char *name,
                                           SealModule **module)
{
    const SealCommandEntry *entry = seal_registry_command(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}

const SealFormat *seal_dispatcher_format(SealDispatcher *self, const char *name,
                                         SealModule **module)
{
    const SealFormatEntry *entry = seal_registry_format(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}

const SealSource *seal_dispatcher_source(SealDispatcher *self, const char *name,
                                         SealModule **module)
{
    const SealSourceEntry *entry = seal_registry_source(self->registry, name);

    if (entry)
        *module = entry->module;
    return entry ? &entry->table : NULL;
}
