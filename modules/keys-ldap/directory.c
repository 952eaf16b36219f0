/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * directory.c: what look-ups and publishing share: who is asked by whom, and for what.
 */
#include "keys-ldap.h"

#include <string.h>

enum { MAX_DN = 200 };

gboolean keys_ldap_read_servers(SealModule *self, LdapServers *servers, GError **error)
{
    const char *wrong = NULL, *why = NULL;

    servers->starttls = seal_module_choice(self, "starttls") == 0;
    servers->ca = seal_module_string(self, "ca");
    servers->timeout = seal_module_number(self, "timeout");
    servers->retry = seal_module_number(self, "retry");
    if (!ldap_servers_add(servers, seal_module_list(self, "servers"), &wrong, &why))
        return seal_module_refuse(self, "servers", error, "%s: %s", wrong, why);
    return servers->servers->len > 0 ||
           seal_module_refuse(self, "servers", error,
                              "name one at least, such as ldaps://ldap.example.org");
}

/* A name without a password would be taken for nobody's (RFC 4513 5.1.2). */
gboolean keys_ldap_read_identity(SealModule *self, const char *dn, const char *file,
                                 LdapIdentity *identity, GError **error)
{
    const char *path = seal_module_string(self, file);

    identity->dn = g_strdup(seal_module_string(self, dn));
    if (!identity->dn)
        return !path || seal_module_refuse(self, file, error, "it is of use with %s= alone", dn);
    if (!path)
        return seal_module_refuse(self, dn, error, "it takes %s= as well", file);
    g_autoptr(SealSecret) all = seal_secret_read(path, error);
    if (!all || !(identity->password = seal_secret_first_line(all, error)))
        return FALSE;
    return seal_secret_size(identity->password) > 0 ||
           seal_module_refuse(self, file, error, "the first line of %s is empty", path);
}

void keys_ldap_clear_identity(LdapIdentity *identity)
{
    g_clear_pointer(&identity->dn, g_free);
    g_clear_pointer(&identity->password, seal_secret_free);
}

gboolean keys_ldap_check_bare(SealModule *self, const LdapServers *servers, GError **error)
{
    const char *uri = NULL;

    return !servers->identity.dn || !ldap_servers_bare(servers, &uri) ||
           seal_module_refuse(self, "starttls", error,
                              "a password would cross the network to %s in clear: "
                              "starttls=required or ldaps:// keeps it",
                              uri);
}

/* Of S/MIME and OpenPGP; other formats have none. */
const char *const *keys_ldap_attributes(SealModule *self, const char *format)
{
    static const char *const none[] = {NULL};

    if (g_str_equal(format, KEYS_LDAP_SMIME))
        return seal_module_list(self, "smime_attributes");
    return g_str_equal(format, KEYS_LDAP_PGP) ? seal_module_list(self, "pgp_attributes") : none;
}

const char *keys_ldap_base(LdapCall *call, SealModule *self, const char *format, GError **error)
{
    const KeysLdap *source = seal_module_data(self);
    const char *set = seal_module_string(self, "pgp_base");

    if (!g_str_equal(format, KEYS_LDAP_PGP))
        return source->base;
    return set ? set : ldap_search_pgp_base(call, source->base, error);
}

const char *keys_ldap_template(SealModule *self, const char *format)
{
    const KeysLdap *source = seal_module_data(self);

    return g_str_equal(format, KEYS_LDAP_PGP) ? seal_module_string(self, "pgp_filter")
                                              : source->filter;
}

gboolean keys_ldap_is_served(const KeysLdap *source, const SealAddress *address)
{
    for (guint i = 0; i < source->domains->len; i++) {
        if (g_pattern_spec_match_string(g_ptr_array_index(source->domains, i),
                                        seal_address_domain(address)))
            return TRUE;
    }
    return source->domains->len == 0;
}

char *keys_ldap_place(const char *uri, const char *dn)
{
    g_autofree char *line = seal_text_line(dn, strlen(dn), MAX_DN);

    return g_strdup_printf("%s/%s", uri, line);
}

gboolean keys_ldap_find(LdapCall *call, SealModule *self, const SealAddress *address,
                        const char *format, GPtrArray *values, GPtrArray *entries, GError **error)
{
    g_autofree char *filter = ldap_template_fill(keys_ldap_template(self, format), address);
    const LdapSearch search = {
        .base = keys_ldap_base(call, self, format, error),
        .scope = LDAP_SCOPE_SUBTREE,
        .filter = filter,
        .attributes = keys_ldap_attributes(self, format),
        .unless = g_str_equal(format, KEYS_LDAP_PGP) ? "pgpDisabled" : NULL,
    };

    return search.base && ldap_search_run(call, &search, values, entries, error);
}

/* Before anything reads it: some thousands of certificates fit into a megabyte. */
static gboolean check_size(SealModule *self, const LdapValue *value, GError **error)
{
    gint64 max = seal_module_number(self, "max_value");

    if ((gint64)g_bytes_get_size(value->octets) <= max)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "it has %" G_GSIZE_FORMAT " octets, more than max_value=%" G_GINT64_FORMAT,
                g_bytes_get_size(value->octets), max);
    return FALSE;
}

static GBytes *decode_base64(GBytes *text)
{
    SealBase64 base64 = {.may_have_blanks = TRUE};
    gsize size, length;
    const char *data = g_bytes_get_data(text, &size);
    g_autofree guint8 *out = g_malloc(size / 4 * 3 + 6);

    if (size == 0 || !seal_base64_decode(&base64, data, size, out, &length) ||
        !seal_base64_is_complete(&base64))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&out), length);
}

gboolean keys_ldap_read_value(SealModule *self, const char *format, const LdapValue *value,
                              const SealOrigin *origin, GPtrArray *keys, GError **error)
{
    g_autoptr(GBytes) plain = NULL;
    guint before = keys->len;

    if (!check_size(self, value, error))
        return FALSE;
    plain = decode_base64(value->octets);
    if (!seal_module_read_keys(self, format, plain ? plain : value->octets, origin, keys, error))
        return FALSE;
    if (keys->len > before)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "no key is in it");
    return FALSE;
}
