/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * module.c: what modules call of their own, and when they are called themselves.
 */
#include "core/plugin/module.h"

#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/owner.h"
#include "core/base/scratch.h"
#include "core/base/spool.h"
#include "core/base/state.h"
#include "core/base/user.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_VISITED = 16 * 1024 * 1024 };

static const SealSetting MODULE_SETTINGS[] = {
    {"enabled", SEAL_SETTING_BOOLEAN, "true", .help = "Whether the module is loaded."},
    {NULL},
};

static const SealSetting SOURCE_SETTINGS[] = {
    {"enabled", SEAL_SETTING_BOOLEAN, "true", .help = "Whether the module is loaded."},
    {"trust", SEAL_SETTING_CHOICE, .range = "unverified|harvested|discovered|verified|manual",
     .help = "How far the keys of this module's sources are believed."},
    {"on_error", SEAL_SETTING_CHOICE, .range = "defer|skip",
     .help =
         "What follows where a source cannot find out. Without it, as the source has it: hkp and "
         "wkd are passed over, unless they once had a key for the address."},
    {NULL},
};

/* -------------------------------------------------------------------------------------------
 * Life
 */

SealModule *seal_module_new(const SealModuleDescriptor *descriptor, const SealGroup *group,
                            GError **error)
{
    g_autoptr(SealModule) module = g_new0(SealModule, 1);

    memcpy(&module->descriptor, descriptor, MIN(descriptor->head.size, sizeof *descriptor));
    module->settings =
        seal_settings_new(group->name, group, module->descriptor.settings,
                          module->descriptor.sources ? SOURCE_SETTINGS : MODULE_SETTINGS, error);
    return module->settings ? g_steal_pointer(&module) : NULL;
}

void seal_module_free(SealModule *module)
{
    if (!module)
        return;
    if (module->attached && module->descriptor.detach)
        module->descriptor.detach(module);
    if (module->ready && module->descriptor.fini)
        module->descriptor.fini(module);
    if (module->unload)
        module->unload(module);
    seal_settings_free(module->settings);
    g_free(module->tended);
    g_free(module);
}

/* Calls @begin, which may be NULL. A text without a place of its own gets the module's name. */
static gboolean begin_life(SealModule *module, gboolean (*begin)(SealModule *, GError **),
                           gboolean *begun, GError **error)
{
    GError *problem = NULL;

    *begun = !begin || begin(module, &problem);
    if (*begun && !problem)
        return TRUE;
    if (!problem)
        problem = g_error_new_literal(SEAL_ERROR, SEAL_ERROR_MODULE,
                                      "it failed to start and did not say why");
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG))
        g_prefix_error(&problem, "module %s: ", module->descriptor.name);
    g_propagate_error(error, problem);
    return FALSE;
}

static gboolean is_apart(const char *path, gconstpointer module)
{
    struct stat st;

    return seal_module_path_is_apart(module, path) ||
           (seal_module_tended_folder(module) && stat(path, &st) != 0 && errno == EACCES);
}

gboolean seal_module_init(SealModule *module, GError **error)
{
    return seal_settings_check_owners(module->settings, is_apart, module, error) &&
           begin_life(module, module->descriptor.init, &module->ready, error);
}

gboolean seal_module_attach(SealModule *module, GError **error)
{
    return begin_life(module, module->descriptor.attach, &module->attached, error);
}

/* -------------------------------------------------------------------------------------------
 * What modules call
 */

const char *seal_module_tended_folder(const SealModule *self)
{
    return self->tended;
}

gboolean seal_module_keys_are_apart(const SealModule *self, guint uid)
{
    uid_t keys;

    return uid != geteuid() && seal_user_find(self->keys_user, &keys, NULL) && keys == uid;
}

