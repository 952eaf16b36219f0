/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-ldap.c: the key source `ldap`: certificates and OpenPGP keys out of directories.
 */
#include "keys-ldap.h"

#include <string.h>

#define FORMAT_PGP      "pgp"
#define FORMAT_SMIME    "smime"
#define FILTER_STANDARD "(|(mail=%a)(mailLocalAddress=%a)(mailAlternateAddress=%a))"
#define FILTER_AD       "(|(mail=%a)(proxyAddresses=smtp:%a))"
/* By GnuPG's schema, by the one that PGP Universal has too, and people with a key in their entry.
 */
#define FILTER_PGP "(|(gpgMailbox=%a)(pgpUserID=*<%a>*)(pgpUserID=%a)(mail=%a))"

enum {
    MAX_NAMED = 3, /* in one sentence */
    MAX_DN = 200,
};

/* A look-up. */
typedef struct {
    SealModule *self;
    SealAddress *address;
    const char *format;
    GPtrArray *values;
    char *uri; /* who answered */
} Lookup;

/* -------------------------------------------------------------------------------------------
 * Settings
 */

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

static gboolean read_filters(SealModule *self, KeysLdap *source, GError **error)
{
    static const char *const keys[] = {"filter", "pgp_filter"};
    const char *filter = seal_module_string(self, "filter");
    const char *why = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *text = seal_module_string(self, keys[i]);

        if (text && !ldap_template_check(text, &why))
            return seal_module_refuse(self, keys[i], error, "\"%s\" is no filter: %s", text, why);
    }
    source->filter = filter                                    ? filter
                     : seal_module_choice(self, "schema") == 0 ? FILTER_STANDARD
                                                               : FILTER_AD;
    source->base = seal_module_string(self, "base");
    return source->base || seal_module_refuse(self, "base", error,
                                              "it names the entry below which people are, such as "
                                              "ou=people,dc=example,dc=org");
}

/* As A-labels, which addresses have here; a glob is taken as it is. */
static void read_domains(SealModule *self, KeysLdap *source)
{
    const char *const *domains = seal_module_list(self, "domains");

    for (; *domains; domains++) {
        g_autofree char *anybody = g_strconcat("x@", *domains, NULL);
        g_autofree char *lower = g_ascii_strdown(*domains, -1);
        g_autoptr(SealAddress) address =
            strpbrk(*domains, "*?") ? NULL : seal_address_parse(anybody, NULL);

        g_ptr_array_add(source->domains,
                        g_pattern_spec_new(address ? seal_address_domain(address) : lower));
    }
}

static gboolean read_settings(SealModule *self, KeysLdap *source, GError **error)
{
    read_domains(self, source);
    return keys_ldap_read_servers(self, &source->servers, error) &&
           read_filters(self, source, error) &&
           keys_ldap_read_identity(self, "bind_dn", "bind_password_file", &source->servers.identity,
                                   error) &&
           keys_ldap_check_bare(self, &source->servers, error);
}

static void keys_ldap_fini(SealModule *self)
{
    KeysLdap *source = seal_module_data(self);

    ldap_servers_clear(&source->servers);
    keys_ldap_clear_identity(&source->servers.identity);
    g_ptr_array_unref(source->domains);
    g_free(source);
    seal_module_set_data(self, NULL);
}

