/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * search.c: what is found is bounded in entries, values and octets, and each message before libldap
 * reads it.
 */
#include "keys-ldap.h"

#include <string.h>

enum {
    MAX_ENTRIES = 32,
    MAX_VALUES = 128,
    MAX_OCTETS = 4 * 1024 * 1024, /* of all values */
    MAX_CONTEXTS = 8,             /* that are asked for a place of OpenPGP keys */
    MAX_NAME = 1024,
    MAX_URI = 300,
};

typedef struct {
    LdapCall *call;
    const LdapSearch *search;
    GPtrArray *values;
    GPtrArray *entries; /* or NULL */
    guint count;
    gsize octets;
    char *elsewhere; /* who has a part of it, or NULL */
} Found;

static void value_free(gpointer data)
{
    LdapValue *value = data;

    g_free(value->dn);
    g_free(value->attribute);
    g_free(value->name);
    g_bytes_unref(value->octets);
    g_free(value);
}

GPtrArray *ldap_values_new(void)
{
    return g_ptr_array_new_with_free_func(value_free);
}

static gboolean refuse_many(const Found *found, const char *what, guint max, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: more than %u %s for %s: a narrower filter or base is needed",
                found->call->server->uri, max, what, found->search->filter);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Entries
 */

int ldap_search_rank(const LdapSearch *search, const char *attribute)
{
    gsize length = strcspn(attribute, ";");

    for (guint i = 0; search->attributes[i]; i++) {
        if (strcspn(search->attributes[i], ";") == length &&
            g_ascii_strncasecmp(search->attributes[i], attribute, length) == 0)
            return (int)i;
    }
    return -1;
}

static gboolean take_value(Found *found, const char *dn, const char *name, guint rank,
                           const struct berval *octets, GError **error)
{
    if (found->values->len == MAX_VALUES)
        return refuse_many(found, "values", MAX_VALUES, error);
    if ((found->octets += octets->bv_len) > MAX_OCTETS)
        return refuse_many(found, "octets", MAX_OCTETS, error);
    LdapValue *value = g_new0(LdapValue, 1);
    value->dn = g_strdup(dn);
    value->attribute = g_strdup(found->search->attributes[rank]);
    value->name = g_strdup(name);
    value->rank = rank;
    value->octets = g_bytes_new(octets->bv_val, octets->bv_len);
    g_ptr_array_add(found->values, value);
    return TRUE;
}

static gboolean take_attribute(Found *found, LDAPMessage *entry, const char *dn,
                               const char *attribute, GError **error)
{
    int rank = ldap_search_rank(found->search, attribute);
    struct berval **all =
        rank < 0 ? NULL : ldap_get_values_len(found->call->server->connection, entry, attribute);
    gboolean ok = TRUE;

    for (guint i = 0; all && all[i] && ok; i++)
        ok = take_value(found, dn, attribute, (guint)rank, all[i], error);
    if (all)
        ldap_value_free_len(all);
    return ok;
}

gboolean ldap_search_is_off(LdapCall *call, const LdapSearch *search, LDAPMessage *entry)
{
    struct berval **all = search->unless
                              ? ldap_get_values_len(call->server->connection, entry, search->unless)
                              : NULL;
    gboolean off = all && all[0] && all[0]->bv_len == 1 && *all[0]->bv_val == '1';

    if (all)
        ldap_value_free_len(all);
    return off;
}

static gboolean take_attributes(Found *found, LDAPMessage *entry, const char *dn, GError **error)
{
    LDAP *ld = found->call->server->connection;
    BerElement *at = NULL;
    gboolean ok = TRUE;

    for (char *name = ldap_first_attribute(ld, entry, &at); name;
         name = ldap_next_attribute(ld, entry, at)) {
        ok = ok && take_attribute(found, entry, dn, name, error);
        ldap_memfree(name);
    }
    ber_free(at, 0);
    if (ok && found->entries)
        g_ptr_array_add(found->entries, g_strdup(dn));
    return ok;
}

