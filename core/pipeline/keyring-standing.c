/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-standing.c: how far a key is believed, and what is written down of it: which alone is
 * used for an address, which have been taken into use on their own, and which wait, since they
 * would take the place of these. See docs/decisions/0039.
 */
#include "core/base/log.h"
#include "core/pipeline/keyring-search.h"
#include "core/plugin/calls.h"
#include "core/plugin/decision.h"
#include "core/plugin/key.h"

enum { KEY_ID = 16 }; /* characters of a fingerprint that people know a key by */

/* -------------------------------------------------------------------------------------------
 * How far a key is believed
 */

static void note_public(SealSearch *search, const SealKey *key)
{
    if (!search->proven)
        search->proven = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(search->proven, g_strdup(seal_key_fingerprint(key)));
}

SealKey *seal_search_lift(SealSearch *search, SealKey *key, SealAddress *address, GError **error)
{
    const SealKeyQuery *query = search->query;
    SealAddress *named = seal_key_is_for(key, address) ? address : NULL;
    SealProven proven = SEAL_PROVEN_NOT;
    g_autofree char *by = NULL;

    if (seal_key_trust(key) >= SEAL_TRUST_VERIFIED || query->min_trust > SEAL_TRUST_VERIFIED ||
        query->purpose == SEAL_PURPOSE_SIGN)
        return seal_key_ref(key);
    if (!seal_format_prove(query->format, key, named, query->at, &proven, &by, error))
        return NULL;
    if (proven == SEAL_PROVEN_NOT)
        return seal_key_ref(key);
    if (proven != SEAL_PROVEN_NAMED)
        note_public(search, key);
    return seal_key_with_trust(key, SEAL_TRUST_VERIFIED, by ? by : "");
}

/* -------------------------------------------------------------------------------------------
 * The book
 */

static void page_free(gpointer data)
{
    SealPage *page = data;

    seal_address_unref(page->address);
    g_ptr_array_unref(page->keys);
    g_free(page);
}

/* A pin is the operator's word for its address, whatever the key names. */
static SealKey *take_entry(SealSearch *search, SealKey *key)
{
    if (seal_key_standing(key) == SEAL_STANDING_PINNED)
        return seal_key_with_trust(key, SEAL_TRUST_MANUAL, "the operator, by a pin");
    return seal_keyring_trust_anew(search->keyring, seal_key_ref(key));
}

gboolean seal_search_read_page(SealSearch *search, SealAddress *address, GPtrArray **keys,
                               GError **error)
{
    const char *format = search->query->format->table.name;
    const SealSourceEntry *book = search->keyring ? search->keyring->book : NULL;
    g_autoptr(GPtrArray) read = seal_keys_new();

    for (guint i = 0; search->pages && i < search->pages->len; i++) {
        const SealPage *page = g_ptr_array_index(search->pages, i);

        *keys = page->keys;
        if (seal_address_equal(page->address, address))
            return TRUE;
    }
    if (book && !seal_book_read(book, address, format, SEAL_STANDING_NONE, read, error)) {
        g_prefix_error(error,
                       "what key source %s has written down of keys in use: ", book->table.name);
        return FALSE;
    }
    SealPage *page = g_new0(SealPage, 1);
    page->address = seal_address_ref(address);
    page->keys = seal_keys_new();
    for (guint i = 0; i < read->len; i++) {
        SealKey *key = g_ptr_array_index(read, i);

        if (g_str_equal(seal_key_format(key), format))
            g_ptr_array_add(page->keys, take_entry(search, key));
    }
    if (!search->pages)
        search->pages = g_ptr_array_new_with_free_func(page_free);
    g_ptr_array_add(search->pages, page);
    *keys = page->keys;
    return TRUE;
}

static guint count_standing(GPtrArray *page, SealStanding standing)
{
    guint count = 0;

    for (guint i = 0; i < page->len; i++)
        count += seal_key_standing(g_ptr_array_index(page, i)) == standing;
    return count;
}

/* Those of that standing, with their copies: a revocation counts, wherever it is. (transfer full)
 */
