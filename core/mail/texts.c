/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * texts.c: reads each text once, whoever asks for it how often.
 */
#include "core/mail/texts.h"

#include "core/mail/loose.h"
#include "core/mail/part-names.h"

#include <string.h>

enum {
    MAX_PARTS = 10000, /* in all */
    MAX_TEXTS = 20000, /* of parts */
    MAX_OCTETS = 4 * 1024 * 1024,
    MAX_BEHIND = 256 * 1024, /* of a header that breaks off */
    /* One character can become eighteen, and what nobody writes costs no memory. */
    MAX_FOLDED = 128 * 1024,
};

/* -------------------------------------------------------------------------------------------
 * One text
 */

static void text_free(gpointer data)
{
    SealText *text = data;

    for (int i = SEAL_READINGS - 1; i >= 0; i--) {
        gboolean shared = i > 0 && text->lower[i] == text->lower[i - 1];

        if (!shared && text->folded[i] != text->lower[i])
            g_free(text->folded[i]);
        if (!shared)
            g_free(text->lower[i]);
    }
    if (text->far)
        text_free(text->far);
    g_free(text);
}

static GPtrArray *texts_new(void)
{
    return g_ptr_array_new_with_free_func(text_free);
}

static gboolean is_plain(const char *text)
{
    while (g_ascii_isprint(*text))
        text++;
    return *text == '\0';
}

static char *fold(const char *text)
{
    g_autofree char *visible = strlen(text) <= MAX_FOLDED ? seal_part_names_visible(text) : NULL;

    return visible ? seal_text_fold(visible) : NULL;
}

static SealText *text_new(const char *value)
{
    SealText *text = g_new0(SealText, 1);
    gboolean plain = !strstr(value, "=?");

    for (guint i = 0; i < SEAL_READINGS; i++) {
        g_autofree char *decoded = plain && i > 0 ? NULL : seal_words_decode(value, (SealReading)i);
        g_autofree char *lower = decoded ? g_ascii_strdown(decoded, -1) : NULL;

        if (i > 0 && (!lower || g_str_equal(lower, text->lower[i - 1]))) {
            text->lower[i] = text->lower[i - 1];
            text->folded[i] = text->folded[i - 1];
            continue;
        }
        text->folded[i] = is_plain(lower) ? lower : fold(lower);
        text->lower[i] = g_steal_pointer(&lower);
    }
    return text;
}

/* @value unless it is NULL or alike. */
static void add_far(SealText *text, const char *value, const char *known)
{
    if (!value || g_str_equal(value, known))
        return;
    SealText *far = text_new(value);
    far->far = text->far;
    text->far = far;
}

/* Without comments and quotation marks; and unfolded so that nothing is left of the fold. */
static SealText *text_of_field(const SealHeader *header, const SealField *field)
{
    g_autofree char *value = seal_field_value(header, field);
    g_autofree char *raw = seal_field_raw(header, field);
    g_autofree char *tight = seal_part_names_unfold_tightly(raw);
    g_autofree char *bare = seal_part_names_bare(value);
    g_autofree char *latin = seal_part_names_latin(value);
    SealText *text = text_new(value);

    text->unclear = !seal_field_is_clean(header, field);
    add_far(text, tight, value);
    add_far(text, bare, value);
    add_far(text, latin, value);
    return text;
}

static void add_fields(GPtrArray *texts, const SealHeader *header, const char *name, gboolean clear)
{
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is(header, field, name)) {
            SealText *text = text_of_field(header, field);

            text->unclear = text->unclear || !clear;
            g_ptr_array_add(texts, text);
        }
        /* Where some end the header. */
        clear = clear && !seal_field_has_blank_line(header, field);
    }
}

static gboolean is_field_line(const char *line)
{
    return g_ascii_isgraph(*line) && *line != ':' && strchr(line, ':');
}

/* What stands between where the header breaks off and the first empty line, but the lines that are
 * of no field: some pass over them. NULL where it does not break off. */
static SealHeader *header_behind(SealEntity *entity)
{
    const SealHeader *header = seal_entity_header(entity);
    g_autoptr(GString) kept = g_string_new(NULL);

    if (header->broken_off) {
        g_autoptr(SealContent) rest =
            seal_content_slice(seal_entity_content(entity), header->block_end, MAX_BEHIND);
        g_autoptr(GBytes) bytes = seal_content_to_bytes(rest, MAX_BEHIND, NULL);
        g_autofree char *text =
            bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes))
                  : g_strdup("");
        char *next = NULL;

        for (char *line = text; *line && *line != '\n' && *line != '\r'; line = next) {
            next = line + strcspn(line, "\n");
            if (*next)
                *next++ = '\0';
            if (is_field_line(line) || ((*line == ' ' || *line == '\t') && kept->len > 0))
                g_string_append_printf(kept, "%s\n", line);
        }
    }
    g_autoptr(SealContent) content = seal_content_new_copy(kept->str, kept->len);
    return kept->len > 0 ? seal_header_read(content, FALSE, NULL) : NULL;
}

GPtrArray *seal_texts_of_fields(SealEntity *entity, const char *name)
{
    GPtrArray *texts = texts_new();
    g_autoptr(SealHeader) behind = header_behind(entity);

    add_fields(texts, seal_entity_header(entity), name, TRUE);
    if (behind)
        add_fields(texts, behind, name, FALSE);
    return texts;
}

