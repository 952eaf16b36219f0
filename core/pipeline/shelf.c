/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * shelf.c: keys that people put into the sources, look through, and take out again.
 */
#include "core/pipeline/dispatcher.h"
#include "core/plugin/calls.h"
#include "core/plugin/import.h"
#include "core/plugin/key.h"

static GPtrArray *keys_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
}

static gint64 shelf_now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* -------------------------------------------------------------------------------------------
 * Which source
 */

/* The first that keeps keys, and not somewhere else. */
static const SealSourceEntry *shelf_first(const SealDispatcher *self, GError **error)
{
    GPtrArray *sources = seal_registry_sources(self->registry);

    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);

        if (seal_source_can_put(source) && !(source->table.flags & SEAL_SOURCE_REMOTE))
            return source;
    }
    g_set_error_literal(
        error, SEAL_ERROR, SEAL_ERROR_CONFIG,
        "no enabled module keeps keys: enable one that does, [module keys-store] in "
        "a file of conf.d");
    return NULL;
}

/* The one of that name. */
static const SealSourceEntry *shelf_source(const SealDispatcher *self, const char *name,
                                           GError **error)
{
    const SealSourceEntry *source = seal_registry_source(self->registry, name);

    if (!source)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG,
                    "no enabled module offers the key source \"%s\"", name);
    return source;
}

static const SealSourceEntry *shelf_to_put(const SealDispatcher *self, const char *name,
                                           GError **error)
{
    const SealSourceEntry *source =
        name ? shelf_source(self, name, error) : shelf_first(self, error);

    if (!source || seal_source_can_put(source))
        return source;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                "nothing can be put into the key source \"%s\": its keys are managed otherwise",
                name);
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Adding
 */

/* While a file is read. */
typedef struct {
    const SealShelving *how;
    SealImportVisitor visit;
    gpointer user_data;
    GPtrArray *keys;  /* of SealKey: what is to be kept, all copies of it */
    GPtrArray *told;  /* of SealKey: the first of each */
    GPtrArray *names; /* of char *: of each that is told, or NULL */
    GHashTable *kept; /* "format fingerprint" of each to SealPut */
} Adding;

static void adding_clear(Adding *adding)
{
    g_ptr_array_unref(adding->keys);
    g_ptr_array_unref(adding->told);
    g_ptr_array_unref(adding->names);
    g_hash_table_unref(adding->kept);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Adding, adding_clear)

/* An address is given to people's keys, not to what vouches for them. */
static SealKey *adding_key(SealKey *key)
{
    return seal_key_purposes(key) & SEAL_PURPOSE_ISSUE ? seal_key_without_bound(key)
                                                       : seal_key_ref(key);
}

static char *adding_id(const SealKey *key)
{
    return g_strdup_printf("%s %s", seal_key_format(key), seal_key_fingerprint(key));
}

/* Another copy may say what the first does not: a revocation has the fingerprint of its key. */
static void adding_take(Adding *adding, const SealImportEntry *entry)
{
    SealKey *key = adding_key(entry->key);

    g_ptr_array_add(adding->keys, key);
    if (!g_hash_table_insert(adding->kept, adding_id(key), GUINT_TO_POINTER(SEAL_PUT_UNTOLD)))
        return;
    g_ptr_array_add(adding->told, seal_key_ref(key));
    g_ptr_array_add(adding->names, g_strdup(entry->entry));
}

/* Keys are told of once they are kept. */
static void adding_visit(const SealImportEntry *entry, gpointer user_data)
{
    Adding *adding = user_data;

    if (entry->what == SEAL_IMPORT_KEY)
        adding_take(adding, entry);
    else
        adding->visit(entry, adding->user_data);
}

static void adding_tell_failure(const Adding *adding, const GError *problem)
{
    const SealImportEntry entry = {.what = SEAL_IMPORT_FAILED, .problem = problem};

    adding->visit(&entry, adding->user_data);
}

static void adding_tell_kept(const Adding *adding)
{
    for (guint i = 0; i < adding->told->len; i++) {
        SealKey *key = g_ptr_array_index(adding->told, i);
        g_autofree char *id = adding_id(key);
        const SealImportEntry entry = {
            .what = SEAL_IMPORT_KEY,
            .format = seal_key_format(key),
            .entry = g_ptr_array_index(adding->names, i),
            .key = key,
            .kept = (SealPut)GPOINTER_TO_UINT(g_hash_table_lookup(adding->kept, id)),
        };

        adding->visit(&entry, adding->user_data);
    }
}