static gboolean take_entry(Found *found, LDAPMessage *entry, GError **error)
{
    char *dn = ldap_get_dn(found->call->server->connection, entry);
    gboolean ok = TRUE;

    if (++found->count > MAX_ENTRIES)
        ok = refuse_many(found, "entries", MAX_ENTRIES, error);
    else if (!dn)
        ok = ldap_call_fail_last(found->call, "an entry without a name", error);
    else if (strlen(dn) > MAX_NAME)
        ok = refuse_many(found, "octets in an entry's name", MAX_NAME, error);
    else if (!ldap_search_is_off(found->call, found->search, entry))
        ok = take_attributes(found, entry, dn, error);
    ldap_memfree(dn);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * A search
 */

/* A directory that does not let its asker see an entry says as well that there is none. */
gboolean ldap_search_refuse_base(const LdapCall *call, const LdapSearch *search, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: there is no %s, or whoever binds may not see it: who has a key there cannot "
                "be told",
                call->server->uri, search->base);
    return FALSE;
}

static gboolean refuse_elsewhere(const Found *found, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: it is %s that has %s, or a part of it: a server that has all of it is needed "
                "(in Active Directory, port 3268 or 3269), or a narrower base",
                found->call->server->uri, found->elsewhere, found->search->base);
    return FALSE;
}

/* Every answer of an Active Directory below a domain refers to these, where nobody is. */
static gboolean is_housekeeping(const char *uri)
{
    static const char *const parts[] = {"/CN=CONFIGURATION,", "/DC=DOMAINDNSZONES,",
                                        "/DC=FORESTDNSZONES,"};
    g_autofree char *upper = g_ascii_strup(uri, -1);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (strstr(upper, parts[i]))
            return TRUE;
    }
    return FALSE;
}

/* Each of them has the same. */
char *ldap_search_elsewhere(char **uris)
{
    char *elsewhere = uris && uris[0] && !is_housekeeping(uris[0])
                          ? seal_text_line(uris[0], strlen(uris[0]), MAX_URI)
                          : NULL;

    ber_memvfree((void **)uris);
    return elsewhere;
}

/* Frees @uris. */
static void take_elsewhere(Found *found, char **uris)
{
    g_autofree char *elsewhere = ldap_search_elsewhere(uris);

    if (!found->elsewhere)
        found->elsewhere = g_steal_pointer(&elsewhere);
}

static gboolean take_reference(Found *found, LDAPMessage *message, GError **error)
{
    char **uris = NULL;

    if (ldap_parse_reference(found->call->server->connection, message, &uris, NULL, 0) !=
        LDAP_SUCCESS)
        return ldap_call_fail_last(found->call, "a reference", error);
    take_elsewhere(found, uris);
    return TRUE;
}

static gboolean judge_end(Found *found, int code, const char *said, GError **error)
{
    gboolean may_lack = found->search->may_lack;

    if (code == LDAP_NO_SUCH_OBJECT)
        return may_lack || ldap_search_refuse_base(found->call, found->search, error);
    if (code == LDAP_SIZELIMIT_EXCEEDED && found->count >= MAX_ENTRIES)
        return refuse_many(found, "entries", MAX_ENTRIES, error);
    if (code == LDAP_REFERRAL && found->elsewhere)
        return refuse_elsewhere(found, error);
    if (code != LDAP_SUCCESS)
        return ldap_call_fail(found->call, code, said, "search", error);
    return !found->elsewhere || found->values->len > 0 || may_lack ||
           refuse_elsewhere(found, error);
}

static gboolean end_search(Found *found, LDAPMessage *message, GError **error)
{
    int code = LDAP_OTHER;
    char *said = NULL, **uris = NULL;

    if (ldap_parse_result(found->call->server->connection, message, &code, NULL, &said, &uris, NULL,
                          0) != LDAP_SUCCESS)
        return ldap_call_fail_last(found->call, "search", error);
    take_elsewhere(found, uris);
    gboolean ok = judge_end(found, code, said, error);
    ldap_memfree(said);
    return ok;
}

/* Parts of the tree that other servers have (references) are not followed: who has them is named in
 * the setting. */
static gboolean take_messages(Found *found, int id, GError **error)
{
    for (;;) {
        g_autoptr(LDAPMessage) message =
            ldap_call_wait(found->call, id, found->search->filter, error);

        if (!message)
            return FALSE;
        ber_tag_t type = (ber_tag_t)ldap_msgtype(message);
        if (type == LDAP_RES_SEARCH_RESULT)
            return end_search(found, message, error);
        if (type == LDAP_RES_SEARCH_REFERENCE && !take_reference(found, message, error))
            return FALSE;
        if (type == LDAP_RES_SEARCH_ENTRY && !take_entry(found, message, error))
            return FALSE;
    }
}

