/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * settings.c: reads and checks values by their tables.
 */
#include "core/plugin/settings.h"

#include "core/base/owner.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_LIST = 10000,
    DIGEST = 16, /* characters */
};

typedef struct {
    const SealSetting *setting;
    const SealPlace *place; /* NULL for the preset */
    char *string;
    char **list;
    char **words; /* of PATHS: what stands there in place of a path; NULL for none */
    gint64 number;
} Value;

struct SealSettings {
    char *name;
    const SealPlace *place; /* the group's; NULL where it is written nowhere */
    GHashTable *values;     /* key -> Value */
    const SealSetting *tables[2];
};

static void value_free(gpointer data)
{
    Value *value = data;

    g_free(value->string);
    g_strfreev(value->list);
    g_strfreev(value->words);
    g_free(value);
}

static const Value *find_value(const SealSettings *settings, const char *key)
{
    const Value *value = g_hash_table_lookup(settings->values, key);

    if (!value)
        g_error("bug: [%s] has no setting %s", settings->name, key);
    return value;
}

static gboolean refuse_value(const SealSettings *settings, const Value *value, GError **error,
                             const char *format, ...) G_GNUC_PRINTF(4, 5);

static gboolean refuse_value(const SealSettings *settings, const Value *value, GError **error,
                             const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return seal_config_refuse(value->place, error, "[%s] %s: %s", settings->name,
                              value->setting->key, text);
}

gboolean seal_settings_refuse(const SealSettings *settings, const char *key, GError **error,
                              const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return refuse_value(settings, find_value(settings, key), error, "%s", text);
}

gboolean seal_settings_refuse_group(const SealSettings *settings, GError **error,
                                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return seal_config_refuse(settings->place, error, "[%s]: %s", settings->name, text);
}

/* -------------------------------------------------------------------------------------------
 * From text to values
 */

/* GKeyFile's escapes. @stop: an unescaped one of these ends the piece; *@text moves behind it. NULL
 * where an escape is unknown. */
static char *unescape_text(const char **text, char stop)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const char *c = *text;

    for (; *c && (!stop || *c != stop); c++) {
        if (*c != '\\') {
            g_string_append_c(out, *c);
            continue;
        }
        static const char from[] = "sntr\\;";
        static const char to[] = " \n\t\r\\;";
        const char *at = c[1] ? strchr(from, c[1]) : NULL;
        if (!at)
            return NULL;
        g_string_append_c(out, to[at - from]);
        c++;
    }
    *text = *c ? c + 1 : c;
    return g_strdup(out->str);
}

static gboolean has_word(const char *words, const char *word)
{
    g_auto(GStrv) list = g_strsplit(words ? words : "", "|", -1);

    return g_strv_contains((const char *const *)list, word);
}

/* A whole number with a unit from @units, each of which multiplies by what stands at the same place
 * in @factors. */
static gboolean parse_number(const char *text, const char *units, const gint64 *factors,
                             gint64 plain, gint64 *number)
{
    char *end = NULL;
    gint64 value;
    gint64 factor = plain;

    if (!g_ascii_isdigit(*text))
        return FALSE;
    errno = 0;
    value = g_ascii_strtoll(text, &end, 10);
    if (errno)
        return FALSE;
    if (*end) {
        const char *unit = strchr(units, *end);
        if (!unit || end[1])
            return FALSE;
        factor = factors[unit - units];
    }
    if (value > G_MAXINT64 / factor)
        return FALSE;
    *number = value * factor;
    return TRUE;
}

static gboolean number_of(SealSettingType type, const char *text, gint64 *number)
{
    static const gint64 octets[] = {1024, 1024 * 1024, 1024 * 1024 * 1024};
    static const gint64 seconds[] = {1, 60, 60 * 60, 24 * 60 * 60};

    if (type == SEAL_SETTING_SIZE)
        return parse_number(text, "KMG", octets, 1, number);
    if (type == SEAL_SETTING_DURATION)
        return parse_number(text, "smhd", seconds, 1, number);
    return parse_number(text, "", NULL, 1, number);
}

