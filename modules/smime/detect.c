/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detect.c: what an entity is: encrypted, signed (RFC 8551 3.5), or neither, and for or by whose
 * keys. The media type says whether to look; what is there is said by the ASN.1 alone, to its last
 * octet. That a message says it is signed counts for nothing: there has to be SignedData with a
 * signer. Whether the signature is right is not asked.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

/* What stands before and after the captured parts, so that OpenSSL can parse them as a message
 * whose content is absent: contentType, [0], SEQUENCE; for SignedData version, no digest algorithms
 * and id-data too. */
static const guint8 ENVELOPED_FRONT[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                         0x0d, 0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80};
static const guint8 ENVELOPED_BACK[] = {0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                        0x0d, 0x01, 0x07, 0x01, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                        0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x05,
                                        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
static const guint8 SIGNED_FRONT[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                      0x0d, 0x01, 0x07, 0x02, 0xa0, 0x80, 0x30, 0x80, 0x02,
                                      0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a,
                                      0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const guint8 SIGNED_BACK[] = {0, 0, 0, 0, 0, 0};

enum { AES_BLOCK = 16, MIN_MAC = 12, MAX_MAC = 16, MAX_TEXT = 512 };

/* One line, since what the message says may be in it. */
G_GNUC_PRINTF(4, 5)
static void detection_say(SealDetection *detection, SealDetected what, guint64 size,
                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *line = seal_text_line(text, strlen(text), MAX_TEXT);
    seal_detection_set(detection, what, size, line);
}

/* -------------------------------------------------------------------------------------------
 * Recipients and signers
 */

static CMS_ContentInfo *parse_captured(const guint8 *front, gsize front_size,
                                       const GByteArray *captured, const guint8 *back,
                                       gsize back_size)
{
    g_autoptr(GByteArray) whole = g_byte_array_new();

    g_byte_array_append(whole, front, (guint)front_size);
    g_byte_array_append(whole, captured->data, captured->len);
    g_byte_array_append(whole, back, (guint)back_size);

    const guint8 *at = whole->data;
    CMS_ContentInfo *parsed = d2i_CMS_ContentInfo(NULL, &at, (long)whole->len);
    if (parsed && at != whole->data + whole->len)
        g_clear_pointer(&parsed, CMS_ContentInfo_free);
    ERR_clear_error();
    return parsed;
}

/* Adds a recipient or a signer by what CMS calls it, and counts it. */
static void add_id(SealDetection *detection, const X509_NAME *issuer, const ASN1_INTEGER *serial,
                   const ASN1_OCTET_STRING *key_id, guint *count)
{
    g_autofree char *id = issuer && serial ? smime_id_issuer_serial(issuer, serial)
                          : key_id         ? smime_id_key(key_id)
                                           : NULL;

    seal_detection_add(detection, id);
    ++*count;
}

static void add_agreed(SealDetection *detection, CMS_RecipientInfo *info, guint *count)
{
    STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(info);

    for (int i = 0; i < sk_CMS_RecipientEncryptedKey_num(keys); i++) {
        ASN1_OCTET_STRING *key_id = NULL;
        X509_NAME *issuer = NULL;
        ASN1_INTEGER *serial = NULL;

        CMS_RecipientEncryptedKey_get0_id(sk_CMS_RecipientEncryptedKey_value(keys, i), &key_id,
                                          NULL, NULL, &issuer, &serial);
        add_id(detection, issuer, serial, key_id, count);
    }
}

static void add_recipient(SealDetection *detection, CMS_RecipientInfo *info, guint *count)
{
    ASN1_OCTET_STRING *key_id = NULL;
    X509_NAME *issuer = NULL;
    ASN1_INTEGER *serial = NULL;

    switch (CMS_RecipientInfo_type(info)) {
    case CMS_RECIPINFO_TRANS:
        CMS_RecipientInfo_ktri_get0_signer_id(info, &key_id, &issuer, &serial);
        break;
    case CMS_RECIPINFO_AGREE:
        add_agreed(detection, info, count);
        return;
    default:
        /* A password, a shared key, something newer: someone can read it, nobody knows who. */
        break;
    }
    add_id(detection, issuer, serial, key_id, count);
}

/* How many there are: 0 where they cannot be read. */
static guint add_recipients(SealDetection *detection, const SmimeCms *cms)
{
    g_autoptr(CMS_ContentInfo) parsed = parse_captured(
        ENVELOPED_FRONT, sizeof ENVELOPED_FRONT, cms->front, ENVELOPED_BACK, sizeof ENVELOPED_BACK);
    STACK_OF(CMS_RecipientInfo) *infos = parsed ? CMS_get0_RecipientInfos(parsed) : NULL;
    guint count = 0;

    for (int i = 0; i < sk_CMS_RecipientInfo_num(infos); i++)
        add_recipient(detection, sk_CMS_RecipientInfo_value(infos, i), &count);
    ERR_clear_error();
    return count;
}

static guint add_signers(SealDetection *detection, CMS_ContentInfo *parsed)
{
    STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(parsed);
    guint count = 0;

    for (int i = 0; i < sk_CMS_SignerInfo_num(infos); i++) {
        ASN1_OCTET_STRING *key_id = NULL;
        X509_NAME *issuer = NULL;
        ASN1_INTEGER *serial = NULL;

        CMS_SignerInfo_get0_signer_id(sk_CMS_SignerInfo_value(infos, i), &key_id, &issuer, &serial);
        add_id(detection, issuer, serial, key_id, &count);
    }
    ERR_clear_error();
    return count;
}

/* -------------------------------------------------------------------------------------------
 * The cipher
 */

static gboolean is_cbc(int nid)
{
    return nid == NID_aes_128_cbc || nid == NID_aes_192_cbc || nid == NID_aes_256_cbc;
}

static gboolean is_gcm(int nid)
{
    return nid == NID_aes_128_gcm || nid == NID_aes_192_gcm || nid == NID_aes_256_gcm;
}

static const char *check_cbc(const SmimeCms *cms, const X509_ALGOR *algorithm)
{
    int type;
    const void *value;

    X509_ALGOR_get0(NULL, &type, &value, algorithm);
    if (type != V_ASN1_OCTET_STRING || ASN1_STRING_length(value) != AES_BLOCK)
        return "its initialisation vector is not of 16 octets";
    return cms->content_size % AES_BLOCK == 0 ? NULL
                                              : "its ciphertext ends within a block of 16 octets";
}

static const char *check_gcm(const SmimeCms *cms, const X509_ALGOR *algorithm)
{
    int type;

    X509_ALGOR_get0(NULL, &type, NULL, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return "its nonce is missing";
    return cms->mac_length >= MIN_MAC && cms->mac_length <= MAX_MAC
               ? NULL
               : "its authentication tag is not of 12 to 16 octets";
}

/* What is wrong with the ciphertext, or NULL; @name is the cipher's, "AES-256-CBC". */
static const char *check_cipher(const SmimeCms *cms, char **name)
{
    const guint8 *at = cms->algorithm->data;
    g_autoptr(X509_ALGOR) algorithm = d2i_X509_ALGOR(NULL, &at, (long)cms->algorithm->len);
    const ASN1_OBJECT *oid = NULL;

    ERR_clear_error();
    if (algorithm)
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int nid = oid ? OBJ_obj2nid(oid) : NID_undef;
    *name = nid != NID_undef ? g_ascii_strup(OBJ_nid2ln(nid), -1) : g_strdup("an unknown cipher");
    if (!algorithm)
        return "the cipher's name cannot be read";
    if (is_cbc(nid) && cms->type == SMIME_CMS_ENVELOPED)
        return check_cbc(cms, algorithm);
    if (is_gcm(nid) && cms->type == SMIME_CMS_AUTH_ENVELOPED)
        return check_gcm(cms, algorithm);
    return is_cbc(nid) || is_gcm(nid) ? "EnvelopedData goes with CBC, AuthEnvelopedData with GCM"
                                      : "only AES with CBC or GCM is taken for encryption";
}

/* id-data, or what RFC 8551 3.7 puts inside one another. */
static gboolean is_mail_type(const SmimeCms *cms)
{
    static const int types[] = {NID_pkcs7_data, NID_pkcs7_signed, NID_pkcs7_enveloped,
                                NID_id_smime_ct_authEnvelopedData, NID_id_smime_ct_compressedData};

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        const ASN1_OBJECT *oid = OBJ_nid2obj(types[i]);

        if (oid && OBJ_length(oid) == cms->inner_length &&
            memcmp(OBJ_get0_data(oid), cms->inner, cms->inner_length) == 0)
            return TRUE;
    }
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * Verdicts
 */

/* A complete EnvelopedData or AuthEnvelopedData. */
static void judge_enveloped(SealDetection *detection, const SmimeCms *cms)
{
    g_autofree char *cipher = NULL;
    const char *fault = check_cipher(cms, &cipher);
    guint count = add_recipients(detection, cms);

    if (count == 0)
        fault = "it names no recipient that can be read";
    else if (!cms->has_content || cms->content_size == 0)
        fault = "it has no ciphertext";
    else if (!is_mail_type(cms))
        fault = "its CMS content type is not one that mail uses";
    else if (cms->clear_attributes)
        fault = "it has attributes in clear beside the ciphertext";
    if (fault)
        detection_say(detection, SEAL_DETECTED_PARTLY, cms->content_size, "S/MIME with %s, but %s",
                      cipher, fault);
    else
        detection_say(detection, SEAL_DETECTED_ENCRYPTED, cms->content_size,
                      "S/MIME with %s to %u recipient%s", cipher, count, count == 1 ? "" : "s");
}

/* SignedData; @detached where what it signs has to be elsewhere. The signer's name is added only
 * where all is well: bait names nobody. */
static void judge_signed(SealDetection *detection, const SmimeCms *cms, const char *fault,
                         gboolean detached)
{
    g_autoptr(CMS_ContentInfo) parsed =
        fault ? NULL
              : parse_captured(SIGNED_FRONT, sizeof SIGNED_FRONT, cms->signers, SIGNED_BACK,
                               sizeof SIGNED_BACK);

    if (!fault && !parsed)
        fault = "its signers cannot be read";
    else if (!fault && sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(parsed)) <= 0)
        fault = "it has certificates, but no signer";
    else if (!fault && cms->has_content == detached)
        fault = detached ? "it encloses what it signs, and should sign the part before it"
                         : "what it signs is not in it";
    if (fault) {
        detection_say(detection, SEAL_DETECTED_NOTHING, 0,
                      "S/MIME SignedData without a signature: %s", fault);
        return;
    }
    guint count = add_signers(detection, parsed);
    detection_say(detection, SEAL_DETECTED_SIGNED, 0, "S/MIME, signed only, by %u key%s", count,
                  count == 1 ? "" : "s");
}

static gboolean claims_encryption(SealEntity *entity)
{
    const char *type = seal_entity_parameter(entity, "smime-type");

    return type && (g_ascii_strcasecmp(type, "enveloped-data") == 0 ||
                    g_ascii_strcasecmp(type, "authEnveloped-data") == 0);
}

static void judge_cms(SealDetection *detection, SealEntity *entity, const SmimeCms *cms,
                      const char *fault)
{
    switch (cms->type) {
    case SMIME_CMS_ENVELOPED:
    case SMIME_CMS_AUTH_ENVELOPED:
        if (fault)
            detection_say(detection, SEAL_DETECTED_PARTLY, cms->content_size,
                          "S/MIME ciphertext that is not whole: %s", fault);
        else
            judge_enveloped(detection, cms);
        return;
    case SMIME_CMS_SIGNED:
        judge_signed(detection, cms, fault, FALSE);
        return;
    case SMIME_CMS_OTHER:
        detection_say(detection, SEAL_DETECTED_NOTHING, 0, "CMS that neither encrypts nor signs");
        return;
    case SMIME_CMS_NONE:
    default:
        detection_say(detection, SEAL_DETECTED_NOTHING, 0, "%s: %s",
                      claims_encryption(entity)
                          ? "it says that it is encrypted and is not"
                          : "it has the media type of S/MIME, but nothing of S/MIME in it",
                      fault);
        return;
    }
}

/* -------------------------------------------------------------------------------------------
 * The entity
 */

static gboolean ends_with_p7m(const char *name)
{
    g_autofree char *lower = name ? g_ascii_strdown(name, -1) : NULL;

    return lower && g_str_has_suffix(lower, ".p7m");
}

/* Of a Content-Disposition only this is of interest, and it is a hint: the ASN.1 decides. */
static gboolean disposition_says_p7m(SealEntity *entity)
{
    const char *field = seal_entity_field(entity, "Content-Disposition");
    g_autofree char *lower = field ? g_ascii_strdown(field, -1) : NULL;

    return lower && strstr(lower, "filename") && strstr(lower, ".p7m");
}

static gboolean may_be_cms(SealEntity *entity)
{
    const char *type = seal_entity_type(entity);

    if (g_str_equal(type, "application/pkcs7-mime") ||
        g_str_equal(type, "application/x-pkcs7-mime"))
        return TRUE;
    return g_str_equal(type, "application/octet-stream") &&
           (ends_with_p7m(seal_entity_parameter(entity, "name")) || disposition_says_p7m(entity));
}

/* The name of a field that is there twice and must not be, since readers differ in which counts;
 * NULL where there is none. */
static const char *repeated_field(SealEntity *entity)
{
    if (seal_entity_count(entity, "Content-Type") > 1)
        return "Content-Type";
    if (seal_entity_count(entity, "Content-Transfer-Encoding") > 1)
        return "Content-Transfer-Encoding";
    return NULL;
}

/* What is wrong with the fields of an entity that should hold CMS, or NULL. (transfer full) */
static char *check_fields(SealEntity *entity, gboolean *base64)
{
    const char *repeated = repeated_field(entity);
    const char *encoding = seal_entity_encoding(entity);

    *base64 = g_str_equal(encoding, "base64");
    if (repeated)
        return g_strdup_printf("with more than one %s field", repeated);
    if (*base64 || g_str_equal(encoding, "binary") || g_str_equal(encoding, "8bit") ||
        g_str_equal(encoding, "7bit"))
        return NULL;
    return g_strdup_printf("in a transfer encoding that S/MIME does not have: %s", encoding);
}

/* Walks through the body. @fault is NULL where it is CMS to the end. */
static gboolean walk_body(SealEntity *entity, gboolean base64, GCancellable *cancellable,
                          SmimeCms *cms, const char **fault, GError **error)
{
    g_auto(SmimeOctets) octets = {0};

    smime_octets_init(&octets, seal_entity_body(entity), base64, cancellable);
    gboolean whole = smime_cms_walk(&octets, cms);
    if (!whole && octets.error) {
        g_propagate_error(error, g_steal_pointer(&octets.error));
        return FALSE;
    }
    /* A fault without words is one as well. */
    *fault = octets.fault || whole ? octets.fault : "it cannot be read";
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * multipart/signed
 */

static gboolean is_signature_type(const char *type)
{
    return type && (g_ascii_strcasecmp(type, "application/pkcs7-signature") == 0 ||
                    g_ascii_strcasecmp(type, "application/x-pkcs7-signature") == 0);
}

static gboolean claims_clear_signed(SealEntity *entity)
{
    return g_str_equal(seal_entity_type(entity), "multipart/signed") &&
           is_signature_type(seal_entity_parameter(entity, "protocol"));
}

/* What is wrong with the parts, or NULL, and @part is the one with the signature. (transfer full)
 */
static char *check_parts(SealEntity *entity, GPtrArray *parts, SealEntity **part, gboolean *base64)
{
    const char *repeated = repeated_field(entity);

    if (repeated)
        return g_strdup_printf("it has more than one %s field", repeated);
    if (parts->len != 2)
        return g_strdup_printf("it should have two parts, and has %u", parts->len);
    *part = g_ptr_array_index(parts, 1);
    if (!is_signature_type(seal_entity_type(*part)))
        return g_strdup_printf("its second part should be application/pkcs7-signature, and is %s",
                               seal_entity_type(*part));
    g_autofree char *fault = check_fields(*part, base64);
    return fault ? g_strdup_printf("its signature comes %s", fault) : NULL;
}

static void say_claim(SealDetection *detection, const char *fault)
{
    detection_say(detection, SEAL_DETECTED_NOTHING, 0, "it says that it is signed and is not: %s",
                  fault);
}

static gboolean detect_clear_signed(SealEntity *entity, GCancellable *cancellable,
                                    SealDetection *detection, GError **error)
{
    g_auto(SmimeCms) cms = {0};
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts = NULL;
    SealEntity *part = NULL;
    const char *fault = NULL;
    gboolean base64 = FALSE;

    if (!seal_entity_parts(entity, &parts, &problem)) {
        /* More parts than are looked at are not two. */
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        say_claim(detection, problem->message);
        return TRUE;
    }

    g_autofree char *wrong = check_parts(entity, parts, &part, &base64);
    if (wrong) {
        say_claim(detection, wrong);
        return TRUE;
    }
    if (!walk_body(part, base64, cancellable, &cms, &fault, error))
        return FALSE;
    if (cms.type == SMIME_CMS_SIGNED)
        judge_signed(detection, &cms, fault, TRUE);
    else
        say_claim(detection, fault ? fault : "its second part is CMS, but not SignedData");
    return TRUE;
}

gboolean smime_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                      SealDetection *detection, GError **error)
{
    g_auto(SmimeCms) cms = {0};
    const char *fault = NULL;
    gboolean base64 = FALSE;

    if (claims_clear_signed(entity))
        return detect_clear_signed(entity, cancellable, detection, error);
    if (!may_be_cms(entity)) {
        detection_say(detection, SEAL_DETECTED_NOTHING, 0, "not S/MIME");
        return TRUE;
    }
    g_autofree char *wrong = check_fields(entity, &base64);
    if (wrong) {
        detection_say(detection, SEAL_DETECTED_PARTLY, 0, "S/MIME %s", wrong);
        return TRUE;
    }
    if (!walk_body(entity, base64, cancellable, &cms, &fault, error))
        return FALSE;
    judge_cms(detection, entity, &cms, fault);
    return TRUE;
}
