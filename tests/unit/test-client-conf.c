/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client reads conf.d itself, before anybody else: as core does, wherever core takes it.
 */
#include "core/plugin/config.h"
#include "core/plugin/settings.h"
#include "core/plugin/tables.h"
#include "filters/client/conf.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

typedef struct {
    const char *name;
    const char *text;
} File;

static void write_files(const char *dir, const File *files)
{
    for (; files->name; files++) {
        g_autofree char *path = g_build_filename(dir, files->name, NULL);

        g_assert_true(g_file_set_contents(path, files->text, -1, NULL));
    }
}

static void remove_files(const char *dir, const File *files)
{
    for (; files->name; files++) {
        g_autofree char *path = g_build_filename(dir, files->name, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
    }
}

static void compare(const char *dir)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealConfig) config = seal_config_read(dir, &error);
    g_assert_no_error(error);
    g_autoptr(SealSettings) core =
        seal_settings_new("core", seal_config_group(config, "core"), SEAL_TABLE_CORE, NULL, &error);
    g_assert_no_error(error);
    SealClientConf conf;
    struct stat info;

    seal_client_conf_read(dir, &conf);
    g_assert_cmpstr(conf.run_dir, ==, seal_settings_string(core, "run_dir"));
    g_assert_cmpstr(conf.spool_dir, ==, seal_settings_string(core, "spool_dir"));
    g_assert_cmpuint(conf.spool_memory, ==, seal_settings_number(core, "spool_memory"));
    g_assert_cmpuint(conf.deadline, ==, seal_settings_number(core, "deadline"));
    g_assert_cmpint(stat(dir, &info), ==, 0);
    g_assert_cmpuint(conf.device, ==, info.st_dev);
    g_assert_cmpuint(conf.inode, ==, info.st_ino);
}

/* What core takes. */
static void test_as_core(void)
{
    static const File rows[][4] = {
        {{NULL, NULL}},
        {{"a.conf", "[core]\nrun_dir=/a\nspool_dir=/tmp\nspool_memory=2M\ndeadline=5m\n"}},
        {{"a.conf", "\n # x\n  [core]  \n\trun_dir =  /a b  \r\nspool_memory=0\ndeadline=1h\n"}},
        {{"a.conf",
          "[core]\nrun_dir=/a\\sb\\\\c\\;d\\t\n[policy]\n[rule run_dir]\nmatch_sender=*\n"}},
        {{"a.conf", "[core]\nrun_dir=/a\n"}, {"b.conf", "[core]\nrun_dir=/b\n"}},
        {{"b.conf", "[core]\nrun_dir=/b\n"}, {"B.conf", "[core]\nrun_dir=/B\n"}},
        {{"9.conf", "[core]\nrun_dir=/9\n"}, {"10.conf", "[core]\nrun_dir=/10\n"}},
        {{"a.conf", "[core]\nrun_dir=/a\n"},
         {".z.conf", "[core]\nrun_dir=/z\n"},
         {"z.conf~", "[core]\nrun_dir=/z\n"}},
        {{"a.conf", "[policy]\nreport_subject=run_dir=/x\n[core]\nrun_dir=/a\n#run_dir=/b\n"}},
        {{"a.conf", "[core]\nrun_dir=/a=b\n"}, {"b.conf", "[module run_dir]\nenabled=false\n"}},
        {{"a.conf", "[core]\nspool_memory=512K\ndeadline=90\n"}},
        {{"a.conf", "[core]\nspool_memory=4096\ndeadline=2s\nrun_dir=/x"}},
    };
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        write_files(dir, rows[i]);
        compare(dir);
        remove_files(dir, rows[i]);
    }
    g_rmdir(dir);
}

/* What it does not take: the presets, or what else stands there; nothing is followed or waited for.
 */
static void test_unsound(void)
{
    static const File files[] = {
        {"a.conf", "[core\nrun_dir=/no\n]core]\nrun_dir=/no\n[core]x\nrun_dir=/no\n"},
        {"b.conf", "run_dir=/no\n[Core]\nrun_dir=/no\n[core]\nrun_dir\ndeadline=soon\n"
                   "spool_memory=-1\nspool_dir=/no\\x\n"},
        {NULL, NULL}};
    g_autofree char *dir = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    g_autofree char *fifo = g_build_filename(dir, "c.conf", NULL);
    g_autofree char *folder = g_build_filename(dir, "d.conf", NULL);
    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    SealClientConf conf;

    write_files(dir, files);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    seal_client_conf_read(dir, &conf);
    g_assert_cmpstr(conf.run_dir, ==, "/run/sealpipe");
    g_assert_cmpstr(conf.spool_dir, ==, "/var/tmp");
    g_assert_cmpuint(conf.spool_memory, ==, 1 << 20);
    g_assert_cmpuint(conf.deadline, ==, 60);
    g_assert_cmpuint(conf.inode, !=, 0);
    remove_files(dir, files);
    g_unlink(fifo);
    g_rmdir(folder);
    seal_client_conf_read(missing, &conf);
    g_assert_cmpuint(conf.inode, ==, 0);
    g_assert_cmpstr(conf.run_dir, ==, "/run/sealpipe");
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client-conf/as-core", test_as_core);
    g_test_add_func("/client-conf/unsound", test_unsound);
    return g_test_run();
}
