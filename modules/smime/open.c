/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * open.c: decrypts EnvelopedData and AuthEnvelopedData of our own making (RFC 5652, RFC 5083) with
 * one of the server's keys: what `sealctl test` asks for. No mail is opened. The private half
 * decrypts content keys, wherever it runs, so that what it needs is taken out of the DER form here:
 * OpenSSL does not give it.
 */
#include "smime.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

enum {
    MAX_OPENED = 32 * 1024 * 1024, /* octets of base64 */
    MAX_KEY = 32,
    MAX_TAG = 16,
};

/* Octets that are still to be read. */
typedef struct {
    const guint8 *at;
    gsize left;
} Der;

/* What stands there next: its number and class in @tag, itself in @whole, what it has in @inside
 * (each may be NULL); goes behind it. */
static gboolean der_next(Der *der, int *tag, Der *whole, Der *inside)
{
    const guint8 *at = der->at;
    long length = 0;
    int number = 0, class = 0;

    if (der->left == 0)
        return FALSE;
    int how = ASN1_get_object(&at, &length, &number, &class, (long)der->left);
    if (how & 0x80 || how & 1)
        return FALSE;
    gsize all = (gsize)(at - der->at) + (gsize)length;
    if (tag)
        *tag = number | class;
    if (whole)
        *whole = (Der){der->at, all};
    if (inside)
        *inside = (Der){at, (gsize)length};
    der->at += all;
    der->left -= all;
    return TRUE;
}

/* The next, which must have that tag. */
static gboolean der_take(Der *der, int tag, Der *inside)
{
    int found = -1;

    return der_next(der, &found, NULL, inside) && found == tag;
}

/* The next, where it has that tag; else *@inside is empty. */
static gboolean der_may_take(Der *der, int tag, Der *whole, Der *inside)
{
    Der ahead = *der;
    int found = -1;

    *inside = (Der){NULL, 0};
    if (!der_next(&ahead, &found, whole, inside) || found != tag) {
        *inside = (Der){NULL, 0};
        return FALSE;
    }
    *der = ahead;
    return TRUE;
}

/* An AlgorithmIdentifier: its NID, and its parameters, which may be empty. */
static gboolean der_algorithm(Der *der, int *nid, Der *whole, Der *parameters)
{
    Der inside, oid;
    int tag = -1;

    if (!der_next(der, &tag, whole, &inside) || tag != V_ASN1_SEQUENCE ||
        !der_next(&inside, &tag, &oid, NULL) || tag != V_ASN1_OBJECT)
        return FALSE;
    const guint8 *at = oid.at;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)oid.left);
    *nid = object ? OBJ_obj2nid(object) : NID_undef;
    ASN1_OBJECT_free(object);
    *parameters = inside;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * What is encrypted
 */

/* Borrowed from the DER form. */
typedef struct {
    Der recipients; /* elements, in their order */
    int cipher;
    Der parameters;
    Der ciphertext;
    Der tag; /* of GCM */
} Envelope;

static gboolean envelope_read_end(Envelope *envelope, Der *data, gboolean authenticated)
{
    Der content, unused;

    if (!der_take(data, V_ASN1_SEQUENCE, &content) || !der_take(&content, V_ASN1_OBJECT, &unused) ||
        !der_algorithm(&content, &envelope->cipher, NULL, &envelope->parameters) ||
        !der_take(&content, V_ASN1_CONTEXT_SPECIFIC | 0, &envelope->ciphertext))
        return FALSE;
    /* What is authenticated beside it is none of ours. */
    return !authenticated || der_take(data, V_ASN1_OCTET_STRING, &envelope->tag);
}

