/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sign.c: SignedData (RFC 5652 5) with the attributes that RFC 8551 2.5 asks for, beside what it
 * signs (multipart/signed) or around it. The private half signs the attributes' digest, and nothing
 * else.
 */
#include "smime.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

enum { MAX_SALT = 512 };

/* What a signature is made with. */
typedef struct {
    SealModule *self;
    SealKey *key;
    SmimeKey *native;
    const EVP_MD *digest;
    SealHash hash;
    SealSignScheme scheme;
    const char *micalg;
    gint64 now;
} Signing;

/* -------------------------------------------------------------------------------------------
 * Algorithms
 */

static int digest_for_key(EVP_PKEY *key)
{
    int nid = NID_undef;

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA_PSS:
        /* 2: the key allows no other. */
        if (EVP_PKEY_get_default_digest_nid(key, &nid) == 2)
            return nid;
        return NID_sha256;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_bits(key) > 384)
            return NID_sha512;
        return EVP_PKEY_get_bits(key) > 256 ? NID_sha384 : NID_sha256;
    default:
        return NID_sha256;
    }
}

static gboolean choose_digest(Signing *signing, GError **error)
{
    static const struct {
        int nid;
        SealHash hash;
        const char *micalg; /* RFC 8551 3.5.3.2 */
    } rows[] = {{NID_sha256, SEAL_HASH_SHA256, "sha-256"},
                {NID_sha384, SEAL_HASH_SHA384, "sha-384"},
                {NID_sha512, SEAL_HASH_SHA512, "sha-512"}};
    int nid = digest_for_key(X509_get0_pubkey(signing->native->cert));

    ERR_clear_error();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].nid == nid) {
            signing->digest = EVP_get_digestbynid(nid);
            signing->hash = rows[i].hash;
            signing->micalg = rows[i].micalg;
            return TRUE;
        }
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                "the key of %s signs with %s only; SHA-256, SHA-384 or SHA-512 is needed",
                seal_key_label(signing->key), OBJ_nid2sn(nid));
    return FALSE;
}

static SealSignScheme choose_scheme(const Signing *signing)
{
    const SmimeModule *module = seal_module_data(signing->self);

    switch (EVP_PKEY_get_base_id(X509_get0_pubkey(signing->native->cert))) {
    case EVP_PKEY_EC:
        return SEAL_SIGN_ECDSA;
    case EVP_PKEY_RSA_PSS:
        return SEAL_SIGN_RSA_PSS;
    default:
        return module->rsa_signature == SMIME_RSA_SIGNATURE_PSS ? SEAL_SIGN_RSA_PSS
                                                                : SEAL_SIGN_RSA_PKCS1;
    }
}

int smime_pss_salt(X509 *cert, int digest_length)
{
    const X509_ALGOR *algorithm = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF, salt = digest_length;

    X509_PUBKEY_get0_param(NULL, NULL, NULL, (X509_ALGOR **)&algorithm, X509_get_X509_PUBKEY(cert));
    X509_ALGOR_get0(NULL, &type, &value, algorithm);
    RSA_PSS_PARAMS *params =
        type == V_ASN1_SEQUENCE ? ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
    if (params && params->saltLength)
        salt = (int)CLAMP(ASN1_INTEGER_get(params->saltLength), digest_length, MAX_SALT);
    RSA_PSS_PARAMS_free(params);
    ERR_clear_error();
    return salt;
}

