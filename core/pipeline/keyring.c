/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring.c: asks the key sources. Not to find out is an error, never "no key".
 */
#include "core/pipeline/keyring.h"

#include "core/pipeline/cause.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"
#include "core/plugin/tables.h"

#include <string.h>

enum {
    MAX_KEYS = 1000,                  /* for one address, from one source */
    MAX_REMEMBERED = 8 * 1024 * 1024, /* octets of look-ups, about */
    MEMORY_SIZE = 512,                /* what each takes beside its keys */
};

/* What a source said of an address, and until when it is believed. */
typedef struct {
    GPtrArray *keys;
    char *doubt;     /* what the source could not read, or NULL */
    gint64 until;    /* monotonic, microseconds */
    guint64 changes; /* what the source, or all of them, said to that then */
} Memory;

struct SealKeyring {
    GPtrArray *sources; /* of SealSourceEntry, borrowed */
    gint64 cache;       /* microseconds, as is the next */
    gint64 negative_cache;
    SealCache *memory; /* "source\nformat\naddress" -> Memory; with "\ntrust" behind it, of keys
                          merged with their copies in sources of that trust */
};

/* One search for one key, or for all. */
typedef struct {
    SealKeyring *keyring;
    SealJob *job;
    const SealKeyQuery *query;
    GCancellable *cancellable;
    guint first;       /* of the job's decisions that are the search's */
    char *why;         /* why the first one was passed over */
    char *doubt;       /* what a source could not read */
    char *detail;      /* what else is for the log alone: it may name files */
    gboolean in_doubt; /* and is not to be passed over */
    GPtrArray *found;  /* of SealKey: those to use; NULL where one alone is judged */
    SealKey *other;    /* a usable one that is not among those that come first */
    gboolean failed;   /* another source than the one that was asked; that has been said */
} Search;

static GPtrArray *keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

static void memory_free(gpointer data)
{
    Memory *memory = data;

    g_ptr_array_unref(memory->keys);
    g_free(memory->doubt);
    g_free(memory);
}

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
    keyring->memory = seal_cache_new(MAX_REMEMBERED, memory_free);
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
 * Asking one source
 */

/* A source's keys are believed to be for an address only where they say so themselves. */
static void keep_right_ones(GPtrArray *keys, const SealKeyQuery *query, const SealAddress *address)
{
    for (guint i = keys->len; i > 0; i--) {
        const SealKey *key = g_ptr_array_index(keys, i - 1);

        if (!g_str_equal(seal_key_format(key), query->format->table.name) ||
            !seal_key_is_for(key, address))
            g_ptr_array_remove_index(keys, i - 1);
    }
}

/* The most trusted first, and of those the newest. */
static int best_first(gconstpointer a, gconstpointer b)
{
    const SealKey *one = *(SealKey *const *)a, *other = *(SealKey *const *)b;
    gint64 from_one = seal_key_valid_from(one), from_other = seal_key_valid_from(other);

    if (seal_key_trust(one) != seal_key_trust(other))
        return seal_key_trust(one) < seal_key_trust(other) ? 1 : -1;
    return from_one < from_other ? 1 : from_one > from_other ? -1 : 0;
}

/* No key may be missed for what cannot be read; each source says so once. */
static void take_doubt(Search *search, const SealSourceEntry *source, const char *doubt)
{
    if (!doubt)
        return;
    search->in_doubt = search->in_doubt || !seal_source_may_skip(source);
    if (search->doubt && strstr(search->doubt, doubt))
        return;
    char *all = search->doubt ? g_strjoin("; ", search->doubt, doubt, NULL) : g_strdup(doubt);
    g_free(search->doubt);
    search->doubt = all;
}

