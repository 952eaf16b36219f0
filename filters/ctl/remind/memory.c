/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory.c: a file of lines, the last of which has the digest of the others:
 *
 *   sealpipe-reminders 1
 *   wrote SCOPE TIME
 *   said SCOPE ID UNTIL STEP
 *   sum SHA-256
 *
 * Scopes and ids are escaped as in URIs, so that they have no blank.
 */
#include "filters/ctl/remind/memory.h"

#include <string.h>

#define HEAD "sealpipe-reminders 1"
#define DAY  ((gint64)86400)

enum { MAX_FILE = 64 * 1024 * 1024 };

typedef struct {
    gint64 until;
    gint step;
} Said;

struct RemindMemory {
    GHashTable *said;  /* "SCOPE ID" to Said */
    GHashTable *wrote; /* "SCOPE" to gint64 */
};

gint remind_step(const GArray *days, gint64 until, gint64 now)
{
    gint step = REMIND_EARLY;

    if (until <= now)
        return 0;
    for (guint i = 0; i < days->len; i++) {
        gint day = g_array_index(days, gint, i);

        if (until - now <= day * DAY)
            step = day;
    }
    return step;
}

RemindMemory *remind_memory_new(void)
{
    RemindMemory *memory = g_new0(RemindMemory, 1);

    memory->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    memory->wrote = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return memory;
}

void remind_memory_free(RemindMemory *memory)
{
    if (!memory)
        return;
    g_hash_table_unref(memory->said);
    g_hash_table_unref(memory->wrote);
    g_free(memory);
}

static char *escape_word(const char *word)
{
    return g_uri_escape_string(word, "@", FALSE);
}

static char *said_name(const char *scope, const char *id)
{
    g_autofree char *one = escape_word(scope), *other = escape_word(id);

    return g_strdup_printf("%s %s", one, other);
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static gboolean read_number(const char *text, gint64 *number)
{
    return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, number, NULL);
}

static gboolean take_said(RemindMemory *memory, char **words)
{
    gint64 until, step;

    if (!read_number(words[3], &until) || !read_number(words[4], &step) || step < 0 ||
        step >= REMIND_EARLY)
        return FALSE;
    Said *said = g_new(Said, 1);
    *said = (Said){until, (gint)step};
    g_hash_table_insert(memory->said, g_strdup_printf("%s %s", words[1], words[2]), said);
    return TRUE;
}

static gboolean take_wrote(RemindMemory *memory, char **words)
{
    gint64 time;

    if (!read_number(words[2], &time))
        return FALSE;
    g_hash_table_insert(memory->wrote, g_strdup(words[1]), g_memdup2(&time, sizeof time));
    return TRUE;
}

static gboolean take_line(RemindMemory *memory, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 6);
    guint count = g_strv_length(words);

    if (count == 5 && g_str_equal(words[0], "said"))
        return take_said(memory, words);
    return count == 3 && g_str_equal(words[0], "wrote") && take_wrote(memory, words);
}

static char *sum_line(const char *text, gsize length)
{
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guint8 *)text, length);

    return g_strdup_printf("sum %s\n", sum);
}

/* Why it is not what was written; NULL where it is. */
static const char *take_text(RemindMemory *memory, const char *text, gsize length)
{
    const char *end = g_strrstr_len(text, (gssize)length, "\nsum ");

    if (!end)
        return "it ends before its last line";
    g_autofree char *sum = sum_line(text, (gsize)(end + 1 - text));
    if (strlen(sum) != length - (gsize)(end + 1 - text) || memcmp(sum, end + 1, strlen(sum)) != 0)
        return "its digest is another one";
    g_autofree char *lines = g_strndup(text, (gsize)(end - text));
    g_auto(GStrv) list = g_strsplit(lines, "\n", -1);
    if (!list[0] || !g_str_equal(list[0], HEAD))
        return "it is of another version";
    for (guint i = 1; list[i]; i++) {
        if (!take_line(memory, list[i]))
            return "a line in it is none of its own";
    }
    return NULL;
}

