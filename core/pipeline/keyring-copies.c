/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-copies.c: one key may lie in several places, here with its revocation and there without.
 */
#include "core/pipeline/keyring-search.h"
#include "core/pipeline/trace.h"

#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

void seal_search_clear(SealSearch *search)
{
    g_clear_pointer(&search->doubt, g_free);
    g_clear_pointer(&search->detail, g_free);
    g_clear_pointer(&search->found, g_ptr_array_unref);
    g_clear_pointer(&search->other, seal_key_unref);
    g_clear_pointer(&search->pages, g_ptr_array_unref);
    g_clear_pointer(&search->proven, g_ptr_array_unref);
    g_clear_pointer(&search->domain, g_ptr_array_unref);
    g_clear_error(&search->stopped);
}

void seal_search_add_detail(SealSearch *search, const char *text)
{
    char *all = search->detail ? g_strjoin("; ", search->detail, text, NULL) : g_strdup(text);

    g_free(search->detail);
    search->detail = all;
}

gboolean seal_search_pass_over(SealSearch *search, const SealSourceEntry *source, GError *problem,
                               GError **error)
{
    g_autoptr(GError) own = problem;
    gboolean skip = seal_source_may_skip(source, search->gave);
    gboolean gave = !skip && seal_source_may_skip(source, FALSE);

    SealDecision *decision =
        seal_job_decide(search->job, "source", seal_address_text(search->query->address));

    seal_trace_search(search->job, decision, search->query, NULL, source->table.name);
    seal_decision_set(decision, skip ? SEAL_VERDICT_SKIP : SEAL_VERDICT_DEFER, "unavailable",
                      "key source %s could not find out%s", source->table.name,
                      gave ? ", and has had a key for the address before" : "");
    seal_decision_set(
        seal_job_decide(search->job, "problem", seal_address_text(search->query->address)),
        SEAL_VERDICT_NONE, "unavailable", "key source %s: %s", source->table.name, own->message);
    if (skip)
        seal_search_add_detail(search, own->message);
    if (!skip)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s could not find out%s: %s", source->table.name,
                    gave ? ", and has had a key for the address before" : "", own->message);
    return skip;
}

/* Whatever its trust: what a revocation says, the Format verifies. Only a source that would have to
 * look the address up anew is left alone where it is trusted too little to be asked. */
static gboolean ask_copies(SealSearch *search, const SealSourceEntry *source, SealKey *key,
                           SealAddress *address, GPtrArray *copies, GError **error)
{
    if (source->table.copies)
        return !seal_search_is_down(search, source, error) &&
               seal_source_copies(source, key, search->cancellable, copies, error);
    if (!seal_keyring_may_reach(search->query->format, source, search->query->min_trust))
        return TRUE;
    g_autoptr(GPtrArray) keys = seal_search_ask(search, source, address, error);

    for (guint i = 0; keys && i < keys->len; i++) {
        SealKey *other = g_ptr_array_index(keys, i);

        if (g_str_equal(seal_key_fingerprint(other), seal_key_fingerprint(key)))
            g_ptr_array_add(copies, seal_key_ref(other));
    }
    return keys != NULL;
}

/* What lies behind a network and does not answer holds up no key that another source has. Takes
 * @problem over. */
static void leave_out(SealSearch *search, const SealSourceEntry *source, GError *problem)
{
    const char *subject = seal_address_text(search->query->address);
    g_autoptr(GError) own = problem;

    SealDecision *decision = seal_job_decide(search->job, "source", subject);

    search->partly = TRUE;
    seal_trace_search(search->job, decision, search->query, NULL, source->table.name);
    if (!g_error_matches(own, SEAL_ERROR, SEAL_ERROR_KEY))
        seal_keyring_note_down(search->keyring, source);
    seal_decision_set(
        decision, SEAL_VERDICT_SKIP, "unavailable",
        "key source %s could not be asked: what else it has of a key that another one "
        "has does not count",
        source->table.name);
    seal_decision_set(seal_job_decide(search->job, "problem", subject), SEAL_VERDICT_NONE,
                      "unavailable", "key source %s: %s", source->table.name, own->message);
}

/* Takes @problem over. */
static gboolean fail_copies(SealSearch *search, const SealSourceEntry *source, GError *problem,
                            GError **error)
{
    if (source->table.flags & SEAL_SOURCE_REMOTE) {
        leave_out(search, source, problem);
        return TRUE;
    }
    search->gave = FALSE;
    search->failed = !seal_search_pass_over(search, source, problem, error);
    return !search->failed;
}

/* Appends those that @source has to @copies. */
static gboolean add_copies(SealSearch *search, const SealSourceEntry *source, SealAddress *address,
                           GPtrArray *copies, GError **error)
{
    SealKey *key = g_ptr_array_index(copies, 0);
    g_autoptr(GPtrArray) found = seal_keys_new();
    GError *problem = NULL;

    search->for_copies = TRUE;
    gboolean asked = ask_copies(search, source, key, address, found, &problem);
    search->for_copies = FALSE;
    if (!asked)
        return fail_copies(search, source, problem, error);
    if (found->len > SEAL_MAX_SOURCE_KEYS) {
        search->failed = TRUE;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s has more than %d copies of the key %s", source->table.name,
                    SEAL_MAX_SOURCE_KEYS, seal_key_fingerprint(key));
        return FALSE;
    }
    for (guint i = 0; i < found->len; i++) {
        SealKey *copy = g_ptr_array_index(found, i);

        if (g_str_equal(seal_key_format(copy), seal_key_format(key)) &&
            !g_ptr_array_find(copies, copy, NULL))
            g_ptr_array_add(copies, seal_key_ref(copy));
    }
    return TRUE;
}

