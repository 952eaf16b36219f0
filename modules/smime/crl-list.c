/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crl-list.c: one revocation list (RFC 5280 5). OpenSSL makes six octets of memory of each octet of
 * a list: it is given the list without its entries, and each entry when it is asked for.
 */
#include "crl.h"

#include <openssl/err.h>
#include <string.h>

enum { SORT_AFTER = 16 }; /* questions */

typedef struct {
    guint32 hash; /* of the serial number */
    guint32 at;
} Entry;

struct SmimeList {
    guint8 *data;
    gsize length;
    X509_CRL *head;    /* the same without entries */
    X509_CRL *whole;   /* where entries are of other issuers; else NULL */
    const guint8 *tbs; /* what is signed */
    gsize tbs_length;
    guint asked;
    gboolean sorted;
    GArray *entries;      /* of Entry, by hash */
    GHashTable *verified; /* GBytes digest of an issuer to whether it has signed this */
    ISSUING_DIST_POINT *scope;
    const char *unfit;
};

/* -------------------------------------------------------------------------------------------
 * DER
 */

/* One element of what is at @at; @inside is what it holds. */
typedef struct {
    const guint8 *at;
    const guint8 *end;
    const guint8 *begin;
    const guint8 *inside;
    gsize length; /* of what it holds */
    int tag;
} Der;

static gboolean der_next(Der *der)
{
    long length = 0;
    int class = 0;

    der->begin = der->inside = der->at;
    if (der->at >= der->end)
        return FALSE;
    int form =
        ASN1_get_object(&der->inside, &length, &der->tag, &class, (long)(der->end - der->at));
    if ((form & 0x80) || (form & 1)) {
        ERR_clear_error();
        return FALSE;
    }
    if (class != V_ASN1_UNIVERSAL)
        der->tag = -1;
    der->length = (gsize)length;
    der->at = der->inside + length;
    return TRUE;
}

static gboolean der_enter(Der *der, const Der *from)
{
    *der = (Der){.at = from->inside, .end = from->inside + from->length};
    return from->tag == V_ASN1_SEQUENCE;
}

static gboolean is_time(const Der *der)
{
    return der->tag == V_ASN1_UTCTIME || der->tag == V_ASN1_GENERALIZEDTIME;
}

/* Octets of a number that it could do without do not count. */
static guint32 serial_hash(const guint8 **serial, gsize *length)
{
    guint32 hash = 2166136261U;

    while (*length > 1 && (**serial == 0 || **serial == 0xff) &&
           ((*serial)[0] & 0x80) == ((*serial)[1] & 0x80)) {
        ++*serial;
        --*length;
    }
    for (gsize i = 0; i < *length; i++)
        hash = (hash ^ (*serial)[i]) * 16777619U;
    return hash;
}

/* -------------------------------------------------------------------------------------------
 * Reading
 */

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const Entry *one = a, *other = b;

    return one->hash < other->hash ? -1 : one->hash > other->hash;
}

static gboolean index_entries(SmimeList *list, const Der *revoked)
{
    Der each, inside;

    if (!der_enter(&each, revoked))
        return FALSE;
    while (each.at < each.end) {
        if (!der_next(&each) || !der_enter(&inside, &each) || !der_next(&inside) ||
            inside.tag != V_ASN1_INTEGER)
            return FALSE;
        const Entry entry = {.at = (guint32)(each.begin - list->data),
                             .hash = serial_hash(&inside.inside, &inside.length)};
        g_array_append_val(list->entries, entry);
    }
    return TRUE;
}

static void put_sequence(GByteArray *out, gsize length)
{
    guint8 header[16], *end = header;

    ASN1_put_object(&end, 1, (int)length, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    g_byte_array_append(out, header, (guint)(end - header));
}

/* The list without what is from @begin to @end. */
static X509_CRL *read_without(const Der *outer, const Der *tbs, const guint8 *begin,
                              const guint8 *end)
{
    const guint8 *rest = tbs->inside + tbs->length;
    gsize less = tbs->length - (gsize)(end - begin);
    gsize behind = (gsize)(outer->inside + outer->length - rest);
    g_autoptr(GByteArray) inner = g_byte_array_new(), out = g_byte_array_new();

    put_sequence(inner, less);
    g_byte_array_append(inner, tbs->inside, (guint)(begin - tbs->inside));
    g_byte_array_append(inner, end, (guint)(rest - end));
    g_byte_array_append(inner, rest, (guint)behind);
    put_sequence(out, inner->len);
    g_byte_array_append(out, inner->data, inner->len);
    const guint8 *at = out->data;
    return d2i_X509_CRL(NULL, &at, (long)out->len);
}

/* Goes behind nextUpdate: what follows may be the entries. */
static gboolean skip_head(Der *der)
{
    if (!der_next(der) || (der->tag == V_ASN1_INTEGER && !der_next(der)) ||
        der->tag != V_ASN1_SEQUENCE || !der_next(der) || der->tag != V_ASN1_SEQUENCE ||
        !der_next(der) || !is_time(der))
        return FALSE;
    Der ahead = *der;
    if (der_next(&ahead) && is_time(&ahead))
        *der = ahead;
    return TRUE;
}

static gboolean read_parts(SmimeList *list)
{
    Der outer = {.at = list->data, .end = list->data + list->length}, tbs, part;

    if (!der_next(&outer) || !der_enter(&tbs, &outer) || !der_next(&tbs) ||
        !der_enter(&part, &tbs) || !skip_head(&part))
        return FALSE;
    list->tbs = tbs.begin;
    list->tbs_length = (gsize)(tbs.at - tbs.begin);
    const guint8 *begin = part.at, *end = part.at;
    if (der_next(&part) && part.tag == V_ASN1_SEQUENCE) {
        end = part.at;
        if (!index_entries(list, &part))
            return FALSE;
    }
    list->head = read_without(&outer, &tbs, begin, end);
    return list->head != NULL;
}

/* Extensions that must be understood, and are. */
static gboolean knows_extensions(const X509_CRL *crl)
{
    static const int known[] = {NID_issuing_distribution_point, NID_authority_key_identifier,
                                NID_crl_number};

    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

        if (X509_EXTENSION_get_critical(extension) && nid != known[0] && nid != known[1] &&
            nid != known[2])
            return FALSE;
    }
    return TRUE;
}

