/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-points.c: distribution points (RFC 5280 4.2.1.13). Whoever can have a certificate made may
 * have a say in what stands there, so that little of it is taken.
 */
#include "crl.h"

#include <openssl/err.h>
#include <string.h>

enum { HTTP_PORT = 80 };

static gboolean is_plain(const char *url)
{
    for (; *url; url++) {
        if (*url <= ' ' || *url >= 0x7f || *url == '\\')
            return FALSE;
    }
    return TRUE;
}

gboolean smime_point_is_fit(const char *url, gboolean inside, const char **why)
{
    g_autoptr(GUri) uri = NULL;

    *why = "it is no URL that could be fetched from";
    if (strlen(url) > SMIME_MAX_URL || !is_plain(url))
        return FALSE;
    uri = g_uri_parse(url, G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD, NULL);
    if (!uri || !g_uri_get_host(uri) || !*g_uri_get_host(uri))
        return FALSE;
    *why = "only http is fetched from";
    if (g_ascii_strcasecmp(g_uri_get_scheme(uri), "http") != 0)
        return FALSE;
    *why = "it has a user's name in it";
    if (g_uri_get_userinfo(uri))
        return FALSE;
    *why =
        "it has another port than 80; if this CA is your own, set [module smime] crl_inside=true";
    return inside || g_uri_get_port(uri) == -1 || g_uri_get_port(uri) == HTTP_PORT;
}

static void add_names(GPtrArray *found, const GENERAL_NAMES *names)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && found->len < SMIME_MAX_POINTS; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *text = name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;
        gsize length = text ? (gsize)ASN1_STRING_length(text) : 0;
        const char *why;

        if (length == 0 || length > SMIME_MAX_URL)
            continue;
        g_autofree char *url = g_strndup((const char *)ASN1_STRING_get0_data(text), length);
        /* Whether a port is allowed is asked when it is fetched from. */
        if (strlen(url) == length && smime_point_is_fit(url, TRUE, &why))
            g_ptr_array_add(found, g_steal_pointer(&url));
    }
}

GStrv smime_points_of(X509 *cert)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);

    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);

        /* Another issuer's list, or one for some reasons, is no complete one. */
        if (!point->reasons && !point->CRLissuer && point->distpoint && point->distpoint->type == 0)
            add_names(found, point->distpoint->name.fullname);
    }
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
    if (found->len == 0)
        return NULL;
    g_ptr_array_add(found, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&found), FALSE);
}

/* By name and key: a certificate that was made anew for both signs the same lists. */
static void add_issuer(GChecksum *sum, X509 *issuer)
{
    guint8 *der = NULL;

    int length = i2d_X509_NAME(X509_get_subject_name(issuer), &der);
    g_checksum_update(sum, der, MAX(length, 0));
    OPENSSL_free(der);
    der = NULL;
    length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &der);
    g_checksum_update(sum, der, MAX(length, 0));
    OPENSSL_free(der);
    ERR_clear_error();
}

char *smime_points_id(const char *const *points, X509 *issuer)
{
    g_autoptr(GChecksum) whose = g_checksum_new(G_CHECKSUM_SHA256);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    for (; *points; points++)
        g_checksum_update(sum, (const guchar *)*points, (gssize)strlen(*points) + 1);
    add_issuer(sum, issuer);
    add_issuer(whose, issuer);
    return g_strdup_printf("%.*s%.*s", SMIME_ISSUER_DIGITS, g_checksum_get_string(whose),
                           SMIME_ID_DIGITS - SMIME_ISSUER_DIGITS, g_checksum_get_string(sum));
}

gboolean smime_points_is_id(const char *name)
{
    return strlen(name) == SMIME_ID_DIGITS && strspn(name, "0123456789abcdef") == SMIME_ID_DIGITS;
}