/* RSASSA-PSS-params (RFC 4055 3.1). (transfer full) */
static ASN1_STRING *encode_pss(const Signing *signing)
{
    RSA_PSS_PARAMS *params = RSA_PSS_PARAMS_new();
    X509_ALGOR *hash = X509_ALGOR_new(), *mask_hash = X509_ALGOR_new(), *mask = X509_ALGOR_new();
    ASN1_INTEGER *salt = ASN1_INTEGER_new();
    ASN1_STRING *packed = NULL, *made = NULL;

    if (params && hash && mask_hash && mask && salt) {
        X509_ALGOR_set_md(hash, signing->digest);
        X509_ALGOR_set_md(mask_hash, signing->digest);
        packed = ASN1_item_pack(mask_hash, ASN1_ITEM_rptr(X509_ALGOR), NULL);
    }
    if (packed && X509_ALGOR_set0(mask, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, packed)) {
        packed = NULL;
        ASN1_INTEGER_set(salt,
                         smime_pss_salt(signing->native->cert, EVP_MD_get_size(signing->digest)));
        params->hashAlgorithm = g_steal_pointer(&hash);
        params->maskGenAlgorithm = g_steal_pointer(&mask);
        params->saltLength = g_steal_pointer(&salt);
        made = ASN1_item_pack(params, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
    }
    ASN1_STRING_free(packed);
    ASN1_INTEGER_free(salt);
    X509_ALGOR_free(mask);
    X509_ALGOR_free(mask_hash);
    X509_ALGOR_free(hash);
    RSA_PSS_PARAMS_free(params);
    return made;
}

/* Readers that know rsaEncryption alone here are still about (RFC 5754 3.2). */
static gboolean set_algorithm(const Signing *signing, CMS_SignerInfo *info)
{
    X509_ALGOR *algorithm = NULL;
    int nid = NID_undef;

    CMS_SignerInfo_get0_algs(info, NULL, NULL, NULL, &algorithm);
    switch (signing->scheme) {
    case SEAL_SIGN_RSA_PSS: {
        ASN1_STRING *params = encode_pss(signing);
        gboolean ok = params && X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsassaPss),
                                                V_ASN1_SEQUENCE, params);

        if (!ok)
            ASN1_STRING_free(params);
        return ok;
    }
    case SEAL_SIGN_ECDSA:
        return OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(signing->digest),
                                      NID_X9_62_id_ecPublicKey) &&
               X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL);
    default:
        return X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL);
    }
}

/* -------------------------------------------------------------------------------------------
 * Attributes
 */

/* What we open, what most can first; nothing weaker than AES. OpenSSL's own list has RC2. */
static gboolean add_capabilities(CMS_SignerInfo *info)
{
    static const int ciphers[] = {NID_aes_256_cbc, NID_aes_128_cbc, NID_aes_256_gcm,
                                  NID_aes_128_gcm};
    STACK_OF(X509_ALGOR) *list = NULL;
    gboolean ok = TRUE;

    for (guint i = 0; ok && i < G_N_ELEMENTS(ciphers); i++)
        ok = CMS_add_simple_smimecap(&list, ciphers[i], -1) > 0;
    ok = ok && CMS_add_smimecap(info, list) > 0;
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return ok;
}

/* SMIMEEncryptionKeyPreference (RFC 8551 2.5.3): [0] IMPLICIT IssuerAndSerialNumber. */
static GBytes *encode_preference(X509 *cert)
{
    const X509_NAME *issuer = X509_get_issuer_name(cert);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    int name_size = i2d_X509_NAME(issuer, NULL);
    int serial_size = i2d_ASN1_INTEGER(serial, NULL);
    if (name_size <= 0 || serial_size <= 0)
        return NULL;

    int size = name_size + serial_size;
    gsize whole = (gsize)ASN1_object_size(1, size, 0);
    guint8 *data = g_malloc(whole);
    guint8 *at = data;
    ASN1_put_object(&at, 1, size, 0, V_ASN1_CONTEXT_SPECIFIC);
    i2d_X509_NAME(issuer, &at);
    i2d_ASN1_INTEGER(serial, &at);
    return g_bytes_new_take(data, whole);
}