static gboolean envelope_read(Envelope *envelope, Der der, gboolean authenticated)
{
    Der info, explicit, data, unused;

    return der_take(&der, V_ASN1_SEQUENCE, &info) && der_take(&info, V_ASN1_OBJECT, &unused) &&
           der_take(&info, V_ASN1_CONTEXT_SPECIFIC | 0, &explicit) &&
           der_take(&explicit, V_ASN1_SEQUENCE, &data) &&
           der_take(&data, V_ASN1_INTEGER, &unused) &&
           (der_may_take(&data, V_ASN1_CONTEXT_SPECIFIC | 0, NULL, &unused) || TRUE) &&
           der_take(&data, V_ASN1_SET, &envelope->recipients) &&
           envelope_read_end(envelope, &data, authenticated);
}

/* 0: none that we make. */
static gsize cipher_key_length(int nid)
{
    return nid == NID_aes_128_cbc || nid == NID_aes_128_gcm   ? 16
           : nid == NID_aes_256_cbc || nid == NID_aes_256_gcm ? 32
                                                              : 0;
}

static gboolean is_gcm(int nid)
{
    return nid == NID_aes_128_gcm || nid == NID_aes_256_gcm;
}

/* Of CBC, or the nonce of GCM. */
static gboolean envelope_iv(const Envelope *envelope, Der *iv)
{
    Der parameters = envelope->parameters, inside;

    if (!is_gcm(envelope->cipher))
        return der_take(&parameters, V_ASN1_OCTET_STRING, iv) && iv->left == 16;
    return der_take(&parameters, V_ASN1_SEQUENCE, &inside) &&
           der_take(&inside, V_ASN1_OCTET_STRING, iv) && iv->left == 12 &&
           envelope->tag.left <= MAX_TAG && envelope->tag.left >= 12;
}

static gboolean envelope_decrypt_with(const Envelope *envelope, EVP_CIPHER_CTX *ctx,
                                      const guint8 *key, guint8 *out, gsize *length)
{
    const EVP_CIPHER *cipher = EVP_get_cipherbynid(envelope->cipher);
    int first = 0, last = 0;
    Der iv;

    if (!ctx || !cipher || !envelope_iv(envelope, &iv) ||
        EVP_DecryptInit_ex(ctx, cipher, NULL, key, iv.at) <= 0 ||
        (is_gcm(envelope->cipher) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)envelope->tag.left,
                             (void *)envelope->tag.at) <= 0) ||
        EVP_DecryptUpdate(ctx, out, &first, envelope->ciphertext.at,
                          (int)envelope->ciphertext.left) <= 0 ||
        EVP_DecryptFinal_ex(ctx, out + first, &last) <= 0)
        return FALSE;
    *length = (gsize)first + (gsize)last;
    return TRUE;
}

/* (transfer full) */
static SealContent *envelope_decrypt(const Envelope *envelope, const guint8 *key, GError **error)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    g_autofree guint8 *out = g_malloc(envelope->ciphertext.left + EVP_MAX_BLOCK_LENGTH);
    gsize length = 0;
    gboolean ok = envelope_decrypt_with(envelope, ctx, key, out, &length);

    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        return seal_content_new_copy(out, length);
    smime_set_error(error, SEAL_ERROR_KEY, "not opened again: it cannot be decrypted");
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * Its key, as it is encrypted to one recipient
 */

static SealHash hash_of(int nid)
{
    return nid == NID_sha512   ? SEAL_HASH_SHA512
           : nid == NID_sha384 ? SEAL_HASH_SHA384
                               : SEAL_HASH_SHA256;
}

static gboolean read_oaep(Der parameters, SealKeyUnwrapping *unwrapping)
{
    const guint8 *at = parameters.at;
    RSA_OAEP_PARAMS *oaep = d2i_RSA_OAEP_PARAMS(NULL, &at, (long)parameters.left);
    const ASN1_OBJECT *hash = NULL;

    if (oaep && oaep->hashFunc)
        X509_ALGOR_get0(&hash, NULL, NULL, oaep->hashFunc);
    unwrapping->scheme = SEAL_UNWRAP_RSA_OAEP;
    unwrapping->hash = hash_of(hash ? OBJ_obj2nid(hash) : NID_undef);
    RSA_OAEP_PARAMS_free(oaep);
    return hash != NULL;
}

