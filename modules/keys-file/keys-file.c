/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keys-file.c: the key source `file`: certificates and keys from files and folders.
 */
#include "keys-file.h"

enum {
    MAX_FILE = 16 * 1024 * 1024,
    MAX_NAMED = 3, /* in one sentence */
};

/* A look-up. */
typedef struct {
    SealModule *self;
    KeysFile *source;
    SealAddress *address;
    const char *format;
    GPtrArray *keys;
    GString *doubt;
    gboolean stale; /* a file is not any more what it was when it was looked at */
} Search;

static void keys_file_fini(SealModule *self)
{
    KeysFile *source = seal_module_data(self);

    keys_follow_end(source);
    g_free(source);
    seal_module_set_data(self, NULL);
}

/* Formats are there when a source starts, so that CA certificates among the keys are known before
 * the first chain is built. */
static gboolean keys_file_init(SealModule *self, GError **error)
{
    KeysFile *source = g_new0(KeysFile, 1);

    source->trust = seal_module_trust(self, "file");
    seal_module_set_data(self, source);
    if (keys_follow_begin(self, source, error))
        return TRUE;
    keys_file_fini(self);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Looking up
 */

/* All of a file whose octets were converted; else the spot alone. */
static GBytes *read_part(const KeysPlace *place, const KeysSpot *spot, GError **error)
{
    if (!place->converted)
        return seal_file_read_part(place->path, &place->state, spot->offset, spot->length, error);
    g_autoptr(GBytes) octets = seal_file_read(place->path, MAX_FILE, error);
    if (!octets)
        return NULL;
    g_autoptr(GBytes) data = seal_text_plain(octets);
    gsize size = g_bytes_get_size(data), reach = (gsize)spot->offset + spot->length;

    /* Too short a one is none with that sum. */
    return reach <= size ? g_bytes_new_from_bytes(data, spot->offset, spot->length)
                         : g_bytes_new(NULL, 0);
}

/* What stood there when it was looked at. */
static GBytes *read_octets(const KeysPlace *place, const KeysSpot *spot, GError **error)
{
    g_autoptr(GBytes) octets = read_part(place, spot, error);

    if (!octets || g_bytes_hash(octets) == spot->sum)
        return g_steal_pointer(&octets);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, "%s has changed since it was looked at",
                place->path);
    return NULL;
}

static gboolean read_spot(Search *search, const KeysPlace *place, const KeysSpot *spot,
                          GError **error)
{
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "file",
                               .place = place->path,
                               .trust = search->source->trust};
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) octets = read_octets(place, spot, error);

    if (!octets) {
        search->stale = TRUE;
        return FALSE;
    }
    if (!seal_module_read_keys(search->self, spot->format, octets, &origin, search->keys,
                               &problem)) {
        seal_module_warn(search->self, "%s", problem->message);
        g_string_append_printf(search->doubt, "%s%s", search->doubt->len > 0 ? "; " : "",
                               problem->message);
    }
    return TRUE;
}

static gboolean read_spots_of(Search *search, const KeysIndex *index, guint hash, GError **error)
{
    const KeysSpot *before = NULL;

    for (guint i = keys_index_first(index, hash); i < index->spots->len; i++) {
        const KeysSpot *spot = &g_array_index(index->spots, KeysSpot, i);

        if (spot->address != hash)
            break;
        /* A key may name an address twice. */
        if (!g_str_equal(spot->format, search->format) ||
            (before && keys_spot_compare(before, spot) == 0) ||
            keys_file_is_gone(search->source, index, spot->file))
            continue;
        if (!read_spot(search, keys_index_place(index, spot->file), spot, error))
            return FALSE;
        before = spot;
    }
    return TRUE;
}

static gboolean read_spots(Search *search, const KeysIndex *index, GError **error)
{
    guint hashes[2];

    keys_address_hashes(search->address, hashes);
    return read_spots_of(search, index, hashes[0], error) &&
           read_spots_of(search, index, hashes[1], error);
}

/* Takes those of @keys away that stood in a file that is gone, or has changed. */
static void leave_out_gone(const KeysFile *source, const KeysIndex *index, GPtrArray *keys)
{
    for (guint i = keys->len; i > 0; i--) {
        const SealKey *key = g_ptr_array_index(keys, i - 1);
        gint number = keys_index_number(index, seal_key_place(key));

        if (number < 0 || keys_file_is_gone(source, index, (guint)number))
            g_ptr_array_remove_index(keys, i - 1);
    }
}

/* Those that were read at once. */
static void take_read(const KeysFile *source, const KeysIndex *index, const SealAddress *address,
                      const char *format, GPtrArray *keys)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    seal_key_index_find(index->keys, address, format, found);
    leave_out_gone(source, index, found);
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
}

/* While what may hold a key of a format is told. */
typedef struct {
    guint named;
    guint more;
} Telling;

