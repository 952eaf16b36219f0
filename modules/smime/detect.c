/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detect.c: what an entity is. The media type says whether to look; what is there is said by the
 * ASN.1 alone, to its last octet.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

/* What stands before and after the captured parts, so that OpenSSL can parse them as a message
 * whose content is absent. */
static const guint8 OID_ENVELOPED[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                       0xf7, 0x0d, 0x01, 0x07, 0x03};
static const guint8 OPEN_SEQUENCE[] = {0x30, 0x80};
static const guint8 OPEN_0[] = {0xa0, 0x80};
static const guint8 EMPTY_CONTENT[] = {0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                       0x01, 0x07, 0x01, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
                                       0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x05, 0x00};
static const guint8 CLOSE[] = {0, 0};

enum { AES_BLOCK = 16, MIN_MAC = 12, MAX_MAC = 16 };

/* -------------------------------------------------------------------------------------------
 * Recipients
 */

void smime_detected(SealDetection *detection, const X509_NAME *issuer, const ASN1_INTEGER *serial,
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
        smime_detected(detection, issuer, serial, key_id, count);
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
    smime_detected(detection, issuer, serial, key_id, count);
}

static CMS_ContentInfo *parse_front(const SmimeCms *cms)
{
    g_autoptr(GByteArray) whole = g_byte_array_new();

    g_byte_array_append(whole, OPEN_SEQUENCE, sizeof OPEN_SEQUENCE);
    g_byte_array_append(whole, OID_ENVELOPED, sizeof OID_ENVELOPED);
    g_byte_array_append(whole, OPEN_0, sizeof OPEN_0);
    g_byte_array_append(whole, OPEN_SEQUENCE, sizeof OPEN_SEQUENCE);
    g_byte_array_append(whole, cms->front->data, cms->front->len);
    g_byte_array_append(whole, EMPTY_CONTENT, sizeof EMPTY_CONTENT);
    for (guint i = 0; i < 3; i++)
        g_byte_array_append(whole, CLOSE, sizeof CLOSE);

    const guint8 *at = whole->data;
    CMS_ContentInfo *parsed = d2i_CMS_ContentInfo(NULL, &at, (long)whole->len);
    if (parsed && at != whole->data + whole->len)
        g_clear_pointer(&parsed, CMS_ContentInfo_free);
    ERR_clear_error();
    return parsed;
}

/* FALSE where they cannot be read or there are none. */
static gboolean add_recipients(SealDetection *detection, const SmimeCms *cms, guint *count)
{
    g_autoptr(CMS_ContentInfo) parsed = parse_front(cms);
    STACK_OF(CMS_RecipientInfo) *infos = parsed ? CMS_get0_RecipientInfos(parsed) : NULL;

    *count = 0;
    for (int i = 0; i < sk_CMS_RecipientInfo_num(infos); i++)
        add_recipient(detection, sk_CMS_RecipientInfo_value(infos, i), count);
    ERR_clear_error();
    return *count > 0;
}

/* -------------------------------------------------------------------------------------------
 * The cipher
 */

static X509_ALGOR *parse_algorithm(const SmimeCms *cms)
{
    const guint8 *at = cms->algorithm->data;
    X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &at, (long)cms->algorithm->len);

    ERR_clear_error();
    return algorithm;
}

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
        return "has no initialisation vector";
    return cms->content_size % AES_BLOCK == 0 ? NULL : "ends within a block of the cipher";
}

