/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-ldap.c: the key source `ldap`: certificates and OpenPGP keys out of directories.
 */
#include "keys-ldap.h"

#include <string.h>

/* One attribute more that has no index, and a server looks at all of its entries each time. */
#define FILTER_STANDARD "(mail=%a)"
#define FILTER_AD       "(|(mail=%a)(proxyAddresses=smtp:%a))"
/* By GnuPG's schema, by the one that PGP Universal has too, and people with a key in their entry.
 */
#define FILTER_PGP "(|(gpgMailbox=%a)(pgpUserID=*<%a>*)(pgpUserID=%a)(mail=%a))"

enum {
    MAX_NAMED = 3, /* in one sentence */
    SLOW_MS = 1000,
    MAX_KEYS = 1000, /* of one address: core takes no more, so that no more are read */
    MAX_TIMES = 2,   /* so much of max_value is read */
};

/* A look-up. */
typedef struct {
    SealModule *self;
    SealAddress *address;
    const char *format;
    GPtrArray *values;
    char *uri;  /* who answered */
    gsize size; /* of the values that were read */
} Lookup;

/* -------------------------------------------------------------------------------------------
 * Settings
 */

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
    source->filter = filter                                                     ? filter
                     : seal_module_choice(self, "schema") == KEYS_LDAP_STANDARD ? FILTER_STANDARD
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

/* MAX_KEYS alone is no bound: certificates of a chain are no keys, and take as long to read. */
static gboolean read_value(Lookup *lookup, const LdapValue *value, const SealOrigin *origin,
                           GPtrArray *keys, GError **error)
{
    gint64 max = seal_module_number(lookup->self, "max_value");
    gsize size = g_bytes_get_size(value->octets);

    if ((gint64)size <= max && (gint64)(lookup->size += size) > MAX_TIMES * max) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "all values have more than %d times max_value=%" G_GINT64_FORMAT " octets",
                    MAX_TIMES, max);
        return FALSE;
    }
    return keys_ldap_read_value(lookup->self, lookup->format, value, origin, keys, error);
}

/* What cannot be read stands in no other's way. */
static char *read_values(Lookup *lookup, SealTrust trust, GPtrArray *keys)
{
    g_autoptr(GString) doubt = g_string_new(NULL);
    guint doubts = 0;

    for (guint i = 0; i < lookup->values->len && keys->len <= MAX_KEYS; i++) {
        const LdapValue *value = g_ptr_array_index(lookup->values, i);
        g_autofree char *place = keys_ldap_place(lookup->uri, value->dn);
        const SealOrigin origin = {
            .size = sizeof origin, .source = "ldap", .place = place, .trust = trust};
        g_autoptr(GError) problem = NULL;

        if (!read_value(lookup, value, &origin, keys, &problem))
            append_doubt(doubt, doubts++, value, place, problem);
    }
    return doubts > 0 ? g_string_free(g_steal_pointer(&doubt), FALSE) : NULL;
}

/* One that is not is no key: something may stand in an entry beside it. */
static gboolean has_fit(GPtrArray *keys, const SealAddress *address)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;

    for (guint i = 0; i < keys->len; i++) {
        const SealKey *key = g_ptr_array_index(keys, i);

        if (seal_key_serves(key, address) != SEAL_SERVES_NOT && seal_key_valid_until(key) >= now &&
            (seal_key_purposes(key) & SEAL_PURPOSE_ENCRYPT))
            return TRUE;
    }
    return FALSE;
}

/* What cannot be read is the address's own: a doubt beside a key that can serve, and else the key
 * that could not be found out. The server has answered: it is not for that that this fails. */
static gboolean settle_unread(const Lookup *lookup, char *unread, GPtrArray *keys, char **doubt,
                              GError **error)
{
    if (unread && !has_fit(keys, lookup->address)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, unread);
        g_free(unread);
        return FALSE;
    }
    if (unread)
        *doubt = unread;
    return TRUE;
}

static gboolean keys_ldap_lookup(SealModule *self, SealAddress *address, const char *format,
                                 SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                 char **doubt, GError **error)
{
    KeysLdap *source = seal_module_data(self);
    g_autoptr(GPtrArray) values = ldap_values_new();
    Lookup lookup = {.self = self, .address = address, .format = format, .values = values};

    if (!*keys_ldap_attributes(self, format) || !keys_ldap_is_served(source, address))
        return TRUE;
    gboolean ok = ldap_servers_run(&source->servers, cancellable, lookup_task, &lookup, error);
    if (ok)
        ok = settle_unread(&lookup, read_values(&lookup, trust, keys), keys, doubt, error);
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
    const LdapSearch search = {.base = source->base,
                               .scope = LDAP_SCOPE_BASE,
                               .filter = "(objectClass=*)",
                               .attributes = none};

    if (!ldap_search_run(call, &search, values, entries, error))
        return FALSE;
    if (entries->len > 0)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: there is no %s, or whoever binds may not see it: nobody has a key there",
                call->server->uri, source->base);
    return FALSE;
}

