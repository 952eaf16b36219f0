/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mailbox.c: reads address fields, once as most readers do, once as exactly one mailbox, and
 * once as anybody could. No library sees them: what such a field costs must not grow faster than
 * its length.
 */
#include "core/mail/mailbox.h"

#include <string.h>

enum {
    MAX_MAILBOX = 1024, /* octets of what can still be one */
    MAX_COMMENT_DEPTH = 10,
    MAX_SHOWN = 80,
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
 * As exactly one
 */

typedef struct {
    const char *c;
    const char *word; /* the last word of the name, in quotes or not; NULL behind anything else */
    const char *word_end;
    guint words;
    char *mailbox;
    const char *why;
} Strict;

static void skip_blanks(Strict *strict)
{
    while (is_blank(*strict->c))
        strict->c++;
}

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

static void end_word(Strict *strict, const char *start, const char *end)
{
    strict->word = start;
    strict->word_end = end;
    strict->words++;
    if (end)
        strict->c = end;
}

static void take_word(Strict *strict)
{
    const char *end = strict->c;

    while (is_word(*end))
        end++;
    end_word(strict, strict->c, end);
}

static void take_quoted_word(Strict *strict)
{
    end_word(strict, strict->c, skip_quoted(strict->c));
    if (!strict->word_end)
        strict->why = "a quoted text in it does not end";
}

/* A name such as Shop [DE] is not in quotes as often as it should be. What is in the brackets has
 * to be plain: some readers take them for an address of numbers. */
static void take_square(Strict *strict)
{
    const char *end = strict->c + 1;

    while (is_word(*end) || is_blank(*end))
        end++;
    end_word(strict, NULL, *end == ']' ? end + 1 : NULL);
    if (!strict->word_end)
        strict->why = "what stands in square brackets in its name needs double quotes";
}

/* Behind the local part at @start; NULL where not all readers see the same there. Outside angle
 * brackets mutt leaves blanks out. */
static const char *skip_local(const char *start, gboolean bracketed, const char **why)
{
    const char *c = start;

    if (*c == '"') {
        for (c++; is_word(*c) || (bracketed && *c == ' ');)
            c++;
        if (*c == '"' && c > start + 1)
            return c + 1;
        *why = bracketed || *c != ' '
                   ? "the quoted part of its address has more than words and blanks in it"
                   : "the quoted part of its address has blanks, which takes angle brackets around "
                     "the address";
        return NULL;
    }
    for (; is_word(*c); c++) {
        if (*c == '.' && (c == start || !is_word(c[1]) || c[1] == '.')) {
            *why = "its address has a dot at an end of its first part, or dots side by side, which "
                   "takes double quotes";
            return NULL;
        }
    }
    return c;
}

/* @start is at the local part, one word; there is one @, and nothing between them. */
static void take_mailbox(Strict *strict, const char *start, gboolean bracketed)
{
    const char *c = skip_local(start, bracketed, &strict->why);

    if (!c)
        return;
    if (c > start && *c == '@' && is_word(c[1])) {
        for (c++; is_word(*c);)
            c++;
        strict->mailbox = g_strndup(start, (gsize)(c - start));
        strict->c = c;
    } else {
        strict->why = *start == '@' ? "a route stands before the address"
                                    : "what should be an address is none of plain words and one @";
    }
}

static void take_bracketed(Strict *strict)
{
    strict->c++;
    skip_blanks(strict);
    take_mailbox(strict, strict->c, TRUE);
    skip_blanks(strict);
    if (!strict->why && *strict->c != '>')
        strict->why = "more than an address stands in its angle brackets";
    strict->c++;
}

/* An address before itself in angle brackets: programs that have no name for somebody write so. */
static void take_repeated(Strict *strict)
{
    g_autofree char *first = g_steal_pointer(&strict->mailbox);

    take_bracketed(strict);
    if (!strict->why && g_ascii_strcasecmp(first, strict->mailbox) != 0)
        strict->why = "an address stands before another in angle brackets";
}

/* What may stand in a name only in quotes says what it is instead. */
static const char *other_than_mailbox(char c)
{
    switch (c) {
    case ',':
        return "a comma stands in it, as between several addresses (a name with a comma needs "
               "double quotes)";
    case ':':
    case ';':
        return "it names a group, or several addresses (a name with a colon or semicolon needs "
               "double quotes)";
    case '@':
        return "an @ stands beside its address (a name with an @ needs double quotes)";
    default:
        return "it has characters that a name has only in double quotes";
    }
}

static gboolean word_is_local(const Strict *strict)
{
    return *strict->c == '@' && strict->words == 1 && strict->word && strict->word_end == strict->c;
}

static void take_token(Strict *strict)
{
    if (is_word(*strict->c))
        take_word(strict);
    else if (*strict->c == '"')
        take_quoted_word(strict);
    else if (*strict->c == '[')
        take_square(strict);
    else if (*strict->c == '<')
        take_bracketed(strict);
    else if (word_is_local(strict))
        take_mailbox(strict, strict->word, FALSE);
    else
        strict->why = other_than_mailbox(*strict->c);
}

static void take_rest(Strict *strict, gboolean bracketed)
{
    skip_blanks_and_comments(strict);
    if (!strict->why && !bracketed && *strict->c == '<') {
        take_repeated(strict);
        if (!strict->why)
            skip_blanks_and_comments(strict);
    }
    if (!strict->why && *strict->c)
        strict->why = is_word(*strict->c) || strchr("\"<[", *strict->c)
                          ? "something stands behind its address"
                          : other_than_mailbox(*strict->c);
}

SealAddress *seal_mailbox_read(const char *value, char **text, const char **why)
{
    Strict strict = {.c = value};
    SealAddress *address = NULL;

    while (!strict.why && !strict.mailbox) {
        skip_blanks_and_comments(&strict);
        if (!strict.why && !*strict.c)
            strict.why = "there is no address in it, which is a name, an @ and a domain";
        if (!strict.why)
            take_token(&strict);
    }
    if (!strict.why)
        take_rest(&strict, strict.c[-1] == '>');
    g_autofree char *mailbox = strict.mailbox;
    if (!strict.why && strstr(mailbox, "=?"))
        strict.why = "an encoded word stands in its address";
    if (!strict.why && *mailbox == '\'')
        strict.why = "its address begins with an apostrophe, which some readers leave out";
    if (!strict.why && !(address = seal_address_parse(mailbox, NULL)))
        strict.why = "its address is none that can be";
    if (address)
        *text = g_steal_pointer(&mailbox);
    else
        *why = strict.why;
    return address;
}

/* -------------------------------------------------------------------------------------------
 * As anybody could
 */

/* TRUE where the @ is one of @mailbox, whose text has @before octets before its own. */
static gboolean at_is_own(const char *text, const char *at, const char *mailbox, gsize before)
{
    gsize length = strlen(mailbox);

    if ((gsize)(at - text) < before || g_ascii_strncasecmp(at - before, mailbox, length) != 0)
        return FALSE;
    const char *start = at - before, *end = start + length;
    /* Some clients write an address as its own name, in apostrophes. */
    if (start > text && start[-1] == '\'' && *end == '\'') {
        start--;
        end++;
    }
    return (start == text || !is_word(start[-1])) && !is_word(*end);
}

/* TRUE where a whole name or comment is @mailbox, with blanks around the @. */
static gboolean at_is_own_spaced(const char *text, const char *at, const char *mailbox,
                                 gsize before)
{
    const char *start = at, *end = at + 1 + strspn(at + 1, " \t");
    gsize behind = strlen(mailbox) - before - 1;

    while (start > text && is_blank(start[-1]))
        start--;
    if ((gsize)(start - text) < before ||
        g_ascii_strncasecmp(start - before, mailbox, before) != 0 ||
        g_ascii_strncasecmp(end, mailbox + before + 1, behind) != 0)
        return FALSE;
    start -= before;
    end += behind + strspn(end + behind, " \t");
    return (start == text || strchr("\"(", start[-1])) && strchr("\")<", *end);
}

/* TRUE where nothing that could be a local part touches the @. */
static gboolean at_stands_apart(const char *text, const char *at)
{
    return (at == text || strchr(" \t\"(", at[-1])) && at[1] != '@';
}

const char *seal_mailbox_find_other(const char *text, const char *mailbox)
{
    const char *own = strchr(mailbox, '@'), *found = NULL;
    /* Of what stands behind, up to the next bracket: a word, a dot before one. Some readers join
     * words around a dot, over blanks. */
    gboolean has_word = FALSE, has_dot = FALSE;

    for (const char *c = text + strlen(text); c-- > text;) {
        if (*c == '<') {
            has_word = has_dot = FALSE;
        } else if (*c == '.' || *c == '[') {
            has_dot = has_dot || has_word;
        } else if (*c == '@') {
            if (!at_is_own(text, c, mailbox, (gsize)(own - mailbox)) &&
                !at_is_own_spaced(text, c, mailbox, (gsize)(own - mailbox)) &&
                (has_dot || !strchr(own, '.') || !at_stands_apart(text, c)))
                found = c;
        } else {
            has_word = has_word || is_word(*c);
        }
    }
    return found;
}

char *seal_mailbox_around(const char *text, const char *at)
{
    const char *start = at, *before = at, *end = at + 1;

    while (before > text && is_blank(before[-1]))
        before--;
    for (start = before; start > text && is_word(start[-1]);)
        start--;
    const char *behind = end + strspn(end, " \t");
    for (end = behind; is_word(*end);)
        end++;

    g_autofree char *first = seal_text_line(start, (gsize)(before - start), MAX_SHOWN);
    g_autofree char *last = seal_text_line(behind, (gsize)(end - behind), MAX_SHOWN);
    return g_strconcat(first, "@", last, NULL);
}

/* Where the local part before @at begins, which is not before @past. */
static const char *local_start(const char *past, const char *at)
{
    const char *start = at;

    if (start > past && start[-1] == '"') {
        for (start--; start > past && start[-1] != '"';)
            start--;
        return start > past ? start - 1 : at;
    }
    while (start > past && is_word(start[-1]))
        start--;
    return start;
}

gboolean seal_mailbox_guess(const char *text, SealMailboxCount *count, SealMailboxVisitor visit,
                            gpointer user_data, GError **error)
{
    const char *past = text; /* nothing before it is looked at again */

    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        const char *start = local_start(past, at), *end = at + 1;

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
        /* Behind another mailbox (a@b@c): to somebody the domain is that of the author, whoever is.
         */
        g_autofree char *mailbox = start < at ? g_strndup(start, (gsize)(end - start))
                                              : g_strdup_printf("?%.*s", (int)(end - at), at);
        g_autoptr(SealAddress) address = seal_address_parse(mailbox, NULL);
        if (address)
            visit(address, user_data);
    }
    return TRUE;
}
