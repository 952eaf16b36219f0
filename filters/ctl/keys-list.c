/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-list.c: `sealctl keys list`, show and remove.
 */
#include "filters/ctl/keys.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------
 * List
 */

typedef struct {
    const CtlOptions *options;
    SealOut *out;
    CtlBook *book;
    SealTrust trust; /* UNSET: any */
} Listing;

static gboolean list_key(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets G_GNUC_UNUSED,
                         gpointer user_data, GError **error G_GNUC_UNUSED)
{
    const Listing *listing = user_data;

    if (listing->trust != SEAL_TRUST_UNSET && seal_key_trust(key) != listing->trust)
        return TRUE;
    seal_out_row(listing->out, "keys");
    ctl_key_put(key, ctl_book_find(listing->book, key), listing->options, listing->out);
    seal_out_end_row(listing->out);
    return TRUE;
}

static int list_all(Listing *listing, const char *source, const SealKeyFilter *filter,
                    GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    g_auto(SealLooking) looking = {.source = source};

    if (!ctl_keys_open(&opened, listing->options, error) ||
        !(listing->book = ctl_book_read(opened.dispatcher, error)))
        return CTL_PROBLEM;
    if (filter->format && !seal_dispatcher_has_format(opened.dispatcher, filter->format, error)) {
        g_hash_table_unref(listing->book);
        return CTL_USAGE;
    }
    seal_out_list(listing->out, "keys");
    gboolean ok =
        seal_dispatcher_list_keys(opened.dispatcher, &looking, filter, list_key, listing, error);
    g_hash_table_unref(listing->book);
    if (looking.unlisted)
        seal_out_text(listing->out, "not_listed", "%s", looking.unlisted);
    return ok && ctl_looking_check(&looking, error) ? CTL_OK : CTL_PROBLEM;
}

int ctl_keys_list(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *format = NULL, *trust = NULL, *source = NULL, *expiring = NULL;
    SealKeyFilter filter = {.size = sizeof filter};
    Listing listing = {.options = options, .out = out};
    g_auto(CtlTarget) target = {0};
    char **words = NULL;
    gint64 seconds = 0;
    const GOptionEntry entries[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &format, NULL, NULL},
        {"trust", 0, 0, G_OPTION_ARG_STRING, &trust, NULL, NULL},
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, NULL, NULL},
        {"expiring", 0, 0, G_OPTION_ARG_STRING, &expiring, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 0, 1, &words, error) ||
        (*words && !ctl_target_read(&target, *words, error)) ||
        (expiring && !ctl_time_read(expiring, &seconds, error)) ||
        (trust && !ctl_trust_read(trust, &listing.trust, error)))
        return CTL_USAGE;
    ctl_target_fill(&target, &filter);
    filter.format = format;
    filter.expires_before = expiring ? g_get_real_time() / G_USEC_PER_SEC + seconds : 0;
    return list_all(&listing, source, &filter, error);
}

/* -------------------------------------------------------------------------------------------
 * Show
 */

static void put_time(SealOut *out, const char *name, gint64 time)
{
    g_autofree char *day = time > 0 ? seal_text_day(time) : NULL;

    if (day)
        seal_out_text(out, name, "%s", day);
}

static void put_purposes(const SealKey *key, SealOut *out)
{
    static const struct {
        SealPurpose purpose;
        const char *name;
    } names[] = {{SEAL_PURPOSE_ENCRYPT, "encrypt"},
                 {SEAL_PURPOSE_SIGN, "sign"},
                 {SEAL_PURPOSE_ISSUE, "issue"}};
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (seal_key_purposes(key) & names[i].purpose)
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", names[i].name);
    }
    seal_out_text(out, "purposes", "%s", text->str);
}

static void put_bound(const SealKey *key, SealOut *out)
{
    const char *const *bound = seal_key_bound(key);
    g_autofree char *text = bound && *bound ? g_strjoinv(", ", (char **)bound) : NULL;

    if (text)
        seal_out_text(out, "given_to", "%s", text);
}

