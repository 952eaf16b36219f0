/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pkcs12.c: keys and certificates out of PKCS#12 (RFC 7292). Old files are encrypted with RC2,
 * which OpenSSL keeps in its legacy provider: that is loaded for such a file alone, in a library
 * context of its own, and what comes out is made anew in the default one.
 */
#include "smime.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

/* OpenSSL 3.4 */
#define FIRST_WITH_PBMAC1 0x30400000UL

enum {
    MAX_DEPTH = 4,   /* of safes within safes */
    MAX_BAGS = 1000, /* in all */
    MAX_TRIES = 100, /* places where a file may begin */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS12, PKCS12_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBEPARAM, PBEPARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBE2PARAM, PBE2PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBKDF2PARAM, PBKDF2PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SCRYPT_PARAMS, SCRYPT_PARAMS_free)

/* What was found so far, bound to no library context. */
typedef struct {
    const char *password;
    int length;
    GPtrArray *keys;  /* element type PKCS8_PRIV_KEY_INFO; NULL: they are counted, and left */
    GPtrArray *certs; /* element type X509 */
    guint bags;
    guint key_bags;
    gboolean right; /* the password is: the MAC says so */
    SmimeWork *work;
} Opening;

static gboolean read_bags(Opening *opening, const STACK_OF(PKCS12_SAFEBAG) * bags, guint depth);

/* -------------------------------------------------------------------------------------------
 * Bounds
 */

static const void *algorithm_parameter(const X509_ALGOR *algorithm, int *nid)
{
    const ASN1_OBJECT *oid = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF;

    if (algorithm)
        X509_ALGOR_get0(&oid, &type, &value, algorithm);
    *nid = oid ? OBJ_obj2nid(oid) : NID_undef;
    return type == V_ASN1_SEQUENCE ? value : NULL;
}

/* Zero for what is no number of them. */
static gint64 count_iterations(const ASN1_INTEGER *iterations)
{
    gint64 number = 1;

    if (!iterations)
        return 1;
    if (!ASN1_INTEGER_get_int64(&number, iterations))
        number = ASN1_STRING_type(iterations) == V_ASN1_NEG_INTEGER ? 0 : G_MAXINT64;
    return MAX(number, 0);
}

static gpointer unpack_sequence(const ASN1_ITEM *item, const void *value)
{
    ASN1_TYPE type = {.type = V_ASN1_SEQUENCE, .value = {.sequence = (ASN1_STRING *)value}};

    return ASN1_TYPE_unpack_sequence(item, &type);
}

/* G_MAXINT64 where it is more. */
static gint64 multiply(gint64 one, gint64 other)
{
    return other > 0 && one > G_MAXINT64 / other ? G_MAXINT64 : one * other;
}

/* OpenSSL bounds the memory, and not the time. */
static gint64 scrypt_iterations(const void *value)
{
    g_autoptr(SCRYPT_PARAMS) scrypt = unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), value);

    if (!scrypt)
        return 1;
    return multiply(
        multiply(count_iterations(scrypt->costParameter), count_iterations(scrypt->blockSize)),
        count_iterations(scrypt->parallelizationParameter));
}

static gint64 pbes2_iterations(const void *value)
{
    g_autoptr(PBE2PARAM) pbes2 = unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), value);
    int nid = NID_undef;
    const void *inner = pbes2 ? algorithm_parameter(pbes2->keyfunc, &nid) : NULL;

    if (inner && nid == NID_id_scrypt)
        return scrypt_iterations(inner);
    if (!inner || nid != NID_id_pbkdf2)
        return 1;
    g_autoptr(PBKDF2PARAM) pbkdf2 = unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), inner);
    return pbkdf2 ? count_iterations(pbkdf2->iter) : 1;
}