/* -------------------------------------------------------------------------------------------
 * Parts
 */

typedef struct {
    SealParts *parts;
    GHashTable *places; /* of values in parts->texts, and one more */
    SealPartNames names;
    gsize octets;
    guint count;
} Walk;

/* The value's place, and one more; 0 beyond the bounds. */
static guint place_of(Walk *walk, const char *value)
{
    guint place = GPOINTER_TO_UINT(g_hash_table_lookup(walk->places, value));

    if (place > 0)
        return place;
    walk->octets += strlen(value);
    if (walk->parts->texts->len == MAX_TEXTS || walk->octets > MAX_OCTETS) {
        walk->parts->complete = FALSE;
        return 0;
    }
    g_ptr_array_add(walk->parts->texts, text_new(value));
    g_hash_table_insert(walk->places, g_strdup(value), GUINT_TO_POINTER(walk->parts->texts->len));
    return walk->parts->texts->len;
}

/* What has been read from one part. @clear: all find the part, and take one of what is sure. */
static void end_group(Walk *walk, gboolean clear)
{
    g_autoptr(GArray) group = g_array_new(FALSE, FALSE, sizeof(guint));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, walk->names.sure);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        guint place = place_of(walk, value);

        clear = clear && place > 0;
        place--;
        g_array_append_val(group, place);
    }
    g_hash_table_iter_init(&iter, walk->names.far);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        place_of(walk, value);
    seal_part_names_empty(&walk->names);
    if (clear && group->len == 1)
        ((SealText *)g_ptr_array_index(walk->parts->texts, g_array_index(group, guint, 0)))->alone =
            TRUE;
    else if (clear && group->len > 1)
        g_ptr_array_add(walk->parts->groups, g_steal_pointer(&group));
}

/* All fields of that name, as they came. */
static void read_fields(Walk *walk, SealEntity *entity, const char *name,
                        void (*read)(SealPartNames *names, const char *value))
{
    const SealHeader *header = seal_entity_header(entity);

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is(header, field, name))
            continue;
        g_autofree char *value = seal_field_raw(header, field);
        read(&walk->names, value);
    }
}

/* All readers find the same fields, and Content-Type once. */
static gboolean header_is_clear(SealEntity *entity, gboolean outermost)
{
    const SealHeader *header = seal_entity_header(entity);

    if (seal_entity_is_unclear(entity) || seal_entity_count(entity, "Content-Type") > 1)
        return FALSE;
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is_content(header, field)
                ? !seal_field_is_clean(header, field)
                : !outermost && seal_field_has_blank_line(header, field))
            return FALSE;
    }
    return TRUE;
}

static gboolean walk_parts(Walk *walk, SealEntity *entity, gboolean clear)
{
    const char *type = seal_entity_type(entity);
    const char *field = seal_entity_field(entity, "Content-Type");
    GPtrArray *parts = NULL;
    gboolean complete = TRUE;

    if (++walk->count > MAX_PARTS)
        return FALSE;
    clear = clear && header_is_clear(entity, walk->count == 1);
    seal_part_names_add_type(&walk->names, type);
    read_fields(walk, entity, "Content-Type", seal_part_names_add_type);
    end_group(walk, clear);
    read_fields(walk, entity, "Content-Type", seal_part_names_add_parameters);
    read_fields(walk, entity, "Content-Disposition", seal_part_names_add_parameters);
    end_group(walk, clear && seal_entity_count(entity, "Content-Disposition") <= 1);
    if (!seal_entity_parts(entity, &parts, NULL))
        return FALSE;
    /* What an attached message holds is in it for some, and for others one file. */
    clear = clear && !g_str_has_prefix(type, "message/") && !seal_entity_is_ambiguous(entity) &&
            (!field || seal_part_names_is_plain(field, "boundary"));
    for (guint i = 0; i < parts->len && complete; i++)
        complete = walk_parts(walk, g_ptr_array_index(parts, i), clear);
    return complete;
}

/* What stands in no part that we find. */
static void visit_loosely(SealLooseKind kind, const char *value, gpointer user_data)
{
    Walk *walk = user_data;

    if (kind == SEAL_LOOSE_TYPE)
        seal_part_names_add_type(&walk->names, value);
    if (kind == SEAL_LOOSE_TYPE || kind == SEAL_LOOSE_DISPOSITION)
        seal_part_names_add_parameters(&walk->names, value);
    if (kind == SEAL_LOOSE_NAME)
        seal_part_names_add(&walk->names, value, FALSE);
    end_group(walk, FALSE);
}

SealParts *seal_parts_new(SealEntity *entity)
{
    SealParts *parts = g_new0(SealParts, 1);
    g_autoptr(GHashTable) places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Walk walk = {.parts = parts, .places = places};

    parts->texts = texts_new();
    parts->groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    parts->complete = TRUE;
    seal_part_names_init(&walk.names);
    if (!walk_parts(&walk, entity, TRUE))
        parts->complete = FALSE;
    seal_part_names_empty(&walk.names);
    seal_loose_visit(seal_entity_content(entity), visit_loosely, &walk, &parts->complete, NULL);
    parts->complete = parts->complete && walk.names.complete;
    seal_part_names_clear(&walk.names);
    return parts;
}

void seal_parts_free(SealParts *parts)
{
    if (!parts)
        return;
    g_ptr_array_unref(parts->texts);
    g_ptr_array_unref(parts->groups);
    g_free(parts);
}
