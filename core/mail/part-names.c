/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * part-names.c: one place that knows how readers differ about a part's type and file names. Each
 * value is looked at once from each place where a name may begin, and so far only as a name is
 * long.
 */
#include "core/mail/part-names.h"

#include "core/mail/words.h"

#include <string.h>

enum {
    MAX_VALUE = 64 * 1024,
    MAX_NAME = 2048,
    MAX_PLACES = 64, /* in one field, at which a name begins */
    MAX_WORK = 32 * 1024 * 1024,
};

void seal_part_names_init(SealPartNames *names)
{
    names->sure = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    names->far = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    names->left = MAX_WORK;
    names->complete = TRUE;
}

void seal_part_names_clear(SealPartNames *names)
{
    g_hash_table_unref(names->sure);
    g_hash_table_unref(names->far);
}

void seal_part_names_empty(SealPartNames *names)
{
    g_hash_table_remove_all(names->sure);
    g_hash_table_remove_all(names->far);
}

static gboolean is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* -------------------------------------------------------------------------------------------
 * Forms of a text
 */

/* Behind the comment at @text, "("; the end of it where it is not closed. */
static const char *comment_end(const char *text)
{
    guint depth = 0;

    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        else if (*text == '(')
            depth++;
        else if (*text == ')' && --depth == 0)
            return text + 1;
    }
    return text;
}

/* Behind the quoted string at @text. */
static const char *quoted_end(const char *text)
{
    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1])
            text++;
    }
    return *text ? text + 1 : text;
}

/* Blanks and comments. */
static const char *skip_nothing(const char *text)
{
    for (text = skip_blanks(text); *text == '('; text = skip_blanks(text))
        text = comment_end(text);
    return text;
}

char *seal_part_names_bare(const char *text)
{
    GString *bare = g_string_sized_new(strlen(text));

    while (*text) {
        if (*text == '(') {
            text = comment_end(text);
        } else if (*text == '"') {
            const char *end = quoted_end(text);

            for (const char *c = text + 1; c < end - 1; c++) {
                if (*c == '\\' && c + 1 < end - 1)
                    c++;
                g_string_append_c(bare, *c);
            }
            if (end[-1] != '"' && end - 1 > text)
                g_string_append_c(bare, end[-1]);
            text = end;
        } else {
            g_string_append_c(bare, *text++);
        }
    }
    return g_strstrip(g_string_free(bare, FALSE));
}

/* Line ends out, blanks kept (RFC 5322 2.2.3). */
static char *unfold(const char *folded)
{
    GString *text = g_string_sized_new(strlen(folded));

    for (const char *c = folded; *c; c++) {
        if (*c != '\n' && (*c != '\r' || c[1] != '\n'))
            g_string_append_c(text, *c);
    }
    return g_strstrip(g_string_free(text, FALSE));
}

char *seal_part_names_unfold_tightly(const char *folded)
{
    const char *c = folded + strcspn(folded, "\r\n");

    if (!*skip_blanks(c))
        return NULL;
    GString *text = g_string_new_len(folded, c - folded);
    while (*c) {
        gsize length;

        c = skip_blanks(c);
        length = strcspn(c, "\r\n");
        g_string_append_len(text, c, (gssize)length);
        c += length;
    }
    return g_strstrip(g_string_free(text, FALSE));
}

char *seal_part_names_latin(const char *text)
{
    return g_utf8_validate(text, -1, NULL)
               ? NULL
               : g_convert_with_fallback(text, -1, "UTF-8", "WINDOWS-1252", "?", NULL, NULL, NULL);
}

static GString *percent_decoded(const char *text)
{
    GString *octets = g_string_sized_new(strlen(text));

    for (; *text; text++) {
        if (*text == '%' && g_ascii_isxdigit(text[1]) && g_ascii_isxdigit(text[2])) {
            g_string_append_c(
                octets, (char)(g_ascii_xdigit_value(text[1]) << 4 | g_ascii_xdigit_value(text[2])));
            text += 2;
        } else {
            g_string_append_c(octets, *text);
        }
    }
    return octets;
}

char *seal_part_names_visible(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_sized_new(strlen(valid));

    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        GUnicodeType type = g_unichar_type(g_utf8_get_char(c));

        if (type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT)
            g_string_append_len(out, c, g_utf8_next_char(c) - c);
    }
    return g_string_free(out, FALSE);
}

/* -------------------------------------------------------------------------------------------
 * One name
 */

