/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring.c: asks the key sources in their order. Not to find out is an error, never "no key".
 */
#include "core/pipeline/keyring.h"

#include "core/pipeline/keyring-search.h"
#include "core/pipeline/trace.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"
#include "core/plugin/tables.h"

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

/* Whether it is asked for keys or not: a pin counts wherever it is. */
static void find_keepers(SealKeyring *keyring)
{
    GPtrArray *all = seal_registry_sources(keyring->registry);

    for (guint i = 0; i < all->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(all, i);

        if (!keyring->book && source->table.book)
            keyring->book = source;
        if (!keyring->past && source->table.recall && source->table.remember)
            keyring->past = source;
    }
}

SealKeyring *seal_keyring_new(const SealConfig *config, const SealRegistry *registry,
                              GError **error)
{
    g_autoptr(SealSettings) settings = seal_settings_new(
        "keyring", seal_config_group(config, "keyring"), SEAL_TABLE_KEYRING, NULL, error);
    if (!settings)
        return NULL;

    g_autoptr(SealKeyring) keyring = g_new0(SealKeyring, 1);
    keyring->registry = registry;
    keyring->sources = g_ptr_array_new();
    keyring->cache = seal_settings_number(settings, "cache") * G_USEC_PER_SEC;
    keyring->negative_cache = seal_settings_number(settings, "negative_cache") * G_USEC_PER_SEC;
    keyring->memory = seal_cache_new(MAX_REMEMBERED, seal_memory_free);
    keyring->down = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!add_sources(keyring, settings, registry, error))
        return NULL;
    find_keepers(keyring);
    return g_steal_pointer(&keyring);
}

void seal_keyring_free(SealKeyring *keyring)
{
    if (!keyring)
        return;
    g_ptr_array_unref(keyring->sources);
    g_clear_pointer(&keyring->down, g_hash_table_unref);
    seal_cache_free(keyring->memory);
    g_free(keyring);
}

/* -------------------------------------------------------------------------------------------
 * One source after the other
 */

static void find_free(gpointer data)
{
    SealFind *find = data;

    seal_address_unref(find->address);
    g_ptr_array_unref(find->keys);
    g_free(find);
}

/* What is for the whole domain comes behind every key of the person's own, from whatever source. */
static void keep_domain_keys(SealSearch *search, const SealFind *find)
{
    SealAddress *bare = seal_address_without_detail(find->address);
    SealFind *kept = g_new0(SealFind, 1);

    kept->source = find->source;
    kept->address = bare ? bare : seal_address_ref(find->address);
    kept->keys = seal_keys_new();
    for (guint i = find->keys->len; i > 0; i--) {
        SealKey *key = g_ptr_array_index(find->keys, i - 1);

        if (seal_key_serves(key, find->address) != SEAL_SERVES_DOMAIN)
            continue;
        g_ptr_array_add(kept->keys, seal_key_ref(key));
        g_ptr_array_remove_index(find->keys, i - 1);
    }
    if (!search->domain)
        search->domain = g_ptr_array_new_with_free_func(find_free);
    if (kept->keys->len > 0)
        g_ptr_array_add(search->domain, kept);
    else
        find_free(kept);
}

static gpointer copy_ref(gconstpointer key, gpointer unused)
{
    return seal_key_ref((SealKey *)key);
}

static gboolean find_in_source(SealSearch *search, const SealSourceEntry *source,
                               SealAddress *address, GError **error)
{
    g_autoptr(GPtrArray) all = seal_search_ask_merged(search, source, address, error);
    g_autoptr(GPtrArray) keys = seal_keys_new();
    const SealFind find = {source, address, keys};

    if (!all)
        return FALSE;
    seal_trace_source(search->job, search->query, source->table.name, address, all);
    g_ptr_array_extend(keys, all, copy_ref, NULL);
    keep_domain_keys(search, &find);
    return seal_search_find_usable(search, &find, error);
}

static gboolean ask_both_ways(SealSearch *search, const SealSourceEntry *source, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(search->query->address);
    guint had = search->found->len;

    if (!find_in_source(search, source, search->query->address, error))
        return FALSE;
    return search->found->len > had || !bare || find_in_source(search, source, bare, error);
}

/* Returns FALSE where the search must end in an error. */
static gboolean ask_source(SealSearch *search, const SealSourceEntry *source, GError **error)
{
    const SealKeyQuery *query = search->query;
    GError *problem = NULL;

    if (!seal_keyring_may_reach(query->format, source, query->min_trust)) {
        SealDecision *decision =
            seal_job_decide(search->job, "source", seal_address_text(query->address));

        seal_decision_set(
            decision, SEAL_VERDICT_SKIP, "source-trust",
            "key source %s is not asked: its keys are trusted as %s only, and min_trust is %s",
            source->table.name, seal_trust_name(seal_source_trust(source)),
            seal_trust_name(query->min_trust));
        seal_trace_search(search->job, decision, query, NULL, source->table.name);
        return TRUE;
    }
    if (ask_both_ways(search, source, &problem))
        return TRUE;
    if (!search->failed)
        return seal_search_pass_over(search, source, problem, error);
    g_propagate_error(error, problem);
    return FALSE;
}

/* Where all are to be shown, what would have ended the search does not. */
static gboolean goes_on(SealSearch *search, gboolean ok, GError *problem, GError **error)
{
    gboolean shows = search->query->seen != NULL;

    if (ok && search->found->len > 0 && !search->over)
        search->over = "it could serve, but another one comes before it";
    if (ok)
        return TRUE;
    search->failed = FALSE;
    if (shows && !search->stopped && search->found->len == 0) {
        search->stopped = problem;
        search->over = "it could serve, but a key source before it could not find out, and mail "
                       "waits for that";
    } else if (shows) {
        g_error_free(problem);
    } else {
        g_propagate_error(error, problem);
    }
    return shows;
}

