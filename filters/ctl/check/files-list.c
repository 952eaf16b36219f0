/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * files-list.c: which files and folders the configuration names, and who has to use them.
 */
#include "filters/ctl/check/files.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define DAEMON_SOCKET "sealpiped.sock" /* as filters/client/daemon.h has it */

/* While the configuration is read. */
typedef struct {
    FileList *list;
    GHashTable *keepers; /* groups with private keys */
    char *named_user;
    char *named_keys_user;
    gboolean awaits_daemon; /* [core] in_process=false */
} Reading;

static void reading_clear(Reading *reading)
{
    g_hash_table_unref(reading->keepers);
    g_free(reading->named_user);
    g_free(reading->named_keys_user);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

static void item_free(gpointer data)
{
    FileItem *item = data;

    g_free(item->path);
    g_free(item->what);
    g_free(item);
}

static FileItem *add_item(FileList *list, FileUse use, const char *path, char *what)
{
    FileItem *item = g_new0(FileItem, 1);

    item->path = g_strdup(path);
    item->what = what;
    item->use = use;
    g_ptr_array_add(list->items, item);
    return item;
}

static void keep_text(char **text, const char *now)
{
    g_free(*text);
    *text = g_strdup(now);
}

static void take_core(Reading *reading, const char *key, const char *value)
{
    FileList *list = reading->list;

    if (g_str_equal(key, "user"))
        keep_text(&reading->named_user, value);
    else if (g_str_equal(key, "in_process"))
        reading->awaits_daemon = g_str_equal(value, "false");
    else if (g_str_equal(key, "run_dir"))
        keep_text(&list->run_dir, value);
    else if (g_str_equal(key, "state_dir"))
        keep_text(&list->state_dir, value);
    else if (g_str_equal(key, "spool_dir"))
        add_item(list, FILE_WRITE, value, g_strdup("[core] spool_dir"));
    else if (g_str_equal(key, "log_target") && *value == '/')
        add_item(list, FILE_LOG, value, g_strdup("[core] log_target"));
}

static void take_of_module(Reading *reading, const char *group, const SealSetting *setting,
                           const char *value)
{
    gboolean is_path = setting->type == SEAL_SETTING_PATH || setting->type == SEAL_SETTING_PATHS;
    FileUse use = FILE_READ;

    if (!is_path && setting->type != SEAL_SETTING_SECRET)
        return;
    if (setting->kept || setting->of_keys)
        g_hash_table_add(reading->keepers, g_strdup(group));
    if (setting->owned)
        use = FILE_OWN;
    else if (setting->kept || setting->type == SEAL_SETTING_SECRET)
        use = FILE_PRIVATE;
    FileItem *item =
        add_item(reading->list, use, value, g_strdup_printf("[%s] %s", group, setting->key));
    item->of_keys = setting->kept || setting->of_keys;
}

static void take_setting(const char *group, const SealSetting *setting, const char *value,
                         gpointer user_data)
{
    Reading *reading = user_data;

    if (!setting)
        return;
    if (g_str_equal(group, "core"))
        take_core(reading, setting->key, value);
    else if (!g_str_equal(group, "daemon"))
        take_of_module(reading, group, setting, value);
    else if (g_str_equal(setting->key, "keys_user"))
        keep_text(&reading->named_keys_user, value);
}

/* A passphrase opens what its module keeps. */
static void mark_secrets(Reading *reading)
{
    for (guint i = 0; i < reading->list->items->len; i++) {
        FileItem *item = g_ptr_array_index(reading->list->items, i);
        gsize size = strcspn(item->what, "]");
        g_autofree char *group = *item->what == '[' ? g_strndup(item->what + 1, size - 1) : NULL;

        if (item->use == FILE_PRIVATE && group && g_hash_table_contains(reading->keepers, group))
            item->of_keys = TRUE;
    }
}

static char *name_of_user(uid_t user)
{
    const struct passwd *entry = getpwuid(user);

    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)user);
}

static void find_users(Reading *reading)
{
    FileList *list = reading->list;
    g_autofree char *socket = g_build_filename(list->run_dir, DAEMON_SOCKET, NULL);
    struct stat st;

    if (reading->named_user)
        list->user = g_strdup(reading->named_user);
    else if (stat(list->state_dir, &st) == 0)
        list->user = name_of_user(st.st_uid);
    /* As filters/ctl/kept.c has it: root has started the daemon, or is to start it. */
    gboolean is_there = stat(socket, &st) == 0;
    if ((is_there ? st.st_uid == 0 : reading->awaits_daemon && reading->named_user) &&
        reading->named_keys_user && getpwnam(reading->named_keys_user))
        list->keys_user = g_strdup(reading->named_keys_user);
}

static void add_configuration(FileList *list, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    add_item(list, FILE_READ, folder, g_strdup("the configuration"))->is_configuration = TRUE;
    while (dir && (name = g_dir_read_name(dir))) {
        if (!g_str_has_suffix(name, ".conf") || *name == '.')
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        add_item(list, FILE_READ, path, g_strdup("the configuration"))->is_configuration = TRUE;
    }
}

gboolean files_list(FileList *list, const char *conf_dir, GError **error)
{
    g_auto(Reading) reading = {
        .list = list,
        .keepers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };

    *list = (FileList){.items = g_ptr_array_new_with_free_func(item_free)};
    add_configuration(list, conf_dir);
    if (!seal_config_visit(conf_dir, take_setting, &reading, error))
        return FALSE;
    mark_secrets(&reading);
    find_users(&reading);
    add_item(list, FILE_STATE, list->state_dir, g_strdup("[core] state_dir"));
    return TRUE;
}

void files_list_clear(FileList *list)
{
    g_clear_pointer(&list->items, g_ptr_array_unref);
    g_clear_pointer(&list->user, g_free);
    g_clear_pointer(&list->keys_user, g_free);
    g_clear_pointer(&list->run_dir, g_free);
    g_clear_pointer(&list->state_dir, g_free);
}