/* KeyTransRecipientInfo. */
static gboolean read_transport(Der info, SealKeyUnwrapping *unwrapping)
{
    Der unused, parameters, key;
    int nid = NID_undef;

    if (!der_take(&info, V_ASN1_INTEGER, &unused) || !der_next(&info, NULL, NULL, NULL) ||
        !der_algorithm(&info, &nid, NULL, &parameters) ||
        !der_take(&info, V_ASN1_OCTET_STRING, &key))
        return FALSE;
    unwrapping->encrypted = key.at;
    unwrapping->encrypted_length = key.left;
    if (nid == NID_rsaesOaep)
        return read_oaep(parameters, unwrapping);
    unwrapping->scheme = SEAL_UNWRAP_RSA_PKCS1;
    return nid == NID_rsaEncryption;
}

static void append_der(GByteArray *out, guint8 tag, const guint8 *data, gsize length)
{
    const guint8 head[] = {tag, (guint8)length};

    /* All of it is short. */
    g_byte_array_append(out, head, sizeof head);
    g_byte_array_append(out, data, (guint)length);
}

/* ECC-CMS-SharedInfo (RFC 5753 7.2). NULL where it would be longer than ours is. (transfer full) */
static GByteArray *make_shared_info(Der wrap, Der ukm, gsize wrap_length)
{
    g_autoptr(GByteArray) inside = g_byte_array_new(), bits = g_byte_array_new();
    GByteArray *info;
    const guint8 count[] = {0, 0, (guint8)(wrap_length * 8 >> 8), (guint8)(wrap_length * 8)};

    if (wrap.left + ukm.left > 100)
        return NULL;
    g_byte_array_append(inside, wrap.at, (guint)wrap.left);
    if (ukm.at) {
        g_autoptr(GByteArray) own = g_byte_array_new();

        append_der(own, V_ASN1_OCTET_STRING, ukm.at, ukm.left);
        append_der(inside, 0xa0, own->data, own->len);
    }
    append_der(bits, V_ASN1_OCTET_STRING, count, sizeof count);
    append_der(inside, 0xa2, bits->data, bits->len);
    info = g_byte_array_new();
    append_der(info, 0x30, inside->data, inside->len);
    return info;
}

/* The originator's point. */
static gboolean read_originator(Der *info, SealKeyUnwrapping *unwrapping)
{
    Der originator, key, parameters, point;
    int nid;

    if (!der_take(info, V_ASN1_CONTEXT_SPECIFIC | 0, &originator) ||
        !der_take(&originator, V_ASN1_CONTEXT_SPECIFIC | 1, &key) ||
        !der_algorithm(&key, &nid, NULL, &parameters) ||
        !der_take(&key, V_ASN1_BIT_STRING, &point) || point.left < 2)
        return FALSE;
    unwrapping->originator = point.at + 1;
    unwrapping->originator_length = point.left - 1;
    return TRUE;
}

static gboolean read_wrap(Der parameters, SealKeyUnwrapping *unwrapping, Der *wrap)
{
    Der unused;
    int nid = NID_undef;

    if (!der_algorithm(&parameters, &nid, wrap, &unused))
        return FALSE;
    unwrapping->wrap_length = nid == NID_id_aes128_wrap   ? 16
                              : nid == NID_id_aes192_wrap ? 24
                              : nid == NID_id_aes256_wrap ? 32
                                                          : 0;
    return unwrapping->wrap_length > 0;
}

static gboolean read_agreed_hash(int nid, SealKeyUnwrapping *unwrapping)
{
    unwrapping->scheme = SEAL_UNWRAP_ECDH;
    unwrapping->hash = nid == NID_dhSinglePass_stdDH_sha512kdf_scheme   ? SEAL_HASH_SHA512
                       : nid == NID_dhSinglePass_stdDH_sha384kdf_scheme ? SEAL_HASH_SHA384
                                                                        : SEAL_HASH_SHA256;
    return unwrapping->hash != SEAL_HASH_SHA256 || nid == NID_dhSinglePass_stdDH_sha256kdf_scheme;
}

