/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * basics.c: what every part needs: errors, octets in base64, and files that may be missing.
 */
#include "license.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

gboolean license_fail(GError **error, SealError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, SEAL_ERROR, (int)code, text);
    return FALSE;
}

gboolean license_start_sodium(GError **error)
{
    return sodium_init() >= 0 ||
           license_fail(error, SEAL_ERROR_FAILED, "the library libsodium does not start");
}

char *license_encode_octets(const void *octets, gsize size)
{
    char *text = g_malloc(LICENSE_BASE64_SIZE(size) + 1);

    text[seal_base64_encode(octets, size, text)] = '\0';
    return text;
}

/* Strict, and of the one length that there is for @size: what is read is what would be written. */
gboolean license_decode_octets(const char *text, gsize length, void *octets, gsize size)
{
    SealBase64 state = {0};
    g_autofree guint8 *out = g_malloc(length / 4 * 3 + 3);
    gsize got = 0;

    if (length != LICENSE_BASE64_SIZE(size) ||
        !seal_base64_decode(&state, text, length, out, &got) || !seal_base64_is_complete(&state) ||
        got != size)
        return FALSE;
    memcpy(octets, out, size);
    return TRUE;
}

/* Looked for before it is read: what another process puts there in between is no file that could
 * not be read. */
gboolean license_read_file(const char *path, gsize max, GBytes **bytes, GError **error)
{
    GStatBuf st;

    if (g_stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return TRUE;
    *bytes = seal_file_read(path, max, error);
    if (!*bytes && error)
        (*error)->code = g_error_matches(*error, SEAL_ERROR, SEAL_ERROR_LIMIT)
                             ? SEAL_ERROR_KEY
                             : SEAL_ERROR_UNAVAILABLE;
    return *bytes != NULL;
}
