/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bundle.c: certificates out of a file's bytes: PEM (RFC 7468) among whatever else it holds, DER,
 * or PKCS#7 in either.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

#define DASHES "-----"
#define BEGIN  "-----BEGIN "
#define END    "-----END "

enum {
    MAX_CERTIFICATES = 10000,
    MAX_IN_BAGS = 4000, /* PKCS#7 is read as a whole, also what it has several times */
    MAX_NESTING = 30,
    MAX_LABEL = 64,
};

/* 1.2.840.113549.1.7.2, signedData */
static const guint8 OID_SIGNED[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                    0xf7, 0x0d, 0x01, 0x07, 0x02};
/* A TBSCertificate of version 2 or 3 begins so. */
static const guint8 VERSION[] = {0xa0, 0x03, 0x02, 0x01};

/* -------------------------------------------------------------------------------------------
 * PEM blocks
 */

static const char *find_text(const char *at, const char *end, const char *what)
{
    return memmem(at, (gsize)(end - at), what, strlen(what));
}

/* Takes "LABEL-----" off the front; NULL where there is no such thing. */
static char *read_label(const char **at, const char *end)
{
    const char *stop = find_text(*at, MIN(end, *at + MAX_LABEL + strlen(DASHES)), DASHES);

    if (!stop || memchr(*at, '\n', (gsize)(stop - *at)))
        return NULL;
    char *label = g_strndup(*at, (gsize)(stop - *at));
    *at = stop + strlen(DASHES);
    return label;
}

static GBytes *decode_body(const char *text, gsize length)
{
    g_autofree guint8 *out = g_malloc(length / 4 * 3 + 6);
    gsize out_length = 0;
    SealBase64 base64 = {.may_have_blanks = TRUE};

    if (!seal_base64_decode(&base64, text, length, out, &out_length) ||
        !seal_base64_is_complete(&base64))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&out), out_length);
}

/* Five dashes cannot stand in base64, so that the next ones end the block or show that its end is
 * missing; nothing is looked at twice. */
static GBytes *read_body(SmimePem *pem)
{
    const char *dashes = find_text(pem->at, pem->end, DASHES);
    const char *body = pem->at;

    pem->at = dashes ? dashes : pem->end;
    if (!dashes || (gsize)(pem->end - dashes) < strlen(END) ||
        memcmp(dashes, END, strlen(END)) != 0)
        return NULL;

    pem->at += strlen(END);
    g_autofree char *ended = read_label(&pem->at, pem->end);
    if (g_strcmp0(ended, pem->label) != 0)
        return NULL;
    return decode_body(body, (gsize)(dashes - body));
}

void smime_pem_clear(SmimePem *pem)
{
    g_clear_pointer(&pem->label, g_free);
    g_clear_pointer(&pem->der, g_bytes_unref);
}

gboolean smime_pem_next(SmimePem *pem)
{
    smime_pem_clear(pem);
    while (!pem->label) {
        const char *begin = find_text(pem->at, pem->end, BEGIN);

        if (!begin)
            return FALSE;
        pem->begin = begin;
        pem->at = begin + strlen(BEGIN);
        pem->label = read_label(&pem->at, pem->end);
    }
    pem->der = read_body(pem);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Certificates
 */

void smime_bundle_clear(SmimeBundle *bundle)
{
    g_clear_pointer(&bundle->certs, g_ptr_array_unref);
    g_clear_pointer(&bundle->seen, g_hash_table_unref);
}

static gboolean set_too_many(GError **error, int most, const char *where)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d certificates in %s", most,
                where);
    return FALSE;
}

static gboolean bundle_keep(SmimeBundle *bundle, X509 *cert, GError **error)
{
    if (bundle->certs->len >= MAX_CERTIFICATES) {
        X509_free(cert);
        return set_too_many(error, MAX_CERTIFICATES, "one file");
    }
    g_ptr_array_add(bundle->certs, cert);
    return TRUE;
}

