/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mime.c: structured field values through GMime.
 */
#include "core/mail/mime.h"

#include <gmime/gmime.h>
#include <string.h>

enum {
    MAX_CONTENT_TYPE = 64 * 1024,
};

static void init_once(void)
{
    static gsize done = 0;

    if (g_once_init_enter(&done)) {
        g_mime_init();
        g_once_init_leave(&done, 1);
    }
}

void seal_mime_content_type(const char *value, char **type, GHashTable **parameters)
{
    *type = g_strdup("text/plain");
    *parameters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!value || strlen(value) > MAX_CONTENT_TYPE)
        return;

    init_once();
    GMimeContentType *parsed = g_mime_content_type_parse(NULL, value);
    if (!parsed)
        return;
    g_autofree char *mime = g_mime_content_type_get_mime_type(parsed);
    g_free(*type);
    *type = g_ascii_strdown(mime, -1);

    GMimeParamList *list = g_mime_content_type_get_parameters(parsed);
    for (int i = 0; i < g_mime_param_list_length(list); i++) {
        GMimeParam *param = g_mime_param_list_get_parameter_at(list, i);
        char *name = g_ascii_strdown(g_mime_param_get_name(param), -1);

        /* The first one counts, as it does for most readers. */
        if (g_hash_table_contains(*parameters, name))
            g_free(name);
        else
            g_hash_table_insert(*parameters, name, g_strdup(g_mime_param_get_value(param)));
    }
    g_object_unref(parsed);
}

char *seal_mime_encode(const char *text)
{
    init_once();

    return g_mime_utils_header_encode_text(NULL, text, "UTF-8");
}
