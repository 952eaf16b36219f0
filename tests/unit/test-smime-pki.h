/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-smime-pki.h: certificates made on the spot, and the smime module opened for a test.
 */
#pragma once

#include "core/frontend.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* -------------------------------------------------------------------------------------------
 * Certificates. Whatever goes wrong here ends the test.
 */

/* SMIMECapabilities, one each. */
#define CAP_AES128_CBC "300b0609608648016503040102"
#define CAP_AES256_CBC "300b060960864801650304012a"
#define CAP_AES128_GCM "300b0609608648016503040106"
#define CAP_AES256_GCM "300b060960864801650304012e"
#define CAP_3DES       "300a06082a864886f70d0307"
#define CAP_OAEP       "300b06092a864886f70d010107"

/** What is NULL or zero is left out, or has a sound default. */
typedef struct {
    const char *name;  /**< commonName */
    const char *email; /**< emailAddress in the subject */
    const char *san;   /**< as in openssl.cnf: "email:alice@example.org" */
    const char *usage;
    const char *ext_usage;
    const char *constraints;
    const char *capabilities; /**< CAP_... after one another */
    const char *unknown;      /**< the value of an extension 1.2.3.4: "critical,DER:0500" */
    const char *proxy;        /**< proxyCertInfo */
    GENERAL_NAMES *names;     /**< in place of san */
    const char *digest;       /**< SHA256 */
    int from_days;            /**< -1: yesterday */
    int until_days;           /**< 365 */
    long serial;              /**< counted up */
} CertSpec;

/** Keys are made once for each kind: "RSA", "RSA1024", "X25519", "ED25519", "P-256"... (borrowed)
 */
EVP_PKEY *pki_key(const char *kind);
/** A second one of the kind. (borrowed) */
EVP_PKEY *pki_other_key(const char *kind);
/** Self-signed where @issuer is NULL. (transfer full) */
X509 *pki_cert(const CertSpec *spec, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key);
/** A CA with the key pki_key("RSA"); @issuer may be NULL. (transfer full) */
X509 *pki_ca(const char *name, X509 *issuer);
/** A person's, by that CA, for encryption. (transfer full) */
X509 *pki_person(const char *address, const char *kind, const char *capabilities, X509 *ca);
/** A person's, who signs and gets mail with pki_other_key(@kind). (transfer full) */
X509 *pki_signer(const char *address, const char *kind, X509 *issuer);
/** (transfer full) */
X509_CRL *pki_crl(X509 *ca, EVP_PKEY *ca_key, X509 *revoked, int reason, int next_days);

/** PEM and DER. (transfer full) */
GBytes *pki_pem(X509 *cert);
GBytes *pki_der(X509 *cert);
GBytes *pki_crl_pem(X509_CRL *crl);
GBytes *pki_key_pem(EVP_PKEY *key);
/** A private key, and certificates up to a NULL, in PEM. (transfer full) */
GBytes *pki_bundle(EVP_PKEY *key, ...) G_GNUC_NULL_TERMINATED;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_CRL, X509_CRL_free)

/* -------------------------------------------------------------------------------------------
 * The module
 */

typedef struct {
    char *dir; /**< a temporary folder */
    SealDispatcher *dispatcher;
    const SealFormat *format;
    SealModule *module;
} Smime;

/** Makes the folder. */
void smime_prepare(Smime *smime);
/** Writes a file into it. (transfer full) the path */
char *smime_write(Smime *smime, const char *name, GBytes *data);
/** The same, for its owner alone. (transfer full) */
char *smime_write_secret(Smime *smime, const char *name, GBytes *data);
/** Opens a dispatcher; @settings are the lines of [module smime], @more whole groups after it. */
gboolean smime_open_with(Smime *smime, const char *settings, const char *more, GError **error);
/** smime_prepare, and smime_open_with with @anchor as the trust anchor (or none). */
void smime_start(Smime *smime, X509 *anchor, const char *settings);
/** Was that text logged? */
gboolean smime_logged(Smime *smime, const char *text);
void smime_end(Smime *smime);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Smime, smime_end)

/** The certificate as a key of that trust. (transfer full) */
SealKey *smime_key(Smime *smime, X509 *cert, SealTrust trust);
/** The keys in some bytes. (transfer full) */
GPtrArray *smime_read_keys(Smime *smime, GBytes *data, GError **error);
/** The code of the decision on it, now; "usable" for PASS. (transfer full) */
char *smime_judge(Smime *smime, SealKey *key, SealPurpose purpose, gint64 at, char **text);
/** Encrypts to these certificates. (transfer full) */
GBytes *smime_seal(Smime *smime, X509 *const *certs, GBytes *entity, GError **error);
/** What detect() says of a message. (transfer full) */
SealDetection *smime_look(Smime *smime, const void *message, gsize length);

/** Runs a command; TRUE where its exit status is 0. */
gboolean command_succeeds(const char *const *argv);
/** Runs a command; its exit status must be 0. Its output: (transfer full) */
GBytes *run_command(const char *const *argv);
/** Opens an S/MIME entity with the openssl command. (transfer full) */
GBytes *openssl_decrypt(Smime *smime, GBytes *entity, X509 *cert, EVP_PKEY *key);
