/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-help.c: what the commands of `sealctl keys` have in common.
 */
#include "filters/ctl/keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_FOUND = 1000,
    MAX_NAMES = 10, /* of a key, in one line */
    SHORT = 16,     /* digits of a fingerprint in a table */
    LEAST = 4,      /* of one that is typed */
    MAX_SHOWN = 100,
    BAR = 30,
    BAR_US = 100000,
};

/* -------------------------------------------------------------------------------------------
 * Opening
 */

gboolean ctl_keys_open(CtlOpened *opened, const CtlOptions *options, GError **error)
{
    *opened = (CtlOpened){.kept = {.listed = -1, .socket = -1, .opens = opened->kept.opens}};
    if (!ctl_kept_open(&opened->kept, options->conf_dir, error))
        return FALSE;
    opened->service = seal_service_open(options->conf_dir, error);
    if (!opened->service)
        return FALSE;
    opened->dispatcher = seal_dispatcher_prepare(opened->service, NULL, opened->kept.listed,
                                                 opened->kept.tended, error);
    if (!opened->dispatcher)
        return FALSE;
    seal_dispatcher_ask_at(opened->dispatcher, opened->kept.socket);
    return seal_dispatcher_attach(opened->dispatcher, error);
}

void ctl_keys_close(CtlOpened *opened)
{
    seal_dispatcher_free(opened->dispatcher);
    seal_service_free(opened->service);
    ctl_kept_close(&opened->kept);
}

/* -------------------------------------------------------------------------------------------
 * Which keys are meant
 */

/* As gpg and openssl print them. */
static char *plain_fingerprint(const char *word)
{
    g_autoptr(GString) digits = g_string_new(NULL);

    if (g_str_has_prefix(word, "0x"))
        word += 2;
    for (; *word; word++) {
        if (g_ascii_isxdigit(*word))
            g_string_append_c(digits, g_ascii_tolower(*word));
        else if (*word != ':' && *word != ' ')
            return NULL;
    }
    return digits->len >= LEAST ? g_string_free(g_steal_pointer(&digits), FALSE) : NULL;
}

gboolean ctl_target_read(CtlTarget *target, const char *word, GError **error)
{
    *target = (CtlTarget){0};
    if (*word == '@')
        target->domain = seal_key_bind_to(word);
    else if (strchr(word, '@'))
        target->address = seal_address_parse(word, NULL);
    else
        target->fingerprint = plain_fingerprint(word);
    if (target->domain || target->address || target->fingerprint)
        return TRUE;
    ctl_misuse(error,
               "\"%s\" is neither an address, nor @domain or @.domain, nor the beginning of a "
               "fingerprint: at least %d hexadecimal digits",
               word, LEAST);
    return FALSE;
}

void ctl_target_clear(CtlTarget *target)
{
    g_free(target->fingerprint);
    g_free(target->domain);
    seal_address_unref(target->address);
}

void ctl_target_fill(const CtlTarget *target, SealKeyFilter *filter)
{
    filter->fingerprint = target->fingerprint;
    filter->domain = target->domain;
    filter->address = target->address;
}

/* -------------------------------------------------------------------------------------------
 * Keys that were found
 */

static void octets_free(gpointer octets)
{
    if (octets)
        g_bytes_unref(octets);
}

void ctl_found_init(CtlKeys *found)
{
    found->keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    found->octets = g_ptr_array_new_with_free_func(octets_free);
}

void ctl_found_clear(CtlKeys *found)
{
    g_clear_pointer(&found->keys, g_ptr_array_unref);
    g_clear_pointer(&found->octets, g_ptr_array_unref);
    seal_looking_clear(&found->looking);
}

static gboolean found_visit(SealModule *self G_GNUC_UNUSED, SealKey *key, GBytes *octets,
                            gpointer user_data, GError **error)
{
    CtlKeys *found = user_data;

    if (found->keys->len >= MAX_FOUND) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                    "more than %d keys are meant; name fewer of them", MAX_FOUND);
        return FALSE;
    }
    g_ptr_array_add(found->keys, seal_key_ref(key));
    g_ptr_array_add(found->octets, octets ? g_bytes_ref(octets) : NULL);
    return TRUE;
}

gboolean ctl_found_list(CtlKeys *found, SealDispatcher *dispatcher, const char *source,
                        const SealKeyFilter *filter, GError **error)
{
    seal_looking_clear(&found->looking);
    found->looking.source = source;
    found->looking.nearby = TRUE;
    return seal_dispatcher_list_keys(dispatcher, &found->looking, filter, found_visit, found,
                                     error);
}

