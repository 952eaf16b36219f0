/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * words.c: reads and writes encoded words.
 */
#include "core/mail/words.h"

#include "core/base/base64.h"
#include "core/sealpipe.h"

#include <string.h>

enum {
    MAX_CHARSET = 60,
    MAX_WORD = 75,    /* RFC 2047 2, for the strict reading */
    WORD_OCTETS = 45, /* of text, in a word that is written here */
    PLAIN_LENGTH = 900,
};

/* What mail is written in. No other name is handed to iconv: it would look for modules. */
static const char *const CHARSETS[] = {
    "utf-8",        "us-ascii",     "iso-8859-1",   "iso-8859-2",   "iso-8859-3",   "iso-8859-4",
    "iso-8859-5",   "iso-8859-6",   "iso-8859-7",   "iso-8859-8",   "iso-8859-9",   "iso-8859-10",
    "iso-8859-11",  "iso-8859-13",  "iso-8859-14",  "iso-8859-15",  "iso-8859-16",  "windows-1250",
    "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256",
    "windows-1257", "windows-1258", "koi8-r",       "koi8-u",       "iso-2022-jp",  "shift_jis",
    "euc-jp",       "euc-kr",       "gb2312",       "gbk",          "gb18030",      "big5",
    "utf-7",        "utf-16",       "utf-16be",     "utf-16le",     "utf-32",       "utf-32be",
    "utf-32le",     "macintosh",    "ibm850",       "iso-2022-kr",  "tis-620",      "cp949",
    "cp932",        "ibm866",
};

/* Names that mail programs have for some of them. */
static const struct {
    const char *name;
    const char *charset;
} ALIASES[] = {
    {"utf8", "utf-8"},
    {"ascii", "us-ascii"},
    {"latin1", "iso-8859-1"},
    {"cp1252", "windows-1252"},
    {"iso-8859-6-i", "iso-8859-6"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"ks_c_5601-1987", "cp949"},
    {"ks_c_5601", "cp949"},
    {"x-windows-949", "cp949"},
    {"x-sjis", "shift_jis"},
    {"x-euc-jp", "euc-jp"},
    {"x-gbk", "gbk"},
    {"x-mac-roman", "macintosh"},
    {"cp850", "ibm850"},
    {"cp-850", "ibm850"},
    {"cp866", "ibm866"},
    {"cp936", "gbk"},
    {"gb_2312-80", "gb2312"},
    {"windows-31j", "cp932"},
    {"windows-874", "tis-620"},
    {"iso8859-1", "iso-8859-1"},
    {"iso8859-15", "iso-8859-15"},
    {"iso_8859-1", "iso-8859-1"},
    {"cp1250", "windows-1250"},
    {"cp1251", "windows-1251"},
    /* What programs write who know nothing but that it is an extension of ASCII. */
    {"ansi_x3.4-1968", "us-ascii"},
    {"unknown-8bit", "us-ascii"},
    {"x-unknown", "us-ascii"},
};

enum { UTF_8, US_ASCII, UNKNOWN = G_N_ELEMENTS(CHARSETS) };

typedef struct {
    const char *start;
    const char *text; /* between the third and the fourth question mark */
    const char *text_end;
    const char *end;
    guint charset; /* its place in CHARSETS, or UNKNOWN */
    gboolean base64;
} Word;

/* -------------------------------------------------------------------------------------------
 * Finding
 */

/* Where the next "?=" is, so that none is looked for twice. */
typedef struct {
    const char *next; /* NULL: not looked for yet */
    gboolean none;
} Search;

static gboolean is_name(const char *known, const char *name, gsize length)
{
    return strlen(known) == length && g_ascii_strncasecmp(known, name, length) == 0;
}

static guint find_charset(const char *name, gsize length)
{
    const char *star = memchr(name, '*', length); /* a language follows (RFC 2231 5) */
    gsize bare = star ? (gsize)(star - name) : length;

    for (guint i = 0; i < UNKNOWN; i++) {
        if (is_name(CHARSETS[i], name, bare))
            return i;
    }
    for (guint i = 0; i < G_N_ELEMENTS(ALIASES); i++) {
        if (is_name(ALIASES[i].name, name, bare))
            return find_charset(ALIASES[i].charset, strlen(ALIASES[i].charset));
    }
    return UNKNOWN;
}

const char *seal_words_charset(const char *name, gsize length)
{
    guint charset = find_charset(name, length);

    return charset == UNKNOWN ? NULL : CHARSETS[charset];
}

/* Where @pair of octets stands next. Not strstr(): what checks addresses measures the whole text at
 * each call of it. */
static const char *find_pair(const char *text, const char *pair)
{
    for (; (text = strchr(text, pair[0])); text++) {
        if (text[1] == pair[1])
            return text;
    }
    return NULL;
}

