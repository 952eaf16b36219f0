/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * config.c: fuzzes conf.d and the typed settings; every error names file and line.
 */
#include "fuzz.h"

#include "core/plugin/config.h"
#include "core/plugin/settings.h"
#include "core/plugin/tables.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every type of setting, in a group of its own. */
static const SealSetting TABLE[] = {
    {"flag", SEAL_SETTING_BOOLEAN, "true"},
    {"count", SEAL_SETTING_INTEGER, "5", "1..10"},
    {"size", SEAL_SETTING_SIZE, "1M", "1K..2G"},
    {"time", SEAL_SETTING_DURATION, "60s", "1s..1d"},
    {"word", SEAL_SETTING_CHOICE, "one", "one|two|three", "three"},
    {"list", SEAL_SETTING_LIST, "a;b"},
    {"text", SEAL_SETTING_STRING},
    {"future", SEAL_SETTING_STRING, "x", .later = "*"},
    {"path", SEAL_SETTING_PATH},
    {"paths", SEAL_SETTING_PATHS},
    {"secret", SEAL_SETTING_SECRET},
    {NULL},
};

static char *folder;
static char *file;
static int fd = -1;

static void tear_down(void)
{
    close(fd);
    unlink(file);
    rmdir(folder);
    g_free(file);
    g_free(folder);
}

static void set_up(void)
{
    folder = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    file = g_build_filename(folder, "x.conf", NULL);
    fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    atexit(tear_down);
}

static void put(const uint8_t *data, size_t size)
{
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    g_assert_cmpint(pwrite(fd, data, size, 0), ==, (gssize)size);
}

/* "FOLDER/x.conf:N: ..." */
static void check_error(const GError *error, guint lines)
{
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_true(g_str_has_prefix(error->message, file));

    const char *at = error->message + strlen(file);
    char *end = NULL;
    g_assert_cmpint(*at, ==, ':');
    guint64 line = g_ascii_strtoull(at + 1, &end, 10);
    g_assert_cmpuint(line, >=, 1);
    g_assert_cmpuint(line, <=, lines);
    g_assert_true(g_str_has_prefix(end, ": ") && end[2]);
}

static void use(const SealSettings *settings, const SealSetting *setting)
{
    const SealPlace *place = seal_settings_place(settings, setting->key);

    g_assert_true(!place || g_str_equal(place->file, file));
    switch (setting->type) {
    case SEAL_SETTING_BOOLEAN:
        seal_settings_boolean(settings, setting->key);
        break;
    case SEAL_SETTING_INTEGER:
    case SEAL_SETTING_SIZE:
    case SEAL_SETTING_DURATION:
        g_assert_cmpint(seal_settings_number(settings, setting->key), >=, 0);
        break;
    case SEAL_SETTING_LIST:
    case SEAL_SETTING_PATHS:
        for (const char *const *item = seal_settings_list(settings, setting->key); *item; item++)
            g_assert_true(g_utf8_validate(*item, -1, NULL));
        break;
    default:
        g_assert_true(place == NULL || seal_settings_string(settings, setting->key));
        break;
    }
}

static void check_table(const SealConfig *config, const char *name, const SealSetting *table,
                        guint lines)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealSettings) settings =
        seal_settings_new(name, seal_config_group(config, name), table, NULL, &error);

    if (!settings) {
        check_error(error, lines);
        return;
    }
    g_assert_no_error(error);
    for (const SealSetting *setting = table; setting->key; setting++)
        use(settings, setting);
}

static void check_config(const SealConfig *config, guint lines)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *groups = seal_config_groups(config);

    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);
        g_assert_true(seal_config_group(config, group->name) == group);
        g_assert_cmpuint(group->place.line, <=, lines);
    }
    if (!seal_tables_check_groups(config, &error))
        check_error(error, lines);
    check_table(config, "core", SEAL_TABLE_CORE, lines);
    check_table(config, "pipeline", SEAL_TABLE_PIPELINE, lines);
    check_table(config, "policy", SEAL_TABLE_POLICY, lines);
    check_table(config, "keyring", SEAL_TABLE_KEYRING, lines);
    check_table(config, "daemon", SEAL_TABLE_DAEMON, lines);
    check_table(config, "expiry", SEAL_TABLE_EXPIRY, lines);
    check_table(config, "module x", TABLE, lines);
}

static guint count_lines(const uint8_t *data, size_t size)
{
    guint lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' ? 1 : 0;
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    guint lines = count_lines(data, size);

    if (fd < 0)
        set_up();
    put(data, size);
    g_autoptr(SealConfig) config = seal_config_read(folder, &error);
    if (config)
        check_config(config, lines);
    else
        check_error(error, lines);
    return 0;
}