/* What cannot be read fails later on its own. */
static gint64 pbe_iterations(const X509_ALGOR *algorithm)
{
    int nid;
    const void *value = algorithm_parameter(algorithm, &nid);

    if (!value)
        return 1;
    /* PBMAC1's parameters (RFC 8018 A.5) have the same form. */
    if (nid == NID_pbes2 || nid == NID_pbmac1)
        return pbes2_iterations(value);
    g_autoptr(PBEPARAM) pbe = unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), value);
    return pbe ? count_iterations(pbe->iter) : 1;
}

static gboolean spend(SmimeWork *work, gint64 iterations)
{
    if (iterations <= 0)
        work->bad = TRUE;
    else if (iterations > SMIME_MAX_ITERATIONS - work->spent)
        work->refused =
            iterations > G_MAXINT64 - work->spent ? iterations : work->spent + iterations;
    else
        work->spent += iterations;
    return !smime_work_failed(work);
}

gboolean smime_work_spend(SmimeWork *work, const X509_ALGOR *algorithm)
{
    return spend(work, pbe_iterations(algorithm));
}

gboolean smime_work_failed(const SmimeWork *work)
{
    return work->bad || work->refused > 0;
}

void smime_work_set_error(const SmimeWork *work, GError **error)
{
    if (work->bad)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_KEY, "its iteration count is not valid");
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_KEY,
                    "to open it, passphrases are to be hashed %" G_GINT64_FORMAT
                    " times or more (for its MAC, each of its parts, and each passphrase that is "
                    "tried), and at most %d times are allowed; export it again with fewer "
                    "iterations",
                    work->refused, SMIME_MAX_ITERATIONS);
}

/* -------------------------------------------------------------------------------------------
 * Bags
 */

static gboolean opening_add_key(Opening *opening, PKCS8_PRIV_KEY_INFO *key)
{
    if (!key)
        return FALSE;
    g_ptr_array_add(opening->keys, key);
    return TRUE;
}

static gboolean read_bare(Opening *opening, const PKCS12_SAFEBAG *bag)
{
    const PKCS8_PRIV_KEY_INFO *bare = PKCS12_SAFEBAG_get0_p8inf(bag);

    opening->key_bags++;
    return !opening->keys ||
           (bare &&
            opening_add_key(opening, ASN1_item_dup(ASN1_ITEM_rptr(PKCS8_PRIV_KEY_INFO), bare)));
}

static gboolean read_shrouded(Opening *opening, const PKCS12_SAFEBAG *bag)
{
    const X509_SIG *sealed = PKCS12_SAFEBAG_get0_pkcs8(bag);
    const X509_ALGOR *algorithm = NULL;

    opening->key_bags++;
    if (!opening->keys)
        return TRUE;
    if (sealed)
        X509_SIG_get0(sealed, &algorithm, NULL);
    return sealed && smime_work_spend(opening->work, algorithm) &&
           opening_add_key(opening, PKCS12_decrypt_skey(bag, opening->password, opening->length));
}

/* By hand: PKCS12_get_friendlyname() has written beside its memory (CVE-2025-69419). NULL where
 * there is none. (transfer full) */
static char *friendly_name(const PKCS12_SAFEBAG *bag)
{
    const ASN1_TYPE *value = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);

    if (!value || value->type != V_ASN1_BMPSTRING)
        return NULL;
    return g_convert((const char *)ASN1_STRING_get0_data(value->value.bmpstring),
                     ASN1_STRING_length(value->value.bmpstring), "UTF-8", "UTF-16BE", NULL, NULL,
                     NULL);
}

static gboolean read_cert(Opening *opening, const PKCS12_SAFEBAG *bag)
{
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return TRUE;
    X509 *cert = PKCS12_SAFEBAG_get1_cert(bag);
    if (!cert)
        return FALSE;
    g_autofree char *name = friendly_name(bag);
    if (name)
        X509_alias_set1(cert, (const guint8 *)name, (int)strlen(name));
    g_ptr_array_add(opening->certs, cert);
    return TRUE;
}

