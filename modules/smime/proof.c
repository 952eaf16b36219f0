/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * proof.c: who vouches for a certificate, which one may follow another, and what is kept of one.
 */
#include "smime.h"

#include <openssl/err.h>

/* -------------------------------------------------------------------------------------------
 * Who vouches for it
 */

/* Public CAs look after mailboxes. What one of them, or a CA below that may vouch for some
 * mailboxes alone, says of a domain, counts for nothing. */
static gboolean prove_by_chain(SealModule *self, SealKey *key, gint64 at, SealProven *proven,
                               char **by, GError **error)
{
    const SmimeModule *module = seal_module_data(self);
    X509 *anchor;

    if (!smime_chain_check(self, key, at, NULL, &anchor, error))
        return FALSE;
    if (!anchor)
        return TRUE;
    gboolean named = smime_anchor_is_named(module, anchor);
    if (!named && *seal_key_domains(key))
        return TRUE;
    g_autofree char *name = smime_name_text(X509_get_subject_name(anchor));
    *proven = named ? SEAL_PROVEN_NAMED : SEAL_PROVEN_PUBLIC;
    *by = g_strdup_printf("the CA %s, %s", name,
                          named ? "which trust_anchors names" : "which Mozilla trusts for mail");
    return TRUE;
}

gboolean smime_prove(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                     SealProven *proven, char **by, GError **error)
{
    const SmimeModule *module = seal_module_data(self);

    *proven = SEAL_PROVEN_NOT;
    *by = NULL;
    if (!key) {
        guint public = g_hash_table_size(module->mail_roots);

        *proven = module->anchor_count > public ? SEAL_PROVEN_NAMED
                  : public > 0                  ? SEAL_PROVEN_PUBLIC
                                                : SEAL_PROVEN_NOT;
        return TRUE;
    }
    if (address && !seal_key_is_for(key, address))
        return TRUE;
    return prove_by_chain(self, key, at, proven, by, error);
}

/* -------------------------------------------------------------------------------------------
 * What may follow it. A certificate that has signed another is no reason: only a CA may, and its
 * chain is asked for.
 */

/* Algorithm and parameters count, and what the library cannot read is compared as well. */
static gboolean has_same_public_key(SealKey *one, SealKey *other)
{
    GBytes *keys[2] = {NULL, NULL};

    for (guint i = 0; i < 2; i++) {
        SmimeKey *native = seal_key_native(i == 0 ? one : other);
        guint8 *der = NULL;
        int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(native->cert), &der);

        keys[i] = g_bytes_new(der, length > 0 ? (gsize)length : 0);
        OPENSSL_free(der);
    }
    gboolean same = g_bytes_get_size(keys[0]) > 0 && g_bytes_equal(keys[0], keys[1]);
    g_bytes_unref(keys[0]);
    g_bytes_unref(keys[1]);
    ERR_clear_error();
    return same;
}

static gboolean is_named(SealModule *self, SealKey *key, SealAddress *address, gint64 at,
                         gboolean *yes, GError **error)
{
    SealProven proven = SEAL_PROVEN_NOT;
    g_autofree char *by = NULL;

    if ((!address || seal_key_serves(key, address) != SEAL_SERVES_NOT) &&
        !prove_by_chain(self, key, at, &proven, &by, error))
        return FALSE;
    *yes = proven == SEAL_PROVEN_NAMED;
    return TRUE;
}

gboolean smime_succeeds(SealModule *self, SealKey *old, SealKey *key, SealAddress *address,
                        gint64 at, gboolean *succeeds, char **why, GError **error)
{
    gboolean old_named, named;

    /* The private key of one that is revoked may be in anybody's hands. */
    *succeeds = has_same_public_key(old, key) && smime_chain_is_unrevoked(self, old, at, NULL);
    if (*succeeds) {
        *why = g_strdup("it has the same public key");
        return TRUE;
    }
    /* One that has run out is judged as it was before: OpenSSL ends it at its last second. */
    if (!is_named(self, old, address, MIN(at, seal_key_valid_until(old) - 1), &old_named, error) ||
        !is_named(self, key, address, at, &named, error))
        return FALSE;
    *succeeds = old_named && named;
    *why = g_strdup_printf(
        "%s of a CA that trust_anchors names in a file",
        *succeeds ? "both are"
        : named   ? "the one before it is not"
                  : "it has another public key, or the one before it is revoked, and is not");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What is kept of it
 */

GBytes *smime_write(G_GNUC_UNUSED SealModule *self, SealKey *key, GError **error)
{
    SmimeKey *native = seal_key_native(key);
    guint8 *der = NULL;
    int length = i2d_X509(native->cert, &der);

    if (length <= 0) {
        smime_set_error(error, SEAL_ERROR_KEY, "the certificate of %s cannot be written",
                        seal_key_label(key));
        return NULL;
    }
    GBytes *octets = g_bytes_new(der, (gsize)length);
    OPENSSL_free(der);
    return octets;
}