/* Takes @doubt over. */
static void remember_keys(SealKeyring *keyring, const char *name, GPtrArray *keys, char *doubt,
                          gint64 time, guint64 changes)
{
    Memory *memory = g_new0(Memory, 1);
    gsize weight = MEMORY_SIZE + (doubt ? strlen(doubt) : 0);

    for (guint i = 0; i < keys->len; i++)
        weight += seal_key_weight(g_ptr_array_index(keys, i));
    memory->keys = g_ptr_array_ref(keys);
    memory->doubt = doubt;
    memory->until = g_get_monotonic_time() + time;
    memory->changes = changes;
    seal_cache_put(keyring->memory, name, memory, weight);
}

/* What is remembered and still holds, or NULL. (borrowed) */
static const Memory *recall_keys(SealKeyring *keyring, const char *name, guint64 changes)
{
    const Memory *memory = seal_cache_find(keyring->memory, name);

    return memory && memory->until > g_get_monotonic_time() && memory->changes == changes ? memory
                                                                                          : NULL;
}

static GPtrArray *ask_keys(Search *search, const SealSourceEntry *source, SealAddress *address,
                           GError **error)
{
    SealKeyring *keyring = search->keyring;
    const char *format = search->query->format->table.name;
    g_autofree char *name =
        g_strjoin("\n", source->table.name, format, seal_address_key(address), NULL);
    /* Before it is asked: what changes meanwhile counts the next time. */
    guint64 changes = seal_source_changes(source, address, format);
    const Memory *known = recall_keys(keyring, name, changes);

    if (known) {
        take_doubt(search, source, known->doubt);
        return g_ptr_array_ref(known->keys);
    }

    g_autoptr(GPtrArray) keys = keys_new();
    g_autofree char *doubt = NULL;
    if (!seal_source_lookup(source, address, format, search->cancellable, keys, &doubt, error))
        return NULL;
    take_doubt(search, source, doubt);
    if (keys->len > MAX_KEYS) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s has more than %d keys for %s", source->table.name, MAX_KEYS,
                    seal_address_text(address));
        return NULL;
    }
    keep_right_ones(keys, search->query, address);
    g_ptr_array_sort(keys, best_first);

    remember_keys(keyring, name, keys, g_steal_pointer(&doubt),
                  keys->len ? keyring->cache : keyring->negative_cache, changes);
    return g_steal_pointer(&keys);
}

/* -------------------------------------------------------------------------------------------
 * Copies: one key may lie in several places, here with its revocation and there without
 */

static void add_detail(Search *search, const char *text)
{
    char *all = search->detail ? g_strjoin("; ", search->detail, text, NULL) : g_strdup(text);

    g_free(search->detail);
    search->detail = all;
}

/* TRUE where @problem of @source is passed over; a decision either way. Takes @problem over. */
static gboolean pass_over(Search *search, const SealSourceEntry *source, GError *problem,
                          GError **error)
{
    g_autoptr(GError) own = problem;
    gboolean skip = seal_source_may_skip(source);

    seal_decision_set(
        seal_job_decide(search->job, "source", seal_address_text(search->query->address)),
        skip ? SEAL_VERDICT_SKIP : SEAL_VERDICT_DEFER, "unavailable",
        "key source %s could not find out", source->table.name);
    seal_decision_set(
        seal_job_decide(search->job, "problem", seal_address_text(search->query->address)),
        SEAL_VERDICT_NONE, "unavailable", "key source %s: %s", source->table.name, own->message);
    if (skip)
        add_detail(search, own->message);
    if (!skip)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s could not find out: %s", source->table.name, own->message);
    return skip;
}

/* Whatever its trust: what a revocation says, the Format verifies. Only a source that would have to
 * look the address up anew is left alone where it is trusted too little to be asked. */
