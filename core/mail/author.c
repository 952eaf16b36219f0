/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * author.c: reads From as every reader would, of whom some decode encoded words first and look for
 * addresses then. Only where all see one mailbox, and the same, is there an author.
 */
#include "core/mail/author.h"

#include "core/mail/words.h"

#include <string.h>

enum {
    MAX_FROM = 16 * 1024, /* of an author's */
    MAX_ALL_FROM = 64 * 1024,
    MAX_GUESSES = 1000,
    MAX_SHOWN = 40,
};

/* -------------------------------------------------------------------------------------------
 * What readers make of a value before they look for addresses
 */

/* Without the backslashes that quote something. (transfer full) */
static char *unescape(const char *value)
{
    GString *text = g_string_sized_new(strlen(value));

    for (const char *c = value; *c; c++) {
        if (*c == '\\' && c[1])
            c++;
        g_string_append_c(text, *c);
    }
    return g_string_free(text, FALSE);
}

/* Without anything that quotes, and without comments. (transfer full) */
static char *strip(const char *value)
{
    GString *text = g_string_sized_new(strlen(value));
    guint depth = 0;

    for (const char *c = value; *c; c++) {
        if (*c == '(')
            depth++;
        else if (*c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && *c != '"' && *c != '\\')
            g_string_append_c(text, *c);
    }
    return g_string_free(text, FALSE);
}

/* What Unicode has instead of an @ or a dot is one for some readers. (transfer full) */
static char *plain_signs(const char *valid)
{
    GString *text = g_string_sized_new(strlen(valid));

    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);

        switch (character) {
        case 0xff20:
        case 0xfe6b:
            g_string_append_c(text, '@');
            break;
        case 0x2024:
        case 0x3002:
        case 0xfe52:
        case 0xff0e:
        case 0xff61:
            g_string_append_c(text, '.');
            break;
        default:
            g_string_append_unichar(text, character);
        }
    }
    return g_string_free(text, FALSE);
}

/* As readers have a value in hand when they decode it: as it stands, and with less around it. */
enum { FORMS = 3 };

typedef struct {
    char *texts[FORMS];
} Forms;