gboolean ctl_looking_check(const SealLooking *looking, GError **error)
{
    if (looking->trouble)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, looking->trouble);
    return !looking->trouble;
}

SealKey *ctl_found_read(const CtlKeys *found, SealDispatcher *dispatcher, guint at, GError **error)
{
    return seal_dispatcher_read_key(dispatcher, g_ptr_array_index(found->keys, at),
                                    g_ptr_array_index(found->octets, at), error);
}

/* -------------------------------------------------------------------------------------------
 * What is written down
 */

static char *book_name(const SealKey *key)
{
    return g_strdup_printf("%s %s", seal_key_format(key), seal_key_fingerprint(key));
}

CtlBook *ctl_book_read(SealDispatcher *dispatcher, GError **error)
{
    g_autoptr(GHashTable) book = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!seal_dispatcher_has_book(dispatcher))
        return g_steal_pointer(&book);
    if (!seal_dispatcher_read_book(dispatcher, NULL, SEAL_STANDING_NONE, keys, error))
        return NULL;
    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        SealStanding before = ctl_book_find(book, key);

        g_hash_table_insert(book, book_name(key),
                            GINT_TO_POINTER(MAX(before, seal_key_standing(key))));
    }
    return g_steal_pointer(&book);
}

SealStanding ctl_book_find(CtlBook *book, const SealKey *key)
{
    g_autofree char *name = book_name(key);

    return (SealStanding)GPOINTER_TO_INT(g_hash_table_lookup(book, name));
}

/* -------------------------------------------------------------------------------------------
 * What is said of a key
 */

static void add_name(GString *names, guint *count, const char *name)
{
    if ((*count)++ < MAX_NAMES)
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
}

gboolean ctl_key_is_authority(const SealKey *key)
{
    return seal_key_purposes(key) & SEAL_PURPOSE_ISSUE &&
           !(seal_key_purposes(key) & SEAL_PURPOSE_ENCRYPT);
}

char *ctl_key_addresses(const SealKey *key)
{
    GString *names = g_string_new(NULL);
    GPtrArray *addresses = seal_key_addresses(key);
    guint count = 0;

    for (guint i = 0; i < addresses->len; i++)
        add_name(names, &count, seal_address_text(g_ptr_array_index(addresses, i)));
    for (const char *const *domain = seal_key_domains(key); domain && *domain; domain++) {
        g_autofree char *name = g_strconcat("@", *domain, NULL);
        add_name(names, &count, name);
    }
    for (const char *const *bound = seal_key_bound(key); bound && *bound; bound++) {
        g_autoptr(SealAddress) address = seal_address_parse(*bound, NULL);

        if (!address || !seal_key_is_for(key, address))
            add_name(names, &count, *bound);
    }
    if (count > MAX_NAMES)
        g_string_append_printf(names, " and %u more", count - MAX_NAMES);
    if (count == 0 && ctl_key_is_authority(key))
        g_string_append(names, "(authority)");
    return g_string_free(names, FALSE);
}

char *ctl_key_fingerprint(const SealKey *key, const CtlOptions *options)
{
    gboolean narrow = !options->json && isatty(STDOUT_FILENO);

    return narrow ? g_strndup(seal_key_fingerprint(key), SHORT)
                  : g_strdup(seal_key_fingerprint(key));
}

void ctl_key_put(const SealKey *key, SealStanding standing, const CtlOptions *options, SealOut *out)
{
    g_autofree char *addresses = ctl_key_addresses(key);
    g_autofree char *fingerprint = ctl_key_fingerprint(key, options);
    g_autofree char *until = seal_text_day(seal_key_valid_until(key));

    seal_out_text(out, "address", "%s", addresses);
    seal_out_text(out, "format", "%s", seal_key_format(key));
    seal_out_text(out, "fingerprint", "%s", fingerprint);
    seal_out_text(out, "origin", "%s", seal_key_source(key));
    seal_out_text(out, "trust", "%s", seal_trust_name(seal_key_trust(key)));
    seal_out_text(out, "valid_until", "%s", until);
    seal_out_text(out, "standing", "%s", seal_standing_name(MAX(standing, seal_key_standing(key))));
}

/* -------------------------------------------------------------------------------------------
 * Several keys
 */

gboolean ctl_key_is_same(const SealKey *one, const SealKey *other)
{
    return g_str_equal(seal_key_format(one), seal_key_format(other)) &&
           g_str_equal(seal_key_fingerprint(one), seal_key_fingerprint(other));
}

gboolean ctl_key_is_among(GPtrArray *keys, const SealKey *key)
{
    for (guint i = 0; i < keys->len; i++) {
        if (ctl_key_is_same(g_ptr_array_index(keys, i), key))
            return TRUE;
    }
    return FALSE;
}

