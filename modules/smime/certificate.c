/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * certificate.c: what a certificate says (for whom, for what, and what its owner's reader can do),
 * and the keys that the Format's read() makes of certificates.
 */
#include "smime.h"

#include <openssl/err.h>

/* -------------------------------------------------------------------------------------------
 * Addresses
 */

/* Only what is text and cannot mislead whoever reads it: no NUL within, no control characters. */
static void add_address(GPtrArray *addresses, const ASN1_STRING *string, gboolean utf8)
{
    const char *data = (const char *)ASN1_STRING_get0_data(string);
    gsize length = (gsize)ASN1_STRING_length(string);

    if (length == 0 || !g_utf8_validate(data, (gssize)length, NULL))
        return;
    g_autofree char *text = g_strndup(data, length);
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        if (g_unichar_iscntrl(character) || (!utf8 && character >= 0x80))
            return;
    }
    g_ptr_array_add(addresses, g_steal_pointer(&text));
}

/* RFC 9598: SmtpUTF8Mailbox, an otherName that is a UTF8String. */
static const ASN1_STRING *utf8_mailbox(const GENERAL_NAME *name)
{
    if (name->type != GEN_OTHERNAME ||
        OBJ_obj2nid(name->d.otherName->type_id) != NID_id_on_SmtpUTF8Mailbox)
        return NULL;
    const ASN1_TYPE *value = name->d.otherName->value;
    return value && value->type == V_ASN1_UTF8STRING ? value->value.utf8string : NULL;
}

/* TRUE where subjectAltName has a mailbox, readable or not. */
static gboolean add_alternative_names(GPtrArray *addresses, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    gboolean found = FALSE;

    for (int i = 0;
         names && i < sk_GENERAL_NAME_num(names) && addresses->len <= SMIME_MAX_ADDRESSES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *utf8 = utf8_mailbox(name);

        if (name->type == GEN_EMAIL)
            add_address(addresses, name->d.rfc822Name, FALSE);
        else if (utf8)
            add_address(addresses, utf8, TRUE);
        found = found || name->type == GEN_EMAIL || utf8;
    }
    GENERAL_NAMES_free(names);
    return found;
}

static void add_subject_addresses(GPtrArray *addresses, X509 *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = -1;

    while (addresses->len <= SMIME_MAX_ADDRESSES &&
           (at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at)) >= 0)
        add_address(addresses, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), FALSE);
}

static GPtrArray *cert_addresses(X509 *cert)
{
    GPtrArray *addresses = g_ptr_array_new_null_terminated(4, g_free, TRUE);

    if (!add_alternative_names(addresses, cert))
        add_subject_addresses(addresses, cert);
    ERR_clear_error();
    return addresses;
}

/* What a certificate for mail that names no mailbox says of domains: those that it is for as a
 * whole, as the Direct project has it (one key for an organisation's gateway). */
static GPtrArray *cert_domains(X509 *cert, const GPtrArray *addresses)
{
    GPtrArray *domains = g_ptr_array_new_null_terminated(1, g_free, TRUE);
    guint32 flags = X509_get_extension_flags(cert);

    if (addresses->len > 0 || (flags & EXFLAG_CA) || !(flags & EXFLAG_XKUSAGE) ||
        !(X509_get_extended_key_usage(cert) & XKU_SMIME))
        return domains;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    gboolean mailbox = FALSE;

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        mailbox = mailbox || name->type == GEN_EMAIL || utf8_mailbox(name);
        if (name->type == GEN_DNS && domains->len < SMIME_MAX_ADDRESSES)
            add_address(domains, name->d.dNSName, FALSE);
    }
    if (mailbox)
        g_ptr_array_set_size(domains, 0);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return domains;
}

/* -------------------------------------------------------------------------------------------
 * Purposes and capabilities
 */

gboolean smime_cert_allows_mail(X509 *cert)
{
    if (!(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE))
        return TRUE;
    return (X509_get_extended_key_usage(cert) & (XKU_SMIME | XKU_ANYEKU)) != 0;
}

/* X509_get_key_usage gives all bits where the extension is absent. */
static guint cert_purposes(X509 *cert)
{
    guint32 flags = X509_get_extension_flags(cert);
    guint32 usage = X509_get_key_usage(cert);
    guint set = 0;

    if (smime_cert_allows_mail(cert)) {
        if (usage & (KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT))
            set |= SEAL_PURPOSE_ENCRYPT;
        if (usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION))
            set |= SEAL_PURPOSE_SIGN;
    }
    if ((flags & EXFLAG_CA) && (usage & KU_KEY_CERT_SIGN))
        set |= SEAL_PURPOSE_ISSUE;
    return set;
}

static guint capability_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid;

    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    switch (OBJ_obj2nid(oid)) {
    case NID_aes_128_cbc:
        return SMIME_CAN_AES128_CBC;
    case NID_aes_256_cbc:
        return SMIME_CAN_AES256_CBC;
    case NID_aes_128_gcm:
        return SMIME_CAN_AES128_GCM;
    case NID_aes_256_gcm:
        return SMIME_CAN_AES256_GCM;
    case NID_rsaesOaep:
        return SMIME_CAN_OAEP;
    default:
        return 0;
    }
}