static gboolean spend(SealPartNames *names, gsize octets)
{
    gboolean enough = octets < names->left;

    names->complete = names->complete && enough;
    names->left = enough ? names->left - octets : 0;
    return enough;
}

static void put(SealPartNames *names, const char *text, gboolean sure)
{
    g_autofree char *value = g_strstrip(g_utf8_make_valid(text, -1));
    gsize length = strlen(value);

    if (length > MAX_NAME)
        names->complete = FALSE;
    if (length > 0 && spend(names, length))
        g_hash_table_add(sure ? names->sure : names->far, g_steal_pointer(&value));
}

/* As it is saved: what cannot be in a file name goes, one step after the other. */
static void put_saved(SealPartNames *names, const char *text)
{
    g_autofree char *shown = seal_part_names_visible(text);
    g_autoptr(GString) octets = percent_decoded(shown);
    g_autofree char *decoded = g_utf8_make_valid(octets->str, -1); /* ends at a NUL */
    const char *base = decoded;

    put(names, shown, FALSE);
    put(names, decoded, FALSE);
    for (char *c = decoded; *c; c++) {
        if (*c == '/' || *c == '\\')
            base = c + 1;
    }
    put(names, base, FALSE);
    gsize length = strlen(base), skip = strspn(base, "'\"<");
    while (length > skip && strchr(" \t.'\">", base[length - 1]))
        length--;
    if (length > skip) {
        g_autofree char *bare = g_strndup(base + skip, length - skip);
        put(names, bare, FALSE);
    }
}

void seal_part_names_add(SealPartNames *names, const char *value, gboolean sure)
{
    gboolean plain = !strstr(value, "=?");

    if (names->left == 0)
        return;
    g_autofree char *latin = seal_part_names_latin(value);
    put(names, value, sure && plain);
    put_saved(names, value);
    if (latin)
        put_saved(names, latin);
    /* RFC 2047 5 allows none here; who reads them takes them as they come. */
    for (int reading = SEAL_READING_LAX; !plain && reading < SEAL_READINGS; reading++) {
        g_autofree char *decoded = seal_words_decode(value, (SealReading)reading);

        put(names, decoded, sure);
        put_saved(names, decoded);
    }
}

/* In the charset that stands before it; RFC 2231 4. */
static void add_octets(SealPartNames *names, const GString *octets, const char *charset,
                       gboolean sure)
{
    const char *known = seal_words_charset(charset, strlen(charset));
    gsize length = octets->len;
    g_autofree char *text = known
                                ? g_convert_with_fallback(octets->str, (gssize)octets->len, "UTF-8",
                                                          known, "?", NULL, &length, NULL)
                                : NULL;
    g_autofree char *valid = g_utf8_make_valid(octets->str, (gssize)octets->len);

    if (!text) {
        length = octets->len;
        text = g_memdup2(octets->str, length + 1);
    }
    /* Up to a NUL, and with all behind it. */
    seal_part_names_add(names, valid, FALSE);
    seal_part_names_add(names, text, FALSE);
    for (gsize i = 0; i < length; i++)
        text[i] = text[i] ? text[i] : ' ';
    seal_part_names_add(names, text, sure);
}

/* The text behind "charset'language'", or all of it. */
static const char *behind_charset(const char *value, char **charset)
{
    const char *first = strchr(value, '\'');
    const char *second = first ? strchr(first + 1, '\'') : NULL;

    *charset = second ? g_strndup(value, (gsize)(first - value)) : g_strdup("");
    return second ? second + 1 : value;
}

/* -------------------------------------------------------------------------------------------
 * Names in sections (RFC 2231 3)
 */

typedef struct {
    guint number;
    gboolean encoded;
    gboolean of_file; /* filename, and not name */
    char *value;
} Section;

static void section_clear(gpointer data)
{
    g_free(((Section *)data)->value);
}

static gint compare_sections(gconstpointer a, gconstpointer b)
{
    const Section *first = a, *second = b;

    return first->number < second->number ? -1 : first->number > second->number;
}

typedef enum {
    DECODE_AS_MARKED,
    DECODE_NONE,
    DECODE_ALL,
    DECODE_FORMS,
} Decode;

/* @strictly: 0, 1, 2 and so on, the first of each; else all, as they stand there, or with
 * @last the last of each. */
