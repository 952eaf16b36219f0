/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fetch.c: one request by HTTP, for what a certificate names: no redirect, no other protocol, no
 * more octets and no more time than are allowed, no address inside. What comes is judged elsewhere.
 */
#include "crl.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CONNECT_SECONDS = 10,
    SLOW_SECONDS = 15, /* with less than this many octets in each of them: */
    SLOW_OCTETS = 1024,
    MAX_TAG = 200,
};

SEAL_MODULE_EXPORT gboolean smime_fetch(SmimeFetch *fetch, GError **error);

/* CURLOPT_MAXFILESIZE would not see what has no length. */
static size_t take_octets(char *data, size_t size, size_t count, void *user_data)
{
    SmimeFetch *fetch = user_data;

    if (count > fetch->most - fetch->body->len)
        return 0;
    g_byte_array_append(fetch->body, (const guint8 *)data, (guint)(size * count));
    return size * count;
}

/* The name has been resolved. With a proxy it is the proxy's, which the operator has named. */
static curl_socket_t open_socket(void *user_data, G_GNUC_UNUSED curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    SmimeFetch *fetch = user_data;
    const char *kind = fetch->inside || fetch->proxy ? NULL : smime_address_inside(&address->addr);

    if (kind) {
        fetch->refused = kind;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static struct curl_slist *make_headers(const SmimeFetch *fetch)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/pkix-crl, */*");
    g_autofree char *tag = g_strconcat("If-None-Match: ", fetch->etag, NULL);
    g_autofree char *since = g_strconcat("If-Modified-Since: ", fetch->modified, NULL);

    if (fetch->etag)
        headers = curl_slist_append(headers, tag);
    if (fetch->modified)
        headers = curl_slist_append(headers, since);
    return headers;
}

static void set_bounds(CURL *curl, SmimeFetch *fetch)
{
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)fetch->deadline);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_OCTETS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_octets);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, fetch);
}

static void set_request(CURL *curl, const SmimeFetch *fetch, struct curl_slist *headers)
{
    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    /* Empty: what the environment says does not count. */
    curl_easy_setopt(curl, CURLOPT_PROXY, fetch->proxy ? fetch->proxy : "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sealpipe");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

static char *read_header(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        strlen(header->value) > MAX_TAG)
        return NULL;
    return g_strdup(header->value);
}

static gboolean fail_fetch(const SmimeFetch *fetch, const char *why, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s: %s", fetch->url, why);
    return FALSE;
}

static gboolean fail_answer(const SmimeFetch *fetch, long status, GError **error)
{
    const char *what = "the server's answer is no list", *rest = "";

    if (status == 304) {
        what = "the server says that nothing has changed";
        rest = ", which was not asked";
    } else if (status >= 300 && status < 400) {
        what = "it leads elsewhere";
        rest = ", which is not followed";
    }
    g_autofree char *why = g_strdup_printf("%s (HTTP status %ld)%s", what, status, rest);
    return fail_fetch(fetch, why, error);
}

static gboolean fail_transfer(const SmimeFetch *fetch, CURLcode code, const char *text,
                              GError **error)
{
    g_autofree char *why = NULL;

    if (fetch->refused)
        why = g_strdup_printf("its host is %s; with crl_inside=true it would be asked",
                              fetch->refused);
    else if (code == CURLE_WRITE_ERROR)
        why = g_strdup_printf("more than %" G_GSIZE_FORMAT " octets, which crl_size_limit allows",
                              fetch->most);
    else
        why = seal_text_line(text, strlen(text), 200);
    return fail_fetch(fetch, why, error);
}

static gboolean run_request(CURL *curl, SmimeFetch *fetch, GError **error)
{
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return fail_transfer(fetch, code, *text ? text : curl_easy_strerror(code), error);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    fetch->unchanged = status == 304 && (fetch->etag || fetch->modified);
    if (status != 200 && !fetch->unchanged)
        return fail_answer(fetch, status, error);
    fetch->new_etag = read_header(curl, "ETag");
    fetch->new_modified = read_header(curl, "Last-Modified");
    return TRUE;
}

gboolean smime_fetch(SmimeFetch *fetch, GError **error)
{
    CURL *curl = curl_easy_init();
    gboolean ok = FALSE;

    if (!curl)
        return fail_fetch(fetch, "libcurl cannot be started", error);
    struct curl_slist *headers = make_headers(fetch);
    set_bounds(curl, fetch);
    set_request(curl, fetch, headers);
    ok = run_request(curl, fetch, error);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return ok;
}