/* No connection is made before somebody is looked up: by then this is the process that works. */
static gboolean keys_ldap_init(SealModule *self, GError **error)
{
    KeysLdap *source = g_new0(KeysLdap, 1);

    source->domains = g_ptr_array_new_with_free_func((GDestroyNotify)g_pattern_spec_free);
    seal_module_set_data(self, source);
    ldap_servers_prepare();
    if (read_settings(self, source, error))
        return TRUE;
    keys_ldap_fini(self);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Searching
 */

static gboolean is_served(const KeysLdap *source, const SealAddress *address)
{
    for (guint i = 0; i < source->domains->len; i++) {
        if (g_pattern_spec_match_string(g_ptr_array_index(source->domains, i),
                                        seal_address_domain(address)))
            return TRUE;
    }
    return source->domains->len == 0;
}

/* Of S/MIME and OpenPGP; other formats have none. */
static const char *const *attributes_of(SealModule *self, const char *format)
{
    static const char *const none[] = {NULL};

    if (g_str_equal(format, FORMAT_SMIME))
        return seal_module_list(self, "smime_attributes");
    return g_str_equal(format, FORMAT_PGP) ? seal_module_list(self, "pgp_attributes") : none;
}

static const char *find_pgp_base(LdapCall *call, SealModule *self, GError **error)
{
    const KeysLdap *source = seal_module_data(self);
    const char *set = seal_module_string(self, "pgp_base");

    return set ? set : ldap_search_pgp_base(call, source->base, error);
}

gboolean keys_ldap_find(LdapCall *call, SealModule *self, const SealAddress *address,
                        const char *format, GPtrArray *values, GPtrArray *entries, GError **error)
{
    const KeysLdap *source = seal_module_data(self);
    gboolean pgp = g_str_equal(format, FORMAT_PGP);
    g_autofree char *filter =
        ldap_template_fill(pgp ? seal_module_string(self, "pgp_filter") : source->filter, address);
    const LdapSearch search = {
        .base = pgp ? find_pgp_base(call, self, error) : source->base,
        .scope = LDAP_SCOPE_SUBTREE,
        .filter = filter,
        .attributes = attributes_of(self, format),
        .unless = pgp ? "pgpDisabled" : NULL,
    };

    return search.base && ldap_search_run(call, &search, values, entries, error);
}

static gboolean lookup_task(LdapCall *call, gpointer user_data, GError **error)
{
    Lookup *lookup = user_data;

    g_free(lookup->uri);
    lookup->uri = g_strdup(call->server->uri);
    return keys_ldap_find(call, lookup->self, lookup->address, lookup->format, lookup->values, NULL,
                          error);
}

/* -------------------------------------------------------------------------------------------
 * Values
 */

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
    g_autoptr(GBytes) plain = decode_base64(value->octets);
    guint before = keys->len;

    if (!seal_module_read_keys(self, format, plain ? plain : value->octets, origin, keys, error))
        return FALSE;
    if (keys->len > before)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "no key is in it");
    return FALSE;
}

static char *place_of(const Lookup *lookup, const LdapValue *value)
{
    g_autofree char *dn = seal_text_line(value->dn, strlen(value->dn), MAX_DN);

    return g_strdup_printf("%s/%s", lookup->uri, dn);
}

static void append_doubt(GString *doubt, guint number, const LdapValue *value, const char *place,
                         const GError *problem)
{
    if (number > MAX_NAMED)
        return;
    if (number == MAX_NAMED)
        g_string_append(doubt, "; and more");
    else
        g_string_append_printf(doubt, "%s%s of %s cannot be read: %s", number > 0 ? "; " : "",
                               value->attribute, place, problem->message);
}

/* What cannot be read stands in no other's way. */
static char *read_values(const Lookup *lookup, SealTrust trust, GPtrArray *keys)
{
    g_autoptr(GString) doubt = g_string_new(NULL);
    guint doubts = 0;

    for (guint i = 0; i < lookup->values->len; i++) {
        const LdapValue *value = g_ptr_array_index(lookup->values, i);
        g_autofree char *place = place_of(lookup, value);
        const SealOrigin origin = {
            .size = sizeof origin, .source = "ldap", .place = place, .trust = trust};
        g_autoptr(GError) problem = NULL;

        if (!keys_ldap_read_value(lookup->self, lookup->format, value, &origin, keys, &problem))
            append_doubt(doubt, doubts++, value, place, problem);
    }
    return doubts > 0 ? g_string_free(g_steal_pointer(&doubt), FALSE) : NULL;
}

static gboolean keys_ldap_lookup(SealModule *self, SealAddress *address, const char *format,
                                 SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                 char **doubt, GError **error)
{
    KeysLdap *source = seal_module_data(self);
    g_autoptr(GPtrArray) values = ldap_values_new();
    Lookup lookup = {self, address, format, values, NULL};

    if (!*attributes_of(self, format) || !is_served(source, address))
        return TRUE;
    gboolean ok = ldap_servers_run(&source->servers, cancellable, lookup_task, &lookup, error);
    char *unread = ok ? read_values(&lookup, trust, keys) : NULL;
    if (unread)
        *doubt = unread;
    g_free(lookup.uri);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * Whether it works
 */

static gboolean check_task(LdapCall *call, gpointer user_data, GError **error)
{
    static const char *const none[] = {NULL};
    const KeysLdap *source = user_data;
    g_autoptr(GPtrArray) values = ldap_values_new();
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
    const LdapSearch search = {source->base, LDAP_SCOPE_BASE, "(objectClass=*)", none, NULL};

    if (!ldap_search_run(call, &search, values, entries, error))
        return FALSE;
    if (entries->len > 0)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: there is no %s, or whoever binds may not see it: nobody has a key there",
                call->server->uri, source->base);
    return FALSE;
}

