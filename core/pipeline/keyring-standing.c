/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-standing.c: how far a key is believed, and what is written down of it: which alone is
 * used for an address, which have been taken into use on their own, and which wait, since they
 * would take the place of these. See docs/decisions/0039.
 */
#include "core/base/log.h"
#include "core/pipeline/keyring-search.h"
#include "core/pipeline/trace.h"
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
    g_ptr_array_unref(page->others);
    g_free(page);
}

/* A pin is the operator's word for its address, whatever the key names. */
static SealKey *take_entry(SealSearch *search, SealKey *key)
{
    if (seal_key_standing(key) == SEAL_STANDING_PINNED)
        return seal_key_with_trust(key, SEAL_TRUST_MANUAL, "the operator, by a pin");
    return seal_keyring_trust_anew(search->keyring, seal_key_ref(key));
}

static gboolean read_format(SealSearch *search, SealPage *page, const SealFormatEntry *format,
                            GError **error)
{
    const SealSourceEntry *book = search->keyring->book;
    const char *name = format->table.name;
    g_autoptr(GPtrArray) read = seal_keys_new();
    gboolean own = g_str_equal(name, search->query->format->table.name);
    GPtrArray *into = own ? page->keys : page->others;

    if (!seal_book_read(book, page->address, name, SEAL_STANDING_NONE, read, error)) {
        g_prefix_error(error,
                       "what key source %s has written down of keys in use: ", book->table.name);
        return FALSE;
    }
    for (guint i = 0; i < read->len; i++) {
        SealKey *key = g_ptr_array_index(read, i);

        if (g_str_equal(seal_key_format(key), name))
            g_ptr_array_add(into, take_entry(search, key));
    }
    return TRUE;
}

