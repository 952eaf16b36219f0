/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * verify.c: verifies SignedData (RFC 5652 5.4), detached or with what it signs inside. Whose key it
 * was and whether that may sign is asked afterwards, by usable(). What micalg says does not matter.
 */
#include "smime.h"

#include <openssl/err.h>

enum {
    MAX_DETACHED = 1024 * 1024, /* octets of the body, in its transfer encoding */
    MAX_OPAQUE = 4 * 1024 * 1024,
    MAX_SIGNERS = 10,
    MAX_CAS = 10, /* that came with it and are remembered */
};

/* What is verified, and what was found out. */
typedef struct {
    SealModule *self;
    const SealVerifying *verifying;
    CMS_ContentInfo *cms;
    SmimeCerts *certs; /* that came with it */
    BIO *digests;      /* what is signed has gone through them */
    GPtrArray *signers;
    char **why;
} Verify;

static void verify_clear(Verify *verify)
{
    CMS_ContentInfo_free(verify->cms);
    smime_certs_free(verify->certs);
    BIO_free_all(verify->digests);
    ERR_clear_error();
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verify, verify_clear)

/* The first reason counts. Always FALSE. */
static gboolean give_reason(Verify *verify, const char *why)
{
    if (!*verify->why)
        *verify->why = g_strdup(why);
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * One signer
 */

static gboolean is_sound_digest(int nid)
{
    return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512 || nid == NID_sha224;
}

static int algorithm_nid(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid = NULL;

    if (algorithm)
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return oid ? OBJ_obj2nid(oid) : NID_undef;
}

/* A signature algorithm that names a digest names the one that is used. */
static gboolean has_sound_digest(CMS_SignerInfo *info)
{
    X509_ALGOR *digest = NULL, *signature = NULL;
    int named = NID_undef;

    CMS_SignerInfo_get0_algs(info, NULL, NULL, &digest, &signature);
    if (!is_sound_digest(algorithm_nid(digest)))
        return FALSE;
    return !OBJ_find_sigid_algs(algorithm_nid(signature), &named, NULL) || named == NID_undef ||
           named == algorithm_nid(digest);
}

/* What the attributes are signed for is content of mail, and not an attribute set of another's. */
static gboolean has_attributes(CMS_SignerInfo *info)
{
    const ASN1_OBJECT *type =
        CMS_signed_get_attr_count(info) < 0
            ? NULL
            : CMS_signed_get0_data_by_OBJ(info, OBJ_nid2obj(NID_pkcs9_contentType), -3,
                                          V_ASN1_OBJECT);

    return type && OBJ_obj2nid(type) == NID_pkcs7_data;
}

static X509 *find_cert(const Verify *verify, CMS_SignerInfo *info)
{
    for (int i = 0; i < sk_X509_num(verify->certs); i++) {
        if (CMS_SignerInfo_cert_cmp(info, sk_X509_value(verify->certs, i)) == 0)
            return sk_X509_value(verify->certs, i);
    }
    for (guint i = 0; i < verify->verifying->keys->len; i++) {
        SmimeKey *native = seal_key_native(g_ptr_array_index(verify->verifying->keys, i));

        if (CMS_SignerInfo_cert_cmp(info, native->cert) == 0)
            return native->cert;
    }
    return NULL;
}

/* That of a key source where it has one. Another is as good as its chain: usable() asks for that,
 * and with one it is verified. */
static SealKey *key_of(const Verify *verify, X509 *cert)
{
    const SealOrigin origin = {.size = sizeof origin,
                               .source = "signature",
                               .place = "the signature",
                               .trust = SEAL_TRUST_VERIFIED};

    for (guint i = 0; i < verify->verifying->keys->len; i++) {
        SealKey *key = g_ptr_array_index(verify->verifying->keys, i);

        if (X509_cmp(((SmimeKey *)seal_key_native(key))->cert, cert) == 0)
            return seal_key_ref(key);
    }
    return smime_key_new(cert, SMIME_NO_KEY, &origin);
}

static gboolean verify_signer(Verify *verify, CMS_SignerInfo *info)
{
    X509 *cert = find_cert(verify, info);

    if (!cert)
        return give_reason(verify, "the certificate of its signer is not there");
    if (!has_sound_digest(info))
        return give_reason(verify, "its hash can be forged, or is not known here");
    if (!has_attributes(info))
        return give_reason(verify, "it does not say what kind of content it signs");
    CMS_SignerInfo_set1_signer_cert(info, cert);
    if (CMS_SignerInfo_verify(info) <= 0)
        return give_reason(verify, "it was not made with the key of its certificate");
    if (CMS_SignerInfo_verify_content(info, verify->digests) <= 0)
        return give_reason(verify, "what it signs was changed, or it was made for something else");

    SealKey *key = key_of(verify, cert);
    if (!key)
        return give_reason(verify, "its certificate cannot be read");
    g_ptr_array_add(verify->signers, key);
    return TRUE;
}

/* Intermediate CAs that came along fill gaps in chains, as those of key files do. */
static void remember_cas(const Verify *verify)
{
    SmimeModule *module = seal_module_data(verify->self);
    guint count = 0;

    for (int i = 0; i < sk_X509_num(verify->certs) && count < MAX_CAS; i++) {
        X509 *cert = sk_X509_value(verify->certs, i);

        if (X509_get_extension_flags(cert) & EXFLAG_CA) {
            smime_pool_add(module->pool, cert, FALSE);
            count++;
        }
    }
}

static void verify_signers(Verify *verify)
{
    STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(verify->cms);

    if (sk_CMS_SignerInfo_num(infos) > MAX_SIGNERS) {
        give_reason(verify, "it has more signers than are looked at");
        return;
    }
    for (int i = 0; i < sk_CMS_SignerInfo_num(infos); i++)
        verify_signer(verify, sk_CMS_SignerInfo_value(infos, i));
    if (verify->signers->len > 0)
        remember_cas(verify);
}

/* -------------------------------------------------------------------------------------------
 * What is signed
 */

/* Its octets, without transfer encoding. NULL with @why, or with @error. */
static GBytes *read_cms(SealEntity *entity, gsize max, char **why, GError **error)
{
    const char *encoding = seal_entity_encoding(entity);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) body = seal_content_to_bytes(seal_entity_body(entity), max, &problem);

    if (!body && !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!body) {
        *why = g_strdup_printf("it is larger than %" G_GSIZE_FORMAT " octets", max);
        return NULL;
    }
    if (!g_str_equal(encoding, "base64"))
        return g_steal_pointer(&body);

    SealBase64 state = {.may_have_blanks = TRUE};
    gsize size, length = 0;
    const char *text = g_bytes_get_data(body, &size);
    g_autofree guint8 *octets = g_malloc(size / 4 * 3 + 6);
    if (!seal_base64_decode(&state, text, size, octets, &length) ||
        !seal_base64_is_complete(&state)) {
        *why = g_strdup("its base64 is broken");
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&octets), length);
}