gboolean seal_module_path_is_apart(const SealModule *self, const char *path)
{
    g_autofree char *at = g_strdup(path);
    struct stat st;

    while (stat(at, &st) != 0) {
        char *slash = strrchr(at, '/');

        if (errno != EACCES || !slash || slash == at)
            return FALSE;
        *slash = '\0';
    }
    return seal_module_keys_are_apart(self, st.st_uid);
}

const char *seal_module_name(const SealModule *self)
{
    return self->descriptor.name;
}

void seal_module_set_data(SealModule *self, gpointer data)
{
    self->data = data;
}

void seal_module_set_private_data(SealModule *self, gpointer data)
{
    self->private_data = data;
}

gpointer seal_module_private_data(const SealModule *self)
{
    return self->private_data;
}

gpointer seal_module_data(const SealModule *self)
{
    return self->data;
}

const char *seal_module_string(SealModule *self, const char *key)
{
    return seal_settings_string(self->settings, key);
}

gboolean seal_module_boolean(SealModule *self, const char *key)
{
    return seal_settings_boolean(self->settings, key);
}

gint64 seal_module_number(SealModule *self, const char *key)
{
    return seal_settings_number(self->settings, key);
}

int seal_module_choice(SealModule *self, const char *key)
{
    return seal_settings_choice(self->settings, key);
}

const char *const *seal_module_list(SealModule *self, const char *key)
{
    return seal_settings_list(self->settings, key);
}

gboolean seal_module_has_word(SealModule *self, const char *key, const char *word)
{
    return seal_settings_has_word(self->settings, key, word);
}

gboolean seal_module_refuse(SealModule *self, const char *key, GError **error, const char *format,
                            ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return seal_settings_refuse(self->settings, key, error, "%s", text);
}

void seal_module_warn(SealModule *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_log_warning("module %s: %s", self->descriptor.name, text);
}

GOutputStream *seal_module_spool(SealModule *self)
{
    return seal_spool_open(seal_settings_string(self->core, "spool_dir"),
                           (gsize)seal_settings_number(self->core, "spool_memory"));
}

SealFolder *seal_module_make_folder(SealModule *self, GError **error)
{
    const char *const parents[] = {seal_settings_string(self->core, "run_dir"),
                                   seal_settings_string(self->core, "state_dir"), NULL};

    return seal_scratch_make(parents, error);
}

const char *seal_module_state_path(const SealModule *self)
{
    return seal_settings_string(self->core, "state_dir");
}

const char *seal_module_state_dir(SealModule *self, gboolean write, GError **error)
{
    const char *dir = seal_settings_string(self->core, "state_dir");

    return seal_state_check(dir, write, error) ? dir : NULL;
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

/* While a setting's files are visited. */
typedef struct {
    SealModule *self;
    const char *key;
    guint flags;
    SealFileVisitor visit;
    gpointer user_data;
} Visits;

static gboolean refuse_file(const Visits *visits, const GError *problem, GError **error)
{
    return seal_module_refuse(visits->self, visits->key, error, "%s", problem->message);
}

static gboolean is_distrusted(const GError *problem)
{
    return g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG);
}

/* What the daemon starts anew for. */
static void watch_file(const Visits *visits, const char *path, const SealFileState *state)
{
    if (!(visits->flags & SEAL_VISIT_FOLLOWED))
        seal_watch_add(visits->self->watch, path, state);
}

static gboolean visit_with(const Visits *visits, SealFile *file, GError **error)
{
    file->size = sizeof *file;
    return visits->visit(visits->self, file, visits->user_data, error);
}

static gboolean visit_problem(const Visits *visits, const char *path, const GError *problem,
                              GError **error)
{
    const SealFileState none = {0};
    SealFile file = {.path = path, .named = TRUE, .problem = problem, .state = &none};

    return visit_with(visits, &file, error);
}

static gboolean visit_state(const Visits *visits, const char *path, gboolean named,
                            const SealFileState *state, GError **error)
{
    SealFile file = {.path = path, .named = named, .state = state};

    return visit_with(visits, &file, error);
}