static gboolean join_sections(SealPartNames *names, const GArray *sections, gboolean of_file,
                              gboolean strictly, gboolean last, Decode decode, gboolean sure)
{
    g_autoptr(GString) octets = g_string_new(NULL);
    g_autofree char *charset = g_strdup("");
    guint next = 0, count = 0;

    for (guint i = 0; i < sections->len; i++) {
        const Section *section = &g_array_index(sections, Section, i);
        const Section *behind =
            i + 1 < sections->len ? &g_array_index(sections, Section, i + 1) : NULL;
        const char *value = section->value;

        if (section->of_file != of_file || (strictly && section->number != next) ||
            (last && behind && behind->of_file == of_file && behind->number == section->number))
            continue;
        next = section->number + 1;
        if (count++ == 0 && section->encoded && decode != DECODE_NONE) {
            g_free(charset);
            value = behind_charset(value, &charset);
        }
        if (decode == DECODE_ALL || (decode == DECODE_AS_MARKED && section->encoded)) {
            g_autoptr(GString) decoded = percent_decoded(value);
            g_string_append_len(octets, decoded->str, (gssize)decoded->len);
        } else {
            g_string_append(octets, value);
        }
    }
    if (count > 0)
        add_octets(names, octets, charset, sure);
    return count > 0;
}

static void add_sections(SealPartNames *names, GArray *sections, gboolean sure)
{
    if (sections->len == 0)
        return;
    for (guint i = 0; i < sections->len; i++) {
        const Section *section = &g_array_index(sections, Section, i);
        g_autofree char *charset = NULL;

        seal_part_names_add(names, section->value, FALSE);
        seal_part_names_add(names, behind_charset(section->value, &charset), FALSE);
    }
    for (int of_file = 0; of_file < 2; of_file++) {
        for (int decode = 0; decode < DECODE_FORMS; decode++)
            join_sections(names, sections, of_file, FALSE, FALSE, (Decode)decode, FALSE);
    }
    g_array_sort(sections, compare_sections);
    for (int of_file = 0; of_file < 2; of_file++) {
        if (sure && join_sections(names, sections, of_file, TRUE, FALSE, DECODE_AS_MARKED, TRUE))
            join_sections(names, sections, of_file, FALSE, TRUE, DECODE_AS_MARKED, TRUE);
        for (int decode = 0; decode < DECODE_FORMS; decode++) {
            join_sections(names, sections, of_file, FALSE, FALSE, (Decode)decode, FALSE);
            join_sections(names, sections, of_file, FALSE, TRUE, (Decode)decode, FALSE);
        }
    }
}

/* -------------------------------------------------------------------------------------------
 * Parameters
 */

/* What stands between "name" and the value: *N* and the equals sign. */
typedef struct {
    gboolean of_file;
    gboolean in_sections;
    gboolean encoded;
    guint number;
} Mark;

/* Behind the equals sign; NULL where there is none. */
static const char *read_mark(const char *at, Mark *mark)
{
    *mark = (Mark){.of_file = mark->of_file};
    at = skip_blanks(at);
    if (*at == '*' && g_ascii_isdigit(at[1])) {
        mark->in_sections = TRUE;
        for (at++; g_ascii_isdigit(*at); at++)
            mark->number = MIN(mark->number * 10 + (guint)(*at - '0'), 100000u);
    }
    if (*at == '*') {
        mark->encoded = TRUE;
        at++;
    }
    at = skip_nothing(at);
    return *at == '=' ? skip_nothing(at + 1) : NULL;
}

static void add_value(SealPartNames *names, const Mark *mark, GArray *sections, const char *value,
                      gboolean sure)
{
    g_autofree char *charset = NULL;

    if (mark->in_sections) {
        Section section = {mark->number, mark->encoded, mark->of_file, g_strdup(value)};

        g_array_append_val(sections, section);
    } else if (mark->encoded) {
        g_autoptr(GString) octets = percent_decoded(behind_charset(value, &charset));

        add_octets(names, octets, charset, sure);
        seal_part_names_add(names, value, FALSE);
    } else {
        seal_part_names_add(names, value, sure);
    }
}

/* What is quoted in the text that begins with a quotation mark. */
static char *unquoted(const char *text, const char *end)
{
    GString *out = g_string_sized_new((gsize)(end - text));

    for (text++; text < end && *text != '"'; text++) {
        if (*text == '\\' && text + 1 < end)
            text++;
        g_string_append_c(out, *text);
    }
    return g_string_free(out, FALSE);
}

/* The value between @start and @end, where its parameter ends, as RFC 2045 has it; and where more
 * stands there than that allows, all of it too. */
