/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * publish.c: writes keys into the entries of those whom they are for. Some of these attributes have
 * no rule by which a server could tell one value from another, so that all of its values are
 * written anew: those that were there, but for another form of the same key, and the new one.
 */
#include "keys-ldap.h"

#include <string.h>

typedef struct {
    SealModule *self;
    GPtrArray *keys;
    gboolean dry; /* the entries are found, and nothing is written */
    guint added;
} Publication;

/* A key, the address in whose entry it is to be, and what there is. */
typedef struct {
    Publication *publication;
    LdapCall *call;
    SealKey *key;
    const SealAddress *address;
    GPtrArray *values;
    GPtrArray *entries;
    gboolean changed;
} Place;

/* -------------------------------------------------------------------------------------------
 * Values
 */

static gboolean is_pgp(const Place *place)
{
    return g_str_equal(seal_key_format(place->key), KEYS_LDAP_PGP);
}

/* NULL, where the Format writes none. */
static GBytes *make_value(const Place *place, const char *attribute, GError **error)
{
    g_autoptr(GBytes) octets = seal_module_write_key(place->publication->self, place->key, error);

    if (!octets)
        return NULL;
    if (is_pgp(place))
        return seal_packets_armor(octets);
    return g_ascii_strcasecmp(attribute, "userSMIMECertificate") == 0 ? ldap_form_pkcs7(octets)
                                                                      : g_bytes_ref(octets);
}

/* What cannot be read is somebody else's to take away. */
static gboolean holds_key(const Place *place, const LdapValue *value)
{
    const SealOrigin origin = {.size = sizeof origin, .source = "ldap", .place = value->dn};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    keys_ldap_read_value(place->publication->self, seal_key_format(place->key), value, &origin,
                         keys, NULL);
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(keys, i)),
                        seal_key_fingerprint(place->key)))
            return TRUE;
    }
    return FALSE;
}

/* All that the attribute is to have; NULL where it has that. (borrowed octets) */
static GPtrArray *merge_values(const Place *place, guint rank, GBytes *fresh)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    gboolean same = FALSE;

    for (guint i = 0; i < place->values->len; i++) {
        const LdapValue *value = g_ptr_array_index(place->values, i);

        if (value->rank != rank)
            continue;
        same = same || g_bytes_equal(value->octets, fresh);
        if (!holds_key(place, value))
            g_ptr_array_add(all, value->octets);
    }
    g_ptr_array_add(all, fresh);
    return same ? NULL : g_steal_pointer(&all);
}

/* -------------------------------------------------------------------------------------------
 * Attributes
 */

static int modify_entry(Place *place, const char *attribute, GPtrArray *octets, GError **error)
{
    g_autofree struct berval *values = g_new0(struct berval, octets->len);
    g_autofree struct berval **pointers = g_new0(struct berval *, octets->len + 1);
    LDAPMod change = {.mod_op = LDAP_MOD_REPLACE | LDAP_MOD_BVALUES,
                      .mod_type = (char *)attribute,
                      .mod_vals.modv_bvals = pointers};
    LDAPMod *changes[] = {&change, NULL};
    const char *dn = g_ptr_array_index(place->entries, 0);
    g_autofree char *what = g_strdup_printf("writing %s of %s", attribute, dn);
    int id;

    for (guint i = 0; i < octets->len; i++) {
        gsize size;

        values[i].bv_val = (char *)g_bytes_get_data(g_ptr_array_index(octets, i), &size);
        values[i].bv_len = size;
        pointers[i] = &values[i];
    }
    if (ldap_modify_ext(place->call->server->connection, dn, changes, NULL, NULL, &id) !=
        LDAP_SUCCESS) {
        ldap_call_fail_last(place->call, what, error);
        return LDAP_OTHER;
    }
    return ldap_call_end(place->call, id, what, error);
}

/* The name under which the entry has it, or those under which the schema may. */
static GPtrArray *name_attribute(const Place *place, guint rank, const char *attribute)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    gboolean plain = is_pgp(place) || strchr(attribute, ';') ||
                     seal_module_choice(place->publication->self, "schema") == KEYS_LDAP_AD;

    for (guint i = 0; i < place->values->len; i++) {
        const LdapValue *value = g_ptr_array_index(place->values, i);

        if (value->rank != rank)
            continue;
        g_ptr_array_add(names, g_strdup(value->name));
        return g_steal_pointer(&names);
    }
    if (!plain)
        g_ptr_array_add(names, g_strconcat(attribute, ";binary", NULL));
    g_ptr_array_add(names, g_strdup(attribute));
    return g_steal_pointer(&names);
}

/* *@known is FALSE where the schema has no such attribute, with an error then. */
static gboolean write_attribute(Place *place, guint rank, const char *attribute, gboolean *known,
                                GError **error)
{
    g_autoptr(GBytes) fresh = make_value(place, attribute, error);
    g_autoptr(GPtrArray) octets = fresh ? merge_values(place, rank, fresh) : NULL;
    g_autoptr(GPtrArray) names = name_attribute(place, rank, attribute);
    int code = LDAP_SUCCESS;

    *known = TRUE;
    if (!fresh)
        return FALSE;
    for (guint i = 0; octets && i < names->len; i++) {
        g_autoptr(GError) problem = NULL;

        code = modify_entry(place, g_ptr_array_index(names, i), octets, &problem);
        place->changed = place->changed || code == LDAP_SUCCESS;
        if (code == LDAP_UNDEFINED_TYPE && i + 1 < names->len)
            continue;
        if (problem)
            g_propagate_error(error, g_steal_pointer(&problem));
        break;
    }
    *known = code != LDAP_UNDEFINED_TYPE;
    return code == LDAP_SUCCESS;
}

