/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encrypt.c: content to PGP/MIME, encrypted (RFC 3156 4), and signed with it where there is a
 * signer (RFC 3156 6.2).
 */
#include "engine.h"

#include <string.h>

/* 128 random bits: what stands within cannot guess it. */
char *pgp_boundary(void)
{
    g_autofree char *uuid = g_uuid_string_random();

    return g_strdup_printf("=_%s", uuid);
}

static char *front(const char *boundary)
{
    return g_strdup_printf(
        "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
        "boundary=\"%s\"\n"
        "\n"
        "--%s\n"
        "Content-Type: application/pgp-encrypted\n"
        "Content-Description: PGP/MIME version identification\n"
        "\n"
        "Version: 1\n"
        "\n"
        "--%s\n"
        "Content-Type: application/octet-stream; name=\"encrypted.asc\"\n"
        "Content-Description: OpenPGP encrypted message\n"
        "Content-Disposition: inline; filename=\"encrypted.asc\"\n"
        "\n",
        boundary, boundary, boundary);
}

static SealContent *make_armor(SealModule *self, const SealSealing *sealing,
                               GCancellable *cancellable, GError **error)
{
    PgpModule *module = seal_module_data(self);
    g_autoptr(GOutputStream) out = seal_module_spool(self);
    PgpTask task = {
        .keys = sealing->keys,
        .signer = sealing->signer ? seal_key_native(sealing->signer) : NULL,
        .hide = sealing->hide,
        .entity = sealing->entity,
        .out = out,
    };
    PgpMade made = {0};

    if (!pgp_engine_make(module->engine, &task, &made, cancellable, error))
        return NULL;
    g_autoptr(SealContent) armor = seal_spool_finish(out, error);
    if (!armor || !pgp_check_made(armor, sealing, cancellable, error))
        return NULL;
    return g_steal_pointer(&armor);
}

/* A hash of SHA-2 that every recipient can verify, as far as their keys say. */
static gboolean have_common_hash(GPtrArray *keys)
{
    guint common = ~0u;

    for (guint i = 0; i < keys->len; i++)
        common &= ((PgpKey *)seal_key_native(g_ptr_array_index(keys, i)))->hashes;
    return common != 0;
}

/* gpg would sign with SHA-1 where the recipients have no other hash in common. Signed apart
 * (RFC 3156 6.1), their wishes do not count. */
static SealContent *sign_apart(SealModule *self, const SealSealing *sealing,
                               GCancellable *cancellable, GError **error)
{
    SealSealing inner = *sealing;

    inner.keys = NULL;
    inner.hide = FALSE;
    return pgp_sign(self, &inner, cancellable, error);
}

static SealContent *text_content(const char *text)
{
    return seal_content_new_copy(text, strlen(text));
}

SealContent *pgp_encrypt(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                         GError **error)
{
    if (sealing->keys->len == 0 || seal_content_size(sealing->entity) == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            sealing->keys->len == 0 ? "nobody to encrypt to"
                                                    : "nothing to encrypt");
        return NULL;
    }
    SealSealing now = *sealing;
    g_autoptr(SealContent) apart = NULL;
    if (sealing->signer && !have_common_hash(sealing->keys)) {
        apart = sign_apart(self, sealing, cancellable, error);
        if (!apart)
            return NULL;
        now.entity = apart;
        now.signer = NULL;
    }
    g_autoptr(SealContent) armor = make_armor(self, &now, cancellable, error);
    if (!armor)
        return NULL;

    g_autofree char *boundary = pgp_boundary();
    g_autofree char *head = front(boundary);
    g_autofree char *tail = g_strdup_printf("\n--%s--\n", boundary);
    g_autoptr(SealContent) first = text_content(head);
    g_autoptr(SealContent) last = text_content(tail);
    g_autoptr(SealContent) with_front = seal_content_join(first, armor);
    return seal_content_join(with_front, last);
}
