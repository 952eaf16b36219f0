/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sign.c: SignedData (RFC 5652 5) with the attributes that RFC 8551 2.5 asks for, beside what it
 * signs (multipart/signed) or around it, streamed from content to content.
 */
#include "smime.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

/* What a signature is made with. */
typedef struct {
    SealModule *self;
    SealKey *key;
    SmimeKey *native;
    const EVP_MD *digest;
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
        const char *micalg; /* RFC 8551 3.5.3.2 */
    } rows[] = {{NID_sha256, "sha-256"}, {NID_sha384, "sha-384"}, {NID_sha512, "sha-512"}};
    int nid = digest_for_key(signing->native->private_key);

    ERR_clear_error();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].nid == nid) {
            signing->digest = EVP_get_digestbynid(nid);
            signing->micalg = rows[i].micalg;
            return TRUE;
        }
    }
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_UNSUPPORTED,
                "the key of %s signs with %s only; SHA-256, SHA-384 or SHA-512 is needed",
                seal_key_label(signing->key), OBJ_nid2sn(nid));
    return FALSE;
}

/* Salt as long as the digest (RFC 4056 3); a key may ask for more, which is its own default. */
static gboolean set_padding(const Signing *signing, CMS_SignerInfo *info)
{
    SmimeModule *module = seal_module_data(signing->self);
    EVP_PKEY_CTX *ctx = CMS_SignerInfo_get0_pkey_ctx(info);
    int type = EVP_PKEY_get_base_id(signing->native->private_key);

    if (!ctx)
        return FALSE;
    if (type == EVP_PKEY_RSA && module->rsa_signature == SMIME_RSA_SIGNATURE_PSS) {
        if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0)
            return FALSE;
        return EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
    }
    if (type == EVP_PKEY_RSA_PSS &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
        ERR_clear_error();
    return TRUE;
}

/* The algorithm is known when it signs, but OpenSSL encodes all of a stream's structure before its
 * first octet, and fails where an object identifier is missing. What stands here is never written.
 */
static gboolean set_placeholder(CMS_SignerInfo *info)
{
    X509_ALGOR *algorithm = NULL;

    CMS_SignerInfo_get0_algs(info, NULL, NULL, NULL, &algorithm);
    return algorithm &&
           X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL);
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

static gboolean fill_signed(const Signing *signing, CMS_ContentInfo *cms)
{
    X509 *preferred = smime_server_encryption_cert(signing->self, signing->key, signing->now);
    CMS_SignerInfo *info =
        CMS_add1_signer(cms, signing->native->cert, signing->native->private_key, signing->digest,
                        CMS_KEY_PARAM | CMS_NOSMIMECAP | CMS_NOCERTS | CMS_BINARY);

    return info && set_padding(signing, info) && set_placeholder(info) && add_capabilities(info) &&
           (!preferred || add_preference(info, preferred)) && add_certs(signing, cms, preferred);
}

static CMS_ContentInfo *make_signed(const Signing *signing, gboolean opaque, GError **error)
{
    g_autoptr(CMS_ContentInfo) cms =
        CMS_sign(NULL, NULL, NULL, NULL,
                 CMS_BINARY | CMS_STREAM | CMS_PARTIAL | (opaque ? 0u : (guint)CMS_DETACHED));

    if (cms && fill_signed(signing, cms)) {
        ERR_clear_error();
        return g_steal_pointer(&cms);
    }
    smime_set_error(error, SEAL_ERROR_KEY, "cannot sign with the key of %s",
                    seal_key_label(signing->key));
    return NULL;
}

/* -------------------------------------------------------------------------------------------
 * The entities
 */

static SealContent *sign_opaque(const Signing *signing, SealContent *entity,
                                GCancellable *cancellable, GError **error)
{
    g_autoptr(CMS_ContentInfo) cms = make_signed(signing, TRUE, error);

    return cms ? smime_enclose(signing->self, entity, cms, "signed-data", "sign", cancellable,
                               error)
               : NULL;
}

/* The digest of @entity, and the signature over it. */
static gboolean finish_detached(SealContent *entity, CMS_ContentInfo *cms,
                                GCancellable *cancellable, GError **error)
{
    g_autoptr(BIO) chain = CMS_dataInit(cms, NULL);

    if (!chain) {
        smime_set_error(error, SEAL_ERROR_FAILED, "cannot begin to sign");
        return FALSE;
    }
    if (!smime_feed(entity, chain, "sign", cancellable, error))
        return FALSE;
    if (CMS_dataFinal(cms, chain) > 0)
        return TRUE;
    smime_set_error(error, SEAL_ERROR_FAILED, "cannot sign");
    return FALSE;
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
    g_autoptr(CMS_ContentInfo) cms = make_signed(signing, FALSE, error);
    g_autofree char *boundary = cms ? make_boundary(error) : NULL;

    if (!boundary || !finish_detached(entity, cms, cancellable, error))
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
    if (!((SmimeKey *)seal_key_native(sealing->signer))->private_key) {
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
    return sealing->opaque ? sign_opaque(&signing, sealing->entity, cancellable, error)
                           : sign_detached(&signing, sealing->entity, cancellable, error);
}