static const char *check_gcm(const SmimeCms *cms, const X509_ALGOR *algorithm)
{
    int type;

    X509_ALGOR_get0(NULL, &type, NULL, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return "has no nonce";
    return cms->mac_length >= MIN_MAC && cms->mac_length <= MAX_MAC
               ? NULL
               : "has an authentication tag of the wrong size";
}

/* What is wrong with the ciphertext, or NULL; @name is the cipher's, "AES-256-CBC". */
static const char *check_cipher(const SmimeCms *cms, char **name)
{
    g_autoptr(X509_ALGOR) algorithm = parse_algorithm(cms);
    const ASN1_OBJECT *oid = NULL;

    if (algorithm)
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int nid = oid ? OBJ_obj2nid(oid) : NID_undef;
    *name = nid != NID_undef ? g_ascii_strup(OBJ_nid2ln(nid), -1) : g_strdup("an unknown cipher");
    if (!algorithm)
        return "names no cipher";
    if (is_cbc(nid) && cms->type == SMIME_CMS_ENVELOPED)
        return check_cbc(cms, algorithm);
    if (is_gcm(nid) && cms->type == SMIME_CMS_AUTH_ENVELOPED)
        return check_gcm(cms, algorithm);
    return is_cbc(nid) || is_gcm(nid) ? "uses its cipher in a form that has no meaning"
                                      : "uses a cipher that is too weak or not known";
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

void smime_say(SealDetection *detection, SealDetected what, guint64 size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    seal_detection_set(detection, what, size, text);
}

/* A complete EnvelopedData or AuthEnvelopedData. */
static void judge_enveloped(SealDetection *detection, const SmimeCms *cms)
{
    g_autofree char *cipher = NULL;
    const char *fault = check_cipher(cms, &cipher);
    guint count;
    gboolean named = add_recipients(detection, cms, &count);

    if (!named)
        fault = "names no recipient that can be read";
    else if (!cms->has_content || cms->content_size == 0)
        fault = "has no ciphertext";
    else if (!is_mail_type(cms))
        fault = "does not contain mail";
    else if (cms->clear_attributes)
        fault = "has attributes in clear beside the ciphertext";
    if (fault)
        smime_say(detection, SEAL_DETECTED_PARTLY, cms->content_size, "S/MIME with %s, which %s",
                  cipher, fault);
    else
        smime_say(detection, SEAL_DETECTED_ENCRYPTED, cms->content_size,
                  "S/MIME with %s to %u recipient%s", cipher, count, count == 1 ? "" : "s");
}

static gboolean claims_encryption(SealEntity *entity)
{
    const char *type = seal_entity_parameter(entity, "smime-type");

    return type && (g_ascii_strcasecmp(type, "enveloped-data") == 0 ||
                    g_ascii_strcasecmp(type, "authEnveloped-data") == 0);
}

static void judge(SealDetection *detection, SealEntity *entity, const SmimeCms *cms,
                  const char *fault)
{
    switch (cms->type) {
    case SMIME_CMS_ENVELOPED:
    case SMIME_CMS_AUTH_ENVELOPED:
        if (fault)
            smime_say(detection, SEAL_DETECTED_PARTLY, cms->content_size,
                      "S/MIME ciphertext that is not whole: %s", fault);
        else
            judge_enveloped(detection, cms);
        return;
    case SMIME_CMS_SIGNED:
        smime_judge_signed(detection, cms, fault, FALSE);
        return;
    case SMIME_CMS_OTHER:
        smime_say(detection, SEAL_DETECTED_NOTHING, 0, "CMS that neither encrypts nor signs");
        return;
    case SMIME_CMS_NONE:
    default:
        smime_say(detection, SEAL_DETECTED_NOTHING, 0, "%s: %s",
                  claims_encryption(entity) ? "it says that it is encrypted and is not"
                                            : "it has the media type of S/MIME only",
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

/* Two fields of these names are read differently by different readers. */
const char *smime_repeated_field(SealEntity *entity)
{
    if (seal_entity_count(entity, "Content-Type") > 1)
        return "Content-Type";
    if (seal_entity_count(entity, "Content-Transfer-Encoding") > 1)
        return "Content-Transfer-Encoding";
    return NULL;
}

/* Is it in base64, as it is, or in an encoding that is none of S/MIME's? */
gboolean smime_encoding(SealEntity *entity, gboolean *base64)
{
    const char *encoding = seal_entity_encoding(entity);

    *base64 = g_str_equal(encoding, "base64");
    return *base64 || g_str_equal(encoding, "binary") || g_str_equal(encoding, "8bit") ||
           g_str_equal(encoding, "7bit");
}

gboolean smime_look_inside(SealEntity *entity, gboolean base64, GCancellable *cancellable,
                           SmimeCms *cms, const char **fault, GError **error)
{
    g_auto(SmimeOctets) octets = {0};

    smime_octets_init(&octets, seal_entity_body(entity), base64, cancellable);
    if (!smime_cms_walk(&octets, cms) && octets.error) {
        g_propagate_error(error, g_steal_pointer(&octets.error));
        return FALSE;
    }
    *fault = octets.fault;
    return TRUE;
}

gboolean smime_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                      SealDetection *detection, GError **error)
{
    g_auto(SmimeCms) cms = {0};
    const char *fault;
    gboolean base64;

    if (smime_claims_clear_signed(entity))
        return smime_detect_clear_signed(entity, cancellable, detection, error);
    if (!may_be_cms(entity)) {
        smime_say(detection, SEAL_DETECTED_NOTHING, 0, "not S/MIME");
        return TRUE;
    }
    if (smime_repeated_field(entity)) {
        smime_say(detection, SEAL_DETECTED_PARTLY, 0, "S/MIME with more than one %s",
                  smime_repeated_field(entity));
        return TRUE;
    }
    if (!smime_encoding(entity, &base64)) {
        smime_say(detection, SEAL_DETECTED_PARTLY, 0,
                  "S/MIME in a transfer encoding that is not its own");
        return TRUE;
    }
    if (!smime_look_inside(entity, base64, cancellable, &cms, &fault, error))
        return FALSE;
    judge(detection, entity, &cms, fault);
    return TRUE;
}
