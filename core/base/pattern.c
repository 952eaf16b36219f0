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

/* Where @text goes on behind what the characters from @glob to @end, no star among them, match at
 * its front; NULL where they do not. */
static const char *segment_end(const char *glob, const char *end, const char *text)
{
    for (; glob < end; glob++) {
        if (*text == '\0' || (*glob != '?' && *glob != *text))
            return NULL;
        text = *glob == '?' ? g_utf8_next_char(text) : text + 1;
    }
    return text;
}

/* Likewise for the first place at which they match. */
static const char *find_segment(const char *glob, const char *end, const char *text)
{
    gsize length = (gsize)(end - glob);
    const char *found = NULL;

    if (!memchr(glob, '?', length)) {
        found = memmem(text, strlen(text), glob, length);
        return found ? found + length : NULL;
    }
    for (; *text && !found; text = g_utf8_next_char(text))
        found = segment_end(glob, end, text);
    return found;
}

/* What stands behind the last star matches the end of the text. */
static gboolean tail_fits(const char *glob, const char *text)
{
    const char *at = text + strlen(text);

    for (const char *c = glob; *c; c = g_utf8_next_char(c)) {
        if (at == text)
            return FALSE;
        at = g_utf8_prev_char(at);
    }
    const char *end = segment_end(glob, glob + strlen(glob), at);
    return end && *end == '\0';
}

/* Each part between two stars takes the first place where it fits, which leaves the most to those
 * behind it: none is gone back to. */
static gboolean glob_fits(const char *glob, const char *text)
{
    const char *star = strchrnul(glob, '*'), *next;

    text = segment_end(glob, star, text);
    if (!text || !*star)
        return text && *text == '\0';
    if (!tail_fits(strrchr(glob, '*') + 1, text))
        return FALSE;
    for (; text && (next = strchr(star + 1, '*')); star = next)
        text = find_segment(star + 1, next, text);
    return text && tail_fits(star + 1, text);
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
        return glob_fits(pattern->text, seal_address_key(address)) ||
               (wide && glob_fits(pattern->wide, seal_address_wide_key(address)));
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

struct SealGlob {
    char *text;
    char *wide;
};

SealGlob *seal_glob_new(const char *glob)
{
    SealGlob *self = g_new0(SealGlob, 1);

    self->text = g_ascii_strdown(glob, -1);
    self->wide = seal_text_fold(glob);
    return self;
}

void seal_glob_free(SealGlob *glob)
{
    if (!glob)
        return;
    g_free(glob->text);
    g_free(glob->wide);
    g_free(glob);
}

gboolean seal_glob_match(const SealGlob *glob, const char *lower)
{
    return glob_fits(glob->text, lower);
}

gboolean seal_glob_match_wide(const SealGlob *glob, const char *folded)
{
    return glob_fits(glob->wide, folded);
}
