/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mime.h: structured field values, read by GMime. Only mime.c includes GMime.
 */
#pragma once

#include "core/sealpipe.h"

/** Reads a Content-Type value (RFC 2045 5.1, RFC 2231): the media type in lower case, and the
 *  parameters, names in lower case. NULL and what is beyond 64 KiB are "text/plain". */
void seal_mime_content_type(const char *value, char **type, GHashTable **parameters);

/** The value of an unstructured field with that text: ASCII, in one line. (transfer full) */
char *seal_mime_encode(const char *text);
