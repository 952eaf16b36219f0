/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring.c: chooses among the keys that the sources have. Not to find out is an error, never "no
 * key".
 */
#include "core/pipeline/keyring.h"

#include "core/pipeline/cause.h"
#include "core/pipeline/keyring-search.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"
#include "core/plugin/tables.h"

#include <string.h>

enum { MAX_REMEMBERED = 8 * 1024 * 1024 }; /* octets of look-ups, about */

static gboolean add_sources(SealKeyring *keyring, const SealSettings *settings,
                            const SealRegistry *registry, GError **error)
{
    const char *const *names = seal_settings_list(settings, "sources");
    gboolean shipped = seal_settings_is_preset(settings, "sources",
                                               seal_tables_preset(SEAL_TABLE_KEYRING, "sources"));

    for (; *names; names++) {
        const SealSourceEntry *source = seal_registry_source(registry, *names);

        if (source)
            g_ptr_array_add(keyring->sources, (gpointer)source);
        else if (!shipped)
            return seal_settings_refuse(settings, "sources", error,
                                        "no enabled module offers the key source \"%s\"", *names);
    }
    return TRUE;
}

SealKeyring *seal_keyring_new(const SealConfig *config, const SealRegistry *registry,
                              GError **error)
{
    g_autoptr(SealSettings) settings = seal_settings_new(
        "keyring", seal_config_group(config, "keyring"), SEAL_TABLE_KEYRING, NULL, error);
    if (!settings)
        return NULL;

    g_autoptr(SealKeyring) keyring = g_new0(SealKeyring, 1);
    keyring->sources = g_ptr_array_new();
    keyring->cache = seal_settings_number(settings, "cache") * G_USEC_PER_SEC;
    keyring->negative_cache = seal_settings_number(settings, "negative_cache") * G_USEC_PER_SEC;
    keyring->memory = seal_cache_new(MAX_REMEMBERED, seal_memory_free);
    if (!add_sources(keyring, settings, registry, error))
        return NULL;
    return g_steal_pointer(&keyring);
}

void seal_keyring_free(SealKeyring *keyring)
{
    if (!keyring)
        return;
    g_ptr_array_unref(keyring->sources);
    seal_cache_free(keyring->memory);
    g_free(keyring);
}

/* -------------------------------------------------------------------------------------------
 * Choosing
 */

static SealDecision *decide_on_key(SealSearch *search, const SealKey *key)
{
    SealDecision *decision =
        seal_job_decide(search->job, "key", seal_address_text(search->query->address));

    seal_decision_set_key(decision, seal_key_fingerprint(key));
    return decision;
}

/* TRUE with *@usable set, or FALSE on error. */
gboolean seal_search_judge(SealSearch *search, SealKey *key, SealAddress *address, gboolean *usable,
                           GError **error)
{
    const SealKeyQuery *query = search->query;
    SealDecision *decision = decide_on_key(search, key);

    if (seal_key_trust(key) < query->min_trust)
        seal_decision_set(decision, SEAL_VERDICT_SKIP, "trust",
                          "the key from key source %s is trusted as %s only, and min_trust is %s",
                          seal_key_source(key), seal_trust_name(seal_key_trust(key)),
                          seal_trust_name(query->min_trust));
    else if (!seal_format_usable(query->format, key, address, query->purpose, query->at, decision,
                                 error))
        return FALSE;
    *usable = seal_decision_verdict(decision) == SEAL_VERDICT_PASS;
    if (g_str_equal(seal_decision_code(decision), SEAL_CODE_IN_DOUBT))
        search->in_doubt = TRUE;
    if (!*usable && !search->why)
        search->why = g_strdup(seal_decision_text(decision));
    return TRUE;
}

static void take_usable(SealSearch *search, SealKey *usable)
{
    if (!search->query->among || seal_key_is_among(usable, search->query->among))
        g_ptr_array_add(search->found, seal_key_ref(usable));
    else if (!search->other)
        search->other = seal_key_ref(usable);
}

/* What is there already is better: to read mail, it takes more than to come into a source beside
 * the key of somebody who is trusted more. */