static void forms_clear(Forms *forms)
{
    for (guint i = 0; i < FORMS; i++)
        g_free(forms->texts[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Forms, forms_clear)

static Forms forms_of(const char *value)
{
    return (Forms){{g_strdup(value), unescape(value), strip(value)}};
}

/* (transfer full) */
static char *decode_form(const char *form, SealReading reading)
{
    g_autofree char *decoded = seal_words_decode(form, reading);

    return plain_signs(decoded);
}

/* -------------------------------------------------------------------------------------------
 * Encoded words
 */

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

/* Behind the words that follow @end with nothing but blanks between. */
static const char *join_words(const char *end)
{
    for (;;) {
        const char *next = end + strspn(end, " \t"), *next_end;

        if (strncmp(next, "=?", 2) != 0 || seal_words_find(next, &next_end) != next)
            return end;
        end = next_end;
    }
}

/* The words from @start to @end, which are read as one text. */
static const char *check_words(const char *start, const char *end)
{
    g_autofree char *words = g_strndup(start, (gsize)(end - start));

    for (guint i = SEAL_READING_LAX; i < SEAL_READINGS; i++) {
        g_autofree char *text = seal_words_decode(words, (SealReading)i);

        if (!is_only_name(text))
            return "an encoded word in it reads as more than a name";
    }
    return NULL;
}

/* Some readers know more charsets than are known here, in which other octets are an @. */
static char *check_charset(const char *word)
{
    gsize length = strcspn(word + 2, "?");

    if (seal_words_charset(word + 2, length))
        return NULL;
    g_autofree char *charset = seal_text_line(word + 2, length, MAX_SHOWN);
    return g_strdup_printf("an encoded word in it cannot be decoded: %s is no charset of mail (use "
                           "UTF-8)",
                           charset);
}

/* What is wrong with them; NULL where nothing is. (transfer full) */
static char *check_all_words(const char *value)
{
    const char *end, *checked = value;

    for (const char *at = value; (at = seal_words_find(at, &end)); at = end) {
        g_autofree char *charset = check_charset(at);

        if (charset)
            return g_steal_pointer(&charset);
        if (at < checked)
            continue;
        checked = join_words(end);
        const char *fault = check_words(at, checked);
        if (fault)
            return g_strdup(fault);
    }
    return NULL;
}

/* TRUE where something in @form is an encoded word for readers who take it to pieces in another
 * way, or decode twice. */
static gboolean has_half_word(const char *form)
{
    for (guint i = SEAL_READING_LAX; i < SEAL_READINGS; i++) {
        g_autofree char *text = decode_form(form, (SealReading)i);

        for (const char *c = text; (c = strchr(c, '?')); c++) {
            if ((c > text && c[-1] == '=') || (c[1] && strchr("bBqQ", c[1]) && c[2] == '?'))
                return TRUE;
        }
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * From
 */

/* What is wrong with what readers see in @form of the value, in which @mailbox is the author's. */
static char *check_form(const char *form, const char *mailbox)
{
    for (guint i = 0; i < SEAL_READINGS; i++) {
        g_autofree char *text = decode_form(form, (SealReading)i);
        const char *other = seal_mailbox_find_other(text, mailbox);

        if (other) {
            g_autofree char *around = seal_mailbox_around(text, other);
            return g_strdup_printf("its name or a comment reads as a second address, %s (only the "
                                   "author's own, written the same, may stand there)",
                                   around);
        }
    }
    return NULL;
}

/* (transfer full) */
static char *check_value(const char *value, const char *mailbox)
{
    g_auto(Forms) forms = forms_of(value);
    g_auto(Forms) own = forms_of(mailbox);
    g_autofree char *plain = plain_signs(mailbox);

    if (!g_str_equal(plain, mailbox))
        return g_strdup("its address has a character that reads as a dot or an @");
    char *fault = check_all_words(value);
    for (guint i = 0; !fault && i < FORMS; i++)
        fault = check_form(forms.texts[i], own.texts[i]);
    for (guint i = 0; !fault && i < FORMS; i++)
        fault = has_half_word(forms.texts[i]) ? g_strdup("an encoded word in it cannot be decoded")
                                              : NULL;
    return fault;
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
    return field->length > MAX_FROM ? "it is longer than 16 KiB" : NULL;
}

SealAddress *seal_author_read(const SealHeader *header, char **why)
{
    const SealField *field = seal_header_find(header, "From");
    const char *fault = field ? check_field(header, field) : "there is none";
    g_autofree char *value = fault ? NULL : seal_field_value(header, field);
    g_autofree char *mailbox = NULL;
    g_autoptr(SealAddress) author = value ? seal_mailbox_read(value, &mailbox, &fault) : NULL;
    g_autofree char *said = author ? check_value(value, mailbox) : g_strdup(fault);

    if (said) {
        *why = g_steal_pointer(&said);
        return NULL;
    }
    return g_steal_pointer(&author);
}

typedef struct {
    SealMailboxCount counts[FORMS * SEAL_READINGS];
    SealMailboxVisitor visit;
    gpointer user_data;
} Guesses;

static gboolean was_read(GPtrArray *texts, const char *text)
{
    for (guint i = 0; i < texts->len; i++) {
        if (g_str_equal(g_ptr_array_index(texts, i), text))
            return TRUE;
    }
    return FALSE;
}

static gboolean guess_in(Guesses *guesses, const char *value, GError **error)
{
    g_auto(Forms) forms = forms_of(value);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < FORMS * SEAL_READINGS; i++) {
        g_autofree char *text =
            decode_form(forms.texts[i / SEAL_READINGS], (SealReading)(i % SEAL_READINGS));

        if (was_read(texts, text))
            continue;
        if (!seal_mailbox_guess(text, &guesses->counts[i], guesses->visit, guesses->user_data,
                                error))
            return FALSE;
        g_ptr_array_add(texts, g_steal_pointer(&text));
    }
    return TRUE;
}

gboolean seal_author_guess(const SealHeader *header, SealMailboxVisitor visit, gpointer user_data,
                           GError **error)
{
    Guesses guesses = {.visit = visit, .user_data = user_data};
    gsize size = 0;

    for (guint i = 0; i < G_N_ELEMENTS(guesses.counts); i++)
        guesses.counts[i].most = MAX_GUESSES;
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is(header, field, "From"))
            continue;
        if ((size += field->length) > MAX_ALL_FROM) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "From has more than %d octets",
                        MAX_ALL_FROM);
            return FALSE;
        }
        g_autofree char *value = seal_field_value(header, field);
        if (!guess_in(&guesses, value, error))
            return FALSE;
    }
    return TRUE;
}
