/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * smime.c: opens a dispatcher with the module smime, or the one that FUZZ_FORMAT names, for the
 * targets that go through it.
 */
#include "fuzz.h"

#include <glib/gstdio.h>
#include <stdlib.h>

#ifndef FUZZ_FORMAT
#define FUZZ_FORMAT "smime"
#endif

static char *top; /* configuration, anchor and a copy of the module */

static char *put(const char *from, const char *name, int mode)
{
    g_autofree char *to = g_build_filename(top, name, NULL);
    g_autofree char *data = NULL;
    gsize length = 0;

    g_assert_true(g_file_get_contents(from, &data, &length, NULL));
    g_assert_true(g_file_set_contents(to, data, (gssize)length, NULL));
    g_assert_cmpint(g_chmod(to, mode), ==, 0);
    return g_steal_pointer(&to);
}

static void remove_top(void)
{
    static const char *const names[] = {
        "modules/" FUZZ_FORMAT ".so", "modules", "ca.pem", "conf/x.conf", "conf", "log", ""};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(top, names[i], NULL);
        g_remove(path);
    }
    g_clear_pointer(&top, g_free);
}

/* The module is copied, since a dispatcher refuses a folder that others could write. */
static void set_up(void)
{
    top = g_dir_make_tmp("sealpipe-XXXXXX", NULL);
    g_autofree char *modules = g_build_filename(top, "modules", NULL);
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    g_autofree char *file = g_build_filename(conf, "x.conf", NULL);
    gboolean anchored = g_str_equal(FUZZ_FORMAT, "smime");
    g_autofree char *text = g_strdup_printf(
        "[core]\nlog_target=%s/log\n[policy]\nformats=" FUZZ_FORMAT "\n[pipeline]\n"
        "outbound=" FUZZ_FORMAT "\n[module " FUZZ_FORMAT "]\n%s%s%s\n",
        top, anchored ? "trust_anchors=" : "", anchored ? top : "", anchored ? "/ca.pem" : "");

    g_mkdir(modules, 0755);
    g_mkdir(conf, 0755);
    g_free(put(FUZZ_MODULES "/" FUZZ_FORMAT ".so", "modules/" FUZZ_FORMAT ".so", 0755));
    g_free(put(FUZZ_SEEDS "/keys/ca.pem", "ca.pem", 0644));
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    g_chmod(file, 0644);
    atexit(remove_top);
}

void fuzz_smime_open(FuzzSmime *smime)
{
    g_autoptr(GError) error = NULL;

    if (!top)
        set_up();
    g_autofree char *modules = g_build_filename(top, "modules", NULL);
    g_autofree char *conf = g_build_filename(top, "conf", NULL);
    smime->dispatcher = seal_dispatcher_new(conf, modules, &error);
    g_assert_no_error(error);
    smime->format = seal_dispatcher_format(smime->dispatcher, FUZZ_FORMAT, &smime->module);
    g_assert_nonnull(smime->format);
}

void fuzz_smime_close(FuzzSmime *smime)
{
    seal_dispatcher_free(smime->dispatcher);
    *smime = (FuzzSmime){0};
}