static gboolean read_bag(Opening *opening, const PKCS12_SAFEBAG *bag, guint depth)
{
    if (++opening->bags > MAX_BAGS)
        return FALSE;
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        return read_bare(opening, bag);
    case NID_pkcs8ShroudedKeyBag:
        return read_shrouded(opening, bag);
    case NID_certBag:
        return read_cert(opening, bag);
    case NID_safeContentsBag:
        return read_bags(opening, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
    default:
        return TRUE;
    }
}

static gboolean read_bags(Opening *opening, const STACK_OF(PKCS12_SAFEBAG) * bags, guint depth)
{
    gboolean ok = depth < MAX_DEPTH;

    for (int i = 0; ok && i < sk_PKCS12_SAFEBAG_num(bags); i++)
        ok = read_bag(opening, sk_PKCS12_SAFEBAG_value(bags, i), depth);
    return ok;
}

static gboolean read_safe(Opening *opening, PKCS7 *safe)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    } else if (PKCS7_type_is_encrypted(safe)) {
        if (safe->d.encrypted &&
            smime_work_spend(opening->work, safe->d.encrypted->enc_data->algorithm))
            bags = PKCS12_unpack_p7encdata(safe, opening->password, opening->length);
    } else {
        /* Encrypted to a public key, which nobody does. */
        return TRUE;
    }
    gboolean ok = bags && read_bags(opening, bags, 0);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return ok;
}

static gboolean read_safes(Opening *opening, PKCS12 *file)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(file);
    gboolean ok = safes != NULL;

    for (int i = 0; ok && i < sk_PKCS7_num(safes); i++)
        ok = read_safe(opening, sk_PKCS7_value(safes, i));
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The file, with one password
 */

static PKCS12 *parse_pkcs12(const guint8 *data, gsize length)
{
    const guint8 *at = data;

    return length <= G_MAXINT32 ? d2i_PKCS12(NULL, &at, (long)length) : NULL;
}

gboolean smime_pkcs12_is(const guint8 *data, gsize length)
{
    g_autoptr(PKCS12) file = parse_pkcs12(data, length);

    ERR_clear_error();
    return file != NULL;
}

/* A PKCS#12 behind some text: SEQUENCE, the length in any form, version 3, SEQUENCE. */
const guint8 *smime_pkcs12_find(const guint8 *data, gsize length)
{
    static const guint8 version[] = {0x02, 0x01, 0x03, 0x30};
    const guint8 *end = data + length;
    guint tries = 0;

    for (const guint8 *at = data; (at = memchr(at, 0x30, (gsize)(end - at))); at++) {
        if (end - at < 12 || tries == MAX_TRIES)
            return NULL;
        gsize more = at[1] > 0x80 && at[1] <= 0x84 ? at[1] & 0x0fu : 0;
        if (memcmp(at + 2 + more, version, sizeof version) != 0)
            continue;
        tries++;
        if (smime_pkcs12_is(at, (gsize)(end - at)))
            return at;
    }
    return NULL;
}

static void opening_reset(Opening *opening)
{
    if (opening->keys)
        g_ptr_array_set_size(opening->keys, 0);
    g_ptr_array_set_size(opening->certs, 0);
    opening->bags = 0;
    opening->key_bags = 0;
}

static gboolean open_safes(Opening *opening, const guint8 *data, gsize length)
{
    g_autoptr(PKCS12) file = parse_pkcs12(data, length);

    opening_reset(opening);
    return file && read_safes(opening, file);
}

/* Did something fail because no provider has it? Empties the queue. */
static gboolean was_unsupported(void)
{
    gboolean yes = FALSE;

    for (unsigned long code; (code = ERR_get_error());)
        yes = yes || ERR_GET_REASON(code) == ERR_R_UNSUPPORTED;
    return yes;
}

static X509 *renew_cert(X509 *old)
{
    guint8 *der = NULL;
    int length = i2d_X509(old, &der), name_length = 0;
    const guint8 *at = der;
    const guint8 *name = X509_alias_get0(old, &name_length);
    X509 *cert = length > 0 ? d2i_X509(NULL, &at, length) : NULL;

    OPENSSL_free(der);
    if (cert && name)
        X509_alias_set1(cert, name, name_length);
    return cert;
}