/* The head of an element in BER, which ends within the octets unless it does not say where. */
typedef struct {
    guint8 tag;
    const guint8 *inside;
    const guint8 *stop; /* NULL where two zero octets end it */
} Head;

static gboolean read_length(Head *head, const guint8 *end, guint count)
{
    gsize length = 0;

    if (count > 4 || (gsize)(end - head->inside) < count)
        return FALSE;
    for (guint i = 0; i < count; i++)
        length = length << 8 | *head->inside++;
    head->stop = head->inside + length;
    return length <= (gsize)(end - head->inside);
}

static gboolean read_head(Head *head, const guint8 *at, const guint8 *end)
{
    if (end - at < 2 || (at[0] & 0x1f) == 0x1f)
        return FALSE;
    head->tag = at[0];
    head->inside = at + 2;
    head->stop = NULL;
    if (at[1] == 0x80)
        return (head->tag & V_ASN1_CONSTRUCTED) != 0;
    if (at[1] > 0x80)
        return read_length(head, end, at[1] - 0x80u);
    head->stop = head->inside + at[1];
    return head->stop <= end;
}

static gboolean is_end(const guint8 *at, const guint8 *end)
{
    return end - at >= 2 && at[0] == 0 && at[1] == 0;
}

/* To what is behind the element; NULL where it has no end. Nothing is looked at twice. */
static const guint8 *skip_element(const guint8 *at, const guint8 *end, guint depth)
{
    Head head;

    if (!at || depth > MAX_NESTING || !read_head(&head, at, end))
        return NULL;
    if (head.stop)
        return head.stop;
    for (at = head.inside; at && !is_end(at, end);)
        at = skip_element(at, end, depth + 1);
    return at ? at + 2 : NULL;
}

/* Into the element with @tag at *@at; *@end comes to be its own where it says where that is. */
static gboolean enter_element(const guint8 **at, const guint8 **end, guint8 tag, gboolean *open)
{
    Head head;

    if (!*at || !read_head(&head, *at, *end) || head.tag != tag)
        return FALSE;
    *at = head.inside;
    *end = head.stop ? head.stop : *end;
    *open = !head.stop;
    return TRUE;
}

/* Of SignedData, without what takes time. FALSE where it is none, or is cut. */
static gboolean count_in_bag(const guint8 *at, const guint8 *end, gsize *count)
{
    const guint8 sequence = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED;
    gboolean open;

    *count = 0;
    if (!enter_element(&at, &end, sequence, &open))
        return FALSE;
    at = skip_element(at, end, 0);
    if (!enter_element(&at, &end, 0xa0, &open) || !enter_element(&at, &end, sequence, &open))
        return FALSE;
    for (guint i = 0; i < 3; i++) /* version, digests, content */
        at = skip_element(at, end, 0);
    if (!at)
        return FALSE;
    if (at == end || *at != 0xa0)
        return TRUE;
    enter_element(&at, &end, 0xa0, &open);
    for (; at && (open ? !is_end(at, end) : at < end); ++*count)
        at = skip_element(at, end, 0);
    return at != NULL;
}

/* One certificate at @data; @used says how long it is, zero where there is none. */
static gboolean bundle_add_certificate(SmimeBundle *bundle, const guint8 *data, gsize length,
                                       gboolean trusted, gsize *used, GError **error)
{
    const guint8 *at = data;
    Head head = {0};
    gsize size = read_head(&head, data, data + length) && head.stop ? (gsize)(head.stop - data) : 0;
    g_autofree char *digest =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, trusted ? length : size);

    *used = trusted ? length : size;
    if (*used > 0 && g_hash_table_contains(bundle->seen, digest))
        return TRUE;
    X509 *cert =
        trusted ? d2i_X509_AUX(NULL, &at, (long)length) : d2i_X509(NULL, &at, (long)length);
    ERR_clear_error();
    if (cert && *used > 0)
        g_hash_table_add(bundle->seen, g_steal_pointer(&digest));
    *used = cert ? (gsize)(at - data) : 0;
    return !cert || bundle_keep(bundle, cert, error);
}

