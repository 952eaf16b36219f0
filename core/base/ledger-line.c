/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ledger-line.c: the ledger's lines and the names of its files, written and read.
 */
#include "core/base/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_WORD = 255,    /* octets of a domain, which is the longest */
    MAX_NAME = 100,    /* of a rule's name, and of what modules call things */
    MAX_COUNT = 9,     /* digits */
    MAX_FILES = 10000, /* of a folder */
};

/* -------------------------------------------------------------------------------------------
 * Lines
 */

static gboolean is_plain(char c)
{
    return g_ascii_isalnum(c) || (c && strchr("._-:[]", c));
}

static gsize cut_word(const char *word, gsize max)
{
    gsize length = strlen(word);

    if (length <= max)
        return length;
    for (length = max; length > 0 && ((guchar)word[length] & 0xc0) == 0x80; length--)
        ;
    return length;
}

/* At most @max octets of it, and whole characters. */
static void put_word(GString *text, const char *word, gsize max)
{
    const gsize length = cut_word(word, max);
    const gboolean dash = length == 1 && *word == '-';

    g_string_append(text, length == 0 ? " -" : " ");
    for (gsize i = 0; i < length; i++) {
        if (is_plain(word[i]) && !dash)
            g_string_append_c(text, word[i]);
        else
            g_string_append_printf(text, "%%%02X", (guchar)word[i]);
    }
}

void seal_ledger_put(GString *text, gint64 now, const SealLedgerEntry *entry)
{
    const int minute = (int)(now % SEAL_LEDGER_DAY / 60);

    g_string_append_printf(text, "1 %02d:%02d", minute / 60, minute % 60);
    put_word(text, entry->by, MAX_NAME);
    g_string_append_printf(text, " %u", entry->count);
    put_word(text, entry->domain, MAX_WORD);
    put_word(text, entry->result, MAX_NAME);
    put_word(text, entry->format, MAX_NAME);
    put_word(text, entry->rule, MAX_NAME);
    put_word(text, entry->code, MAX_NAME);
    put_word(text, entry->sender, MAX_WORD);
    g_string_append(text, " .\n");
}

/* The next word, with its end written over; NULL where there is none. */
static char *take_word(char **at)
{
    char *word = *at, *end = word ? strchr(word, ' ') : NULL;

    *at = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return word && *word ? word : NULL;
}

/* As it was before put_word(), in its place. */
static gboolean take_text(char **at, const char **text)
{
    char *word = take_word(at), *to = word;

    *text = word && g_str_equal(word, "-") ? "" : word;
    for (const char *c = word; c && *c; c++) {
        if (*c != '%') {
            if (!is_plain(*c))
                return FALSE;
            *to++ = *c;
            continue;
        }
        if (!g_ascii_isxdigit(c[1]) || !g_ascii_isxdigit(c[2]))
            return FALSE;
        *to = (char)(g_ascii_xdigit_value(c[1]) << 4 | g_ascii_xdigit_value(c[2]));
        if (!*to++)
            return FALSE;
        c += 2;
    }
    if (!word)
        return FALSE;
    if (**text)
        *to = '\0';
    return g_utf8_validate(*text, -1, NULL);
}

static gboolean is_time(const char *word)
{
    return word && strlen(word) == 5 && g_ascii_isdigit(word[0]) && g_ascii_isdigit(word[1]) &&
           word[2] == ':' && g_ascii_isdigit(word[3]) && g_ascii_isdigit(word[4]);
}

static gboolean take_count(char **at, guint *count)
{
    const char *word = take_word(at);
    gsize length = word ? strspn(word, "0123456789") : 0;

    if (length == 0 || length > MAX_COUNT || word[length])
        return FALSE;
    *count = (guint)g_ascii_strtoull(word, NULL, 10);
    return *count > 0;
}

gboolean seal_ledger_parse(char *line, gsize length, SealLedgerEntry *entry)
{
    SealLedgerEntry read = {0};
    char *at = line;

    if (strlen(line) != length || g_strcmp0(take_word(&at), "1") != 0 || !is_time(take_word(&at)) ||
        !take_text(&at, &read.by) || !take_count(&at, &read.count) ||
        !take_text(&at, &read.domain) || !take_text(&at, &read.result) ||
        !take_text(&at, &read.format) || !take_text(&at, &read.rule) ||
        !take_text(&at, &read.code) || !take_text(&at, &read.sender) ||
        g_strcmp0(take_word(&at), ".") != 0 || at)
        return FALSE;
    *entry = read;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

void seal_ledger_name_day(char name[SEAL_LEDGER_NAME], gint64 day)
{
    const time_t time = (time_t)(day * SEAL_LEDGER_DAY);
    struct tm tm = {0};

    gmtime_r(&time, &tm);
    strftime(name, SEAL_LEDGER_NAME, "%Y-%m-%d", &tm);
}

/* -1 for what is none. */
static gint64 day_of(const char *name)
{
    gint64 time;

    return strlen(name) == strlen("YYYY-MM-DD") && seal_text_parse_day(name, &time)
               ? time / SEAL_LEDGER_DAY
               : -1;
}

static gint compare_days(gconstpointer a, gconstpointer b)
{
    const gint64 one = *(const gint64 *)a, other = *(const gint64 *)b;

    return (one > other) - (one < other);
}

GArray *seal_ledger_days(int folder)
{
    GArray *days = g_array_new(FALSE, FALSE, sizeof(gint64));
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (!stream && copy >= 0)
        close(copy);
    while (stream && days->len < MAX_FILES && (entry = readdir(stream))) {
        const gint64 day = day_of(entry->d_name);

        if (day >= 0)
            g_array_append_val(days, day);
    }
    if (stream)
        closedir(stream);
    g_array_sort(days, compare_days);
    return days;
}
