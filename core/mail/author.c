/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * author.c: reads From as the strictest and as the laxest reader would, of whom one decodes encoded
 * words first and looks for addresses then. Only where both see one mailbox is there an author.
 */
#include "core/mail/author.h"

#include "core/mail/words.h"

#include <string.h>

enum {
    MAX_FROM = 16 * 1024, /* of an author's */
    MAX_ALL_FROM = 64 * 1024,
    MAX_CHARSET = 40,
    MAX_GUESSES = 1000,
};

/* -------------------------------------------------------------------------------------------
 * Encoded words, wherever they stand (RFC 2047)
 */

typedef struct {
    const char *charset;
    gsize charset_length;
    gboolean quoted; /* else base64 */
    const char *text;
    const char *text_end;
} Word;

/* The encoded word at @c, which is at "=?". */
static gboolean word_at(const char *c, Word *word)
{
    word->charset = c + 2;
    gsize whole = strcspn(word->charset, "?");
    word->charset_length = MIN(whole, strcspn(word->charset, "*"));
    const char *way = word->charset + whole;

    if (word->charset_length == 0 || word->charset_length > MAX_CHARSET || !*way ||
        !strchr("bBqQ", way[1]) || !way[1] || way[2] != '?')
        return FALSE;
    word->quoted = g_ascii_tolower(way[1]) == 'q';
    word->text = way + 3;
    word->text_end = strstr(word->text, "?=");
    return word->text_end != NULL;
}

static gboolean append_quoted(GString *octets, const Word *word)
{
    for (const char *c = word->text; c < word->text_end; c++) {
        if (*c == '=') {
            if (word->text_end - c < 3 || !g_ascii_isxdigit(c[1]) || !g_ascii_isxdigit(c[2]))
                return FALSE;
            g_string_append_c(octets,
                              (char)(g_ascii_xdigit_value(c[1]) * 16 + g_ascii_xdigit_value(c[2])));
            c += 2;
        } else {
            g_string_append_c(octets, *c == '_' ? ' ' : *c);
        }
    }
    return TRUE;
}

static gboolean append_base64(GString *octets, const Word *word)
{
    gsize length = (gsize)(word->text_end - word->text), got = 0;
    g_autofree guint8 *out = g_malloc(length / 4 * 3 + 6);
    SealBase64 state = {.may_have_blanks = TRUE};

    if (!seal_base64_decode(&state, word->text, length, out, &got) ||
        !seal_base64_is_complete(&state))
        return FALSE;
    g_string_append_len(octets, (const char *)out, (gssize)got);
    return TRUE;
}

/* Appends @octets, which encoded words of one charset gave, as UTF-8. */
static gboolean append_converted(GString *text, GString *octets, const Word *word)
{
    const char *charset = seal_words_charset(word->charset, word->charset_length);
    gsize length = 0;
    g_autofree char *utf8 =
        charset ? g_convert(octets->str, (gssize)octets->len, "UTF-8", charset, NULL, &length, NULL)
                : NULL;

    g_string_truncate(octets, 0);
    if (!utf8 || memchr(utf8, '\0', length))
        return FALSE;
    g_string_append_len(text, utf8, (gssize)length);
    return TRUE;
}

static gboolean same_charset(const Word *a, const Word *b)
{
    return a->charset_length == b->charset_length &&
           g_ascii_strncasecmp(a->charset, b->charset, a->charset_length) == 0;
}

/* Decodes the word and those of its charset that follow with nothing but blanks between: they are
 * one text. Behind them; NULL where that cannot be done. */
static const char *take_words(const char *c, GString *text)
{
    g_autoptr(GString) octets = g_string_new(NULL);
    Word first, word;

    if (!word_at(c, &first))
        return NULL;
    for (word = first;;) {
        if (!(word.quoted ? append_quoted(octets, &word) : append_base64(octets, &word)))
            return NULL;
        const char *end = word.text_end + 2;
        const char *next = end + strspn(end, " \t");
        if (strncmp(next, "=?", 2) == 0 && word_at(next, &word) && same_charset(&first, &word))
            continue;
        /* Blanks between two words of different charsets are none either. */
        return append_converted(text, octets, &first) ? (strncmp(next, "=?", 2) == 0 ? next : end)
                                                      : NULL;
    }
}