/* V_ASN1_OTHER: the value as it is, its tag included. */
static X509_ATTRIBUTE *make_preference(X509 *cert)
{
    g_autoptr(GBytes) der = encode_preference(cert);
    ASN1_STRING *value = der ? ASN1_STRING_type_new(V_ASN1_OTHER) : NULL;
    X509_ATTRIBUTE *attribute = NULL;

    if (value && ASN1_STRING_set(value, g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der)))
        attribute = X509_ATTRIBUTE_create(NID_id_smime_aa_encrypKeyPref, V_ASN1_OTHER, value);
    /* It is the attribute's where there is one. */
    if (!attribute)
        ASN1_STRING_free(value);
    return attribute;
}

static gboolean add_preference(CMS_SignerInfo *info, X509 *cert)
{
    X509_ATTRIBUTE *attribute = make_preference(cert);
    gboolean ok = attribute && CMS_signed_add1_attr(info, attribute) > 0;

    X509_ATTRIBUTE_free(attribute);
    return ok;
}

static gboolean add_time(CMS_SignerInfo *info, gint64 now)
{
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)now);
    gboolean ok = time && CMS_signed_add1_attr_by_NID(info, NID_pkcs9_signingTime,
                                                      ASN1_STRING_type(time), time, -1) > 0;

    ASN1_TIME_free(time);
    return ok;
}

static gboolean add_basic(const Signing *signing, CMS_SignerInfo *info, const guint8 *digest)
{
    return CMS_signed_add1_attr_by_NID(info, NID_pkcs9_contentType, V_ASN1_OBJECT,
                                       OBJ_nid2obj(NID_pkcs7_data), -1) > 0 &&
           CMS_signed_add1_attr_by_NID(info, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, digest,
                                       EVP_MD_get_size(signing->digest)) > 0 &&
           add_time(info, signing->now);
}

static int compare_octets(gconstpointer a, gconstpointer b)
{
    return g_bytes_compare(*(GBytes *const *)a, *(GBytes *const *)b);
}

/* As they are signed: the DER form of a SET OF (RFC 5652 5.4). NULL where they cannot be encoded.
 * (transfer full) */
static GByteArray *encode_attributes(CMS_SignerInfo *info)
{
    g_autoptr(GPtrArray) encoded = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_autoptr(GByteArray) whole = g_byte_array_new();
    int size = 0;

    for (int i = 0; i < CMS_signed_get_attr_count(info); i++) {
        guint8 *der = NULL;
        int length = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(info, i), &der);

        if (length <= 0)
            return NULL;
        g_ptr_array_add(encoded, g_bytes_new(der, (gsize)length));
        OPENSSL_free(der);
        size += length;
    }
    g_ptr_array_sort(encoded, compare_octets);
    guint8 front[16], *end = front;
    ASN1_put_object(&end, 1, size, V_ASN1_SET, V_ASN1_UNIVERSAL);
    g_byte_array_append(whole, front, (guint)(end - front));
    for (guint i = 0; i < encoded->len; i++) {
        gsize length = 0;
        const guint8 *octets = g_bytes_get_data(g_ptr_array_index(encoded, i), &length);

        g_byte_array_append(whole, octets, (guint)length);
    }
    return g_steal_pointer(&whole);
}

/* -------------------------------------------------------------------------------------------
 * SignedData
 */

/* Adds @cert and what stands between it and its root. */
static gboolean add_cert_path(const Signing *signing, SmimeCerts *certs, X509 *cert)
{
    const int flags = X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP;
    g_autoptr(SmimeCerts) between = smime_chain_between(signing->self, cert, signing->now);

    return between && X509_add_cert(certs, cert, flags) && X509_add_certs(certs, between, flags);
}

static gboolean add_certs(const Signing *signing, CMS_ContentInfo *cms, X509 *preferred)
{
    g_autoptr(SmimeCerts) certs = sk_X509_new_null();
    gboolean ok = certs && add_cert_path(signing, certs, signing->native->cert) &&
                  (!preferred || add_cert_path(signing, certs, preferred));

    for (int i = 0; ok && i < sk_X509_num(certs); i++)
        ok = CMS_add1_cert(cms, sk_X509_value(certs, i)) > 0;
    return ok;
}

