/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * list.c: all keys of a directory, a page at a time (RFC 2696). Each entry is visited and let go;
 * what was left out is said in the end.
 */
#include "keys-ldap.h"

#include <string.h>

enum {
    PAGE = 100, /* entries */
    MAX_ENTRIES = 100000,
    MAX_PAGES = 2 * MAX_ENTRIES / PAGE,
    MAX_TIME = 60, /* times the setting timeout */
    /* of one entry, as of one look-up */
    MAX_VALUES = 128,
    MAX_TIMES = 2,
    MAX_KEYS = 1000,
    MAX_NAME = 1024,
};

/* What stays out for one reason. */
typedef struct {
    guint count;
    char *first; /* the first of them, for people */
} Omitted;

typedef struct {
    SealModule *self;
    const KeysLdap *source;
    const SealKeyFilter *filter;
    SealKeyListed visit;
    gpointer user_data;
    const char *format;
    gboolean knows_owners; /* who an entry is for stands in attributes that are known */
    char *uri;             /* who answers */
    gint64 until;          /* monotonic, microseconds */
    guint entries;         /* in this format */
    gboolean ended;        /* by the visitor */
    char *left;            /* why there may be more, or NULL */
    Omitted unread;
    Omitted foreign;
} Listing;

/* An entry while it is read. */
typedef struct {
    char *place;
    GPtrArray *owners; /* element type SealAddress */
    GPtrArray *keys;
    guint values;
    gsize size; /* of those that were read */
} Entry;

static void entry_clear(Entry *entry)
{
    g_free(entry->place);
    g_ptr_array_unref(entry->owners);
    g_ptr_array_unref(entry->keys);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Entry, entry_clear)

static void omit(Omitted *omitted, const char *place, const char *why)
{
    if (omitted->count++ == 0)
        omitted->first = g_strdup_printf("%s%s%s", place, *why ? ": " : "", why);
}

static void G_GNUC_PRINTF(2, 3) leave_rest(Listing *listing, const char *format, ...)
{
    va_list args;

    if (listing->left)
        return;
    va_start(args, format);
    listing->left = g_strdup_vprintf(format, args);
    va_end(args);
}

/* -------------------------------------------------------------------------------------------
 * Who it is for
 */

/* A look-up of any other address does not ask here. */
static gboolean is_ever_asked(const Listing *listing, const SealKey *key)
{
    GPtrArray *addresses = seal_key_addresses(key);

    for (guint i = 0; i < addresses->len; i++) {
        if (keys_ldap_is_served(listing->source, g_ptr_array_index(addresses, i)))
            return TRUE;
    }
    return *seal_key_domains(key) != NULL;
}

/* By those a look-up finds the entry. */
static gboolean is_owned(const Listing *listing, const Entry *entry, const SealKey *key)
{
    for (guint i = 0; i < entry->owners->len; i++) {
        if (seal_key_serves(key, g_ptr_array_index(entry->owners, i)) != SEAL_SERVES_NOT)
            return TRUE;
    }
    return !listing->knows_owners || entry->owners->len == 0;
}

static void take_owner(Entry *entry, const struct berval *value, const char *prefix)
{
    gsize skip = strlen(prefix);
    SealAddress *address = NULL;

    if (value->bv_len < skip || value->bv_len > MAX_NAME ||
        g_ascii_strncasecmp(value->bv_val, prefix, skip) != 0)
        return;
    g_autofree char *text = g_strndup(value->bv_val + skip, value->bv_len - skip);
    address = seal_address_parse(text, NULL);
    if (address)
        g_ptr_array_add(entry->owners, address);
}

static void take_owners(LdapCall *call, Entry *entry, LDAPMessage *message, const char *attribute,
                        const char *prefix)
{
    struct berval **all = ldap_get_values_len(call->server->connection, message, attribute);

    for (guint i = 0; all && all[i] && i < MAX_VALUES; i++)
        take_owner(entry, all[i], prefix);
    if (all)
        ldap_value_free_len(all);
}

/* -------------------------------------------------------------------------------------------
 * Entries
 */

static gboolean is_within(const Listing *listing, Entry *entry, gsize size)
{
    gint64 max = seal_module_number(listing->self, "max_value");

    /* What is larger by itself is refused as such. */
    if ((gint64)size <= max)
        entry->size += size;
    return ++entry->values <= MAX_VALUES && (gint64)entry->size <= MAX_TIMES * max &&
           entry->keys->len <= MAX_KEYS;
}

