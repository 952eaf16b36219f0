/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.c: what gpg reads for the whole system, whatever its home is. No switch turns that off.
 * The recipients that encrypt-to adds are left out by a flag of each call; whatever else changes
 * what is made is found when that is looked at. Both are named, so that nobody has to guess.
 */
#include "options.h"

#include <string.h>

enum {
    MAX_FILE = 256 * 1024,
    MAX_NAMED = 10,
};

/* These change neither what is made nor for whom, nor which keys are there. */
static const char *const HARMLESS[] = {"auto-check-trustdb",
                                       "auto-key-locate",
                                       "cert-digest-algo",
                                       "charset",
                                       "default-cert-expire",
                                       "default-keyserver-url",
                                       "default-preference-list",
                                       "display-charset",
                                       "fixed-list-mode",
                                       "import-options",
                                       "export-options",
                                       "keyid-format",
                                       "keyserver",
                                       "keyserver-options",
                                       "list-options",
                                       "no-auto-check-trustdb",
                                       "no-auto-key-locate",
                                       "no-comments",
                                       "no-emit-version",
                                       "no-greeting",
                                       "no-symkey-cache",
                                       "personal-cipher-preferences",
                                       "personal-compress-preferences",
                                       "personal-digest-preferences",
                                       "require-cross-certification",
                                       "tofu-default-policy",
                                       "use-agent",
                                       "utf8-strings",
                                       "verify-options",
                                       "weak-digest",
                                       "with-fingerprint",
                                       "with-keygrip",
                                       "with-subkey-fingerprint",
                                       NULL};

static const char *const FILES[] = {"gpg.conf", "common.conf"};

/* The name of the option that stands in @line, or NULL. (transfer full) */
static char *option_name(const char *line)
{
    line += strspn(line, " \t");
    if (*line == '#' || *line == '[')
        return NULL;
    line += g_str_has_prefix(line, "--") ? 2 : 0;
    gsize length = strcspn(line, " \t\r=");
    return length > 0 ? seal_text_line(line, length, 40) : NULL;
}

static void read_lines(const char *path, const char *text, GPtrArray *found)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] && found->len < MAX_NAMED; i++) {
        g_autofree char *name = option_name(lines[i]);

        if (name && !g_strv_contains(HARMLESS, name))
            g_ptr_array_add(found, g_strdup_printf("%s (%s, line %u)", name, path, i + 1));
    }
}

char *pgp_options_describe(const char *folder)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *path = g_build_filename(folder, FILES[i], NULL);
        g_autoptr(GBytes) data = seal_file_read(path, MAX_FILE, NULL);
        gsize size = 0;
        const char *octets = data ? g_bytes_get_data(data, &size) : NULL;
        g_autofree char *text = g_strndup(octets ? octets : "", size);

        read_lines(path, text, found);
    }
    if (found->len == 0)
        return NULL;
    g_ptr_array_add(found, NULL);
    return g_strjoinv(", ", (char **)found->pdata);
}

void pgp_options_blame(const char *folder, GError **error)
{
    g_autofree char *options = error && *error ? pgp_options_describe(folder) : NULL;

    if (!options)
        return;
    g_autofree char *text = g_strdup_printf("%s; gpg obeys options for the whole system: %s",
                                            (*error)->message, options);
    g_free((*error)->message);
    (*error)->message = g_steal_pointer(&text);
}