static gboolean parse_cms(Verify *verify, GBytes *data)
{
    gsize size;
    const guint8 *start = g_bytes_get_data(data, &size);
    const guint8 *at = start;

    verify->cms = d2i_CMS_ContentInfo(NULL, &at, (long)size);
    if (!verify->cms || at != start + size)
        return give_reason(verify, "it cannot be read");
    if (OBJ_obj2nid(CMS_get0_type(verify->cms)) != NID_pkcs7_signed ||
        OBJ_obj2nid(CMS_get0_eContentType(verify->cms)) != NID_pkcs7_data)
        return give_reason(verify, "it does not sign content of mail");
    verify->certs = CMS_get1_certs(verify->cms);
    return TRUE;
}

/* What is put into the first of a chain of digests comes out nowhere. */
static gboolean open_digests(Verify *verify)
{
    BIO *nowhere = BIO_new(BIO_s_null());

    verify->digests = nowhere ? CMS_dataInit(verify->cms, nowhere) : NULL;
    if (verify->digests)
        return TRUE;
    BIO_free(nowhere);
    /* A digest that is not known is the signature's fault. */
    ERR_clear_error();
    return give_reason(verify, "its hash is not known here");
}

static gboolean digest_inside(Verify *verify)
{
    ASN1_OCTET_STRING **inside = CMS_get0_content(verify->cms);

    if (!inside || !*inside)
        return give_reason(verify, "what it signs is not in it");
    return BIO_write(verify->digests, ASN1_STRING_get0_data(*inside),
                     ASN1_STRING_length(*inside)) == ASN1_STRING_length(*inside) ||
           give_reason(verify, "what it signs cannot be read");
}

/* TRUE: go on. FALSE with @error, or with a reason. */
static gboolean digest_content(Verify *verify, SealEntity *part, GCancellable *cancellable,
                               GError **error)
{
    if (!open_digests(verify))
        return FALSE;
    if (!part)
        return digest_inside(verify);
    if (!CMS_is_detached(verify->cms))
        return give_reason(verify, "it encloses what it signs, and stands beside something else");
    return smime_feed(seal_entity_content(part), verify->digests, "verify", cancellable, error);
}

gboolean smime_verify(SealModule *self, const SealVerifying *verifying, GCancellable *cancellable,
                      GPtrArray *signers, char **why, GError **error)
{
    g_auto(Verify) verify = {.self = self, .verifying = verifying, .signers = signers, .why = why};
    g_autoptr(GError) problem = NULL;
    SealEntity *entity = verifying->entity;
    GPtrArray *parts = NULL;

    if (!seal_entity_parts(entity, &parts, error))
        return FALSE;
    gboolean detached = parts->len == 2;
    g_autoptr(GBytes) data = read_cms(detached ? g_ptr_array_index(parts, 1) : entity,
                                      detached ? MAX_DETACHED : MAX_OPAQUE, why, &problem);
    if (data && parse_cms(&verify, data) &&
        digest_content(&verify, detached ? g_ptr_array_index(parts, 0) : NULL, cancellable,
                       &problem))
        verify_signers(&verify);
    if (!problem)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}
