/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-file.c: the key source `file`: certificates and keys from files and folders. Of thousands,
 * a message needs one or two: where each stands is found when the module starts, and those that are
 * asked for are read then.
 */
#include "core/sealpipe.h"

#include <string.h>

enum {
    MAX_KEYS = 100000,
    MAX_FILE = 16 * 1024 * 1024,
    MAX_NAMED = 3, /* in one sentence */
};

/* Where a key stands. */
typedef struct {
    guint address; /* hash of seal_address_key(): two may have the same, which costs a look */
    guint file;
    gsize offset;
    gsize length;
    guint sum; /* of its octets: they must be the same when they are read */
    const char *format;
} Spot;

/* What could not be read, and may be somebody's key. */
typedef struct {
    char *text;
    const char *format; /* NULL: of any */
    gboolean must;      /* be read: the setting names it and nothing in it is good, or another try
                           may find what this one did not */
} Damage;

typedef struct {
    GPtrArray *paths;    /* what Spot.file counts */
    GArray *spots;       /* sorted by address, then file and place */
    SealKeyIndex *index; /* keys that were read at once */
    GArray *damages;
    char *empty;     /* folders without a file, for people; NULL where there is none */
    SealTrust trust; /* of all keys */
    guint count;
} KeysFile;

/* A file while it is looked at. */
typedef struct {
    KeysFile *source;
    const SealFile *file;
    GBytes *data;
    Spot last; /* a key may have many addresses */
    guint found;
    char *damage; /* the first in it */
    const char *damaged_format;
    gboolean too_many;
} Look;

static void damage_clear(gpointer data)
{
    g_free(((Damage *)data)->text);
}

static int compare_spots(gconstpointer a, gconstpointer b)
{
    const Spot *one = a, *other = b;

    if (one->address != other->address)
        return one->address < other->address ? -1 : 1;
    if (one->file != other->file)
        return one->file < other->file ? -1 : 1;
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static guint hash_address(const SealAddress *address)
{
    return g_str_hash(seal_address_key(address));
}

/* At every start, and, to whom it may concern, in the reason. */
static void add_damage(SealModule *self, const char *format, gboolean must, const char *text)
{
    KeysFile *source = seal_module_data(self);
    const Damage damage = {g_strdup(text), format, must};

    seal_module_warn(self, "%s", text);
    g_array_append_val(source->damages, damage);
}

/* -------------------------------------------------------------------------------------------
 * Looking at files
 */

static SealOrigin origin_of(const KeysFile *source, const char *path)
{
    return (SealOrigin){
        .size = sizeof(SealOrigin), .source = "file", .place = path, .trust = source->trust};
}

static void look_clear(Look *look)
{
    g_free(look->damage);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, look_clear)

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
    KeysFile *source = look->source;
    const SealOrigin origin = origin_of(source, look->file->path);
    g_autoptr(GBytes) octets = g_bytes_new_from_bytes(look->data, spot->offset, spot->length);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) problem = NULL;
    gboolean ok = seal_module_read_keys(self, spot->format, octets, &origin, keys, &problem);

    for (guint i = 0; i < keys->len && source->count < MAX_KEYS; i++, source->count++)
        seal_key_index_add(source->index, g_ptr_array_index(keys, i));
    look->too_many = look->too_many || source->count == MAX_KEYS;
    look->found += keys->len;
    if (!ok)
        note_damage(look, spot->format, problem->message);
}