/* The digest of @entity in canonical form. */
static gboolean digest_entity(const Signing *signing, SealContent *entity, guint8 *digest,
                              GCancellable *cancellable, GError **error)
{
    g_autoptr(BIO) hasher = BIO_new(BIO_f_md());
    BIO *nowhere = BIO_new(BIO_s_null());
    EVP_MD_CTX *ctx = NULL;

    if (!hasher || !nowhere || BIO_set_md(hasher, signing->digest) <= 0) {
        BIO_free(nowhere);
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to sign");
        return FALSE;
    }
    BIO_push(hasher, nowhere);
    if (!smime_feed(entity, hasher, "sign", cancellable, error))
        return FALSE;
    if (BIO_get_md_ctx(hasher, &ctx) > 0 && EVP_DigestFinal_ex(ctx, digest, NULL) > 0)
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot sign");
    return FALSE;
}

/* Has the private half sign what the attributes say. */
static gboolean make_signature(const Signing *signing, CMS_SignerInfo *info, GError **error)
{
    g_autoptr(GByteArray) attributes = encode_attributes(info);
    g_autoptr(GByteArray) signature = g_byte_array_new();
    guint8 digest[EVP_MAX_MD_SIZE];
    SealDigestSigning asked = {
        .size = sizeof asked,
        .key = signing->native->private_key,
        .scheme = signing->scheme,
        .hash = signing->hash,
        .digest = digest,
    };

    if (!attributes ||
        !EVP_Digest(attributes->data, attributes->len, digest, NULL, signing->digest, NULL)) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot sign");
        return FALSE;
    }
    if (!seal_module_sign_digest(signing->self, &asked, signature, error)) {
        g_prefix_error(error, "with the key of %s: ", seal_key_label(signing->key));
        return FALSE;
    }
    if (ASN1_STRING_set(CMS_SignerInfo_get0_signature(info), signature->data, (int)signature->len))
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot sign");
    return FALSE;
}

/* The signer, with all that stands there but the signature. */
static CMS_SignerInfo *add_signer(const Signing *signing, CMS_ContentInfo *cms,
                                  const guint8 *digest)
{
    X509 *cert = signing->native->cert;
    X509 *preferred = smime_server_encryption_cert(signing->self, signing->key, signing->now);
    CMS_SignerInfo *info = CMS_add1_signer(cms, cert, X509_get0_pubkey(cert), signing->digest,
                                           CMS_PARTIAL | CMS_NOSMIMECAP | CMS_NOCERTS | CMS_BINARY);

    return info && set_algorithm(signing, info) && add_capabilities(info) &&
                   (!preferred || add_preference(info, preferred)) &&
                   add_basic(signing, info, digest) && add_certs(signing, cms, preferred)
               ? info
               : NULL;
}

/* SignedData over @entity, which is not in it. (transfer full) */
static CMS_ContentInfo *make_signed(const Signing *signing, SealContent *entity,
                                    GCancellable *cancellable, GError **error)
{
    g_autoptr(CMS_ContentInfo) cms =
        CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL | CMS_DETACHED);
    guint8 digest[EVP_MAX_MD_SIZE];

    if (!digest_entity(signing, entity, digest, cancellable, error))
        return NULL;
    CMS_SignerInfo *info = cms ? add_signer(signing, cms, digest) : NULL;
    if (!info) {
        smime_set_error(error, SEAL_ERROR_KEY, "cannot sign with the key of %s",
                        seal_key_label(signing->key));
        return NULL;
    }
    ERR_clear_error();
    return make_signature(signing, info, error) ? g_steal_pointer(&cms) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * The entities
 */