static gboolean is_beside_better(SealSearch *search, const SealKey *key)
{
    const SealKey *best = search->found->len > 0 ? g_ptr_array_index(search->found, 0) : NULL;

    if (best && seal_key_trust(key) < seal_key_trust(best))
        seal_decision_set(decide_on_key(search, key), SEAL_VERDICT_SKIP, "trust",
                          "the key from %s is trusted as %s only, and another one there as %s",
                          seal_key_place(key), seal_trust_name(seal_key_trust(key)),
                          seal_trust_name(seal_key_trust(best)));
    else if (search->found->len >= SEAL_MAX_RECIPIENT_KEYS)
        seal_decision_set(decide_on_key(search, key), SEAL_VERDICT_SKIP, "count",
                          "the key from %s is older than %d usable ones, and no more are used",
                          seal_key_place(key), SEAL_MAX_RECIPIENT_KEYS);
    else
        return FALSE;
    return TRUE;
}

/* Those of @keys that are usable as @address's: the first one, or every one. */
gboolean seal_search_find_usable(SealSearch *search, GPtrArray *keys, SealAddress *address,
                                 GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);
        gboolean usable = FALSE;

        if (search->found->len > 0 && !search->query->every)
            break;
        if (seal_keys_have(search->found, seal_key_fingerprint(key)) ||
            is_beside_better(search, key))
            continue;
        if (!seal_search_judge(search, key, address, &usable, error))
            return FALSE;
        if (usable)
            take_usable(search, key);
    }
    return TRUE;
}

static gboolean find_in_source(SealSearch *search, const SealSourceEntry *source,
                               SealAddress *address, GError **error)
{
    g_autoptr(GPtrArray) keys = seal_search_ask_merged(search, source, address, error);

    return keys && seal_search_find_usable(search, keys, address, error);
}

static gboolean ask_both_ways(SealSearch *search, const SealSourceEntry *source, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(search->query->address);

    if (!find_in_source(search, source, search->query->address, error))
        return FALSE;
    return search->found->len > 0 || !bare || find_in_source(search, source, bare, error);
}

/* Returns FALSE where the search must end in an error. */
static gboolean ask_source(SealSearch *search, const SealSourceEntry *source, GError **error)
{
    const char *subject = seal_address_text(search->query->address);
    GError *problem = NULL;

    if (seal_source_trust(source) < search->query->min_trust) {
        seal_decision_set(seal_job_decide(search->job, "source", subject), SEAL_VERDICT_SKIP,
                          "source-trust",
                          "key source %s is not asked: its keys are trusted as %s only, and "
                          "min_trust is %s",
                          source->table.name, seal_trust_name(seal_source_trust(source)),
                          seal_trust_name(search->query->min_trust));
        return TRUE;
    }
    if (ask_both_ways(search, source, &problem))
        return TRUE;
    if (!search->failed)
        return seal_search_pass_over(search, source, problem, error);
    g_propagate_error(error, problem);
    return FALSE;
}

/* Appends what was found to @keys, or says why nothing was; @ok: the search came to its end. */
gboolean seal_search_end(SealSearch *search, gboolean ok, GPtrArray *keys, char **ret_why,
                         char **ret_detail)
{
    g_autoptr(GPtrArray) found = g_steal_pointer(&search->found);
    const char *format = search->query->format->table.name;
    const char *address = seal_address_text(search->query->address);
    g_autofree char *why = NULL;
    g_autofree char *doubt = g_steal_pointer(&search->doubt);
    g_autofree char *detail = NULL;
    g_autoptr(SealKey) other = g_steal_pointer(&search->other);

    g_clear_pointer(&search->why, g_free);
    if (!ok) {
        g_clear_pointer(&search->detail, g_free);
        return FALSE;
    }
    if (found->len == 0 && other)
        g_ptr_array_add(found, g_steal_pointer(&other));
    if (found->len == 0) {
        g_autofree char *none =
            search->query->purpose == SEAL_PURPOSE_SIGN
                ? g_strdup_printf("no %s key here with which %s could sign", format, address)
                : g_strdup_printf("no %s key for %s", format, address);
        why = seal_cause_find(search->job->decisions, search->first, none).text;
    }
    if (doubt && !search->in_doubt) {
        seal_search_add_detail(search, doubt);
    } else if (found->len == 0 && doubt) {
        char *both = g_strjoin("; ", why, doubt, NULL);
        g_free(why);
        why = both;
    }
    detail = g_steal_pointer(&search->detail);
    if (ret_detail)
        *ret_detail = found->len == 0 ? g_steal_pointer(&detail) : NULL;
    *ret_why = found->len == 0 ? g_steal_pointer(&why) : NULL;
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
    return TRUE;
}

