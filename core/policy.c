/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policy.c: turns the [policy] group into what holds for each recipient.
 */
#include "core/policy.h"

#include "core/key.h"
#include "core/tables.h"

struct SealPolicies {
    SealSettings *settings;
    SealPolicy base;
};

/* The place of a word among others, as the enums above order them. */
static guint word_index(const char *word, const char *const *words)
{
    for (guint i = 0; words[i]; i++) {
        if (g_str_equal(words[i], word))
            return i;
    }
    g_error("bug: \"%s\" is not among the words of its table", word);
}

static guint choice(const SealSettings *settings, const char *key, const char *const *words)
{
    return word_index(seal_settings_string(settings, key), words);
}

/* The default names formats that may not be installed; what a file names must be. */
static gboolean check_formats(const SealSettings *settings, const SealRegistry *registry,
                              GError **error)
{
    const char *const *formats = seal_settings_list(settings, "formats");

    if (!seal_settings_place(settings, "formats"))
        return TRUE;
    for (; *formats; formats++) {
        if (!seal_registry_format(registry, *formats))
            return seal_settings_refuse(settings, "formats", error,
                                        "no enabled module offers the format \"%s\"", *formats);
    }
    return TRUE;
}

SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                GError **error)
{
    static const char *const needs[] = {"never", "preferred", "required", NULL};
    static const char *const fallbacks[] = {"allow", "report", "refuse", NULL};
    static const char *const already[] = {"pass", "wrap", "refuse", NULL};
    g_autoptr(SealSettings) settings = seal_settings_new(
        "policy", seal_config_group(config, "policy"), SEAL_TABLE_POLICY, NULL, error);

    if (!settings || !check_formats(settings, registry, error))
        return NULL;

    SealPolicies *policies = g_new0(SealPolicies, 1);
    policies->base = (SealPolicy){
        .rule = "",
        .encrypt = (SealNeed)choice(settings, "encrypt", needs),
        .formats = seal_settings_list(settings, "formats"),
        .fallback = (SealFallback)choice(settings, "fallback", fallbacks),
        .encrypt_to_sender = seal_settings_boolean(settings, "encrypt_to_sender"),
        .already_sealed = (SealAlready)choice(settings, "already_sealed", already),
        .min_trust = seal_trust_parse(seal_settings_string(settings, "min_trust")),
    };
    policies->settings = g_steal_pointer(&settings);
    return policies;
}

void seal_policies_free(SealPolicies *policies)
{
    if (!policies)
        return;
    seal_settings_free(policies->settings);
    g_free(policies);
}

const SealPolicy *seal_policies_find(const SealPolicies *policies, SealJob *job,
                                     const SealRecipient *recipient)
{
    /* [policy] holds for all of them; rules will be asked here, first. */
    return &policies->base;
}

gboolean seal_policy_allows_clear(const SealPolicy *policy)
{
    return policy->encrypt != SEAL_NEED_REQUIRED || policy->fallback == SEAL_FALLBACK_ALLOW;
}
