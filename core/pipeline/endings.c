/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * endings.c: what ends by itself: our own keys, what vouches for others, licences, and the keys of
 * those whom mail goes to; and what takes a key's place.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"
#include "core/plugin/key.h"

enum {
    MAX_NAMES = 100,      /* of one key, for each of which a successor is looked for */
    MAX_CANDIDATES = 100, /* of one name */
    MAX_SHOWN = 200,
};

static GPtrArray *endings_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_ending_free);
}

void seal_ending_free(SealEnding *ending)
{
    if (!ending)
        return;
    g_clear_pointer(&ending->key, seal_key_unref);
    g_clear_pointer(&ending->successor, seal_key_unref);
    g_free(ending->text);
    g_free(ending);
}

const char *seal_ending_name(SealEndingWhat what)
{
    static const char *const names[] = {"signer", "chain",     "anchor",
                                        "check",  "authority", "recipient"};

    return names[what];
}

static int by_time(gconstpointer a, gconstpointer b)
{
    const SealEnding *one = *(SealEnding *const *)a, *other = *(SealEnding *const *)b;

    if (one->until != other->until)
        return one->until < other->until ? -1 : 1;
    if (one->what != other->what)
        return one->what < other->what ? -1 : 1;
    return one->key && other->key
               ? g_strcmp0(seal_key_fingerprint(one->key), seal_key_fingerprint(other->key))
               : g_strcmp0(one->text, other->text);
}

/* As a key names itself: a whole subject may be long, and is nobody's word. */
static char *describe_key(const SealKey *key)
{
    const char *label = seal_key_label(key) ? seal_key_label(key) : "";

    return seal_text_line(label, strlen(label), MAX_SHOWN);
}

static SealEnding *ending_new(SealEndingWhat what, SealKey *key, gint64 until)
{
    SealEnding *ending = g_new0(SealEnding, 1);

    ending->what = what;
    ending->key = seal_key_ref(key);
    ending->until = until;
    ending->text = describe_key(key);
    return ending;
}

static void add_trouble(char **trouble, const char *who, const char *why)
{
    char *before = *trouble;

    *trouble = before ? g_strdup_printf("%s; %s: %s", before, who, why)
                      : g_strdup_printf("%s: %s", who, why);
    g_free(before);
}

/* -------------------------------------------------------------------------------------------
 * Our own
 */

/* While modules tell of them. */
typedef struct {
    GPtrArray *endings;
    GHashTable *seen; /* "use format fingerprint" */
} Owning;

/* A CA that several files of private keys have along is one all the same. */
static void take_own(SealModule *self G_GNUC_UNUSED, const SealOwn *own, gpointer user_data)
{
    static const SealEndingWhat whats[] = {
        [SEAL_OWN_SIGNER] = SEAL_ENDING_SIGNER,
        [SEAL_OWN_CHAIN] = SEAL_ENDING_CHAIN,
        [SEAL_OWN_ANCHOR] = SEAL_ENDING_ANCHOR,
    };
    Owning *owning = user_data;

    if (!own->key || own->use < SEAL_OWN_SIGNER || own->use > SEAL_OWN_ANCHOR)
        return;
    g_autofree char *id = g_strdup_printf("%d %s %s", (int)own->use, seal_key_format(own->key),
                                          seal_key_fingerprint(own->key));
    if (g_hash_table_add(owning->seen, g_steal_pointer(&id)))
        g_ptr_array_add(owning->endings, ending_new(whats[own->use], own->key, own->until));
}

static void take_check(const SealCheckEntry *check, GPtrArray *endings, char **trouble)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *what = NULL;
    gint64 until = G_MAXINT64;

    if (!seal_check_until(check, &until, &what, &problem)) {
        add_trouble(trouble, check->table.name, problem->message);
        return;
    }
    if (!what)
        return;
    SealEnding *ending = g_new0(SealEnding, 1);
    ending->what = SEAL_ENDING_CHECK;
    ending->check = check->table.name;
    ending->until = until;
    ending->text = seal_text_line(what, strlen(what), MAX_SHOWN);
    g_ptr_array_add(endings, ending);
}

