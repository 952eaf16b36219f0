/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-choose.c: which of the keys that are there serve, and why each of the others does not.
 */
#include "core/pipeline/cause.h"
#include "core/pipeline/keyring-search.h"
#include "core/pipeline/trace.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

#include <string.h>

SealDecision *seal_search_decide(SealSearch *search, SealKey *key, SealServes serves)
{
    SealDecision *decision =
        seal_job_decide(search->job, "key", seal_address_text(search->query->address));

    seal_decision_set_key(decision, seal_key_fingerprint(key));
    seal_trace_search(search->job, decision, search->query, key, NULL);
    if (search->query->seen) {
        const SealKeySeen seen = {seal_key_ref(key), serves, decision};

        g_array_append_val(search->query->seen, seen);
    }
    return decision;
}

/* What people know of it beside that it is fit. */
static void tell_more(SealDecision *decision, const SealKey *key, const SealAddress *address,
                      SealServes serves)
{
    g_autoptr(GString) text = g_string_new(seal_decision_text(decision));
    g_autofree char *code = g_strdup(seal_decision_code(decision));

    if (serves == SEAL_SERVES_DOMAIN)
        g_string_append_printf(text, "; it is the key of the domain %s",
                               seal_address_domain(address));
    if (serves == SEAL_SERVES_BOUND)
        g_string_append(text, "; the operator has given it to the address");
    if (seal_key_proven_by(key))
        g_string_append_printf(text, "; it is trusted as %s by %s",
                               seal_trust_name(seal_key_trust(key)), seal_key_proven_by(key));
    seal_decision_set(decision, seal_decision_verdict(decision), code, "%s", text->str);
}

/* By that word it can be counted. */
static void tell_unsupported(SealDecision *decision)
{
    g_autofree char *text = g_strdup(seal_decision_text(decision));

    if (!strstr(text, SEAL_CODE_UNSUPPORTED))
        seal_decision_set(decision, SEAL_VERDICT_SKIP, SEAL_CODE_UNSUPPORTED,
                          SEAL_CODE_UNSUPPORTED ": %s", text);
}

/* What vouches for a key lifts it to verified, and no higher. */
static void tell_trust(SealDecision *decision, const SealKey *key, SealTrust needed)
{
    seal_decision_set(
        decision, SEAL_VERDICT_SKIP, "trust",
        "the key from key source %s is trusted as %s only, and min_trust is %s%s",
        seal_key_source(key), seal_trust_name(seal_key_trust(key)), seal_trust_name(needed),
        needed <= SEAL_TRUST_VERIFIED ? ", and no trust anchor or introducer vouches for it" : "");
}

gboolean seal_search_judge(SealSearch *search, SealKey *key, SealAddress *address,
                           SealServes serves, SealDecision **ret_decision, GError **error)
{
    const SealKeyQuery *query = search->query;
    SealDecision *decision = seal_search_decide(search, key, serves);

    if (seal_key_trust(key) < query->min_trust)
        tell_trust(decision, key, query->min_trust);
    else if (!seal_format_usable(query->format, key, serves == SEAL_SERVES_ADDRESS ? address : NULL,
                                 query->purpose, query->at, decision, error))
        return FALSE;
    if (g_strcmp0(seal_decision_code(decision), SEAL_CODE_UNSUPPORTED) == 0)
        tell_unsupported(decision);
    if (g_strcmp0(seal_decision_code(decision), SEAL_CODE_IN_DOUBT) == 0)
        search->in_doubt = TRUE;
    if (seal_decision_verdict(decision) == SEAL_VERDICT_PASS)
        tell_more(decision, key, address, serves);
    *ret_decision = decision;
    return TRUE;
}

static void take_usable(SealSearch *search, SealKey *usable)
{
    if (!search->query->among || seal_key_is_among(usable, search->query->among))
        g_ptr_array_add(search->found, seal_key_ref(usable));
    else if (!search->other)
        search->other = seal_key_ref(usable);
}

/* -------------------------------------------------------------------------------------------
 * The keys of one source
 */

/* The keys of one source while they are judged. */
typedef struct {
    const SealFind *find;
    SealWatching watching;
    GPtrArray *offered; /* as far as they are believed, the best first */
    guint had;          /* how many were found before these */
} Choice;