/* Reads what stands at @at, "=?"; FALSE where no reader takes it for a word. */
static gboolean read_word(const char *at, Search *search, Word *word)
{
    const char *name = at + 2;
    gsize length = strcspn(name, "? \t\r\n");

    if (length == 0 || length > MAX_CHARSET || name[length] != '?' || !name[length + 1] ||
        !strchr("QqBb", name[length + 1]) || name[length + 2] != '?')
        return FALSE;
    word->start = at;
    word->text = name + length + 3;
    if (!search->none && (!search->next || search->next < word->text)) {
        search->next = find_pair(word->text, "?=");
        search->none = !search->next;
    }
    if (search->none)
        return FALSE;
    word->text_end = search->next;
    word->end = word->text_end + 2;
    word->charset = find_charset(name, length);
    word->base64 = g_ascii_tolower(name[length + 1]) == 'b';
    return TRUE;
}

static const char *next_word(const char *text, Search *search, Word *word)
{
    const char *at = text;

    while ((at = find_pair(at, "=?")) && !read_word(at, search, word))
        at += 2;
    return at;
}

const char *seal_words_find(const char *text, const char **end)
{
    Search search = {0};
    Word word;
    const char *at = next_word(text, &search, &word);

    if (at)
        *end = word.end;
    return at;
}

/* -------------------------------------------------------------------------------------------
 * Octets
 */

static int hex_value(const char *c)
{
    int high = g_ascii_xdigit_value(c[0]);

    return high < 0 || g_ascii_xdigit_value(c[1]) < 0 ? -1 : high << 4 | g_ascii_xdigit_value(c[1]);
}

static void decode_quoted(const Word *word, GString *octets)
{
    for (const char *c = word->text; c < word->text_end; c++) {
        int value = *c == '=' && c + 2 < word->text_end ? hex_value(c + 1) : -1;

        if (value >= 0)
            c += 2;
        g_string_append_c(octets, value >= 0 ? (char)value : *c == '_' ? ' ' : *c);
    }
}

/* The bits that are left over from one word for the next, where a reader joins them. */
typedef struct {
    guint32 bits;
    guint have;
} Quantum;

/* In the alphabet for file names (RFC 4648 5), too. */
static int base64_value(char c)
{
    return seal_base64_value(c == '-' ? '+' : c == '_' ? '/' : c);
}

/* As the laxest do: what is not of the alphabet is passed over, padding ends a quantum, and need
 * not be there. */
static void decode_base64(const Word *word, Quantum *quantum, GString *octets)
{
    for (const char *c = word->text; c < word->text_end; c++) {
        int value = base64_value(*c);

        if (*c == '=')
            *quantum = (Quantum){0};
        if (value < 0)
            continue;
        quantum->bits = (quantum->bits << 6 | (guint32)value) & 0xffffff;
        quantum->have += 6;
        if (quantum->have >= 8) {
            quantum->have -= 8;
            g_string_append_c(octets, (char)(quantum->bits >> quantum->have & 0xff));
        }
    }
}

static gboolean base64_is_strict(const Word *word)
{
    SealBase64 state = {0};
    gsize length = (gsize)(word->text_end - word->text), got = 0;
    guint8 out[MAX_WORD];

    return length < sizeof out && seal_base64_decode(&state, word->text, length, out, &got) &&
           seal_base64_is_complete(&state);
}

static gboolean is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 2047 2 and 5: a word by itself between blanks, short, with nothing wrong in it. */
static gboolean word_is_strict(const char *value, const Word *word)
{
    if (word->end - word->start > MAX_WORD || word->charset == UNKNOWN ||
        (word->start > value && !is_blank(word->start[-1])) ||
        (*word->end && !is_blank(*word->end)))
        return FALSE;
    for (const char *c = word->text; c < word->text_end; c++) {
        if (!g_ascii_isgraph(*c) || *c == '?' ||
            (!word->base64 && *c == '=' && (c + 2 >= word->text_end || hex_value(c + 1) < 0)))
            return FALSE;
    }
    return !word->base64 || base64_is_strict(word);
}

/* -------------------------------------------------------------------------------------------
 * Characters
 */

typedef struct {
    GString *out;
    GString *octets; /* of the words that are read as one, in @charset */
    guint charset;
    Quantum quantum;
    GIConv open[UNKNOWN]; /* 0: not opened yet */
} Decoder;

static void append_octets(GString *out, const GString *octets, gboolean as_latin)
{
    g_autofree char *text = NULL;

    if (as_latin && !g_utf8_validate(octets->str, (gssize)octets->len, NULL))
        text = g_convert(octets->str, (gssize)octets->len, "UTF-8", "ISO-8859-1", NULL, NULL, NULL);
    if (!text)
        text = g_utf8_make_valid(octets->str, (gssize)octets->len);
    g_string_append(out, text);
}