GPtrArray *seal_dispatcher_own_endings(SealDispatcher *self, char **trouble)
{
    GPtrArray *endings = endings_new();
    GPtrArray *formats = seal_registry_formats(self->registry);
    GPtrArray *checks = seal_registry_checks(self->registry);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Owning owning = {endings, seen};

    *trouble = NULL;
    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        g_autoptr(GError) problem = NULL;

        if (!seal_format_own(format, take_own, &owning, &problem))
            add_trouble(trouble, format->table.name, problem->message);
    }
    for (guint i = 0; i < checks->len; i++)
        take_check(g_ptr_array_index(checks, i), endings, trouble);
    g_ptr_array_sort(endings, by_time);
    return endings;
}

/* -------------------------------------------------------------------------------------------
 * What takes a place
 */

static gboolean is_same(const SealKey *one, const SealKey *other)
{
    return g_str_equal(seal_key_format(one), seal_key_format(other)) &&
           g_str_equal(seal_key_fingerprint(one), seal_key_fingerprint(other));
}

static gboolean names_any(const SealKey *key, const SealKey *other)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        if (seal_key_is_for(other, g_ptr_array_index(addresses, i)))
            return TRUE;
    }
    return FALSE;
}

static gboolean can_be_used(SealDispatcher *self, SealKey *key, SealPurpose purpose)
{
    const SealFormatEntry *format = seal_registry_format(self->registry, seal_key_format(key));
    g_autoptr(SealDecision) decision = seal_decision_new("key", seal_key_fingerprint(key));

    return format && seal_key_native(key) &&
           seal_format_usable(format, key, NULL, purpose, g_get_real_time() / G_USEC_PER_SEC,
                              decision, NULL) &&
           seal_decision_verdict(decision) == SEAL_VERDICT_PASS;
}

/* A CA that was renewed has its name, and a signer an address, in common with the one before. */
static gboolean succeeds_own(SealDispatcher *self, const SealEnding *ending,
                             const SealEnding *other)
{
    if (!other->key || other->what != ending->what || other->until <= ending->until ||
        is_same(other->key, ending->key) ||
        !g_str_equal(seal_key_format(other->key), seal_key_format(ending->key)))
        return FALSE;
    if (ending->what == SEAL_ENDING_SIGNER)
        return names_any(ending->key, other->key) &&
               can_be_used(self, other->key, SEAL_PURPOSE_SIGN);
    return g_strcmp0(seal_key_label(other->key), seal_key_label(ending->key)) == 0 &&
           seal_key_valid_from(other->key) <= g_get_real_time() / G_USEC_PER_SEC;
}

static void find_own_successor(SealDispatcher *self, SealEnding *ending, GPtrArray *own)
{
    for (guint i = own->len; ending->key && !ending->successor && i > 0; i--) {
        const SealEnding *other = g_ptr_array_index(own, i - 1);

        if (succeeds_own(self, ending, other))
            ending->successor = seal_key_ref(other->key);
    }
}

/* While one is looked for, for one of a key's names. */
typedef struct {
    SealDispatcher *self;
    const SealEnding *ending;
    SealAddress *address; /* NULL: a domain */
    guint tried;
    gboolean renewed; /* another copy of the key lasts longer */
    SealKey *found;
} Succession;

