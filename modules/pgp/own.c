/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * own.c: the keys that somebody here has to renew: those of the home that sign, by gpg's word, and
 * introducers.
 */
#include "pgp.h"

/* While gpg tells of them. */
typedef struct {
    SealModule *self;
    GHashTable *keys; /* by fingerprint, of the ring: SealKey */
    SealOwnVisitor visit;
    gpointer user_data;
} Owning;

static void tell_signer(const char *fingerprint, gint64 until, gpointer user_data)
{
    const Owning *owning = user_data;
    g_autofree char *lower = g_ascii_strdown(fingerprint, -1);
    SealKey *key = g_hash_table_lookup(owning->keys, lower);
    const SealOwn own = {.size = sizeof own, .key = key, .use = SEAL_OWN_SIGNER, .until = until};

    if (key && pgp_may_sign(owning->self, lower))
        owning->visit(owning->self, &own, owning->user_data);
}

gboolean pgp_own(SealModule *self, SealOwnVisitor visit, gpointer user_data, GError **error)
{
    PgpModule *module = seal_module_data(self);
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    Owning owning = {self, keys, visit, user_data};

    pgp_visit_introducers(self, visit, user_data);
    if (!pgp_load_ring(self, error))
        return FALSE;
    if (!module->ring_keys)
        return TRUE;
    g_autoptr(GPtrArray) ring = g_ptr_array_ref(module->ring_keys);
    for (guint i = 0; i < ring->len; i++) {
        SealKey *key = g_ptr_array_index(ring, i);

        if (!((const PgpKey *)seal_key_native(key))->is_revocation)
            g_hash_table_insert(keys, (char *)seal_key_fingerprint(key), key);
    }
    return pgp_engine_visit_signers(module->engine, tell_signer, &owning, error);
}