/* What cannot be converted is passed over, octet by octet. */
static void append_converted(Decoder *decoder, GIConv converter)
{
    char *in = decoder->octets->str;
    gsize left = decoder->octets->len;

    g_iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0) {
        char buffer[1024], *to = buffer;
        gsize room = sizeof buffer;
        gsize before = left;
        gboolean failed = g_iconv(converter, &in, &left, &to, &room) == (gsize)-1;

        for (const char *c = buffer; c < to; c++) {
            if (*c)
                g_string_append_c(decoder->out, *c);
        }
        if (failed && to == buffer && left == before) {
            g_string_append(decoder->out, "\xef\xbf\xbd");
            in++;
            left--;
        }
    }
}

static void flush_octets(Decoder *decoder)
{
    guint charset = decoder->charset;

    decoder->quantum = (Quantum){0};
    if (decoder->octets->len == 0)
        return;
    for (gsize i = 0; i < decoder->octets->len; i++) {
        if (!decoder->octets->str[i] && (charset <= US_ASCII || charset == UNKNOWN))
            decoder->octets->str[i] = ' ';
    }
    if (charset > US_ASCII && charset < UNKNOWN && !decoder->open[charset])
        decoder->open[charset] = g_iconv_open("UTF-8", CHARSETS[charset]);
    if (charset > US_ASCII && charset < UNKNOWN && decoder->open[charset] != (GIConv)-1)
        append_converted(decoder, decoder->open[charset]);
    else
        append_octets(decoder->out, decoder->octets, charset != UTF_8);
    g_string_truncate(decoder->octets, 0);
}

static void add_word(Decoder *decoder, const Word *word, SealReading reading)
{
    if (reading == SEAL_READING_STRICT || word->charset != decoder->charset)
        flush_octets(decoder);
    if (reading != SEAL_READING_JOINED || !word->base64)
        decoder->quantum = (Quantum){0};
    decoder->charset = word->charset;
    if (word->base64)
        decode_base64(word, &decoder->quantum, decoder->octets);
    else
        decode_quoted(word, decoder->octets);
}

/* Between two words nothing but blanks: they do not count. */
static gboolean is_gap(const char *from, const char *to)
{
    while (from < to && is_blank(*from))
        from++;
    return from == to;
}

static void add_text(Decoder *decoder, const char *from, const char *to, gboolean behind_word,
                     gboolean before_word)
{
    if (behind_word && before_word && is_gap(from, to))
        return;
    flush_octets(decoder);
    g_string_append_len(decoder->out, from, to - from);
}

char *seal_words_decode(const char *value, SealReading reading)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GString) octets = g_string_new(NULL);
    Decoder decoder = {.out = out, .octets = octets, .charset = UNKNOWN};
    Search search = {0};
    const char *from = value, *at = value;
    gboolean behind_word = FALSE;
    Word word;

    while ((at = next_word(at, &search, &word))) {
        if (reading == SEAL_READING_STRICT && !word_is_strict(value, &word)) {
            /* It may stand within what no strict reader takes for a word. */
            at = word.end - word.start > MAX_WORD ? at + 2 : word.end - 1;
            continue;
        }
        add_text(&decoder, from, word.start, behind_word, TRUE);
        add_word(&decoder, &word, reading);
        behind_word = TRUE;
        from = at = word.end;
    }
    add_text(&decoder, from, from + strlen(from), behind_word, FALSE);
    for (guint i = 0; i < UNKNOWN; i++) {
        if (decoder.open[i] && decoder.open[i] != (GIConv)-1)
            g_iconv_close(decoder.open[i]);
    }
    return g_utf8_make_valid(out->str, (gssize)out->len);
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

static void append_word(GString *out, const char *text, gsize length)
{
    char base64[2 * WORD_OCTETS];
    gsize size = seal_base64_encode((const guint8 *)text, length, base64);

    g_string_append(out, "=?UTF-8?B?");
    g_string_append_len(out, base64, (gssize)size);
    g_string_append(out, "?=");
}

/* What is decoded may have line ends in it: written as they are, they would begin a field. */
static gboolean is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~')
            return FALSE;
    }
    return !strstr(text, "=?") && strlen(text) <= PLAIN_LENGTH;
}

char *seal_words_encode(const char *text, const char *eol)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);

    if (is_plain(valid))
        g_string_append(out, valid);
    else
        for (const char *c = valid; *c;) {
            const char *start = c, *next = c;

            while (*c && (next = g_utf8_next_char(c)) - start <= WORD_OCTETS)
                c = next;
            g_string_append_printf(out, "%s%s", start == valid ? "" : eol,
                                   start == valid ? "" : " ");
            append_word(out, start, (gsize)(c - start));
        }
    return g_string_free(out, FALSE);
}
