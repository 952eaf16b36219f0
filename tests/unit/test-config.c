/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-config.c: conf.d and typed settings; every error names file and line.
 */
#include "core/base/owner.h"
#include "core/plugin/config.h"
#include "core/plugin/settings.h"
#include "core/plugin/tables.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *dir;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        unlink(path);
    }
    rmdir(f->dir);
    g_free(f->dir);
}

static void put(Fixture *f, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(f->dir, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    chmod(path, 0644);
}

static SealConfig *read_dir(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    SealConfig *config = seal_config_read(f->dir, &error);

    g_assert_no_error(error);
    return config;
}

static void test_merge(Fixture *f, gconstpointer data)
{
    put(f, "20-b.conf", "[policy]\nformats=pgp\n");
    put(f, "10-a.conf", "# comment\n\n  [policy]  \n encrypt =  never \nformats=smime;pgp\n");
    put(f, "ignored.txt", "nonsense");
    put(f, ".hidden.conf", "nonsense");

    g_autoptr(SealConfig) config = read_dir(f);
    g_autoptr(SealSettings) policy = seal_settings_new(
        "policy", seal_config_group(config, "policy"), SEAL_TABLE_POLICY, NULL, NULL);
    g_assert_cmpstr(seal_settings_string(policy, "encrypt"), ==, "never");
    g_assert_cmpuint(g_strv_length((char **)seal_settings_list(policy, "formats")), ==, 1);
    g_assert_cmpstr(seal_settings_list(policy, "formats")[0], ==, "pgp");
    g_assert_cmpuint(seal_settings_place(policy, "encrypt")->line, ==, 4);
    g_assert_true(g_str_has_suffix(seal_settings_place(policy, "formats")->file, "20-b.conf"));
    g_assert_null(seal_settings_place(policy, "fallback"));
    g_assert_cmpstr(seal_settings_string(policy, "fallback"), ==, "refuse");
}

static char *digest_dir(Fixture *f)
{
    g_autoptr(SealConfig) config = read_dir(f);

    return seal_config_digest(config);
}

static void test_digest(Fixture *f, gconstpointer data)
{
    static const char *const others[] = {
        "[policy]\nencrypt=never\n[rule b]\n[rule a]\nsign=never\n",
        "[policy]\nencrypt=never\n[rule c]\nsign=never\n[rule b]\n",
        "[policy]\nencrypt=never\n[rule a]\nsign=required\n[rule b]\n",
        "[policy]\nencrypt=never\nsign=never\n[rule a]\n[rule b]\n",
        "[policy]\nencrypt=never\n[rule a]\nsign=never\n",
        "[policy]\n[rule a]\nsign=never\n[rule b]\n",
    };
    const char *same = "# comment\n[policy]\nencrypt = never\n\n[rule a]\nsign=never\n[rule b]\n";

    put(f, "10-a.conf", "[policy]\nencrypt=never\n");
    put(f, "20-b.conf", "[rule a]\nsign=never\n[rule b]\n");
    g_autofree char *digest = digest_dir(f);
    put(f, "10-a.conf", same);
    put(f, "20-b.conf", "");
    g_autofree char *again = digest_dir(f);
    g_assert_cmpstr(again, ==, digest);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        put(f, "10-a.conf", others[i]);
        g_autofree char *other = digest_dir(f);
        g_test_message("%s", others[i]);
        g_assert_cmpstr(other, !=, digest);
    }
}

static void test_empty(Fixture *f, gconstpointer data)
{
    g_autoptr(SealConfig) config = read_dir(f);

    g_assert_cmpuint(seal_config_groups(config)->len, ==, 0);
}

