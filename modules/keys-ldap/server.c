/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server.c: servers in order, and one connection to each, made where it is needed first. Sockets
 * are opened here, since libldap would wait for them whatever is cancelled, and do not block; every
 * wait ends with the time of the call.
 */
#include "keys-ldap.h"

#include <errno.h>
#include <fcntl.h>
#include <openldap.h>
#include <string.h>

#define DEFAULT_CA     "/etc/ssl/certs/ca-certificates.crt"
#define DEFAULT_SOCKET "/run/slapd/ldapi"

enum {
    LOOK_USEC = 250000,            /* how often it is seen that a call was cancelled */
    MAX_MESSAGE = 4 * 1024 * 1024, /* octets of one of the server's messages */
    MAX_SAID = 300,                /* of what a server says of an error */
};

/* libldap reads ldap.conf, .ldaprc and LDAP... of the environment as soon as it is asked anything,
 * once in the life of a process. */
void ldap_servers_prepare(void)
{
    g_autofree char *was = g_strdup(g_getenv("LDAPNOINIT"));
    int version;

    g_setenv("LDAPNOINIT", "1", TRUE);
    ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (was)
        g_setenv("LDAPNOINIT", was, TRUE);
    else
        g_unsetenv("LDAPNOINIT");
}

/* -------------------------------------------------------------------------------------------
 * Servers
 */

static gboolean is_scheme(const LdapServer *server, const char *scheme)
{
    return g_ascii_strcasecmp(server->parts->lud_scheme, scheme) == 0;
}

static void server_close(LdapServer *server)
{
    if (server->connection)
        ldap_unbind_ext(server->connection, NULL, NULL);
    server->connection = NULL;
    server->patience.socket = -1;
    g_clear_pointer(&server->pgp_base, g_free);
}

static void server_free(gpointer data)
{
    LdapServer *server = data;

    server_close(server);
    if (server->parts)
        ldap_free_urldesc(server->parts);
    g_free(server->uri);
    g_free(server->trouble);
    g_free(server);
}

static const char *find_fault(const LdapServer *server)
{
    const LDAPURLDesc *parts = server->parts;

    if (!is_scheme(server, "ldap") && !is_scheme(server, "ldaps") && !is_scheme(server, "ldapi"))
        return "it must begin with ldap://, ldaps:// or ldapi://";
    if (parts->lud_next || (parts->lud_dn && *parts->lud_dn) || parts->lud_attrs ||
        parts->lud_filter || parts->lud_exts)
        return "nothing may stand behind host and port: there are settings for that";
    if (!is_scheme(server, "ldapi") && (!parts->lud_host || !*parts->lud_host))
        return "it names no host";
    if (is_scheme(server, "ldapi") && parts->lud_host && *parts->lud_host &&
        !g_path_is_absolute(parts->lud_host))
        return "the path of a socket is absolute, with %2F for each slash";
    return NULL;
}

gboolean ldap_servers_add(LdapServers *servers, const char *const *uris, const char **wrong,
                          const char **why)
{
    servers->servers = g_ptr_array_new_with_free_func(server_free);
    for (; *uris; uris++) {
        LdapServer *server = g_new0(LdapServer, 1);

        server->uri = g_strdup(*uris);
        server->patience.socket = -1;
        g_ptr_array_add(servers->servers, server);
        *wrong = *uris;
        *why = ldap_url_parse(*uris, &server->parts) == LDAP_URL_SUCCESS
                   ? find_fault(server)
                   : "it is no URI such as ldaps://ldap.example.org";
        if (*why)
            return FALSE;
    }
    return TRUE;
}

static gboolean is_here(const LdapServer *server)
{
    const char *host = server->parts->lud_host;

    if (is_scheme(server, "ldapi") || g_ascii_strcasecmp(host, "localhost") == 0)
        return TRUE;
    g_autofree char *bare =
        *host == '[' ? g_strndup(host + 1, strcspn(host + 1, "]")) : g_strdup(host);
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(bare);
    return address && g_inet_address_get_is_loopback(address);
}

gboolean ldap_servers_bare(const LdapServers *servers, const char **uri)
{
    for (guint i = 0; i < servers->servers->len && !servers->starttls; i++) {
        const LdapServer *server = g_ptr_array_index(servers->servers, i);

        *uri = server->uri;
        if (is_scheme(server, "ldap") && !is_here(server))
            return TRUE;
    }
    return FALSE;
}

void ldap_servers_clear(LdapServers *servers)
{
    g_clear_pointer(&servers->servers, g_ptr_array_unref);
}

/* -------------------------------------------------------------------------------------------
 * Faults and waiting
 */

/* Another server may know better: this one has no time, is no replica of what is asked for, or has
 * other passwords. Of what it says of a question alone, another one would say the same. */