static void take_spot(SealModule *self, const SealKeySpot *found, gpointer user_data)
{
    Look *look = user_data;
    KeysFile *source = look->source;

    if (found->problem) {
        note_damage(look, found->format, found->problem->message);
        return;
    }
    if (!found->address) {
        read_now(self, found, look);
        return;
    }
    look->found++;
    if (source->count == MAX_KEYS) {
        look->too_many = TRUE;
        return;
    }
    Spot *spot = &look->last;
    if (spot->length != found->length || spot->offset != found->offset) {
        g_autoptr(GBytes) octets = g_bytes_new_from_bytes(look->data, found->offset, found->length);
        spot->sum = g_bytes_hash(octets);
    }
    spot->address = hash_address(found->address);
    spot->file = source->paths->len - 1;
    spot->offset = found->offset;
    spot->length = found->length;
    spot->format = found->format;
    g_array_append_val(source->spots, *spot);
    source->count++;
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

static gboolean add_file(SealModule *self, const SealFile *file, gpointer user_data, GError **error)
{
    KeysFile *source = seal_module_data(self);
    g_auto(Look) look = {.source = source, .file = file, .data = file->data};

    if (file->problem) {
        add_damage(self, NULL,
                   file->named ||
                       g_error_matches(file->problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE),
                   file->problem->message);
        return TRUE;
    }
    g_ptr_array_add(source->paths, g_strdup(file->path));
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
        add_damage(self, look.damaged_format, file->named && look.found == 0, look.damage);
    else if (look.found == 0)
        seal_module_warn(self,
                         "%s: no key with a mail address in it that an enabled format can read",
                         file->path);
    return TRUE;
}

static void keys_file_fini(SealModule *self)
{
    KeysFile *source = seal_module_data(self);

    g_ptr_array_unref(source->paths);
    g_array_unref(source->spots);
    g_array_unref(source->damages);
    g_free(source->empty);
    seal_key_index_free(source->index);
    g_free(source);
    seal_module_set_data(self, NULL);
}

static gboolean has_file(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = dir ? g_dir_read_name(dir) : NULL;

    while (name && *name == '.')
        name = g_dir_read_name(dir);
    return !dir || name;
}

/* On the first day that is as it should be, and so no damage; later it is a mount that is gone. */
static void note_empty_folders(SealModule *self)
{
    KeysFile *source = seal_module_data(self);
    const char *const *paths = seal_module_list(self, "paths");
    g_autoptr(GString) all = g_string_new(NULL);

    for (; *paths; paths++) {
        if (!g_file_test(*paths, G_FILE_TEST_IS_DIR) || has_file(*paths))
            continue;
        g_string_append_printf(all, "%s%s has no keys in it: is it mounted?",
                               all->len > 0 ? "; " : "", *paths);
    }
    if (all->len == 0)
        return;
    source->empty = g_strdup(all->str);
    seal_module_warn(self, "%s", all->str);
}

/* Formats are there when a source starts, so that CA certificates among the keys are known before
 * the first chain is built. */
static gboolean keys_file_init(SealModule *self, GError **error)
{
    KeysFile *source = g_new0(KeysFile, 1);

    source->paths = g_ptr_array_new_with_free_func(g_free);
    source->spots = g_array_new(FALSE, FALSE, sizeof(Spot));
    source->damages = g_array_new(FALSE, FALSE, sizeof(Damage));
    g_array_set_clear_func(source->damages, damage_clear);
    source->index = seal_key_index_new();
    source->trust = seal_module_trust(self, "file");
    seal_module_set_data(self, source);
    if (seal_module_visit_files(self, "paths", 0, add_file, NULL, error)) {
        g_array_sort(source->spots, compare_spots);
        note_empty_folders(self);
        return TRUE;
    }
    keys_file_fini(self);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

/* The first spot of the address, or where it would stand. */
static guint find_spot(const KeysFile *source, guint address)
{
    guint low = 0, high = source->spots->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(source->spots, Spot, middle).address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static gboolean read_spot(SealModule *self, const Spot *spot, GBytes *data, GPtrArray *keys,
                          GString *doubt, GError **error)
{
    KeysFile *source = seal_module_data(self);
    const char *path = g_ptr_array_index(source->paths, spot->file);
    const SealOrigin origin = origin_of(source, path);
    gboolean reaches = spot->offset + spot->length <= g_bytes_get_size(data);
    g_autoptr(GBytes) octets =
        reaches ? g_bytes_new_from_bytes(data, spot->offset, spot->length) : NULL;
    g_autoptr(GError) problem = NULL;

    if (!octets || g_bytes_hash(octets) != spot->sum) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                    "%s has changed since it was looked at", path);
        return FALSE;
    }
    if (!seal_module_read_keys(self, spot->format, octets, &origin, keys, &problem)) {
        seal_module_warn(self, "%s", problem->message);
        g_string_append_printf(doubt, "%s%s", doubt->len > 0 ? "; " : "", problem->message);
    }
    return TRUE;
}

static gboolean read_spots(SealModule *self, const SealAddress *address, const char *format,
                           GPtrArray *keys, GString *doubt, GError **error)
{
    KeysFile *source = seal_module_data(self);
    guint hash = hash_address(address);
    g_autoptr(GBytes) data = NULL;
    const Spot *before = NULL;

    for (guint i = find_spot(source, hash); i < source->spots->len; i++) {
        const Spot *spot = &g_array_index(source->spots, Spot, i);

        if (spot->address != hash)
            break;
        /* A key may name an address twice. */
        if (!g_str_equal(spot->format, format) || (before && compare_spots(before, spot) == 0))
            continue;
        if (!before || before->file != spot->file) {
            const char *path = g_ptr_array_index(source->paths, spot->file);
            g_autoptr(GBytes) octets = seal_file_read(path, MAX_FILE, error);

            if (!octets)
                return FALSE;
            g_clear_pointer(&data, g_bytes_unref);
            data = seal_text_plain(octets);
        }
        if (!read_spot(self, spot, data, keys, doubt, error))
            return FALSE;
        before = spot;
    }
    return TRUE;
}

/* What may hold a key of @format; FALSE where it must be read and there is no other key. */
static gboolean say_damages(const KeysFile *source, const char *format, gboolean found,
                            GString *doubt, GError **error)
{
    guint more = 0, named = 0;

    for (guint i = 0; i < source->damages->len; i++) {
        const Damage *damage = &g_array_index(source->damages, Damage, i);

        if (damage->format && !g_str_equal(damage->format, format))
            continue;
        if (damage->must && !found) {
            g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, damage->text);
            return FALSE;
        }
        if (named++ < MAX_NAMED)
            g_string_append_printf(doubt, "%s%s", doubt->len > 0 ? "; " : "", damage->text);
        else
            more++;
    }
    if (more > 0)
        g_string_append_printf(doubt, "; and %u more", more);
    return TRUE;
}