static void test_missing_folder(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(seal_config_read("/nonexistent/conf.d", &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/conf.d"));
}

static void test_syntax_errors(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *where;
        const char *what;
    } rows[] = {
        {"[core]\nnonsense\n", "x.conf:2:", "KEY=VALUE"},
        {"a=b\n", "x.conf:1:", "first [GROUP]"},
        {"[core\n", "x.conf:1:", "[NAME]"},
        {"[]\n", "x.conf:1:", "[NAME]"},
        {"[core] x\n", "x.conf:1:", "[NAME]"},
        {"[core]\n[policy]\n[core]\n", "x.conf:3:", "twice"},
        {"[core]\nenabled=true\nenabled=true\n", "x.conf:3:", "twice"},
        {"[core]\nen abled=true\n", "x.conf:2:", "name of a setting"},
        {"[core]\n\n\nx=\xff\n", "x.conf:4:", "UTF-8"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        put(f, "x.conf", rows[i].text);
        g_assert_null(seal_config_read(f->dir, &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, rows[i].where));
        g_assert_nonnull(strstr(error->message, rows[i].what));
    }
}

static void test_writable_by_others(Fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(f->dir, "x.conf", NULL);
    g_autoptr(GError) error = NULL;

    put(f, "x.conf", "[core]\n");
    chmod(path, 0666);
    g_assert_null(seal_config_read(f->dir, &error));
    g_assert_nonnull(strstr(error->message, "written by others"));

    /* Who can add a file can say what he likes. */
    g_clear_error(&error);
    chmod(path, 0644);
    chmod(f->dir, 0777);
    seal_owner_forget();
    g_assert_null(seal_config_read(f->dir, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, f->dir));
}

static void test_fifo(Fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(f->dir, "x.conf", NULL);

    g_assert_cmpint(mkfifo(path, 0644), ==, 0);
    g_assert_null(seal_config_read(f->dir, NULL));
}

/* -------------------------------------------------------------------------------------------
 * Values
 */

static const SealSetting TABLE[] = {
    {"flag", SEAL_SETTING_BOOLEAN, "true"},
    {"count", SEAL_SETTING_INTEGER, "5", "1..10"},
    {"size", SEAL_SETTING_SIZE, "1M", "1K..2G"},
    {"time", SEAL_SETTING_DURATION, "60s", "1s..1d"},
    {"word", SEAL_SETTING_CHOICE, "one", "one|two|three", "three"},
    {"list", SEAL_SETTING_LIST, "a;b"},
    {"text", SEAL_SETTING_STRING, NULL},
    {"future", SEAL_SETTING_STRING, "x", .later = "*"},
    {"path", SEAL_SETTING_PATH},
    {"paths", SEAL_SETTING_PATHS, .words = "mail|all"},
    {"secret", SEAL_SETTING_SECRET},
    {NULL},
};

static SealSettings *settings_of(Fixture *f, SealConfig **config, const char *lines, GError **error)
{
    g_autofree char *text = g_strconcat("[g]\n", lines, "\n", NULL);

    put(f, "x.conf", text);
    *config = read_dir(f);
    return seal_settings_new("g", seal_config_group(*config, "g"), TABLE, NULL, error);
}

static void test_values(Fixture *f, gconstpointer data)
{
    g_autoptr(SealConfig) config = NULL;
    g_autoptr(SealSettings) s =
        settings_of(f, &config,
                    "flag=false\ncount=10\nsize=2G\ntime=5m\nword=two\nlist= x ;y\\;z;;\n"
                    "text=a\\tb\\sc\npath=/\npaths=/tmp;mail;/\nfuture=x",
                    NULL);

    g_assert_false(seal_settings_boolean(s, "flag"));
    g_assert_cmpint(seal_settings_number(s, "count"), ==, 10);
    g_assert_cmpint(seal_settings_number(s, "size"), ==, G_GINT64_CONSTANT(2147483648));
    g_assert_cmpint(seal_settings_number(s, "time"), ==, 5 * 60);
    g_assert_cmpstr(seal_settings_string(s, "word"), ==, "two");
    g_assert_cmpstr(seal_settings_list(s, "list")[0], ==, "x");
    g_assert_cmpstr(seal_settings_list(s, "list")[1], ==, "y;z");
    g_assert_null(seal_settings_list(s, "list")[2]);
    g_assert_cmpstr(seal_settings_string(s, "text"), ==, "a\tb c");
    g_assert_cmpstr(seal_settings_list(s, "paths")[1], ==, "/");
    g_assert_null(seal_settings_list(s, "paths")[2]);
    g_assert_true(seal_settings_has_word(s, "paths", "mail"));
    g_assert_false(seal_settings_has_word(s, "paths", "all"));
}

static void test_presets(Fixture *f, gconstpointer data)
{
    g_autoptr(SealSettings) s = seal_settings_new("g", NULL, TABLE, NULL, NULL);

    g_assert_true(seal_settings_boolean(s, "flag"));
    g_assert_cmpint(seal_settings_number(s, "size"), ==, 1048576);
    g_assert_cmpstr(seal_settings_list(s, "list")[1], ==, "b");
    g_assert_null(seal_settings_string(s, "text"));
    g_assert_null(seal_settings_list(s, "paths")[0]);
    g_assert_false(seal_settings_has_word(s, "paths", "mail"));
}

static void test_value_errors(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *line;
        const char *what;
    } rows[] = {
        {"flag=yes", "neither true nor false"},
        {"flag=", "neither true nor false"},
        {"count=x", "not a whole number"},
        {"count=-1", "not a whole number"},
        {"count=0", "out of range, which is 1..10"},
        {"count=11", "out of range"},
        {"count=99999999999999999999", "not a whole number"},
        {"size=1X", "not a size"},
        {"size=1KB", "not a size"},
        {"size=1", "out of range"},
        {"size=9999999999G", "not a size"},
        {"time=0s", "out of range"},
        {"time=1w", "not a time"},
        {"word=four", "none of one, two, three"},
        {"word=three", "no effect in this version yet"},
        {"future=y", "no effect in this version yet"},
        {"text=\\d", "behind a backslash stands none of"},
        {"list=a\\q", "behind a backslash stands none of"},
        {"path=relative", "not an absolute path"},
        {"path=/nonexistent/file", "No such file"},
        {"paths=/;/nonexistent/file", "No such file"},
        {"paths=mail;Mail", "\"Mail\" is not an absolute path"},
        {"secret=/etc/passwd", "others can read"},
        {"unknown=1", "[g] has no setting \"unknown\""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strconcat("# one\n# two\n", rows[i].line, NULL);
        g_autoptr(SealConfig) config = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(SealSettings) s = settings_of(f, &config, lines, &error);

        g_assert_null(s);
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, "x.conf:4: "));
        g_assert_nonnull(strstr(error->message, rows[i].what));
    }
}

