/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * clock.c: the time and the machine. Only a program that links another file in its place sees
 * others.
 */
#include "license.h"

#include <string.h>

gint64 license_now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

char *license_machine(void)
{
    char *text = NULL;

    if (!g_file_get_contents("/etc/machine-id", &text, NULL, NULL))
        return g_strdup("");
    return g_strstrip(text);
}