gboolean seal_settings_parse_size(const char *text, gint64 *size)
{
    return number_of(SEAL_SETTING_SIZE, text, size);
}

static gboolean read_number(const SealSettings *settings, Value *value, GError **error)
{
    const SealSetting *setting = value->setting;
    const char *example = setting->type == SEAL_SETTING_SIZE       ? "a size such as 512K or 10M"
                          : setting->type == SEAL_SETTING_DURATION ? "a time such as 30s or 5m"
                                                                   : "a whole number";

    if (!number_of(setting->type, value->string, &value->number))
        return refuse_value(settings, value, error, "\"%s\" is not %s", value->string, example);
    if (!setting->range)
        return TRUE;

    g_auto(GStrv) ends = g_strsplit(setting->range, "..", 2);
    gint64 least = 0, most = G_MAXINT64;
    if (!number_of(setting->type, ends[0], &least) || !number_of(setting->type, ends[1], &most))
        g_error("bug: range \"%s\" of %s", setting->range, setting->key);
    if (value->number < least || value->number > most)
        return refuse_value(settings, value, error, "%s is out of range, which is %s",
                            value->string, setting->range);
    return TRUE;
}

static gboolean read_boolean(const SealSettings *settings, Value *value, GError **error)
{
    value->number = g_str_equal(value->string, "true");
    if (!value->number && !g_str_equal(value->string, "false"))
        return refuse_value(settings, value, error, "\"%s\" is neither true nor false",
                            value->string);
    return TRUE;
}

static gboolean read_choice(const SealSettings *settings, Value *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value->setting->range, "|", -1);

    for (guint i = 0; words[i]; i++) {
        if (g_str_equal(words[i], value->string)) {
            value->number = i;
            return TRUE;
        }
    }
    g_autofree char *list = g_strjoinv(", ", words);
    return refuse_value(settings, value, error, "\"%s\" is none of %s", value->string, list);
}

static gboolean read_list(const SealSettings *settings, Value *value, const char *text,
                          GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);

    while (*text) {
        char *item = unescape_text(&text, ';');
        if (!item)
            return refuse_value(settings, value, error,
                                "behind a backslash stands none of s n t r ; and \\");
        g_strstrip(item);
        if (list->len == MAX_LIST) {
            g_free(item);
            return refuse_value(settings, value, error, "more than %d items", MAX_LIST);
        }
        if (*item)
            g_ptr_array_add(list, item);
        else
            g_free(item);
    }
    g_ptr_array_add(list, NULL);
    value->list = (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
    return TRUE;
}

static gboolean check_path(const SealSettings *settings, const Value *value, const char *path,
                           GError **error)
{
    struct stat st;

    if (!g_path_is_absolute(path))
        return refuse_value(settings, value, error, "\"%s\" is not an absolute path", path);
    if (stat(path, &st) == 0)
        return value->setting->type != SEAL_SETTING_SECRET || !(st.st_mode & (S_IROTH | S_IWOTH)) ||
               refuse_value(settings, value, error,
                            "%s has mode %04o, so that others can read or write it; it has to be "
                            "0600, or 0640 with the group of the user that sealpipe runs as",
                            path, st.st_mode & 07777);
    /* What exists but cannot be reached is for whoever needs it to report. */
    if (errno == ENOENT || errno == ENOTDIR)
        return refuse_value(settings, value, error, "%s: %s", path, g_strerror(errno));
    return TRUE;
}

/* Nobody takes them for paths any more. */
static void take_words_out(Value *value)
{
    g_autoptr(GStrvBuilder) paths = g_strv_builder_new();
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    for (char **item = value->list; *item; item++)
        g_strv_builder_add(has_word(value->setting->words, *item) ? words : paths, *item);
    g_strfreev(value->list);
    value->list = g_strv_builder_end(paths);
    value->words = g_strv_builder_end(words);
}