static gboolean is_for_one(GPtrArray *keys, const SealAddress *address)
{
    for (guint i = 0; i < keys->len; i++) {
        if (seal_key_is_for(g_ptr_array_index(keys, i), address))
            return TRUE;
    }
    return FALSE;
}

/* Below the operator's own word a key is for whom it names, and nobody else. */
static gboolean adding_check_bound(const Adding *adding, GError **error)
{
    const char *const *bound = adding->how->bound;

    if (adding->how->trust == SEAL_TRUST_MANUAL || adding->keys->len == 0)
        return TRUE;
    for (; bound && *bound; bound++) {
        g_autoptr(SealAddress) address = seal_address_parse(*bound, NULL);

        if (address && is_for_one(adding->keys, address))
            continue;
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "no key in it names %s: it can be given to whom it does not name at trust "
                    "manual alone, not at %s",
                    *bound, seal_trust_name(adding->how->trust));
        return FALSE;
    }
    return TRUE;
}

static const char *adding_name(const Adding *adding, const SealKey *key)
{
    for (guint i = 0; i < adding->told->len; i++) {
        if (g_str_equal(seal_key_fingerprint(g_ptr_array_index(adding->told, i)),
                        seal_key_fingerprint(key)))
            return g_ptr_array_index(adding->names, i);
    }
    return NULL;
}

/* What cannot be kept is told of, and not among those that are. */
static void adding_drop(Adding *adding, const SealKey *key, const GError *problem)
{
    const char *name = adding_name(adding, key);
    const SealImportEntry entry = {.what = SEAL_IMPORT_FAILED,
                                   .format = seal_key_format(key),
                                   .entry = name ? name : seal_key_label(key),
                                   .problem = problem};

    adding->visit(&entry, adding->user_data);
    for (guint i = adding->told->len; i > 0; i--) {
        if (!g_str_equal(seal_key_fingerprint(g_ptr_array_index(adding->told, i - 1)),
                         seal_key_fingerprint(key)))
            continue;
        g_ptr_array_remove_index(adding->told, i - 1);
        g_ptr_array_remove_index(adding->names, i - 1);
    }
}

/* A key is at fault, not the source: another time it is the same. */
static gboolean is_of_key(const GError *problem)
{
    return g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_KEY) ||
           g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT);
}

/* Of several copies the one of which the most has become. */
static void adding_note(Adding *adding, GPtrArray *keys, const SealPut *kept)
{
    for (guint i = 0; i < keys->len; i++) {
        g_autofree char *id = adding_id(g_ptr_array_index(keys, i));
        guint before = GPOINTER_TO_UINT(g_hash_table_lookup(adding->kept, id));

        if (before < (guint)kept[i])
            g_hash_table_insert(adding->kept, g_steal_pointer(&id),
                                GUINT_TO_POINTER((guint)kept[i]));
    }
}

static gboolean adding_put(Adding *adding, const SealSourceEntry *source, GPtrArray *keys,
                           guint *added, GError **error)
{
    g_autofree SealPut *kept = g_new0(SealPut, keys->len + 1);

    if (!seal_source_put(source, keys, kept, added, error))
        return FALSE;
    adding_note(adding, keys, kept);
    return TRUE;
}

