/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * follow.c: what changes while the process runs. Files are looked at, since nothing tells of what
 * another host does to them: folders and what the setting names once a second, each file that is
 * used then too, and all of them where one of these has changed, where somebody has no key, and now
 * and then. What was found first, which processes share, is left as it is.
 */
#include "keys-file.h"

#include <string.h>

enum {
    LOOK_US = G_USEC_PER_SEC,       /* between two looks */
    SWEEP_US = 60 * G_USEC_PER_SEC, /* at most between two sweeps */
    SHARE = 50,                     /* of the time at most that sweeps may take */
    MANY = 512,                     /* files that have changed: better begin anew */
};

/* What is there. */
typedef struct {
    char *path;
    SealFileState state;
    char *problem; /* of a folder that cannot be read */
    gboolean named;
} Entry;

struct KeysFollow {
    GArray *roots;    /* SealFileState of what the setting names, in its order */
    GArray *first;    /* the same when the module started */
    GHashTable *same; /* of KeysPlace: looked at since the last look */
    gint64 looked;    /* monotonic, microseconds, as are the next */
    gint64 swept;
    gint64 again;      /* when the next sweep may begin */
    gboolean restless; /* something was modified just now, is damaged, or could not be read */
};

/* A sweep. */
typedef struct {
    KeysFile *source;
    GArray *fresh; /* of Entry: what is not as it is in base */
    guint8 *gone;  /* for each file of base */
    gint64 now;    /* Unix seconds */
    gboolean young;
} Sweep;

static void entry_clear(gpointer data)
{
    Entry *entry = data;

    g_free(entry->path);
    g_free(entry->problem);
}

/* -------------------------------------------------------------------------------------------
 * Folders
 */

static GArray *find_roots(SealModule *self)
{
    GArray *roots = g_array_new(FALSE, FALSE, sizeof(SealFileState));

    for (const char *const *path = seal_module_list(self, "paths"); *path; path++) {
        SealFileState state;

        seal_file_state(*path, &state);
        g_array_append_val(roots, state);
    }
    return roots;
}