static gboolean ask_copies(Search *search, const SealSourceEntry *source, SealKey *key,
                           SealAddress *address, GPtrArray *copies, GError **error)
{
    if (source->table.copies)
        return seal_source_copies(source, key, search->cancellable, copies, error);
    if (seal_source_trust(source) < search->query->min_trust)
        return TRUE;
    g_autoptr(GPtrArray) keys = ask_keys(search, source, address, error);

    for (guint i = 0; keys && i < keys->len; i++) {
        SealKey *other = g_ptr_array_index(keys, i);

        if (g_str_equal(seal_key_fingerprint(other), seal_key_fingerprint(key)))
            g_ptr_array_add(copies, seal_key_ref(other));
    }
    return keys != NULL;
}

/* Appends those that @source has to @copies. */
static gboolean add_copies(Search *search, const SealSourceEntry *source, SealAddress *address,
                           GPtrArray *copies, GError **error)
{
    SealKey *key = g_ptr_array_index(copies, 0);
    g_autoptr(GPtrArray) found = keys_new();
    GError *problem = NULL;

    if (!ask_copies(search, source, key, address, found, &problem)) {
        if (pass_over(search, source, problem, error))
            return TRUE;
        search->failed = TRUE;
        return FALSE;
    }
    if (found->len > MAX_KEYS) {
        search->failed = TRUE;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "key source %s has more than %d copies of the key %s", source->table.name,
                    MAX_KEYS, seal_key_fingerprint(key));
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

/* @key with what every source has of it. (transfer full) */
static SealKey *merge_key(Search *search, SealKey *key, SealAddress *address, GError **error)
{
    gboolean merges = search->query->format->table.merge != NULL;
    GPtrArray *sources = search->keyring->sources;
    g_autoptr(GPtrArray) copies = keys_new();

    g_ptr_array_add(copies, seal_key_ref(key));
    for (guint i = 0; i < sources->len && merges; i++) {
        if (!add_copies(search, g_ptr_array_index(sources, i), address, copies, error))
            return NULL;
    }
    return copies->len == 1 ? seal_key_ref(key)
                            : seal_format_merge(search->query->format, copies, error);
}

static gboolean has_fingerprint(GPtrArray *keys, const char *fingerprint)
{
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)), fingerprint))
            return TRUE;
    }
    return FALSE;
}

static GPtrArray *merge_keys(Search *search, GPtrArray *keys, SealAddress *address, GError **error)
{
    g_autoptr(GPtrArray) merged = keys_new();

    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if (has_fingerprint(merged, seal_key_fingerprint(key)))
            continue;
        SealKey *one = merge_key(search, key, address, error);
        if (!one)
            return NULL;
        g_ptr_array_add(merged, one);
    }
    return g_steal_pointer(&merged);
}

/* Each of them only ever counts up. */
static guint64 all_changes(Search *search, SealAddress *address)
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
static GPtrArray *ask_merged(Search *search, const SealSourceEntry *source, SealAddress *address,
                             GError **error)
{
    SealKeyring *keyring = search->keyring;
    const SealKeyQuery *query = search->query;
    guint64 changes = query->format->table.merge ? all_changes(search, address) : 0;
    g_autoptr(GPtrArray) keys = ask_keys(search, source, address, error);

    if (!keys || keys->len == 0 || !query->format->table.merge)
        return g_steal_pointer(&keys);

    g_autofree char *name =
        g_strdup_printf("%s\n%s\n%s\n%d", source->table.name, query->format->table.name,
                        seal_address_key(address), (int)query->min_trust);
    const Memory *known = recall_keys(keyring, name, changes);
    if (known)
        return g_ptr_array_ref(known->keys);

    g_autoptr(GPtrArray) merged = merge_keys(search, keys, address, error);
    if (merged)
        remember_keys(keyring, name, merged, NULL, MIN(keyring->cache, keyring->negative_cache),
                      changes);
    return g_steal_pointer(&merged);
}

/* -------------------------------------------------------------------------------------------
 * Choosing
 */

static SealDecision *decide_on_key(Search *search, const SealKey *key)
{
    SealDecision *decision =
        seal_job_decide(search->job, "key", seal_address_text(search->query->address));

    seal_decision_set_key(decision, seal_key_fingerprint(key));
    return decision;
}