static gboolean is_lost(int code)
{
    static const int of_question[] = {
        LDAP_SIZELIMIT_EXCEEDED,     LDAP_ADMINLIMIT_EXCEEDED,  LDAP_FILTER_ERROR,
        LDAP_INVALID_SYNTAX,         LDAP_INVALID_DN_SYNTAX,    LDAP_INSUFFICIENT_ACCESS,
        LDAP_OBJECT_CLASS_VIOLATION, LDAP_CONSTRAINT_VIOLATION, LDAP_INAPPROPRIATE_MATCHING,
        LDAP_UNDEFINED_TYPE,         LDAP_NO_SUCH_OBJECT,       LDAP_REFERRAL};

    for (guint i = 0; i < G_N_ELEMENTS(of_question); i++) {
        if (code == of_question[i])
            return FALSE;
    }
    return TRUE;
}

gboolean ldap_call_fail(LdapCall *call, int code, const char *said, const char *what,
                        GError **error)
{
    g_autofree char *line = said && *said ? seal_text_line(said, strlen(said), MAX_SAID) : NULL;

    call->lost = call->lost || is_lost(code);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s: %s%s%s%s", call->server->uri,
                what, ldap_err2string(code), line ? " (" : "", line ? line : "", line ? ")" : "");
    return FALSE;
}

gboolean ldap_call_fail_last(LdapCall *call, const char *what, GError **error)
{
    int code = LDAP_OTHER;
    char *said = NULL;

    ldap_get_option(call->server->connection, LDAP_OPT_RESULT_CODE, &code);
    ldap_get_option(call->server->connection, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    ldap_call_fail(call, code, said, what, error);
    ldap_memfree(said);
    return FALSE;
}

static gboolean fail_plain(LdapCall *call, const char *what, const char *why, GError **error)
{
    call->lost = TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s: %s", call->server->uri, what,
                why);
    return FALSE;
}

/* Microseconds; an error where there is none left, or nobody waits any more. */
static gint64 time_left(LdapCall *call, GError **error)
{
    gint64 left = call->until - g_get_monotonic_time();
    g_autofree char *why = NULL;

    if (g_cancellable_set_error_if_cancelled(call->cancellable, error))
        return 0;
    if (left > 0)
        return left;
    why = g_strdup_printf("no answer within %" G_GINT64_FORMAT " s", call->servers->timeout);
    fail_plain(call, "timeout", why, error);
    return 0;
}

/* Before it is read: liblber sees it by the length that is announced. */
static void fail_large(LdapCall *call, const char *what, GError **error)
{
    call->lost = call->large = TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "%s: an answer of more than %d MiB for %s: the filter is too wide, or an entry is "
                "too large",
                call->server->uri, MAX_MESSAGE / (1024 * 1024), what);
}

LDAPMessage *ldap_call_wait(LdapCall *call, int id, const char *what, GError **error)
{
    LDAPMessage *message = NULL;
    gint64 left;

    while ((left = time_left(call, error)) > 0) {
        struct timeval pause = {.tv_usec = (suseconds_t)MIN(left, LOOK_USEC)};
        errno = 0;
        int got = ldap_result(call->server->connection, id, LDAP_MSG_ONE, &pause, &message);

        if (got > 0)
            return message;
        if (got < 0 && errno == ERANGE) {
            fail_large(call, what, error);
            return NULL;
        }
        if (got < 0) {
            call->lost = TRUE;
            ldap_call_fail_last(call, "an answer is expected", error);
            return NULL;
        }
    }
    return NULL;
}

int ldap_call_end(LdapCall *call, int id, const char *what, GError **error)
{
    g_autoptr(LDAPMessage) message = ldap_call_wait(call, id, what, error);
    int code = LDAP_OTHER;
    char *said = NULL;

    /* One that says so much of anything but a search is at fault. */
    call->large = FALSE;
    if (!message)
        return LDAP_OTHER;
    if (ldap_parse_result(call->server->connection, message, &code, NULL, &said, NULL, NULL, 0) !=
        LDAP_SUCCESS) {
        ldap_call_fail_last(call, what, error);
        return LDAP_OTHER;
    }
    if (code != LDAP_SUCCESS)
        ldap_call_fail(call, code, said, what, error);
    ldap_memfree(said);
    return code;
}

/* -------------------------------------------------------------------------------------------
 * Connections
 */