/* KeyAgreeRecipientInfo, with the one key that OpenSSL puts there. *@shared: for @unwrapping, which
 * borrows from it. */
static gboolean read_agreement(Der info, SealKeyUnwrapping *unwrapping, GByteArray **shared)
{
    Der unused, explicit, ukm = {NULL, 0}, parameters, wrap, keys, one, key;
    int nid = NID_undef;

    if (!der_take(&info, V_ASN1_INTEGER, &unused) || !read_originator(&info, unwrapping) ||
        (der_may_take(&info, V_ASN1_CONTEXT_SPECIFIC | 1, NULL, &explicit) &&
         !der_take(&explicit, V_ASN1_OCTET_STRING, &ukm)) ||
        !der_algorithm(&info, &nid, NULL, &parameters) || !read_agreed_hash(nid, unwrapping) ||
        !read_wrap(parameters, unwrapping, &wrap) || !der_take(&info, V_ASN1_SEQUENCE, &keys) ||
        !der_take(&keys, V_ASN1_SEQUENCE, &one) || !der_next(&one, NULL, NULL, NULL) ||
        !der_take(&one, V_ASN1_OCTET_STRING, &key))
        return FALSE;
    *shared = make_shared_info(wrap, ukm, unwrapping->wrap_length);
    if (!*shared)
        return FALSE;
    unwrapping->shared_info = (*shared)->data;
    unwrapping->shared_info_length = (*shared)->len;
    unwrapping->encrypted = key.at;
    unwrapping->encrypted_length = key.left;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * With which of our keys
 */

/* While the private half's keys are gone through. */
typedef struct {
    SealModule *self;
    CMS_ContentInfo *cms;
    const Envelope *envelope;
    SealContent *opened;
    GError *error; /* why the last that should open it did not */
} Opening;

static gboolean is_for(CMS_RecipientInfo *info, X509 *cert)
{
    if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_TRANS)
        return CMS_RecipientInfo_ktri_cert_cmp(info, cert) == 0;
    if (CMS_RecipientInfo_type(info) != CMS_RECIPINFO_AGREE)
        return FALSE;
    STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(info);
    return sk_CMS_RecipientEncryptedKey_num(keys) == 1 &&
           CMS_RecipientEncryptedKey_cert_cmp(sk_CMS_RecipientEncryptedKey_value(keys, 0), cert) ==
               0;
}

static void open_as(Opening *opening, guint number, Der info, int tag)
{
    const Envelope *envelope = opening->envelope;
    g_autoptr(GByteArray) shared = NULL;
    SealKeyUnwrapping unwrapping = {.size = sizeof unwrapping,
                                    .key = number,
                                    .hash = SEAL_HASH_SHA256,
                                    .length = cipher_key_length(envelope->cipher)};
    guint8 key[MAX_KEY];
    gboolean known = tag == V_ASN1_SEQUENCE ? read_transport(info, &unwrapping)
                                            : read_agreement(info, &unwrapping, &shared);

    g_clear_error(&opening->error);
    if (!known || unwrapping.length == 0)
        g_set_error_literal(&opening->error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                            "not opened again: it is encrypted in a way that is not ours");
    else if (seal_module_unwrap_key(opening->self, &unwrapping, key, &opening->error))
        opening->opened = envelope_decrypt(envelope, key, &opening->error);
    OPENSSL_cleanse(key, sizeof key);
}

