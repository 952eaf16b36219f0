/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sign.c: signs in clear (RFC 3156 5): the content as it is, and a signature of its canonical form
 * beside it.
 */
#include "options.h"
#include "pgp.h"

SealContent *pgp_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                      GError **error)
{
    PgpModule *module = seal_module_data(self);
    guint hash;

    if (sealing->opaque || !sealing->signer) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            sealing->opaque ? "PGP/MIME has no opaque signatures"
                                            : "there is no key to sign with");
        return NULL;
    }
    SealSealing alone = *sealing;
    alone.keys = NULL;
    g_autoptr(GOutputStream) spool = seal_module_spool(self);
    g_autoptr(SealContent) signature =
        pgp_engine_make(module->engine, &alone, spool, &hash, cancellable, error);
    if (signature)
        return pgp_mime_signed(sealing->entity, signature, hash);
    pgp_options_blame(PGP_SYSTEM_FOLDER, error);
    return NULL;
}