/* FALSE where something must be read and there is no other key. */
static gboolean say_damages(Search *search, const KeysIndex *index, Telling *telling,
                            GError **error)
{
    for (guint i = 0; i < index->damages->len; i++) {
        const KeysDamage *damage = &g_array_index(index->damages, KeysDamage, i);

        if ((damage->format && !g_str_equal(damage->format, search->format)) ||
            keys_file_is_gone(search->source, index, damage->file))
            continue;
        if (damage->must && search->keys->len == 0) {
            g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, damage->text);
            return FALSE;
        }
        if (telling->named++ < MAX_NAMED)
            g_string_append_printf(search->doubt, "%s%s", search->doubt->len > 0 ? "; " : "",
                                   damage->text);
        else
            telling->more++;
    }
    return TRUE;
}

static gboolean search_all(Search *search, GError **error)
{
    const KeysFile *source = search->source;
    Telling telling = {0};

    search->stale = FALSE;
    g_ptr_array_set_size(search->keys, 0);
    g_string_truncate(search->doubt, 0);
    if (source->trouble) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, source->trouble);
        return FALSE;
    }
    take_read(source, source->base, search->address, search->format, search->keys);
    take_read(source, source->own, search->address, search->format, search->keys);
    if (!read_spots(search, source->base, error) || !read_spots(search, source->own, error) ||
        !say_damages(search, source->base, &telling, error) ||
        !say_damages(search, source->own, &telling, error))
        return FALSE;
    if (telling.more > 0)
        g_string_append_printf(search->doubt, "; and %u more", telling.more);
    return TRUE;
}

/* Again where a file has changed, or nobody has looked at all files since there was no key. */
static gboolean search_twice(Search *search, GError **error)
{
    guint64 changes = search->source->changes;
    g_autoptr(GError) problem = NULL;
    gboolean ok = search_all(search, &problem);

    if (ok && search->keys->len > 0)
        return TRUE;
    keys_follow_sweep(search->self, search->stale);
    if (search->source->changes != changes)
        return search_all(search, error);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    return ok;
}

static gboolean keys_file_lookup(SealModule *self, SealAddress *address, const char *format,
                                 SealTrust trust, GCancellable *cancellable, GPtrArray *keys,
                                 char **doubt, GError **error)
{
    KeysFile *source = seal_module_data(self);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    Search search = {.self = self,
                     .source = source,
                     .address = address,
                     .format = format,
                     .keys = found,
                     .doubt = text};

    /* The keys carry the trust that the configuration gave them; another one would be a lie. */
    if (trust != source->trust) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "the key source file was asked for keys of trust %d, and all it has are of "
                    "trust %d",
                    trust, source->trust);
        return FALSE;
    }
    keys_follow_look(self);
    if (!search_twice(&search, error))
        return FALSE;
    g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
    if (text->len > 0)
        *doubt = g_strdup_printf("what may hold one cannot be read: %s", text->str);
    return TRUE;
}

/* Of a Format that merges copies; such keys are all in the index. */
static gboolean keys_file_copies(SealModule *self, SealKey *key, SealTrust trust,
                                 GCancellable *cancellable, GPtrArray *keys, GError **error)
{
    KeysFile *source = seal_module_data(self);
    const KeysIndex *indexes[] = {source->base, source->own};

    keys_follow_look(self);
    for (guint i = 0; i < G_N_ELEMENTS(indexes); i++) {
        g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

        seal_key_index_find_copies(indexes[i]->keys, key, found);
        leave_out_gone(source, indexes[i], found);
        g_ptr_array_extend_and_steal(keys, g_steal_pointer(&found));
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Listing
 */

typedef struct {
    SealModule *self;
    const KeysFile *source;
    const SealKeyFilter *filter;
    SealKeyListed visit;
    gpointer user_data;
} Listing;

static gboolean list_keys(const Listing *listing, const KeysIndex *index, GPtrArray *keys,
                          GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);
        gint number = keys_index_number(index, seal_key_place(key));

        if (number < 0 || keys_file_is_gone(listing->source, index, (guint)number) ||
            !seal_key_passes(key, listing->filter))
            continue;
        if (!listing->visit(listing->self, key, NULL, listing->user_data, error))
            return FALSE;
    }
    return TRUE;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
    const KeysSpot *one = a, *other = b;

    if (one->file != other->file)
        return one->file < other->file ? -1 : 1;
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* Those that may be wanted, in order of files. A key has one for each address. (transfer full) */
static GArray *find_spots(const Listing *listing, const KeysIndex *index)
{
    const SealAddress *address = listing->filter->address;
    guint hash = address ? g_str_hash(seal_address_key(address)) : 0;
    GArray *spots = g_array_new(FALSE, FALSE, sizeof(KeysSpot));

    for (guint i = 0; i < index->spots->len; i++) {
        const KeysSpot *spot = &g_array_index(index->spots, KeysSpot, i);

        if ((!address || spot->address == hash) &&
            !keys_file_is_gone(listing->source, index, spot->file))
            g_array_append_val(spots, *spot);
    }
    g_array_sort(spots, compare_places);
    return spots;
}

static gboolean list_spot(const Listing *listing, const KeysIndex *index, const KeysSpot *spot,
                          GError **error)
{
    const KeysPlace *place = keys_index_place(index, spot->file);
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "file",
                               .place = place->path,
                               .trust = listing->source->trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GBytes) octets = read_octets(place, spot, error);
    g_autoptr(GError) problem = NULL;

    if (!octets)
        return FALSE;
    if (!seal_module_read_keys(listing->self, spot->format, octets, &origin, keys, &problem))
        seal_module_warn(listing->self, "%s", problem->message);
    return list_keys(listing, index, keys, error);
}