/* What they say could be read as more than a name: brackets, or what would swallow an address. */
static gboolean is_only_name(const char *text)
{
    int depth = 0;
    guint quotes = 0;

    for (const char *c = text; *c; c++) {
        depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
        quotes += *c == '"' ? 1 : 0;
        if (strchr("<>\\", *c) || depth < 0 || g_ascii_iscntrl(*c))
            return FALSE;
    }
    return depth == 0 && quotes % 2 == 0;
}

/* The value with all of its encoded words decoded; NULL where one cannot be. *@names is FALSE where
 * one is more than a name. (transfer full) */
static char *decode_all(const char *value, gboolean *names)
{
    g_autoptr(GString) whole = g_string_new(NULL);

    *names = TRUE;
    while (*value) {
        const char *word = strstr(value, "=?");
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_append_len(whole, value, word ? word - value : (gssize)strlen(value));
        if (!word)
            break;
        value = take_words(word, text);
        if (!value)
            return NULL;
        *names = *names && is_only_name(text->str);
        g_string_append(whole, text->str);
    }
    return g_string_free(g_steal_pointer(&whole), FALSE);
}

/* -------------------------------------------------------------------------------------------
 * From
 */

static guint count_ats(const char *text)
{
    guint count = 0;

    for (; (text = strchr(text, '@')); text++)
        count++;
    return count;
}

/* What Unicode has instead of an @ is one for some readers. */
static const char *check_decoded(const char *value)
{
    gboolean names;
    g_autofree char *decoded = decode_all(value, &names);
    g_autofree char *folded = decoded ? seal_text_fold(decoded) : NULL;

    if (!decoded)
        return "an encoded word in it cannot be decoded";
    if (!names)
        return "an encoded word in it reads as more than a name";
    return count_ats(folded) == count_ats(value) ? NULL : "its name reads as an address";
}

/* What is wrong with the field before its value is looked at. */
static const char *check_field(const SealHeader *header, const SealField *field)
{
    const char *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;

    if (seal_header_count(header, "From") > 1)
        return "From stands more than once";
    if (header->broken_off)
        return "no empty line ends the header";
    if (start[field->name_length] != ':')
        return "a blank stands before its colon";
    if (seal_field_has_blank_line(header, field))
        return "a line of it holds blanks alone";
    if (field->length > MAX_FROM)
        return "it is longer than 16 KiB";
    return g_utf8_validate(start, (gssize)field->length, NULL) ? NULL : "it is not UTF-8";
}

SealAddress *seal_author_read(const SealHeader *header, char **why)
{
    const SealField *field = seal_header_find(header, "From");
    const char *fault = field ? check_field(header, field) : "there is none";

    if (fault) {
        *why = g_strdup(fault);
        return NULL;
    }
    g_autofree char *value = seal_field_value(header, field);
    g_autoptr(SealAddress) author = seal_mailbox_read(value, why);
    fault = author ? check_decoded(value) : NULL;
    if (fault)
        *why = g_strdup(fault);
    return fault ? NULL : g_steal_pointer(&author);
}

gboolean seal_author_guess(const SealHeader *header, SealMailboxVisitor visit, gpointer user_data,
                           GError **error)
{
    SealMailboxCount count = {.most = MAX_GUESSES};
    gsize size = 0;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);
        gboolean names;

        if (!seal_field_is(header, field, "From"))
            continue;
        if ((size += field->length) > MAX_ALL_FROM) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "From has more than %d octets",
                        MAX_ALL_FROM);
            return FALSE;
        }
        g_autofree char *value = seal_field_value(header, field);
        g_autofree char *valid = g_utf8_make_valid(value, -1);
        g_autofree char *decoded = decode_all(valid, &names);
        if (!seal_mailbox_guess(valid, &count, visit, user_data, error) ||
            (decoded && strstr(valid, "=?") &&
             !seal_mailbox_guess(decoded, &count, visit, user_data, error)))
            return FALSE;
    }
    return TRUE;
}