/* TRUE with *@usable set, or FALSE on error. */
static gboolean judge_key(Search *search, SealKey *key, SealAddress *address, gboolean *usable,
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

static void take_usable(Search *search, SealKey *usable)
{
    if (!search->query->among || seal_key_is_among(usable, search->query->among))
        g_ptr_array_add(search->found, seal_key_ref(usable));
    else if (!search->other)
        search->other = seal_key_ref(usable);
}

/* What is there already is better: to read mail, it takes more than to come into a source beside
 * the key of somebody who is trusted more. */
static gboolean is_beside_better(Search *search, const SealKey *key)
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
static gboolean find_usable(Search *search, GPtrArray *keys, SealAddress *address, GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);
        gboolean usable = FALSE;

        if (search->found->len > 0 && !search->query->every)
            break;
        if (has_fingerprint(search->found, seal_key_fingerprint(key)) ||
            is_beside_better(search, key))
            continue;
        if (!judge_key(search, key, address, &usable, error))
            return FALSE;
        if (usable)
            take_usable(search, key);
    }
    return TRUE;
}

static gboolean find_in_source(Search *search, const SealSourceEntry *source, SealAddress *address,
                               GError **error)
{
    g_autoptr(GPtrArray) keys = ask_merged(search, source, address, error);

    return keys && find_usable(search, keys, address, error);
}

static gboolean ask_both_ways(Search *search, const SealSourceEntry *source, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(search->query->address);

    if (!find_in_source(search, source, search->query->address, error))
        return FALSE;
    return search->found->len > 0 || !bare || find_in_source(search, source, bare, error);
}

/* Returns FALSE where the search must end in an error. */
static gboolean ask_source(Search *search, const SealSourceEntry *source, GError **error)
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
        return pass_over(search, source, problem, error);
    g_propagate_error(error, problem);
    return FALSE;
}

/* Appends what was found to @keys, or says why nothing was; @ok: the search came to its end. */
static gboolean end_search(Search *search, gboolean ok, GPtrArray *keys, char **ret_why,
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
        add_detail(search, doubt);
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

/* The usable one that the format has for @address. */
static gboolean find_own_key(Search *search, SealAddress *address, GError **error)
{
    g_autoptr(GPtrArray) keys = keys_new();

    if (!seal_format_signers(search->query->format, address, search->cancellable, keys, error))
        return FALSE;
    keep_right_ones(keys, search->query, address);
    g_ptr_array_sort(keys, best_first);
    return find_usable(search, keys, address, error);
}

static gboolean find_signer(SealJob *job, const SealFormatEntry *format, GCancellable *cancellable,
                            SealKey **signer, char **why, GError **error)
{
    SealKeyQuery query = {
        .address = job->author,
        .format = format,
        .purpose = SEAL_PURPOSE_SIGN,
        .at = g_get_real_time() / G_USEC_PER_SEC,
    };
    Search search = {.job = job,
                     .query = &query,
                     .cancellable = cancellable,
                     .first = job->decisions->len,
                     .found = keys_new()};
    g_autoptr(SealAddress) bare = seal_address_without_detail(job->author);
    g_autoptr(GPtrArray) found = keys_new();

    GError *problem = NULL;
    gboolean ok = find_own_key(&search, job->author, &problem) &&
                  (search.found->len > 0 || !bare || find_own_key(&search, bare, &problem));
    /* Of the keys, whatever its code: the message is not at fault. */
    if (problem) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, problem->message);
        g_error_free(problem);
    }
    if (!end_search(&search, ok, found, why, NULL))
        return FALSE;
    *signer = found->len > 0 ? seal_key_ref(g_ptr_array_index(found, 0)) : NULL;
    return TRUE;
}