/* RFC 4262. What cannot be read announces nothing. */
static guint cert_capabilities(X509 *cert)
{
    int at = X509_get_ext_by_NID(cert, NID_SMIMECapabilities, -1);
    if (at < 0)
        return 0;

    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
    const guint8 *data = ASN1_STRING_get0_data(value);
    X509_ALGORS *list = d2i_X509_ALGORS(NULL, &data, ASN1_STRING_length(value));
    guint set = 0;

    for (int i = 0; list && i < sk_X509_ALGOR_num(list); i++)
        set |= capability_of(sk_X509_ALGOR_value(list, i));
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return set;
}

/* -------------------------------------------------------------------------------------------
 * Keys
 */

/* What OpenSSL makes of a certificate takes so many times its octets, about. */
enum { CERT_FACTOR = 4 };

static void native_free(gpointer data)
{
    SmimeKey *native = data;

    X509_free(native->cert);
    g_free(native);
}

static GPtrArray *cert_ids(X509 *cert)
{
    GPtrArray *ids = g_ptr_array_new_null_terminated(2, g_free, TRUE);
    const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(cert);
    char *id = smime_id_issuer_serial(X509_get_issuer_name(cert), X509_get0_serialNumber(cert));

    if (id)
        g_ptr_array_add(ids, id);
    if (key_id)
        g_ptr_array_add(ids, smime_id_key(key_id));
    return ids;
}

static char *cert_label(X509 *cert, GPtrArray *addresses)
{
    g_autofree char *subject = smime_name_text(X509_get_subject_name(cert));

    if (*subject)
        return g_steal_pointer(&subject);
    return g_strdup(addresses->len > 0 ? g_ptr_array_index(addresses, 0) : "no subject");
}

SealKey *smime_key_new(X509 *cert, guint private_key, const SealOrigin *origin)
{
    g_autoptr(GBytes) digest = smime_cert_digest(cert);
    SealKeySpec spec = {.size = sizeof spec, .format = SMIME_FORMAT, .native_free = native_free};

    if (!smime_time(X509_get0_notBefore(cert), &spec.valid_from) ||
        !smime_time(X509_get0_notAfter(cert), &spec.valid_until) || !digest)
        return NULL;

    g_autofree char *fingerprint =
        seal_text_hex(g_bytes_get_data(digest, NULL), g_bytes_get_size(digest));
    g_autoptr(GPtrArray) addresses = cert_addresses(cert);
    /* Whom it leaves out nobody could tell. */
    if (addresses->len > SMIME_MAX_ADDRESSES)
        return NULL;
    g_autoptr(GPtrArray) domains = cert_domains(cert, addresses);
    g_autofree char *name = cert_label(cert, addresses);
    g_autoptr(GPtrArray) ids = cert_ids(cert);
    SmimeKey *native = g_new0(SmimeKey, 1);

    X509_up_ref(cert);
    native->cert = cert;
    native->private_key = private_key;
    native->can = cert_capabilities(cert);
    spec.fingerprint = fingerprint;
    spec.label = name;
    spec.addresses = (const char *const *)addresses->pdata;
    spec.domains = (const char *const *)domains->pdata;
    spec.detected_ids = (const char *const *)ids->pdata;
    spec.purposes = cert_purposes(cert);
    spec.native = native;
    spec.native_size = sizeof *native + CERT_FACTOR * (gsize)MAX(i2d_X509(cert, NULL), 0);
    ERR_clear_error();
    return seal_key_new(&spec, origin);
}

/* What one file has that is broken hides nothing that is good in it. */
static gboolean report_broken(SealModule *self, const SmimeBundle *bundle, guint good,
                              const SealOrigin *origin, GError **error)
{
    const char *place = origin->place ? origin->place : origin->source;

    if (bundle->trailing > 0)
        seal_module_warn(self,
                         "%s: passed over %" G_GSIZE_FORMAT
                         " octets after the last certificate, which are none",
                         place, bundle->trailing);
    if (bundle->broken > 0 && good == 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "%s: it should hold a certificate, and what is there cannot be read as one",
                    place);
    else if (bundle->broken > 0)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "%s: passed over %u of %u certificates, which cannot be read", place,
                    bundle->broken, bundle->broken + good);
    return bundle->broken == 0;
}

gboolean smime_read(SealModule *self, GBytes *data, const SealOrigin *origin, GPtrArray *keys,
                    GError **error)
{
    SmimeModule *module = seal_module_data(self);
    g_auto(SmimeBundle) bundle = {0};
    guint good = 0;

    if (!smime_bundle_read(&bundle, data, error))
        return FALSE;
    for (guint i = 0; i < bundle.certs->len; i++) {
        X509 *cert = g_ptr_array_index(bundle.certs, i);
        SealKey *key = smime_key_new(cert, SMIME_NO_KEY, origin);

        if (!key) {
            bundle.broken++;
            continue;
        }
        good++;
        g_ptr_array_add(keys, key);
        if (seal_key_purposes(key) & SEAL_PURPOSE_ISSUE)
            smime_pool_add(module->pool, cert, origin->trust >= SEAL_TRUST_VERIFIED);
    }
    return report_broken(self, &bundle, good, origin, error);
}
