/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mailbox.c: reads address fields, once as most readers do and once as the strictest. No library
 * sees them: what such a field costs must not grow faster than its length.
 */
#include "core/mail/mailbox.h"

#include <string.h>

enum {
    MAX_MAILBOX = 1024, /* octets of what can still be one */
    MAX_COMMENT_DEPTH = 10,
};

/* RFC 5322 3.2.3 and RFC 6532 3.2 atext, and the dot. */
static gboolean is_word(char c)
{
    return g_ascii_isalnum(c) || (guchar)c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static gboolean is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Behind the quoted string that begins at @c; NULL where it does not end. */
static const char *skip_quoted(const char *c)
{
    for (c++; *c && *c != '"'; c++) {
        if (*c == '\\' && !*++c)
            return NULL;
    }
    return *c ? c + 1 : NULL;
}

/* Behind the comment, and comments within it; NULL where it does not end. */
static const char *skip_comment(const char *c, guint most)
{
    guint depth = 0;

    for (; *c; c++) {
        if (*c == '\\') {
            if (!*++c)
                return NULL;
        } else if (*c == '(' && ++depth > most) {
            return NULL;
        } else if (*c == ')' && --depth == 0) {
            return c + 1;
        }
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * As most readers do
 */

typedef struct {
    SealMailboxCount *count;
    SealMailboxVisitor visit;
    gpointer user_data;
    GString *bare;  /* the member without its comments */
    GString *angle; /* what stands in angle brackets */
    gboolean has_angle;
} List;

static gboolean count_one(SealMailboxCount *count, GError **error)
{
    if (count->count++ < count->most)
        return TRUE;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %u addresses in the header",
                count->most);
    return FALSE;
}

static gboolean end_member(List *list, GError **error)
{
    char *text = g_strstrip(list->has_angle ? list->angle->str : list->bare->str);
    gboolean ok = TRUE;

    if (strchr(text, '@') && strlen(text) <= MAX_MAILBOX) {
        g_autoptr(SealAddress) address = NULL;

        ok = count_one(list->count, error);
        if (ok && (address = seal_address_parse(text, NULL)) != NULL)
            list->visit(address, list->user_data);
    }
    g_string_truncate(list->bare, 0);
    g_string_truncate(list->angle, 0);
    list->has_angle = FALSE;
    return ok;
}

/* Takes what stands in angle brackets; behind it, or at the end. */
static const char *take_angle(List *list, const char *c)
{
    const char *start = ++c;

    while (*c && *c != '>') {
        const char *next = *c == '"' ? skip_quoted(c) : c + 1;

        c = next ? next : c + strlen(c);
    }
    g_string_truncate(list->angle, 0);
    g_string_append_len(list->angle, start, c - start);
    list->has_angle = TRUE;
    return *c ? c + 1 : c;
}

static const char *take_octets(List *list, const char *c, const char *next)
{
    if (!next) /* it does not end: nothing behind it is sure */
        return c + strlen(c);
    g_string_append_len(list->bare, c, next - c);
    return next;
}

static gboolean read_list(List *list, const char *c, GError **error)
{
    while (*c) {
        if (*c == ',' || *c == ';') {
            if (!end_member(list, error))
                return FALSE;
            c++;
        } else if (*c == ':') { /* the name of a group */
            g_string_truncate(list->bare, 0);
            c++;
        } else if (*c == '(') {
            const char *next = skip_comment(c, G_MAXUINT);
            c = next ? next : c + strlen(c);
        } else if (*c == '<') {
            c = take_angle(list, c);
        } else {
            c = take_octets(list, c, *c == '"' ? skip_quoted(c) : c + 1);
        }
    }
    return end_member(list, error);
}

gboolean seal_mailbox_each(const char *value, SealMailboxCount *count, SealMailboxVisitor visit,
                           gpointer user_data, GError **error)
{
    List list = {count, visit, user_data, g_string_new(NULL), g_string_new(NULL), FALSE};
    gboolean ok = read_list(&list, value, error);

    g_string_free(list.bare, TRUE);
    g_string_free(list.angle, TRUE);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * As the strictest
 */

typedef struct {
    const char *c;
    const char *word; /* the last word of the name, where it is none in quotes; else NULL */
    const char *word_end;
    guint words;
    char *mailbox;
    const char *why;
} Strict;

static void skip_blanks_and_comments(Strict *strict)
{
    while (is_blank(*strict->c) || *strict->c == '(') {
        const char *next =
            *strict->c == '(' ? skip_comment(strict->c, MAX_COMMENT_DEPTH) : strict->c + 1;

        if (!next) {
            strict->why = "a comment in it does not end, or comments stand too deep in comments";
            return;
        }
        strict->c = next;
    }
}

static void take_word(Strict *strict)
{
    strict->word = strict->c;
    while (is_word(*strict->c))
        strict->c++;
    strict->word_end = strict->c;
    strict->words++;
}

static void take_quoted_word(Strict *strict)
{
    const char *next = skip_quoted(strict->c);

    strict->words++;
    strict->word = NULL;
    if (next)
        strict->c = next;
    else
        strict->why = "a quoted text in it does not end";
}

/* @start is at the local part; there are only words, one @ and nothing between them. */
static void take_mailbox(Strict *strict, const char *start)
{
    const char *c = start;

    while (is_word(*c))
        c++;
    if (c > start && *c == '@' && is_word(c[1])) {
        for (c++; is_word(*c);)
            c++;
        strict->mailbox = g_strndup(start, (gsize)(c - start));
        strict->c = c;
        return;
    }
    strict->why = *start == '@' ? "a route stands before the address"
                                : "what should be an address is none of plain words and one @";
}

static void take_bracketed(Strict *strict)
{
    take_mailbox(strict, strict->c + 1);
    if (!strict->why && *strict->c != '>')
        strict->why = "more than an address stands in its angle brackets";
    strict->c++;
}

/* What may stand in a name only in quotes says what it is instead. */
static const char *other_than_mailbox(char c)
{
    switch (c) {
    case ',':
        return "a comma stands in it, as between several addresses";
    case ':':
    case ';':
        return "it names a group, or several addresses";
    case '@':
        return "an @ stands beside its address";
    default:
        return "it has characters that a name has only in quotes";
    }
}

static void take_token(Strict *strict)
{
    if (is_word(*strict->c))
        take_word(strict);
    else if (*strict->c == '"')
        take_quoted_word(strict);
    else if (*strict->c == '<')
        take_bracketed(strict);
    else if (*strict->c == '@' && strict->words == 1 && strict->word &&
             strict->word_end == strict->c)
        take_mailbox(strict, strict->word);
    else
        strict->why = other_than_mailbox(*strict->c);
}

SealAddress *seal_mailbox_read(const char *value, char **why)
{
    Strict strict = {.c = value};
    SealAddress *address = NULL;

    while (!strict.why && !strict.mailbox) {
        skip_blanks_and_comments(&strict);
        if (!strict.why && !*strict.c)
            strict.why = "there is no address in it";
        if (!strict.why)
            take_token(&strict);
    }
    g_autofree char *mailbox = strict.mailbox;
    if (!strict.why)
        skip_blanks_and_comments(&strict);
    if (!strict.why && *strict.c)
        strict.why = is_word(*strict.c) || strchr("\"<", *strict.c)
                         ? "something stands behind its address"
                         : other_than_mailbox(*strict.c);
    if (!strict.why && strstr(mailbox, "=?"))
        strict.why = "an encoded word stands in its address";
    if (!strict.why && !seal_mailbox_is_alone(value, mailbox))
        strict.why = "a second address stands in it";
    if (!strict.why && !(address = seal_address_parse(mailbox, NULL)))
        strict.why = "its address is none that can be";
    if (!address)
        *why = g_strdup(strict.why);
    return address;
}

/* -------------------------------------------------------------------------------------------
 * As anybody could
 */

gboolean seal_mailbox_is_alone(const char *text, const char *mailbox)
{
    gsize before = (gsize)(strchr(mailbox, '@') - mailbox), length = strlen(mailbox);

    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        const char *start = at - before, *end = start + length;

        if ((gsize)(at - text) < before || g_ascii_strncasecmp(start, mailbox, length) != 0)
            return FALSE;
        /* Some clients write an address as its own name, in apostrophes. */
        if (start > text && start[-1] == '\'' && *end == '\'') {
            start--;
            end++;
        }
        if ((start > text && is_word(start[-1])) || is_word(*end))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_mailbox_guess(const char *text, SealMailboxCount *count, SealMailboxVisitor visit,
                            gpointer user_data, GError **error)
{
    const char *past = text; /* nothing before it is looked at again */

    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        const char *start = at, *end = at + 1;

        while (start > past && is_word(start[-1]))
            start--;
        while (is_word(*end))
            end++;
        past = end;
        while (end > at && strchr(".'", end[-1]))
            end--;
        while (*start == '\'')
            start++;
        if (end - start > MAX_MAILBOX)
            continue;
        if (!count_one(count, error))
            return FALSE;
        g_autofree char *mailbox = g_strndup(start, (gsize)(end - start));
        g_autoptr(SealAddress) address = seal_address_parse(mailbox, NULL);
        if (address)
            visit(address, user_data);
    }
    return TRUE;
}
