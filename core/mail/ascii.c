/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ascii.c: writes fields anew that no relay without SMTPUTF8 would carry. What is ASCII in them
 * stays as it is, but for where its lines are folded.
 */
#include "core/mail/ascii.h"

#include <string.h>

enum {
    MAX_COLUMN = 76,
    MAX_WORD = 75,  /* RFC 2047 2 */
    MAX_PIECE = 48, /* of a parameter's value */
    MAX_NAME = 64,  /* of a parameter that is written in pieces */
};

#define BEGIN "=?UTF-8?Q?"
#define END   "?="

static const char *const TEXTS[] = {
    "Subject",      "Comments", "Content-Description", "Thread-Topic", "User-Agent",
    "Organization", NULL};
static const char *const NAMES[] = {
    "From",      "Sender",      "Reply-To",      "To", "Cc", "Resent-To",
    "Resent-Cc", "Resent-From", "Resent-Sender", NULL};
static const char *const WITH_PARAMETERS[] = {"Content-Type", "Content-Disposition", NULL};

static gboolean has_high(const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (text[i] & 0x80)
            return TRUE;
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* The column goes along, so that nobody looks back for it. */
typedef struct {
    GString *out;
    gsize column;
    GString *word; /* the encoded word that is being made */
} Writer;

static void write_octets(Writer *writer, const char *text, gsize length)
{
    const char *lf = memrchr(text, '\n', length);

    g_string_append_len(writer->out, text, (gssize)length);
    writer->column = lf ? (gsize)(text + length - lf - 1) : writer->column + length;
}

static void write_text(Writer *writer, const char *text)
{
    write_octets(writer, text, strlen(text));
}

/* A blank comes next, and @length octets with it. */
static void fold_before(Writer *writer, gsize length)
{
    if (writer->column + length > MAX_COLUMN)
        write_text(writer, "\n");
}

static void append_code(GString *out, char sign, guchar octet)
{
    static const char digits[] = "0123456789ABCDEF";
    const char code[] = {sign, digits[octet >> 4], digits[octet & 15]};

    g_string_append_len(out, code, sizeof code);
}

/* One character as an encoded word in a phrase has it (RFC 2047 5 (3)). */
static void append_quoted(GString *out, const char *c, const char *next)
{
    for (; c < next; c++) {
        if (g_ascii_isalnum(*c) || strchr("!*+-/", *c))
            g_string_append_c(out, *c);
        else if (*c == ' ')
            g_string_append_c(out, '_');
        else
            append_code(out, '=', (guchar)*c);
    }
}

static void begin_words(Writer *writer)
{
    g_string_assign(writer->word, " " BEGIN);
}

static void end_words(Writer *writer)
{
    g_string_append(writer->word, END);
    fold_before(writer, writer->word->len);
    write_octets(writer, writer->word->str, writer->word->len);
}

/* None of the words is crossed by a character. @escaped: without the backslashes. */
static void write_words(Writer *writer, const char *text, gsize length, gboolean escaped)
{
    const char *next;

    for (const char *c = text; c < text + length; c = next) {
        gsize before = writer->word->len;

        c += escaped && *c == '\\' ? 1 : 0;
        next = g_utf8_next_char(c);
        append_quoted(writer->word, c, next);
        if (writer->word->len - 1 + strlen(END) <= MAX_WORD)
            continue;
        g_string_truncate(writer->word, before);
        end_words(writer);
        begin_words(writer);
        append_quoted(writer->word, c, next);
    }
}

/* -------------------------------------------------------------------------------------------
 * Texts and names: tokens
 */

typedef enum {
    TOKEN_BLANK,
    TOKEN_PLAIN,
    TOKEN_WORD,   /* an encoded word already */
    TOKEN_RAW,    /* to be one */
    TOKEN_QUOTED, /* as well, without its quotation marks and backslashes */
} TokenKind;

/* A range of the value, which is no longer than a header: a copy of each would be more than that.
 */
typedef struct {
    TokenKind kind;
    guint32 at;
    guint32 length;
} Token;

typedef struct {
    const char *value;
    GArray *tokens;
} Reading;

static gboolean is_word(const char *text, gsize length)
{
    return length > 6 && strncmp(text, "=?", 2) == 0 && strncmp(text + length - 2, "?=", 2) == 0;
}

static void add_token(Reading *reading, TokenKind kind, const char *text, gsize length)
{
    Token token = {kind, (guint32)(text - reading->value), (guint32)length};

    g_array_append_val(reading->tokens, token);
}

static TokenKind kind_of(const char *text, gsize length)
{
    return strchr(" \t", *text)     ? TOKEN_BLANK
           : is_word(text, length)  ? TOKEN_WORD
           : has_high(text, length) ? TOKEN_RAW
                                    : TOKEN_PLAIN;
}

static const Token *token_at(const Reading *reading, guint index)
{
    return index < reading->tokens->len ? &g_array_index(reading->tokens, Token, index) : NULL;
}

static const Token *token_before(const Reading *reading, guint index)
{
    return index > 0 ? token_at(reading, index - 1) : NULL;
}

static const char *text_of(const Reading *reading, const Token *token)
{
    return reading->value + token->at;
}

static gboolean begins_with(const Reading *reading, const Token *token, const char *any)
{
    return strchr(any, *text_of(reading, token)) != NULL;
}

static gboolean read_text(Reading *reading)
{
    for (const char *c = reading->value; *c;) {
        gsize blanks = strspn(c, " \t"), length = blanks ? blanks : strcspn(c, " \t");

        add_token(reading, kind_of(c, length), c, length);
        c += length;
    }
    return TRUE;
}

/* Behind what is in quotation marks, or in brackets; NULL where it does not end. */
static const char *skip_enclosed(const char *c, char end)
{
    for (c++; *c && *c != end; c++) {
        if (*c == '\\' && c[1])
            c++;
    }
    return *c ? c + 1 : NULL;
}

static gboolean is_of_address(const char *next)
{
    next += strspn(next, " \t");
    return *next == '@' || *next == '.';
}

/* FALSE: octets over 127 where no encoded word can stand. */
static gboolean read_quoted(Reading *reading, const char *c, const char *end)
{
    gboolean raw = has_high(c, (gsize)(end - c));

    add_token(reading, raw ? TOKEN_QUOTED : TOKEN_PLAIN, c, (gsize)(end - c));
    return !raw || !is_of_address(end);
}

/* Addresses with their names. */
static gboolean read_names(Reading *reading)
{
    static const char specials[] = "\"(<,;:[]>)@ \t";
    const char *last_comment = strrchr(reading->value, '(');

    for (const char *c = reading->value; *c;) {
        gsize length = strspn(c, " \t");

        if (*c == '"' || *c == '<') {
            const char *end = skip_enclosed(c, *c == '"' ? '"' : '>');
            if (!end || (*c == '<' && has_high(c, (gsize)(end - c))))
                return FALSE;
            length = (gsize)(end - c);
            if (*c == '"') {
                if (!read_quoted(reading, c, end))
                    return FALSE;
                c = end;
                continue;
            }
        } else if (length == 0 && strchr(specials, *c)) {
            length = 1;
        } else if (length == 0) {
            const Token *before = token_before(reading, reading->tokens->len);

            length = strcspn(c, specials);
            /* In a comment, or of an address. */
            if (has_high(c, length) &&
                (is_of_address(c + length) || (last_comment && last_comment > c) ||
                 (before && begins_with(reading, before, "@(["))))
                return FALSE;
        }
        add_token(reading, kind_of(c, length), c, length);
        c += length;
    }
    return TRUE;
}

static gboolean is_raw(const Token *token)
{
    return token && (token->kind == TOKEN_RAW || token->kind == TOKEN_QUOTED);
}

static gboolean is_encoded(const Token *token)
{
    return is_raw(token) || (token && token->kind == TOKEN_WORD);
}

/* Blanks between two encoded words are not shown: they are to be within one. */
static void write_raw(Writer *writer, const Reading *reading, guint i)
{
    const Token *token = token_at(reading, i), *before = token_before(reading, i);
    const Token *after = token_at(reading, i + 1), *beyond = token_at(reading, i + 2);
    gsize quote = token->kind == TOKEN_QUOTED ? 1 : 0;

    begin_words(writer);
    if (before && before->kind == TOKEN_BLANK && is_encoded(token_before(reading, i - 1)))
        write_words(writer, text_of(reading, before), before->length, FALSE);
    write_words(writer, text_of(reading, token) + quote, token->length - 2 * quote, quote == 1);
    if (after && after->kind == TOKEN_BLANK && beyond && beyond->kind == TOKEN_WORD)
        write_words(writer, text_of(reading, after), after->length, FALSE);
    end_words(writer);
}

/* An encoded word stands alone: between blanks, or what parts addresses. */
static gboolean stands_alone(const Reading *reading, guint i)
{
    const Token *before = token_before(reading, i), *after = token_at(reading, i + 1);

    return (!before || before->kind == TOKEN_BLANK || begins_with(reading, before, ",;:")) &&
           (!after || after->kind == TOKEN_BLANK || begins_with(reading, after, "<,;:"));
}

static gboolean write_tokens(Writer *writer, const Reading *reading)
{
    for (guint i = 0; i < reading->tokens->len; i++) {
        const Token *token = token_at(reading, i), *next = token_at(reading, i + 1);
        const char *text = text_of(reading, token);

        if (is_raw(token)) {
            if (!stands_alone(reading, i))
                return FALSE;
            write_raw(writer, reading, i);
            if (next && begins_with(reading, next, "<"))
                write_text(writer, " ");
        } else if (token->kind != TOKEN_BLANK) {
            write_octets(writer, text, token->length);
        } else if (!is_raw(next)) {
            /* What is next stands right behind it. */
            gsize length = token->length + (next ? next->length : 0);

            fold_before(writer, length);
            write_octets(writer, text, length);
            i += next ? 1 : 0;
        } else if (!is_encoded(token_before(reading, i)) && token->length > 1) {
            /* One blank comes with the word. */
            write_octets(writer, text + 1, token->length - 1);
        }
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Parameters
 */

/* Behind the parameter at @c, at the semicolon or the end. */
static const char *end_of_parameter(const char *c)
{
    while (c && *c && *c != ';')
        c = *c == '"' ? skip_enclosed(c, '"') : c + 1;
    return c;
}

/* What stands behind the equals sign; NULL where it is not one word or one quoted string. */
static char *value_of(const char *text)
{
    g_autoptr(GString) value = g_string_new(NULL);
    gsize length = strlen(text);

    if (*text != '"')
        return *text && !strpbrk(text, " \t\"()<>@,;:\\[]?=") ? g_strdup(text) : NULL;
    if (skip_enclosed(text, '"') != text + length)
        return NULL;
    for (const char *c = text + 1; c < text + length - 1; c++) {
        c += *c == '\\' ? 1 : 0;
        g_string_append_c(value, *c);
    }
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static void append_percent(GString *out, const char *c, const char *next)
{
    for (; c < next; c++) {
        if (g_ascii_isalnum(*c) || strchr("!#$&+-.^_`{|}~", *c))
            g_string_append_c(out, *c);
        else
            append_code(out, '%', (guchar)*c);
    }
}

/* @number: of the piece; -1: the only one. */
static void write_piece(Writer *writer, const char *name, int number, const GString *piece)
{
    g_autofree char *place = number < 0 ? g_strdup("") : g_strdup_printf("*%d", number);
    g_autofree char *begin = g_strdup_printf(";\n %s%s*=", name, place);

    write_text(writer, begin);
    write_octets(writer, piece->str, piece->len);
}

/* In pieces where it is long (RFC 2231 3), which no character crosses. */
static void write_extended(Writer *writer, const char *name, const char *value)
{
    g_autoptr(GString) piece = g_string_new("UTF-8''");
    int count = 0;

    for (const char *c = value; *c; c = g_utf8_next_char(c)) {
        gsize before = piece->len;

        append_percent(piece, c, g_utf8_next_char(c));
        if (piece->len <= MAX_PIECE)
            continue;
        g_string_truncate(piece, before);
        write_piece(writer, name, count++, piece);
        g_string_truncate(piece, 0);
        append_percent(piece, c, g_utf8_next_char(c));
    }
    write_piece(writer, name, count > 0 ? count : -1, piece);
}

static void write_plain_parameter(Writer *writer, const char *text)
{
    gsize length = strlen(text);

    write_text(writer, ";");
    if (length == 0)
        return;
    fold_before(writer, length + 1);
    write_text(writer, " ");
    write_octets(writer, text, length);
}

static gboolean write_parameter(Writer *writer, char *text)
{
    char *sign = strchr(g_strstrip(text), '=');

    if (!has_high(text, strlen(text))) {
        write_plain_parameter(writer, text);
        return TRUE;
    }
    if (!sign)
        return FALSE;
    g_autofree char *name = g_strchomp(g_strndup(text, (gsize)(sign - text)));
    g_autofree char *value = value_of(g_strchug(sign + 1));
    /* Each piece has the name. */
    if (!value || !*name || strlen(name) > MAX_NAME ||
        strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_") != strlen(name))
        return FALSE;
    write_extended(writer, name, value);
    return TRUE;
}

static gboolean write_parameters(Writer *writer, const char *value)
{
    const char *end = end_of_parameter(value);

    /* Where one stands in the extended form already, readers differ in which counts. */
    if (!end || has_high(value, (gsize)(end - value)) || strstr(value, "*=") ||
        strstr(value, "*0="))
        return FALSE;
    write_text(writer, " ");
    write_octets(writer, value, (gsize)(end - value));
    while (*end) {
        const char *start = end + 1;

        end = end_of_parameter(start);
        if (!end)
            return FALSE;
        g_autofree char *text = g_strndup(start, (gsize)(end - start));
        if (!write_parameter(writer, text))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The field
 */

static gboolean write_by_tokens(Writer *writer, const char *value, gboolean (*read)(Reading *))
{
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(Token));
    Reading reading = {value, tokens};

    if (!read(&reading))
        return FALSE;
    if (tokens->len > 0 && !is_raw(token_at(&reading, 0)))
        write_text(writer, " ");
    return write_tokens(writer, &reading);
}

/* FALSE: this field cannot be written so. */
static gboolean write_value(Writer *writer, const SealHeader *header, const SealField *field,
                            const char *value)
{
    const char *name = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;

    if (seal_field_is_any(header, field, TEXTS) ||
        (field->name_length > 2 && g_ascii_strncasecmp(name, "X-", 2) == 0))
        return write_by_tokens(writer, value, read_text);
    if (seal_field_is_any(header, field, NAMES))
        return write_by_tokens(writer, value, read_names);
    return seal_field_is_any(header, field, WITH_PARAMETERS) && write_parameters(writer, value);
}

char *seal_field_to_ascii(const SealHeader *header, const SealField *field)
{
    const char *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;
    g_autofree char *value = seal_field_value(header, field);
    g_autoptr(GString) out = g_string_new(NULL), word = g_string_new(NULL);
    Writer writer = {.out = out, .word = word};

    if (!seal_field_is_clean(header, field) || !g_utf8_validate(value, -1, NULL) ||
        memchr(start, '\0', field->length) || strchr(value, '\r'))
        return NULL;
    write_octets(&writer, start, field->name_length);
    write_text(&writer, ":");
    if (!write_value(&writer, header, field, value))
        return NULL;
    write_text(&writer, "\n");
    return g_string_free(g_steal_pointer(&out), FALSE);
}