static gboolean bundle_add_pkcs7(SmimeBundle *bundle, const guint8 *data, gsize length,
                                 GError **error)
{
    const guint8 *at = data;
    gsize count = 0;
    gboolean whole = count_in_bag(data, data + length, &count);

    bundle->in_bags += count;
    if (bundle->in_bags > MAX_IN_BAGS)
        return set_too_many(error, MAX_IN_BAGS, "PKCS#7 in one file");
    g_autoptr(CMS_ContentInfo) cms = whole ? d2i_CMS_ContentInfo(NULL, &at, (long)length) : NULL;
    g_autoptr(SmimeCerts) certs = cms ? CMS_get1_certs(cms) : NULL;
    gboolean ok = TRUE;

    ERR_clear_error();
    if (!cms)
        bundle->broken++;
    for (X509 *cert; ok && (cert = sk_X509_shift(certs));)
        ok = bundle_keep(bundle, cert, error);
    return ok;
}

gboolean smime_bundle_add_block(SmimeBundle *bundle, const char *label, GBytes *der, GError **error)
{
    gboolean pkcs7 = g_str_equal(label, "PKCS7") || g_str_equal(label, "CMS") ||
                     g_str_equal(label, "PKCS #7 SIGNED DATA");
    gboolean trusted = g_str_equal(label, "TRUSTED CERTIFICATE");

    if (!pkcs7 && !trusted && !g_str_equal(label, "CERTIFICATE") &&
        !g_str_equal(label, "X509 CERTIFICATE"))
        return TRUE;
    if (!der) {
        bundle->broken++;
        return TRUE;
    }

    gsize length, used;
    const guint8 *data = g_bytes_get_data(der, &length);
    if (pkcs7)
        return bundle_add_pkcs7(bundle, data, length, error);
    if (!bundle_add_certificate(bundle, data, length, trusted, &used, error))
        return FALSE;
    if (used == 0)
        bundle->broken++;
    return TRUE;
}

/* DER in base64, without the lines that should stand about it. Prose may be in these letters too,
 * so that something only counts as broken where a line of it is as long as lines of base64 are. */
static gboolean bundle_read_bare(SmimeBundle *bundle, const char *text, gsize length,
                                 GError **error)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    g_autoptr(GBytes) der = decode_body(text, length);
    gsize size = 0;
    const guint8 *data = der ? g_bytes_get_data(der, &size) : NULL;

    if (data)
        return smime_bundle_add_der(bundle, data, size, error);
    g_autofree char *start = g_strndup(text, MIN(length, 60));
    if (strlen(start) == 60 && strspn(start, letters) == 60)
        bundle->broken++;
    return TRUE;
}

static gboolean bundle_read_pem(SmimeBundle *bundle, const char *text, gsize length, GError **error)
{
    g_auto(SmimePem) pem = {.at = text, .end = text + length};
    guint blocks = 0;

    for (; smime_pem_next(&pem); blocks++) {
        if (!smime_bundle_add_block(bundle, pem.label, pem.der, error))
            return FALSE;
    }
    if (blocks > 0)
        return TRUE;
    while (length > 0 && g_ascii_isspace(*text)) {
        text++;
        length--;
    }
    /* What SEQUENCEs of the length of certificates begin with. */
    if (length > 2 && text[0] == 'M' && text[1] == 'I')
        return bundle_read_bare(bundle, text, length, error);
    if (find_text(text, text + length, END "CERTIFICATE" DASHES))
        bundle->broken++;
    return TRUE;
}

/* Goes past the head of a SEQUENCE; NULL where there is none. */
static const guint8 *enter_sequence(const guint8 *at, const guint8 *end)
{
    if (!at || end - at < 2 || *at != V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED)
        return NULL;
    gsize octets = at[1] > 0x80 ? at[1] - 0x80u : 0;
    return (gsize)(end - at) >= 2 + octets ? at + 2 + octets : NULL;
}

