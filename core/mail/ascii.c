/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ascii.c: writes fields anew that no relay without SMTPUTF8 would carry. What is ASCII in them
 * stays as it is, but for where its lines are folded.
 */
#include "core/mail/ascii.h"

#include <string.h>

enum {
    MAX_COLUMN = 76,
    MAX_WORD = 75, /* RFC 2047 2 */
    MAX_PIECE = 48 /* of a parameter's value */
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

static gsize column_of(const GString *out)
{
    const char *lf = strrchr(out->str, '\n');

    return lf ? strlen(lf + 1) : out->len;
}

/* @text begins with a blank, where the line may be folded. */
static void append_folded(GString *out, const char *text, gsize length)
{
    if (column_of(out) + length > MAX_COLUMN && strchr(" \t", *text))
        g_string_append_c(out, '\n');
    g_string_append_len(out, text, (gssize)length);
}

static void append_code(GString *out, char sign, guchar octet)
{
    g_string_append_printf(out, "%c%02X", sign, octet);
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

/* As encoded words, which none of its characters crosses. */
static void append_words(GString *out, const char *text)
{
    g_autoptr(GString) word = g_string_new(" " BEGIN);

    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        g_autoptr(GString) quoted = g_string_new(NULL);

        append_quoted(quoted, c, g_utf8_next_char(c));
        if (word->len - 1 + quoted->len + strlen(END) > MAX_WORD) {
            g_string_append(word, END);
            append_folded(out, word->str, word->len);
            g_string_assign(word, " " BEGIN);
        }
        g_string_append(word, quoted->str);
    }
    g_string_append(word, END);
    append_folded(out, word->str, word->len);
}

/* -------------------------------------------------------------------------------------------
 * Texts and names: tokens
 */

typedef enum {
    TOKEN_BLANK,
    TOKEN_PLAIN,
    TOKEN_WORD, /* an encoded word already */
    TOKEN_RAW,  /* to be one */
} TokenKind;

typedef struct {
    TokenKind kind;
    char *text; /* of a quoted one, without its quotes */
} Token;

static void token_clear(gpointer data)
{
    g_free(((Token *)data)->text);
}

static gboolean is_word(const char *text, gsize length)
{
    return length > 6 && strncmp(text, "=?", 2) == 0 && strncmp(text + length - 2, "?=", 2) == 0;
}

static void add_token(GArray *tokens, const char *text, gsize length)
{
    Token token = {strchr(" \t", *text)     ? TOKEN_BLANK
                   : is_word(text, length)  ? TOKEN_WORD
                   : has_high(text, length) ? TOKEN_RAW
                                            : TOKEN_PLAIN,
                   g_strndup(text, length)};

    g_array_append_val(tokens, token);
}

static gboolean read_text(GArray *tokens, const char *c)
{
    while (*c) {
        gsize blanks = strspn(c, " \t"), length = blanks ? blanks : strcspn(c, " \t");

        add_token(tokens, c, length);
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
static gboolean read_quoted(GArray *tokens, const char *c, const char *end)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!has_high(c, (gsize)(end - c))) {
        Token token = {TOKEN_PLAIN, g_strndup(c, (gsize)(end - c))};
        g_array_append_val(tokens, token);
        return TRUE;
    }
    for (c++; c < end - 1; c++) {
        c += *c == '\\' ? 1 : 0;
        g_string_append_c(text, *c);
    }
    Token token = {TOKEN_RAW, g_string_free(g_steal_pointer(&text), FALSE)};
    g_array_append_val(tokens, token);
    return !is_of_address(end);
}

/* Addresses with their names. */
static gboolean read_names(GArray *tokens, const char *c)
{
    static const char specials[] = "\"(<,;:[]>)@ \t";

    while (*c) {
        gsize length = strspn(c, " \t");

        if (*c == '"' || *c == '<') {
            const char *end = skip_enclosed(c, *c == '"' ? '"' : '>');
            if (!end || (*c == '<' && has_high(c, (gsize)(end - c))))
                return FALSE;
            length = (gsize)(end - c);
            if (*c == '"') {
                if (!read_quoted(tokens, c, end))
                    return FALSE;
                c = end;
                continue;
            }
        } else if (length == 0 && strchr(specials, *c)) {
            length = 1;
        } else if (length == 0) {
            length = strcspn(c, specials);
            /* In a comment, or of an address. */
            if (has_high(c, length) &&
                (is_of_address(c + length) || strchr(c, '(') ||
                 (tokens->len > 0 &&
                  strchr("@([", *g_array_index(tokens, Token, tokens->len - 1).text))))
                return FALSE;
        }
        add_token(tokens, c, length);
        c += length;
    }
    return TRUE;
}

static const Token *token_at(const GArray *tokens, guint index)
{
    return index < tokens->len ? &g_array_index(tokens, Token, index) : NULL;
}

static gboolean is_encoded(const Token *token)
{
    return token && (token->kind == TOKEN_WORD || token->kind == TOKEN_RAW);
}

/* Blanks between two encoded words are not shown: they are to be within one. */
static char *text_to_encode(const GArray *tokens, guint i)
{
    const Token *before = i > 0 ? token_at(tokens, i - 1) : NULL;
    const Token *after = token_at(tokens, i + 1);
    gboolean takes_before =
        before && before->kind == TOKEN_BLANK && i > 1 && is_encoded(token_at(tokens, i - 2));
    gboolean takes_after = after && after->kind == TOKEN_BLANK && token_at(tokens, i + 2) &&
                           token_at(tokens, i + 2)->kind == TOKEN_WORD;

    return g_strconcat(takes_before ? before->text : "", token_at(tokens, i)->text,
                       takes_after ? after->text : "", NULL);
}

/* An encoded word stands alone: between blanks, or what parts addresses. */
static gboolean stands_alone(const GArray *tokens, guint i)
{
    const Token *before = i > 0 ? token_at(tokens, i - 1) : NULL;
    const Token *after = token_at(tokens, i + 1);

    return (!before || before->kind == TOKEN_BLANK || strchr(",;:", *before->text)) &&
           (!after || after->kind == TOKEN_BLANK || strchr("<,;:", *after->text));
}

static gboolean append_tokens(GString *out, const GArray *tokens)
{
    for (guint i = 0; i < tokens->len; i++) {
        const Token *token = token_at(tokens, i), *next = token_at(tokens, i + 1);

        if (token->kind == TOKEN_RAW) {
            g_autofree char *text = text_to_encode(tokens, i);

            if (!stands_alone(tokens, i))
                return FALSE;
            append_words(out, text);
            if (next && *next->text == '<')
                g_string_append_c(out, ' ');
        } else if (token->kind != TOKEN_BLANK) {
            g_string_append(out, token->text);
        } else if (!next || next->kind != TOKEN_RAW) {
            g_autofree char *both = g_strconcat(token->text, next ? next->text : "", NULL);
            append_folded(out, both, strlen(both));
            i += next ? 1 : 0;
        } else if (!is_encoded(i > 0 ? token_at(tokens, i - 1) : NULL) && strlen(token->text) > 1) {
            /* One blank comes with the word. */
            g_string_append(out, token->text + 1);
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

/* In pieces where it is long (RFC 2231 3), which no character crosses. */
static void append_extended(GString *out, const char *name, const char *value)
{
    g_autoptr(GString) piece = g_string_new("UTF-8''");
    guint count = 0;

    for (const char *c = value; *c; c = g_utf8_next_char(c)) {
        gsize before = piece->len;

        append_percent(piece, c, g_utf8_next_char(c));
        if (piece->len <= MAX_PIECE)
            continue;
        g_string_truncate(piece, before);
        g_string_append_printf(out, ";\n %s*%u*=%s", name, count++, piece->str);
        g_string_truncate(piece, 0);
        append_percent(piece, c, g_utf8_next_char(c));
    }
    if (count > 0)
        g_string_append_printf(out, ";\n %s*%u*=%s", name, count, piece->str);
    else
        g_string_append_printf(out, ";\n %s*=%s", name, piece->str);
}

static gboolean append_parameter(GString *out, char *text)
{
    char *sign = strchr(g_strstrip(text), '=');

    if (!has_high(text, strlen(text))) {
        g_autofree char *folded = g_strconcat(" ", text, NULL);
        g_string_append_c(out, ';');
        if (*text)
            append_folded(out, folded, strlen(folded));
        return TRUE;
    }
    if (!sign)
        return FALSE;
    g_autofree char *name = g_strchomp(g_strndup(text, (gsize)(sign - text)));
    g_autofree char *value = value_of(g_strchug(sign + 1));
    if (!value || !*name ||
        strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_") != strlen(name))
        return FALSE;
    append_extended(out, name, value);
    return TRUE;
}

static gboolean append_parameters(GString *out, const char *value)
{
    const char *end = end_of_parameter(value);

    /* Where one stands in the extended form already, readers differ in which counts. */
    if (!end || has_high(value, (gsize)(end - value)) || strstr(value, "*=") ||
        strstr(value, "*0="))
        return FALSE;
    g_string_append_c(out, ' ');
    g_string_append_len(out, value, end - value);
    while (*end) {
        const char *start = end + 1;

        end = end_of_parameter(start);
        if (!end)
            return FALSE;
        g_autofree char *text = g_strndup(start, (gsize)(end - start));
        if (!append_parameter(out, text))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The field
 */

static gboolean append_by_tokens(GString *out, const char *value,
                                 gboolean (*read)(GArray *, const char *))
{
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(Token));

    g_array_set_clear_func(tokens, token_clear);
    if (!read(tokens, value))
        return FALSE;
    if (tokens->len > 0 && token_at(tokens, 0)->kind != TOKEN_RAW)
        g_string_append_c(out, ' ');
    return append_tokens(out, tokens);
}

char *seal_field_to_ascii(const SealHeader *header, const SealField *field)
{
    const char *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;
    g_autofree char *value = seal_field_value(header, field);
    g_autoptr(GString) out = g_string_new_len(start, (gssize)field->name_length);
    gboolean is_text = seal_field_is_any(header, field, TEXTS) ||
                       (field->name_length > 2 && g_ascii_strncasecmp(start, "X-", 2) == 0);

    g_string_append_c(out, ':');
    if (!seal_field_is_clean(header, field) || !g_utf8_validate(value, -1, NULL) ||
        memchr(start, '\0', field->length) || strchr(value, '\r') ||
        !(is_text ? append_by_tokens(out, value, read_text)
          : seal_field_is_any(header, field, NAMES)
              ? append_by_tokens(out, value, read_names)
              : seal_field_is_any(header, field, WITH_PARAMETERS) && append_parameters(out, value)))
        return NULL;
    g_string_append_c(out, '\n');
    return g_string_free(g_steal_pointer(&out), FALSE);
}
