/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sign.c: PGP/MIME, signed in clear (RFC 3156 5): the content as it is, and a signature of its
 * canonical form beside it.
 */
#include "engine.h"

#include <string.h>

static gboolean write_text(GOutputStream *out, const char *text, GCancellable *cancellable,
                           GError **error)
{
    return g_output_stream_write_all(out, text, strlen(text), NULL, cancellable, error);
}

/* The numbers are those of RFC 4880 9.4. */
static const char *micalg(guint hash)
{
    return hash == 8    ? "pgp-sha256"
           : hash == 9  ? "pgp-sha384"
           : hash == 10 ? "pgp-sha512"
                        : "pgp-sha224";
}

static gboolean write_signed(GOutputStream *out, SealContent *entity, SealContent *signature,
                             guint hash, GCancellable *cancellable, GError **error)
{
    g_autofree char *boundary = pgp_boundary();
    g_autofree char *head = g_strdup_printf(
        "Content-Type: multipart/signed; micalg=\"%s\"; protocol=\"application/pgp-signature\"; "
        "boundary=\"%s\"\n"
        "\n"
        "--%s\n",
        micalg(hash), boundary, boundary);
    g_autofree char *between =
        g_strdup_printf("\n--%s\n"
                        "Content-Type: application/pgp-signature; name=\"signature.asc\"\n"
                        "Content-Description: OpenPGP digital signature\n"
                        "Content-Disposition: attachment; filename=\"signature.asc\"\n"
                        "\n",
                        boundary);
    g_autofree char *tail = g_strdup_printf("\n--%s--\n", boundary);
    g_autoptr(GInputStream) what = seal_content_read(entity);
    g_autoptr(GInputStream) by_whom = seal_content_read(signature);

    return write_text(out, head, cancellable, error) &&
           g_output_stream_splice(out, what, 0, cancellable, error) >= 0 &&
           write_text(out, between, cancellable, error) &&
           g_output_stream_splice(out, by_whom, 0, cancellable, error) >= 0 &&
           write_text(out, tail, cancellable, error);
}

SealContent *pgp_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                      GError **error)
{
    PgpModule *module = seal_module_data(self);

    if (sealing->opaque || !sealing->signer) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            sealing->opaque ? "PGP/MIME has no opaque signatures"
                                            : "nobody to sign");
        return NULL;
    }
    g_autoptr(GOutputStream) armor = seal_module_spool(self);
    PgpTask task = {
        .signer = seal_key_native(sealing->signer),
        .entity = sealing->entity,
        .out = armor,
    };
    PgpMade made = {0};

    if (!pgp_engine_make(module->engine, &task, &made, cancellable, error))
        return NULL;
    g_autoptr(SealContent) signature = seal_spool_finish(armor, error);
    g_autoptr(GOutputStream) out = seal_module_spool(self);
    if (!signature || !write_signed(out, sealing->entity, signature, made.hash, cancellable, error))
        return NULL;
    return seal_spool_finish(out, error);
}
