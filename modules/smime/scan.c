/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scan.c: where certificates stand among octets, and whose they are, without making anything of
 * them: of thousands in a folder, one is wanted. What is not plainly a certificate is left to
 * read(), which alone says that something is broken.
 */
#include "smime.h"

#include <string.h>

enum {
    MAX_CERTIFICATES = 10000, /* in one file */
    MAX_DEPTH = 32,
};

/* DER (X.690) that is being gone through. */
typedef struct {
    const guint8 *at;
    const guint8 *end;
} Der;

static const guint8 OID_ALTERNATIVE_NAME[] = {0x55, 0x1d, 0x11};
static const guint8 OID_CONSTRAINTS[] = {0x55, 0x1d, 0x13};
static const guint8 OID_EXTENDED_USAGE[] = {0x55, 0x1d, 0x25};
static const guint8 OID_FOR_MAIL[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04};
static const guint8 OID_SIGNED[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
static const guint8 OID_EMAIL[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01};
static const guint8 OID_UTF8_MAILBOX[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x09};

enum {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_BITS = 0x03,
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_UTF8 = 0x0c,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_FIRST = 0xa0, /* [0], constructed */
    TAG_EXTENSIONS = 0xa3,
    TAG_MAILBOX = 0x81, /* rfc822Name */
    TAG_DOMAIN = 0x82,  /* dNSName */
    CONSTRUCTED = 0x20,
};

/* The next element, of any tag; FALSE at the end, and where there is no whole one. */
static gboolean der_next(Der *der, guint8 *tag, Der *inner)
{
    gsize left = (gsize)(der->end - der->at), head = 2, length;

    if (left < 2 || (der->at[0] & 0x1f) == 0x1f)
        return FALSE;
    length = der->at[1];
    if (length > 0x84 || length == 0x80)
        return FALSE;
    if (length > 0x80) {
        gsize octets = length - 0x80;

        if (left < 2 + octets)
            return FALSE;
        length = 0;
        for (gsize i = 0; i < octets; i++)
            length = length << 8 | der->at[2 + i];
        head += octets;
    }
    if (length > left - head)
        return FALSE;
    *tag = der->at[0];
    inner->at = der->at + head;
    inner->end = inner->at + length;
    der->at = inner->end;
    return TRUE;
}

static gboolean der_enter(Der *der, guint8 wanted, Der *inner)
{
    guint8 tag;

    return der_next(der, &tag, inner) && tag == wanted;
}

static gboolean der_skip(Der *der, guint8 wanted)
{
    Der inner;

    return der_enter(der, wanted, &inner);
}

/* TRUE where the next element has that tag; then it is passed over. */
static gboolean der_skip_optional(Der *der, guint8 wanted)
{
    return der->at < der->end && *der->at == wanted && der_skip(der, wanted);
}

static gboolean der_is(const Der *der, const guint8 *octets, gsize length)
{
    return (gsize)(der->end - der->at) == length && memcmp(der->at, octets, length) == 0;
}

/* To the end, and every element that has others in it likewise. */
static gboolean der_is_whole(Der der, guint depth)
{
    while (der.at < der.end) {
        guint8 tag;
        Der inner;

        if (!der_next(&der, &tag, &inner) ||
            ((tag & CONSTRUCTED) && (depth == MAX_DEPTH || !der_is_whole(inner, depth + 1))))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * One certificate
 */

/* What matters of it. */
typedef struct {
    GPtrArray *addresses;
    GPtrArray *domains;   /* each with @ in front */
    gboolean has_mailbox; /* in subjectAltName */
    gboolean is_authority;
    gboolean says_mail; /* in extendedKeyUsage */
} Found;

static void add_address(Found *found, const Der *text)
{
    g_ptr_array_add(found->addresses,
                    g_strndup((const char *)text->at, (gsize)(text->end - text->at)));
}

static void take_other_name(Found *found, Der name)
{
    Der type, value, text;

    if (!der_enter(&name, TAG_OID, &type) ||
        !der_is(&type, OID_UTF8_MAILBOX, sizeof OID_UTF8_MAILBOX) ||
        !der_enter(&name, TAG_FIRST, &value) || !der_enter(&value, TAG_UTF8, &text))
        return;
    found->has_mailbox = TRUE;
    add_address(found, &text);
}

static gboolean take_alternative_names(Found *found, Der value)
{
    Der names, name;
    guint8 tag;

    if (!der_enter(&value, TAG_SEQUENCE, &names))
        return FALSE;
    while (names.at < names.end) {
        if (!der_next(&names, &tag, &name) || found->addresses->len >= SMIME_MAX_ADDRESSES ||
            found->domains->len >= SMIME_MAX_ADDRESSES)
            return FALSE;
        if (tag == TAG_DOMAIN)
            g_ptr_array_add(found->domains, g_strdup_printf("@%.*s", (int)(name.end - name.at),
                                                            (const char *)name.at));
        if (tag == TAG_MAILBOX) {
            found->has_mailbox = TRUE;
            add_address(found, &name);
        } else if (tag == TAG_FIRST) {
            take_other_name(found, name);
        }
    }
    return TRUE;
}

static void take_constraints(Found *found, Der value)
{
    Der constraints, authority;

    found->is_authority = !der_enter(&value, TAG_SEQUENCE, &constraints) ||
                          (constraints.at < constraints.end && *constraints.at == TAG_BOOLEAN &&
                           der_enter(&constraints, TAG_BOOLEAN, &authority) &&
                           authority.at < authority.end && *authority.at != 0);
}

static gboolean take_usage(Found *found, Der value)
{
    Der usages, usage;

    if (!der_enter(&value, TAG_SEQUENCE, &usages))
        return FALSE;
    while (usages.at < usages.end) {
        if (!der_enter(&usages, TAG_OID, &usage))
            return FALSE;
        found->says_mail = found->says_mail || der_is(&usage, OID_FOR_MAIL, sizeof OID_FOR_MAIL);
    }
    return TRUE;
}

static gboolean take_extensions(Found *found, Der wrapped)
{
    Der extensions, extension, type, value;

    if (!der_enter(&wrapped, TAG_SEQUENCE, &extensions))
        return FALSE;
    while (extensions.at < extensions.end) {
        if (!der_enter(&extensions, TAG_SEQUENCE, &extension) ||
            !der_enter(&extension, TAG_OID, &type))
            return FALSE;
        der_skip_optional(&extension, TAG_BOOLEAN);
        if (!der_enter(&extension, TAG_OCTETS, &value))
            return FALSE;
        if (der_is(&type, OID_CONSTRAINTS, sizeof OID_CONSTRAINTS))
            take_constraints(found, value);
        if (der_is(&type, OID_EXTENDED_USAGE, sizeof OID_EXTENDED_USAGE) &&
            !take_usage(found, value))
            return FALSE;
        if (der_is(&type, OID_ALTERNATIVE_NAME, sizeof OID_ALTERNATIVE_NAME) &&
            !take_alternative_names(found, value))
            return FALSE;
    }
    return TRUE;
}

static gboolean take_subject(Found *found, Der subject)
{
    Der set, attribute, type, text;
    guint8 tag;

    while (subject.at < subject.end) {
        if (!der_enter(&subject, TAG_SET, &set))
            return FALSE;
        while (set.at < set.end) {
            if (!der_enter(&set, TAG_SEQUENCE, &attribute) ||
                !der_enter(&attribute, TAG_OID, &type) || !der_next(&attribute, &tag, &text))
                return FALSE;
            if (!der_is(&type, OID_EMAIL, sizeof OID_EMAIL))
                continue;
            if (found->addresses->len >= SMIME_MAX_ADDRESSES)
                return FALSE;
            add_address(found, &text);
        }
    }
    return TRUE;
}

/* Of RFC 5280 4.1 all but signature and key is looked at. */
static gboolean take_certificate(Found *found, Der certificate)
{
    Der body, subject, extensions;
    gboolean extended = FALSE;

    if (!der_enter(&certificate, TAG_SEQUENCE, &body) || !der_skip(&certificate, TAG_SEQUENCE) ||
        !der_skip(&certificate, TAG_BITS) || certificate.at != certificate.end)
        return FALSE;
    der_skip_optional(&body, TAG_FIRST);
    if (!der_skip(&body, TAG_INTEGER) || !der_skip(&body, TAG_SEQUENCE) ||
        !der_skip(&body, TAG_SEQUENCE) || !der_skip(&body, TAG_SEQUENCE) ||
        !der_enter(&body, TAG_SEQUENCE, &subject) || !der_skip(&body, TAG_SEQUENCE))
        return FALSE;
    while (body.at < body.end) {
        guint8 tag;

        if (!der_next(&body, &tag, &extensions))
            return FALSE;
        extended = tag == TAG_EXTENSIONS;
    }
    return (!extended || take_extensions(found, extensions)) &&
           (found->has_mailbox || take_subject(found, subject));
}

static gboolean is_certificate(Der *der, Found *found)
{
    Der certificate;

    found->addresses = g_ptr_array_new_null_terminated(2, g_free, TRUE);
    found->domains = g_ptr_array_new_null_terminated(1, g_free, TRUE);
    return der_enter(der, TAG_SEQUENCE, &certificate) && der_is_whole(certificate, 0) &&
           take_certificate(found, certificate);
}

static void found_clear(Found *found)
{
    g_clear_pointer(&found->addresses, g_ptr_array_unref);
    g_clear_pointer(&found->domains, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

static void add_found(SealKeyScan *scan, gsize offset, gsize length, const Found *found)
{
    gboolean for_domains = found->says_mail && !found->has_mailbox && found->addresses->len == 0;
    const GPtrArray *whose = for_domains ? found->domains : found->addresses;

    seal_key_scan_add(scan, offset, length,
                      found->is_authority ? NULL : (const char *const *)whose->pdata);
}

/* -------------------------------------------------------------------------------------------
 * Many of them
 */

/* Certificates one after the other, and nothing else; @data is what offsets count from. With @scan
 * they are added. */
static gboolean go_through_row(Der der, const guint8 *data, SealKeyScan *scan)
{
    for (guint count = 0; der.at < der.end; count++) {
        g_auto(Found) found = {0};
        gsize offset = (gsize)(der.at - data);

        if (count == MAX_CERTIFICATES || !is_certificate(&der, &found))
            return FALSE;
        if (scan)
            add_found(scan, offset, (gsize)(der.at - data) - offset, &found);
    }
    return TRUE;
}

/* The certificates in PKCS#7 (RFC 5652 5.1). */
static gboolean enter_pkcs7(Der der, Der *certs)
{
    Der info, type, content, body;

    return der_enter(&der, TAG_SEQUENCE, &info) && der.at == der.end &&
           der_enter(&info, TAG_OID, &type) && der_is(&type, OID_SIGNED, sizeof OID_SIGNED) &&
           der_enter(&info, TAG_FIRST, &content) && der_enter(&content, TAG_SEQUENCE, &body) &&
           der_skip(&body, TAG_INTEGER) && der_skip(&body, TAG_SET) &&
           der_skip(&body, TAG_SEQUENCE) && der_enter(&body, TAG_FIRST, certs);
}

static gboolean scan_der(SealKeyScan *scan, const guint8 *data, gsize length)
{
    const Der all = {data, data + length};
    Der row = all;

    if (!enter_pkcs7(all, &row))
        row = all;
    return go_through_row(row, data, NULL) && go_through_row(row, data, scan);
}

static gboolean is_certificate_label(const char *label)
{
    return g_str_equal(label, "CERTIFICATE") || g_str_equal(label, "X509 CERTIFICATE");
}

static void scan_block(SealKeyScan *scan, const SmimePem *pem, gsize offset, gsize length)
{
    gsize size = 0;
    const guint8 *octets = pem->der ? g_bytes_get_data(pem->der, &size) : NULL;
    Der der = {octets, octets ? octets + size : NULL};
    g_auto(Found) found = {0};

    if (octets && is_certificate_label(pem->label) && is_certificate(&der, &found) &&
        der.at == der.end)
        add_found(scan, offset, length, &found);
    else
        seal_key_scan_add(scan, offset, length, NULL);
}

/* FALSE where read() has to look at it as a whole. */
static gboolean scan_pem(SealKeyScan *scan, const char *text, gsize length)
{
    g_auto(SmimePem) pem = {.at = text, .end = text + length};
    guint count = 0;

    while (smime_pem_next(&pem)) {
        if (++count > MAX_CERTIFICATES)
            return FALSE;
        scan_block(scan, &pem, (gsize)(pem.begin - text), (gsize)(pem.at - pem.begin));
    }
    return count > 0;
}

gboolean smime_scan(SealModule *self, GBytes *data, SealKeyScan *scan, GError **error)
{
    gsize length;
    const guint8 *octets = g_bytes_get_data(data, &length);
    gboolean done = length == 0;

    if (!done && *octets == TAG_SEQUENCE)
        done = scan_der(scan, octets, length);
    else if (!done)
        done = scan_pem(scan, (const char *)octets, length);
    if (!done)
        seal_key_scan_add(scan, 0, length, NULL);
    return TRUE;
}
