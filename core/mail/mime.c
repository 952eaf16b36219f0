/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mime.c: structured field values through GMime.
 */
#include "core/mail/mime.h"

#include <gmime/gmime.h>
#include <string.h>

enum {
    MAX_CONTENT_TYPE = 64 * 1024,
    MAX_ADDRESSES = 10000,
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

char *seal_mime_decode(const char *value)
{
    init_once();

    g_autofree char *text = g_mime_utils_header_decode_text(NULL, value);
    return g_utf8_make_valid(text ? text : "", -1);
}

char *seal_mime_encode(const char *text)
{
    init_once();

    return g_mime_utils_header_encode_text(NULL, text, "UTF-8");
}

static gboolean collect_addresses(InternetAddressList *list, GPtrArray *addresses, guint depth,
                                  GError **error)
{
    for (int i = 0; i < internet_address_list_length(list); i++) {
        InternetAddress *item = internet_address_list_get_address(list, i);

        if (addresses->len >= MAX_ADDRESSES) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d addresses in the header",
                        MAX_ADDRESSES);
            return FALSE;
        }
        if (INTERNET_ADDRESS_IS_MAILBOX(item)) {
            const char *text = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(item));
            SealAddress *address = text ? seal_address_parse(text, NULL) : NULL;

            if (address)
                g_ptr_array_add(addresses, address);
        } else if (INTERNET_ADDRESS_IS_GROUP(item) && depth == 0) {
            /* RFC 5322 has no groups within groups. */
            if (!collect_addresses(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(item)),
                                   addresses, depth + 1, error))
                return FALSE;
        }
    }
    return TRUE;
}

gboolean seal_mime_addresses(const char *value, GPtrArray *addresses, GError **error)
{
    init_once();

    InternetAddressList *list = internet_address_list_parse(NULL, value);
    if (!list)
        return TRUE;
    gboolean ok = collect_addresses(list, addresses, 0, error);
    g_object_unref(list);
    return ok;
}
