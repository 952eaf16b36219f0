/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * recipients.c: RecipientInfos and SignerInfos (RFC 5652 6.2 and 5.3), one after the other, none
 * kept but for whom it is. A recipient is a certificate's, by key transport or key agreement; each
 * of its parts has the size that its kind has, and what should be random looks like it. Whatever
 * else a structure can hold is named as standing beside the ciphertext.
 */
#include "core/sealed/recipients.h"

#include "core/sealed/known.h"

#include <string.h>

enum {
    MAX_IDS = 10000,
    MAX_NAME = 400,
    MAX_NAMES = 4 * 1024, /* of different issuers, together */
    MAX_NAME_VALUE = 64,  /* X.520's bound for most */
    ROOM_NAME = 4096,     /* more than that is no name */
    MAX_OID = 12,
    MAX_SERIAL = 21, /* RFC 5280 4.1.2.2, and a sign */
    MAX_KEY_ID = 64,
    MIN_RSA = 64, /* octets of the modulus */
    MAX_RSA = 2048,
    MIN_POINT = 33, /* a BIT STRING with a point on a curve */
    MAX_POINT = 140,
    MIN_WRAPPED = 24,
    MAX_WRAPPED = 72,
    MAX_UKM = 64,
    MAX_TIME = 15,
    DEPTH_OF_ALGORITHM = 6,
};

static const guint8 RSA[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const guint8 OAEP[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07};

void seal_names_init(SealNames *names)
{
    memset(names, 0, sizeof *names);
    names->ids = g_ptr_array_new_with_free_func(g_free);
    names->name = g_byte_array_new();
    names->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void seal_names_clear(SealNames *names)
{
    g_clear_pointer(&names->ids, g_ptr_array_unref);
    g_clear_pointer(&names->name, g_byte_array_unref);
    g_clear_pointer(&names->seen, g_hash_table_unref);
}

/* Something that has no place beside the ciphertext; the walk goes on to its end. */
static void find_beside(SealNames *names, const char *what)
{
    if (!names->beside)
        names->beside = what;
}

gboolean seal_oid_read(SealOctets *octets, SealElement *element, SealOid *oid)
{
    return seal_ber_value(octets, element, oid->octets, sizeof oid->octets, &oid->length);
}

gboolean seal_oid_is(const SealOid *oid, const guint8 *octets, gsize length)
{
    return oid->length == length && memcmp(oid->octets, octets, length) == 0;
}

/* -------------------------------------------------------------------------------------------
 * Who
 */

char *seal_cms_id_issuer_serial(const guint8 *name, gsize name_length, const guint8 *serial,
                                gsize serial_length)
{
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, name, name_length);
    g_autofree char *number = seal_text_hex(serial, serial_length);

    return g_strconcat("is:", digest, ":", number, NULL);
}

char *seal_cms_id_key(const guint8 *key_id, gsize length)
{
    g_autofree char *hex = seal_text_hex(key_id, length);

    return g_strconcat("ski:", hex, NULL);
}

static gboolean add_id(SealOctets *octets, SealNames *names, char *id)
{
    g_ptr_array_add(names->ids, id);
    return names->ids->len <= MAX_IDS ||
           seal_octets_fail(octets, "it has more than 10000 recipients or signers");
}

/* Who somebody is has to be known to tell whether that is a name. */
static void find_doubt(SealNames *names, const char *what)
{
    if (!names->doubt)
        names->doubt = what;
}

static gboolean walk_name(SealOctets *octets, SealBox *box, guint depth, SealNames *names)
{
    for (;;) {
        SealElement element;
        guint8 value[ROOM_NAME];
        gsize length;

        if (!seal_ber_next(octets, box, &element))
            return FALSE;
        if (element.none)
            return TRUE;
        if (element.tag & SEAL_BER_CONSTRUCTED) {
            if (depth == 2)
                return seal_octets_fail(octets, "the name of an issuer is nested too deep");
            if (!walk_name(octets, &element.box, depth + 1, names))
                return FALSE;
            continue;
        }
        if (!seal_ber_value(octets, &element, value, sizeof value, &length))
            return FALSE;
        if (length > (element.tag == SEAL_BER_OID ? MAX_OID : MAX_NAME_VALUE) ||
            (element.tag != SEAL_BER_OID && seal_known_is_prose((const char *)value, length)))
            find_doubt(names, "the name of an issuer in it is longer than names are");
    }
}

/* An issuer's name as it would stand in a certificate: its head is made again, in DER. */
static gboolean take_name(SealOctets *octets, SealElement *element, SealNames *names)
{
    guint8 head[4] = {SEAL_BER_SEQUENCE};
    guint size = 2;

    gboolean indefinite = element->box.indefinite;
    g_byte_array_set_size(names->name, 0);
    octets->capture = names->name;
    octets->capture_most = ROOM_NAME;
    gboolean ok = walk_name(octets, &element->box, 0, names);
    octets->capture = NULL;
    if (!ok)
        return FALSE;
    if (indefinite && names->name->len >= 2)
        g_byte_array_set_size(names->name, names->name->len - 2);
    gsize length = names->name->len;
    if (length < 0x80) {
        head[1] = (guint8)length;
    } else if (length < 0x100) {
        head[1] = 0x81;
        head[2] = (guint8)length;
        size = 3;
    } else {
        head[1] = 0x82;
        head[2] = (guint8)(length >> 8);
        head[3] = (guint8)length;
        size = 4;
    }
    g_byte_array_prepend(names->name, head, size);

    char *digest =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, names->name->data, names->name->len);
    if (g_hash_table_add(names->seen, digest))
        names->names += length;
    if (length > MAX_NAME || names->names > MAX_NAMES)
        find_doubt(names, "the names of issuers in it are longer than names are");
    return TRUE;
}