static const char *find_unfit(const SmimeList *list)
{
    const ISSUING_DIST_POINT *scope = list->scope;

    if (X509_CRL_get_ext_by_NID(list->head, NID_delta_crl, -1) >= 0)
        return "it has only what has changed since another one";
    if (!scope && X509_CRL_get_ext_by_NID(list->head, NID_issuing_distribution_point, -1) >= 0)
        return "what it is for cannot be read";
    if (scope && scope->indirectCRL > 0)
        return "it is for certificates of other issuers too";
    if (scope && scope->onlysomereasons)
        return "it is for some reasons only";
    if (scope && scope->onlyattr > 0)
        return "it is for attribute certificates";
    return knows_extensions(list->head) ? NULL : "it has a critical extension that is not known";
}

static void read_scope(SmimeList *list)
{
    const guint8 *at = list->data;

    list->scope = X509_CRL_get_ext_d2i(list->head, NID_issuing_distribution_point, NULL, NULL);
    if (list->scope && list->scope->indirectCRL > 0)
        list->whole = d2i_X509_CRL(NULL, &at, (long)list->length);
    list->unfit = find_unfit(list);
    ERR_clear_error();
}

SmimeList *smime_list_new(const guint8 *data, gsize length, GError **error)
{
    g_autoptr(SmimeList) list = g_new0(SmimeList, 1);

    list->data = g_memdup2(data, length);
    list->length = length;
    list->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    list->verified =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    if (length > G_MAXINT32 || !read_parts(list)) {
        smime_set_error(error, SEAL_ERROR_CONFIG, "a revocation list in it cannot be read");
        return NULL;
    }
    read_scope(list);
    return g_steal_pointer(&list);
}

void smime_list_free(SmimeList *list)
{
    if (!list)
        return;
    X509_CRL_free(list->head);
    X509_CRL_free(list->whole);
    ISSUING_DIST_POINT_free(list->scope);
    g_array_unref(list->entries);
    g_hash_table_unref(list->verified);
    g_free(list->data);
    g_free(list);
}

gsize smime_list_size(const SmimeList *list)
{
    return sizeof *list + list->length * (list->whole ? 7 : 1) + list->entries->len * sizeof(Entry);
}

/* -------------------------------------------------------------------------------------------
 * Who has signed it
 */

static gboolean verify_list(const SmimeList *list, X509 *issuer)
{
    EVP_PKEY *public = X509_get0_pubkey(issuer);
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *algorithm;
    const guint8 *at = list->tbs;
    ASN1_TYPE *tbs = d2i_ASN1_TYPE(NULL, &at, (long)list->tbs_length);

    X509_CRL_get0_signature(list->head, &signature, &algorithm);
    gboolean yes =
        public && tbs &&
        ASN1_item_verify(ASN1_ITEM_rptr(ASN1_ANY), algorithm, signature, tbs, public) == 1;
    ASN1_TYPE_free(tbs);
    ERR_clear_error();
    return yes;
}

gboolean smime_list_is_signed_by(SmimeList *list, X509 *issuer)
{
    gpointer known;

    if (X509_NAME_cmp(X509_CRL_get_issuer(list->head), X509_get_subject_name(issuer)) != 0)
        return FALSE;
    g_autoptr(GBytes) digest = smime_cert_digest(issuer);
    if (!digest)
        return FALSE;
    if (g_hash_table_lookup_extended(list->verified, digest, NULL, &known))
        return GPOINTER_TO_INT(known);
    gboolean yes = verify_list(list, issuer);
    g_hash_table_insert(list->verified, g_steal_pointer(&digest), GINT_TO_POINTER(yes));
    return yes;
}

/* -------------------------------------------------------------------------------------------
 * What it says
 */

gint64 smime_list_from(const SmimeList *list)
{
    gint64 from;

    return smime_time(X509_CRL_get0_lastUpdate(list->head), &from) ? from : 0;
}

