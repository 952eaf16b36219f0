/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * import.c: what people have certificates in: PEM among text, DER, PKCS#7 and PKCS#12, each entry
 * by its name. Private keys are recognised, and left where they are.
 */
#include "smime.h"

#include <openssl/err.h>
#include <string.h>

enum {
    MAX_BLOCKS = 20000,   /* of PEM in one file */
    MAX_ENTRY_NAME = 100, /* octets */
    /* Octets: every decoder that there is tries it, and some have to look at the whole. */
    MAX_PRIVATE_KEY = 128 * 1024,
};

typedef struct {
    char *name;       /* in the file, or NULL */
    X509 *cert;       /* or NULL */
    const char *left; /* what else it is, or NULL */
    GError *problem;  /* why it is neither */
} Entry;

/* While a file is read. */
typedef struct {
    const SealSecret *passphrase;
    GPtrArray *passwords;
    GPtrArray *entries; /* element type Entry */
    SmimeWork work;     /* of all of it */
    SmimeBundle bundle; /* likewise; what is in it goes into the entries at once */
} Importing;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->name);
    X509_free(entry->cert);
    g_clear_error(&entry->problem);
    g_free(entry);
}

static Entry *add_entry(Importing *importing)
{
    Entry *entry = g_new0(Entry, 1);

    g_ptr_array_add(importing->entries, entry);
    return entry;
}

static void add_left(Importing *importing, const char *what)
{
    add_entry(importing)->left = what;
}

static void add_problem(Importing *importing, SealError code, const char *text)
{
    add_entry(importing)->problem = g_error_new_literal(SEAL_ERROR, code, text);
}

static void add_certs(Importing *importing, GPtrArray *certs)
{
    for (guint i = 0; i < certs->len; i++) {
        Entry *entry = add_entry(importing);
        X509 *cert = g_ptr_array_index(certs, i);
        int length = 0;
        const guint8 *name = X509_alias_get0(cert, &length);

        X509_up_ref(cert);
        entry->cert = cert;
        if (name && length > 0)
            entry->name = seal_text_line(name, (gsize)length, MAX_ENTRY_NAME);
    }
}

static void add_bundle(Importing *importing)
{
    SmimeBundle *bundle = &importing->bundle;

    add_certs(importing, bundle->certs);
    for (guint i = 0; i < bundle->broken; i++)
        add_problem(importing, SEAL_ERROR_KEY, "a certificate that cannot be read");
    if (bundle->trailing > 0)
        add_left(importing, "what follows the last certificate, and is none");
    g_ptr_array_set_size(bundle->certs, 0);
    bundle->broken = 0;
    bundle->trailing = 0;
}

/* -------------------------------------------------------------------------------------------
 * Containers
 */

static void import_pkcs12(Importing *importing, const guint8 *data, gsize length)
{
    g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
    g_autoptr(GError) problem = NULL;
    guint keys = 0;

    if (smime_pkcs12_certs(certs, &keys, &importing->work, data, length, importing->passwords,
                           &problem)) {
        add_certs(importing, certs);
        for (guint i = 0; i < keys; i++)
            add_left(importing, "a private key");
        return;
    }
    if (!g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_UNAVAILABLE))
        add_problem(importing, SEAL_ERROR_KEY, problem->message);
    else
        add_problem(importing, SEAL_ERROR_UNAVAILABLE,
                    importing->passphrase ? "a PKCS#12 file that the passphrase does not open"
                                          : "a PKCS#12 file that takes a passphrase; give it with "
                                            "--passphrase-file");
}

/* A name for what else such octets can be; NULL where they are nothing of ours. */
static const char *name_der(const guint8 *data, long length)
{
    const guint8 *key_at = data, *sealed_at = data, *crl_at = data, *request_at = data;
    const char *name = NULL;
    EVP_PKEY *key = length <= MAX_PRIVATE_KEY ? d2i_AutoPrivateKey(NULL, &key_at, length) : NULL;
    X509_SIG *sealed = key ? NULL : d2i_X509_SIG(NULL, &sealed_at, length);
    X509_CRL *crl = key || sealed ? NULL : d2i_X509_CRL(NULL, &crl_at, length);
    X509_REQ *request = key || sealed || crl ? NULL : d2i_X509_REQ(NULL, &request_at, length);

    if (key || sealed)
        name = "a private key";
    else if (crl)
        name = "a revocation list";
    else if (request)
        name = "a certificate request";
    EVP_PKEY_free(key);
    X509_SIG_free(sealed);
    X509_CRL_free(crl);
    X509_REQ_free(request);
    ERR_clear_error();
    return name;
}

