/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mime.h: structured field values, read by GMime. Only mime.c includes GMime.
 */
#pragma once

#include "core/sealpipe.h"

/** Reads a Content-Type value (RFC 2045 5.1, RFC 2231): the media type in lower case, and the
 *  parameters, names in lower case. NULL and what is beyond 64 KiB are "text/plain". */
void seal_mime_content_type(const char *value, char **type, GHashTable **parameters);

/** Decodes the encoded words of a field's value (RFC 2047); the result is valid UTF-8. (transfer
 *  full) */
char *seal_mime_decode(const char *value);
/** The reverse, for an unstructured field: ASCII. (transfer full) */
char *seal_mime_encode(const char *text);
