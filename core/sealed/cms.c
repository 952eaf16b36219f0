/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cms.c: walks through a CMS message (RFC 5652, RFC 5083) to its last octet, keeping the small
 * parts and counting the large one.
 */
#include "core/sealed/cms.h"

#include <string.h>

/* Content octets of object identifiers: 1.2.840.113549.1.7.2 and so on. */
static const guint8 OID_SIGNED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
static const guint8 OID_ENVELOPED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03};
static const guint8 OID_AUTH_ENVELOPED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                            0x01, 0x09, 0x10, 0x01, 0x17};

/* 1.2.840.113549.1.7.1, and CompressedData. */
static const guint8 OID_DATA[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const guint8 OID_COMPRESSED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                        0x01, 0x09, 0x10, 0x01, 0x09};
static const guint8 OID_CONTENT_TYPE[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03};
static const guint8 OID_SIGNING_TIME[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05};

void seal_cms_clear(SealCms *cms)
{
    seal_names_clear(&cms->names);
}

gboolean seal_cms_is_mail_type(const SealOid *oid)
{
    return SEAL_OID_IS(oid, OID_DATA) || SEAL_OID_IS(oid, OID_SIGNED) ||
           SEAL_OID_IS(oid, OID_ENVELOPED) || SEAL_OID_IS(oid, OID_AUTH_ENVELOPED) ||
           SEAL_OID_IS(oid, OID_COMPRESSED);
}

static SealCmsType cms_type(const SealOid *oid)
{
    if (SEAL_OID_IS(oid, OID_SIGNED))
        return SEAL_CMS_SIGNED;
    if (SEAL_OID_IS(oid, OID_ENVELOPED))
        return SEAL_CMS_ENVELOPED;
    return SEAL_OID_IS(oid, OID_AUTH_ENVELOPED) ? SEAL_CMS_AUTH_ENVELOPED : SEAL_CMS_OTHER;
}

static void find_beside(SealCms *cms, const char *what)
{
    if (!cms->names.beside)
        cms->names.beside = what;
}

/* CMSVersion, OriginatorInfo OPTIONAL, RecipientInfos. */
static gboolean walk_front(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;
    guint8 version;
    gsize length;

    if (!seal_ber_expect(octets, box, SEAL_BER_INTEGER, &element, "its version is missing") ||
        !seal_ber_value(octets, &element, &version, 1, &length) ||
        !seal_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag == SEAL_BER_0_CONSTRUCTED) {
        find_beside(cms, "it has information about its originator beside the ciphertext");
        if (!seal_ber_skip(octets, &element) || !seal_ber_next(octets, box, &element))
            return FALSE;
    }
    if (element.none || element.tag != SEAL_BER_SET)
        return seal_octets_fail(octets, "its recipients are missing");
    return seal_recipients_walk(octets, &element, &cms->names);
}

/* -------------------------------------------------------------------------------------------
 * The cipher
 */

enum { AES_BLOCK = 16, MIN_NONCE = 7, MAX_NONCE = 16, MIN_MAC = 12, MAX_MAC = 16 };

typedef enum { CIPHER_OTHER, CIPHER_CBC, CIPHER_GCM } CipherKind;

typedef struct {
    guint8 oid[9];
    guint8 length;
    CipherKind kind;
    const char *name;
} Cipher;

#define AES(last)    {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, last}, 9
#define RSADSI(last) {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, last}, 8

static const Cipher CIPHERS[] = {
    {AES(2), CIPHER_CBC, "AES-128-CBC"},
    {AES(22), CIPHER_CBC, "AES-192-CBC"},
    {AES(42), CIPHER_CBC, "AES-256-CBC"},
    {AES(6), CIPHER_GCM, "AES-128-GCM"},
    {AES(26), CIPHER_GCM, "AES-192-GCM"},
    {AES(46), CIPHER_GCM, "AES-256-GCM"},
    {RSADSI(2), CIPHER_OTHER, "RC2-CBC"},
    {RSADSI(7), CIPHER_OTHER, "DES-EDE3-CBC"},
    {{0x2b, 0x0e, 0x03, 0x02, 0x07}, 5, CIPHER_OTHER, "DES-CBC"},
};

static CipherKind find_cipher(SealCms *cms, const SealOid *oid)
{
    for (guint i = 0; i < G_N_ELEMENTS(CIPHERS); i++) {
        if (seal_oid_is(oid, CIPHERS[i].oid, CIPHERS[i].length)) {
            cms->cipher = CIPHERS[i].name;
            return CIPHERS[i].kind;
        }
    }
    return CIPHER_OTHER;
}

