/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server-keys.c: the server's own keys, as far as they are no secret: the certificates of those
 * that the private half keeps.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

/* While they are listed. */
typedef struct {
    SealModule *self;
    GError *error; /* the first */
} Listing;

/* The operator put it there: no CA has to vouch for it. */
static gboolean add_key(SealModule *self, X509 *cert, guint number, const char *place,
                        GError **error)
{
    SmimeModule *module = seal_module_data(self);
    SealOrigin origin = {
        .size = sizeof origin, .source = "server", .place = place, .trust = SEAL_TRUST_MANUAL};
    g_autoptr(SealKey) made = smime_key_new(cert, number, &origin);

    if (!made)
        return seal_module_refuse(self, "server_keys", error,
                                  "%s: a certificate in it cannot be read", place);
    if (seal_key_addresses(made)->len == 0)
        seal_module_warn(
            self,
            "%s: the certificate of %s names no mail address; nobody's mail is signed with it",
            place, seal_key_label(made));
    smime_note_signer(self, made, place);
    seal_key_index_add(module->server_keys, made);
    g_ptr_array_add(module->server_list, seal_key_ref(made));
    return TRUE;
}

static void add_authority(SmimeModule *module, X509 *cert)
{
    smime_pool_add(module->pool, cert, TRUE);
    X509_up_ref(cert);
    g_ptr_array_add(module->server_chain, cert);
}

static void take_listed(guint number, const guint8 *octets, gsize length, gpointer user_data)
{
    Listing *listing = user_data;
    SmimeModule *module = seal_module_data(listing->self);
    const char *place = (const char *)octets;
    gsize front = strnlen(place, length) + 1;
    const guint8 *der = octets + front;
    X509 *cert = front < length ? d2i_X509(NULL, &der, (long)(length - front)) : NULL;

    if (listing->error)
        return;
    if (!cert)
        smime_set_error(&listing->error, SEAL_ERROR_KEY, "a certificate of server_keys is lost");
    else if (number == G_MAXUINT)
        add_authority(module, cert);
    else
        add_key(listing->self, cert, number, place, &listing->error);
    X509_free(cert);
}

gboolean smime_server_load(SealModule *self, GError **error)
{
    Listing listing = {.self = self};
    gboolean ok = seal_module_list_private(self, take_listed, &listing, error);

    if (ok && !listing.error)
        return TRUE;
    if (ok)
        g_propagate_error(error, listing.error);
    else
        g_clear_error(&listing.error);
    return FALSE;
}

void smime_server_check(SealModule *self, SealOut *out)
{
    const SmimeModule *module = seal_module_data(self);
    const char *const *paths = seal_module_list(self, "server_keys");
    g_autofree char *all = g_strjoinv(";", (char **)paths);

    if (*paths && module->server_list->len == 0)
        seal_out_finding(out, SEAL_FINDING_WARNING, "signing",
                         "put keys with their certificates there: sealctl keys add --server; if "
                         "it is a mount, mount it",
                         "server_keys: there is no private key in %s, so that nothing can be "
                         "signed",
                         all);
}

/* -------------------------------------------------------------------------------------------
 * Asking
 */

gboolean smime_signers(SealModule *self, SealAddress *address, GCancellable *cancellable,
                       GPtrArray *keys, GError **error)
{
    SmimeModule *module = seal_module_data(self);

    seal_key_index_find(module->server_keys, address, NULL, keys);
    return TRUE;
}

X509 *smime_server_encryption_cert(SealModule *self, SealKey *signer, gint64 at)
{
    SmimeModule *module = seal_module_data(self);
    GPtrArray *addresses = seal_key_addresses(signer);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    SealKey *best = NULL;

    if (smime_fits(self, signer, SEAL_PURPOSE_ENCRYPT, at))
        return ((SmimeKey *)seal_key_native(signer))->cert;
    for (guint i = 0; i < addresses->len; i++)
        seal_key_index_find(module->server_keys, g_ptr_array_index(addresses, i), NULL, keys);
    /* The newest. */
    for (guint i = 0; i < keys->len; i++) {
        SealKey *key = g_ptr_array_index(keys, i);

        if ((!best || seal_key_valid_from(key) > seal_key_valid_from(best)) &&
            smime_fits(self, key, SEAL_PURPOSE_ENCRYPT, at))
            best = key;
    }
    return best ? ((SmimeKey *)seal_key_native(best))->cert : NULL;
}
