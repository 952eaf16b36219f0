/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * modules.c: what is installed. Each module is opened in a child, which it may crash.
 */
#include "filters/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ANSWER = 8192 };

static void add_names(GString *list, const char *kind, gconstpointer const *tables, gsize at)
{
    for (guint i = 0; tables && tables[i] && i < 64; i++) {
        const char *name = *(const char *const *)((const guint8 *)tables[i] + at);
        g_string_append_printf(list, "%s%s %s", list->len ? ", " : "", kind, name);
    }
}

#define ADD(list, kind, tables, type)                                                              \
    add_names(list, kind, (gconstpointer const *)(tables), offsetof(type, name))

static char *offers_of(const SealModuleDescriptor *module)
{
    GString *list = g_string_new(NULL);

    ADD(list, "stage", module->stages, SealStage);
    ADD(list, "format", module->formats, SealFormat);
    ADD(list, "source", module->sources, SealSource);
    ADD(list, "check", module->checks, SealCheck);
    ADD(list, "command", module->commands, SealCommand);
    return g_string_free(list, FALSE);
}

/* In the child: three lines, or a first one that is empty and the reason. */
static void describe_module(const char *name, int fd)
{
    g_autoptr(GError) error = NULL;
    const SealModuleDescriptor *module = seal_module_peek(NULL, name, &error);
    g_autofree char *offers = module ? offers_of(module) : NULL;
    g_autofree char *text =
        module ? g_strdup_printf("%s\n%s\n%s\n", module->version, module->summary, offers)
               : g_strdup_printf("\n%s\n", error->message);

    if (!seal_fd_write(fd, text, strlen(text)))
        _exit(1);
}

/* (transfer full) What a child says of the module; "" where it could not. */
static char *ask_child(const char *name)
{
    char *text = g_malloc0(MAX_ANSWER + 1);
    int fds[2];

    if (pipe(fds) < 0)
        return text;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        describe_module(name, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    if (child > 0)
        seal_fd_read(fds[0], text, MAX_ANSWER);
    /* First, since a child with more to say would wait for us. */
    close(fds[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return text;
}

int ctl_modules(const CtlOptions *options G_GNUC_UNUSED, int argc G_GNUC_UNUSED,
                char **argv G_GNUC_UNUSED, SealOut *out, GError **error)
{
    g_autoptr(GPtrArray) names = seal_module_names(NULL, error);
    int status = CTL_OK;

    if (!names)
        return CTL_PROBLEM;
    seal_out_list(out, "modules");
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *text = ask_child(name);
        g_auto(GStrv) lines = g_strsplit(text, "\n", 4);
        guint count = g_strv_length(lines);
        gboolean usable = count == 4 && *lines[0];

        seal_out_row(out, "modules");
        seal_out_text(out, "module", "%s", name);
        seal_out_text(out, "version", "%s", usable ? lines[0] : "");
        seal_out_text(out, "summary", "%s", count > 1 ? lines[1] : "it crashes when it is opened");
        seal_out_text(out, "offers", "%s", usable ? lines[2] : "");
        seal_out_boolean(out, "usable", usable);
        seal_out_end_row(out);
        status = usable ? status : CTL_PROBLEM;
    }
    return status;
}