/* What would be said of it if mail were to be encrypted to it. */
static void put_verdict(const CtlKeys *found, SealDispatcher *dispatcher, guint at, SealOut *out)
{
    const SealKey *listed = g_ptr_array_index(found->keys, at);
    g_autoptr(GError) problem = NULL;
    g_autoptr(SealKey) key = ctl_found_read(found, dispatcher, at, &problem);
    g_autoptr(SealDecision) decision =
        key ? seal_dispatcher_judge_key(dispatcher, key, NULL, &problem) : NULL;

    seal_out_boolean(out, "usable",
                     decision && seal_decision_verdict(decision) == SEAL_VERDICT_PASS);
    if (ctl_key_is_authority(listed))
        seal_out_text(out, "verdict", "an authority: for chains alone");
    else
        seal_out_text(out, "verdict", "%s",
                      decision ? seal_decision_text(decision) : problem->message);
}

static void show_key(const CtlKeys *found, SealDispatcher *dispatcher, guint at, CtlBook *book,
                     SealOut *out)
{
    /* Whole, on a terminal too. */
    const CtlOptions whole = {.json = TRUE};
    const SealKey *key = g_ptr_array_index(found->keys, at);

    ctl_key_put(key, ctl_book_find(book, key), &whole, out);
    seal_out_text(out, "label", "%s", seal_key_label(key) ? seal_key_label(key) : "");
    put_bound(key, out);
    put_purposes(key, out);
    put_time(out, "valid_from", seal_key_valid_from(key));
    put_time(out, "added", seal_key_added(key));
    put_time(out, "last_used", seal_key_last_used(key));
    if (seal_key_place(key))
        seal_out_text(out, "place", "%s", seal_key_place(key));
    put_verdict(found, dispatcher, at, out);
}

static int show_found(const CtlKeys *found, SealDispatcher *dispatcher, gboolean rows, SealOut *out,
                      GError **error)
{
    g_autoptr(GHashTable) book = ctl_book_read(dispatcher, error);

    if (!book)
        return CTL_PROBLEM;
    for (guint i = 0; i < found->keys->len; i++) {
        /* One alone is no list, for people. */
        if (rows || found->keys->len > 1)
            seal_out_row(out, "keys");
        show_key(found, dispatcher, i, book, out);
        seal_out_end_row(out);
    }
    return CTL_OK;
}

int ctl_keys_show(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autofree char *source = NULL;
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    g_auto(CtlTarget) target = {0};
    g_auto(CtlKeys) found = {0};
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, 1, &words, error) ||
        !ctl_target_read(&target, *words, error))
        return CTL_USAGE;
    ctl_found_init(&found);
    if (!ctl_keys_open(&opened, options, error) ||
        !ctl_found_all(&found, opened.dispatcher, source, &target, *words, error))
        return CTL_PROBLEM;
    return show_found(&found, opened.dispatcher, options->json, out, error);
}

/* -------------------------------------------------------------------------------------------
 * Remove
 */

/* One key may be kept by several sources, and be written down besides. */
static void keep_distinct(GPtrArray *distinct, GPtrArray *keys)
{
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if (!ctl_key_is_among(distinct, key))
            g_ptr_array_add(distinct, seal_key_ref(key));
    }
}

/* Whatever key is written down for one address each. */
static gboolean is_targeted(const SealKey *key, const CtlTarget *target)
{
    if (target->fingerprint)
        return g_str_has_prefix(seal_key_fingerprint(key), target->fingerprint);
    const char *const *bound = seal_key_bound(key);
    return target->address && bound && *bound &&
           g_str_equal(*bound, seal_address_key(target->address));
}

static gboolean find_written(SealDispatcher *dispatcher, const CtlTarget *target, GPtrArray *keys,
                             GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_dispatcher_has_book(dispatcher))
        return TRUE;
    if (!seal_dispatcher_read_book(dispatcher, NULL, SEAL_STANDING_NONE, all, error))
        return FALSE;
    for (guint i = 0; i < all->len; i++) {
        SealKey *key = g_ptr_array_index(all, i);

        if (is_targeted(key, target))
            g_ptr_array_add(keys, seal_key_ref(key));
    }
    return TRUE;
}

/* While keys are taken out. */
typedef struct {
    SealDispatcher *dispatcher;
    const CtlOptions *options;
    SealOut *out;
    const char *source;
    GPtrArray *written; /* of SealKey: what is written down, one for each address */
    guint removed;
    guint forgotten;
} Removing;

/* Whom it was written down for. (transfer full) */
static SealAddress *written_address(const SealKey *entry, const SealKey *key)
{
    const char *const *bound = seal_key_bound(entry);

    return ctl_key_is_same(entry, key) && bound && *bound ? seal_address_parse(*bound, NULL) : NULL;
}