static gboolean check_paths(const SealSettings *settings, const Value *value, GError **error)
{
    for (char **path = value->list; path && *path; path++) {
        if (!check_path(settings, value, *path, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean is_list(SealSettingType type)
{
    return type == SEAL_SETTING_LIST || type == SEAL_SETTING_PATHS;
}

static gboolean is_number(SealSettingType type)
{
    return type == SEAL_SETTING_INTEGER || type == SEAL_SETTING_SIZE ||
           type == SEAL_SETTING_DURATION;
}

static gboolean parse_value(const SealSettings *settings, Value *value, const char *text,
                            GError **error)
{
    if (is_list(value->setting->type)) {
        if (!read_list(settings, value, text, error))
            return FALSE;
        if (value->setting->type == SEAL_SETTING_LIST)
            return TRUE;
        if (value->setting->words)
            take_words_out(value);
        return check_paths(settings, value, error);
    }

    value->string = unescape_text(&text, '\0');
    if (!value->string)
        return refuse_value(settings, value, error,
                            "behind a backslash stands none of s n t r ; and \\");
    switch (value->setting->type) {
    case SEAL_SETTING_BOOLEAN:
        return read_boolean(settings, value, error);
    case SEAL_SETTING_INTEGER:
    case SEAL_SETTING_SIZE:
    case SEAL_SETTING_DURATION:
        return read_number(settings, value, error);
    case SEAL_SETTING_CHOICE:
        return read_choice(settings, value, error);
    case SEAL_SETTING_PATH:
    case SEAL_SETTING_SECRET:
        return check_path(settings, value, value->string, error);
    default:
        return TRUE;
    }
}

/* A value that is known and well-formed, but that nothing heeds yet, must not pass unnoticed. */
static gboolean check_later(const SealSettings *settings, const Value *value, GError **error)
{
    const char *later = value->setting->later;
    const char *text = value->place->text;
    const char *preset = value->setting->preset ? value->setting->preset : "";

    if (!later || (g_str_equal(later, "*") ? g_str_equal(text, preset) : !has_word(later, text)))
        return TRUE;
    return refuse_value(settings, value, error,
                        "\"%s\" has no effect in this version yet; take it out", text);
}

static Value *value_new(const SealSettings *settings, const SealSetting *setting,
                        const SealGroup *group, GError **error)
{
    Value *value = g_new0(Value, 1);
    const char *text = setting->preset;

    value->setting = setting;
    value->place = group ? g_hash_table_lookup(group->values, setting->key) : NULL;
    if (value->place)
        text = value->place->text;
    if ((text && !parse_value(settings, value, text, error)) ||
        (value->place && !check_later(settings, value, error)))
        g_clear_pointer(&value, value_free);
    else if (!value->list && is_list(setting->type))
        value->list = g_new0(char *, 1);
    return value;
}

static gboolean read_table(SealSettings *settings, const SealGroup *group, const SealSetting *table,
                           GError **error)
{
    for (const SealSetting *setting = table; setting && setting->key; setting++) {
        Value *value = value_new(settings, setting, group, error);
        if (!value)
            return FALSE;
        g_hash_table_insert(settings->values, (gpointer)setting->key, value);
    }
    return TRUE;
}

/* Names the first unknown key by its place, so that the answer is the same at every run. */
static gboolean check_known(const SealSettings *settings, const SealGroup *group, GError **error)
{
    const SealPlace *first = NULL;
    const char *unknown = NULL;
    GHashTableIter iter;
    gpointer key, data;

    g_hash_table_iter_init(&iter, group->values);
    while (g_hash_table_iter_next(&iter, &key, &data)) {
        const SealPlace *place = data;
        if (g_hash_table_contains(settings->values, key))
            continue;
        if (!first || strcmp(place->file, first->file) < 0 ||
            (g_str_equal(place->file, first->file) && place->line < first->line)) {
            first = place;
            unknown = key;
        }
    }
    if (!unknown)
        return TRUE;
    return seal_config_refuse(first, error, "[%s] has no setting \"%s\"", settings->name, unknown);
}

SealSettings *seal_settings_new(const char *name, const SealGroup *group, const SealSetting *table,
                                const SealSetting *more, GError **error)
{
    g_autoptr(SealSettings) settings = g_new0(SealSettings, 1);

    settings->name = g_strdup(name);
    settings->place = group ? &group->place : NULL;
    settings->tables[0] = table;
    settings->tables[1] = more;
    settings->values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, value_free);
    if (!read_table(settings, group, table, error) || !read_table(settings, group, more, error) ||
        (group && !check_known(settings, group, error)))
        return NULL;
    return g_steal_pointer(&settings);
}

SealSettings *seal_settings_new_sound(const char *name, const SealGroup *group,
                                      const SealSetting *table)
{
    SealSettings *settings = g_new0(SealSettings, 1);

    settings->name = g_strdup(name);
    settings->place = group ? &group->place : NULL;
    settings->tables[0] = table;
    settings->values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, value_free);
    for (const SealSetting *setting = table; setting->key; setting++) {
        Value *value = value_new(settings, setting, group, NULL);

        g_hash_table_insert(settings->values, (gpointer)setting->key,
                            value ? value : value_new(settings, setting, NULL, NULL));
    }
    return settings;
}

static gboolean check_owner(const SealSettings *settings, const Value *value, const char *path,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;

    return !path || seal_owner_check(path, &problem) ||
           !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_CONFIG) ||
           refuse_value(settings, value, error, "%s", problem->message);
}

static gboolean check_owners(const SealSettings *settings, const Value *value, GError **error)
{
    SealSettingType type = value->setting->type;

    if (type == SEAL_SETTING_PATH || type == SEAL_SETTING_SECRET)
        return check_owner(settings, value, value->string, error);
    for (char **path = type == SEAL_SETTING_PATHS ? value->list : NULL; path && *path; path++) {
        if (!check_owner(settings, value, *path, error))
            return FALSE;
    }
    return TRUE;
}

gboolean seal_settings_check_owners(const SealSettings *settings,
                                    gboolean (*is_apart)(const char *path, gconstpointer user_data),
                                    gconstpointer user_data, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings->tables); i++) {
        for (const SealSetting *row = settings->tables[i]; row && row->key; row++) {
            const Value *value = find_value(settings, row->key);

            if (is_apart && row->of_keys && value->string && is_apart(value->string, user_data))
                continue;
            if (!check_owners(settings, value, error))
                return FALSE;
        }
    }
    return TRUE;
}

