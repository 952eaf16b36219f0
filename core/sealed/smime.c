/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detect.c: what an entity is: encrypted, signed (RFC 8551 3.5), or neither, and for or by whose
 * keys. The media type says whether to look; what is there is said by the ASN.1 alone, to its last
 * octet. That a message says it is signed counts for nothing: there has to be SignedData with a
 * signer. Whether the signature is right is not asked.
 */
#include "core/sealed/cms.h"
#include "core/sealed/known.h"

#include <string.h>

enum { MIN_MAC = 12, MAX_MAC = 16, MAX_TEXT = 512 };

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

static void add_ids(SealDetection *detection, const SealCms *cms)
{
    for (guint i = 0; i < cms->names.ids->len; i++)
        seal_detection_add(detection, g_ptr_array_index(cms->names.ids, i));
}

/* -------------------------------------------------------------------------------------------
 * Verdicts
 */

/* What is wrong with a complete EnvelopedData or AuthEnvelopedData, or NULL. */
static const char *check_enveloped(SealEntity *entity, const SealCms *cms)
{
    if (cms->names.ids->len == 0)
        return "it names no recipient that can be read";
    if (!cms->has_content || cms->content_size == 0)
        return "it has no ciphertext";
    if (!seal_cms_is_mail_type(&cms->inner))
        return "its CMS content type is not one that mail uses";
    if (cms->cipher_fault)
        return cms->cipher_fault;
    if (cms->type == SEAL_CMS_AUTH_ENVELOPED &&
        (cms->mac_length < MIN_MAC || cms->mac_length > MAX_MAC))
        return "its authentication tag is not of 12 to 16 octets";
    return cms->names.beside ? cms->names.beside : seal_known_fields(entity, FALSE);
}

static void judge_enveloped(SealDetection *detection, SealEntity *entity, const SealCms *cms)
{
    const char *fault = check_enveloped(entity, cms);
    guint count = cms->names.ids->len;

    add_ids(detection, cms);
    seal_detection_set_doubt(detection, cms->names.doubt);
    if (fault)
        detection_say(detection, SEAL_DETECTED_PARTLY, cms->content_size, "S/MIME with %s, but %s",
                      cms->cipher, fault);
    else
        detection_say(detection, SEAL_DETECTED_ENCRYPTED, cms->content_size,
                      "S/MIME with %s to %u recipient%s", cms->cipher, count,
                      count == 1 ? "" : "s");
}

/* SignedData; @detached where what it signs has to be elsewhere. The signer's name is added only
 * where all is well: bait names nobody. */
static void judge_signed(SealDetection *detection, const SealCms *cms, const char *fault,
                         gboolean detached)
{
    guint count = cms->names.ids->len;

    if (!fault && count == 0)
        fault = "it has certificates, but no signer";
    else if (!fault && cms->has_content == detached)
        fault = detached ? "it encloses what it signs, and should sign the part before it"
                         : "what it signs is not in it";
    if (fault) {
        detection_say(detection, SEAL_DETECTED_NOTHING, 0,
                      "S/MIME SignedData without a signature: %s", fault);
        return;
    }
    add_ids(detection, cms);
    detection_say(detection, SEAL_DETECTED_SIGNED, 0, "S/MIME, signed only, by %u key%s", count,
                  count == 1 ? "" : "s");
}

static gboolean claims_encryption(SealEntity *entity)
{
    const char *type = seal_entity_parameter(entity, "smime-type");

    return type && (g_ascii_strcasecmp(type, "enveloped-data") == 0 ||
                    g_ascii_strcasecmp(type, "authEnveloped-data") == 0);
}

static void judge_cms(SealDetection *detection, SealEntity *entity, const SealCms *cms,
                      const char *fault)
{
    switch (cms->type) {
    case SEAL_CMS_ENVELOPED:
    case SEAL_CMS_AUTH_ENVELOPED:
        if (fault)
            detection_say(detection, SEAL_DETECTED_PARTLY, cms->content_size,
                          "S/MIME ciphertext that is not whole: %s", fault);
        else
            judge_enveloped(detection, entity, cms);
        return;
    case SEAL_CMS_SIGNED:
        judge_signed(detection, cms, fault, FALSE);
        return;
    case SEAL_CMS_OTHER:
        detection_say(detection, SEAL_DETECTED_NOTHING, 0, "CMS that neither encrypts nor signs");
        return;
    case SEAL_CMS_NONE:
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
static char *check_fields(SealEntity *entity, SealBodyEncoding *encoding)
{
    const char *repeated = repeated_field(entity);

    if (repeated)
        return g_strdup_printf("with more than one %s field", repeated);
    if (seal_body_encoding(entity, encoding) && *encoding != SEAL_BODY_QUOTED)
        return NULL;
    return g_strdup_printf("in a transfer encoding that S/MIME does not have: %s",
                           seal_entity_encoding(entity));
}

/* Walks through the body. @fault is NULL where it is CMS to the end. */
static gboolean walk_body(SealEntity *entity, SealBodyEncoding encoding, GCancellable *cancellable,
                          SealCms *cms, const char **fault, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(seal_entity_body(entity));
    g_auto(SealOctets) octets = {0};

    seal_octets_init(&octets, in, encoding, cancellable);
    gboolean whole = seal_cms_walk(&octets, cms);
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
static char *check_parts(SealEntity *entity, GPtrArray *parts, SealEntity **part,
                         SealBodyEncoding *encoding)
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
    g_autofree char *fault = check_fields(*part, encoding);
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
    g_auto(SealCms) cms = {0};
    g_autoptr(GError) problem = NULL;
    GPtrArray *parts = NULL;
    SealEntity *part = NULL;
    const char *fault = NULL;
    SealBodyEncoding encoding = SEAL_BODY_PLAIN;

    if (!seal_entity_parts(entity, &parts, &problem)) {
        /* More parts than are looked at are not two. */
        if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        say_claim(detection, problem->message);
        return TRUE;
    }

    g_autofree char *wrong = check_parts(entity, parts, &part, &encoding);
    if (wrong) {
        say_claim(detection, wrong);
        return TRUE;
    }
    if (!walk_body(part, encoding, cancellable, &cms, &fault, error))
        return FALSE;
    if (cms.type == SEAL_CMS_SIGNED)
        judge_signed(detection, &cms, fault, TRUE);
    else
        say_claim(detection, fault ? fault : "its second part is CMS, but not SignedData");
    return TRUE;
}

gboolean seal_smime_detect(SealModule *self, SealEntity *entity, GCancellable *cancellable,
                           SealDetection *detection, GError **error)
{
    g_auto(SealCms) cms = {0};
    const char *fault = NULL;
    SealBodyEncoding encoding = SEAL_BODY_PLAIN;

    if (claims_clear_signed(entity))
        return detect_clear_signed(entity, cancellable, detection, error);
    if (!may_be_cms(entity)) {
        detection_say(detection, SEAL_DETECTED_NOTHING, 0, "not S/MIME");
        return TRUE;
    }
    g_autofree char *wrong = check_fields(entity, &encoding);
    if (wrong) {
        detection_say(detection, SEAL_DETECTED_PARTLY, 0, "S/MIME %s", wrong);
        return TRUE;
    }
    if (!walk_body(entity, encoding, cancellable, &cms, &fault, error))
        return FALSE;
    judge_cms(detection, entity, &cms, fault);
    return TRUE;
}