/* Of every format: a pin in one closes the others. NULL where it cannot be read. (borrowed) */
static const SealPage *read_page(SealSearch *search, SealAddress *address, GError **error)
{
    gboolean has_book = search->keyring && search->keyring->book;
    GPtrArray *formats = has_book ? seal_registry_formats(search->keyring->registry) : NULL;

    for (guint i = 0; search->pages && i < search->pages->len; i++) {
        const SealPage *page = g_ptr_array_index(search->pages, i);

        if (seal_address_equal(page->address, address))
            return page;
    }
    SealPage *page = g_new0(SealPage, 1);
    page->address = seal_address_ref(address);
    page->keys = seal_keys_new();
    page->others = seal_keys_new();
    for (guint i = 0; formats && i < formats->len; i++) {
        if (!read_format(search, page, g_ptr_array_index(formats, i), error)) {
            page_free(page);
            return NULL;
        }
    }
    if (!search->pages)
        search->pages = g_ptr_array_new_with_free_func(page_free);
    g_ptr_array_add(search->pages, page);
    return page;
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

/* A pin of another format says as well that no other key is used. */
static void close_search(SealSearch *search, const SealPage *page)
{
    const SealKey *pinned = NULL;

    for (guint i = 0; i < page->others->len && !pinned; i++) {
        const SealKey *key = g_ptr_array_index(page->others, i);

        if (seal_key_standing(key) == SEAL_STANDING_PINNED)
            pinned = key;
    }
    SealDecision *decision =
        seal_job_decide(search->job, "source", seal_address_text(search->query->address));

    seal_search_tell_pinned(search);
    seal_trace_search(search->job, decision, search->query, NULL, NULL);
    seal_decision_set(decision, SEAL_VERDICT_SKIP, "pinned",
                      "the %s key %.*s is pinned for %s, and no other is used",
                      seal_key_format(pinned), KEY_ID, seal_key_fingerprint(pinned),
                      seal_address_text(page->address));
}

void seal_search_tell_pinned(SealSearch *search)
{
    search->over = "it could serve, but another key is pinned for the address";
    search->pinned = TRUE;
}

gboolean seal_search_find_pinned(SealSearch *search, SealFind *find, GError **error)
{
    g_autoptr(SealAddress) bare = seal_address_without_detail(search->query->address);
    SealAddress *const addresses[] = {search->query->address, bare};

    for (guint i = 0; i < G_N_ELEMENTS(addresses) && addresses[i]; i++) {
        const SealPage *page = read_page(search, addresses[i], error);

        if (!page)
            return FALSE;
        if (count_standing(page->keys, SEAL_STANDING_PINNED) > 0) {
            find->address = seal_address_ref(addresses[i]);
            find->keys =
                read_standing(search, page->keys, addresses[i], SEAL_STANDING_PINNED, error);
            return find->keys != NULL;
        }
        if (count_standing(page->others, SEAL_STANDING_PINNED) > 0) {
            close_search(search, page);
            return TRUE;
        }
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Keys that are new to a source which others write to
 */

void seal_watching_clear(SealWatching *watching)
{
    g_clear_pointer(&watching->taken, g_ptr_array_unref);
    g_clear_pointer(&watching->page, g_ptr_array_unref);
    g_clear_pointer(&watching->elsewhere, g_ptr_array_unref);
}

/* What the operator has put there himself, or trusts as a whole, is not watched; nor is what no
 * book can hold. */
static gboolean is_watched(const SealSearch *search, const SealSourceEntry *source)
{
    return source && search->keyring->book && search->query->format->table.write &&
           seal_source_trust(source) < SEAL_TRUST_VERIFIED;
}

/* What is rejected for the mailbox is so for its subaddresses, whatever is written down there. */
static void add_own(SealWatching *watching, const SealPage *bare)
{
    for (guint i = 0; i < watching->own->keys->len; i++) {
        SealKey *key = g_ptr_array_index(watching->own->keys, i);
        const SealKey *same = bare ? seal_keys_find(bare->keys, seal_key_fingerprint(key)) : NULL;

        if (!same || seal_key_standing(same) != SEAL_STANDING_REJECTED ||
            seal_key_standing(key) == SEAL_STANDING_PINNED)
            g_ptr_array_add(watching->page, seal_key_ref(key));
    }
}

static void add_bare(SealWatching *watching, const SealPage *bare)
{
    for (guint i = 0; i < bare->keys->len; i++) {
        SealKey *key = g_ptr_array_index(bare->keys, i);

        if (!seal_keys_find(watching->page, seal_key_fingerprint(key)))
            g_ptr_array_add(watching->page, seal_key_ref(key));
    }
}

/* One that waits counts as well: what comes behind it is not the first. */
static gboolean is_in_use(const SealWatching *watching, const SealPage *bare)
{
    return count_standing(watching->page, SEAL_STANDING_SERVING) > 0 ||
           count_standing(watching->page, SEAL_STANDING_PENDING) > 0 ||
           count_standing(watching->own->others, SEAL_STANDING_SERVING) > 0 ||
           (bare && count_standing(bare->others, SEAL_STANDING_SERVING) > 0);
}

/* What is written down of the mailbox holds for its subaddresses. */
gboolean seal_search_begin_watching(SealSearch *search, const SealFind *find,
                                    SealWatching *watching, GError **error)
{
    g_autoptr(SealAddress) without = seal_address_without_detail(find->address);
    const SealPage *bare = NULL;

    watching->source = find->source;
    watching->address = find->address;
    watching->watched = is_watched(search, find->source);
    watching->taken = seal_keys_new();
    watching->page = seal_keys_new();
    if (!(watching->own = read_page(search, find->address, error)) ||
        (without && !(bare = read_page(search, without, error))))
        return FALSE;
    add_own(watching, bare);
    if (bare)
        add_bare(watching, bare);
    watching->is_first = watching->watched && !is_in_use(watching, bare);
    return TRUE;
}

static void amend(SealDecision *decision, SealVerdict verdict, const char *code, const char *more)
{
    g_autofree char *own = g_strdup(code ? code : seal_decision_code(decision));
    g_autofree char *text = g_strdup(seal_decision_text(decision));

    seal_decision_set(decision, verdict, own, "%s; %s", text, more);
}

/* That public roots vouch for it tells no more than that somebody read a mail to the address once.
 */
static SealTrust trust_of_its_own(SealSearch *search, SealKey *key)
{
    gboolean by_public = search->proven &&
                         g_ptr_array_find_with_equal_func(search->proven, seal_key_fingerprint(key),
                                                          g_str_equal, NULL);

    return seal_key_trust(by_public ? seal_key_as_found(key) : key);
}

static gboolean is_rejected(const SealWatching *watching, const SealKey *key)
{
    const SealKey *known = seal_keys_find(watching->page, seal_key_fingerprint(key));

    return known && seal_key_standing(known) == SEAL_STANDING_REJECTED;
}

/* *@trust: of the best key that the address has in a source that is not watched, where that is more
 * than that of @key; else UNSET. */
static gboolean find_more_trust(SealSearch *search, SealWatching *watching, SealKey *key,
                                SealTrust *trust, GError **error)
{
    SealTrust own = trust_of_its_own(search, key);

    if (!watching->elsewhere)
        watching->elsewhere = seal_search_ask_elsewhere(search, watching->address, error);
    *trust = SEAL_TRUST_UNSET;
    if (!watching->elsewhere)
        return FALSE;
    for (guint i = 0; i < watching->elsewhere->len; i++) {
        const SealKey *other = g_ptr_array_index(watching->elsewhere, i);

        if (is_rejected(watching, other))
            continue;
        *trust = MAX(*trust, seal_key_trust(other));
        if (g_str_equal(seal_key_fingerprint(other), seal_key_fingerprint(key)))
            own = MAX(own, seal_key_trust(other));
    }
    if (*trust <= own)
        *trust = SEAL_TRUST_UNSET;
    return TRUE;
}

/* A revoked key may be in anybody's hands: @old counts with its copies, which may say so. */
static gboolean succeeds(SealSearch *search, const SealWatching *watching, SealKey *key,
                         SealKey *old, gboolean *may, char **why, GError **error)
{
    const SealKeyQuery *query = search->query;
    SealAddress *named = seal_key_is_for(key, watching->address) ? watching->address : NULL;
    g_autoptr(GPtrArray) one = seal_keys_new();

    g_ptr_array_add(one, seal_key_ref(old));
    g_autoptr(GPtrArray) merged = seal_search_merge(search, one, watching->address, error);
    return merged && seal_format_succeeds(query->format, g_ptr_array_index(merged, 0), key, named,
                                          query->at, may, why, error);
}

/* *@why: as what it may take the place of @old. (transfer full) */
static gboolean may_follow(SealSearch *search, SealWatching *watching, SealKey *key, SealKey *old,
                           gboolean *may, char **why, GError **error)
{
    g_autoptr(SealKey) lifted = seal_search_lift(search, old, watching->address, error);
    SealTrust more = SEAL_TRUST_UNSET;

    *why = NULL;
    if (!lifted || !succeeds(search, watching, key, old, may, why, error))
        return FALSE;
    gboolean trusted = !*may && trust_of_its_own(search, key) > seal_key_trust(lifted);
    if (trusted && !find_more_trust(search, watching, key, &more, error))
        return FALSE;
    if (trusted && more == SEAL_TRUST_UNSET) {
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
        seal_log_warning("a new %s key for %s from key source %s waits for leave, and is not used "
                         "until then: key %s (sealctl keys pending)",
                         seal_key_format(key), seal_address_text(watching->address),
                         seal_key_source(key), seal_key_fingerprint(key));
    else
        seal_log_warning("a new %s key for %s from key source %s is not used, and could not be "
                         "written down as waiting: key %s: %s",
                         seal_key_format(key), seal_address_text(watching->address),
                         seal_key_source(key), seal_key_fingerprint(key), problem->message);
}

static void wait_for_leave(SealSearch *search, SealWatching *watching, SealKey *key,
                           const SealKey *known, SealDecision *decision, const char *what)
{
    seal_decision_set(decision, SEAL_VERDICT_SKIP, "pending", "the key from %s %s",
                      seal_key_source(key), what);
    watching->waits = TRUE;
    if (!known)
        write_pending(search, watching, key);
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
    g_autofree char *what =
        g_strdup_printf("is another one than what serves, and waits for leave%s%s", why ? ": " : "",
                        why ? why : "");
    wait_for_leave(search, watching, key, known, decision, what);
    return TRUE;
}

/* @key may follow one that has @trust. */
static gboolean follows_elsewhere(SealSearch *search, SealWatching *watching, SealKey *key,
                                  SealTrust trust, gboolean *may, GError **error)
{
    const char *format = search->query->format->table.name;

    *may = FALSE;
    for (guint i = 0; i < watching->elsewhere->len && !*may; i++) {
        SealKey *old = g_ptr_array_index(watching->elsewhere, i);
        g_autofree char *why = NULL;

        if (seal_key_trust(old) >= trust && g_str_equal(seal_key_format(old), format) &&
            !is_rejected(watching, old) && !succeeds(search, watching, key, old, may, &why, error))
            return FALSE;
    }
    return TRUE;
}

/* Nothing is in use; but a stranger's key does not come before, or in the place of, one that is
 * trusted more than it. */
static gboolean admit_first(SealSearch *search, SealWatching *watching, SealKey *key,
                            const SealKey *known, SealDecision *decision, gboolean *admitted,
                            GError **error)
{
    SealTrust more;

    if (!find_more_trust(search, watching, key, &more, error))
        return FALSE;
    *admitted = more == SEAL_TRUST_UNSET;
    if (!*admitted && !follows_elsewhere(search, watching, key, more, admitted, error))
        return FALSE;
    if (*admitted && watching->taken->len < SEAL_MAX_RECIPIENT_KEYS)
        g_ptr_array_add(watching->taken, seal_key_ref(key));
    if (*admitted)
        return TRUE;
    g_autofree char *what =
        g_strdup_printf("waits for leave: the address has one that is trusted "
                        "as %s, and it is trusted as %s of its own",
                        seal_trust_name(more), seal_trust_name(trust_of_its_own(search, key)));
    wait_for_leave(search, watching, key, known, decision, what);
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
    return watching->is_first ? admit_first(search, watching, key, known, decision, admitted, error)
                              : admit_new(search, watching, key, known, decision, admitted, error);
}

/* What its source offers no longer, now that another key has its place. */
static gboolean drop_old(SealSearch *search, const SealWatching *watching, GPtrArray *offered,
                         GError **error)
{
    GPtrArray *own = watching->own->keys;

    for (guint i = 0; i < own->len; i++) {
        SealKey *old = g_ptr_array_index(own, i);

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