static void add_proper(SealPartNames *names, const Mark *mark, GArray *sections, const char *start,
                       const char *end)
{
    const char *behind = start + strcspn(start, " \t\r\n(;");

    if (end - start > MAX_NAME + 2) {
        names->complete = FALSE;
        return;
    }
    behind = *start == '"' ? quoted_end(start) : MIN(behind, end);
    g_autofree char *value =
        *start == '"' ? unquoted(start, behind) : g_strndup(start, (gsize)(behind - start));
    add_value(names, mark, sections, value, TRUE);
    if (skip_blanks(behind) < end) {
        g_autofree char *whole = g_strndup(start, (gsize)(end - start));
        g_autofree char *bare = seal_part_names_bare(whole);
        Mark plain = {.encoded = mark->encoded};

        add_value(names, &plain, sections, whole, TRUE);
        add_value(names, &plain, sections, bare, TRUE);
    }
}

/* Where the parameter ends: a semicolon that stands neither in a comment nor in quotes. */
static const char *parameter_end(const char *at)
{
    while (*at && *at != ';')
        at = *at == '"' ? quoted_end(at) : *at == '(' ? comment_end(at) : at + 1;
    return at;
}

static GArray *sections_new(void)
{
    GArray *sections = g_array_new(FALSE, FALSE, sizeof(Section));

    g_array_set_clear_func(sections, section_clear);
    return sections;
}

/* How long "name" or "filename" at @at is; 0 for another. */
static gsize name_length(const char *at, Mark *mark)
{
    mark->of_file = g_ascii_strncasecmp(at, "filename", 8) == 0;
    return mark->of_file ? 8 : g_ascii_strncasecmp(at, "name", 4) == 0 ? 4 : 0;
}

static void add_proper_parameters(SealPartNames *names, const char *value)
{
    g_autoptr(GArray) sections = sections_new();
    const char *at = parameter_end(value);
    guint places = 0;

    while (*at == ';') {
        Mark mark = {0};
        const char *from = skip_nothing(at + 1);
        gsize length = name_length(from, &mark);
        const char *start = length > 0 ? read_mark(from + length, &mark) : NULL;

        at = parameter_end(from);
        if (!start)
            continue;
        if (++places > MAX_PLACES) {
            names->complete = FALSE;
            break;
        }
        at = parameter_end(start);
        add_proper(names, &mark, sections, start, at);
    }
    add_sections(names, sections, TRUE);
}

/* Behind the encoded words that stand at @text one after the other; @text where none does. */
static const char *words_end(const char *text)
{
    const char *end = text, *next = text;

    while (g_str_has_prefix(next, "=?") && seal_words_find(next, &next) == skip_blanks(end)) {
        end = next;
        next = skip_blanks(next);
    }
    return end;
}

/* The ends that one reader or other sees. */
static void add_loose(SealPartNames *names, const Mark *mark, GArray *sections, const char *start)
{
    g_autofree char *window = g_strndup(start, strnlen(start, MAX_NAME + 2));
    const char *inside = window + (*window == '"' ? 1 : 0), *words = words_end(inside);
    gsize length = strlen(window), semicolon = strcspn(window, ";");
    const Mark plain = {.encoded = mark->encoded};
    g_autofree char *quoted = NULL;

    if (words > inside) {
        g_autofree char *encoded = g_strndup(inside, (gsize)(words - inside));
        add_value(names, &plain, sections, encoded, FALSE);
    }
    if (*window == '"') {
        quoted = unquoted(window, window + length);
        add_value(names, mark, sections, quoted, FALSE);
        g_autofree char *raw = g_strndup(window + 1, strcspn(window + 1, "\""));
        add_value(names, &plain, sections, raw, FALSE);
    } else {
        g_autofree char *token = g_strndup(window, strcspn(window, " \t\r\n(;"));
        add_value(names, mark, sections, token, FALSE);
        g_autofree char *item = g_strndup(window, strcspn(window, " \t\r\n();,\""));
        add_value(names, &plain, sections, item, FALSE);
    }
    if (semicolon == length && length > MAX_NAME &&
        (*window != '"' || (quoted && strlen(quoted) >= MAX_NAME)))
        names->complete = FALSE;
    window[semicolon] = '\0';
    add_value(names, &plain, sections, window, FALSE);
    g_autofree char *bare = seal_part_names_bare(window);
    add_value(names, &plain, sections, bare, FALSE);
    g_strdelimit(window, "\"", ' ');
    add_value(names, &plain, sections, window, FALSE);
}