static gboolean is_over(const SealSearch *search)
{
    return search->over && !search->query->seen;
}

static void tell_not_asked(SealSearch *search, guint first, const char *why)
{
    seal_trace_not_asked(search->job, search->query, search->keyring->sources, first, why);
}

static gboolean ask_sources(SealSearch *search, GError **error)
{
    GPtrArray *sources = search->keyring->sources;
    guint next = 0;

    while (next < sources->len && !is_over(search)) {
        GError *problem = NULL;
        gboolean ok = ask_source(search, g_ptr_array_index(sources, next++), &problem);

        if (!goes_on(search, ok, problem, error)) {
            tell_not_asked(search, next, "mail waits for one before it");
            return FALSE;
        }
    }
    tell_not_asked(search, next, "one before it has a key");
    for (guint i = 0; search->domain && i < search->domain->len && !is_over(search); i++) {
        GError *problem = NULL;
        const SealFind *find = g_ptr_array_index(search->domain, i);
        gboolean ok = seal_search_find_usable(search, find, &problem);

        if (!goes_on(search, ok, problem, error))
            return FALSE;
    }
    return TRUE;
}

static void tell_pinned(SealSearch *search)
{
    const char *address = seal_address_text(search->query->address);

    if (search->found->len == 0 && !search->other) {
        SealDecision *decision = seal_job_decide(search->job, "source", address);

        seal_decision_set(decision, SEAL_VERDICT_SKIP, "pinned",
                          "the key that is pinned for %s is not fit, and no other is used",
                          address);
        seal_trace_search(search->job, decision, search->query, NULL, NULL);
    }
    seal_search_tell_pinned(search);
}

/* What is pinned alone is used, fit or not. */
static gboolean search_all(SealSearch *search, GError **error)
{
    SealFind pinned = {0};
    gboolean ok = seal_search_find_pinned(search, &pinned, error);

    if (ok && pinned.keys) {
        ok = seal_search_find_usable(search, &pinned, error);
        if (ok)
            tell_pinned(search);
    }
    g_clear_pointer(&pinned.address, seal_address_unref);
    g_clear_pointer(&pinned.keys, g_ptr_array_unref);
    if (!ok || is_over(search)) {
        tell_not_asked(search, 0, "a key is pinned");
        return ok;
    }
    if (!ask_sources(search, error))
        return FALSE;
    if (!search->stopped)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&search->stopped));
    return FALSE;
}

/* Whatever its code, the message is not at fault. */
static gboolean run_search(SealSearch *search, GError **error)
{
    GError *problem = NULL;

    if (search_all(search, &problem))
        return TRUE;
    problem->domain = SEAL_ERROR;
    problem->code = SEAL_ERROR_UNAVAILABLE;
    g_propagate_error(error, problem);
    return FALSE;
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
    gboolean ok = run_search(&search, error);

    if (ok) {
        seal_search_end(&search, keys, why, detail);
        *in_doubt = *why && search.in_doubt;
    }
    seal_search_clear(&search);
    return ok;
}

/* As some Format would have its keys. */
static gboolean may_reach_any(const SealKeyring *keyring, const SealSourceEntry *source,
                              SealTrust trust)
{
    GPtrArray *formats = seal_registry_formats(keyring->registry);

    for (guint i = 0; i < formats->len; i++) {
        if (seal_keyring_may_reach(g_ptr_array_index(formats, i), source, trust))
            return TRUE;
    }
    return FALSE;
}

char *seal_keyring_lack(SealKeyring *keyring, SealTrust min_trust, char **names)
{
    g_autoptr(GString) all = g_string_new(NULL), who = g_string_new(NULL);

    for (guint i = 0; i < keyring->sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(keyring->sources, i);
        g_autofree char *lack =
            may_reach_any(keyring, source, min_trust) ? seal_source_lack(source) : NULL;

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

/* What is the domain's, or given to somebody by hand, has signed for nobody. */
static void add_named(GPtrArray *keys, GPtrArray *found, const SealAddress *address)
{
    for (guint i = 0; i < found->len; i++) {
        SealKey *key = g_ptr_array_index(found, i);

        if (seal_key_is_for(key, address))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
}

static gboolean collect_from(SealSearch *search, const SealSourceEntry *source,
                             SealAddress *address, GPtrArray *keys, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) found = seal_search_ask_merged(search, source, address, &problem);

    if (found)
        add_named(keys, found, address);
    if (found || (seal_source_may_skip(source, search->gave) && !search->failed))
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
    if (own)
        add_named(keys, own, address);
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
    *in_doubt = search.in_doubt;
    seal_search_clear(&search);
    return ok;
}

gboolean seal_keyring_judge(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                            SealKey *key, GCancellable *cancellable, char **why, GError **error)
{
    SealSearch search = {
        .keyring = keyring, .job = job, .query = query, .cancellable = cancellable};
    g_autoptr(SealKey) lifted = seal_search_lift(&search, key, query->address, error);
    SealDecision *decision = NULL;

    *why = NULL;
    gboolean ok = lifted && seal_search_judge(&search, lifted, query->address, SEAL_SERVES_ADDRESS,
                                              &decision, error);
    if (ok && seal_decision_verdict(decision) != SEAL_VERDICT_PASS)
        *why = g_strdup(seal_decision_text(decision));
    job->signature_in_doubt = job->signature_in_doubt || search.in_doubt;
    seal_search_clear(&search);
    return ok;
}