/* The initialisation vector. */
static gboolean walk_cbc(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;
    guint8 vector[AES_BLOCK];
    gsize length = 0;

    if (!seal_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag != SEAL_BER_OCTET_STRING) {
        cms->cipher_fault = "its initialisation vector is not of 16 octets";
        return seal_ber_skip(octets, &element) && seal_ber_close(octets, box);
    }
    if (!element.none && !seal_ber_value(octets, &element, vector, sizeof vector, &length))
        return FALSE;
    if (length != AES_BLOCK)
        cms->cipher_fault = "its initialisation vector is not of 16 octets";
    else if (!seal_noise_check(vector, length))
        find_beside(cms, "its initialisation vector has the look of text");
    return seal_ber_close(octets, box);
}

/* The nonce, and how long the tag is. */
static gboolean walk_gcm(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element, inner;
    guint8 nonce[MAX_NONCE], size;
    gsize length = 0;

    if (!seal_ber_next(octets, box, &element))
        return FALSE;
    if (element.none || element.tag != SEAL_BER_SEQUENCE) {
        cms->cipher_fault = "its nonce is missing";
        return (element.none || seal_ber_skip(octets, &element)) && seal_ber_close(octets, box);
    }
    if (!seal_ber_expect(octets, &element.box, SEAL_BER_OCTET_STRING, &inner,
                         "its nonce is missing") ||
        !seal_ber_value(octets, &inner, nonce, sizeof nonce, &length) ||
        !seal_ber_next(octets, &element.box, &inner))
        return FALSE;
    if (length < MIN_NONCE)
        cms->cipher_fault = "its nonce is missing";
    if (!inner.none &&
        (inner.tag != SEAL_BER_INTEGER || !seal_ber_value(octets, &inner, &size, 1, &length) ||
         !seal_ber_close(octets, &element.box)))
        return seal_octets_fail(octets, "the parameters of its cipher cannot be read");
    return seal_ber_close(octets, box);
}

/* contentEncryptionAlgorithm. */
static gboolean walk_cipher(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element, inner;
    SealOid oid;

    cms->cipher = "an unknown cipher";
    if (!seal_ber_expect(octets, box, SEAL_BER_SEQUENCE, &element,
                         "the name of its cipher is missing") ||
        !seal_ber_expect(octets, &element.box, SEAL_BER_OID, &inner,
                         "the name of its cipher is missing") ||
        !seal_oid_read(octets, &inner, &oid))
        return FALSE;
    CipherKind kind = find_cipher(cms, &oid);
    if (kind == CIPHER_CBC && cms->type == SEAL_CMS_ENVELOPED)
        return walk_cbc(octets, &element.box, cms);
    if (kind == CIPHER_GCM && cms->type == SEAL_CMS_AUTH_ENVELOPED)
        return walk_gcm(octets, &element.box, cms);
    cms->cipher_fault = kind == CIPHER_OTHER
                            ? "only AES with CBC or GCM is taken for encryption"
                            : "EnvelopedData goes with CBC, AuthEnvelopedData with GCM";
    return seal_ber_skip(octets, &element);
}

static void judge_content(SealCms *cms)
{
    if (!cms->cipher_fault && cms->type == SEAL_CMS_ENVELOPED && cms->content_size % AES_BLOCK != 0)
        cms->cipher_fault = "its ciphertext ends within a block of 16 octets";
    if (!seal_noise_end(&cms->noise))
        find_beside(cms, "what should be ciphertext has the look of text");
}