static GSocketConnection *connect_socket(LdapCall *call, guint seconds, GError **error)
{
    const LDAPURLDesc *parts = call->server->parts;
    g_autoptr(GSocketClient) client = g_socket_client_new();

    g_socket_client_set_enable_proxy(client, FALSE);
    g_socket_client_set_timeout(client, seconds);
    if (is_scheme(call->server, "ldapi")) {
        const char *path = parts->lud_host && *parts->lud_host ? parts->lud_host : DEFAULT_SOCKET;
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);

        return g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), call->cancellable,
                                       error);
    }
    g_autofree char *bare = *parts->lud_host == '['
                                ? g_strndup(parts->lud_host + 1, strcspn(parts->lud_host + 1, "]"))
                                : g_strdup(parts->lud_host);
    g_autoptr(GSocketConnectable) address = g_network_address_new(bare, (guint16)parts->lud_port);
    return g_socket_client_connect(client, address, call->cancellable, error);
}

/* One of its own, which libldap closes; it never blocks. -1 on error. */
static int open_socket(LdapCall *call, GError **error)
{
    g_autoptr(GError) problem = NULL;
    gint64 left = time_left(call, error);

    if (left <= 0)
        return -1;
    g_autoptr(GSocketConnection) connection =
        connect_socket(call, (guint)(left / G_USEC_PER_SEC) + 1, &problem);
    if (!connection) {
        if (!g_cancellable_set_error_if_cancelled(call->cancellable, error))
            fail_plain(call, "no connection", problem->message, error);
        return -1;
    }
    int fd = fcntl(g_socket_get_fd(g_socket_connection_get_socket(connection)), F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        fail_plain(call, "no connection", g_strerror(errno), error);
    return fd;
}

static gboolean set_options(LDAP *ld, const LdapServers *servers)
{
    const struct timeval none = {.tv_sec = -1, .tv_usec = -1};
    const int version = LDAP_VERSION3, deref = LDAP_DEREF_NEVER, client = 0;
    const int verify = LDAP_OPT_X_TLS_HARD, least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    const char *ca = servers->ca ? servers->ca : DEFAULT_CA;

    return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_DEREF, &deref) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &none) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_TIMEOUT, &none) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &verify) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTDIR, NULL) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static gboolean ask_starttls(LdapCall *call, GError **error)
{
    g_autoptr(GError) problem = NULL;
    int id;

    if (ldap_start_tls(call->server->connection, NULL, NULL, &id) != LDAP_SUCCESS)
        return ldap_call_fail_last(call, "StartTLS", error);
    int code = ldap_call_end(call, id, "StartTLS", &problem);
    if (code == LDAP_SUCCESS)
        return TRUE;
    /* RFC 4511 4.14.2 */
    if (code == LDAP_PROTOCOL_ERROR)
        return fail_plain(call, "StartTLS",
                          "the server offers no StartTLS: use ldaps://, or starttls=never where "
                          "the way is safe",
                          error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* libldap says hardly more than that it failed. */
static gboolean shake_hands(LdapCall *call, GError **error)
{
    LdapPatience *patience = &call->server->patience;

    patience->until = call->until;
    patience->cancellable = call->cancellable;
    int code = ldap_install_tls(call->server->connection);
    patience->until = 0;
    patience->cancellable = NULL;
    /* Which libldap may have changed. */
    if (code == LDAP_SUCCESS && fcntl(patience->socket, F_SETFL, O_NONBLOCK) == 0)
        return TRUE;
    if (time_left(call, error) > 0)
        fail_plain(call, "TLS",
                   "no agreement: the server has to show a certificate that names this host and "
                   "that a CA of ca= has issued",
                   error);
    return FALSE;
}

/* Whatever the server says to it, nothing is sent in clear. */
static gboolean start_tls(LdapCall *call, GError **error)
{
    gboolean asks = is_scheme(call->server, "ldap");

    if (is_scheme(call->server, "ldapi") || (asks && !call->servers->starttls))
        return TRUE;
    return (!asks || ask_starttls(call, error)) && time_left(call, error) > 0 &&
           shake_hands(call, error);
}

static gboolean bind_identity(LdapCall *call, GError **error)
{
    const LdapIdentity *identity = &call->servers->identity;
    int id;

    if (!identity->dn)
        return TRUE;
    struct berval password = {.bv_len = seal_secret_size(identity->password),
                              .bv_val = (char *)seal_secret_data(identity->password)};
    g_autofree char *what = g_strdup_printf("bind as %s", identity->dn);

    if (ldap_sasl_bind(call->server->connection, identity->dn, LDAP_SASL_SIMPLE, &password, NULL,
                       NULL, &id) != LDAP_SUCCESS)
        return ldap_call_fail_last(call, what, error);
    return ldap_call_end(call, id, what, error) == LDAP_SUCCESS;
}

/* As a rule it is the CAs' file that it cannot read, TLS or not. */
static gboolean fail_settings(LdapCall *call, GError **error)
{
    const char *ca = call->servers->ca ? call->servers->ca : DEFAULT_CA;
    g_autofree char *why =
        access(ca, R_OK) == 0
            ? g_strdup("libldap does not take the settings of it")
            : g_strdup_printf("%s, the CAs of servers, cannot be read: %s; install "
                              "ca-certificates, or name another file in ca=",
                              ca, g_strerror(errno));

    return fail_plain(call, "no connection", why, error);
}

static gboolean begin_connection(LdapCall *call, GError **error)
{
    LdapServer *server = call->server;
    ber_len_t max = MAX_MESSAGE;
    Sockbuf *buffer = NULL;
    gboolean local = is_scheme(server, "ldapi");

    if (ldap_init_fd(server->patience.socket, local ? LDAP_PROTO_IPC : LDAP_PROTO_TCP, server->uri,
                     &server->connection) != LDAP_SUCCESS)
        return fail_plain(call, "no connection", "libldap does not take it", error);
    if (ldap_get_option(server->connection, LDAP_OPT_SOCKBUF, &buffer) != LDAP_OPT_SUCCESS ||
        ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &max) != 1 ||
        !ldap_patience_add(&server->patience, buffer) ||
        !set_options(server->connection, call->servers))
        return fail_settings(call, error);
    server->step = LDAP_AT_TLS;
    if (!start_tls(call, error))
        return FALSE;
    server->step = LDAP_AT_BIND;
    return bind_identity(call, error);
}

static gboolean server_open(LdapCall *call, GError **error)
{
    LdapServer *server = call->server;

    server->step = LDAP_AT_CONNECTION;
    server->patience.socket = open_socket(call, error);
    if (server->patience.socket >= 0 && begin_connection(call, error))
        return TRUE;
    server_close(server);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Who does it
 */

static gboolean server_try(LdapCall *call, LdapTask task, gpointer user_data, GError **error)
{
    call->lost = call->large = FALSE;
    call->until = g_get_monotonic_time() + call->servers->timeout * G_USEC_PER_SEC;
    if (!call->server->connection && !server_open(call, error))
        return FALSE;
    call->server->step = LDAP_AT_WORK;
    gboolean ok = task(call, user_data, error);
    if (!ok && (call->lost || g_cancellable_is_cancelled(call->cancellable)))
        server_close(call->server);
    return ok;
}

/* A connection that was kept may have died since, which says nothing of the server. */
static gboolean server_do(LdapCall *call, LdapTask task, gpointer user_data, GError **error)
{
    gboolean kept = call->server->connection != NULL;
    g_autoptr(GError) problem = NULL;

    if (!kept)
        return server_try(call, task, user_data, error);
    if (server_try(call, task, user_data, &problem))
        return TRUE;
    if (call->lost && !call->large && !g_cancellable_is_cancelled(call->cancellable))
        return server_try(call, task, user_data, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static void pass_over(LdapServers *servers, LdapServer *server, const GError *problem)
{
    server->again = g_get_monotonic_time() + servers->retry * G_USEC_PER_SEC;
    g_free(server->trouble);
    server->trouble = g_strdup(problem->message);
}

/* @problem is of this call; without one the server was passed over. */
static void append_trouble(GString *reasons, const LdapServer *server, const GError *problem)
{
    gint64 left = (server->again - g_get_monotonic_time()) / G_USEC_PER_SEC + 1;

    g_string_append_printf(reasons, "%s%s", reasons->len > 0 ? "; " : "",
                           problem ? problem->message : server->trouble);
    if (!problem)
        g_string_append_printf(reasons, " (not asked again for %" G_GINT64_FORMAT " s)", left);
}

gboolean ldap_server_run(LdapServers *servers, LdapServer *server, GCancellable *cancellable,
                         LdapTask task, gpointer user_data, GError **error)
{
    LdapCall call = {.servers = servers, .server = server, .cancellable = cancellable};

    return server_do(&call, task, user_data, error);
}

gboolean ldap_servers_run(LdapServers *servers, GCancellable *cancellable, LdapTask task,
                          gpointer user_data, GError **error)
{
    g_autoptr(GString) reasons = g_string_new(NULL);

    for (guint i = 0; i < servers->servers->len; i++) {
        LdapCall call = {.servers = servers,
                         .server = g_ptr_array_index(servers->servers, i),
                         .cancellable = cancellable};
        g_autoptr(GError) problem = NULL;

        if (call.server->again <= g_get_monotonic_time()) {
            if (server_do(&call, task, user_data, &problem))
                return TRUE;
            if (!call.lost || g_cancellable_is_cancelled(cancellable)) {
                g_propagate_error(error, g_steal_pointer(&problem));
                return FALSE;
            }
            if (!call.large)
                pass_over(servers, call.server, problem);
        }
        append_trouble(reasons, call.server, problem);
    }
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, reasons->str);
    return FALSE;
}