static GPtrArray *read_standing(SealSearch *search, GPtrArray *page, SealAddress *address,
                                SealStanding standing, GError **error)
{
    g_autoptr(GPtrArray) keys = seal_keys_new();

    for (guint i = 0; i < page->len; i++) {
        SealKey *key = g_ptr_array_index(page, i);

        if (seal_key_standing(key) == standing)
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    g_ptr_array_sort(keys, seal_keys_best_first);
    return seal_search_merge(search, keys, address, error);
}

gboolean seal_search_find_pinned(SealSearch *search, SealFind *find, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(search->query->address);
    SealAddress *const addresses[] = {search->query->address, bare};

    for (guint i = 0; i < G_N_ELEMENTS(addresses) && addresses[i]; i++) {
        GPtrArray *page;

        if (!seal_search_read_page(search, addresses[i], &page, error))
            return FALSE;
        if (count_standing(page, SEAL_STANDING_PINNED) == 0)
            continue;
        find->address = seal_address_ref(addresses[i]);
        find->keys = read_standing(search, page, addresses[i], SEAL_STANDING_PINNED, error);
        return find->keys != NULL;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Keys that are new to a source which others write to
 */

void seal_watching_clear(SealWatching *watching)
{
    g_clear_pointer(&watching->taken, g_ptr_array_unref);
}

/* What the operator has put there himself, or trusts as a whole, is not watched; nor is what no
 * book can hold. */
static gboolean is_watched(const SealSearch *search, const SealSourceEntry *source)
{
    return source && search->keyring->book && search->query->format->table.write &&
           seal_source_trust(source) < SEAL_TRUST_VERIFIED;
}

gboolean seal_search_begin_watching(SealSearch *search, const SealFind *find,
                                    SealWatching *watching, GError **error)
{
    watching->source = find->source;
    watching->address = find->address;
    watching->watched = is_watched(search, find->source);
    watching->taken = seal_keys_new();
    if (!seal_search_read_page(search, find->address, &watching->page, error))
        return FALSE;
    watching->is_first = watching->watched &&
                         count_standing(watching->page, SEAL_STANDING_SERVING) == 0 &&
                         count_standing(watching->page, SEAL_STANDING_PENDING) == 0;
    return TRUE;
}

static void amend(SealDecision *decision, SealVerdict verdict, const char *code, const char *more)
{
    g_autofree char *own = g_strdup(code ? code : seal_decision_code(decision));
    g_autofree char *text = g_strdup(seal_decision_text(decision));

    seal_decision_set(decision, verdict, own, "%s; %s", text, more);
}

/* More trust than that of what serves is no change at equal trust; but that public roots vouch for
 * it tells no more than that somebody read a mail to the address once. */
static gboolean is_trusted_more(SealSearch *search, SealKey *key, SealKey *old)
{
    gboolean by_public = search->proven &&
                         g_ptr_array_find_with_equal_func(search->proven, seal_key_fingerprint(key),
                                                          g_str_equal, NULL);
    SealTrust trust = seal_key_trust(by_public ? seal_key_as_found(key) : key);

    return trust > seal_key_trust(old);
}

/* *@why: as what it may take the place of @old. (transfer full) */
static gboolean may_follow(SealSearch *search, const SealWatching *watching, SealKey *key,
                           SealKey *old, gboolean *may, char **why, GError **error)
{
    const SealKeyQuery *query = search->query;
    SealAddress *named = seal_key_is_for(key, watching->address) ? watching->address : NULL;
    g_autoptr(SealKey) lifted = seal_search_lift(search, old, watching->address, error);

    *why = NULL;
    if (!lifted ||
        !seal_format_succeeds(query->format, old, key, named, query->at, may, why, error))
        return FALSE;
    if (!*may && is_trusted_more(search, key, lifted)) {
        g_free(*why);
        *why = g_strdup_printf("it is trusted more than that, as %s",
                               seal_trust_name(seal_key_trust(key)));
        *may = TRUE;
    }
    return TRUE;
}

/* @key may take the place of one that serves. */
static void take_place(SealWatching *watching, SealKey *key, const SealKey *old, const char *why,
                       SealDecision *decision)
{
    g_autofree char *more =
        g_strdup_printf("it takes the place of the key %.*s%s%s", KEY_ID, seal_key_fingerprint(old),
                        why ? ": " : "", why ? why : "");

    amend(decision, SEAL_VERDICT_PASS, NULL, more);
    g_ptr_array_add(watching->taken, seal_key_ref(key));
    watching->displaces = TRUE;
}

/* A book that is full, or cannot be written to, opens no door: the key waits all the same. */
static void write_pending(SealSearch *search, const SealWatching *watching, SealKey *key)
{
    const SealSourceEntry *book = search->keyring->book;
    g_autoptr(GError) problem = NULL;

    if (seal_search_asks(search))
        return;
    if (seal_book_write(book, watching->address, seal_key_as_found(key), SEAL_STANDING_PENDING,
                        &problem))
        seal_log_warning("a new %s key for %s from key source %s waits for leave, and the one in "
                         "use goes on serving: key %s (sealctl keys pending)",
                         seal_key_format(key), seal_address_text(watching->address),
                         seal_key_source(key), seal_key_fingerprint(key));
    else
        seal_log_warning("a new %s key for %s from key source %s is not used, and could not be "
                         "written down as waiting: key %s: %s",
                         seal_key_format(key), seal_address_text(watching->address),
                         seal_key_source(key), seal_key_fingerprint(key), problem->message);
}

static gboolean admit_new(SealSearch *search, SealWatching *watching, SealKey *key,
                          const SealKey *known, SealDecision *decision, gboolean *admitted,
                          GError **error)
{
    g_autofree char *why = NULL;

    *admitted = FALSE;
    for (guint i = 0; i < watching->page->len && !*admitted; i++) {
        SealKey *old = g_ptr_array_index(watching->page, i);

        if (seal_key_standing(old) != SEAL_STANDING_SERVING)
            continue;
        g_clear_pointer(&why, g_free);
        if (!may_follow(search, watching, key, old, admitted, &why, error))
            return FALSE;
        if (*admitted)
            take_place(watching, key, old, why, decision);
    }
    if (*admitted)
        return TRUE;
    seal_decision_set(decision, SEAL_VERDICT_SKIP, "pending",
                      "the key from %s is another one than what serves, and waits for leave%s%s",
                      seal_key_source(key), why ? ": " : "", why ? why : "");
    watching->waits = TRUE;
    if (!known)
        write_pending(search, watching, key);
    return TRUE;
}

gboolean seal_search_admit(SealSearch *search, SealWatching *watching, SealKey *key,
                           SealDecision *decision, gboolean *admitted, GError **error)
{
    const SealKey *known = seal_keys_find(watching->page, seal_key_fingerprint(key));
    SealStanding standing = known ? seal_key_standing(known) : SEAL_STANDING_NONE;

    *admitted = standing != SEAL_STANDING_REJECTED;
    if (!*admitted)
        seal_decision_set(decision, SEAL_VERDICT_SKIP, "rejected",
                          "the key from %s has been rejected for %s", seal_key_source(key),
                          seal_address_text(watching->address));
    if (!*admitted || !watching->watched || standing == SEAL_STANDING_SERVING)
        return TRUE;
    if (!watching->is_first)
        return admit_new(search, watching, key, known, decision, admitted, error);
    if (watching->taken->len < SEAL_MAX_RECIPIENT_KEYS)
        g_ptr_array_add(watching->taken, seal_key_ref(key));
    return TRUE;
}

/* What its source offers no longer, now that another key has its place. */
static gboolean drop_old(SealSearch *search, const SealWatching *watching, GPtrArray *offered,
                         GError **error)
{
    for (guint i = 0; i < watching->page->len; i++) {
        SealKey *old = g_ptr_array_index(watching->page, i);

        if (seal_key_standing(old) == SEAL_STANDING_SERVING &&
            !seal_keys_find(offered, seal_key_fingerprint(old)) &&
            !seal_book_write(search->keyring->book, watching->address, old, SEAL_STANDING_NONE,
                             error))
            return FALSE;
    }
    return TRUE;
}

static gboolean write_taken(SealSearch *search, const SealWatching *watching, GError **error)
{
    for (guint i = 0; i < watching->taken->len; i++) {
        if (!seal_book_write(search->keyring->book, watching->address,
                             seal_key_as_found(g_ptr_array_index(watching->taken, i)),
                             SEAL_STANDING_SERVING, error))
            return FALSE;
    }
    return TRUE;
}

/* One that is used without a note of it could be another one the next time. */
gboolean seal_search_end_watching(SealSearch *search, SealWatching *watching, GPtrArray *offered,
                                  GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (watching->taken->len == 0 || seal_search_asks(search))
        return TRUE;
    if (write_taken(search, watching, &problem) &&
        (!watching->displaces || drop_old(search, watching, offered, &problem)))
        return TRUE;
    search->failed = TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "that a new key of %s serves from now on could not be written down: %s",
                seal_address_text(watching->address), problem->message);
    return FALSE;
}

GPtrArray *seal_search_read_serving(SealSearch *search, const SealWatching *watching,
                                    GError **error)
{
    return read_standing(search, watching->page, watching->address, SEAL_STANDING_SERVING, error);
}