/* The DER form has recipients in the order in which OpenSSL has read them from it. */
static void try_cert(Opening *opening, guint number, X509 *cert)
{
    STACK_OF(CMS_RecipientInfo) *infos = CMS_get0_RecipientInfos(opening->cms);
    Der left = opening->envelope->recipients, inside;
    int tag;

    for (int i = 0; i < sk_CMS_RecipientInfo_num(infos) && !opening->opened; i++) {
        if (!der_next(&left, &tag, NULL, &inside))
            return;
        if (is_for(sk_CMS_RecipientInfo_value(infos, i), cert))
            open_as(opening, number, inside, tag);
    }
}

/* As the private half lists them: where it is from, and the certificate. */
static void try_listed(guint number, const guint8 *octets, gsize length, gpointer user_data)
{
    Opening *opening = user_data;
    gsize front = strnlen((const char *)octets, length) + 1;
    const guint8 *der = octets + front;
    X509 *cert =
        number != G_MAXUINT && front < length ? d2i_X509(NULL, &der, (long)(length - front)) : NULL;

    if (cert && !opening->opened)
        try_cert(opening, number, cert);
    X509_free(cert);
}

static GBytes *read_base64(SealContent *body, GError **error)
{
    g_autoptr(GBytes) text = seal_content_to_bytes(body, MAX_OPENED, error);
    SealBase64 state = {.may_have_blanks = TRUE};
    gsize size = 0, length = 0;

    if (!text)
        return NULL;
    const void *data = g_bytes_get_data(text, &size);
    g_autofree guint8 *out = g_malloc(size / 4 * 3 + 8);
    if (seal_base64_decode(&state, data, size, out, &length) && seal_base64_is_complete(&state))
        return g_bytes_new_take(g_steal_pointer(&out), length);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE, "not opened again: it is no base64");
    return NULL;
}

static CMS_ContentInfo *read_cms(const guint8 *data, gsize size)
{
    return d2i_CMS_ContentInfo(NULL, &data, (long)size);
}

/* What was streamed has no DER form yet. (transfer full) */
static CMS_ContentInfo *read_again(GBytes *octets, guint8 **der, gsize *length)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(octets, &size);
    g_autoptr(CMS_ContentInfo) streamed = read_cms(data, size);
    int made = streamed ? i2d_CMS_ContentInfo(streamed, der) : 0;

    *length = made > 0 ? (gsize)made : 0;
    return made > 0 ? read_cms(*der, *length) : NULL;
}

/* (transfer full) */
static SealContent *open_envelope(SealModule *self, CMS_ContentInfo *cms, Der der, GError **error)
{
    int nid = OBJ_obj2nid(CMS_get0_type(cms));
    Envelope envelope = {0};
    Opening opening = {.self = self, .cms = cms, .envelope = &envelope};

    if (!envelope_read(&envelope, der, nid == NID_id_smime_ct_authEnvelopedData)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE,
                            "not opened again: it is not encrypted as ours is");
        return NULL;
    }
    if (!seal_module_list_private(self, try_listed, &opening, error))
        return NULL;
    ERR_clear_error();
    if (!opening.opened && !opening.error)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY,
                            "not opened again: no private key for it is in server_keys");
    else if (!opening.opened)
        g_propagate_error(error, g_steal_pointer(&opening.error));
    g_clear_error(&opening.error);
    return opening.opened;
}

SealContent *smime_open(SealModule *self, SealEntity *entity,
                        G_GNUC_UNUSED GCancellable *cancellable,
                        G_GNUC_UNUSED SealDetection *detection, GError **error)
{
    g_autoptr(GBytes) octets = read_base64(seal_entity_body(entity), error);
    guint8 *der = NULL;
    gsize length = 0;

    if (!octets)
        return NULL;
    ERR_clear_error();
    g_autoptr(CMS_ContentInfo) cms = read_again(octets, &der, &length);
    SealContent *opened = NULL;
    if (cms)
        opened = open_envelope(self, cms, (Der){der, length}, error);
    else
        smime_set_error(error, SEAL_ERROR_MESSAGE, "not opened again: it is no CMS");
    OPENSSL_free(der);
    return opened;
}