static gboolean keys_file_lookup(SealModule *self, SealAddress *address, const char *format,
                                 SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                 char **doubt, GError **error)
{
    KeysFile *source = seal_module_data(self);
    g_autoptr(GString) text = g_string_new(NULL);

    /* The keys carry the trust that the configuration gave them; another one would be a lie. */
    if (trust != source->trust) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "the key source file was asked for keys of trust %d, and all it has are of "
                    "trust %d",
                    trust, source->trust);
        return FALSE;
    }
    seal_key_index_find(source->index, address, format, keys);
    if (!read_spots(self, address, format, keys, text, error) ||
        !say_damages(source, format, keys->len > 0, text, error))
        return FALSE;
    if (text->len > 0)
        *doubt = g_strdup_printf("what may hold one cannot be read: %s", text->str);
    return TRUE;
}

/* Of a Format that merges copies; such keys are all in the index. */
static gboolean keys_file_copies(SealModule *self, SealKey *key, SealTrust trust,
                                 GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    KeysFile *source = seal_module_data(self);

    seal_key_index_find_copies(source->index, key, keys);
    return TRUE;
}

static char *keys_file_lack(SealModule *self)
{
    const KeysFile *source = seal_module_data(self);

    return g_strdup(source->empty);
}

static const SealSetting settings[] = {
    {.key = "paths",
     .type = SEAL_SETTING_PATHS,
     .help = "Certificates, bundles and key rings: files or folders"},
    {.key = NULL},
};

static const SealSource file_source = {
    .size = sizeof file_source,
    .name = "file",
    .trust = SEAL_TRUST_VERIFIED,
    .may_skip = FALSE,
    .lookup = keys_file_lookup,
    .copies = keys_file_copies,
    .lack = keys_file_lack,
};

static const SealSource *const sources[] = {&file_source, NULL};

/* What cannot be read may hold anybody's key. */
static gboolean keys_file_check(SealModule *self, SealOut *out, GError **error)
{
    const KeysFile *source = seal_module_data(self);
    g_autoptr(GString) text = g_string_new(NULL);

    seal_out_text(out, "detail", "%u files with keys in them%s%s", source->paths->len,
                  source->empty ? "; " : "", source->empty ? source->empty : "");
    for (guint i = 0; i < MIN(source->damages->len, MAX_NAMED); i++)
        g_string_append_printf(text, "%s%s", i > 0 ? "; " : "",
                               g_array_index(source->damages, Damage, i).text);
    if (source->damages->len == 0)
        return TRUE;
    if (source->damages->len > MAX_NAMED)
        g_string_append_printf(text, "; and %u more", source->damages->len - MAX_NAMED);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE,
                "what may hold keys cannot be read: %s; as long as it is so, mail may wait for who "
                "has no other key",
                text->str);
    return FALSE;
}

static const SealCheck check = {.size = sizeof check, .name = "keys-file", .run = keys_file_check};
static const SealCheck *const checks[] = {&check, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "keys-file",
    .version = "0.1.0",
    .summary = "Keys and certificates from files and folders",
    .settings = settings,
    .init = keys_file_init,
    .fini = keys_file_fini,
    .sources = sources,
    .checks = checks,
};