/* Of secrets and private keys, and of folders of the service's own. */
static SealPathUse use_of(const SealSetting *setting)
{
    if (setting->kept || setting->type == SEAL_SETTING_SECRET)
        return SEAL_PATH_SECRET;
    return setting->owned ? SEAL_PATH_WRITE : SEAL_PATH_READ;
}

static void visit_value(const Value *value, SealPathVisitor visit, gpointer user_data)
{
    const SealPathUse use = use_of(value->setting);

    if (value->list) {
        for (char **item = value->list; *item; item++) {
            if (g_path_is_absolute(*item))
                visit(*item, use, user_data);
        }
    } else if (value->string && g_path_is_absolute(value->string)) {
        visit(value->string, use, user_data);
    }
}

void seal_settings_visit_paths(const SealSettings *settings, SealPathVisitor visit,
                               gpointer user_data)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings->tables); i++) {
        for (const SealSetting *row = settings->tables[i]; row && row->key; row++)
            visit_value(find_value(settings, row->key), visit, user_data);
    }
}

void seal_settings_free(SealSettings *settings)
{
    if (!settings)
        return;
    g_hash_table_unref(settings->values);
    g_free(settings->name);
    g_free(settings);
}

const char *seal_settings_string(const SealSettings *settings, const char *key)
{
    return find_value(settings, key)->string;
}