/* IssuerAndSerialNumber. */
static gboolean take_issuer_serial(SealOctets *octets, SealElement *element, SealNames *names)
{
    SealElement inner;
    guint8 serial[4 * MAX_SERIAL];
    gsize length;

    if (!seal_ber_expect(octets, &element->box, SEAL_BER_SEQUENCE, &inner,
                         "the issuer of a certificate is missing") ||
        !take_name(octets, &inner, names) ||
        !seal_ber_expect(octets, &element->box, SEAL_BER_INTEGER, &inner,
                         "the number of a certificate is missing") ||
        !seal_ber_value(octets, &inner, serial, sizeof serial, &length) ||
        !seal_ber_close(octets, &element->box))
        return FALSE;
    if (length > MAX_SERIAL || !seal_noise_check(serial, length))
        find_doubt(names, "the number of a certificate in it is too long, or has the look of text");
    return add_id(octets, names,
                  seal_cms_id_issuer_serial(names->name->data, names->name->len, serial, length));
}

static gboolean take_key_id(SealOctets *octets, SealElement *element, SealNames *names)
{
    guint8 key_id[MAX_KEY_ID];
    gsize length;

    if (!seal_ber_value(octets, element, key_id, sizeof key_id, &length))
        return FALSE;
    if (!seal_noise_check(key_id, length))
        find_doubt(names, "a key identifier in it has the look of text");
    return add_id(octets, names, seal_cms_id_key(key_id, length));
}

/* -------------------------------------------------------------------------------------------
 * Algorithms, and keys that are encrypted
 */

