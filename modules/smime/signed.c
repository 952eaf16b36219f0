/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * signed.c: what is signed (RFC 8551 3.5), and by whose keys. That a message says so counts for
 * nothing: there has to be SignedData with a signer. Whether the signature is right is not asked.
 */
#include "smime.h"

#include <openssl/err.h>

/* What stands before the captured SignerInfos, so that OpenSSL can parse them as SignedData whose
 * content is absent: contentType, [0], version, no digest algorithms, id-data. */
static const guint8 FRONT[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                               0x0d, 0x01, 0x07, 0x02, 0xa0, 0x80, 0x30, 0x80, 0x02,
                               0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a,
                               0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const guint8 CLOSES[] = {0, 0, 0, 0, 0, 0};

/* -------------------------------------------------------------------------------------------
 * Signers
 */

static CMS_ContentInfo *parse_signers(const SmimeCms *cms)
{
    g_autoptr(GByteArray) whole = g_byte_array_new();

    g_byte_array_append(whole, FRONT, sizeof FRONT);
    g_byte_array_append(whole, cms->signers->data, cms->signers->len);
    g_byte_array_append(whole, CLOSES, sizeof CLOSES);

    const guint8 *at = whole->data;
    CMS_ContentInfo *parsed = d2i_CMS_ContentInfo(NULL, &at, (long)whole->len);
    if (parsed && at != whole->data + whole->len)
        g_clear_pointer(&parsed, CMS_ContentInfo_free);
    ERR_clear_error();
    return parsed;
}

static void add_signers(SealDetection *detection, CMS_ContentInfo *parsed, guint *count)
{
    STACK_OF(CMS_SignerInfo) *infos = parsed ? CMS_get0_SignerInfos(parsed) : NULL;

    *count = 0;
    for (int i = 0; i < sk_CMS_SignerInfo_num(infos); i++) {
        ASN1_OCTET_STRING *key_id = NULL;
        X509_NAME *issuer = NULL;
        ASN1_INTEGER *serial = NULL;

        CMS_SignerInfo_get0_signer_id(sk_CMS_SignerInfo_value(infos, i), &key_id, &issuer, &serial);
        smime_detected(detection, issuer, serial, key_id, count);
    }
    ERR_clear_error();
}

/* The signer's name is added only where all is well: bait names nobody. */
void smime_judge_signed(SealDetection *detection, const SmimeCms *cms, const char *fault,
                        gboolean detached)
{
    g_autoptr(CMS_ContentInfo) parsed = fault ? NULL : parse_signers(cms);
    guint count = 0;

    if (!fault && !parsed)
        fault = "its signers cannot be read";
    else if (!fault && sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(parsed)) <= 0)
        fault = "it has certificates only";
    else if (!fault && cms->has_content == detached)
        fault = detached ? "it signs something else" : "what it signs is not in it";
    if (fault) {
        smime_say(detection, SEAL_DETECTED_NOTHING, 0, "S/MIME SignedData without a signature: %s",
                  fault);
        return;
    }
    add_signers(detection, parsed, &count);
    smime_say(detection, SEAL_DETECTED_SIGNED, 0, "S/MIME, signed only, by %u key%s", count,
              count == 1 ? "" : "s");
}

/* -------------------------------------------------------------------------------------------
 * multipart/signed
 */

static gboolean is_signature_type(const char *type)
{
    return type && (g_ascii_strcasecmp(type, "application/pkcs7-signature") == 0 ||
                    g_ascii_strcasecmp(type, "application/x-pkcs7-signature") == 0);
}

gboolean smime_claims_clear_signed(SealEntity *entity)
{
    return g_str_equal(seal_entity_type(entity), "multipart/signed") &&
           is_signature_type(seal_entity_parameter(entity, "protocol"));
}

/* The part with the signature, or NULL, and @fault says what is wrong. */
static SealEntity *signature_part(SealEntity *entity, GPtrArray *parts, const char **fault)
{
    if (smime_repeated_field(entity)) {
        *fault = "a field stands there twice";
        return NULL;
    }
    if (parts->len != 2) {
        *fault = "it has not two parts";
        return NULL;
    }
    SealEntity *part = g_ptr_array_index(parts, 1);
    *fault = !is_signature_type(seal_entity_type(part)) ? "its second part is no signature"
             : smime_repeated_field(part)               ? "a field stands there twice"
                                                        : NULL;
    return *fault ? NULL : part;
}

static void say_claim(SealDetection *detection, const char *fault)
{
    smime_say(detection, SEAL_DETECTED_NOTHING, 0, "it says that it is signed and is not: %s",
              fault);
}

gboolean smime_detect_clear_signed(SealEntity *entity, GCancellable *cancellable,
                                   SealDetection *detection, GError **error)
{
    g_auto(SmimeCms) cms = {0};
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts = NULL;
    const char *fault = NULL;
    gboolean base64;

    if (!seal_entity_parts(entity, &parts, &problem)) {
        /* More parts than are looked at are not two. */
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        say_claim(detection, problem->message);
        return TRUE;
    }

    SealEntity *part = signature_part(entity, parts, &fault);
    if (part && !smime_encoding(part, &base64))
        fault = "its signature is in a transfer encoding that is not its own";
    if (fault) {
        say_claim(detection, fault);
        return TRUE;
    }
    if (!smime_look_inside(part, base64, cancellable, &cms, &fault, error))
        return FALSE;
    if (cms.type == SMIME_CMS_SIGNED)
        smime_judge_signed(detection, &cms, fault, TRUE);
    else
        say_claim(detection, fault ? fault : "its second part is CMS of another type");
    return TRUE;
}