/* Certificates into each attribute, since readers differ in which they look at; an OpenPGP key into
 * the first that there is. One that the schema lacks is passed over, if another one is there. */
static gboolean write_attributes(Place *place, GError **error)
{
    const char *const *names =
        keys_ldap_attributes(place->publication->self, seal_key_format(place->key));
    g_autoptr(GError) unknown = NULL;
    guint written = 0;

    for (guint rank = 0; names[rank] && !(written > 0 && is_pgp(place)); rank++) {
        g_autoptr(GError) problem = NULL;
        gboolean known;

        if (write_attribute(place, rank, names[rank], &known, &problem)) {
            written++;
        } else if (known) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        } else {
            g_clear_error(&unknown);
            unknown = g_steal_pointer(&problem);
        }
    }
    if (written == 0 && unknown)
        g_propagate_error(error, g_steal_pointer(&unknown));
    else if (written == 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                    "no attribute is set for %s keys in [module keys-ldap]",
                    seal_key_format(place->key));
    return written > 0;
}

/* -------------------------------------------------------------------------------------------
 * Entries
 */

static gboolean find_entry(Place *place, GError **error)
{
    if (!keys_ldap_find(place->call, place->publication->self, place->address,
                        seal_key_format(place->key), place->values, place->entries, error))
        return FALSE;
    if (place->entries->len <= 1)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "%s: there is more than one entry for %s: none was chosen",
                place->call->server->uri, seal_address_text(place->address));
    return FALSE;
}

static gboolean publish_for(Publication *publication, LdapCall *call, SealKey *key,
                            const SealAddress *address, gboolean write, guint *found,
                            GError **error)
{
    g_autoptr(GPtrArray) values = ldap_values_new();
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
    Place place = {publication, call, key, address, values, entries, FALSE};

    call->until = g_get_monotonic_time() + call->servers->timeout * G_USEC_PER_SEC;
    if (!find_entry(&place, error))
        return FALSE;
    *found += entries->len;
    if (write && entries->len > 0 && !write_attributes(&place, error))
        return FALSE;
    publication->added += place.changed;
    return TRUE;
}

/* Whom the operator has given it to, else those whom it names. */
static GPtrArray *addresses_of(SealKey *key)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref);
    GPtrArray *named = seal_key_addresses(key);

    for (const char *const *bound = seal_key_bound(key); *bound; bound++) {
        SealAddress *address = **bound == '@' ? NULL : seal_address_parse(*bound, NULL);

        if (address)
            g_ptr_array_add(all, address);
    }
    for (guint i = 0; i < named->len && !*seal_key_bound(key); i++)
        g_ptr_array_add(all, seal_address_ref(g_ptr_array_index(named, i)));
    return g_steal_pointer(&all);
}

/* A key may name addresses that its owner has elsewhere. */
static gboolean publish_key(Publication *publication, LdapCall *call, SealKey *key, gboolean write,
                            GError **error)
{
    const KeysLdap *source = seal_module_data(publication->self);
    g_autoptr(GPtrArray) addresses = addresses_of(key);
    guint found = 0, before = publication->added;

    for (guint i = 0; i < addresses->len; i++) {
        if (!publish_for(publication, call, key, g_ptr_array_index(addresses, i), write, &found,
                         error))
            return FALSE;
    }
    publication->added = MIN(publication->added, before + 1);
    if (found > 0)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                "%s: there is no entry for %s below %s: it has to be there first",
                call->server->uri,
                addresses->len > 0 ? seal_address_text(g_ptr_array_index(addresses, 0))
                                   : seal_key_label(key),
                source->base);
    return FALSE;
}

/* No entry is written before all have been found. */
static gboolean publish_task(LdapCall *call, gpointer user_data, GError **error)
{
    Publication *publication = user_data;

    publication->added = 0;
    for (gboolean write = FALSE; write <= !publication->dry; write++) {
        for (guint i = 0; i < publication->keys->len; i++) {
            if (!publish_key(publication, call, g_ptr_array_index(publication->keys, i), write,
                             error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean open_servers(SealModule *self, LdapServers *servers, GError **error)
{
    if (!keys_ldap_read_servers(self, servers, error) ||
        !keys_ldap_read_identity(self, "publish_dn", "publish_password_file", &servers->identity,
                                 error) ||
        !keys_ldap_check_bare(self, servers, error))
        return FALSE;
    return servers->identity.dn ||
           seal_module_refuse(self, "publish_dn", error,
                              "it has to say who may write into the directory");
}

static gboolean publish_all(Publication *publication, GError **error)
{
    LdapServers servers = {.servers = NULL};
    gboolean ok = open_servers(publication->self, &servers, error) &&
                  ldap_servers_run(&servers, NULL, publish_task, publication, error);

    ldap_servers_clear(&servers);
    keys_ldap_clear_identity(&servers.identity);
    return ok;
}

gboolean keys_ldap_put(SealModule *self, GPtrArray *keys, guint *added, GError **error)
{
    Publication publication = {.self = self, .keys = keys};
    gboolean ok = publish_all(&publication, error);

    if (ok)
        *added = publication.added;
    return ok;
}

gboolean keys_ldap_rehearse(SealModule *self, GPtrArray *keys, GError **error)
{
    Publication publication = {.self = self, .keys = keys, .dry = TRUE};

    return publish_all(&publication, error);
}
