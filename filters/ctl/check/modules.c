/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * modules.c: what the enabled modules say of themselves. They find for other topics, too: anchors,
 * keys, what signs.
 */
#include "filters/ctl/check/check.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

/* -------------------------------------------------------------------------------------------
 * What is installed
 */

/* The folder that this build's modules are in. (transfer full) */
static char *module_folder(void)
{
    const char *folder = g_getenv("SEALPIPE_MODULES");

    return g_strdup(folder ? folder : SEAL_MODULE_DIR);
}

static void look_for_others(CheckRun *run, const char *name, const char *path)
{
    static const char *const folders[] = {
        "/usr/lib/sealpipe/modules", "/usr/lib/*/sealpipe/modules",
        "/usr/local/lib/sealpipe/modules", "/usr/local/lib/*/sealpipe/modules"};
    struct stat used, other;

    for (guint i = 0; i < G_N_ELEMENTS(folders) && stat(path, &used) == 0; i++) {
        g_autofree char *pattern = g_strdup_printf("%s/%s.so", folders[i], name);
        glob_t found = {0};
        gboolean any = glob(pattern, 0, NULL, &found) == 0;

        for (gsize f = 0; any && f < found.gl_pathc; f++) {
            if (stat(found.gl_pathv[f], &other) != 0 ||
                (other.st_dev == used.st_dev && other.st_ino == used.st_ino))
                continue;
            check_put(run, CHECK_WARNING, "modules",
                      "remove the one that is not wanted, so that an upgrade changes what is used",
                      "%s is installed twice: %s is used, and %s is not", name, path,
                      found.gl_pathv[f]);
        }
        globfree(&found);
    }
}

/* What it enables that has been removed stops all mail. */
static void look_for_file(CheckRun *run, const char *name, const char *file)
{
    g_autofree char *folder = module_folder();
    g_autofree char *base = g_strconcat(name, ".so", NULL);
    g_autofree char *path = g_build_filename(folder, base, NULL);
    g_autofree char *remedy = NULL;
    struct stat st;

    if (stat(path, &st) == 0) {
        look_for_others(run, name, path);
        return;
    }
    if (errno != ENOENT)
        return;
    remedy = g_strdup_printf("install it again (on Debian: apt install --reinstall sealpipe-%s, or "
                             "sealpipe where there is no such package), or take [module %s] out "
                             "of %s",
                             name, name, file);
    check_explain_path(run, "modules", path);
    check_put(run, CHECK_PROBLEM, "modules", remedy,
              "%s enables the module %s, and there is no %s: all mail waits", file, name, path);
}

static void look_at_group(const char *group, const SealSetting *setting, const char *file,
                          gpointer user_data)
{
    if (!setting && g_str_has_prefix(group, "module "))
        look_for_file(user_data, group + strlen("module "), file);
}

/* Of another build than this program: one was upgraded, and the other not. */
static void look_at_version(CheckRun *run, const char *name)
{
    static const char *const ours[] = {"smime",     "pgp",       "sign",       "license",
                                       "keys-file", "keys-ldap", "keys-store", NULL};
    const SealModuleDescriptor *module =
        g_strv_contains(ours, name) ? seal_module_peek(NULL, name, NULL) : NULL;

    if (module && !g_str_equal(module->version, SEALPIPE_VERSION))
        check_put(run, CHECK_WARNING, "modules",
                  "install the same version of all packages, then restart sealpiped",
                  "%s is of version %s, and sealctl of " SEALPIPE_VERSION, name, module->version);
}

static void look_at_versions(const char *group, const SealSetting *setting,
                             G_GNUC_UNUSED const char *file, gpointer user_data)
{
    if (!setting && g_str_has_prefix(group, "module "))
        look_at_version(user_data, group + strlen("module "));
}

static void look_at_installed(CheckRun *run, G_GNUC_UNUSED gpointer data)
{
    seal_config_visit(check_conf_dir(run), look_at_group, run, NULL);
    seal_config_visit(check_conf_dir(run), look_at_versions, run, NULL);
}

/* Modules are opened for it, in a child. */
void check_installed(CheckRun *run)
{
    check_in_child(run, "modules", look_at_installed, NULL);
}

/* -------------------------------------------------------------------------------------------
 * What they say
 */

static void put_finding(CheckRun *run, const SealFinding *finding)
{
    static const CheckState states[] = {
        [SEAL_FINDING_OK] = CHECK_OK,
        [SEAL_FINDING_WARNING] = CHECK_WARNING,
        [SEAL_FINDING_PROBLEM] = CHECK_PROBLEM,
    };
    gboolean is_named = *finding->check && g_str_equal(finding->topic, "modules");

    check_put(run, states[finding->state], finding->topic,
              *finding->remedy ? finding->remedy : NULL, "%s%s%s", is_named ? finding->check : "",
              is_named ? ": " : "", finding->text);
}

static void append_name(const char *group, const SealSetting *setting,
                        G_GNUC_UNUSED const char *file, gpointer user_data)
{
    GString *names = user_data;

    if (!setting)
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "",
                               group + strlen("module "));
}

/* (transfer full) */
static char *name_modules(const char *conf_dir)
{
    GString *names = g_string_new(NULL);

    seal_config_visit(conf_dir, append_name, names, NULL);
    return g_string_free(names, FALSE);
}

void check_modules(CheckRun *run)
{
    g_autoptr(SealOut) out = seal_out_new();
    GPtrArray *findings = seal_out_findings(out);
    g_autofree char *names = name_modules(check_conf_dir(run));

    seal_dispatcher_check_modules(check_dispatcher(run), out);
    for (guint i = 0; i < findings->len; i++)
        put_finding(run, g_ptr_array_index(findings, i));
    if (!check_has_trouble(run, "modules"))
        check_put(run, CHECK_OK, "modules", NULL, "%s: ready", names);
}
