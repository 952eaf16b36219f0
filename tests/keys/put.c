/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * put.c: has the key source SOURCE of the configuration CONF keep the keys in the files:
 * put CONF SOURCE FORMAT FILE... It prints how many were not there, or why that failed.
 */
#include "core/frontend.h"

#include <stdio.h>

static gboolean read_file(SealModule *module, const char *format, const char *path, GPtrArray *keys,
                          GError **error)
{
    const SealOrigin origin = {
        .size = sizeof origin, .source = "put", .place = path, .trust = SEAL_TRUST_MANUAL};
    g_autofree char *data = NULL;
    gsize size;

    if (!g_file_get_contents(path, &data, &size, error))
        return FALSE;
    g_autoptr(GBytes) octets = g_bytes_new(data, size);
    return seal_module_read_keys(module, format, octets, &origin, keys, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealDispatcher) dispatcher =
        argc > 4 ? seal_dispatcher_new(argv[1], g_getenv("SEALPIPE_MODULES"), &error) : NULL;
    SealModule *module = NULL;
    const SealSource *source =
        dispatcher ? seal_dispatcher_source(dispatcher, argv[2], &module) : NULL;
    gboolean ok = source && source->put;
    guint added = 0;

    for (int i = 4; i < argc && ok; i++)
        ok = read_file(module, argv[3], argv[i], keys, &error);
    if (ok && source->put(module, keys, &added, &error))
        printf("added %u\n", added);
    else
        printf("error: %s\n", error ? error->message : "there is no such source");
    return 0;
}