static gboolean forget_written(Removing *removing, const SealKey *key, GError **error)
{
    for (guint i = 0; i < removing->written->len; i++) {
        SealKey *entry = g_ptr_array_index(removing->written, i);
        g_autoptr(SealAddress) address = written_address(entry, key);

        if (!address)
            continue;
        if (!seal_dispatcher_write_book(removing->dispatcher, address, entry, SEAL_STANDING_NONE,
                                        error))
            return FALSE;
        removing->forgotten++;
    }
    return TRUE;
}

static SealKey *find_same(GPtrArray *keys, const SealKey *key)
{
    for (guint i = 0; i < keys->len; i++) {
        if (ctl_key_is_same(g_ptr_array_index(keys, i), key))
            return seal_key_ref(g_ptr_array_index(keys, i));
    }
    return NULL;
}

/* Always FALSE. */
static gboolean refuse_unknown(const SealKey *key, const char *trouble, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "whether the key %s is there still cannot be told, and so nothing that is written "
                "down of it is forgotten: %s",
                seal_key_fingerprint(key), trouble);
    return FALSE;
}

/* FALSE where a source that does not list its keys cannot say whether it has this one. */
static gboolean ask_for_key(Removing *removing, SealAddress *address, const SealKey *key,
                            SealKey **left, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autofree char *trouble = NULL;

    seal_dispatcher_find_keys(removing->dispatcher, address, keys, &trouble);
    *left = find_same(keys, key);
    if (*left || !trouble)
        return TRUE;
    return refuse_unknown(key, trouble, error);
}

/* Those of the sources that are asked by address, where something is written down of it. */
static gboolean find_unlisted(Removing *removing, const SealKey *key, const SealLooking *looking,
                              SealKey **left, GError **error)
{
    for (guint i = 0; i < removing->written->len && !*left; i++) {
        g_autoptr(SealAddress) address =
            written_address(g_ptr_array_index(removing->written, i), key);

        if (address && looking->hidden) {
            g_autofree char *why = g_strconcat("not looked through: ", looking->unlisted, NULL);
            return refuse_unknown(key, why, error);
        }
        if (address && !ask_for_key(removing, address, key, left, error))
            return FALSE;
    }
    return TRUE;
}

/* What a source has still. */
static gboolean find_left(Removing *removing, const SealKeyFilter *filter, const SealKey *key,
                          SealKey **left, GError **error)
{
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    if (!ctl_found_list(&found, removing->dispatcher, removing->source, filter, error))
        return FALSE;
    *left = find_same(found.keys, key);
    if (*left)
        return TRUE;
    if (found.looking.trouble)
        return refuse_unknown(key, found.looking.trouble, error);
    return removing->source || find_unlisted(removing, key, &found.looking, left, error);
}

static gboolean refuse_left(const SealKey *left, guint removed, GError **error)
{
    const char *place = seal_key_place(left);
    gboolean placed = place && *place;

    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "the key %s %s key source %s%s%s%s, which sealctl takes nothing out of: take it "
                "away there, or have it never serve with sealctl keys reject",
                seal_key_fingerprint(left),
                removed > 0 ? "is taken out, but stands as well in" : "comes from",
                seal_key_source(left), placed ? " (" : "", placed ? place : "", placed ? ")" : "");
    return FALSE;
}

/* As long as it may serve, what is written down of it counts: it may be that it never is to. */
static gboolean remove_key(Removing *removing, const SealKey *key, guint *removed, GError **error)
{
    const SealKeyFilter filter = {.size = sizeof filter,
                                  .format = seal_key_format(key),
                                  .fingerprint = seal_key_fingerprint(key)};
    g_autoptr(SealKey) left = NULL;

    if (!seal_dispatcher_remove_keys(removing->dispatcher, removing->source, &filter, removed,
                                     error))
        return FALSE;
    removing->removed += *removed;
    if (!find_left(removing, &filter, key, &left, error))
        return FALSE;
    if (left)
        return refuse_left(left, *removed, error);
    return removing->source || forget_written(removing, key, error);
}

static void put_removed(const Removing *removing, const SealKey *key)
{
    seal_out_row(removing->out, "keys");
    ctl_key_put(key, SEAL_STANDING_NONE, removing->options, removing->out);
    seal_out_end_row(removing->out);
}

