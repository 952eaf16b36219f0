/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * text.c: octets and days written for people.
 */
#include "core/base/text.h"

#include "core/sealpipe.h"

#include <string.h>

/* Where the octets look like text in UTF-16; *@skip: a byte order mark. NULL where they do not. */
static const char *utf16_name(const guint8 *data, gsize size, gsize *skip)
{
    *skip = 0;
    if (size < 4)
        return NULL;
    if ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == 0xfe && data[1] == 0xff)) {
        *skip = 2;
        return data[0] == 0xff ? "UTF-16LE" : "UTF-16BE";
    }
    if (g_ascii_isprint(data[0]) && !data[1] && g_ascii_isprint(data[2]) && !data[3])
        return "UTF-16LE";
    if (!data[0] && g_ascii_isprint(data[1]) && !data[2] && g_ascii_isprint(data[3]))
        return "UTF-16BE";
    return NULL;
}

GBytes *seal_text_plain(GBytes *data)
{
    static const guint8 mark[] = {0xef, 0xbb, 0xbf};
    gsize size = 0, skip = 0, length = 0;
    const guint8 *octets = g_bytes_get_data(data, &size);
    const char *name = utf16_name(octets, size, &skip);

    if (size >= sizeof mark && memcmp(octets, mark, sizeof mark) == 0)
        return g_bytes_new_from_bytes(data, sizeof mark, size - sizeof mark);
    if (!name)
        return g_bytes_ref(data);
    char *text = g_convert((const char *)octets + skip, (gssize)(size - skip - size % 2), "UTF-8",
                           name, NULL, &length, NULL);
    return text ? g_bytes_new_take(text, length) : g_bytes_ref(data);
}

char *seal_text_hex(const void *data, gsize length)
{
    static const char digits[] = "0123456789abcdef";
    const guint8 *octets = data;
    char *text = g_malloc(2 * length + 1);

    for (gsize i = 0; i < length; i++) {
        text[2 * i] = digits[octets[i] >> 4];
        text[2 * i + 1] = digits[octets[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}

gboolean seal_text_is_shown(gunichar character)
{
    GUnicodeType type = g_unichar_type(character);

    /* Controls of the direction are formats, which GLib does not print. */
    return g_unichar_isprint(character) && type != G_UNICODE_LINE_SEPARATOR &&
           type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *seal_text_line(const void *data, gsize length, gsize max)
{
    g_autofree char *valid = g_utf8_make_valid(data, (gssize)MIN(length, max));
    GString *line = g_string_sized_new(MIN(length, max));

    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        g_string_append_unichar(line, seal_text_is_shown(character) ? character : '?');
    }
    if (length > max)
        g_string_append(line, "...");
    return g_string_free(line, FALSE);
}

char *seal_text_fold(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *composed = g_utf8_normalize(valid, -1, G_NORMALIZE_ALL);
    g_autofree char *folded = g_utf8_casefold(composed, -1);

    /* What is folded need not be composed any more. */
    return g_utf8_normalize(folded, -1, G_NORMALIZE_ALL_COMPOSE);
}

char *seal_text_day(gint64 time)
{
    if (time == G_MAXINT64)
        return g_strdup("never");

    g_autoptr(GDateTime) day = g_date_time_new_from_unix_utc(time);
    char *text = day ? g_date_time_format(day, "%Y-%m-%d") : NULL;
    return text ? text : g_strdup("a date that cannot be written");
}

gboolean seal_text_parse_day(const char *text, gint64 *ret_time)
{
    g_autofree char *full = g_strconcat(text, "T00:00:00Z", NULL);
    g_autoptr(GDateTime) day = g_date_time_new_from_iso8601(full, NULL);
    g_autofree char *again = day ? g_date_time_format(day, "%Y-%m-%d") : NULL;

    if (g_strcmp0(again, text) != 0 || g_date_time_to_unix(day) < 0)
        return FALSE;
    *ret_time = g_date_time_to_unix(day);
    return TRUE;
}