static gboolean begins_with(const guint8 *at, const guint8 *end, const guint8 *with, gsize length)
{
    return at && (gsize)(end - at) >= length && memcmp(at, with, length) == 0;
}

/* Does a certificate or PKCS#7 begin, and end where the octets do not reach? */
static gboolean is_cut(const guint8 *data, const guint8 *end, const guint8 *inside)
{
    gsize octets = (gsize)(inside - data) - 2, length = 0;

    if (octets == 0 || octets > 4)
        return FALSE;
    for (gsize i = 0; i < octets; i++)
        length = length << 8 | data[2 + i];
    return length > (gsize)(end - inside) &&
           (inside == end || *inside == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED ||
            *inside == V_ASN1_OBJECT);
}

/* A version 1 certificate looks like other things too, so that it is not missed when it turns out
 * to be none. Certificates may stand one after the other. */
gboolean smime_bundle_add_der(SmimeBundle *bundle, const guint8 *data, gsize length, GError **error)
{
    const guint8 *end = data + length;
    const guint8 *inside = enter_sequence(data, end);

    if (!inside)
        return TRUE;
    if (begins_with(inside, end, OID_SIGNED, sizeof OID_SIGNED))
        return bundle_add_pkcs7(bundle, data, length, error);

    gboolean likely = begins_with(enter_sequence(inside, end), end, VERSION, sizeof VERSION);
    gsize used;
    do {
        if (!bundle_add_certificate(bundle, data, length, FALSE, &used, error))
            return FALSE;
        data += used;
        length -= used;
    } while (used > 0 && length > 0);

    if (length > 0 && (inside = enter_sequence(data, end)) && is_cut(data, end, inside))
        bundle->broken++;
    else if (bundle->certs->len > 0)
        bundle->trailing = length;
    else if (likely)
        bundle->broken++;
    return TRUE;
}

void smime_bundle_init(SmimeBundle *bundle)
{
    memset(bundle, 0, sizeof *bundle);
    bundle->certs = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
    bundle->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

gboolean smime_bundle_read(SmimeBundle *bundle, GBytes *data, GError **error)
{
    gsize length;
    const void *bytes = g_bytes_get_data(data, &length);

    smime_bundle_init(bundle);
    if (length == 0)
        return TRUE;
    if (*(const guint8 *)bytes == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED)
        return smime_bundle_add_der(bundle, bytes, length, error);
    return bundle_read_pem(bundle, bytes, length, error);
}

/* -------------------------------------------------------------------------------------------
 * The files of a setting
 */

/* While a setting is read. */
typedef struct {
    const char *setting;
    const char *what;
    SmimeFileReader reader;
} Loading;

/* What cannot be read may be what matters: nothing runs then. */
static gboolean visit_file(SealModule *self, const SealFile *file, gpointer user_data,
                           GError **error)
{
    Loading *loading = user_data;
    const char *path = file->path;
    g_autoptr(GError) local = NULL;
    guint count = 0;

    if (file->problem)
        return seal_module_refuse(self, loading->setting, error, "%s", file->problem->message);
    if (!loading->reader(seal_module_data(self), file->data, path, &count, &local))
        return seal_module_refuse(self, loading->setting, error, "%s: %s", path, local->message);
    if (count > 0)
        return TRUE;
    /* A README may stand in a folder; a file that was named should be one. */
    if (file->named)
        return seal_module_refuse(self, loading->setting, error, "%s: no %s in it", path,
                                  loading->what);
    seal_module_warn(self, "%s: no %s in it", path, loading->what);
    return TRUE;
}

gboolean smime_read_setting(SealModule *self, const char *setting, const char *what,
                            SmimeFileReader reader, GError **error)
{
    Loading loading = {setting, what, reader};

    return seal_module_visit_files(self, setting, 0, visit_file, &loading, error);
}