static gboolean list_index(const Listing *listing, const KeysIndex *index, GError **error)
{
    g_autoptr(GArray) spots = find_spots(listing, index);

    if (!list_keys(listing, index, index->read, error))
        return FALSE;
    for (guint i = 0; i < spots->len; i++) {
        const KeysSpot *spot = &g_array_index(spots, KeysSpot, i);

        if (i > 0 && compare_places(spot - 1, spot) == 0)
            continue;
        if (!list_spot(listing, index, spot, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean keys_file_list(SealModule *self, const SealKeyFilter *filter, SealKeyListed visit,
                               gpointer user_data, GError **error)
{
    KeysFile *source = seal_module_data(self);
    const Listing listing = {self, source, filter, visit, user_data};

    keys_follow_look(self);
    if (source->trouble) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE, source->trouble);
        return FALSE;
    }
    return list_index(&listing, source->base, error) && list_index(&listing, source->own, error);
}

/* -------------------------------------------------------------------------------------------
 * What has changed
 */

static gboolean are_spots_same(KeysFile *source, const KeysIndex *index, guint hash, gboolean *any)
{
    for (guint i = keys_index_first(index, hash); i < index->spots->len; i++) {
        const KeysSpot *spot = &g_array_index(index->spots, KeysSpot, i);

        if (spot->address != hash)
            break;
        if (keys_file_is_gone(source, index, spot->file))
            continue;
        *any = TRUE;
        if (!keys_follow_is_same(source, keys_index_place(index, spot->file)))
            return FALSE;
    }
    return TRUE;
}

/* FALSE where a file with a key of the address is not what it was; @any: there is one. */
static gboolean are_same(KeysFile *source, const KeysIndex *index, const SealAddress *address,
                         const char *format, gboolean *any)
{
    guint hashes[2];
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    take_read(source, index, address, format, found);
    *any = *any || found->len > 0;
    for (guint i = 0; i < found->len; i++) {
        gint number = keys_index_number(index, seal_key_place(g_ptr_array_index(found, i)));

        if (!keys_follow_is_same(source, keys_index_place(index, (guint)number)))
            return FALSE;
    }
    keys_address_hashes(address, hashes);
    return are_spots_same(source, index, hashes[0], any) &&
           are_spots_same(source, index, hashes[1], any);
}

static guint64 keys_file_changes(SealModule *self, SealAddress *address, const char *format)
{
    KeysFile *source = seal_module_data(self);
    gboolean any = FALSE;

    keys_follow_look(self);
    gboolean same = are_same(source, source->base, address, format, &any) &&
                    are_same(source, source->own, address, format, &any);
    if (!same || !any)
        keys_follow_sweep(self, !same);
    return source->changes;
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
    .changes = keys_file_changes,
    .list = keys_file_list,
};

static const SealSource *const sources[] = {&file_source, NULL};

/* What cannot be read may hold anybody's key. */
static gboolean keys_file_check(SealModule *self, SealOut *out, G_GNUC_UNUSED GError **error)
{
    const KeysFile *source = seal_module_data(self);
    const GArray *damages = source->base->damages;

    seal_out_text(out, "detail", "%u files with keys in them", source->base->readable);
    if (source->empty)
        seal_out_finding(out, SEAL_FINDING_WARNING, "keys",
                         "mount it, or put keys into it; or take it out of paths= in [module "
                         "keys-file]",
                         "%s", source->empty);
    for (guint i = 0; i < MIN(damages->len, MAX_NAMED); i++)
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "keys",
                         "mend the file, or take it away; until then mail may wait for who has no "
                         "other key",
                         "what may hold keys cannot be read: %s",
                         g_array_index(damages, KeysDamage, i).text);
    if (damages->len > MAX_NAMED)
        seal_out_finding(out, SEAL_FINDING_PROBLEM, "keys", "mend these, then look again",
                         "what may hold keys cannot be read: %u more files",
                         damages->len - MAX_NAMED);
    return TRUE;
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
