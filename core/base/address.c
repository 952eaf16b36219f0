/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * address.c: mailboxes (RFC 5321 4.1.2, RFC 6531 3.3), read strictly and compared without
 * ASCII's case alone: what else Unicode folds together are mailboxes of different people.
 */
#include "core/sealpipe.h"

#include <idn2.h>
#include <string.h>

enum {
    MAX_LOCAL = 256,  /* RFC 5321 4.5.3.1.1 says 64; real ones are longer */
    MAX_DOMAIN = 255, /* RFC 5321 4.5.3.1.2 */
    MAX_LABEL = 63,   /* RFC 1035 2.3.4 */
    /* Every character of the local part escaped, its quotes, the @. */
    MAX_TEXT = 2 * MAX_LOCAL + 3 + MAX_DOMAIN,
};

struct SealAddress {
    gatomicrefcount refs;
    char *local;
    char *domain;
    char *text;
    char *key;
    char *wide_key;    /* made when first asked for */
    SealAddress *bare; /* without its detail, likewise; NULL where it has none */
};

/* RFC 5322 3.2.3 atext, and the dot. */
static gboolean is_atom_char(guchar c)
{
    return g_ascii_isalnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static gboolean is_atom(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!is_atom_char((guchar)*c))
            return FALSE;
    }
    return *text != '\0';
}

/* Bytes that would disturb logs and terminals have no place in an address, quoted or not. */
static gboolean has_control(const char *text)
{
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        if (g_unichar_iscntrl(g_utf8_get_char(c)) ||
            g_unichar_type(g_utf8_get_char(c)) == G_UNICODE_FORMAT)
            return TRUE;
    }
    return FALSE;
}

/* Takes the local part off the front of @text; @rest is then at the '@'. */
static char *take_local(const char *text, const char **rest)
{
    if (*text != '"') {
        const char *at = strchr(text, '@');
        g_autofree char *local = at ? g_strndup(text, (gsize)(at - text)) : NULL;

        *rest = at;
        return local && is_atom(local) ? g_steal_pointer(&local) : NULL;
    }

    g_autoptr(GString) local = g_string_new(NULL);
    const char *c = text + 1;
    for (; *c && *c != '"'; c++) {
        if (*c == '\\' && !*++c)
            return NULL;
        g_string_append_c(local, *c);
    }
    *rest = *c ? c + 1 : NULL;
    return *c && local->len > 0 ? g_strdup(local->str) : NULL;
}

static gboolean is_host_name(const char *domain)
{
    gsize label = 0;

    for (const char *c = domain;; c++) {
        if (*c == '.' || *c == '\0') {
            if (label == 0 || label > MAX_LABEL || c[-1] == '-')
                return FALSE;
            label = 0;
        } else if (g_ascii_isalnum(*c) || *c == '_' || (*c == '-' && label > 0)) {
            label++;
        } else {
            return FALSE;
        }
        if (*c == '\0')
            return TRUE;
    }
}

static gboolean is_literal(const char *domain)
{
    gsize length = strlen(domain);

    if (length < 3 || domain[0] != '[' || domain[length - 1] != ']')
        return FALSE;
    for (gsize i = 1; i < length - 1; i++) {
        if (!g_ascii_isalnum(domain[i]) && !strchr(".:-", domain[i]))
            return FALSE;
    }
    return TRUE;
}

/* The domain as A-labels in lower case, or NULL. */
static char *canonical_domain(const char *domain)
{
    g_autofree char *lower = g_ascii_strdown(domain, -1);

    if (strlen(lower) > MAX_DOMAIN)
        return NULL;
    if (is_literal(lower))
        return g_steal_pointer(&lower);
    if (!g_str_is_ascii(lower)) {
        char *ascii = NULL;
        int rc = idn2_to_ascii_8z(lower, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

        if (rc != IDN2_OK)
            return NULL;
        g_free(lower);
        lower = g_ascii_strdown(ascii, -1);
        idn2_free(ascii);
    }
    return strlen(lower) <= MAX_DOMAIN && is_host_name(lower) ? g_steal_pointer(&lower) : NULL;
}

static char *quote_local(const char *local)
{
    if (is_atom(local))
        return g_strdup(local);

    GString *quoted = g_string_new("\"");
    for (const char *c = local; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_c(quoted, '\\');
        g_string_append_c(quoted, *c);
    }
    g_string_append_c(quoted, '"');
    return g_string_free(quoted, FALSE);
}

static SealAddress *address_new(const char *local, const char *domain)
{
    g_autofree char *quoted = quote_local(local);
    g_autofree char *lower = g_ascii_strdown(local, -1);
    SealAddress *address = g_new0(SealAddress, 1);

    g_atomic_ref_count_init(&address->refs);
    address->local = g_strdup(local);
    address->domain = g_strdup(domain);
    address->text = g_strdup_printf("%s@%s", quoted, domain);
    address->key = g_strconcat(lower, "@", domain, NULL);
    return address;
}

SealAddress *seal_address_parse(const char *text, GError **error)
{
    const char *rest = NULL;
    g_autofree char *local = NULL;
    g_autofree char *domain = NULL;

    if (g_utf8_validate(text, -1, NULL) && strlen(text) <= MAX_TEXT && !has_control(text))
        local = take_local(text, &rest);
    if (local && rest && *rest == '@' && strlen(local) <= MAX_LOCAL)
        domain = canonical_domain(rest + 1);
    if (!domain) {
        g_autofree char *escaped = g_strescape(text, NULL);
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_ADDRESS, "not a mail address: \"%.300s\"",
                    escaped);
        return NULL;
    }
    return address_new(local, domain);
}

SealAddress *seal_address_ref(SealAddress *address)
{
    g_atomic_ref_count_inc(&address->refs);
    return address;
}

void seal_address_unref(SealAddress *address)
{
    if (!address || !g_atomic_ref_count_dec(&address->refs))
        return;
    g_free(address->local);
    g_free(address->domain);
    g_free(address->text);
    g_free(address->key);
    g_free(address->wide_key);
    seal_address_unref(address->bare);
    g_free(address);
}

const char *seal_address_local(const SealAddress *address)
{
    return address->local;
}

const char *seal_address_domain(const SealAddress *address)
{
    return address->domain;
}

const char *seal_address_text(const SealAddress *address)
{
    return address->text;
}

const char *seal_address_key(const SealAddress *address)
{
    return address->key;
}

const char *seal_address_wide_key(SealAddress *address)
{
    if (!address->wide_key) {
        g_autofree char *folded = seal_text_fold(address->local);

        address->wide_key = g_strconcat(folded, "@", address->domain, NULL);
    }
    return address->wide_key;
}

gboolean seal_address_equal(const SealAddress *a, const SealAddress *b)
{
    return g_str_equal(a->key, b->key);
}

SealAddress *seal_address_without_detail(const SealAddress *address)
{
    const char *plus = strchr(address->local, '+');

    if (!plus || plus == address->local)
        return NULL;
    if (!address->bare) {
        g_autofree char *user = g_strndup(address->local, (gsize)(plus - address->local));

        /* Remembering it changes nothing that anybody sees. */
        ((SealAddress *)address)->bare = address_new(user, address->domain);
    }
    return seal_address_ref(address->bare);
}