gboolean seal_settings_boolean(const SealSettings *settings, const char *key)
{
    const Value *value = find_value(settings, key);

    if (value->setting->type != SEAL_SETTING_BOOLEAN)
        g_error("bug: [%s] %s is not true or false", settings->name, key);
    return value->number != 0;
}

gint64 seal_settings_number(const SealSettings *settings, const char *key)
{
    const Value *value = find_value(settings, key);

    if (!is_number(value->setting->type))
        g_error("bug: [%s] %s is not a number", settings->name, key);
    return value->number;
}

int seal_settings_choice(const SealSettings *settings, const char *key)
{
    const Value *value = find_value(settings, key);

    if (value->setting->type != SEAL_SETTING_CHOICE)
        g_error("bug: [%s] %s is not a choice", settings->name, key);
    return value->string ? (int)value->number : -1;
}

const char *const *seal_settings_list(const SealSettings *settings, const char *key)
{
    const Value *value = find_value(settings, key);

    if (!is_list(value->setting->type))
        g_error("bug: [%s] %s is not a list", settings->name, key);
    return (const char *const *)value->list;
}

gboolean seal_settings_has_word(const SealSettings *settings, const char *key, const char *word)
{
    const Value *value = find_value(settings, key);

    if (!has_word(value->setting->words, word))
        g_error("bug: [%s] %s does not have the word %s", settings->name, key, word);
    return value->words && g_strv_contains((const char *const *)value->words, word);
}

char **seal_settings_paths(const SealSettings *settings, const char *key)
{
    const Value *value = find_value(settings, key);
    const char *one[] = {value->string, NULL};

    if (value->setting->type != SEAL_SETTING_PATH && value->setting->type != SEAL_SETTING_PATHS)
        g_error("bug: [%s] %s names no paths", settings->name, key);
    return g_strdupv(value->list ? value->list : (char **)one);
}

const SealPlace *seal_settings_place(const SealSettings *settings, const char *key)
{
    return find_value(settings, key)->place;
}

gboolean seal_settings_is_preset(const SealSettings *settings, const char *key, const char *preset)
{
    const char *const *list = seal_settings_list(settings, key);
    g_auto(GStrv) items = g_strsplit(preset, ";", -1);

    return !seal_settings_place(settings, key) || g_strv_equal(list, (const char *const *)items);
}

void seal_settings_show_value(const char *group, const char *key, const char *text,
                              const SealPlace *place, SealOut *out)
{
    seal_out_row(out, "settings");
    seal_out_text(out, "group", "%s", group);
    seal_out_text(out, "key", "%s", key);
    seal_out_text(out, "value", "%s", text ? text : "");
    if (place)
        seal_out_text(out, "from", "%s:%u", place->file, place->line);
    else
        seal_out_text(out, "from", "default");
    seal_out_end_row(out);
}

void seal_settings_show(const SealSettings *settings, SealOut *out)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings->tables); i++) {
        for (const SealSetting *row = settings->tables[i]; row && row->key; row++) {
            const SealPlace *place = find_value(settings, row->key)->place;
            seal_settings_show_value(settings->name, row->key, place ? place->text : row->preset,
                                     place, out);
        }
    }
}

char *seal_settings_digest(const SealSettings *settings, const char *const *except)
{
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(settings->tables); i++) {
        for (const SealSetting *row = settings->tables[i]; row && row->key; row++) {
            const SealPlace *place = find_value(settings, row->key)->place;
            const char *text = place ? place->text : row->preset;

            if (!g_strv_contains(except, row->key))
                g_string_append_printf(all, "%s=%s\n", row->key, text ? text : "");
        }
    }
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all->str, -1);
    return g_strndup(digest, DIGEST);
}
