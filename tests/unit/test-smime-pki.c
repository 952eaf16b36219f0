/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-pki.c: certificates made on the spot, and the smime module opened for a test.
 */
#include "test-smime-pki.h"

#include <glib/gstdio.h>
#include <openssl/rsa.h>
#include <string.h>

static EVP_PKEY *make_pss_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    g_assert_cmpint(EVP_PKEY_keygen_init(ctx), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), >, 0);
    g_assert_cmpint(EVP_PKEY_generate(ctx, &key), >, 0);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key;

    if (g_str_equal(kind, "RSA"))
        key = EVP_RSA_gen(2048);
    else if (g_str_equal(kind, "RSA-PSS"))
        key = make_pss_key();
    else if (g_str_has_prefix(kind, "RSA"))
        key = EVP_RSA_gen((unsigned)atoi(kind + 3));
    else if (g_str_equal(kind, "X25519") || g_str_equal(kind, "ED25519"))
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    else
        key = EVP_EC_gen(kind);
    g_assert_nonnull(key);
    return key;
}

static EVP_PKEY *cached_key(const char *slot, const char *kind)
{
    static GHashTable *keys = NULL;
    g_autofree char *name = g_strconcat(slot, kind, NULL);

    if (!keys)
        keys =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)EVP_PKEY_free);
    EVP_PKEY *key = g_hash_table_lookup(keys, name);
    if (!key) {
        key = make_key(kind);
        g_hash_table_insert(keys, g_steal_pointer(&name), key);
    }
    return key;
}

EVP_PKEY *pki_key(const char *kind)
{
    return cached_key("1", kind);
}

EVP_PKEY *pki_other_key(const char *kind)
{
    return cached_key("2", kind);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    if (!value)
        return;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    g_assert_nonnull(extension);
    g_assert_true(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void add_capabilities(X509 *cert, const char *capabilities)
{
    if (!capabilities)
        return;
    g_autofree char *value =
        g_strdup_printf("DER:30%02x%s", (guint)strlen(capabilities) / 2, capabilities);
    g_assert_cmpuint(strlen(capabilities) / 2, <, 0x80);
    add_extension(cert, cert, NID_SMIMECapabilities, value);
}

static void add_entry(X509_NAME *name, int nid, const char *value)
{
    if (value)
        g_assert_true(
            X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const guchar *)value, -1, -1, 0));
}

static void add_unknown(X509 *cert, const char *value)
{
    static int nid = NID_undef;

    if (!value)
        return;
    if (nid == NID_undef)
        nid = OBJ_create("1.2.3.4", "unknown", "unknown extension");
    add_extension(cert, cert, nid, value);
}

X509 *pki_cert(const CertSpec *spec, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long last_serial = 1000;
    X509 *cert = X509_new();

    g_assert_true(X509_set_version(cert, X509_VERSION_3));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), spec->serial ? spec->serial : ++last_serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), (spec->from_days ? spec->from_days : -1) * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(cert), (spec->until_days ? spec->until_days : 365) * 86400L);
    add_entry(X509_get_subject_name(cert), NID_commonName, spec->name);
    add_entry(X509_get_subject_name(cert), NID_pkcs9_emailAddress, spec->email);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    g_assert_true(X509_set_pubkey(cert, key));

    add_extension(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash");
    add_extension(cert, issuer ? issuer : cert, NID_basic_constraints, spec->constraints);
    add_extension(cert, issuer ? issuer : cert, NID_key_usage, spec->usage);
    add_extension(cert, issuer ? issuer : cert, NID_ext_key_usage, spec->ext_usage);
    add_extension(cert, issuer ? issuer : cert, NID_subject_alt_name, spec->san);
    add_extension(cert, issuer ? issuer : cert, NID_proxyCertInfo, spec->proxy);
    if (spec->names)
        g_assert_true(X509_add1_ext_i2d(cert, NID_subject_alt_name, spec->names, 0, 0));
    add_capabilities(cert, spec->capabilities);
    add_unknown(cert, spec->unknown);

    const EVP_MD *digest = EVP_get_digestbyname(spec->digest ? spec->digest : "SHA256");
    if (EVP_PKEY_get_base_id(issuer_key ? issuer_key : key) == EVP_PKEY_ED25519)
        digest = NULL;
    g_assert_cmpint(X509_sign(cert, issuer_key ? issuer_key : key, digest), >, 0);
    return cert;
}

X509 *pki_ca(const char *name, X509 *issuer)
{
    CertSpec spec = {
        .name = name, .constraints = "critical,CA:TRUE", .usage = "critical,keyCertSign,cRLSign"};

    return pki_cert(&spec, pki_key("RSA"), issuer, pki_key("RSA"));
}