gint64 smime_list_until(const SmimeList *list)
{
    gint64 until;

    return smime_time(X509_CRL_get0_nextUpdate(list->head), &until) ? until : 0;
}

/* An entry that cannot be read, and has the number, counts. */
static gboolean entry_counts(const X509_REVOKED *entry, gint64 *when)
{
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    gboolean removed = reason && ASN1_ENUMERATED_get(reason) == CRL_REASON_REMOVE_FROM_CRL;

    ASN1_ENUMERATED_free(reason);
    if (!smime_time(X509_REVOKED_get0_revocationDate(entry), when))
        *when = 0;
    ERR_clear_error();
    return !removed;
}

static gboolean entry_revokes(const SmimeList *list, const Entry *entry, const guint8 *serial,
                              gsize length, gint64 *when)
{
    Der each = {.at = list->data + entry->at, .end = list->data + list->length}, number;

    if (!der_next(&each) || !der_enter(&number, &each) || !der_next(&number))
        return FALSE;
    serial_hash(&number.inside, &number.length);
    if (number.length != length || memcmp(number.inside, serial, length) != 0)
        return FALSE;
    const guint8 *at = each.begin;
    X509_REVOKED *revoked = d2i_X509_REVOKED(NULL, &at, (long)(each.at - each.begin));
    *when = 0;
    gboolean counts = !revoked || entry_counts(revoked, when);
    X509_REVOKED_free(revoked);
    ERR_clear_error();
    return counts;
}

/* Who asks once only, as the transport filter does, need not wait until all is in order. */
static guint first_with(SmimeList *list, guint32 hash)
{
    GArray *entries = list->entries;
    guint low = 0, high = entries->len;

    if (list->asked++ == SORT_AFTER) {
        g_array_sort(entries, compare_entries);
        list->sorted = TRUE;
    }
    if (!list->sorted)
        return 0;
    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(entries, Entry, middle).hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static gboolean whole_revokes(const SmimeList *list, X509 *cert, gint64 *when)
{
    X509_REVOKED *entry = NULL;
    int listed = X509_CRL_get0_by_cert(list->whole, &entry, cert);

    ERR_clear_error();
    return listed > 0 && entry_counts(entry, when);
}

gboolean smime_list_revokes(SmimeList *list, X509 *cert, gint64 *when)
{
    const GArray *entries = list->entries;
    guint8 *number = NULL;
    gboolean yes = FALSE;

    if (list->whole)
        return whole_revokes(list, cert, when);
    int length = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &number);
    Der der = {.at = number, .end = number + MAX(length, 0)};
    if (number && der_next(&der)) {
        guint32 hash = serial_hash(&der.inside, &der.length);
        for (guint i = first_with(list, hash); i < entries->len && !yes; i++) {
            const Entry *entry = &g_array_index(entries, Entry, i);

            if (entry->hash == hash)
                yes = entry_revokes(list, entry, der.inside, der.length, when);
            else if (list->sorted)
                break;
        }
    }
    OPENSSL_free(number);
    return yes;
}

/* -------------------------------------------------------------------------------------------
 * What it is for
 */

static gboolean names_meet(const GENERAL_NAMES *ones, const GENERAL_NAMES *others)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(ones); i++) {
        for (int k = 0; k < sk_GENERAL_NAME_num(others); k++) {
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(ones, i),
                                 sk_GENERAL_NAME_value(others, k)) == 0)
                return TRUE;
        }
    }
    return FALSE;
}

/* One part of an issuer's list says which, and its certificates name that. */
static gboolean is_part_for(const DIST_POINT_NAME *part, X509 *cert)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    gboolean yes = FALSE;

    for (int i = 0; i < sk_DIST_POINT_num(points) && !yes; i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        yes = part->type == 0 && name && name->type == 0 &&
              names_meet(part->name.fullname, name->name.fullname);
    }
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
    return yes;
}

gboolean smime_list_covers(const SmimeList *list, X509 *cert)
{
    const ISSUING_DIST_POINT *scope = list->scope;
    gboolean is_ca = (X509_get_extension_flags(cert) & EXFLAG_CA) != 0;

    if (list->unfit)
        return FALSE;
    return !scope || ((scope->onlyuser <= 0 || !is_ca) && (scope->onlyCA <= 0 || is_ca) &&
                      (!scope->distpoint || is_part_for(scope->distpoint, cert)));
}

const char *smime_list_unfit(const SmimeList *list)
{
    return list->unfit;
}

gboolean smime_list_is_older(const SmimeList *list, const SmimeList *other)
{
    ASN1_INTEGER *one = X509_CRL_get_ext_d2i(list->head, NID_crl_number, NULL, NULL);
    ASN1_INTEGER *two = X509_CRL_get_ext_d2i(other->head, NID_crl_number, NULL, NULL);
    gboolean older = smime_list_from(list) < smime_list_from(other) ||
                     (two && (!one || ASN1_INTEGER_cmp(one, two) < 0));

    ASN1_INTEGER_free(one);
    ASN1_INTEGER_free(two);
    ERR_clear_error();
    return older;
}