static SealContent *sign_opaque(const Signing *signing, SealContent *entity,
                                GCancellable *cancellable, GError **error)
{
    g_autoptr(CMS_ContentInfo) cms = make_signed(signing, entity, cancellable, error);
    g_autoptr(GBytes) front = NULL, back = NULL;

    return cms && smime_signed_around(cms, entity, &front, &back, error)
               ? smime_enclose_between(signing->self, front, entity, back, "signed-data", "sign",
                                       cancellable, error)
               : NULL;
}

/* "=_" stands in no base64 and no quoted-printable text. (transfer full) */
static char *make_boundary(GError **error)
{
    guint8 random[16];

    if (RAND_bytes(random, sizeof random) <= 0) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot get random octets for a boundary");
        return NULL;
    }
    g_autofree char *hex = seal_text_hex(random, sizeof random);
    return g_strconcat("=_", hex, NULL);
}

/* From the delimiter after what is signed to the end; the line end before it belongs to it. */
static SealContent *make_tail(const Signing *signing, CMS_ContentInfo *cms, const char *boundary,
                              GCancellable *cancellable, GError **error)
{
    g_autofree char *fields =
        g_strdup_printf("\n--%s\n"
                        "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\n"
                        "Content-Transfer-Encoding: base64\n"
                        "Content-Disposition: attachment; filename=\"smime.p7s\"\n"
                        "\n",
                        boundary);
    g_autofree char *end = g_strdup_printf("--%s--\n", boundary);
    g_autoptr(GOutputStream) out = seal_module_spool(signing->self);

    if (!smime_write_text(out, fields, cancellable, error) ||
        !smime_write_der(cms, out, cancellable, error) ||
        !smime_write_text(out, end, cancellable, error))
        return NULL;
    return seal_spool_finish(out, error);
}

/* What is signed is not copied. */
static SealContent *sign_detached(const Signing *signing, SealContent *entity,
                                  GCancellable *cancellable, GError **error)
{
    g_autoptr(CMS_ContentInfo) cms = make_signed(signing, entity, cancellable, error);
    g_autofree char *boundary = cms ? make_boundary(error) : NULL;

    if (!boundary)
        return NULL;
    g_autoptr(SealContent) tail = make_tail(signing, cms, boundary, cancellable, error);
    if (!tail)
        return NULL;

    g_autofree char *fields =
        g_strdup_printf("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
                        "micalg=%s; boundary=\"%s\"\n"
                        "\n"
                        "--%s\n",
                        signing->micalg, boundary, boundary);
    g_autoptr(SealContent) head = seal_content_new_copy(fields, strlen(fields));
    g_autoptr(SealContent) front = seal_content_join(head, entity);
    return seal_content_join(front, tail);
}

static gboolean check_signable(const SealSealing *sealing, GError **error)
{
    if (!sealing->signer) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "cannot sign: there is no key");
        return FALSE;
    }
    if (((SmimeKey *)seal_key_native(sealing->signer))->private_key == SMIME_NO_KEY) {
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "cannot sign: the key of %s is not one of server_keys",
                    seal_key_label(sealing->signer));
        return FALSE;
    }
    if (seal_content_size(sealing->entity) == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                            "cannot sign: there is no content");
        return FALSE;
    }
    return TRUE;
}

SealContent *smime_sign(SealModule *self, const SealSealing *sealing, GCancellable *cancellable,
                        GError **error)
{
    if (!check_signable(sealing, error))
        return NULL;

    ERR_clear_error();
    Signing signing = {
        .self = self,
        .key = sealing->signer,
        .native = seal_key_native(sealing->signer),
        .now = g_get_real_time() / G_USEC_PER_SEC,
    };
    if (!choose_digest(&signing, error))
        return NULL;
    signing.scheme = choose_scheme(&signing);
    return sealing->opaque ? sign_opaque(&signing, sealing->entity, cancellable, error)
                           : sign_detached(&signing, sealing->entity, cancellable, error);
}
