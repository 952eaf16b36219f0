/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pattern.c: patterns of addresses and of texts.
 */
#include "core/base/pattern.h"

#include <string.h>

typedef enum {
    NULL_SENDER,
    ADDRESS,
    DOMAIN_ALONE,
    SUBDOMAINS,
    GLOB,
} Kind;

struct SealPattern {
    Kind kind;
    char *text; /* a key, a domain, ".domain" or a glob in lower case */
    char *wide; /* the same, folded; NULL where that makes no difference */
};

static SealPattern *pattern_new(Kind kind, char *text, char *wide)
{
    SealPattern *pattern = g_new0(SealPattern, 1);

    pattern->kind = kind;
    pattern->text = text;
    pattern->wide = wide;
    return pattern;
}

/* The domain of "@domain" or "@.domain" as A-labels in lower case. */
static char *canonical_domain(const char *domain, GError **error)
{
    g_autofree char *text = g_strconcat("x@", domain, NULL);
    g_autoptr(SealAddress) address = seal_address_parse(text, error);

    return address ? g_strdup(seal_address_domain(address)) : NULL;
}

static SealPattern *parse_domain(const char *text, GError **error)
{
    gboolean below = text[1] == '.';
    g_autofree char *domain = canonical_domain(text + (below ? 2 : 1), error);

    if (!domain)
        return NULL;
    return below ? pattern_new(SUBDOMAINS, g_strconcat(".", domain, NULL), NULL)
                 : pattern_new(DOMAIN_ALONE, g_steal_pointer(&domain), NULL);
}

/* A domain without * and ? is written as addresses have it. */
static char *canonical_glob(const char *text)
{
    const char *at = strrchr(text, '@');
    g_autofree char *local = at ? g_strndup(text, (gsize)(at - text)) : g_strdup(text);
    g_autofree char *domain = at && !strpbrk(at, "*?") ? canonical_domain(at + 1, NULL) : NULL;

    return domain ? g_strconcat(local, "@", domain, NULL) : g_strdup(text);
}

static SealPattern *parse_glob(const char *text)
{
    g_autofree char *whole = *text == '@' ? g_strconcat("*", text, NULL) : g_strdup(text);
    g_autofree char *canonical = canonical_glob(whole);

    return pattern_new(GLOB, g_ascii_strdown(canonical, -1), seal_text_fold(canonical));
}

SealPattern *seal_pattern_parse(const char *text, GError **error)
{
    if (g_str_equal(text, "<>"))
        return pattern_new(NULL_SENDER, NULL, NULL);
    if (strpbrk(text, "*?"))
        return parse_glob(text);
    if (*text == '@')
        return parse_domain(text, error);

    g_autoptr(SealAddress) address = seal_address_parse(text, error);
    return address ? pattern_new(ADDRESS, g_strdup(seal_address_key(address)),
                                 g_strdup(seal_address_wide_key(address)))
                   : NULL;
}

void seal_pattern_free(SealPattern *pattern)
{
    if (!pattern)
        return;
    g_free(pattern->text);
    g_free(pattern->wide);
    g_free(pattern);
}

static gboolean match_one(const SealPattern *pattern, SealAddress *address, gboolean wide)
{
    switch (pattern->kind) {
    case ADDRESS:
        return g_str_equal(pattern->text, seal_address_key(address)) ||
               (wide && g_str_equal(pattern->wide, seal_address_wide_key(address)));
    case DOMAIN_ALONE:
        return g_str_equal(pattern->text, seal_address_domain(address));
    case SUBDOMAINS:
        return g_str_has_suffix(seal_address_domain(address), pattern->text);
    case GLOB:
        return g_pattern_match_simple(pattern->text, seal_address_key(address)) ||
               (wide && g_pattern_match_simple(pattern->wide, seal_address_wide_key(address)));
    case NULL_SENDER:
    default:
        return FALSE;
    }
}

gboolean seal_pattern_match(const SealPattern *pattern, SealAddress *address, gboolean wide)
{
    if (!address)
        return pattern->kind == NULL_SENDER;

    g_autoptr(SealAddress) bare = seal_address_without_detail(address);
    return match_one(pattern, address, wide) || (bare && match_one(pattern, bare, wide));
}

gboolean seal_pattern_is_null_sender(const SealPattern *pattern)
{
    return pattern->kind == NULL_SENDER;
}

gboolean seal_glob_match(const char *glob, const char *text)
{
    g_autofree char *one = seal_text_fold(glob);
    g_autofree char *other = seal_text_fold(text);

    return g_pattern_match_simple(one, other);
}
