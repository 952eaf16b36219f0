/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config.c: reads conf.d line by line. GKeyFile knows no lines and merges duplicates in silence,
 * hence a reader of our own for its syntax.
 */
#include "core/plugin/config.h"

#include "core/base/files.h"
#include "core/base/owner.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_CONFIG = 1024 * 1024 };

struct SealConfig {
    GPtrArray *files;  /* their names, for the places */
    GPtrArray *groups; /* of SealGroup */
};

/* One file being read. */
typedef struct {
    SealConfig *config;
    const char *file;
    SealGroup *group;
    GHashTable *seen;   /* groups, and "group\nkey", of this file */
    const char *wanted; /* what must be plain in a file that need not be sound; NULL: it must be */
} Reader;

gboolean seal_config_refuse(const SealPlace *place, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (place && place->file)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "%s:%u: %s", place->file, place->line,
                    text);
    else
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, text);
    return FALSE;
}

static void place_free(gpointer data)
{
    SealPlace *place = data;

    g_free(place->text);
    g_free(place);
}

static void group_free(gpointer data)
{
    SealGroup *group = data;

    g_free(group->name);
    g_hash_table_unref(group->values);
    g_free(group);
}

SealGroup *seal_config_group(const SealConfig *config, const char *name)
{
    for (guint i = 0; i < config->groups->len; i++) {
        SealGroup *group = g_ptr_array_index(config->groups, i);
        if (g_str_equal(group->name, name))
            return group;
    }
    return NULL;
}

static gboolean begin_group(Reader *reader, const char *line, const SealPlace *at, GError **error)
{
    const char *close = strchr(line, ']');

    if (!close || close[1] || close == line + 1)
        return seal_config_refuse(at, error, "a group is written [NAME], alone on its line");

    g_autofree char *name = g_strndup(line + 1, (gsize)(close - line - 1));
    if (!g_hash_table_add(reader->seen, g_strdup(name)))
        return seal_config_refuse(at, error, "the group [%s] stands twice in this file", name);

    reader->group = seal_config_group(reader->config, name);
    if (!reader->group) {
        reader->group = g_new0(SealGroup, 1);
        reader->group->name = g_steal_pointer(&name);
        reader->group->place = *at;
        reader->group->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, place_free);
        g_ptr_array_add(reader->config->groups, reader->group);
    }
    return TRUE;
}

static gboolean is_key(const char *key)
{
    for (const char *c = key; *c; c++) {
        if (!g_ascii_isalnum(*c) && *c != '_' && *c != '-')
            return FALSE;
    }
    return *key != '\0';
}

static gboolean read_value(Reader *reader, const char *line, const SealPlace *at, GError **error)
{
    const char *equals = strchr(line, '=');

    if (!equals)
        return seal_config_refuse(at, error, "neither a group, a comment nor KEY=VALUE");
    if (!reader->group)
        return seal_config_refuse(at, error, "a value before the first [GROUP]");

    g_autofree char *key = g_strchomp(g_strndup(line, (gsize)(equals - line)));
    if (!is_key(key))
        return seal_config_refuse(at, error, "\"%s\" cannot be the name of a setting", key);
    if (!g_hash_table_add(reader->seen, g_strdup_printf("%s\n%s", reader->group->name, key)))
        return seal_config_refuse(at, error, "[%s] %s stands twice in this file",
                                  reader->group->name, key);

    SealPlace *place = g_new0(SealPlace, 1);
    *place = *at;
    place->text = g_strstrip(g_strdup(equals + 1));
    g_hash_table_replace(reader->group->values, g_steal_pointer(&key), place);
    return TRUE;
}

static gboolean read_line(Reader *reader, char *line, guint number, GError **error)
{
    SealPlace at = {.file = reader->file, .line = number};

    if (!g_utf8_validate(line, -1, NULL))
        return seal_config_refuse(&at, error, "not UTF-8");
    g_strstrip(line);
    if (*line == '\0' || *line == '#')
        return TRUE;
    if (*line == '[')
        return begin_group(reader, line, &at, error);
    return read_value(reader, line, &at, error);
}

/* Where @name stands, in whatever letters, in @text, or NULL. */
static const char *find_name(const char *text, const char *name)
{
    for (; *text; text++) {
        if (g_ascii_strncasecmp(text, name, strlen(name)) == 0)
            return text;
    }
    return NULL;
}

static gboolean is_value_of(const char *line, const char *key)
{
    const char *behind = find_name(line, key) == line ? line + strlen(key) : "";

    return behind[strspn(behind, " \t")] == '=';
}

/* A line that is wrong is passed over, but for one that seems to speak of what is wanted, in
 * whatever group and letters: whether it was meant cannot be told. */