/* Certificates that belong to the default library context. */
static gboolean renew_certs(GPtrArray *certs)
{
    for (guint i = 0; i < certs->len; i++) {
        X509 *cert = renew_cert(g_ptr_array_index(certs, i));

        if (!cert)
            return FALSE;
        X509_free(g_ptr_array_index(certs, i));
        g_ptr_array_index(certs, i) = cert;
    }
    return TRUE;
}

/* Nothing that was made in @context outlives this. */
static gboolean open_in_context(Opening *opening, OSSL_LIB_CTX *context, const guint8 *data,
                                gsize length)
{
    OSSL_LIB_CTX *before = OSSL_LIB_CTX_set0_default(context);
    gboolean ok = open_safes(opening, data, length);

    OSSL_LIB_CTX_set0_default(before);
    ok = ok && renew_certs(opening->certs);
    if (!ok)
        opening_reset(opening);
    return ok;
}

static gboolean open_with_legacy(Opening *opening, const guint8 *data, gsize length,
                                 gboolean *no_provider)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *legacy = context ? OSSL_PROVIDER_load(context, "legacy") : NULL;
    OSSL_PROVIDER *usual = legacy ? OSSL_PROVIDER_load(context, "default") : NULL;
    gboolean ok = usual && open_in_context(opening, context, data, length);

    *no_provider = !usual;
    if (usual)
        OSSL_PROVIDER_unload(usual);
    if (legacy)
        OSSL_PROVIDER_unload(legacy);
    OSSL_LIB_CTX_free(context);
    return ok;
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

typedef enum {
    OPENED,
    WRONG_PASSWORD,
    NO_PROVIDER,
    BROKEN,
    TOO_MUCH_WORK,
} Result;

static gboolean spend_on_mac(SmimeWork *work, PKCS12 *file)
{
    const ASN1_INTEGER *iterations = NULL;
    const X509_ALGOR *algorithm = NULL;

    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, file);
    gint64 one = count_iterations(iterations), other = pbe_iterations(algorithm);
    return spend(work, one > 0 && other > 0 ? MAX(one, other) : 0);
}

/* An empty password is either no octets or two zero ones: both are tried. */
static Result try_password(Opening *opening, PKCS12 *file, const guint8 *data, gsize length)
{
    gboolean no_provider = FALSE;

    opening->right = FALSE;
    if (PKCS12_mac_present(file)) {
        if (!spend_on_mac(opening->work, file))
            return TOO_MUCH_WORK;
        if (!PKCS12_verify_mac(file, opening->password, opening->length))
            return WRONG_PASSWORD;
        opening->right = TRUE;
    }
    ERR_clear_error();
    if (open_safes(opening, data, length))
        return OPENED;
    if (was_unsupported() && open_with_legacy(opening, data, length, &no_provider))
        return OPENED;
    if (smime_work_failed(opening->work))
        return TOO_MUCH_WORK;
    return no_provider ? NO_PROVIDER : PKCS12_mac_present(file) ? BROKEN : WRONG_PASSWORD;
}

/* Where all that could be tried was wrong, another one may do. */
static gboolean is_for_want_of_tries(const Opening *opening, guint tries)
{
    return tries > 0 && !opening->right && !opening->work->bad &&
           opening->work->refused - opening->work->spent <= SMIME_MAX_ITERATIONS;
}