static gboolean import_der(Importing *importing, const guint8 *data, gsize length, GError **error)
{
    if (smime_pkcs12_is(data, length)) {
        import_pkcs12(importing, data, length);
        return TRUE;
    }
    const char *name = name_der(data, (long)length);
    if (name) {
        add_left(importing, name);
        return TRUE;
    }
    if (!smime_bundle_add_der(&importing->bundle, data, length, error))
        return FALSE;
    add_bundle(importing);
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Text
 */

static const struct {
    const char *suffix;
    const char *name;
} LEFT[] = {
    {"PRIVATE KEY", "a private key"},
    {"X509 CRL", "a revocation list"},
    {"CERTIFICATE REQUEST", "a certificate request"},
    {"PUBLIC KEY", "a public key without a certificate"},
    {"ATTRIBUTE CERTIFICATE", "an attribute certificate"},
};

static gboolean import_block(Importing *importing, const SmimePem *pem, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(LEFT); i++) {
        if (g_str_has_suffix(pem->label, LEFT[i].suffix)) {
            add_left(importing, LEFT[i].name);
            return TRUE;
        }
    }
    if (g_str_equal(pem->label, "PKCS12")) {
        gsize length = 0;
        const guint8 *data = pem->der ? g_bytes_get_data(pem->der, &length) : NULL;

        import_pkcs12(importing, data, length);
        return TRUE;
    }
    if (!smime_bundle_add_block(&importing->bundle, pem->label, pem->der, error))
        return FALSE;
    add_bundle(importing);
    return TRUE;
}

static gboolean import_blocks(Importing *importing, const char *text, gsize length, guint *blocks,
                              GError **error)
{
    g_auto(SmimePem) pem = {.at = text, .end = text + length};

    for (*blocks = 0; smime_pem_next(&pem); ++*blocks) {
        if (*blocks == MAX_BLOCKS) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d PEM blocks in one file",
                        MAX_BLOCKS);
            return FALSE;
        }
        if (!import_block(importing, &pem, error))
            return FALSE;
    }
    return TRUE;
}

/* DER in base64, without a PEM block's lines about it. */
static gboolean import_bare(Importing *importing, GBytes *text, GError **error)
{
    gsize length, size = 0;
    const char *data = g_bytes_get_data(text, &length);
    g_autofree guint8 *der = g_malloc(length / 4 * 3 + 6);
    SealBase64 base64 = {.may_have_blanks = TRUE};
    g_auto(SmimeBundle) bundle = {0};

    if (seal_base64_decode(&base64, data, length, der, &size) && seal_base64_is_complete(&base64) &&
        size > 0 && *der == 0x30)
        return import_der(importing, der, size, error);
    gboolean ok = smime_bundle_read(&bundle, text, error);
    add_certs(importing, bundle.certs);
    for (guint i = 0; i < bundle.broken; i++)
        add_problem(importing, SEAL_ERROR_KEY, "a certificate that cannot be read");
    return ok;
}

static gboolean import_text(Importing *importing, GBytes *data, GError **error)
{
    g_autoptr(GBytes) text = seal_text_plain(data);
    gsize length;
    const char *at = g_bytes_get_data(text, &length);
    guint blocks;

    if (!import_blocks(importing, at, length, &blocks, error))
        return FALSE;
    if (blocks > 0)
        return TRUE;
    const guint8 *inside = smime_pkcs12_find((const guint8 *)at, length);
    if (!inside)
        return import_bare(importing, text, error);
    import_pkcs12(importing, inside, length - (gsize)(inside - (const guint8 *)at));
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The file
 */

static void tell_cert(SealModule *self, const char *name, X509 *cert, const SealOrigin *origin,
                      SealKeyImport *import)
{
    SmimeModule *module = seal_module_data(self);
    g_autoptr(SealKey) key = smime_key_new(cert, SMIME_NO_KEY, origin);
    g_autoptr(GError) problem = NULL;

    if (!key) {
        g_set_error_literal(&problem, SEAL_ERROR, SEAL_ERROR_KEY,
                            "a certificate that cannot be read: its dates, or too many addresses");
        seal_key_import_fail(import, name, problem);
        return;
    }
    if (seal_key_purposes(key) & SEAL_PURPOSE_ISSUE)
        smime_pool_add(module->pool, cert, origin->trust >= SEAL_TRUST_VERIFIED);
    seal_key_import_add(import, name, key);
}

static void tell_entries(SealModule *self, const Importing *importing, const SealOrigin *origin,
                         SealKeyImport *import)
{
    for (guint i = 0; i < importing->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(importing->entries, i);
        g_autofree char *name = g_strdup(entry->name);

        if (!name && importing->entries->len > 1)
            name = g_strdup_printf("entry %u", i + 1);
        if (entry->cert)
            tell_cert(self, name, entry->cert, origin, import);
        else if (entry->left)
            seal_key_import_leave(import, name, entry->left);
        else
            seal_key_import_fail(import, name, entry->problem);
    }
}

gboolean smime_import(SealModule *self, GBytes *data, const SealSecret *passphrase,
                      const SealOrigin *origin, SealKeyImport *import, GError **error)
{
    gsize length;
    const guint8 *octets = g_bytes_get_data(data, &length);
    g_autoptr(GPtrArray) passwords = smime_passwords_new(passphrase, error);
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
    Importing importing = {.passphrase = passphrase, .passwords = passwords, .entries = entries};

    if (!passwords)
        return FALSE;
    if (length == 0)
        return TRUE;
    smime_bundle_init(&importing.bundle);
    gboolean ok = *octets != 0x30 || import_der(&importing, octets, length, error);
    /* A digit of a text looks the same. */
    if (ok && entries->len == 0)
        ok = import_text(&importing, data, error);
    tell_entries(self, &importing, origin, import);
    smime_bundle_clear(&importing.bundle);
    return ok;
}