/* Sources of more trust alone count there, so those that others write to are not asked. */
static gboolean add_elsewhere(SealSearch *search, SealAddress *address, GPtrArray *keys,
                              GError **error)
{
    GPtrArray *sources = search->keyring->sources;

    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);
        GError *problem = NULL;

        if (seal_source_trust(source) < SEAL_TRUST_VERIFIED)
            continue;
        search->for_copies = TRUE;
        g_autoptr(GPtrArray) found = seal_search_ask(search, source, address, &problem);
        search->for_copies = FALSE;
        if (!found && !fail_copies(search, source, problem, error))
            return FALSE;
        for (guint k = 0; found && k < found->len; k++)
            g_ptr_array_add(keys, seal_key_ref(g_ptr_array_index(found, k)));
    }
    return TRUE;
}

/* What is said of a key of another format here is none of this search's doubts. */
static gboolean ask_as(SealSearch *search, const SealFormatEntry *format, SealAddress *address,
                       GPtrArray *keys, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(address);
    SealKeyQuery query = *search->query;
    SealSearch other = {.keyring = search->keyring,
                        .job = search->job,
                        .query = &query,
                        .cancellable = search->cancellable};

    query.format = format;
    gboolean ok = add_elsewhere(&other, address, keys, error) &&
                  (!bare || add_elsewhere(&other, bare, keys, error));
    search->failed = search->failed || other.failed;
    seal_search_clear(&other);
    return ok;
}

GPtrArray *seal_search_ask_elsewhere(SealSearch *search, SealAddress *address, GError **error)
{
    GPtrArray *formats = seal_registry_formats(search->keyring->registry);
    g_autoptr(GPtrArray) keys = seal_keys_new();

    for (guint i = 0; i < formats->len; i++) {
        if (!ask_as(search, g_ptr_array_index(formats, i), address, keys, error))
            return NULL;
    }
    return g_steal_pointer(&keys);
}

/* @key with what every source has of it. (transfer full) */
static SealKey *merge_key(SealSearch *search, SealKey *key, SealAddress *address, GError **error)
{
    gboolean merges = search->query->format->table.merge != NULL;
    GPtrArray *sources = search->keyring->sources;
    g_autoptr(GPtrArray) copies = seal_keys_new();

    g_ptr_array_add(copies, seal_key_ref(key));
    for (guint i = 0; i < sources->len && merges; i++) {
        if (!add_copies(search, g_ptr_array_index(sources, i), address, copies, error))
            return NULL;
    }
    return copies->len == 1 ? seal_key_ref(key)
                            : seal_format_merge(search->query->format, copies, error);
}

GPtrArray *seal_search_merge(SealSearch *search, GPtrArray *keys, SealAddress *address,
                             GError **error)
{
    g_autoptr(GPtrArray) merged = seal_keys_new();

    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if (seal_keys_find(merged, seal_key_fingerprint(key)))
            continue;
        SealKey *one = merge_key(search, key, address, error);
        if (!one)
            return NULL;
        g_ptr_array_add(merged, one);
    }
    return g_steal_pointer(&merged);
}

/* Each of them only ever counts up. */
static guint64 all_changes(SealSearch *search, SealAddress *address)
{
    GPtrArray *sources = search->keyring->sources;
    guint64 sum = 0;

    for (guint i = 0; i < sources->len; i++)
        sum += seal_source_changes(g_ptr_array_index(sources, i), address,
                                   search->query->format->table.name);
    return sum;
}

/* The keys that @source has for @address, each merged with its copies. That a source has none of
 * them is believed as long as that it has no key. */
GPtrArray *seal_search_ask_merged(SealSearch *search, const SealSourceEntry *source,
                                  SealAddress *address, GError **error)
{
    SealKeyring *keyring = search->keyring;
    const SealKeyQuery *query = search->query;
    guint64 changes = query->format->table.merge ? all_changes(search, address) : 0;
    g_autoptr(GPtrArray) keys = seal_search_ask(search, source, address, error);

    if (!keys || keys->len == 0 || !query->format->table.merge)
        return g_steal_pointer(&keys);

    g_autofree char *name =
        g_strdup_printf("%s\n%s\n%s\n%d", source->table.name, query->format->table.name,
                        seal_address_key(address), (int)query->min_trust);
    const SealMemory *known = seal_search_recall(keyring, name, changes);
    if (known)
        return g_ptr_array_ref(known->keys);

    search->partly = FALSE;
    g_autoptr(GPtrArray) merged = seal_search_merge(search, keys, address, error);
    gint64 time = MIN(keyring->cache, keyring->negative_cache);
    if (merged)
        seal_search_remember(keyring, name, merged, NULL,
                             search->partly ? MIN(time, SEAL_DOWN_TIME * G_USEC_PER_SEC) : time,
                             changes);
    search->gave = TRUE;
    return g_steal_pointer(&merged);
}
