/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pgpmime.c: PGP/MIME (RFC 3156) around what the engine has made.
 */
#include "pgp.h"

#include <string.h>

/* 128 random bits: what stands within cannot guess it. */
static char *make_boundary(void)
{
    g_autofree char *uuid = g_uuid_string_random();

    return g_strdup_printf("=_%s", uuid);
}

static SealContent *enclose_content(const char *before, SealContent *content, const char *after)
{
    g_autoptr(SealContent) head = seal_content_new_copy(before, strlen(before));
    g_autoptr(SealContent) tail = seal_content_new_copy(after, strlen(after));
    g_autoptr(SealContent) begun = seal_content_join(head, content);

    return seal_content_join(begun, tail);
}

SealContent *pgp_mime_encrypted(SealContent *armor)
{
    g_autofree char *boundary = make_boundary();
    g_autofree char *head = g_strdup_printf(
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
    g_autofree char *tail = g_strdup_printf("\n--%s--\n", boundary);

    return enclose_content(head, armor, tail);
}

/* The numbers are those of RFC 4880 9.4. */
static const char *micalg_name(guint hash)
{
    return hash == 8    ? "pgp-sha256"
           : hash == 9  ? "pgp-sha384"
           : hash == 10 ? "pgp-sha512"
                        : "pgp-sha224";
}

SealContent *pgp_mime_signed(SealContent *entity, SealContent *signature, guint hash)
{
    g_autofree char *boundary = make_boundary();
    g_autofree char *head = g_strdup_printf(
        "Content-Type: multipart/signed; micalg=\"%s\"; protocol=\"application/pgp-signature\"; "
        "boundary=\"%s\"\n"
        "\n"
        "--%s\n",
        micalg_name(hash), boundary, boundary);
    g_autofree char *between =
        g_strdup_printf("\n--%s\n"
                        "Content-Type: application/pgp-signature; name=\"signature.asc\"\n"
                        "Content-Description: OpenPGP digital signature\n"
                        "Content-Disposition: attachment; filename=\"signature.asc\"\n"
                        "\n",
                        boundary);
    g_autofree char *tail = g_strdup_printf("\n--%s--\n", boundary);
    g_autoptr(SealContent) first = enclose_content(head, entity, between);
    g_autoptr(SealContent) second = enclose_content("", signature, tail);

    return seal_content_join(first, second);
}
