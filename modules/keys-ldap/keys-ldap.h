/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-ldap.h: what the files of the module keys-ldap share.
 */
#pragma once

#include "core/sealpipe.h"

#include <ldap.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LDAPMessage, ldap_msgfree)

/* -------------------------------------------------------------------------------------------
 * filter.c: search filters (RFC 4515) out of templates
 */

/** FALSE, with what is wrong with it for people, where @filter cannot be one for an address. */
gboolean ldap_template_check(const char *filter, const char **why);
/** %a is the address, %l its local part, %d its domain, %% a percent sign; all of them escaped, so
 *  that they only ever stand for themselves. (transfer full) */
char *ldap_template_fill(const char *filter, const SealAddress *address);

/** The same for whatever address: it finds at least what it finds for any. (transfer full) */
char *ldap_template_fill_any(const char *filter);

/* -------------------------------------------------------------------------------------------
 * patience.c: waiting that ends
 */

typedef struct {
    int socket;
    gint64 until; /* monotonic, microseconds; 0: nothing is waited for, the socket does not block */
    GCancellable *cancellable;
} LdapPatience;

/** Puts it between a connection and its socket; it is to live as long. */
gboolean ldap_patience_add(LdapPatience *patience, Sockbuf *buffer);

/* -------------------------------------------------------------------------------------------
 * server.c: the servers, and connections to them
 */

/** Who binds; anonymous where @dn is NULL. */
typedef struct {
    char *dn;
    SealSecret *password;
} LdapIdentity;

/** How far a call has come. */
typedef enum {
    LDAP_AT_CONNECTION,
    LDAP_AT_TLS,
    LDAP_AT_BIND,
    LDAP_AT_WORK,
} LdapStep;

typedef struct {
    char *uri;
    LDAPURLDesc *parts;
    LdapStep step; /* of the last call */
    LDAP *connection;
    LdapPatience patience; /* of the connection, which owns the socket */
    char *pgp_base;        /* as this server says; found once for each connection */
    gint64 again;          /* it is passed over until then; monotonic, microseconds */
    char *trouble;         /* why */
} LdapServer;

/** All servers, in order, and how they are spoken to. */
typedef struct {
    GPtrArray *servers; /* element type LdapServer */
    gboolean starttls;
    const char *ca; /* a file */
    gint64 timeout; /* seconds for each server in each look-up */
    gint64 retry;   /* seconds that a server is passed over */
    LdapIdentity identity;
} LdapServers;

/** What is being asked of a server. */
typedef struct {
    LdapServers *servers;
    LdapServer *server;
    GCancellable *cancellable;
    gint64 until;   /* monotonic, microseconds */
    gboolean lost;  /* the server is at fault, or the way to it: another one may do */
    gboolean large; /* it is lost by too large an answer: that is for this question alone */
} LdapCall;

/** A piece of work, from its beginning: it is done again where a connection was found dead. */
typedef gboolean (*LdapTask)(LdapCall *call, gpointer user_data, GError **error);

/** Keeps what came before it away from libldap: files of the system's, and the environment. */
void ldap_servers_prepare(void);
/** Reads @uris. FALSE, with what is wrong with *@wrong for people. */
gboolean ldap_servers_add(LdapServers *servers, const char *const *uris, const char **wrong,
                          const char **why);
/** TRUE where a password would cross a network in clear; *@uri is where. */
gboolean ldap_servers_bare(const LdapServers *servers, const char **uri);
/** Ends every connection. */
void ldap_servers_clear(LdapServers *servers);
/** Has the first server do @task that can. SEAL_ERROR_UNAVAILABLE, with each server's reason. */
gboolean ldap_servers_run(LdapServers *servers, GCancellable *cancellable, LdapTask task,
                          gpointer user_data, GError **error);
/** Has that one server do it, whether it is passed over or not. */
gboolean ldap_server_run(LdapServers *servers, LdapServer *server, GCancellable *cancellable,
                         LdapTask task, gpointer user_data, GError **error);
/** The next message that answers @id, by which @what was asked. (transfer full) */
LDAPMessage *ldap_call_wait(LdapCall *call, int id, const char *what, GError **error);
/** Sets what libldap, or with @code the server, says of @what. Always FALSE. */
gboolean ldap_call_fail(LdapCall *call, int code, const char *said, const char *what,
                        GError **error);
/** Awaits what the server says of the request @id, as a code of libldap's; with an error unless
 * that is success. */
int ldap_call_end(LdapCall *call, int id, const char *what, GError **error);
/** Why the last call of libldap's failed. Always FALSE. */
gboolean ldap_call_fail_last(LdapCall *call, const char *what, GError **error);

/* -------------------------------------------------------------------------------------------
 * search.c: searches, bounded
 */

typedef struct {
    char *dn;
    char *attribute; /* as the setting has it */
    char *name;      /* as the server has it, with its options */
    guint rank;      /* of that */
    GBytes *octets;
} LdapValue;