/* Sources are not asked: a Format has its private keys itself. */
static gboolean find_signer_in(SealModule *self, SealJob *job, const char *format,
                               GCancellable *cancellable, SealKey **signer, SealCause *cause,
                               GError **error)
{
    const SealFormatEntry *entry = seal_registry_format(self->registry, format);
    guint first = job->decisions->len;

    if (!entry)
        cause->text = g_strdup_printf("there is no format %s", format);
    else if (!find_signer(job, entry, cancellable, signer, &cause->text, error))
        return FALSE;
    cause->rank = seal_cause_rank_of(job->decisions, first);
    return TRUE;
}

gboolean seal_module_find_signer(SealModule *self, SealJob *job, const char *const *formats,
                                 GCancellable *cancellable, SealKey **signer, char **why,
                                 gboolean *in_doubt, GError **error)
{
    guint first = job->decisions->len;
    g_autoptr(GArray) causes = g_array_new(FALSE, TRUE, sizeof(SealCause));
    g_autoptr(SealKey) found = NULL;

    g_array_set_clear_func(causes, (GDestroyNotify)seal_cause_clear);
    *why = NULL;
    for (; *formats && !found && job->author; formats++) {
        g_array_set_size(causes, causes->len + 1);
        if (!find_signer_in(self, job, *formats, cancellable, &found,
                            &g_array_index(causes, SealCause, causes->len - 1), error))
            return FALSE;
    }
    if (!found)
        *why = job->author ? seal_cause_tell((SealCause *)(void *)causes->data, causes->len)
                           : seal_job_no_author_reason(job);
    *in_doubt =
        !found && seal_cause_rank_of(job->decisions, first) == seal_cause_rank(SEAL_CODE_IN_DOUBT);
    *signer = g_steal_pointer(&found);
    return TRUE;
}

gboolean seal_keyring_find(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                           GCancellable *cancellable, GPtrArray *keys, char **why, char **detail,
                           gboolean *in_doubt, GError **error)
{
    Search search = {.keyring = keyring,
                     .job = job,
                     .query = query,
                     .cancellable = cancellable,
                     .first = job->decisions->len,
                     .found = keys_new()};
    gboolean ok = TRUE;

    for (guint i = 0; i < keyring->sources->len && ok && search.found->len == 0; i++)
        ok = ask_source(&search, g_ptr_array_index(keyring->sources, i), error);
    if (!end_search(&search, ok, keys, why, detail))
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

static gboolean collect_from(Search *search, const SealSourceEntry *source, SealAddress *address,
                             GPtrArray *keys, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) found = ask_merged(search, source, address, &problem);

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

static gboolean collect_for(Search *search, SealAddress *address, GPtrArray *keys, GError **error)
{
    g_autoptr(GPtrArray) found = keys_new();
    GPtrArray *sources = search->keyring->sources;

    for (guint i = 0; i < sources->len; i++) {
        if (!collect_from(search, g_ptr_array_index(sources, i), address, keys, error))
            return FALSE;
    }
    if (!seal_format_signers(search->query->format, address, search->cancellable, found, error))
        return FALSE;
    keep_right_ones(found, search->query, address);
    g_autoptr(GPtrArray) own = merge_keys(search, found, address, error);
    for (guint i = 0; own && i < own->len; i++)
        g_ptr_array_add(keys, seal_key_ref(g_ptr_array_index(own, i)));
    return own != NULL;
}

gboolean seal_keyring_collect(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                              GCancellable *cancellable, GPtrArray *keys, gboolean *in_doubt,
                              GError **error)
{
    Search search = {.keyring = keyring, .job = job, .query = query, .cancellable = cancellable};
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
    Search search = {.keyring = keyring, .job = job, .query = query, .cancellable = cancellable};
    gboolean usable = FALSE;

    *why = NULL;
    if (!judge_key(&search, key, query->address, &usable, error)) {
        g_free(search.why);
        return FALSE;
    }
    *why = search.why;
    return TRUE;
}