/* What to do, by how far it has come. */
static const char *find_remedy(LdapStep step)
{
    static const char *const remedies[] = {
        [LDAP_AT_CONNECTION] = "see that the server runs, that its name and port in servers= are "
                               "right, and that no firewall is in the way",
        [LDAP_AT_TLS] = "see that the server offers TLS, that its certificate names the host of "
                        "servers=, and that ca= has the CA that has issued it",
        [LDAP_AT_BIND] = "see that bind_dn= is right, and that bind_password_file= has his "
                         "password as it is now",
        [LDAP_AT_WORK] = "see that base= is right, and that whoever binds (bind_dn=) may read "
                         "there",
    };

    return remedies[step];
}

static void put_answer(const LdapServer *server, gint64 msec, SealOut *out)
{
    if (msec > SLOW_MS)
        seal_out_finding(out, SEAL_FINDING_WARNING, "sources",
                         "find out what keeps it: mail to everybody waits that long; an index on "
                         "what filter= asks for, or another server ahead of it in servers=",
                         "%s has taken %" G_GINT64_FORMAT " ms to answer", server->uri, msec);
    else
        seal_out_finding(out, SEAL_FINDING_OK, "sources", NULL,
                         "%s answers in %" G_GINT64_FORMAT " ms", server->uri, msec);
}

/* Where another one answers, mail goes on. */
static void put_troubles(GPtrArray *servers, GPtrArray *troubles, SealOut *out)
{
    gboolean all = TRUE;

    for (guint i = 0; i < troubles->len; i++)
        all = all && g_ptr_array_index(troubles, i);
    for (guint i = 0; i < troubles->len; i++) {
        const LdapServer *server = g_ptr_array_index(servers, i);
        const GError *trouble = g_ptr_array_index(troubles, i);

        if (trouble)
            seal_out_finding(out, all ? SEAL_FINDING_PROBLEM : SEAL_FINDING_WARNING, "sources",
                             find_remedy(server->step), "%s", trouble->message);
    }
}

static void free_trouble(gpointer trouble)
{
    g_clear_error((GError **)&trouble);
}

static gboolean keys_ldap_check(SealModule *self, SealOut *out, GError **error)
{
    KeysLdap *source = seal_module_data(self);
    GPtrArray *servers = source->servers.servers;
    g_autoptr(GPtrArray) troubles = g_ptr_array_new_with_free_func(free_trouble);
    guint ready = 0;

    for (guint i = 0; i < servers->len; i++) {
        LdapServer *server = g_ptr_array_index(servers, i);
        gint64 begun = g_get_monotonic_time();
        GError *trouble = NULL;

        if (ldap_server_run(&source->servers, server, NULL, check_task, source, &trouble)) {
            ready++;
            put_answer(server, (g_get_monotonic_time() - begun) / 1000, out);
        }
        g_ptr_array_add(troubles, trouble);
    }
    seal_out_text(out, "detail", "%u of %u servers answer", ready, servers->len);
    put_troubles(servers, troubles, out);
    return TRUE;
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
             "domain, %% a percent sign. Without it, by mail, or as schema says. What is in "
             "it should have an index in the directory."},
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
    {.key = "max_value",
     .type = SEAL_SETTING_SIZE,
     .preset = "256K",
     .range = "1K..4M",
     .help = "How large one value may be; what is larger is not read, and named as what cannot be "
             "read."},
    {.key = "domains",
     .type = SEAL_SETTING_LIST,
     .help =
         "The domains of which there are addresses in the directory, * and ? standing for any "
         "characters; of others it is not asked. Empty: all. sealctl keys publish --ldap, without "
         "addresses, writes the keys of these domains."},
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
    {.key = "publish_dn",
     .type = SEAL_SETTING_STRING,
     .help = "Who writes keys into the directory, with sealctl keys publish."},
    {.key = "publish_password_file",
     .type = SEAL_SETTING_SECRET,
     .help = "A file whose first line is the password of publish_dn."},
    {.key = NULL},
};

static const SealSource ldap_source = {
    .size = sizeof ldap_source,
    .name = "ldap",
    .trust = SEAL_TRUST_VERIFIED,
    .may_skip = FALSE,
    .lookup = keys_ldap_lookup,
    .flags = SEAL_SOURCE_REMOTE,
    .put = keys_ldap_put,
    .rehearse = keys_ldap_rehearse,
    .list = keys_ldap_list,
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