/* One that stays keeps no other one. */
static int remove_all(Removing *removing, GPtrArray *keys, GError **error)
{
    g_autoptr(GError) first = NULL;

    seal_out_list(removing->out, "keys");
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        guint removed = 0;
        gboolean ok = remove_key(removing, key, &removed, first ? NULL : &first);

        if (ok || removed > 0)
            put_removed(removing, key);
    }
    seal_out_number(removing->out, "removed", removing->removed);
    seal_out_number(removing->out, "forgotten", removing->forgotten);
    if (!first)
        return CTL_OK;
    g_propagate_error(error, g_steal_pointer(&first));
    return CTL_PROBLEM;
}

/* Whom it is for besides. (transfer full) */
static char *find_other(const SealKey *key, const CtlTarget *target)
{
    const char *meant = target->domain ? target->domain : seal_address_key(target->address);
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        if (!g_str_equal(seal_address_key(g_ptr_array_index(addresses, i)), meant))
            return g_strdup(seal_address_text(g_ptr_array_index(addresses, i)));
    }
    for (const char *const *domain = seal_key_domains(key); domain && *domain; domain++) {
        g_autofree char *name = g_strconcat("@", *domain, NULL);

        if (!g_str_equal(name, meant))
            return g_steal_pointer(&name);
    }
    for (const char *const *bound = seal_key_bound(key); bound && *bound; bound++) {
        if (!g_str_equal(*bound, meant))
            return g_strdup(*bound);
    }
    return NULL;
}

/* Who takes out an address's key may not know whose else it is. */
static gboolean check_others(GPtrArray *keys, const CtlTarget *target, GError **error)
{
    for (guint i = 0; i < keys->len && !target->fingerprint; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        g_autofree char *other = find_other(key, target);

        if (!other)
            continue;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "the key %s also serves %s; take it out by its fingerprint",
                    seal_key_fingerprint(key), other);
        return FALSE;
    }
    return TRUE;
}

/* All that is meant: kept, written down, or in a source that is asked by address alone. */
static gboolean find_meant(Removing *removing, const CtlTarget *target, GPtrArray *keys,
                           char **unlisted, GError **error)
{
    g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    SealKeyFilter filter = {.size = sizeof filter};
    g_autofree char *trouble = NULL;
    g_auto(CtlKeys) found = {0};

    ctl_found_init(&found);
    ctl_target_fill(target, &filter);
    if (!ctl_found_list(&found, removing->dispatcher, removing->source, &filter, error) ||
        !find_written(removing->dispatcher, target, removing->written, error))
        return FALSE;
    *unlisted = g_steal_pointer(&found.looking.unlisted);
    keep_distinct(keys, found.keys);
    if (!removing->source)
        keep_distinct(keys, removing->written);
    if (keys->len == 0 && !ctl_looking_check(&found.looking, error))
        return FALSE;
    if (removing->source)
        return TRUE;
    if (keys->len == 0 && target->address)
        seal_dispatcher_find_keys(removing->dispatcher, target->address, others, &trouble);
    if (others->len > 0)
        return refuse_left(g_ptr_array_index(others, 0), 0, error);
    if (trouble)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "no key was found, but %s", trouble);
    return !trouble;
}

int ctl_keys_remove(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_autoptr(GPtrArray) written = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autofree char *source = NULL, *unlisted = NULL;
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    g_auto(CtlTarget) target = {0};
    g_auto(GStrv) addresses = NULL;
    gboolean all = FALSE;
    char **words = NULL;
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &source, NULL, NULL},
        {"address", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &addresses, NULL, NULL},
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, NULL, NULL},
        {0},
    };

    if (!ctl_parse_words(argc, argv, entries, 1, 1, &words, error) ||
        !ctl_target_read(&target, *words, error) ||
        (addresses && !ctl_unbind_check(addresses, error)))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error))
        return CTL_PROBLEM;
    if (addresses) {
        const CtlUnbind how = {source, &target, *words, all, addresses};
        return ctl_unbind_run(opened.dispatcher, &how, options, out, error) ? CTL_OK : CTL_PROBLEM;
    }

    Removing removing = {.dispatcher = opened.dispatcher,
                         .options = options,
                         .out = out,
                         .source = source,
                         .written = written};
    if (!find_meant(&removing, &target, keys, &unlisted, error) ||
        !ctl_keys_check_one(keys, *words, all, unlisted, error) ||
        !check_others(keys, &target, error))
        return CTL_PROBLEM;
    return remove_all(&removing, keys, error);
}