/* Parameters say nothing but which algorithms: identifiers, small numbers, NULL. */
static gboolean walk_parameters(SealOctets *octets, SealBox *box, guint depth, SealNames *names)
{
    for (;;) {
        SealElement element;
        guint8 value[128];
        gsize length;

        if (!seal_ber_next(octets, box, &element))
            return FALSE;
        if (element.none)
            return TRUE;
        if (element.tag & SEAL_BER_CONSTRUCTED) {
            if (depth == DEPTH_OF_ALGORITHM)
                return seal_octets_fail(octets, "an algorithm in it is nested too deep");
            if (!walk_parameters(octets, &element.box, depth + 1, names))
                return FALSE;
            continue;
        }
        if (!seal_ber_value(octets, &element, value, sizeof value, &length))
            return FALSE;
        if (length > (element.tag == SEAL_BER_OID       ? MAX_OID
                      : element.tag == SEAL_BER_INTEGER ? 2
                                                        : 0))
            find_beside(names, "an algorithm in it has parameters that it does not need");
    }
}

/* AlgorithmIdentifier. */
static gboolean walk_algorithm(SealOctets *octets, SealBox *box, SealNames *names, SealOid *oid)
{
    SealElement element, inner;

    if (!seal_ber_expect(octets, box, SEAL_BER_SEQUENCE, &element,
                         "the name of an algorithm is missing") ||
        !seal_ber_expect(octets, &element.box, SEAL_BER_OID, &inner,
                         "the name of an algorithm is missing") ||
        !seal_oid_read(octets, &inner, oid))
        return FALSE;
    if (oid->length > MAX_OID)
        find_beside(names, "an algorithm in it has a longer name than any has");
    return walk_parameters(octets, &element.box, 0, names);
}