static gboolean read_line_if_sound(Reader *reader, char *line, guint number, GError **error)
{
    const gboolean speaks = find_name(line, reader->wanted) != NULL;
    g_autoptr(GError) problem = NULL;
    SealPlace at = {.file = reader->file, .line = number};

    if (!read_line(reader, line, number, &problem)) {
        if (*line == '[')
            reader->group = NULL;
        return !speaks || seal_config_refuse(&at, error, "cannot tell what %s is to be: %s",
                                             reader->wanted, problem->message);
    }
    return !speaks || !is_value_of(line, reader->wanted) ||
           (g_str_has_prefix(line, reader->wanted) && g_str_equal(reader->group->name, "core")) ||
           seal_config_refuse(&at, error,
                              "cannot tell what %s is to be: it is written in small letters, and "
                              "belongs into [core]",
                              reader->wanted);
}

static gboolean read_lines(Reader *reader, char **lines, GError **error)
{
    for (guint i = 0; lines[i]; i++) {
        if (!(reader->wanted ? read_line_if_sound : read_line)(reader, lines[i], i + 1, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_bytes(SealConfig *config, const char *path, GBytes *bytes, const char *wanted,
                           GError **error)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    char *name = g_strdup(path);

    g_ptr_array_add(config->files, name);
    if (!wanted && size > 0 && memchr(data, '\0', size)) {
        SealPlace at = {.file = name, .line = 1};
        return seal_config_refuse(&at, error, "a NUL octet in the file");
    }

    g_autofree char *text = g_malloc(size + 1);
    for (gsize i = 0; i < size; i++)
        text[i] = data[i] ? data[i] : '\1';
    text[size] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Reader reader = {.config = config, .file = name, .seen = seen, .wanted = wanted};
    return read_lines(&reader, lines, error);
}

static gboolean read_file(SealConfig *config, const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = seal_file_read_trusted(path, MAX_CONFIG, error);

    return bytes && read_bytes(config, path, bytes, NULL, error);
}

static SealConfig *config_new(void)
{
    SealConfig *config = g_new0(SealConfig, 1);

    config->files = g_ptr_array_new_with_free_func(g_free);
    config->groups = g_ptr_array_new_with_free_func(group_free);
    return config;
}

static GPtrArray *list_folder(const char *dir, GError **error)
{
    GPtrArray *names =
        seal_owner_check_folder(dir, error) ? seal_dir_list(dir, ".conf", error) : NULL;

    if (!names)
        g_prefix_error(error, "configuration folder: ");
    return names;
}

SealConfig *seal_config_read(const char *dir, GError **error)
{
    g_autoptr(SealConfig) config = config_new();
    g_autoptr(GPtrArray) names = list_folder(dir, error);

    if (!names) {
        if (error)
            (*error)->code = SEAL_ERROR_CONFIG;
        return NULL;
    }
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
        if (!read_file(config, path, error))
            return NULL;
    }
    return g_steal_pointer(&config);
}

/* -------------------------------------------------------------------------------------------
 * What is not sound
 */

/* A link that leads nowhere is there. */
static gboolean is_missing(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* What is not there says nothing; what cannot be read might have said something. */
static gboolean read_file_if_sound(SealConfig *config, const char *path, gboolean skip,
                                   const char *wanted, GError **error)
{
    if (is_missing(path) || g_file_test(path, G_FILE_TEST_IS_DIR))
        return TRUE;
    if (!seal_owner_check(path, skip ? NULL : error))
        return skip;

    g_autoptr(GBytes) bytes = seal_file_read(path, MAX_CONFIG, error);
    return bytes && read_bytes(config, path, bytes, wanted, error);
}

SealConfig *seal_config_read_sound(const char *dir, gboolean skip, const char *wanted,
                                   GError **error)
{
    g_autoptr(SealConfig) config = config_new();
    g_autoptr(GPtrArray) names = is_missing(dir) ? NULL : list_folder(dir, error);

    if (!names)
        return is_missing(dir) ? g_steal_pointer(&config) : NULL;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
        if (!read_file_if_sound(config, path, skip, wanted, error))
            return NULL;
    }
    return g_steal_pointer(&config);
}

void seal_config_free(SealConfig *config)
{
    if (!config)
        return;
    g_ptr_array_unref(config->groups);
    g_ptr_array_unref(config->files);
    g_free(config);
}

GPtrArray *seal_config_groups(const SealConfig *config)
{
    return config->groups;
}

static void add_group(GChecksum *sum, const SealGroup *group)
{
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(group->values), (GCompareFunc)strcmp);

    /* No name and no value has the end of a line in it. */
    g_checksum_update(sum, (const guchar *)"\n", 1);
    g_checksum_update(sum, (const guchar *)group->name, -1);
    for (const GList *key = keys; key; key = key->next) {
        const SealPlace *place = g_hash_table_lookup(group->values, key->data);
        g_autofree char *line = g_strdup_printf("\n%s=%s", (const char *)key->data, place->text);

        g_checksum_update(sum, (const guchar *)line, -1);
    }
}

char *seal_config_digest(const SealConfig *config)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    for (guint i = 0; i < config->groups->len; i++)
        add_group(sum, g_ptr_array_index(config->groups, i));
    return g_strdup(g_checksum_get_string(sum));
}