/* Wherever "name" stands before an equals sign. */
static void add_loose_parameters(SealPartNames *names, const char *value)
{
    g_autoptr(GArray) sections = sections_new();
    guint places = 0;

    for (const char *at = value; (at = strpbrk(at, "nN")); at++) {
        Mark mark = {0};
        gsize length = name_length(at, &mark);
        const char *start;

        if (length == 0)
            continue;
        if (++places > MAX_PLACES || !spend(names, MAX_NAME)) {
            names->complete = FALSE;
            break;
        }
        mark.of_file = at - value >= 4 && g_ascii_strncasecmp(at - 4, "file", 4) == 0;
        if ((start = read_mark(at + length, &mark)))
            add_loose(names, &mark, sections, start);
    }
    add_sections(names, sections, FALSE);
}

/* The value as it may be unfolded or decoded first, for @add. */
static void in_forms(SealPartNames *names, const char *value, const char *unfolded,
                     void (*add)(SealPartNames *names, const char *value))
{
    g_autofree char *tight = seal_part_names_unfold_tightly(value);

    add(names, unfolded);
    if (tight)
        add(names, tight);
    if (strstr(unfolded, "=?")) {
        g_autofree char *decoded = seal_words_decode(unfolded, SEAL_READING_LAX);
        add(names, decoded);
    }
}

static gboolean is_too_long(SealPartNames *names, const char *value)
{
    gboolean too_long = strlen(value) > MAX_VALUE || names->left == 0;

    names->complete = names->complete && !too_long;
    return too_long;
}

void seal_part_names_add_parameters(SealPartNames *names, const char *value)
{
    if (is_too_long(names, value))
        return;
    g_autofree char *unfolded = unfold(value);
    add_proper_parameters(names, unfolded);
    in_forms(names, value, unfolded, add_loose_parameters);
}

gboolean seal_part_names_is_plain(const char *value, const char *parameter)
{
    gsize length = strlen(parameter);
    const char initials[] = {g_ascii_tolower(*parameter), g_ascii_toupper(*parameter), '\0'};
    guint count = 0, places = 0;

    for (const char *at = value; (at = strpbrk(at, initials)); at++) {
        if (g_ascii_strncasecmp(at, parameter, length) != 0)
            continue;
        const char *behind = skip_nothing(at + length);
        if (*behind == '*' || ++places > MAX_PLACES)
            return FALSE;
        count += *behind == '=' ? 1 : 0;
    }
    return count <= 1;
}

/* -------------------------------------------------------------------------------------------
 * Types
 */

/* What stands in @value up to @length, with no blanks in it. */
static void put_type(SealPartNames *names, const char *value, gsize length, gboolean sure)
{
    g_autoptr(GString) type = g_string_sized_new(length);

    for (gsize i = 0; i < length; i++) {
        if (!is_blank(value[i]))
            g_string_append_c(type, g_ascii_tolower(value[i]));
    }
    put(names, type->str, sure);
}

static void add_loose_type(SealPartNames *names, const char *value)
{
    g_autofree char *front = g_strndup(value, strcspn(value, ";"));
    g_autofree char *bare = seal_part_names_bare(front);
    const char *from = bare + strspn(bare, " \t\r\n");
    const char *slash = strchr(from, '/');

    if (strlen(front) > MAX_NAME) {
        names->complete = FALSE;
        return;
    }
    put(names, front, FALSE);
    put_type(names, from, strlen(from), FALSE);
    put_type(names, from, strcspn(from, ","), FALSE);
    if (slash) {
        const char *sub = skip_blanks(slash + 1);
        put_type(names, from, (gsize)(sub - from) + strcspn(sub, " \t,"), FALSE);
    }
}

void seal_part_names_add_type(SealPartNames *names, const char *value)
{
    if (is_too_long(names, value))
        return;
    g_autofree char *unfolded = unfold(value);
    const char *end = parameter_end(unfolded);
    if (end - unfolded > MAX_NAME) {
        names->complete = FALSE;
        return;
    }
    g_autofree char *front = g_strndup(unfolded, (gsize)(end - unfolded));
    g_autofree char *bare = seal_part_names_bare(front);

    g_autofree char *lower = g_ascii_strdown(front, -1);

    put(names, lower, TRUE);
    put_type(names, bare, strlen(bare), TRUE);
    in_forms(names, value, unfolded, add_loose_type);
}
