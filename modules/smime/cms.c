/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cms.c: walks through a CMS message (RFC 5652, RFC 5083) to its last octet, keeping the small
 * parts and counting the large one.
 */
#include "smime.h"

#include <string.h>

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_OID = 0x06,
    TAG_CONSTRUCTED = 0x20,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_0 = 0x80,
    TAG_0_CONSTRUCTED = 0xa0,
    TAG_1_CONSTRUCTED = 0xa1,
    TAG_2_CONSTRUCTED = 0xa2,
    MAX_AUTH_ATTRIBUTES = 4096,
};

/* Content octets of object identifiers: 1.2.840.113549.1.7.2 and so on. */
static const guint8 OID_SIGNED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
static const guint8 OID_ENVELOPED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03};
static const guint8 OID_AUTH_ENVELOPED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                            0x01, 0x09, 0x10, 0x01, 0x17};

void smime_cms_clear(SmimeCms *cms)
{
    g_clear_pointer(&cms->front, g_byte_array_unref);
    g_clear_pointer(&cms->algorithm, g_byte_array_unref);
    g_clear_pointer(&cms->signers, g_byte_array_unref);
}

static gboolean same_oid(const guint8 *oid, gsize length, const guint8 *other, gsize other_length)
{
    return length == other_length && memcmp(oid, other, length) == 0;
}

static SmimeCmsType cms_type(const guint8 *oid, gsize length)
{
    if (same_oid(oid, length, OID_SIGNED, sizeof OID_SIGNED))
        return SMIME_CMS_SIGNED;
    if (same_oid(oid, length, OID_ENVELOPED, sizeof OID_ENVELOPED))
        return SMIME_CMS_ENVELOPED;
    if (same_oid(oid, length, OID_AUTH_ENVELOPED, sizeof OID_AUTH_ENVELOPED))
        return SMIME_CMS_AUTH_ENVELOPED;
    return SMIME_CMS_OTHER;
}

/* CMSVersion, OriginatorInfo OPTIONAL, RecipientInfos. */
static gboolean walk_front(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement element;
    guint8 version;
    gsize length;

    cms->front = g_byte_array_new();
    octets->capture = cms->front;
    if (!smime_ber_expect(octets, box, TAG_INTEGER, &element, "its version is missing") ||
        !smime_ber_value(octets, &element, &version, 1, &length) ||
        !smime_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag == TAG_0_CONSTRUCTED &&
        (!smime_ber_skip(octets, &element) || !smime_ber_next(octets, box, &element)))
        return FALSE;
    if (element.none || element.tag != TAG_SET)
        return smime_octets_fail(octets, "its recipients are missing");
    if (!smime_ber_skip(octets, &element))
        return FALSE;
    octets->capture = NULL;
    return TRUE;
}

