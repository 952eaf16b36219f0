/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * openssl.c: OpenSSL's memory, errors, names, times and digests as the rest of the module wants
 * them.
 */
#include "smime.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <time.h>

enum { MAX_NAME = 512 };

static void *take_octets(size_t size, const char *file, int line)
{
    return g_malloc(size);
}

static void *resize_octets(void *old, size_t size, const char *file, int line)
{
    return g_realloc(old, size);
}

static void release_octets(void *data, const char *file, int line)
{
    g_free(data);
}

static void take_memory(SealModule *self)
{
    CRYPTO_malloc_fn current;

    CRYPTO_get_mem_functions(&current, NULL, NULL);
    if (current != take_octets &&
        !CRYPTO_set_mem_functions(take_octets, resize_octets, release_octets))
        seal_module_warn(self, "OpenSSL is in use already, and will take a lack of memory for a "
                               "certificate that cannot be read");
}

gboolean smime_start(SealModule *self, GError **error)
{
    take_memory(self);
    /* What OPENSSL_CONF or a system-wide file says must not change what is accepted here. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
        return TRUE;
    smime_set_error(error, SEAL_ERROR_MODULE, "cannot start OpenSSL");
    return FALSE;
}

void smime_set_error(GError **error, SealError code, const char *format, ...)
{
    va_list args;
    unsigned long last = ERR_peek_last_error();

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);

    if (last) {
        char reason[256];
        ERR_error_string_n(last, reason, sizeof reason);
        g_set_error(error, SEAL_ERROR, code, "%s: %s", text, reason);
    } else {
        g_set_error_literal(error, SEAL_ERROR, code, text);
    }
    ERR_clear_error();
}

char *smime_name_text(const X509_NAME *name)
{
    /* Characters beyond ASCII stay readable; control characters and bidi tricks do not. */
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
    char *data = NULL;

    if (!bio || X509_NAME_print_ex(bio, name, 0, flags) < 0) {
        ERR_clear_error();
        return g_strdup("a name that cannot be read");
    }
    long length = BIO_get_mem_data(bio, &data);
    return length > 0 ? seal_text_line(data, (gsize)length, MAX_NAME) : g_strdup("");
}

gboolean smime_time(const ASN1_TIME *time, gint64 *seconds)
{
    struct tm tm;

    if (!time || !ASN1_TIME_to_tm(time, &tm)) {
        ERR_clear_error();
        return FALSE;
    }
    *seconds = (gint64)timegm(&tm);
    return TRUE;
}

GBytes *smime_cert_digest(X509 *cert)
{
    guint8 digest[32];
    unsigned int length = 0;

    if (X509_digest(cert, EVP_sha256(), digest, &length))
        return g_bytes_new(digest, length);
    ERR_clear_error();
    return NULL;
}

char *smime_id_issuer_serial(const X509_NAME *issuer, const ASN1_INTEGER *serial)
{
    guint8 *name = NULL, *number = NULL;
    const guint8 *value;
    long length = 0;
    int tag, class;

    int name_length = i2d_X509_NAME(issuer, &name);
    int number_length = i2d_ASN1_INTEGER(serial, &number);
    value = number;
    char *id = name_length > 0 && number_length > 0 &&
                       !(ASN1_get_object(&value, &length, &tag, &class, number_length) & 0x80)
                   ? seal_cms_id_issuer_serial(name, (gsize)name_length, value, (gsize)length)
                   : NULL;
    OPENSSL_free(name);
    OPENSSL_free(number);
    ERR_clear_error();
    return id;
}

char *smime_id_key(const ASN1_OCTET_STRING *key_id)
{
    return seal_cms_id_key(ASN1_STRING_get0_data(key_id), (gsize)ASN1_STRING_length(key_id));
}