/* Servers may give an attribute only under the option that it has there. */
GStrv ldap_search_names(const LdapSearch *search)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (const char *const *name = search->attributes; *name; name++) {
        g_autofree char *binary = g_strconcat(*name, ";binary", NULL);

        g_strv_builder_add(names, *name);
        if (!strchr(*name, ';') && !g_str_has_prefix(*name, "pgp"))
            g_strv_builder_add(names, binary);
    }
    if (search->unless)
        g_strv_builder_add(names, search->unless);
    /* Nothing of an entry, but that it is there. */
    if (!*search->attributes)
        g_strv_builder_add(names, LDAP_NO_ATTRS);
    return g_strv_builder_end(names);
}

static int by_rank(gconstpointer a, gconstpointer b)
{
    const LdapValue *one = *(LdapValue *const *)a, *other = *(LdapValue *const *)b;

    return (int)one->rank - (int)other->rank;
}

gboolean ldap_search_run(LdapCall *call, const LdapSearch *search, GPtrArray *values,
                         GPtrArray *entries, GError **error)
{
    Found found = {.call = call, .search = search, .values = values, .entries = entries};
    struct timeval wait = {.tv_sec = (time_t)call->servers->timeout};
    g_auto(GStrv) attributes = ldap_search_names(search);
    int id;

    g_ptr_array_set_size(values, 0);
    if (entries)
        g_ptr_array_set_size(entries, 0);
    if (ldap_search_ext(call->server->connection, search->base, search->scope, search->filter,
                        attributes, 0, NULL, NULL, &wait, MAX_ENTRIES + 1, &id) != LDAP_SUCCESS)
        return ldap_call_fail_last(call, "search", error);
    gboolean ok = take_messages(&found, id, error);
    g_free(found.elsewhere);
    if (!ok) {
        ldap_abandon_ext(call->server->connection, id, NULL, NULL);
        return FALSE;
    }
    g_ptr_array_sort(values, by_rank);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Where OpenPGP keys are
 */

/* The values of one attribute of one entry, which need not be there. */
static gboolean read_entry(LdapCall *call, const char *base, const char *attribute,
                           GPtrArray *values, GError **error)
{
    const char *const attributes[] = {attribute, NULL};
    const LdapSearch search = {.base = base,
                               .scope = LDAP_SCOPE_BASE,
                               .filter = "(objectClass=*)",
                               .attributes = attributes,
                               .may_lack = TRUE};

    return ldap_search_run(call, &search, values, NULL, error);
}

static char *text_of(const LdapValue *value)
{
    gsize length;
    const char *text = g_bytes_get_data(value->octets, &length);

    return length <= MAX_NAME ? g_strndup(text, length) : NULL;
}

/* What cn=PGPServerInfo below @context says, or NULL. */
static gboolean ask_context(LdapCall *call, const char *context, char **found, GError **error)
{
    g_autofree char *info = g_strdup_printf("cn=PGPServerInfo%s%s", *context ? "," : "", context);
    g_autoptr(GPtrArray) values = ldap_values_new();

    if (!read_entry(call, info, "pgpBaseKeySpaceDN", values, error))
        return FALSE;
    *found = values->len > 0 ? text_of(g_ptr_array_index(values, 0)) : NULL;
    return TRUE;
}

static gboolean ask_contexts(LdapCall *call, const char *base, char **found, GError **error)
{
    g_autoptr(GPtrArray) contexts = ldap_values_new();

    if (!ask_context(call, base, found, error))
        return FALSE;
    if (*found || !read_entry(call, "", "namingContexts", contexts, error))
        return *found != NULL;
    for (guint i = 0; i < MIN(contexts->len, MAX_CONTEXTS) && !*found; i++) {
        g_autofree char *context = text_of(g_ptr_array_index(contexts, i));

        if (context && g_ascii_strcasecmp(context, base) != 0 &&
            !ask_context(call, context, found, error))
            return FALSE;
    }
    return TRUE;
}

const char *ldap_search_pgp_base(LdapCall *call, const char *base, GError **error)
{
    g_autofree char *found = NULL;

    if (call->server->pgp_base)
        return call->server->pgp_base;
    if (!ask_contexts(call, base, &found, error))
        return NULL;
    call->server->pgp_base = found ? g_steal_pointer(&found) : g_strdup(base);
    return call->server->pgp_base;
}