gboolean seal_keyring_find(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                           GCancellable *cancellable, GPtrArray *keys, char **why, char **detail,
                           gboolean *in_doubt, GError **error)
{
    SealSearch search = {.keyring = keyring,
                         .job = job,
                         .query = query,
                         .cancellable = cancellable,
                         .first = job->decisions->len,
                         .found = seal_keys_new()};
    gboolean ok = TRUE;

    for (guint i = 0; i < keyring->sources->len && ok && search.found->len == 0; i++)
        ok = ask_source(&search, g_ptr_array_index(keyring->sources, i), error);
    if (!seal_search_end(&search, ok, keys, why, detail))
        return FALSE;
    *in_doubt = *why && search.in_doubt;
    return TRUE;
}

char *seal_keyring_lack(SealKeyring *keyring, SealTrust min_trust, char **names)
{
    g_autoptr(GString) all = g_string_new(NULL), who = g_string_new(NULL);

    for (guint i = 0; i < keyring->sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(keyring->sources, i);
        g_autofree char *lack =
            seal_source_trust(source) < min_trust ? NULL : seal_source_lack(source);

        if (!lack)
            continue;
        g_string_append_printf(all, "%s%s", all->len > 0 ? "; " : "", lack);
        g_string_append_printf(who, "%s%s", who->len > 0 ? ", " : "", source->table.name);
    }
    *names = all->len > 0 ? g_strdup(who->str) : NULL;
    return all->len > 0 ? g_strdup(all->str) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Keys that others have signed with
 */

static gboolean collect_from(SealSearch *search, const SealSourceEntry *source,
                             SealAddress *address, GPtrArray *keys, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) found = seal_search_ask_merged(search, source, address, &problem);

    for (guint i = 0; found && i < found->len; i++)
        g_ptr_array_add(keys, seal_key_ref(g_ptr_array_index(found, i)));
    if (found || (seal_source_may_skip(source) && !search->failed))
        return TRUE;
    if (search->failed) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "key source %s could not find out: %s",
                source->table.name, problem->message);
    return FALSE;
}

static gboolean collect_for(SealSearch *search, SealAddress *address, GPtrArray *keys,
                            GError **error)
{
    g_autoptr(GPtrArray) found = seal_keys_new();
    GPtrArray *sources = search->keyring->sources;

    for (guint i = 0; i < sources->len; i++) {
        if (!collect_from(search, g_ptr_array_index(sources, i), address, keys, error))
            return FALSE;
    }
    if (!seal_format_signers(search->query->format, address, search->cancellable, found, error))
        return FALSE;
    seal_keys_keep_right(found, search->query, address);
    g_autoptr(GPtrArray) own = seal_search_merge(search, found, address, error);
    for (guint i = 0; own && i < own->len; i++)
        g_ptr_array_add(keys, seal_key_ref(g_ptr_array_index(own, i)));
    return own != NULL;
}

gboolean seal_keyring_collect(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                              GCancellable *cancellable, GPtrArray *keys, gboolean *in_doubt,
                              GError **error)
{
    SealSearch search = {
        .keyring = keyring, .job = job, .query = query, .cancellable = cancellable};
    g_autoptr(SealAddress) bare = seal_address_without_detail(query->address);

    gboolean ok = collect_for(&search, query->address, keys, error) &&
                  (!bare || collect_for(&search, bare, keys, error));
    g_free(search.doubt);
    g_free(search.detail);
    *in_doubt = search.in_doubt;
    return ok;
}

gboolean seal_keyring_judge(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                            SealKey *key, GCancellable *cancellable, char **why, GError **error)
{
    SealSearch search = {
        .keyring = keyring, .job = job, .query = query, .cancellable = cancellable};
    gboolean usable = FALSE;

    *why = NULL;
    if (!seal_search_judge(&search, key, query->address, &usable, error)) {
        g_free(search.why);
        return FALSE;
    }
    *why = search.why;
    return TRUE;
}