X509 *pki_person(const char *address, const char *kind, const char *capabilities, X509 *ca)
{
    g_autofree char *san = g_strconcat("email:", address, NULL);
    gboolean rsa = g_str_has_prefix(kind, "RSA");
    CertSpec spec = {.name = address,
                     .san = san,
                     .usage = rsa ? "critical,keyEncipherment" : "critical,keyAgreement",
                     .ext_usage = "emailProtection",
                     .capabilities = capabilities};

    return pki_cert(&spec, pki_other_key(kind), ca, pki_key("RSA"));
}

X509 *pki_signer(const char *address, const char *kind, X509 *issuer)
{
    g_autofree char *san = g_strconcat("email:", address, NULL);
    gboolean both = g_str_has_prefix(kind, "RSA") && !g_str_equal(kind, "RSA-PSS");
    gboolean ec = !g_str_has_prefix(kind, "RSA") && !g_str_equal(kind, "ED25519");
    CertSpec spec = {.name = address,
                     .san = san,
                     .usage = both ? "critical,digitalSignature,keyEncipherment"
                              : ec ? "critical,digitalSignature,keyAgreement"
                                   : "critical,digitalSignature",
                     .ext_usage = "emailProtection"};

    return pki_cert(&spec, pki_other_key(kind), issuer, pki_key("RSA"));
}

X509_CRL *pki_crl(X509 *ca, EVP_PKEY *ca_key, X509 *revoked, int reason, int next_days)
{
    X509_CRL *crl = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -20 * 86400L);
    ASN1_TIME *next = X509_gmtime_adj(NULL, next_days * 86400L);

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, next);
    X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)X509_get0_serialNumber(revoked));
    X509_REVOKED_set_revocationDate(entry, now);
    if (reason >= 0) {
        ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();
        ASN1_ENUMERATED_set(value, reason);
        g_assert_true(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0));
        ASN1_ENUMERATED_free(value);
    }
    g_assert_true(X509_CRL_add0_revoked(crl, entry));
    X509_CRL_sort(crl);
    g_assert_cmpint(X509_CRL_sign(crl, ca_key, EVP_sha256()), >, 0);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    return crl;
}

static GBytes *take_bio(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    GBytes *bytes = g_bytes_new(data, (gsize)length);

    BIO_free(bio);
    return bytes;
}

GBytes *pki_pem(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(PEM_write_bio_X509(bio, cert));
    return take_bio(bio);
}

GBytes *pki_der(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(i2d_X509_bio(bio, cert));
    return take_bio(bio);
}

GBytes *pki_crl_pem(X509_CRL *crl)
{
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(PEM_write_bio_X509_CRL(bio, crl));
    return take_bio(bio);
}

GBytes *pki_key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    g_assert_true(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    return take_bio(bio);
}

GBytes *pki_bundle(EVP_PKEY *key, ...)
{
    BIO *bio = BIO_new(BIO_s_mem());
    va_list certs;

    g_assert_true(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    va_start(certs, key);
    for (X509 *cert; (cert = va_arg(certs, X509 *));)
        g_assert_true(PEM_write_bio_X509(bio, cert));
    va_end(certs);
    return take_bio(bio);
}

/* -------------------------------------------------------------------------------------------
 * The module
 */

void smime_prepare(Smime *smime)
{
    g_autoptr(GError) error = NULL;

    memset(smime, 0, sizeof *smime);
    smime->dir = g_dir_make_tmp("sealpipe-test-XXXXXX", &error);
    g_assert_no_error(error);
}

char *smime_write(Smime *smime, const char *name, GBytes *data)
{
    char *path = g_build_filename(smime->dir, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_file_set_contents(path, g_bytes_get_data(data, NULL), (gssize)g_bytes_get_size(data), &error);
    g_assert_no_error(error);
    return path;
}

char *smime_write_secret(Smime *smime, const char *name, GBytes *data)
{
    char *path = smime_write(smime, name, data);

    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    return path;
}

gboolean smime_open_with(Smime *smime, const char *settings, const char *more, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("[core]\nspool_dir=%s\nlog_target=%s/log\n"
                        "[module smime]\n%s\n%s\n",
                        smime->dir, smime->dir, settings ? settings : "", more ? more : "");
    g_autoptr(GBytes) data = g_bytes_new(text, strlen(text));
    g_autofree char *path = smime_write(smime, "conf.d/10-test.conf", data);
    g_autofree char *conf = g_path_get_dirname(path);

    smime->dispatcher = seal_dispatcher_new(conf, NULL, error);
    if (!smime->dispatcher)
        return FALSE;
    smime->format = seal_dispatcher_format(smime->dispatcher, "smime", &smime->module);
    g_assert_nonnull(smime->format);
    return TRUE;
}

void smime_start(Smime *smime, X509 *anchor, const char *settings)
{
    g_autoptr(GString) lines = g_string_new(settings);
    g_autoptr(GError) error = NULL;

    smime_prepare(smime);
    if (anchor) {
        g_autoptr(GBytes) pem = pki_pem(anchor);
        g_autofree char *path = smime_write(smime, "anchor.pem", pem);
        g_string_append_printf(lines, "\ntrust_anchors=%s\n", path);
    }
    smime_open_with(smime, lines->str, NULL, &error);
    g_assert_no_error(error);
}

gboolean smime_logged(Smime *smime, const char *text)
{
    g_autofree char *path = g_build_filename(smime->dir, "log", NULL);
    g_autofree char *log = NULL;

    return g_file_get_contents(path, &log, NULL, NULL) && strstr(log, text);
}

static void remove_tree(const char *path)
{
    const char *argv[] = {"rm", "-rf", path, NULL};

    g_bytes_unref(run_command(argv));
}

void smime_end(Smime *smime)
{
    seal_dispatcher_free(smime->dispatcher);
    smime->dispatcher = NULL;
    if (smime->dir)
        remove_tree(smime->dir);
    g_clear_pointer(&smime->dir, g_free);
}

static GPtrArray *read_with_trust(Smime *smime, GBytes *data, SealTrust trust, GError **error)
{
    SealOrigin origin = {.size = sizeof origin, .source = "test", .place = "place", .trust = trust};
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);

    if (!smime->format->read(smime->module, data, &origin, keys, error) && keys->len == 0)
        return NULL;
    return g_steal_pointer(&keys);
}

GPtrArray *smime_read_keys(Smime *smime, GBytes *data, GError **error)
{
    return read_with_trust(smime, data, SEAL_TRUST_VERIFIED, error);
}

SealKey *smime_key(Smime *smime, X509 *cert, SealTrust trust)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) der = pki_der(cert);
    g_autoptr(GPtrArray) keys = read_with_trust(smime, der, trust, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==, 1);
    return seal_key_ref(g_ptr_array_index(keys, 0));
}