static Result try_passwords(Opening *opening, GPtrArray *passwords, PKCS12 *file,
                            const guint8 *data, gsize length)
{
    Result worst = WRONG_PASSWORD;
    guint tries = 0;

    for (guint i = 0; i < 2 * passwords->len; i++) {
        opening->password = g_ptr_array_index(passwords, i / 2);
        opening->length = (int)strlen(opening->password);
        if (i % 2 == 1) {
            if (opening->length > 0)
                continue;
            opening->password = NULL;
        }

        Result result = try_password(opening, file, data, length);
        ERR_clear_error();
        if (result == TOO_MUCH_WORK && is_for_want_of_tries(opening, tries))
            return worst;
        if (result == OPENED || result == TOO_MUCH_WORK)
            return result;
        if (result != WRONG_PASSWORD)
            worst = result;
        tries++;
    }
    return worst;
}

static gboolean has_pbmac1(PKCS12 *file)
{
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;

    if (!PKCS12_mac_present(file))
        return FALSE;
    PKCS12_get0_mac(NULL, &algorithm, NULL, NULL, file);
    if (algorithm)
        X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return oid && OBJ_obj2nid(oid) == NID_pbmac1;
}

/* SEAL_ERROR_UNAVAILABLE where another passphrase may do. */
static gboolean set_why(Result result, gboolean pbmac1, GError **error)
{
    const char *why = "its content cannot be read, although its passphrase is right";
    SealError code = SEAL_ERROR_KEY;

    if (pbmac1 && OpenSSL_version_num() < FIRST_WITH_PBMAC1) {
        why = "it is protected by PBMAC1, which this OpenSSL does not know (3.4 is the first that "
              "does); export it again without, as openssl pkcs12 -export does by default";
    } else if (result == WRONG_PASSWORD) {
        why = SMIME_WRONG_PASSPHRASE;
        code = SEAL_ERROR_UNAVAILABLE;
    } else if (result == NO_PROVIDER) {
        why = "it is encrypted in an old way (RC2), for which OpenSSL's legacy provider is needed "
              "and not installed";
    }
    g_set_error_literal(error, SEAL_ERROR, code, why);
    return FALSE;
}

static gboolean keep_opened(SmimePrivate *found, const Opening *opening, GError **error)
{
    for (guint i = 0; i < opening->keys->len; i++) {
        EVP_PKEY *key = EVP_PKCS82PKEY(g_ptr_array_index(opening->keys, i));

        if (!key) {
            smime_set_error(error, SEAL_ERROR_KEY, "a private key in it cannot be read");
            return FALSE;
        }
        g_ptr_array_add(found->keys, key);
    }
    g_ptr_array_extend_and_steal(found->bundle.certs, g_ptr_array_ref(opening->certs));
    return TRUE;
}

static gboolean open_file(Opening *opening, const guint8 *data, gsize length, GPtrArray *passwords,
                          GError **error)
{
    g_autoptr(PKCS12) file = parse_pkcs12(data, length);

    if (!file) {
        smime_set_error(error, SEAL_ERROR_KEY, "its PKCS12 block is no PKCS#12 file");
        return FALSE;
    }
    Result result = try_passwords(opening, passwords, file, data, length);
    ERR_clear_error();
    if (result == TOO_MUCH_WORK) {
        smime_work_set_error(opening->work, error);
        return FALSE;
    }
    return result == OPENED || set_why(result, has_pbmac1(file), error);
}

gboolean smime_pkcs12_read(SmimePrivate *found, const guint8 *data, gsize length,
                           GPtrArray *passwords, GError **error)
{
    g_autoptr(GPtrArray) bare =
        g_ptr_array_new_with_free_func((GDestroyNotify)PKCS8_PRIV_KEY_INFO_free);
    g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
    Opening opening = {.keys = bare, .certs = certs, .work = &found->work};

    return open_file(&opening, data, length, passwords, error) &&
           keep_opened(found, &opening, error);
}

gboolean smime_pkcs12_certs(GPtrArray *certs, guint *keys, SmimeWork *work, const guint8 *data,
                            gsize length, GPtrArray *passwords, GError **error)
{
    Opening opening = {.certs = certs, .work = work};

    if (!open_file(&opening, data, length, passwords, error))
        return FALSE;
    *keys = opening.key_bags;
    return TRUE;
}