static void read_value(Listing *listing, Entry *entry, const char *attribute,
                       const struct berval *octets)
{
    g_autoptr(GBytes) bytes = g_bytes_new(octets->bv_val, octets->bv_len);
    const LdapValue value = {.octets = bytes};
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "ldap",
                               .place = entry->place,
                               .trust = seal_module_trust(listing->self, "ldap")};
    g_autofree char *place = g_strdup_printf("%s of %s", attribute, entry->place);
    g_autoptr(GError) problem = NULL;

    if (!is_within(listing, entry, octets->bv_len))
        omit(&listing->unread, place, "its entry has too much");
    else if (!keys_ldap_read_value(listing->self, listing->format, &value, &origin, entry->keys,
                                   &problem))
        omit(&listing->unread, place, problem->message);
}

static void read_attributes(LdapCall *call, Listing *listing, const LdapSearch *search,
                            LDAPMessage *message, Entry *entry)
{
    LDAP *ld = call->server->connection;
    BerElement *at = NULL;

    for (char *name = ldap_first_attribute(ld, message, &at); name;
         name = ldap_next_attribute(ld, message, at)) {
        int rank = ldap_search_rank(search, name);
        struct berval **all = rank < 0 ? NULL : ldap_get_values_len(ld, message, name);

        for (guint i = 0; all && all[i]; i++)
            read_value(listing, entry, search->attributes[rank], all[i]);
        if (all)
            ldap_value_free_len(all);
        ldap_memfree(name);
    }
    ber_free(at, 0);
}

static gboolean is_first(const Entry *entry, guint at)
{
    const SealKey *key = g_ptr_array_index(entry->keys, at);

    for (guint i = 0; i < at; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(entry->keys, i)),
                        seal_key_fingerprint(key)))
            return FALSE;
    }
    return TRUE;
}

static gboolean visit_keys(Listing *listing, const Entry *entry, GError **error)
{
    for (guint i = 0; i < entry->keys->len && !listing->ended; i++) {
        SealKey *key = g_ptr_array_index(entry->keys, i);

        if (!is_first(entry, i) || !is_ever_asked(listing, key) ||
            !seal_key_passes(key, listing->filter))
            continue;
        if (!is_owned(listing, entry, key))
            omit(&listing->foreign, entry->place, "");
        else
            listing->ended = !listing->visit(listing->self, key, NULL, listing->user_data, error);
    }
    return !listing->ended;
}

static gboolean take_entry(LdapCall *call, Listing *listing, const LdapSearch *search,
                           LDAPMessage *message, GError **error)
{
    char *dn = ldap_get_dn(call->server->connection, message);
    g_auto(Entry)
        entry = {.place = keys_ldap_place(listing->uri, dn ? dn : ""),
                 .owners = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref),
                 .keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref)};
    gboolean named = dn && strlen(dn) <= MAX_NAME;

    ldap_memfree(dn);
    if (!named)
        omit(&listing->unread, entry.place, "an entry without a name, or with too long a one");
    if (!named || ldap_search_is_off(call, search, message))
        return TRUE;
    if (listing->knows_owners) {
        take_owners(call, &entry, message, "mail", "");
        take_owners(call, &entry, message, "proxyAddresses", "smtp:");
    }
    read_attributes(call, listing, search, message, &entry);
    return visit_keys(listing, &entry, error);
}

/* -------------------------------------------------------------------------------------------
 * Pages
 */

static void note_elsewhere(Listing *listing, char **uris)
{
    g_autofree char *elsewhere = ldap_search_elsewhere(uris);

    if (elsewhere)
        leave_rest(listing, "%s: a part of it is %s's", listing->uri, elsewhere);
}

/* What a server gives to whoever binds ends somewhere, with pages or without. */
static gboolean is_limit(int code)
{
    return code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_TIMELIMIT_EXCEEDED ||
           code == LDAP_ADMINLIMIT_EXCEEDED;
}

static gboolean judge_page(LdapCall *call, Listing *listing, const LdapSearch *search, int code,
                           const char *said, GError **error)
{
    if (code == LDAP_SUCCESS)
        return TRUE;
    if (code == LDAP_NO_SUCH_OBJECT)
        return ldap_search_refuse_base(call, search, error);
    if (is_limit(code) && listing->entries > 0) {
        leave_rest(
            listing,
            "%s: it gives whoever binds %u entries with %s keys and no more (%s); the others "
            "are left out",
            listing->uri, listing->entries, listing->format, ldap_err2string(code));
        return TRUE;
    }
    if (code == LDAP_REFERRAL && listing->left) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, listing->left);
        return FALSE;
    }
    return ldap_call_fail(call, code, said, "list", error);
}

/* Where the next page begins; nothing where there is none. */
static void read_cookie(LdapCall *call, LDAPControl **controls, struct berval *cookie)
{
    LDAPControl *control =
        controls ? ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL) : NULL;
    ber_int_t estimate = 0;

    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){0};
    if (control && ldap_parse_pageresponse_control(call->server->connection, control, &estimate,
                                                   cookie) != LDAP_SUCCESS)
        *cookie = (struct berval){0};
}