/* One that is at fault keeps no other one of the file out. */
static gboolean adding_put_each(Adding *adding, const SealSourceEntry *source, guint *added,
                                GError **error)
{
    for (guint i = 0; i < adding->keys->len; i++) {
        SealKey *key = g_ptr_array_index(adding->keys, i);
        g_autoptr(GPtrArray) one = keys_new();
        guint count = 0;
        GError *problem = NULL;

        g_ptr_array_add(one, seal_key_ref(key));
        if (adding_put(adding, source, one, &count, &problem)) {
            *added += count;
        } else if (is_of_key(problem)) {
            adding_drop(adding, key, problem);
            g_error_free(problem);
        } else {
            g_propagate_error(error, problem);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean adding_keep(Adding *adding, const SealSourceEntry *source, guint *added,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;

    *added = 0;
    if (!adding_check_bound(adding, error))
        return FALSE;
    if (adding->keys->len == 0 || adding->how->dry ||
        adding_put(adding, source, adding->keys, added, &problem))
        return TRUE;
    *added = 0;
    if (is_of_key(problem) && adding->keys->len > 1)
        return adding_put_each(adding, source, added, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean seal_dispatcher_add_keys(SealDispatcher *self, GBytes *data, const SealShelving *how,
                                  SealImportVisitor visit, gpointer user_data, guint *added,
                                  GError **error)
{
    const SealSourceEntry *source = how->dry ? NULL : shelf_to_put(self, how->source, error);

    if (!source && !how->dry)
        return FALSE;

    const SealOrigin origin = {.size = sizeof origin,
                               .source = source ? source->table.name : "",
                               .place = how->place,
                               .trust = how->trust,
                               .bound = how->bound};
    g_auto(Adding) adding = {.how = how,
                             .visit = visit,
                             .user_data = user_data,
                             .keys = keys_new(),
                             .told = keys_new(),
                             .names = g_ptr_array_new_with_free_func(g_free),
                             .kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    g_autoptr(GError) problem = NULL;

    if (!seal_registry_import(self->registry, data, how->passphrase, &origin, adding_visit, &adding,
                              &problem))
        adding_tell_failure(&adding, problem);
    if (!adding_keep(&adding, source, added, error))
        return FALSE;
    adding_tell_kept(&adding);
    return TRUE;
}

gboolean seal_dispatcher_put_keys(SealDispatcher *self, const char *source, GPtrArray *keys,
                                  guint *added, GError **error)
{
    const SealSourceEntry *entry = shelf_to_put(self, source, error);
    g_autofree SealPut *kept = g_new0(SealPut, keys->len + 1);

    return entry && seal_source_put(entry, keys, kept, added, error);
}

gboolean seal_dispatcher_install_keys(SealDispatcher *self, GBytes *data,
                                      const SealSecret *passphrase, const char *name,
                                      SealInstallVisitor visit, gpointer user_data, GError **error)
{
    GPtrArray *formats = seal_registry_formats(self->registry);
    guint all = 0;

    for (guint i = 0; i < formats->len; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);
        g_autofree char *where = NULL;
        guint count = 0;

        if (!seal_format_install(format, data, passphrase, name, &count, &where, error))
            return FALSE;
        if (count > 0)
            visit(format->table.name, count, where ? where : "", user_data);
        all += count;
    }
    if (all > 0)
        return TRUE;
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY,
                        "there is no private key of an enabled format in it");
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Looking through, taking out
 */

static void add_name(char **names, const char *name)
{
    char *all = *names ? g_strjoin(", ", *names, name, NULL) : g_strdup(name);

    g_free(*names);
    *names = all;
}

static gboolean is_meant(const SealSourceEntry *entry, const char *name)
{
    return !name || g_str_equal(entry->table.name, name);
}

static void tell_trouble(char **trouble, const SealSourceEntry *source, const char *why)
{
    g_autofree char *text = g_strdup_printf("key source %s: %s", source->table.name, why);

    add_name(trouble, text);
}

/* All that it has would be too much to ask for one key. */
static gboolean is_asked_by_address(const SealSourceEntry *source)
{
    return !source->table.list || source->table.flags & SEAL_SOURCE_REMOTE;
}

/* While sources are looked through. */
typedef struct {
    SealKeyListed visit;
    gpointer user_data;
    gboolean ended; /* by the visitor */
} Visiting;

static gboolean visiting_visit(SealModule *self, SealKey *key, GBytes *octets, gpointer user_data,
                               GError **error)
{
    Visiting *visiting = user_data;

    visiting->ended = !visiting->visit(self, key, octets, visiting->user_data, error);
    return !visiting->ended;
}

/* One that cannot tell keeps no other one from it. */
static gboolean list_source(SealLooking *looking, const SealSourceEntry *source,
                            const SealKeyFilter *filter, Visiting *visiting, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (seal_source_list(source, filter, visiting_visit, visiting, &problem))
        return TRUE;
    if (visiting->ended) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED)) {
        add_name(&looking->unlisted, source->table.name);
        looking->hidden = TRUE;
    } else {
        tell_trouble(&looking->trouble, source, problem->message);
    }
    return TRUE;
}

void seal_looking_clear(SealLooking *looking)
{
    g_clear_pointer(&looking->unlisted, g_free);
    g_clear_pointer(&looking->trouble, g_free);
}

gboolean seal_dispatcher_list_keys(SealDispatcher *self, SealLooking *looking,
                                   const SealKeyFilter *filter, SealKeyListed visit,
                                   gpointer user_data, GError **error)
{
    GPtrArray *sources = seal_registry_sources(self->registry);
    Visiting visiting = {visit, user_data, FALSE};
    gboolean nearby = looking->nearby && !looking->source;

    if (looking->source && !shelf_source(self, looking->source, error))
        return FALSE;
    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *entry = g_ptr_array_index(sources, i);
        gboolean by_address = is_asked_by_address(entry);

        if (!is_meant(entry, looking->source) || (nearby && by_address && filter->address))
            continue;
        if (!entry->table.list || (nearby && by_address))
            add_name(&looking->unlisted, entry->table.name);
        else if (!list_source(looking, entry, filter, &visiting, error))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_dispatcher_remove_keys(SealDispatcher *self, const char *source,
                                     const SealKeyFilter *filter, guint *removed, GError **error)
{
    GPtrArray *sources = seal_registry_sources(self->registry);
    guint all = 0;

    if (source && !shelf_source(self, source, error))
        return FALSE;
    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *entry = g_ptr_array_index(sources, i);
        guint count = 0;

        if (!is_meant(entry, source) || !entry->table.remove)
            continue;
        if (!seal_source_remove(entry, filter, &count, error))
            return FALSE;
        all += count;
    }
    *removed = all;
    return TRUE;
}

gboolean seal_dispatcher_unbind_keys(SealDispatcher *self, const char *source,
                                     const SealKeyFilter *filter, const char *bound, guint *count,
                                     GError **error)
{
    GPtrArray *sources = seal_registry_sources(self->registry);
    guint all = 0;

    if (source && !shelf_source(self, source, error))
        return FALSE;
    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *entry = g_ptr_array_index(sources, i);
        guint taken = 0;

        if (!is_meant(entry, source) || !entry->table.unbind)
            continue;
        if (!seal_source_unbind(entry, filter, bound, &taken, error))
            return FALSE;
        all += taken;
    }
    *count = all;
    return TRUE;
}

static void find_in_source(const SealSourceEntry *source, const char *format, SealAddress *address,
                           GPtrArray *keys, char **trouble)
{
    g_autoptr(GPtrArray) found = keys_new();
    g_autoptr(GError) problem = NULL;
    g_autofree char *doubt = NULL;

    if (!seal_source_lookup(source, address, format, NULL, found, &doubt, &problem) || doubt)
        tell_trouble(trouble, source, problem ? problem->message : doubt);
    for (guint i = 0; i < found->len; i++) {
        SealKey *key = g_ptr_array_index(found, i);

        if (seal_key_serves(key, address) != SEAL_SERVES_NOT)
            g_ptr_array_add(keys, seal_key_ref(key));
    }
}

void seal_dispatcher_find_keys(SealDispatcher *self, SealAddress *address, GPtrArray *keys,
                               char **trouble)
{
    GPtrArray *sources = seal_registry_sources(self->registry);
    GPtrArray *formats = seal_registry_formats(self->registry);

    *trouble = NULL;
    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);

        for (guint f = 0; f < formats->len && is_asked_by_address(source); f++) {
            const SealFormatEntry *format = g_ptr_array_index(formats, f);

            find_in_source(source, format->table.name, address, keys, trouble);
        }
    }
}