/* EncryptedContentInfo: contentType, contentEncryptionAlgorithm, encryptedContent OPTIONAL. */
static gboolean walk_content(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement info, element;

    if (!smime_ber_expect(octets, box, TAG_SEQUENCE, &info, "its encrypted content is missing") ||
        !smime_ber_expect(octets, &info.box, TAG_OID, &element,
                          "the type of its content is missing") ||
        !smime_ber_value(octets, &element, cms->inner, sizeof cms->inner, &cms->inner_length))
        return FALSE;

    cms->algorithm = g_byte_array_new();
    octets->capture = cms->algorithm;
    if (!smime_ber_expect(octets, &info.box, TAG_SEQUENCE, &element,
                          "the name of its cipher is missing") ||
        !smime_ber_skip(octets, &element))
        return FALSE;
    octets->capture = NULL;

    if (!smime_ber_next(octets, &info.box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != TAG_0 && element.tag != TAG_0_CONSTRUCTED)
        return smime_octets_fail(octets, "an element follows where CMS allows no further one");
    cms->has_content = TRUE;
    return smime_ber_count(octets, &element, &cms->content_size) &&
           smime_ber_close(octets, &info.box);
}

/* Attributes in clear. Authenticated ones say what the content is and are short. */
static gboolean walk_attributes(SmimeOctets *octets, SmimeElement *element, gboolean authenticated,
                                SmimeCms *cms)
{
    guint64 before = octets->taken;

    if (!smime_ber_skip(octets, element))
        return FALSE;
    if (!authenticated || octets->taken - before > MAX_AUTH_ATTRIBUTES)
        cms->clear_attributes = TRUE;
    return TRUE;
}

static gboolean walk_enveloped(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement element;

    if (!walk_front(octets, box, cms) || !walk_content(octets, box, cms) ||
        !smime_ber_next(octets, box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != TAG_1_CONSTRUCTED)
        return smime_octets_fail(octets, "an element follows where CMS allows no further one");
    return walk_attributes(octets, &element, FALSE, cms) && smime_ber_close(octets, box);
}

static gboolean walk_auth_enveloped(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement element;
    guint8 mac[32];

    if (!walk_front(octets, box, cms) || !walk_content(octets, box, cms) ||
        !smime_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag == TAG_1_CONSTRUCTED &&
        (!walk_attributes(octets, &element, TRUE, cms) || !smime_ber_next(octets, box, &element)))
        return FALSE;
    if (element.none || element.tag != TAG_OCTET_STRING)
        return smime_octets_fail(octets, "its authentication tag is missing");
    if (!smime_ber_value(octets, &element, mac, sizeof mac, &cms->mac_length) ||
        !smime_ber_next(octets, box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != TAG_2_CONSTRUCTED)
        return smime_octets_fail(octets, "an element follows where CMS allows no further one");
    return walk_attributes(octets, &element, FALSE, cms) && smime_ber_close(octets, box);
}

/* EncapsulatedContentInfo: eContentType, [0] eContent OPTIONAL. */
static gboolean walk_signed_content(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement info, element, string;

    if (!smime_ber_expect(octets, box, TAG_SEQUENCE, &info,
                          "the description of what it signs is missing") ||
        !smime_ber_expect(octets, &info.box, TAG_OID, &element,
                          "the type of its content is missing") ||
        !smime_ber_value(octets, &element, cms->inner, sizeof cms->inner, &cms->inner_length) ||
        !smime_ber_next(octets, &info.box, &element))
        return FALSE;
    if (element.none)
        return TRUE;
    if (element.tag != TAG_0_CONSTRUCTED || !smime_ber_next(octets, &element.box, &string) ||
        string.none || (string.tag & ~TAG_CONSTRUCTED) != TAG_OCTET_STRING)
        return smime_octets_fail(octets, "what it signs is no OCTET STRING");
    cms->has_content = TRUE;
    return smime_ber_count(octets, &string, &cms->content_size) &&
           smime_ber_close(octets, &element.box) && smime_ber_close(octets, &info.box);
}

/* Certificates and revocation lists, both optional and of no interest, and the signers. */
static gboolean walk_signers(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement element;
    guint8 least = TAG_0_CONSTRUCTED;

    for (;;) {
        octets->capture = cms->signers;
        if (!smime_ber_next(octets, box, &element))
            return FALSE;
        if (!element.none && element.tag == TAG_SET)
            break;
        octets->capture = NULL;
        g_byte_array_set_size(cms->signers, 0);
        if (element.none || element.tag < least || element.tag > TAG_1_CONSTRUCTED)
            return smime_octets_fail(octets, "its signers are missing");
        least = element.tag + 1;
        if (!smime_ber_skip(octets, &element))
            return FALSE;
    }
    if (!smime_ber_skip(octets, &element))
        return FALSE;
    octets->capture = NULL;
    return smime_ber_close(octets, box);
}

/* Certificates travel in SignedData without any signer too. */
static gboolean walk_signed(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    SmimeElement element;
    guint8 version;
    gsize length;

    cms->signers = g_byte_array_new();
    return smime_ber_expect(octets, box, TAG_INTEGER, &element, "its version is missing") &&
           smime_ber_value(octets, &element, &version, 1, &length) &&
           smime_ber_expect(octets, box, TAG_SET, &element, "its digest algorithms are missing") &&
           smime_ber_skip(octets, &element) && walk_signed_content(octets, box, cms) &&
           walk_signers(octets, box, cms);
}

static gboolean walk_data(SmimeOctets *octets, SmimeBox *box, SmimeCms *cms)
{
    switch (cms->type) {
    case SMIME_CMS_ENVELOPED:
        return walk_enveloped(octets, box, cms);
    case SMIME_CMS_AUTH_ENVELOPED:
        return walk_auth_enveloped(octets, box, cms);
    case SMIME_CMS_SIGNED:
        return walk_signed(octets, box, cms);
    case SMIME_CMS_NONE:
    case SMIME_CMS_OTHER:
    default:
        return TRUE;
    }
}

gboolean smime_cms_walk(SmimeOctets *octets, SmimeCms *cms)
{
    SmimeBox top = {.end = G_MAXUINT64}; /* it ends where the input does */
    SmimeElement info, type, content, data;
    guint8 oid[32];
    gsize length;
    gboolean ended;

    memset(cms, 0, sizeof *cms);
    if (!smime_ber_expect(octets, &top, TAG_SEQUENCE, &info, "it does not begin as CMS does") ||
        !smime_ber_expect(octets, &info.box, TAG_OID, &type, "it does not begin as CMS does") ||
        !smime_ber_value(octets, &type, oid, sizeof oid, &length))
        return FALSE;
    cms->type = cms_type(oid, length);
    if (cms->type == SMIME_CMS_OTHER)
        return TRUE;
    if (!smime_ber_expect(octets, &info.box, TAG_0_CONSTRUCTED, &content,
                          "its content is missing") ||
        !smime_ber_expect(octets, &content.box, TAG_SEQUENCE, &data, "its content is missing") ||
        !walk_data(octets, &data.box, cms) || !smime_ber_close(octets, &content.box) ||
        !smime_ber_close(octets, &info.box) || !smime_octets_ended(octets, &ended))
        return FALSE;
    return ended || smime_octets_fail(octets, "something follows after its end");
}