typedef struct {
    const char *base;
    int scope; /* LDAP_SCOPE_... */
    const char *filter;
    const char *const *attributes; /* each with whatever options it has there */
    const char *unless;            /* entries in which this is 1 are passed over; or NULL */
    gboolean may_lack;             /* that there is no such base says that nothing is there */
} LdapSearch;

/** Which of @search's attributes @attribute is; -1: none. Options say how it is sent, not what it
 *  is. */
int ldap_search_rank(const LdapSearch *search, const char *attribute);
/** The attributes to be asked for. (transfer full) */
GStrv ldap_search_names(const LdapSearch *search);
/** TRUE where @search passes @entry over. */
gboolean ldap_search_is_off(LdapCall *call, const LdapSearch *search, LDAPMessage *entry);
/** Who has a part of what was searched for: frees @uris, of a referral or a reference. NULL where
 *  that is nobody's. (transfer full) */
char *ldap_search_elsewhere(char **uris);
/** There is no such base. Always FALSE. */
gboolean ldap_search_refuse_base(const LdapCall *call, const LdapSearch *search, GError **error);
/** An array of LdapValue. (transfer full) */
GPtrArray *ldap_values_new(void);
/** Puts what is found in place of what is in @values, in the order of the attributes; @entries, if
 *  it is not NULL, gets the names of all entries. SEAL_ERROR_UNAVAILABLE as well where there is no
 *  such base, or where nothing is found and other servers have parts of it; not with may_lack. */
gboolean ldap_search_run(LdapCall *call, const LdapSearch *search, GPtrArray *values,
                         GPtrArray *entries, GError **error);
/** Where the server keeps OpenPGP keys: what GnuPG and PGP Universal ask it; @base where it does
 *  not say. (borrowed) */
const char *ldap_search_pgp_base(LdapCall *call, const char *base, GError **error);

/* -------------------------------------------------------------------------------------------
 * forms.c: keys as values
 */

/** PKCS#7 with this certificate (DER) alone in it. (transfer full) */
GBytes *ldap_form_pkcs7(GBytes *certificate);

/* -------------------------------------------------------------------------------------------
 * directory.c: what look-ups and publishing share
 */

#define KEYS_LDAP_SMIME "smime"
#define KEYS_LDAP_PGP   "pgp"

/* Of the setting schema. */
enum { KEYS_LDAP_STANDARD, KEYS_LDAP_AD };

typedef struct {
    LdapServers servers;
    const char *base;
    const char *filter;
    GPtrArray *domains; /* element type GPatternSpec; empty: all */
} KeysLdap;

/** Fills @identity with what the settings @dn and @file say: nobody where they are unset. */
gboolean keys_ldap_read_identity(SealModule *self, const char *dn, const char *file,
                                 LdapIdentity *identity, GError **error);
void keys_ldap_clear_identity(LdapIdentity *identity);
/** Fills @servers as the settings say, but for who binds. Always to be cleared. */
gboolean keys_ldap_read_servers(SealModule *self, LdapServers *servers, GError **error);
/** FALSE where a password would cross a network in clear. */
gboolean keys_ldap_check_bare(SealModule *self, const LdapServers *servers, GError **error);
/** The attributes with keys of @format; none of a format that is not kept in directories. */
const char *const *keys_ldap_attributes(SealModule *self, const char *format);
/** The entry below which keys of @format are. NULL on error. (borrowed) */
const char *keys_ldap_base(LdapCall *call, SealModule *self, const char *format, GError **error);
/** The template of the filter for keys of @format. (borrowed) */
const char *keys_ldap_template(SealModule *self, const char *format);
/** TRUE where there may be keys of @address, by the setting domains. */
gboolean keys_ldap_is_served(const KeysLdap *source, const SealAddress *address);
/** Within @uri, for people. (transfer full) */
char *keys_ldap_place(const char *uri, const char *dn);
/** What there is in @format for @address, as ldap_search_run() has it. */
gboolean keys_ldap_find(LdapCall *call, SealModule *self, const SealAddress *address,
                        const char *format, GPtrArray *values, GPtrArray *entries, GError **error);
/** Has the Format read one value, in base64 or not. FALSE where nothing comes of it. */
gboolean keys_ldap_read_value(SealModule *self, const char *format, const LdapValue *value,
                              const SealOrigin *origin, GPtrArray *keys, GError **error);

/** list.c: SealSource.list */
gboolean keys_ldap_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                        gpointer user_data, GError **error);
/** publish.c: SealSource.put */
gboolean keys_ldap_put(SealModule *self, GPtrArray *keys, guint *added, GError **error);
/** publish.c: SealSource.rehearse */
gboolean keys_ldap_rehearse(SealModule *self, GPtrArray *keys, GError **error);