/* EncryptedContentInfo: contentType, contentEncryptionAlgorithm, encryptedContent OPTIONAL. */
static gboolean walk_content(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement info, element;

    if (!seal_ber_expect(octets, box, SEAL_BER_SEQUENCE, &info,
                         "its encrypted content is missing") ||
        !seal_ber_expect(octets, &info.box, SEAL_BER_OID, &element,
                         "the type of its content is missing") ||
        !seal_oid_read(octets, &element, &cms->inner) || !walk_cipher(octets, &info.box, cms) ||
        !seal_ber_next(octets, &info.box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != SEAL_BER_0 && element.tag != SEAL_BER_0_CONSTRUCTED)
        return seal_octets_fail(octets, "an element follows where CMS allows no further one");
    cms->has_content = TRUE;
    if (!seal_ber_count(octets, &element, &cms->noise, &cms->content_size))
        return FALSE;
    judge_content(cms);
    return seal_ber_close(octets, &info.box);
}

/* -------------------------------------------------------------------------------------------
 * Attributes that everybody can read
 */

static gboolean is_time(const guint8 *text, gsize length)
{
    if ((length != 13 && length != 15) || text[length - 1] != 'Z')
        return FALSE;
    for (gsize i = 0; i + 1 < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
    }
    return TRUE;
}

/* One that says what the content is, or when it was made: *@plain stays, else it is cleared. */
static gboolean walk_attribute(SealOctets *octets, SealElement *attribute, gboolean *plain)
{
    SealElement element, set;
    guint8 value[64];
    gsize length;
    SealOid oid;

    if (!seal_ber_expect(octets, &attribute->box, SEAL_BER_OID, &element,
                         "the type of an attribute is missing") ||
        !seal_oid_read(octets, &element, &oid) ||
        !seal_ber_expect(octets, &attribute->box, SEAL_BER_SET, &set,
                         "the value of an attribute is missing") ||
        !seal_ber_next(octets, &set.box, &element))
        return FALSE;
    gboolean is_type = SEAL_OID_IS(&oid, OID_CONTENT_TYPE) && element.tag == SEAL_BER_OID;
    gboolean is_moment =
        SEAL_OID_IS(&oid, OID_SIGNING_TIME) &&
        (element.tag == SEAL_BER_UTC_TIME || element.tag == SEAL_BER_GENERALIZED_TIME);
    if (element.none || (!is_type && !is_moment)) {
        *plain = FALSE;
        return (element.none || (seal_ber_skip(octets, &element) && seal_ber_skip(octets, &set))) &&
               seal_ber_close(octets, &attribute->box);
    }
    if (!seal_ber_value(octets, &element, value, sizeof value, &length))
        return FALSE;
    if (is_type) {
        SealOid type = {.length = MIN(length, sizeof type.octets)};
        memcpy(type.octets, value, type.length);
        *plain = *plain && length <= sizeof type.octets && seal_cms_is_mail_type(&type);
    } else {
        *plain = *plain && is_time(value, length);
    }
    return seal_ber_close(octets, &set.box) && seal_ber_close(octets, &attribute->box);
}

static gboolean walk_authenticated(SealOctets *octets, SealElement *attributes, SealCms *cms)
{
    gboolean plain = TRUE;

    for (guint count = 0;; count++) {
        SealElement attribute;

        if (!seal_ber_next(octets, &attributes->box, &attribute))
            return FALSE;
        if (attribute.none)
            break;
        if (attribute.tag != SEAL_BER_SEQUENCE)
            return seal_octets_fail(octets, "its attributes cannot be read");
        if (!walk_attribute(octets, &attribute, &plain))
            return FALSE;
        plain = plain && count < 2;
    }
    if (!plain)
        find_beside(cms, "it has attributes in clear beside the ciphertext");
    return TRUE;
}

static gboolean walk_unprotected(SealOctets *octets, SealElement *attributes, SealCms *cms)
{
    find_beside(cms, "it has attributes in clear beside the ciphertext");
    return seal_ber_skip(octets, attributes);
}

static gboolean walk_enveloped(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;

    if (!walk_front(octets, box, cms) || !walk_content(octets, box, cms) ||
        !seal_ber_next(octets, box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != SEAL_BER_1_CONSTRUCTED)
        return seal_octets_fail(octets, "an element follows where CMS allows no further one");
    return walk_unprotected(octets, &element, cms) && seal_ber_close(octets, box);
}

static gboolean walk_auth_enveloped(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;
    guint8 mac[32];

    if (!walk_front(octets, box, cms) || !walk_content(octets, box, cms) ||
        !seal_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag == SEAL_BER_1_CONSTRUCTED &&
        (!walk_authenticated(octets, &element, cms) || !seal_ber_next(octets, box, &element)))
        return FALSE;
    if (element.none || element.tag != SEAL_BER_OCTET_STRING)
        return seal_octets_fail(octets, "its authentication tag is missing");
    if (!seal_ber_value(octets, &element, mac, sizeof mac, &cms->mac_length) ||
        !seal_ber_next(octets, box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != SEAL_BER_2_CONSTRUCTED)
        return seal_octets_fail(octets, "an element follows where CMS allows no further one");
    return walk_unprotected(octets, &element, cms) && seal_ber_close(octets, box);
}

/* EncapsulatedContentInfo: eContentType, [0] eContent OPTIONAL. */
static gboolean walk_signed_content(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement info, element, string;

    if (!seal_ber_expect(octets, box, SEAL_BER_SEQUENCE, &info,
                         "the description of what it signs is missing") ||
        !seal_ber_expect(octets, &info.box, SEAL_BER_OID, &element,
                         "the type of its content is missing") ||
        !seal_oid_read(octets, &element, &cms->inner) ||
        !seal_ber_next(octets, &info.box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != SEAL_BER_0_CONSTRUCTED || !seal_ber_next(octets, &element.box, &string) ||
        string.none || (string.tag & ~SEAL_BER_CONSTRUCTED) != SEAL_BER_OCTET_STRING)
        return seal_octets_fail(octets, "what it signs is no OCTET STRING");
    cms->has_content = TRUE;
    return seal_ber_count(octets, &string, NULL, &cms->content_size) &&
           seal_ber_close(octets, &element.box) && seal_ber_close(octets, &info.box);
}

/* Certificates and revocation lists, both optional and of no interest, and the signers. */
static gboolean walk_signers(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;
    guint8 least = SEAL_BER_0_CONSTRUCTED;

    for (;;) {
        if (!seal_ber_next(octets, box, &element))
            return FALSE;
        if (!element.none && element.tag == SEAL_BER_SET)
            break;
        if (element.none || element.tag < least || element.tag > SEAL_BER_1_CONSTRUCTED)
            return seal_octets_fail(octets, "its signers are missing");
        least = element.tag + 1;
        if (!seal_ber_skip(octets, &element))
            return FALSE;
    }
    return seal_signers_walk(octets, &element, &cms->names) && seal_ber_close(octets, box);
}

/* Certificates travel in SignedData without any signer too. */
static gboolean walk_signed(SealOctets *octets, SealBox *box, SealCms *cms)
{
    SealElement element;
    guint8 version;
    gsize length;

    return seal_ber_expect(octets, box, SEAL_BER_INTEGER, &element, "its version is missing") &&
           seal_ber_value(octets, &element, &version, 1, &length) &&
           seal_ber_expect(octets, box, SEAL_BER_SET, &element,
                           "its digest algorithms are missing") &&
           seal_ber_skip(octets, &element) && walk_signed_content(octets, box, cms) &&
           walk_signers(octets, box, cms);
}

static gboolean walk_data(SealOctets *octets, SealBox *box, SealCms *cms)
{
    switch (cms->type) {
    case SEAL_CMS_ENVELOPED:
        return walk_enveloped(octets, box, cms);
    case SEAL_CMS_AUTH_ENVELOPED:
        return walk_auth_enveloped(octets, box, cms);
    case SEAL_CMS_SIGNED:
        return walk_signed(octets, box, cms);
    case SEAL_CMS_NONE:
    case SEAL_CMS_OTHER:
    default:
        return TRUE;
    }
}

gboolean seal_cms_walk(SealOctets *octets, SealCms *cms)
{
    SealBox top = {.end = G_MAXUINT64}; /* it ends where the input does */
    SealElement info, type, content, data;
    gboolean ended;
    SealOid oid;

    memset(cms, 0, sizeof *cms);
    seal_names_init(&cms->names);
    if (!seal_ber_expect(octets, &top, SEAL_BER_SEQUENCE, &info, "it does not begin as CMS does") ||
        !seal_ber_expect(octets, &info.box, SEAL_BER_OID, &type, "it does not begin as CMS does") ||
        !seal_oid_read(octets, &type, &oid))
        return FALSE;
    cms->type = cms_type(&oid);
    if (cms->type == SEAL_CMS_OTHER)
        return TRUE;
    if (!seal_ber_expect(octets, &info.box, SEAL_BER_0_CONSTRUCTED, &content,
                         "its content is missing") ||
        !seal_ber_expect(octets, &content.box, SEAL_BER_SEQUENCE, &data,
                         "its content is missing") ||
        !walk_data(octets, &data.box, cms) || !seal_ber_close(octets, &content.box) ||
        !seal_ber_close(octets, &info.box) || !seal_octets_ended(octets, &ended))
        return FALSE;
    return ended || seal_octets_fail(octets, "something follows after its end");
}