static gboolean keys_ldap_check(SealModule *self, SealOut *out, GError **error)
{
    KeysLdap *source = seal_module_data(self);
    GPtrArray *servers = source->servers.servers;
    g_autoptr(GString) reasons = g_string_new(NULL);
    guint ready = 0;

    for (guint i = 0; i < servers->len; i++) {
        g_autoptr(GError) problem = NULL;

        if (ldap_server_run(&source->servers, g_ptr_array_index(servers, i), NULL, check_task,
                            source, &problem))
            ready++;
        else
            g_string_append_printf(reasons, "%s%s", reasons->len > 0 ? "; " : "", problem->message);
    }
    seal_out_text(out, "detail", "%u of %u servers answer", ready, servers->len);
    if (ready < servers->len)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, reasons->str);
    return ready == servers->len;
}

/* -------------------------------------------------------------------------------------------
 * The module
 */

static const SealSetting settings[] = {
    {.key = "servers",
     .type = SEAL_SETTING_LIST,
     .help =
         "The servers, as ldaps://HOST, ldap://HOST or ldapi://SOCKET (with %2F for each "
         "slash), each with :PORT if need be; the next one is asked where one does not answer."},
    {.key = "starttls",
     .type = SEAL_SETTING_CHOICE,
     .preset = "required",
     .range = "required|never",
     .help = "Whether ldap:// turns to TLS first. never: what comes can be forged on the way; with "
             "bind_dn it is refused but for this host."},
    {.key = "ca",
     .type = SEAL_SETTING_PATH,
     .help = "A file with the CA certificates (PEM) that vouch for the servers; without it, those "
             "of the system."},
    {.key = "bind_dn", .type = SEAL_SETTING_STRING, .help = "Who asks; without it, nobody."},
    {.key = "bind_password_file",
     .type = SEAL_SETTING_SECRET,
     .help = "A file whose first line is the password of bind_dn."},
    {.key = "base", .type = SEAL_SETTING_STRING, .help = "The entry below which people are."},
    {.key = "schema",
     .type = SEAL_SETTING_CHOICE,
     .preset = "standard",
     .range = "standard|ad",
     .help = "ad: Active Directory, where further addresses are in proxyAddresses, as "
             "smtp:ADDRESS."},
    {.key = "filter",
     .type = SEAL_SETTING_STRING,
     .help = "How people are found (RFC 4515): %a is the address, %l its local part, %d its "
             "domain, %% a percent sign. Without it, by mail, mailLocalAddress and "
             "mailAlternateAddress, or as schema says."},
    {.key = "smime_attributes",
     .type = SEAL_SETTING_LIST,
     .preset = "userSMIMECertificate;userCertificate",
     .help = "Where certificates are; all of them count. Empty: nowhere."},
    {.key = "pgp_attributes",
     .type = SEAL_SETTING_LIST,
     .preset = "pgpKeyV2;pgpKey",
     .help = "Where OpenPGP keys are, likewise."},
    {.key = "pgp_base",
     .type = SEAL_SETTING_STRING,
     .help = "The entry below which OpenPGP keys are. Without it, the server is asked "
             "(cn=PGPServerInfo), and where it does not say, it is base."},
    {.key = "pgp_filter",
     .type = SEAL_SETTING_STRING,
     .preset = FILTER_PGP,
     .help = "How OpenPGP keys are found, as filter."},
    {.key = "domains",
     .type = SEAL_SETTING_LIST,
     .help = "The domains of which there are addresses in the directory, * and ? standing for any "
             "characters; of others it is not asked. Empty: all."},
    {.key = "timeout",
     .type = SEAL_SETTING_DURATION,
     .preset = "5s",
     .range = "1s..5m",
     .help = "How long one server may take for one look-up, connection and all."},
    {.key = "retry",
     .type = SEAL_SETTING_DURATION,
     .preset = "10s",
     .range = "0s..1h",
     .help = "How long a server that has failed is passed over."},
    {.key = NULL},
};

static const SealSource ldap_source = {
    .size = sizeof ldap_source,
    .name = "ldap",
    .trust = SEAL_TRUST_VERIFIED,
    .may_skip = FALSE,
    .lookup = keys_ldap_lookup,
    .flags = SEAL_SOURCE_REMOTE,
};

static const SealSource *const sources[] = {&ldap_source, NULL};

static const SealCheck check = {.size = sizeof check, .name = "keys-ldap", .run = keys_ldap_check};
static const SealCheck *const checks[] = {&check, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "keys-ldap",
    .version = "0.1.0",
    .summary = "Keys and certificates from LDAP directories",
    .settings = settings,
    .init = keys_ldap_init,
    .fini = keys_ldap_fini,
    .sources = sources,
    .checks = checks,
    .flags = SEAL_MODULE_NETWORK,
};