/* encryptedKey: its size and its look. */
static gboolean walk_key(SealOctets *octets, SealBox *box, guint64 least, guint64 most,
                         SealNames *names)
{
    SealElement element;
    SealNoise noise = {0};
    guint64 size = 0;

    if (!seal_ber_next(octets, box, &element))
        return FALSE;
    if (element.none || (element.tag & ~SEAL_BER_CONSTRUCTED) != SEAL_BER_OCTET_STRING)
        return seal_octets_fail(octets, "the encrypted key of a recipient is missing");
    if (!seal_ber_count(octets, &element, &noise, &size))
        return FALSE;
    if (size < least || size > most || size % 8 != 0 || !seal_noise_end(&noise))
        find_beside(names, "the encrypted key of a recipient is not of the size or kind that its "
                           "algorithm makes");
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Kinds of recipients
 */

static gboolean walk_version(SealOctets *octets, SealBox *box)
{
    SealElement element;
    guint8 version;
    gsize length;

    return seal_ber_expect(octets, box, SEAL_BER_INTEGER, &element, "a version is missing") &&
           seal_ber_value(octets, &element, &version, 1, &length);
}

/* An issuer and number, or [0] a key identifier. */
static gboolean walk_who(SealOctets *octets, SealBox *box, SealNames *names)
{
    SealElement element;

    if (!seal_ber_next(octets, box, &element))
        return FALSE;
    if (!element.none && element.tag == SEAL_BER_SEQUENCE)
        return take_issuer_serial(octets, &element, names);
    if (!element.none && element.tag == SEAL_BER_0)
        return take_key_id(octets, &element, names);
    return seal_octets_fail(octets, "who a recipient or signer is cannot be read");
}

/* KeyTransRecipientInfo. */
static gboolean walk_transport(SealOctets *octets, SealElement *info, SealNames *names)
{
    SealOid oid;

    if (!walk_version(octets, &info->box) || !walk_who(octets, &info->box, names) ||
        !walk_algorithm(octets, &info->box, names, &oid))
        return FALSE;
    if (!SEAL_OID_IS(&oid, RSA) && !SEAL_OID_IS(&oid, OAEP))
        find_beside(names, "a key in it is encrypted by something else than RSA");
    return walk_key(octets, &info->box, MIN_RSA, MAX_RSA, names) &&
           seal_ber_close(octets, &info->box);
}

/* OriginatorIdentifierOrKey: a key that was made for this message alone. */
static gboolean walk_originator(SealOctets *octets, SealBox *box, SealNames *names)
{
    SealElement wrapper, element, point;
    guint8 value[2 * MAX_POINT];
    gsize length;
    SealOid oid;

    if (!seal_ber_expect(octets, box, SEAL_BER_0_CONSTRUCTED, &wrapper,
                         "the originator's key is missing") ||
        !seal_ber_next(octets, &wrapper.box, &element))
        return FALSE;
    if (element.none || element.tag != SEAL_BER_1_CONSTRUCTED) {
        find_beside(names, "it names its originator");
        return (element.none || seal_ber_skip(octets, &element)) &&
               seal_ber_close(octets, &wrapper.box);
    }
    if (!walk_algorithm(octets, &element.box, names, &oid) ||
        !seal_ber_expect(octets, &element.box, SEAL_BER_BIT_STRING, &point,
                         "the originator's key is missing") ||
        !seal_ber_value(octets, &point, value, sizeof value, &length))
        return FALSE;
    if (length < MIN_POINT || length > MAX_POINT || !seal_noise_check(value + 1, length - 1))
        find_beside(names, "the originator's key is no point on a curve");
    return seal_ber_close(octets, &element.box) && seal_ber_close(octets, &wrapper.box);
}

/* [1] UserKeyingMaterial, and the next element. */
static gboolean walk_material(SealOctets *octets, SealElement *element, SealNames *names)
{
    SealElement string;
    guint8 value[4 * MAX_UKM];
    gsize length;

    if (!seal_ber_expect(octets, &element->box, SEAL_BER_OCTET_STRING, &string,
                         "keying material is missing") ||
        !seal_ber_value(octets, &string, value, sizeof value, &length))
        return FALSE;
    if (length > MAX_UKM || !seal_noise_check(value, length))
        find_beside(names, "its keying material is too long, or has the look of text");
    return seal_ber_close(octets, &element->box);
}

/* RecipientKeyIdentifier: a key identifier, a date, and what others have made up. */
static gboolean walk_key_identifier(SealOctets *octets, SealElement *element, SealNames *names)
{
    SealElement inner;
    guint8 time[2 * MAX_TIME];
    gsize length;

    if (!seal_ber_expect(octets, &element->box, SEAL_BER_OCTET_STRING, &inner,
                         "a key identifier is missing") ||
        !take_key_id(octets, &inner, names) || !seal_ber_next(octets, &element->box, &inner))
        return FALSE;
    if (inner.none)
        return TRUE;
    find_beside(names, "a recipient's key identifier comes with more");
    return (inner.tag != SEAL_BER_GENERALIZED_TIME
                ? seal_ber_skip(octets, &inner)
                : seal_ber_value(octets, &inner, time, sizeof time, &length)) &&
           seal_ber_skip(octets, element);
}

static gboolean walk_agreed_key(SealOctets *octets, SealElement *info, SealNames *names)
{
    SealElement element;

    if (!seal_ber_next(octets, &info->box, &element))
        return FALSE;
    if (element.none || (element.tag != SEAL_BER_SEQUENCE && element.tag != SEAL_BER_0_CONSTRUCTED))
        return seal_octets_fail(octets, "who a recipient or signer is cannot be read");
    return (element.tag == SEAL_BER_SEQUENCE ? take_issuer_serial(octets, &element, names)
                                             : walk_key_identifier(octets, &element, names)) &&
           walk_key(octets, &info->box, MIN_WRAPPED, MAX_WRAPPED, names) &&
           seal_ber_close(octets, &info->box);
}

/* [1] KeyAgreeRecipientInfo. */
static gboolean walk_agreement(SealOctets *octets, SealElement *info, SealNames *names)
{
    SealElement element, inner;
    SealOid oid;

    if (!walk_version(octets, &info->box) || !walk_originator(octets, &info->box, names) ||
        !seal_ber_next(octets, &info->box, &element))
        return FALSE;
    if (!element.none && element.tag == SEAL_BER_1_CONSTRUCTED &&
        (!walk_material(octets, &element, names) || !seal_ber_next(octets, &info->box, &element)))
        return FALSE;
    if (element.none || element.tag != SEAL_BER_SEQUENCE ||
        !seal_ber_expect(octets, &element.box, SEAL_BER_OID, &inner,
                         "the name of an algorithm is missing") ||
        !seal_oid_read(octets, &inner, &oid))
        return seal_octets_fail(octets, "the name of an algorithm is missing");
    if (oid.length > MAX_OID)
        find_beside(names, "an algorithm in it has a longer name than any has");
    if (!walk_parameters(octets, &element.box, 0, names) ||
        !seal_ber_expect(octets, &info->box, SEAL_BER_SEQUENCE, &element,
                         "the encrypted keys of recipients are missing"))
        return FALSE;
    for (;;) {
        if (!seal_ber_next(octets, &element.box, &inner))
            return FALSE;
        if (inner.none)
            return seal_ber_close(octets, &info->box);
        if (inner.tag != SEAL_BER_SEQUENCE)
            return seal_octets_fail(octets, "the encrypted keys of recipients are missing");
        if (!walk_agreed_key(octets, &inner, names))
            return FALSE;
    }
}

gboolean seal_recipients_walk(SealOctets *octets, SealElement *set, SealNames *names)
{
    for (guint count = 0;; count++) {
        SealElement info;

        if (!seal_ber_next(octets, &set->box, &info))
            return FALSE;
        if (info.none)
            return TRUE;
        if (count == MAX_IDS)
            return seal_octets_fail(octets, "it has more than 10000 recipients");
        if (info.tag == SEAL_BER_SEQUENCE) {
            if (!walk_transport(octets, &info, names))
                return FALSE;
        } else if (info.tag == SEAL_BER_1_CONSTRUCTED) {
            if (!walk_agreement(octets, &info, names))
                return FALSE;
        } else {
            find_beside(names, "it has a recipient other than by certificate: a password, a shared "
                               "key or something unknown");
            if (!seal_ber_skip(octets, &info))
                return FALSE;
        }
    }
}

/* -------------------------------------------------------------------------------------------
 * Signers
 */

/* SignerInfo: what it says is for who verifies it. */
static gboolean walk_signer(SealOctets *octets, SealElement *info, SealNames *names)
{
    SealElement element;

    if (!walk_version(octets, &info->box) || !walk_who(octets, &info->box, names) ||
        !seal_ber_expect(octets, &info->box, SEAL_BER_SEQUENCE, &element,
                         "its digest algorithms are missing") ||
        !seal_ber_skip(octets, &element) || !seal_ber_next(octets, &info->box, &element))
        return FALSE;
    if (!element.none && element.tag == SEAL_BER_0_CONSTRUCTED &&
        (!seal_ber_skip(octets, &element) || !seal_ber_next(octets, &info->box, &element)))
        return FALSE;
    if (element.none || element.tag != SEAL_BER_SEQUENCE || !seal_ber_skip(octets, &element) ||
        !seal_ber_expect(octets, &info->box, SEAL_BER_OCTET_STRING, &element,
                         "a signature is missing") ||
        !seal_ber_skip(octets, &element) || !seal_ber_next(octets, &info->box, &element))
        return seal_octets_fail(octets, "a signature is missing");
    if (element.none)
        return TRUE;
    if (element.tag != SEAL_BER_1_CONSTRUCTED)
        return seal_octets_fail(octets, "an element follows where CMS allows no further one");
    return seal_ber_skip(octets, &element) && seal_ber_close(octets, &info->box);
}

gboolean seal_signers_walk(SealOctets *octets, SealElement *set, SealNames *names)
{
    for (;;) {
        SealElement info;

        if (!seal_ber_next(octets, &set->box, &info))
            return FALSE;
        if (info.none)
            return TRUE;
        if (info.tag != SEAL_BER_SEQUENCE)
            return seal_octets_fail(octets, "its signers cannot be read");
        if (!walk_signer(octets, &info, names))
            return FALSE;
    }
}
