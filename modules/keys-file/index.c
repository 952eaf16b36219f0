/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * index.c: which keys stand where: of thousands, a message needs one or two. Where each stands is
 * found when a file is looked at, and those that are asked for are read then.
 */
#include "keys-file.h"

#include <string.h>

enum { MAX_KEYS = 100000 };

/* A file while it is looked at. */
typedef struct {
    KeysIndex *index;
    const SealFile *file;
    guint number;
    KeysSpot last; /* a key may have many addresses */
    guint found;
    char *damage; /* the first in it */
    const char *damaged_format;
    gboolean too_many;
} Look;

static void damage_clear(gpointer data)
{
    g_free(((KeysDamage *)data)->text);
}

KeysIndex *keys_index_new(SealTrust trust)
{
    KeysIndex *index = g_new0(KeysIndex, 1);

    index->names = g_string_chunk_new(4096);
    index->files = g_array_new(FALSE, FALSE, sizeof(KeysPlace));
    index->numbers = g_hash_table_new(g_str_hash, g_str_equal);
    index->spots = g_array_new(FALSE, FALSE, sizeof(KeysSpot));
    index->damages = g_array_new(FALSE, FALSE, sizeof(KeysDamage));
    g_array_set_clear_func(index->damages, damage_clear);
    index->keys = seal_key_index_new();
    index->read = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    index->trust = trust;
    return index;
}

void keys_index_free(KeysIndex *index)
{
    if (!index)
        return;
    seal_key_index_free(index->keys);
    g_ptr_array_unref(index->read);
    g_array_unref(index->damages);
    g_array_unref(index->spots);
    g_hash_table_unref(index->numbers);
    g_array_unref(index->files);
    g_string_chunk_free(index->names);
    g_free(index);
}

int keys_spot_compare(gconstpointer a, gconstpointer b)
{
    const KeysSpot *one = a, *other = b;

    if (one->address != other->address)
        return one->address < other->address ? -1 : 1;
    if (one->file != other->file)
        return one->file < other->file ? -1 : 1;
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

void keys_address_hashes(const SealAddress *address, guint hashes[2])
{
    g_autofree char *domain = g_strconcat("@", seal_address_domain(address), NULL);

    hashes[0] = g_str_hash(seal_address_key(address));
    hashes[1] = g_str_hash(domain);
}

/* -------------------------------------------------------------------------------------------
 * Adding a file
 */

static void look_clear(Look *look)
{
    g_free(look->damage);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, look_clear)

static guint add_place(KeysIndex *index, const char *path, const SealFileState *state,
                       gboolean converted)
{
    const KeysPlace place = {g_string_chunk_insert(index->names, path), *state, converted};

    g_array_append_val(index->files, place);
    g_hash_table_insert(index->numbers, (gpointer)place.path, GUINT_TO_POINTER(index->files->len));
    return index->files->len - 1;
}

static void add_damage(KeysIndex *index, guint file, const char *format, gboolean must,
                       const char *text)
{
    const KeysDamage damage = {g_strdup(text), file, format, must};

    g_array_append_val(index->damages, damage);
}

/* One of a file says enough. */
static void note_damage(Look *look, const char *format, const char *text)
{
    if (look->damage) {
        if (g_strcmp0(look->damaged_format, format) != 0)
            look->damaged_format = NULL;
        return;
    }
    look->damage = g_strdup(text);
    look->damaged_format = format;
}

/* What others are judged by, and what its Format cannot find without reading it. */
static void read_now(SealModule *self, const SealKeySpot *spot, Look *look)
{
    KeysIndex *index = look->index;
    const SealOrigin origin = {
        .size = sizeof origin, .source = "file", .place = look->file->path, .trust = index->trust};
    g_autoptr(GBytes) octets = g_bytes_new_from_bytes(look->file->data, spot->offset, spot->length);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;
    gboolean ok = seal_module_read_keys(self, spot->format, octets, &origin, keys, &problem);

    for (guint i = 0; i < keys->len && index->count < MAX_KEYS; i++, index->count++) {
        seal_key_index_add(index->keys, g_ptr_array_index(keys, i));
        g_ptr_array_add(index->read, seal_key_ref(g_ptr_array_index(keys, i)));
    }
    look->too_many = look->too_many || index->count == MAX_KEYS;
    look->found += keys->len;
    if (!ok)
        note_damage(look, spot->format, problem->message);
}

static void take_spot(SealModule *self, const SealKeySpot *found, gpointer user_data)
{
    Look *look = user_data;
    KeysIndex *index = look->index;
    KeysSpot *spot = &look->last;

    if (found->problem) {
        note_damage(look, found->format, found->problem->message);
        return;
    }
    if (!found->address && !found->domain) {
        read_now(self, found, look);
        return;
    }
    look->found++;
    if (index->count == MAX_KEYS) {
        look->too_many = TRUE;
        return;
    }
    if (spot->length != found->length || spot->offset != found->offset) {
        g_autoptr(GBytes) octets =
            g_bytes_new_from_bytes(look->file->data, found->offset, found->length);
        spot->sum = g_bytes_hash(octets);
    }
    spot->address = g_str_hash(found->domain ? found->domain : seal_address_key(found->address));
    spot->file = look->number;
    spot->offset = (guint32)found->offset;
    spot->length = (guint32)found->length;
    spot->format = found->format;
    g_array_append_val(index->spots, *spot);
    index->count++;
}

static gboolean is_blank(GBytes *data)
{
    gsize size = 0;
    const char *text = g_bytes_get_data(data, &size);

    for (gsize i = 0; i < size; i++) {
        if (!g_ascii_isspace(text[i]))
            return FALSE;
    }
    return TRUE;
}

gboolean keys_index_add(KeysIndex *index, SealModule *self, const SealFile *file, GError **error)
{
    g_auto(Look) look = {.index = index, .file = file};

    look.number = add_place(index, file->path, file->state, file->converted);
    if (file->problem) {
        add_damage(index, look.number, NULL,
                   file->named ||
                       g_error_matches(file->problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE),
                   file->problem->message);
        return TRUE;
    }
    index->readable++;
    if (is_blank(file->data))
        look.damage = g_strdup_printf("%s: there is nothing in it", file->path);
    else
        seal_module_scan_keys(self, file->data, take_spot, &look);
    if (look.too_many)
        return seal_module_refuse(self, "paths", error,
                                  "%s: at most %d keys are read from all files together, and here "
                                  "are more",
                                  file->path, MAX_KEYS);
    if (look.damage)
        add_damage(index, look.number, look.damaged_format, file->named && look.found == 0,
                   look.damage);
    else if (look.found == 0)
        seal_module_warn(self,
                         "%s: no key with a mail address in it that an enabled format can read",
                         file->path);
    return TRUE;
}

void keys_index_add_bad(KeysIndex *index, const char *path, const SealFileState *state,
                        const char *why)
{
    add_damage(index, add_place(index, path, state, FALSE), NULL, TRUE, why);
}

void keys_index_finish(KeysIndex *index)
{
    g_array_sort(index->spots, keys_spot_compare);
}

/* -------------------------------------------------------------------------------------------
 * Finding
 */

gint keys_index_number(const KeysIndex *index, const char *path)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(index->numbers, path)) - 1;
}

const KeysPlace *keys_index_place(const KeysIndex *index, guint number)
{
    return &g_array_index(index->files, KeysPlace, number);
}

guint keys_index_first(const KeysIndex *index, guint hash)
{
    guint low = 0, high = index->spots->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(index->spots, KeysSpot, middle).address < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