static gboolean is_same_key(const SealKey *one, const SealKey *other)
{
    return g_str_equal(seal_key_format(one), seal_key_format(other)) &&
           g_str_equal(seal_key_fingerprint(one), seal_key_fingerprint(other));
}

static const SealFormatEntry *find_format(const SealDispatcher *self, const char *name,
                                          GError **error)
{
    const SealFormatEntry *format = seal_registry_format(self->registry, name);
    GPtrArray *formats = seal_registry_formats(self->registry);
    g_autofree char *names = NULL;

    if (format)
        return format;
    for (guint i = 0; i < formats->len; i++)
        add_name(&names, ((const SealFormatEntry *)g_ptr_array_index(formats, i))->table.name);
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                "no enabled module reads %s keys; the formats that are read: %s", name,
                names ? names : "none");
    return NULL;
}

gboolean seal_dispatcher_has_format(SealDispatcher *self, const char *name, GError **error)
{
    return find_format(self, name, error) != NULL;
}

SealKey *seal_dispatcher_read_key(SealDispatcher *self, SealKey *key, GBytes *octets,
                                  GError **error)
{
    const SealOrigin origin = {.size = sizeof origin,
                               .source = seal_key_source(key),
                               .place = seal_key_place(key),
                               .trust = seal_key_trust(key),
                               .bound = seal_key_bound(key),
                               .standing = seal_key_standing(key),
                               .added = seal_key_added(key),
                               .last_used = seal_key_last_used(key)};
    g_autoptr(GPtrArray) keys = keys_new();

    if (seal_key_native(key))
        return seal_key_ref(key);
    const SealFormatEntry *format = find_format(self, seal_key_format(key), error);
    if (!format ||
        !seal_module_read_keys(format->module, format->table.name, octets, &origin, keys, error))
        return NULL;
    for (guint i = 0; i < keys->len; i++) {
        if (is_same_key(g_ptr_array_index(keys, i), key))
            return seal_key_ref(g_ptr_array_index(keys, i));
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                "what key source %s has kept of the key %s is another key", seal_key_source(key),
                seal_key_fingerprint(key));
    return NULL;
}