static gboolean consider_successor(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets,
                                   gpointer user_data, GError **error G_GNUC_UNUSED)
{
    Succession *succession = user_data;
    const SealEnding *ending = succession->ending;

    if (seal_key_valid_until(key) <= ending->until)
        return TRUE;
    if (is_same(key, ending->key)) {
        succession->renewed = TRUE;
        return TRUE;
    }
    if (succession->found || succession->tried >= MAX_CANDIDATES ||
        seal_key_trust(key) < seal_key_trust(ending->key))
        return TRUE;
    succession->tried++;
    g_autoptr(SealKey) whole = seal_dispatcher_read_key(succession->self, key, octets, NULL);
    /* Whom the operator has given it to it need not name. */
    SealAddress *named = succession->address && seal_key_is_for(key, succession->address)
                             ? succession->address
                             : NULL;
    g_autoptr(SealDecision) decision =
        whole ? seal_dispatcher_judge_key(succession->self, whole, named, NULL) : NULL;
    if (decision && seal_decision_verdict(decision) == SEAL_VERDICT_PASS)
        succession->found = seal_key_ref(key);
    return TRUE;
}

/* @name: an address, @domain or @.domain. *@renewed: the key itself does not end then: its copies
 * are made one before it is used. (transfer full) */
static SealKey *find_successor(SealDispatcher *self, const SealEnding *ending, const char *name,
                               gboolean *renewed)
{
    g_autoptr(SealAddress) address = *name == '@' ? NULL : seal_address_parse(name, NULL);
    Succession succession = {.self = self, .ending = ending, .address = address};
    g_auto(SealLooking) looking = {.nearby = TRUE};
    const SealKeyFilter filter = {
        .size = sizeof filter,
        .format = seal_key_format(ending->key),
        .address = address,
        .domain = address ? NULL : name,
    };

    if (address || *name == '@')
        seal_dispatcher_list_keys(self, &looking, &filter, consider_successor, &succession, NULL);
    *renewed = succession.renewed;
    return succession.found;
}

/* Whom it serves, as filters have them. (transfer full, element type char *) */
static GPtrArray *list_names(const SealKey *key)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len && names->len <= MAX_NAMES; i++)
        g_ptr_array_add(names, g_strdup(seal_address_key(g_ptr_array_index(addresses, i))));
    for (const char *const *bound = seal_key_bound(key); bound && *bound && names->len <= MAX_NAMES;
         bound++) {
        if (!g_ptr_array_find_with_equal_func(names, *bound, g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(*bound));
    }
    return names;
}

/* One that leaves somebody without a key takes no place. FALSE: it does not end after all. */
static gboolean find_key_successor(SealDispatcher *self, SealEnding *ending)
{
    g_autoptr(GPtrArray) names = list_names(ending->key);
    g_autoptr(SealKey) first = NULL;
    gboolean all = names->len <= MAX_NAMES, renewed = FALSE;

    for (guint i = 0; i < names->len && all && !renewed; i++) {
        g_autoptr(SealKey) found =
            find_successor(self, ending, g_ptr_array_index(names, i), &renewed);

        all = found != NULL;
        if (!first)
            first = g_steal_pointer(&found);
    }
    if (all)
        ending->successor = g_steal_pointer(&first);
    return !renewed;
}

/* -------------------------------------------------------------------------------------------
 * The keys of others
 */

/* While sources are looked through. */
typedef struct {
    GPtrArray *endings;
    GHashTable *seen;     /* "format fingerprint" to SealEnding, or to NULL */
    GHashTable *rejected; /* "format fingerprint name": for whom it is never to serve */
} Gathering;

static char *key_name(const SealKey *key)
{
    return g_strdup_printf("%s %s", seal_key_format(key), seal_key_fingerprint(key));
}

static gboolean is_authority(const SealKey *key)
{
    return seal_key_purposes(key) & SEAL_PURPOSE_ISSUE &&
           !(seal_key_purposes(key) & SEAL_PURPOSE_ENCRYPT);
}

static gboolean is_rejected(const Gathering *gathering, const SealKey *key)
{
    g_autoptr(GPtrArray) names = list_names(key);
    g_autofree char *id = key_name(key);
    gboolean all = names->len > 0;

    for (guint i = 0; i < names->len && all; i++) {
        g_autofree char *entry = g_strdup_printf("%s %s", id, (char *)g_ptr_array_index(names, i));
        all = g_hash_table_contains(gathering->rejected, entry);
    }
    return all || seal_key_standing(key) == SEAL_STANDING_REJECTED;
}