static gboolean refuse_none(const char *word, const char *unlisted, GError **error)
{
    if (unlisted)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "there is no key \"%s\" in the sources that list theirs; not looked through: "
                    "%s",
                    word, unlisted);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "there is no key \"%s\"", word);
    return FALSE;
}

gboolean ctl_keys_check_one(GPtrArray *keys, const char *word, gboolean all, const char *unlisted,
                            GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    if (keys->len == 0)
        return refuse_none(word, unlisted, error);
    if (keys->len == 1 || all)
        return TRUE;
    for (guint i = 0; i < MIN(keys->len, MAX_NAMES); i++) {
        const SealKey *key = g_ptr_array_index(keys, i);
        g_autofree char *addresses = ctl_key_addresses(key);

        g_string_append_printf(names, "%s%s %s (%s)", i > 0 ? ", " : "", seal_key_format(key),
                               seal_key_fingerprint(key), addresses);
    }
    if (keys->len > MAX_NAMES)
        g_string_append_printf(names, " and %u more", keys->len - MAX_NAMES);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "\"%s\" is more than one key: %s", word,
                names->str);
    return FALSE;
}

static void append_found(CtlKeys *found, GPtrArray *keys)
{
    for (guint i = 0; i < keys->len; i++) {
        g_ptr_array_add(found->keys, seal_key_ref(g_ptr_array_index(keys, i)));
        g_ptr_array_add(found->octets, NULL);
    }
}

gboolean ctl_found_all(CtlKeys *found, SealDispatcher *dispatcher, const char *source,
                       const CtlTarget *target, const char *word, GError **error)
{
    g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    SealKeyFilter filter = {.size = sizeof filter};
    g_autofree char *trouble = NULL;

    ctl_target_fill(target, &filter);
    if (!ctl_found_list(found, dispatcher, source, &filter, error))
        return FALSE;
    if (target->address && !source)
        seal_dispatcher_find_keys(dispatcher, target->address, others, &trouble);
    append_found(found, others);
    if (found->keys->len > 0)
        return TRUE;
    if (!trouble && !found->looking.trouble)
        return refuse_none(word, found->looking.unlisted, error);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "no key \"%s\" was found, but %s", word,
                trouble ? trouble : found->looking.trouble);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * What takes long
 */

void ctl_bar_draw(CtlBar *bar, guint done, guint count, gboolean end)
{
    gint64 now = g_get_monotonic_time();
    int full = (int)((guint64)done * BAR / MAX(count, 1));

    if (count < 2 || !isatty(STDERR_FILENO) || (!end && now - bar->drawn < BAR_US))
        return;
    bar->drawn = now;
    if (end)
        fprintf(stderr, "\r%*s\r", BAR + 30, "");
    else
        fprintf(stderr, "\r[%.*s%*s] %u/%u", full, "##############################", BAR - full, "",
                done, count);
}

/* -------------------------------------------------------------------------------------------
 * Options' values
 */

gboolean ctl_trust_read(const char *word, SealTrust *trust, GError **error)
{
    *trust = seal_trust_parse(word);
    if (*trust != SEAL_TRUST_UNSET)
        return TRUE;
    ctl_misuse(error,
               "--trust is unverified, harvested, discovered, verified or manual, not \"%s\"",
               word);
    return FALSE;
}

gboolean ctl_time_read(const char *word, gint64 *seconds, GError **error)
{
    static const struct {
        const char *unit;
        gint64 seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    char *end = NULL;
    guint64 number = g_ascii_isdigit(*word) ? g_ascii_strtoull(word, &end, 10) : G_MAXUINT64;

    for (guint i = 0; i < G_N_ELEMENTS(units) && number <= G_MAXINT32; i++) {
        if (!g_str_equal(end, units[i].unit))
            continue;
        *seconds = (gint64)number * units[i].seconds;
        return TRUE;
    }
    ctl_misuse(error,
               "\"%s\" is no time: a number with s, m, h, d or w behind it was expected, as "
               "30d are 30 days",
               word);
    return FALSE;
}

char *ctl_bind_problem(const char *word)
{
    g_autofree char *bound = seal_key_bind_to(word);
    g_autofree char *shown = seal_text_line(word, strlen(word), MAX_SHOWN);

    if (!bound)
        return g_strdup_printf("\"%s\" is not an address, @domain or @.domain", shown);
    /* RFC 5321 lets a mailbox be called so; whoever writes it means all of them. */
    return g_str_has_prefix(bound, "*@")
               ? g_strdup_printf("\"%s\" stands for no domain; all of it is %s", shown, bound + 1)
               : NULL;
}
