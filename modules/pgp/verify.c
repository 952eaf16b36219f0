/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify.c: verifies a signature in clear (RFC 3156 5) with the keys that its author is known to
 * have. What micalg says does not matter: the signature says itself how it was made.
 */
#include "pgp.h"

enum { MAX_SIGNATURES = 128 * 1024 /* octets of armour */ };

/* gpg would take none of them where one is of a version that it does not know. */
static GPtrArray *find_supported(GPtrArray *keys)
{
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; i < keys->len; i++) {
        const PgpKey *native = seal_key_native(g_ptr_array_index(keys, i));

        if (!native->unsupported)
            g_ptr_array_add(found, g_ptr_array_index(keys, i));
    }
    return found;
}

gboolean pgp_verify(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                    GPtrArray *signers, char **why, GError **error)
{
    PgpModule *module = seal_module_data(self);
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts = NULL;

    g_autoptr(GPtrArray) keys = find_supported(verifying->keys);
    if (keys->len == 0) {
        *why = g_strdup("no OpenPGP key of the author is known here that could have made it");
        return TRUE;
    }
    if (!seal_entity_parts(verifying->entity, &parts, error))
        return FALSE;
    if (parts->len != 2) {
        *why = g_strdup("it is no PGP/MIME signature");
        return TRUE;
    }
    g_autoptr(GBytes) signature = seal_content_to_bytes(
        seal_entity_body(g_ptr_array_index(parts, 1)), MAX_SIGNATURES, &problem);
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
        *why = g_strdup("it is larger than a signature needs to be");
        return TRUE;
    }
    if (!signature) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return pgp_engine_verify(module->engine, keys, seal_entity_content(g_ptr_array_index(parts, 0)),
                             signature, cancellable, signers, why, error);
}
