/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * open.c: decrypts PGP/MIME (RFC 3156 4) with a key of the operator's home: what `sealctl test`
 * asks for. No mail is opened.
 */
#include "pgp.h"

SealContent *pgp_open(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                      G_GNUC_UNUSED SealDetection *detection, GError **error)
{
    PgpModule *module = seal_module_data(self);
    GPtrArray *parts = NULL;

    if (!seal_entity_parts(entity, &parts, error))
        return NULL;
    if (parts->len != 2) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE,
                            "not opened again: it is no encrypted PGP/MIME message");
        return NULL;
    }
    g_autoptr(GOutputStream) spool = seal_module_spool(self);
    return pgp_engine_open(module->engine, seal_entity_body(g_ptr_array_index(parts, 1)), spool,
                           cancellable, error);
}