static gboolean roots_equal(const GArray *one, const GArray *other)
{
    for (guint i = 0; i < one->len; i++) {
        if (!seal_file_state_equal(&g_array_index(one, SealFileState, i),
                                   &g_array_index(other, SealFileState, i)))
            return FALSE;
    }
    return TRUE;
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
static void note_empty_folders(SealModule *self, KeysFile *source)
{
    const char *const *paths = seal_module_list(self, "paths");
    g_autoptr(GString) all = g_string_new(NULL);
    g_autofree char *before = g_steal_pointer(&source->empty);

    for (; *paths; paths++) {
        if (!g_file_test(*paths, G_FILE_TEST_IS_DIR) || has_file(*paths))
            continue;
        g_string_append_printf(all, "%s%s has no keys in it: is it mounted?",
                               all->len > 0 ? "; " : "", *paths);
    }
    if (all->len == 0)
        return;
    source->empty = g_strdup(all->str);
    if (g_strcmp0(before, source->empty) != 0)
        seal_module_warn(self, "%s", all->str);
}

/* -------------------------------------------------------------------------------------------
 * All files
 */

gboolean keys_file_is_gone(const KeysFile *source, const KeysIndex *index, guint number)
{
    return index == source->base && source->gone && source->gone[number];
}

static gboolean take_state(SealModule *self, const SealFile *file, gpointer user_data,
                           GError **error)
{
    Sweep *sweep = user_data;
    const KeysIndex *base = sweep->source->base;
    gint number = keys_index_number(base, file->path);

    sweep->young = sweep->young || seal_file_state_is_young(file->state, sweep->now);
    if (number >= 0 &&
        seal_file_state_equal(&keys_index_place(base, (guint)number)->state, file->state)) {
        sweep->gone[number] = 0;
        return TRUE;
    }
    const Entry entry = {g_strdup(file->path), *file->state,
                         file->problem ? g_strdup(file->problem->message) : NULL, file->named};
    g_array_append_val(sweep->fresh, entry);
    return TRUE;
}

static gboolean is_known(const Sweep *sweep)
{
    const KeysFile *source = sweep->source;

    if (sweep->fresh->len != source->own->files->len)
        return FALSE;
    for (guint i = 0; i < sweep->fresh->len; i++) {
        const Entry *entry = &g_array_index(sweep->fresh, Entry, i);
        gint number = keys_index_number(source->own, entry->path);

        if (number < 0 || !seal_file_state_equal(
                              &keys_index_place(source->own, (guint)number)->state, &entry->state))
            return FALSE;
    }
    for (guint i = 0; i < source->base->files->len; i++) {
        if (sweep->gone[i] != (source->gone ? source->gone[i] : 0))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_to_own(SealModule *self, const SealFile *file, gpointer user_data,
                           GError **error)
{
    return keys_index_add(user_data, self, file, error);
}

/* What others can change is not believed; whether it holds somebody's key cannot be told. */
static void read_entry(SealModule *self, KeysIndex *own, const Entry *entry)
{
    g_autoptr(GError) problem = NULL;

    if (entry->problem)
        keys_index_add_bad(own, entry->path, &entry->state, entry->problem);
    else if (!seal_module_visit_file(self, "paths", entry->path, entry->named, add_to_own, own,
                                     &problem))
        keys_index_add_bad(own, entry->path, &entry->state, problem->message);
}

static gboolean has_damage(const KeysIndex *index, const char *text)
{
    for (guint i = 0; i < index->damages->len; i++) {
        if (g_str_equal(g_array_index(index->damages, KeysDamage, i).text, text))
            return TRUE;
    }
    return FALSE;
}

static void warn_of_damages(SealModule *self, const KeysIndex *index, const KeysIndex *before)
{
    for (guint i = 0; i < index->damages->len; i++) {
        const char *text = g_array_index(index->damages, KeysDamage, i).text;

        if (!before || !has_damage(before, text))
            seal_module_warn(self, "%s", text);
    }
}

static void take_sweep(SealModule *self, Sweep *sweep)
{
    KeysFile *source = sweep->source;
    g_autoptr(KeysIndex) own = keys_index_new(source->trust);

    for (guint i = 0; i < sweep->fresh->len; i++)
        read_entry(self, own, &g_array_index(sweep->fresh, Entry, i));
    keys_index_finish(own);
    warn_of_damages(self, own, source->own);
    keys_index_free(source->own);
    source->own = g_steal_pointer(&own);
    g_free(source->gone);
    source->gone = g_steal_pointer(&sweep->gone);
    source->changes++;
    if (source->own->files->len > MANY)
        seal_module_ask_restart(self);
}

static void run_sweep(SealModule *self, KeysFile *source)
{
    Sweep sweep = {.source = source,
                   .fresh = g_array_new(FALSE, FALSE, sizeof(Entry)),
                   .gone = g_malloc(source->base->files->len + 1),
                   .now = g_get_real_time() / G_USEC_PER_SEC};
    g_autoptr(GError) problem = NULL;

    g_array_set_clear_func(sweep.fresh, entry_clear);
    memset(sweep.gone, 1, source->base->files->len);
    g_clear_pointer(&source->trouble, g_free);
    if (!seal_module_visit_files(self, "paths", SEAL_VISIT_STATE | SEAL_VISIT_FOLLOWED, take_state,
                                 &sweep, &problem)) {
        source->trouble = g_strdup(problem->message);
        source->changes++;
    } else if (!is_known(&sweep)) {
        take_sweep(self, &sweep);
    }
    note_empty_folders(self, source);
    source->follow->restless = sweep.young || source->trouble || source->base->damages->len > 0 ||
                               source->own->damages->len > 0;
    g_array_unref(sweep.fresh);
    g_free(sweep.gone);
}

/* A process that is locked in may not reach what stands in the place of what was there. */
static gboolean has_other_folder(SealModule *self, const GArray *now, const GArray *first)
{
    const char *const *paths = seal_module_list(self, "paths");

    for (guint i = 0; i < now->len; i++) {
        const SealFileState *root = &g_array_index(now, SealFileState, i);
        const SealFileState *before = &g_array_index(first, SealFileState, i);

        if ((root->inode != before->inode || root->device != before->device) &&
            g_file_test(paths[i], G_FILE_TEST_IS_DIR))
            return TRUE;
    }
    return FALSE;
}

void keys_follow_sweep(SealModule *self, gboolean now)
{
    KeysFile *source = seal_module_data(self);
    KeysFollow *follow = source->follow;
    gint64 begun = g_get_monotonic_time();
    GArray *roots;

    if (!now && begun < follow->again)
        return;
    roots = find_roots(self);
    run_sweep(self, source);
    if (has_other_folder(self, roots, follow->first))
        seal_module_ask_restart(self);
    g_array_unref(follow->roots);
    follow->roots = roots;
    g_hash_table_remove_all(follow->same);
    follow->swept = g_get_monotonic_time();
    follow->again = follow->swept + MAX(LOOK_US, (follow->swept - begun) * SHARE);
}

void keys_follow_look(SealModule *self)
{
    KeysFile *source = seal_module_data(self);
    KeysFollow *follow = source->follow;
    gint64 now = g_get_monotonic_time();

    if (now < follow->looked + LOOK_US)
        return;
    follow->looked = now;
    g_hash_table_remove_all(follow->same);
    g_autoptr(GArray) roots = find_roots(self);
    if (follow->restless || now > follow->swept + SWEEP_US || !roots_equal(roots, follow->roots))
        keys_follow_sweep(self, FALSE);
}

gboolean keys_follow_is_same(KeysFile *source, const KeysPlace *place)
{
    GHashTable *same = source->follow->same;
    SealFileState state;

    if (g_hash_table_contains(same, place))
        return TRUE;
    seal_file_state(place->path, &state);
    return seal_file_state_equal(&state, &place->state) && g_hash_table_add(same, (gpointer)place);
}

/* -------------------------------------------------------------------------------------------
 * Life
 */

static gboolean add_to_base(SealModule *self, const SealFile *file, gpointer user_data,
                            GError **error)
{
    KeysFile *source = user_data;

    source->follow->restless =
        source->follow->restless ||
        seal_file_state_is_young(file->state, g_get_real_time() / G_USEC_PER_SEC);
    return keys_index_add(source->base, self, file, error);
}

gboolean keys_follow_begin(SealModule *self, KeysFile *source, GError **error)
{
    KeysFollow *follow = g_new0(KeysFollow, 1);

    source->follow = follow;
    source->base = keys_index_new(source->trust);
    source->own = keys_index_new(source->trust);
    follow->roots = find_roots(self);
    follow->first = g_array_ref(follow->roots);
    follow->same = g_hash_table_new(NULL, NULL);
    if (!seal_module_visit_files(self, "paths", SEAL_VISIT_FOLLOWED, add_to_base, source, error))
        return FALSE;
    keys_index_finish(source->base);
    warn_of_damages(self, source->base, NULL);
    note_empty_folders(self, source);
    follow->restless = follow->restless || source->base->damages->len > 0;
    follow->looked = follow->swept = g_get_monotonic_time();
    follow->again = follow->swept + LOOK_US;
    return TRUE;
}

void keys_follow_end(KeysFile *source)
{
    KeysFollow *follow = source->follow;

    g_array_unref(follow->roots);
    g_array_unref(follow->first);
    g_hash_table_unref(follow->same);
    g_free(follow);
    keys_index_free(source->base);
    keys_index_free(source->own);
    g_free(source->gone);
    g_free(source->empty);
    g_free(source->trouble);
}
