/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * lookup.c: what people are told of all keys for an address.
 */
#include "core/pipeline/dispatcher.h"

gboolean seal_dispatcher_lookup_keys(SealDispatcher *self, const char *address, SealOut *out,
                                     gboolean *found, GError **error)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED, "keys for %s cannot be shown yet",
                address);
    return FALSE;
}