static void test_unknown_groups(Fixture *f, gconstpointer data)
{
    static const char *const rows[] = {"[cor]", "[rules x]", "[Policy]", "[modulex]"};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strconcat("[core]\n\n", rows[i], "\n", NULL);
        g_autoptr(GError) error = NULL;

        put(f, "x.conf", text);
        g_autoptr(SealConfig) config = read_dir(f);
        g_assert_false(seal_tables_check_groups(config, &error));
        g_assert_nonnull(strstr(error->message, "x.conf:3: "));
    }
}

/* A preset that its own table refuses would be found only by the first user. */
static void test_tables(Fixture *f, gconstpointer data)
{
    const SealSetting *const tables[] = {SEAL_TABLE_CORE,  SEAL_TABLE_PIPELINE, SEAL_TABLE_POLICY,
                                         SEAL_TABLE_RULE,  SEAL_TABLE_KEYRING,  SEAL_TABLE_DAEMON,
                                         SEAL_TABLE_EXPIRY};

    for (guint i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SealSettings) s = seal_settings_new("g", NULL, tables[i], NULL, &error);

        g_assert_no_error(error);
        for (const SealSetting *row = tables[i]; row->key; row++)
            g_assert_true(row->help && g_str_has_suffix(row->help, "."));
    }
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/config/merge", test_merge);
    ADD("/config/digest", test_digest);
    ADD("/config/empty", test_empty);
    ADD("/config/missing-folder", test_missing_folder);
    ADD("/config/syntax-errors", test_syntax_errors);
    ADD("/config/writable-by-others", test_writable_by_others);
    ADD("/config/fifo", test_fifo);
    ADD("/config/unknown-groups", test_unknown_groups);
    ADD("/config/tables", test_tables);
    ADD("/settings/values", test_values);
    ADD("/settings/presets", test_presets);
    ADD("/settings/errors", test_value_errors);
    return g_test_run();
}