char *smime_judge(Smime *smime, SealKey *key, SealPurpose purpose, gint64 at, char **text)
{
    g_autoptr(SealDecision) decision = seal_decision_new("key", "test");
    g_autoptr(GError) error = NULL;

    g_assert_true(smime->format->usable(smime->module, key, NULL, purpose, at, decision, &error));
    g_assert_no_error(error);
    if (text)
        *text = g_strdup(seal_decision_text(decision));
    if (g_str_equal(seal_decision_code(decision), "usable"))
        g_assert_cmpint(seal_decision_verdict(decision), ==, SEAL_VERDICT_PASS);
    else
        g_assert_cmpint(seal_decision_verdict(decision), ==, SEAL_VERDICT_SKIP);
    return g_strdup(seal_decision_code(decision));
}

GBytes *smime_seal(Smime *smime, X509 *const *certs, GBytes *entity, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)seal_key_unref);
    g_autoptr(SealContent) content = seal_content_new(entity);

    for (; *certs; certs++)
        g_ptr_array_add(keys, smime_key(smime, *certs, SEAL_TRUST_MANUAL));
    SealSealing sealing = {.size = sizeof sealing, .entity = content, .keys = keys};
    g_autoptr(SealContent) sealed = smime->format->encrypt(smime->module, &sealing, NULL, error);
    return sealed ? seal_content_to_bytes(sealed, G_MAXINT32, error) : NULL;
}

SealDetection *smime_look(Smime *smime, const void *message, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SealContent) content = seal_content_new_copy(message, length);
    g_autoptr(SealMessage) parsed = seal_message_new(content, &error);
    g_assert_no_error(error);
    SealDetection *detection = seal_detection_new();

    g_assert_true(
        smime->format->detect(smime->module, seal_message_entity(parsed), NULL, detection, &error));
    g_assert_no_error(error);
    return detection;
}

gboolean command_succeeds(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) child = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);

    g_assert_no_error(error);
    g_assert_true(g_subprocess_wait(child, NULL, &error));
    g_assert_true(g_subprocess_get_if_exited(child));
    return g_subprocess_get_exit_status(child) == 0;
}

GBytes *run_command(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) child = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
    GBytes *out = NULL;

    g_assert_no_error(error);
    g_subprocess_communicate(child, NULL, NULL, &out, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_get_if_exited(child));
    g_assert_cmpint(g_subprocess_get_exit_status(child), ==, 0);
    return out;
}

GBytes *openssl_decrypt(Smime *smime, GBytes *entity, X509 *cert, EVP_PKEY *key)
{
    g_autoptr(GBytes) cert_pem = pki_pem(cert);
    g_autoptr(GBytes) key_pem = pki_key_pem(key);
    g_autofree char *in = smime_write(smime, "sealed.eml", entity);
    g_autofree char *recipient = smime_write(smime, "recipient.pem", cert_pem);
    g_autofree char *private = smime_write(smime, "recipient.key", key_pem);
    const char *argv[] = {"openssl", "cms",     "-decrypt", "-in",   in,
                          "-recip",  recipient, "-inkey",   private, NULL};

    return run_command(argv);
}
