/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encrypt.c: encrypts (RFC 3156 4), and signs with it where there is a signer (RFC 3156 6.2).
 */
#include "pgp.h"

/* A hash of SHA-2 that every recipient can verify, as far as their keys say. */
static gboolean have_common_hash(GPtrArray *keys)
{
    guint common = ~0u;

    for (guint i = 0; i < keys->len; i++)
        common &= ((PgpKey *)seal_key_native(g_ptr_array_index(keys, i)))->preferences.hashes;
    return common != 0;
}

SealContent *pgp_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error)
{
    PgpModule *module = seal_module_data(self);

    if (sealing->keys->len == 0 || seal_content_size(sealing->entity) == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            sealing->keys->len == 0 ? "there is no key to encrypt to"
                                                    : "the message to encrypt is empty");
        return NULL;
    }
    SealSealing now = *sealing;
    g_autoptr(SealContent) apart = NULL;
    if (sealing->signer && !have_common_hash(sealing->keys)) {
        /* gpg would sign with SHA-1 where the recipients have no other hash in common. Signed apart
         * (RFC 3156 6.1), their wishes do not count. */
        apart = pgp_sign(self, sealing, cancellable, error);
        if (!apart)
            return NULL;
        now.entity = apart;
        now.signer = NULL;
    }
    g_autoptr(GOutputStream) spool = seal_module_spool(self);
    g_autoptr(SealContent) armor =
        pgp_engine_make(module->engine, &now, spool, NULL, cancellable, error);
    if (!armor || !pgp_check_made(armor, &now, cancellable, error))
        return NULL;
    return pgp_mime_encrypted(armor);
}