SealDecision *seal_dispatcher_judge_key(SealDispatcher *self, SealKey *key, SealAddress *address,
                                        GError **error)
{
    g_autoptr(SealDecision) decision = seal_decision_new("key", seal_key_fingerprint(key));
    const SealFormatEntry *format = find_format(self, seal_key_format(key), error);

    return format && seal_format_usable(format, key, address, SEAL_PURPOSE_ENCRYPT, shelf_now(),
                                        decision, error)
               ? g_steal_pointer(&decision)
               : NULL;
}

GBytes *seal_dispatcher_write_key(SealDispatcher *self, SealKey *key, GError **error)
{
    const SealFormatEntry *format = find_format(self, seal_key_format(key), error);

    return format ? seal_module_write_key(format->module, key, error) : NULL;
}

gboolean seal_dispatcher_own_keys(SealDispatcher *self, SealAddress *address, GPtrArray *keys,
                                  GError **error)
{
    GPtrArray *formats = seal_registry_formats(self->registry);

    for (guint i = 0; i < formats->len; i++) {
        if (!seal_format_signers(g_ptr_array_index(formats, i), address, NULL, keys, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The book
 */

static const SealSourceEntry *shelf_book(const SealDispatcher *self, GError **error)
{
    GPtrArray *sources = seal_registry_sources(self->registry);

    for (guint i = 0; i < sources->len; i++) {
        const SealSourceEntry *source = g_ptr_array_index(sources, i);

        if (source->table.book)
            return source;
    }
    g_set_error_literal(
        error, SEAL_ERROR, SEAL_ERROR_CONFIG,
        "no enabled module keeps what is written down of keys: enable one that does, "
        "[module keys-store] in a file of conf.d");
    return NULL;
}

gboolean seal_dispatcher_has_book(SealDispatcher *self)
{
    return shelf_book(self, NULL) != NULL;
}

gboolean seal_dispatcher_read_book(SealDispatcher *self, const SealAddress *address,
                                   SealStanding standing, GPtrArray *keys, GError **error)
{
    const SealSourceEntry *source = shelf_book(self, error);
    GPtrArray *formats = seal_registry_formats(self->registry);

    for (guint i = 0; i < formats->len && source; i++) {
        const SealFormatEntry *format = g_ptr_array_index(formats, i);

        if (!seal_book_read(source, address, format->table.name, standing, keys, error))
            return FALSE;
    }
    return source != NULL;
}

gboolean seal_dispatcher_write_book(SealDispatcher *self, const SealAddress *address, SealKey *key,
                                    SealStanding standing, GError **error)
{
    const SealSourceEntry *source = shelf_book(self, error);

    return source && seal_book_write(source, address, key, standing, error);
}
