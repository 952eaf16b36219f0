/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * texts.c: reads each text once, whoever asks for it how often.
 */
#include "core/mail/texts.h"

#include "core/mail/mime.h"

#include <string.h>

enum {
    MAX_PARTS = 10000, /* in all */
    MAX_NAME = 1024,   /* of a file; what is longer is unclear */
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
    g_free(text);
}

static GPtrArray *texts_new(void)
{
    return g_ptr_array_new_with_free_func(text_free);
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
        gboolean ascii = g_str_is_ascii(lower);
        text->folded[i] = ascii                         ? lower
                          : strlen(lower) <= MAX_FOLDED ? seal_text_fold(lower)
                                                        : NULL;
        text->lower[i] = g_steal_pointer(&lower);
    }
    return text;
}

GPtrArray *seal_texts_of_fields(const SealHeader *header, const char *name)
{
    GPtrArray *texts = texts_new();

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is(header, field, name))
            continue;
        g_autofree char *value = seal_field_value(header, field);
        SealText *text = text_new(value);
        text->unclear = !seal_field_is_clean(header, field);
        g_ptr_array_add(texts, text);
    }
    return texts;
}

/* -------------------------------------------------------------------------------------------
 * Parts
 */

typedef struct {
    SealParts *parts;
    GHashTable *seen; /* values that are there already, "+" before what is clear */
    guint count;
} Walk;

static void add_value(Walk *walk, const char *value, gboolean clear)
{
    if (!value || !*value)
        return;
    clear = clear && strlen(value) <= MAX_NAME;
    g_autofree char *mark = g_strconcat(clear ? "+" : "-", value, NULL);
    if (g_hash_table_add(walk->seen, g_steal_pointer(&mark)))
        g_ptr_array_add(clear ? walk->parts->clear : walk->parts->unclear, text_new(value));
}

/* Both are file names for somebody. */
static void add_names(Walk *walk, SealEntity *entity, gboolean clear)
{
    const char *disposition = seal_entity_field(entity, "Content-Disposition");
    const char *name = seal_entity_parameter(entity, "name");
    g_autofree char *type = NULL;
    g_autoptr(GHashTable) parameters = NULL;
    const char *filename = NULL;

    if (disposition) {
        /* Of the same form, but for the slash. */
        g_autofree char *value = g_strconcat("x/", disposition, NULL);

        seal_mime_content_type(value, &type, &parameters);
        filename = g_hash_table_lookup(parameters, "filename");
    }
    clear = clear && seal_entity_count(entity, "Content-Disposition") <= 1 &&
            (!name || !filename || g_str_equal(name, filename));
    add_value(walk, name, clear);
    add_value(walk, filename, clear);
}

static gboolean is_clean(SealEntity *entity, const char *name)
{
    const SealHeader *header = seal_entity_header(entity);
    const SealField *field = seal_header_find(header, name);

    return !field || seal_field_is_clean(header, field);
}

static gboolean walk_parts(Walk *walk, SealEntity *entity, gboolean clear)
{
    const char *type = seal_entity_type(entity);
    GPtrArray *parts = NULL;
    gboolean complete = TRUE;

    if (++walk->count > MAX_PARTS)
        return FALSE;
    clear = clear && seal_entity_count(entity, "Content-Type") <= 1 &&
            is_clean(entity, "Content-Type") && is_clean(entity, "Content-Disposition");
    add_value(walk, type, clear);
    add_names(walk, entity, clear);
    if (!seal_entity_parts(entity, &parts, NULL))
        return FALSE;
    /* What an attached message holds is in it for some, and for others one file. */
    clear = clear && !g_str_has_prefix(type, "message/");
    for (guint i = 0; i < parts->len && complete; i++)
        complete = walk_parts(walk, g_ptr_array_index(parts, i), clear);
    return complete;
}

SealParts *seal_parts_new(SealEntity *entity)
{
    SealParts *parts = g_new0(SealParts, 1);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Walk walk = {parts, seen, 0};

    parts->clear = texts_new();
    parts->unclear = texts_new();
    parts->complete = walk_parts(&walk, entity, TRUE);
    return parts;
}

void seal_parts_free(SealParts *parts)
{
    if (!parts)
        return;
    g_ptr_array_unref(parts->clear);
    g_ptr_array_unref(parts->unclear);
    g_free(parts);
}