/* Reads it, or finds out why that cannot be done. */
static GBytes *read_visited(const Visits *visits, SealFile *file, SealFileState *state,
                            gboolean judged, GError **problem)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(GBytes) octets = NULL;

    if (judged && (visits->flags & SEAL_VISIT_UNREAD)) {
        seal_file_state(file->path, state);
        return NULL;
    }
    octets = seal_file_read_state(file->path, MAX_VISITED, state, &why);
    /* It says best why there is nothing; what could not be judged is not believed. */
    if (why) {
        g_clear_error(problem);
        *problem = g_steal_pointer(&why);
        seal_file_state(file->path, state);
        return NULL;
    }
    if (!judged)
        return NULL;
    GBytes *data = seal_text_plain(octets);
    file->converted = data != octets;
    return data;
}

static gboolean visit_one(const Visits *visits, const char *path, gboolean named, GError **error)
{
    SealFileState state = {0};
    SealFile file = {.path = path, .named = named, .state = &state};
    GError *problem = NULL;
    gboolean judged = seal_owner_check(path, &problem);

    if (!judged && is_distrusted(problem)) {
        refuse_file(visits, problem, error);
        g_error_free(problem);
        return FALSE;
    }
    g_autoptr(GBytes) data = read_visited(visits, &file, &state, judged, &problem);
    g_autoptr(GError) why = problem;
    file.data = data;
    file.problem = why;
    watch_file(visits, path, &state);
    return visit_with(visits, &file, error);
}

/* What is in a folder: no folder, and of a link what it leads to. */
static gboolean visit_entry(const Visits *visits, const char *path, GError **error)
{
    SealFileState state = {0};
    struct stat st;

    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return TRUE;
        seal_file_state_fill(&state, &st);
    }
    return visits->flags & SEAL_VISIT_STATE ? visit_state(visits, path, FALSE, &state, error)
                                            : visit_one(visits, path, FALSE, error);
}

static gboolean visit_folder(const Visits *visits, const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    SealFileState state;

    seal_file_state(path, &state);
    watch_file(visits, path, &state);
    if (!seal_owner_check_folder(path, &problem))
        return is_distrusted(problem) ? refuse_file(visits, problem, error)
                                      : visit_problem(visits, path, problem, error);

    g_autoptr(GPtrArray) names = seal_dir_list(path, "", &problem);
    if (!names)
        return visit_problem(visits, path, problem, error);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_build_filename(path, g_ptr_array_index(names, i), NULL);

        if (!visit_entry(visits, file, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean visit_path(const Visits *visits, const char *path, GError **error)
{
    SealFileState state;

    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return visit_folder(visits, path, error);
    if (!(visits->flags & SEAL_VISIT_STATE))
        return visit_one(visits, path, TRUE, error);
    seal_file_state(path, &state);
    return visit_state(visits, path, TRUE, &state, error);
}

gboolean seal_module_visit_files(SealModule *self, const char *key, guint flags,
                                 SealFileVisitor visit, gpointer user_data, GError **error)
{
    const Visits visits = {self, key, flags, visit, user_data};
    g_auto(GStrv) paths = seal_settings_paths(self->settings, key);

    /* What was found of folders may have changed since. */
    if (flags & SEAL_VISIT_STATE)
        seal_owner_forget();
    for (char **path = paths; *path; path++) {
        if (!visit_path(&visits, *path, error))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_module_visit_file(SealModule *self, const char *key, const char *path, gboolean named,
                                SealFileVisitor visit, gpointer user_data, GError **error)
{
    const Visits visits = {self, key, SEAL_VISIT_FOLLOWED, visit, user_data};

    return visit_one(&visits, path, named, error);
}

void seal_module_ask_restart(SealModule *self)
{
    *self->worn = TRUE;
}

gboolean seal_module_check_path(SealModule *self, const char *key, const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;

    return seal_owner_check(path, &problem) || !is_distrusted(problem) ||
           seal_module_refuse(self, key, error, "%s", problem->message);
}
