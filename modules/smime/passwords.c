/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * passwords.c: the spellings of one passphrase. A PKCS#12 file made elsewhere may have taken the
 * same characters as Latin-1, as UTF-8, or as UTF-8 that was taken for Latin-1.
 */
#include "smime.h"

#include <openssl/crypto.h>
#include <string.h>

static void password_free(gpointer password)
{
    OPENSSL_secure_clear_free(password, strlen(password) + 1);
}

static gboolean is_ascii(const guint8 *data, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] >= 0x80)
            return FALSE;
    }
    return TRUE;
}

/* Each octet as a character of its own. */
static void put_widened(char *out, const guint8 *data, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] >= 0x80) {
            *out++ = (char)(0xc0 | data[i] >> 6);
            *out++ = (char)(0x80 | (data[i] & 0x3f));
        } else {
            *out++ = (char)data[i];
        }
    }
    *out = 0;
}

/* FALSE where it has characters that Latin-1 has not. */
static gboolean put_narrowed(char *out, const guint8 *data, gsize length)
{
    const char *end = (const char *)data + length;

    for (const char *at = (const char *)data; at < end; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (character > 0xff)
            return FALSE;
        *out++ = (char)character;
    }
    *out = 0;
    return TRUE;
}

/* Zeroed, so that what is put there ends. */
static char *add(GPtrArray *passwords, gsize room)
{
    char *password = OPENSSL_secure_zalloc(room + 1);

    if (password)
        g_ptr_array_add(passwords, password);
    return password;
}

static gboolean add_spellings(GPtrArray *passwords, const guint8 *data, gsize length)
{
    char *widened = add(passwords, 2 * length);

    if (!widened)
        return FALSE;
    put_widened(widened, data, length);
    if (!g_utf8_validate((const char *)data, (gssize)length, NULL))
        return TRUE;

    char *narrowed = add(passwords, length);
    if (!narrowed)
        return FALSE;
    if (!put_narrowed(narrowed, data, length))
        g_ptr_array_remove(passwords, narrowed);
    return TRUE;
}

GPtrArray *smime_passwords_new(const SealSecret *passphrase, GError **error)
{
    g_autoptr(GPtrArray) passwords = g_ptr_array_new_with_free_func(password_free);
    const guint8 *data = passphrase ? seal_secret_data(passphrase) : NULL;
    gsize length = passphrase ? seal_secret_size(passphrase) : 0;
    gboolean ok = TRUE;

    if (length > 0 && memchr(data, 0, length)) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_CONFIG, "it has a NUL in its first line");
        return NULL;
    }
    if (length > 0) {
        char *exact = add(passwords, length);
        ok = exact && memcpy(exact, data, length);
        if (ok && !is_ascii(data, length))
            ok = add_spellings(passwords, data, length);
    }
    /* And the empty one. */
    if (ok && add(passwords, 0))
        return g_steal_pointer(&passwords);
    g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_FAILED, "no guarded memory to be had");
    return NULL;
}
