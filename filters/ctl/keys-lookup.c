/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys-lookup.c: `sealctl keys lookup`: which key a message would be encrypted to, and why by no
 * other.
 */
#include "filters/ctl/keys.h"

int ctl_keys_lookup(const CtlOptions *options, int argc, char **argv, SealOut *out, GError **error)
{
    g_auto(CtlOpened) opened = {.kept = {-1, -1}};
    gboolean found = FALSE;
    char **words = NULL;

    if (!ctl_parse_words(argc, argv, NULL, 1, 1, &words, error))
        return CTL_USAGE;
    if (!ctl_keys_open(&opened, options, error) ||
        !seal_dispatcher_lookup_keys(opened.dispatcher, *words, out, &found, error))
        return CTL_PROBLEM;
    if (found)
        return CTL_OK;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY, "no key would be used for %s", *words);
    return CTL_PROBLEM;
}
