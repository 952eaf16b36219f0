/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encrypt.c: encrypts (RFC 3156 4), and signs with it where there is a signer (RFC 3156 6.2).
 */
#include "options.h"
#include "pgp.h"

/* A hash of SHA-2 that every recipient can verify, as far as their keys say. */
static gboolean have_common_hash(GPtrArray *keys)
{
    guint common = ~0u;

    for (guint i = 0; i < keys->len; i++)
        common &= ((PgpKey *)seal_key_native(g_ptr_array_index(keys, i)))->preferences.hashes;
    return common != 0;
}

/* -------------------------------------------------------------------------------------------
 * What the engine has made, compared with what it was to make
 */

/* Takes one of the key's ids out of @left; gpg encrypts once to a subkey that two keys have, so
 * that one of @ids that is taken will do. */
static gboolean take_id(GPtrArray *left, GPtrArray *ids, const SealKey *key)
{
    const char *const *names = seal_key_detected_ids(key);

    for (guint i = 0; i < left->len; i++) {
        if (g_strv_contains(names, g_ptr_array_index(left, i))) {
            g_ptr_array_remove_index_fast(left, i);
            return TRUE;
        }
    }
    for (guint i = 0; i < ids->len; i++) {
        if (g_strv_contains(names, g_ptr_array_index(ids, i)))
            return TRUE;
    }
    return FALSE;
}

static const char *check_recipients(const SealDetection *found, const SealSealing *sealing)
{
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *ids = seal_detection_ids(found);
    g_autoptr(GPtrArray) left = g_ptr_array_new();

    for (guint i = 0; i < ids->len; i++)
        g_ptr_array_add(left, g_ptr_array_index(ids, i));
    for (guint i = 0; i < sealing->keys->len; i++) {
        SealKey *key = g_ptr_array_index(sealing->keys, i);

        if (g_hash_table_add(keys, (gpointer)seal_key_fingerprint(key)) && !sealing->hide &&
            !take_id(left, ids, key))
            return "it is not encrypted to every recipient";
    }
    if (left->len > 0)
        return "it is encrypted to a key of nobody among the recipients";
    if (seal_detection_hidden(found) != (sealing->hide ? g_hash_table_size(keys) : 0))
        return "it has another number of hidden recipients than it should";
    return NULL;
}

/* Is @armor one message, whole, to exactly the keys of @sealing? */
static gboolean check_made(SealContent *armor, const SealSealing *sealing,
                           GCancellable *cancellable, GError **error)
{
    g_autoptr(SealDetection) found = seal_detection_new();

    if (!seal_openpgp_read_message(armor, cancellable, found, error))
        return FALSE;
    const char *fault = seal_detection_what(found) == SEAL_DETECTED_ENCRYPTED
                            ? check_recipients(found, sealing)
                            : seal_detection_text(found);
    if (fault)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "what gpg made is not used: %s", fault);
    return !fault;
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
    if (armor && check_made(armor, &now, cancellable, error))
        return pgp_mime_encrypted(armor);
    pgp_options_blame(PGP_SYSTEM_FOLDER, error);
    return NULL;
}