RemindMemory *remind_memory_read(const char *path, char **damage, GError **error)
{
    g_autoptr(RemindMemory) memory = remind_memory_new();

    *damage = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&memory);
    g_autoptr(GBytes) bytes = seal_file_read(path, MAX_FILE, error);
    if (!bytes)
        return NULL;
    gsize length = 0;
    const char *text = g_bytes_get_data(bytes, &length);
    const char *why = text ? take_text(memory, text, length) : "it is empty";
    if (!why)
        return g_steal_pointer(&memory);
    *damage = g_strdup_printf("%s is damaged: %s", path, why);
    return remind_memory_new();
}

/* -------------------------------------------------------------------------------------------
 * Writing
 */

/* In order, so that two that say the same are the same. */
static GList *sorted_keys(GHashTable *table)
{
    return g_list_sort(g_hash_table_get_keys(table), (GCompareFunc)strcmp);
}

gboolean remind_memory_write(const RemindMemory *memory, const char *path, GError **error)
{
    g_autoptr(GString) text = g_string_new(HEAD "\n");
    g_autoptr(GList) scopes = sorted_keys(memory->wrote);
    g_autoptr(GList) names = sorted_keys(memory->said);

    for (GList *scope = scopes; scope; scope = scope->next) {
        const gint64 *time = g_hash_table_lookup(memory->wrote, scope->data);

        g_string_append_printf(text, "wrote %s %" G_GINT64_FORMAT "\n", (char *)scope->data, *time);
    }
    for (GList *name = names; name; name = name->next) {
        const Said *said = g_hash_table_lookup(memory->said, name->data);

        g_string_append_printf(text, "said %s %" G_GINT64_FORMAT " %d\n", (char *)name->data,
                               said->until, said->step);
    }
    g_autofree char *sum = sum_line(text->str, text->len);
    g_string_append(text, sum);
    return seal_file_save(path, text->str, text->len, 0600, error);
}

/* -------------------------------------------------------------------------------------------
 * What was said
 */

gint remind_memory_said(const RemindMemory *memory, const char *scope, const char *id, gint64 until)
{
    g_autofree char *name = said_name(scope, id);
    const Said *said = g_hash_table_lookup(memory->said, name);

    return said && said->until == until ? said->step : REMIND_EARLY;
}

void remind_memory_say(RemindMemory *memory, const char *scope, const char *id, gint64 until,
                       gint step)
{
    Said *said = g_new(Said, 1);

    *said = (Said){until, step};
    g_hash_table_insert(memory->said, said_name(scope, id), said);
}

gboolean remind_memory_wrote(const RemindMemory *memory, const char *scope, gint64 now)
{
    g_autofree char *name = escape_word(scope);
    const gint64 *time = g_hash_table_lookup(memory->wrote, name);

    return time && *time / DAY == now / DAY;
}

static gboolean is_of_before(gpointer scope G_GNUC_UNUSED, gpointer time, gpointer now)
{
    return *(const gint64 *)time / DAY != *(const gint64 *)now / DAY;
}

/* Of other days nobody asks. */
void remind_memory_write_to(RemindMemory *memory, const char *scope, gint64 now)
{
    g_hash_table_foreach_remove(memory->wrote, is_of_before, &now);
    g_hash_table_insert(memory->wrote, escape_word(scope), g_memdup2(&now, sizeof now));
}

static gboolean is_gone(gpointer name, gpointer said G_GNUC_UNUSED, gpointer ids)
{
    const char *escaped = strchr(name, ' ') + 1;
    g_autofree char *id = g_uri_unescape_string(escaped, NULL);

    return !id || !g_hash_table_contains(ids, id);
}

void remind_memory_keep(RemindMemory *memory, GHashTable *ids)
{
    g_hash_table_foreach_remove(memory->said, is_gone, ids);
}
