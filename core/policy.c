/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * policy.c: turns the [policy] group into what holds for each recipient.
 */
#include "core/policy.h"

#include "core/key.h"
#include "core/tables.h"

struct SealPolicies {
    SealSettings *settings;
    GPtrArray *formats;
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

/* The default names formats that may not be installed; what a file names must be. (transfer full,
 * NULL-terminated, the names borrowed) */
static GPtrArray *read_formats(const SealSettings *settings, const SealRegistry *registry,
                               GError **error)
{
    const char *const *names = seal_settings_list(settings, "formats");
    g_autoptr(GPtrArray) formats = g_ptr_array_new();

    for (; *names; names++) {
        if (seal_registry_format(registry, *names)) {
            g_ptr_array_add(formats, (gpointer)*names);
        } else if (seal_settings_place(settings, "formats")) {
            seal_settings_refuse(settings, "formats", error,
                                 "no enabled module offers the format \"%s\"", *names);
            return NULL;
        }
    }
    g_ptr_array_add(formats, NULL);
    return g_steal_pointer(&formats);
}

/* What must be signed needs a stage that does it. */
static gboolean check_sign(const SealSettings *settings, gboolean can_sign, GError **error)
{
    if (can_sign || !g_str_equal(seal_settings_string(settings, "sign"), "required"))
        return TRUE;
    return seal_settings_refuse(settings, "sign", error,
                                "no stage that signs stands in [pipeline] outbound");
}

SealPolicies *seal_policies_new(const SealConfig *config, const SealRegistry *registry,
                                gboolean can_sign, GError **error)
{
    static const char *const needs[] = {"never", "preferred", "required", NULL};
    static const char *const fallbacks[] = {"allow", "report", "refuse", NULL};
    static const char *const already[] = {"pass", "wrap", "refuse", NULL};
    g_autoptr(SealSettings) settings = seal_settings_new(
        "policy", seal_config_group(config, "policy"), SEAL_TABLE_POLICY, NULL, error);

    if (!settings || !check_sign(settings, can_sign, error))
        return NULL;
    GPtrArray *formats = read_formats(settings, registry, error);
    if (!formats)
        return NULL;

    SealPolicies *policies = g_new0(SealPolicies, 1);
    policies->base = (SealPolicy){
        .rule = "",
        .encrypt = (SealNeed)choice(settings, "encrypt", needs),
        .sign = (SealNeed)choice(settings, "sign", needs),
        .formats = (const char *const *)formats->pdata,
        .fallback = (SealFallback)choice(settings, "fallback", fallbacks),
        .encrypt_to_sender = seal_settings_boolean(settings, "encrypt_to_sender"),
        .already_sealed = (SealAlready)choice(settings, "already_sealed", already),
        .keep_signed = g_str_equal(seal_settings_string(settings, "already_signed"), "keep"),
        .min_trust = seal_trust_parse(seal_settings_string(settings, "min_trust")),
    };
    policies->formats = formats;
    policies->settings = g_steal_pointer(&settings);
    return policies;
}

void seal_policies_free(SealPolicies *policies)
{
    if (!policies)
        return;
    seal_settings_free(policies->settings);
    g_ptr_array_unref(policies->formats);
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