static gboolean end_page(LdapCall *call, Listing *listing, const LdapSearch *search,
                         LDAPMessage *message, struct berval *cookie, GError **error)
{
    int code = LDAP_OTHER;
    char *said = NULL, **uris = NULL;
    LDAPControl **controls = NULL;

    if (ldap_parse_result(call->server->connection, message, &code, NULL, &said, &uris, &controls,
                          0) != LDAP_SUCCESS)
        return ldap_call_fail_last(call, "list", error);
    note_elsewhere(listing, uris);
    read_cookie(call, controls, cookie);
    gboolean ok = judge_page(call, listing, search, code, said, error);
    if (controls)
        ldap_controls_free(controls);
    ldap_memfree(said);
    return ok;
}

/* TRUE, once, where no more is to be read. */
static gboolean is_enough(Listing *listing)
{
    if (listing->entries >= MAX_ENTRIES)
        leave_rest(listing, "%s: it has more than %d entries with keys; the others are left out",
                   listing->uri, MAX_ENTRIES);
    else if (g_get_monotonic_time() >= listing->until)
        leave_rest(listing, "%s: it took more than %d times timeout=; the others are left out",
                   listing->uri, MAX_TIME);
    else
        return FALSE;
    return TRUE;
}

static gboolean take_message(LdapCall *call, Listing *listing, const LdapSearch *search,
                             LDAPMessage *message, GError **error)
{
    ber_tag_t type = (ber_tag_t)ldap_msgtype(message);
    char **uris = NULL;

    if (type == LDAP_RES_SEARCH_ENTRY) {
        listing->entries++;
        return take_entry(call, listing, search, message, error);
    }
    if (type == LDAP_RES_SEARCH_REFERENCE &&
        ldap_parse_reference(call->server->connection, message, &uris, NULL, 0) == LDAP_SUCCESS)
        note_elsewhere(listing, uris);
    return TRUE;
}

/* Each message has the time of a look-up, and all of them have an end. *@over: it was the last. */
static gboolean read_messages(LdapCall *call, Listing *listing, const LdapSearch *search, int id,
                              struct berval *cookie, gboolean *over, GError **error)
{
    for (;;) {
        call->until =
            MIN(g_get_monotonic_time() + call->servers->timeout * G_USEC_PER_SEC, listing->until);
        g_autoptr(LDAPMessage) message = ldap_call_wait(call, id, search->filter, error);

        if (!message)
            return FALSE;
        if ((ber_tag_t)ldap_msgtype(message) == LDAP_RES_SEARCH_RESULT)
            return end_page(call, listing, search, message, cookie, error);
        if (!take_message(call, listing, search, message, error))
            return FALSE;
        *over = is_enough(listing);
        if (*over)
            ldap_abandon_ext(call->server->connection, id, NULL, NULL);
        if (*over)
            return TRUE;
    }
}

static GStrv name_attributes(const Listing *listing, const LdapSearch *search)
{
    g_auto(GStrv) keys = ldap_search_names(search);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    g_strv_builder_addv(names, (const char **)keys);
    if (listing->knows_owners)
        g_strv_builder_add_many(names, "mail", "proxyAddresses", NULL);
    return g_strv_builder_end(names);
}

/* Empties @cookie where there is no further page. */
static gboolean read_page(LdapCall *call, Listing *listing, const LdapSearch *search,
                          gboolean paged, struct berval *cookie, gboolean *over, GError **error)
{
    g_auto(GStrv) attributes = name_attributes(listing, search);
    struct timeval wait = {.tv_sec = (time_t)(MAX_TIME * call->servers->timeout)};
    LDAP *ld = call->server->connection;
    LDAPControl *controls[] = {NULL, NULL};
    int id;

    if (paged && ldap_create_page_control(ld, PAGE, cookie, 0, &controls[0]) != LDAP_SUCCESS)
        return ldap_call_fail_last(call, "list", error);
    int code = ldap_search_ext(ld, search->base, search->scope, search->filter, attributes, 0,
                               paged ? controls : NULL, NULL, &wait, LDAP_NO_LIMIT, &id);
    if (controls[0])
        ldap_control_free(controls[0]);
    if (code != LDAP_SUCCESS)
        return ldap_call_fail_last(call, "list", error);
    if (read_messages(call, listing, search, id, cookie, over, error))
        return TRUE;
    ldap_abandon_ext(ld, id, NULL, NULL);
    return FALSE;
}