/* Somebody's own certificate may be named as an anchor, for lack of a CA: it is his all the same.
 */
static void claim_anchor(SealEnding *ending, SealKey *key)
{
    if (!ending || ending->what != SEAL_ENDING_ANCHOR || is_authority(key))
        return;
    ending->what = SEAL_ENDING_RECIPIENT;
    g_clear_pointer(&ending->successor, seal_key_unref);
    seal_key_unref(ending->key);
    ending->key = seal_key_ref(key);
}

static gboolean gather_key(SealModule *self G_GNUC_UNUSED, SealKey *key,
                           GBytes *octets G_GNUC_UNUSED, gpointer user_data,
                           GError **error G_GNUC_UNUSED)
{
    Gathering *gathering = user_data;

    g_autofree char *name = key_name(key);

    if (is_rejected(gathering, key))
        return TRUE;
    if (g_hash_table_contains(gathering->seen, name)) {
        claim_anchor(g_hash_table_lookup(gathering->seen, name), key);
        return TRUE;
    }
    g_hash_table_insert(gathering->seen, g_steal_pointer(&name), NULL);
    g_ptr_array_add(gathering->endings,
                    ending_new(is_authority(key) ? SEAL_ENDING_AUTHORITY : SEAL_ENDING_RECIPIENT,
                               key, seal_key_valid_until(key)));
    return TRUE;
}

/* What is our own is not told again as somebody's. */
static void take_early(SealDispatcher *self, GPtrArray *own, gint64 before, Gathering *gathering)
{
    for (guint i = 0; i < own->len; i++) {
        SealEnding *ending = g_ptr_array_index(own, i);

        if (ending->key)
            g_hash_table_insert(gathering->seen, key_name(ending->key), ending);
        if (ending->until < before)
            find_own_successor(self, ending, own);
    }
    for (guint i = 0; i < own->len;) {
        SealEnding *ending = g_ptr_array_index(own, i);

        if (ending->until < before)
            g_ptr_array_add(gathering->endings, g_ptr_array_steal_index(own, i));
        else
            i++;
    }
}

/* What is written down is bound to the one address in question. */
static gboolean read_rejected(SealDispatcher *self, GHashTable *rejected, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_dispatcher_has_book(self))
        return TRUE;
    if (!seal_dispatcher_read_book(self, NULL, SEAL_STANDING_REJECTED, keys, error))
        return FALSE;
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        const char *const *bound = seal_key_bound(key);
        g_autofree char *id = key_name(key);

        if (bound && *bound)
            g_hash_table_add(rejected, g_strdup_printf("%s %s", id, *bound));
    }
    return TRUE;
}

static void find_successors(SealDispatcher *self, GPtrArray *all)
{
    for (guint i = 0; i < all->len;) {
        SealEnding *ending = g_ptr_array_index(all, i);

        if (ending->what == SEAL_ENDING_RECIPIENT && !find_key_successor(self, ending))
            g_ptr_array_remove_index(all, i);
        else
            i++;
    }
}

gboolean seal_dispatcher_list_endings(SealDispatcher *self, gint64 before, SealLooking *looking,
                                      GPtrArray **endings, char **trouble, GError **error)
{
    g_autoptr(GPtrArray) all = endings_new();
    g_autoptr(GPtrArray) own = seal_dispatcher_own_endings(self, trouble);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) rejected = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Gathering gathering = {all, seen, rejected};
    const SealKeyFilter filter = {.size = sizeof filter, .expires_before = before};

    take_early(self, own, before, &gathering);
    if (!read_rejected(self, rejected, error) ||
        !seal_dispatcher_list_keys(self, looking, &filter, gather_key, &gathering, error)) {
        g_clear_pointer(trouble, g_free);
        return FALSE;
    }
    find_successors(self, all);
    g_ptr_array_sort(all, by_time);
    *endings = g_steal_pointer(&all);
    return TRUE;
}