static void choice_clear(Choice *choice)
{
    seal_watching_clear(&choice->watching);
    g_clear_pointer(&choice->offered, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Choice, choice_clear)

/* The most trusted first, then those that name the address, then the newest. */
static int better_first(gconstpointer a, gconstpointer b, gpointer address)
{
    const SealKey *one = *(SealKey *const *)a, *other = *(SealKey *const *)b;
    SealServes serves_one = seal_key_serves(one, address);
    SealServes serves_other = seal_key_serves(other, address);

    if (seal_key_trust(one) == seal_key_trust(other) && serves_one != serves_other)
        return serves_one < serves_other ? -1 : 1;
    return seal_keys_best_first(a, b);
}

static gboolean begin_choice(SealSearch *search, const SealFind *find, Choice *choice,
                             GError **error)
{
    choice->find = find;
    choice->had = search->found->len;
    choice->offered = seal_keys_new();
    for (guint i = 0; i < find->keys->len; i++) {
        SealKey *key =
            seal_search_lift(search, g_ptr_array_index(find->keys, i), find->address, error);

        if (!key)
            return FALSE;
        g_ptr_array_add(choice->offered, key);
    }
    g_ptr_array_sort_with_data(choice->offered, better_first, find->address);
    return seal_search_begin_watching(search, find, &choice->watching, error);
}

/* What a key is to the address by all that is known; what is written down of it counts as given. */
static SealServes serves_of(const SealKey *key, const SealAddress *address)
{
    SealServes serves = seal_key_serves(key, address);

    return serves == SEAL_SERVES_NOT ? SEAL_SERVES_BOUND : serves;
}

/* The search goes on to show all there are, or to find all that are to be written down at once. */
static gboolean goes_on(const SealSearch *search, const Choice *choice)
{
    const SealKeyQuery *query = search->query;

    return search->found->len == choice->had || query->every || query->seen ||
           choice->watching.is_first;
}

/* What is there already is better: to read mail, it takes more than to come into a source beside
 * the key of somebody who is trusted more. */
static gboolean is_beside_better(SealSearch *search, const Choice *choice, SealKey *key)
{
    const SealKey *best =
        search->found->len > choice->had ? g_ptr_array_index(search->found, choice->had) : NULL;
    SealServes serves = serves_of(key, choice->find->address);

    if (best && seal_key_trust(key) < seal_key_trust(best))
        seal_decision_set(seal_search_decide(search, key, serves), SEAL_VERDICT_SKIP, "trust",
                          "the key from %s is trusted as %s only, and another one there as %s",
                          seal_key_place(key), seal_trust_name(seal_key_trust(key)),
                          seal_trust_name(seal_key_trust(best)));
    else if (best && search->found->len >= SEAL_MAX_RECIPIENT_KEYS)
        seal_decision_set(seal_search_decide(search, key, serves), SEAL_VERDICT_SKIP, "count",
                          "the key from %s is older than %d usable ones, and no more are used",
                          seal_key_place(key), SEAL_MAX_RECIPIENT_KEYS);
    else
        return FALSE;
    return TRUE;
}

/* A fit key that is not needed any more: people are told so. */
static void pass_by(const SealSearch *search, SealDecision *decision)
{
    if (search->query->seen)
        seal_decision_set(decision, SEAL_VERDICT_SKIP, search->pinned ? "pinned" : "beaten", "%s",
                          search->over ? search->over
                                       : "it could serve, but a better one there comes before it");
}

static gboolean judge_one(SealSearch *search, Choice *choice, SealKey *key, GError **error)
{
    SealAddress *address = choice->find->address;
    SealServes serves = serves_of(key, address);
    SealDecision *decision = NULL;
    gboolean admitted = FALSE;

    if (!seal_search_judge(search, key, address, serves, &decision, error))
        return FALSE;
    if (seal_decision_verdict(decision) != SEAL_VERDICT_PASS)
        return TRUE;
    if (!search->pinned &&
        !seal_search_admit(search, &choice->watching, key, decision, &admitted, error))
        return FALSE;
    if (!admitted && !search->pinned)
        return TRUE;
    if (search->over || (search->found->len > choice->had && !search->query->every))
        pass_by(search, decision);
    else
        take_usable(search, key);
    return TRUE;
}

static void tell_copy(SealSearch *search, SealKey *key, const SealAddress *address)
{
    if (search->query->seen)
        seal_decision_set(seal_search_decide(search, key, serves_of(key, address)),
                          SEAL_VERDICT_SKIP, "copy", "it is the same key as one before it");
}

/* What is pinned is shown first, as it is written down; its source has it once more. */
static gboolean was_shown(const SealSearch *search, const SealKey *key)
{
    const GArray *seen = search->pinned ? search->query->seen : NULL;

    for (guint i = 0; seen && i < seen->len; i++) {
        const SealKey *shown = g_array_index(seen, SealKeySeen, i).key;

        if (g_str_equal(seal_key_fingerprint(shown), seal_key_fingerprint(key)) &&
            g_strcmp0(seal_key_source(shown), seal_key_source(key)) == 0 &&
            g_strcmp0(seal_key_place(shown), seal_key_place(key)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Whether they are fit, nobody has asked. */
static void tell_rest(SealSearch *search, const SealFind *find, const GPtrArray *keys, guint first)
{
    for (guint i = first; search->job->explains && i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        SealDecision *decision = seal_search_decide(search, key, serves_of(key, find->address));

        seal_trace_extra(decision);
        seal_decision_set(decision, SEAL_VERDICT_SKIP, "not-asked",
                          "one that comes before it serves");
    }
}

static gboolean judge_all(SealSearch *search, Choice *choice, GPtrArray *keys, GError **error)
{
    guint next = 0;

    while (next < keys->len && goes_on(search, choice)) {
        SealKey *key = g_ptr_array_index(keys, next++);

        if (was_shown(search, key))
            continue;
        if (seal_keys_find(search->found, seal_key_fingerprint(key)))
            tell_copy(search, key, choice->find->address);
        else if (!is_beside_better(search, choice, key) && !judge_one(search, choice, key, error))
            return FALSE;
    }
    tell_rest(search, choice->find, keys, next);
    return TRUE;
}

/* A new key waits: what has served goes on, from what is written down of it. */
static gboolean go_on_serving(SealSearch *search, Choice *choice, GError **error)
{
    if (!choice->watching.waits || search->found->len > choice->had)
        return TRUE;
    g_autoptr(GPtrArray) serving = seal_search_read_serving(search, &choice->watching, error);
    if (!serving)
        return FALSE;
    const SealFind find = {NULL, choice->find->address, serving};
    g_auto(Choice) old = {0};
    return begin_choice(search, &find, &old, error) && judge_all(search, &old, old.offered, error);
}

gboolean seal_search_find_usable(SealSearch *search, const SealFind *find, GError **error)
{
    g_auto(Choice) choice = {0};

    return begin_choice(search, find, &choice, error) &&
           judge_all(search, &choice, choice.offered, error) &&
           go_on_serving(search, &choice, error) &&
           seal_search_end_watching(search, &choice.watching, find->keys, error);
}

/* -------------------------------------------------------------------------------------------
 * The end
 */

static char *tell_none(const SealSearch *search)
{
    const char *format = search->query->format->table.name;
    const char *address = seal_address_text(search->query->address);
    g_autofree char *none =
        search->query->purpose == SEAL_PURPOSE_SIGN
            ? g_strdup_printf("no %s key here with which %s could sign", format, address)
            : g_strdup_printf("no %s key for %s", format, address);

    return seal_cause_find(search->job->decisions, search->first, none).text;
}

void seal_search_end(SealSearch *search, GPtrArray *keys, char **ret_why, char **ret_detail)
{
    g_autofree char *why = NULL;

    if (search->found->len == 0 && search->other)
        g_ptr_array_add(search->found, g_steal_pointer(&search->other));
    if (search->found->len == 0)
        why = tell_none(search);
    if (search->doubt && !search->in_doubt) {
        seal_search_add_detail(search, search->doubt);
    } else if (why && search->doubt) {
        char *both = g_strjoin("; ", why, search->doubt, NULL);
        g_free(why);
        why = both;
    }
    if (ret_detail)
        *ret_detail = why ? g_steal_pointer(&search->detail) : NULL;
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&search->found));
    *ret_why = g_steal_pointer(&why);
}