static gboolean read_pages(LdapCall *call, Listing *listing, const LdapSearch *search,
                           gboolean paged, GError **error)
{
    struct berval cookie = {0};
    gboolean ok = TRUE, over = FALSE;
    guint pages = 0;

    do {
        ok = read_page(call, listing, search, paged, &cookie, &over, error);
    } while (ok && !over && cookie.bv_len > 0 && ++pages < MAX_PAGES);
    if (pages == MAX_PAGES)
        leave_rest(listing, "%s: it gives page after page and comes to no end", listing->uri);
    ber_memfree(cookie.bv_val);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * All of it
 */

/* Entries with keys that a look-up of any address, or of the one, may find. */
static char *make_filter(const Listing *listing)
{
    const char *template = keys_ldap_template(listing->self, listing->format);
    const char *const *attributes = keys_ldap_attributes(listing->self, listing->format);
    g_autofree char *whom = listing->filter->address
                                ? ldap_template_fill(template, listing->filter->address)
                                : ldap_template_fill_any(template);
    g_autoptr(GString) text = g_string_new("(&(|");

    for (; *attributes; attributes++)
        g_string_append_printf(text, "(%.*s=*)", (int)strcspn(*attributes, ";"), *attributes);
    g_string_append_printf(text, ")%s)", whom);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* What has been visited stays visited: once there is any, no other server is asked, and what went
 * wrong is why there may be more. */
static gboolean list_task(LdapCall *call, gpointer user_data, GError **error)
{
    Listing *listing = user_data;
    g_autofree char *filter = make_filter(listing);
    g_autoptr(GError) problem = NULL;
    const LdapSearch search = {
        .base = keys_ldap_base(call, listing->self, listing->format, error),
        .scope = LDAP_SCOPE_SUBTREE,
        .filter = filter,
        .attributes = keys_ldap_attributes(listing->self, listing->format),
        .unless = g_str_equal(listing->format, KEYS_LDAP_PGP) ? "pgpDisabled" : NULL,
    };

    if (!search.base)
        return FALSE;
    g_free(listing->uri);
    listing->uri = g_strdup(call->server->uri);
    gboolean ok = read_pages(call, listing, &search, TRUE, &problem);
    /* Perhaps it is the pages that it does not want. */
    if (!ok && listing->entries == 0 && !call->lost) {
        g_clear_error(&problem);
        ok = read_pages(call, listing, &search, FALSE, &problem);
    }
    if (!ok && listing->entries > 0 && !listing->ended) {
        leave_rest(listing, "%s; what was still to come is left out", problem->message);
        return TRUE;
    }
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&problem));
    return ok;
}

static gboolean list_format(Listing *listing, const char *format, GError **error)
{
    SealModule *self = listing->self;
    KeysLdap *source = seal_module_data(self);

    if ((listing->filter->format && !g_str_equal(listing->filter->format, format)) ||
        !*keys_ldap_attributes(self, format) || !seal_module_reads_keys(self, format))
        return TRUE;
    listing->format = format;
    listing->entries = 0;
    listing->knows_owners =
        g_str_equal(format, KEYS_LDAP_SMIME) && !seal_module_string(self, "filter");
    return ldap_servers_run(&source->servers, NULL, list_task, listing, error);
}

static void append_omitted(GString *text, const Omitted *omitted, const char *what)
{
    if (omitted->count > 0)
        g_string_append_printf(text, "%s%u %s, the first one %s", text->len > 0 ? "; " : "",
                               omitted->count, what, omitted->first);
}

/* FALSE where these were not all. */
static gboolean tell_left(const Listing *listing, GError **error)
{
    g_autoptr(GString) text = g_string_new(listing->left);

    append_omitted(text, &listing->unread, "values cannot be read");
    append_omitted(text, &listing->foreign,
                   "keys name no address of their entry, and are found for nobody");
    if (text->len == 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, text->str);
    return FALSE;
}

gboolean keys_ldap_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                        gpointer user_data, GError **error)
{
    const KeysLdap *source = seal_module_data(self);
    Listing listing = {.self = self,
                       .source = source,
                       .filter = filter,
                       .visit = visit,
                       .user_data = user_data,
                       .until = g_get_monotonic_time() +
                                MAX_TIME * source->servers.timeout * G_USEC_PER_SEC};

    /* Nobody has given one to a domain there. */
    if (filter->domain || (filter->address && !keys_ldap_is_served(source, filter->address)))
        return TRUE;
    gboolean ok = list_format(&listing, KEYS_LDAP_SMIME, error) &&
                  list_format(&listing, KEYS_LDAP_PGP, error) && tell_left(&listing, error);
    g_free(listing.uri);
    g_free(listing.left);
    g_free(listing.unread.first);
    g_free(listing.foreign.first);
    return ok;
}
