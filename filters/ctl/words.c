/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.c: the command line of a command.
 */
#include "filters/ctl/ctl.h"

int ctl_misuse(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(SEAL_ERROR, SEAL_ERROR_FAILED, format, args);
    va_end(args);
    return CTL_USAGE;
}

gboolean ctl_parse_words(int argc, char **argv, const GOptionEntry *entries, guint least,
                         guint most, char ***words, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_help_enabled(context, FALSE);
    if (entries)
        g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;

    char **rest = argv + 1;
    if (*rest && g_str_equal(*rest, "--"))
        rest++;
    guint count = g_strv_length(rest);
    if (count < least || count > most) {
        ctl_misuse(error, "%s", count < least ? "something is missing" : "too many words");
        return FALSE;
    }
    *words = rest;
    return TRUE;
}
