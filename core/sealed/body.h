/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * body.h: the octets of a body, its transfer encoding taken off, piece by piece.
 */
#pragma once

#include "core/sealpipe.h"

typedef enum {
    SEAL_BODY_PLAIN, /* 7bit, 8bit, binary */
    SEAL_BODY_BASE64,
    SEAL_BODY_QUOTED,
} SealBodyEncoding;

/** Where a quoted-printable text is. */
typedef enum {
    SEAL_QUOTED_TEXT,
    SEAL_QUOTED_EQUALS, /* behind an equals sign */
    SEAL_QUOTED_DIGIT,  /* behind that and one digit */
    SEAL_QUOTED_BREAK,  /* within a soft line break */
} SealQuotedState;

typedef struct {
    GInputStream *in;
    GCancellable *cancellable;
    SealBodyEncoding encoding;
    SealBase64 base64;
    SealQuotedState quoted;
    guint8 digit;
    gboolean spoilt; /* behind what was given out stands what has no place there */
    guint8 *raw;
    const char *fault; /* what is wrong with the octets */
    GError *error;     /* they could not be read */
} SealBody;

enum { SEAL_BODY_ROOM = 8 /* octets that a reader must have room for */ };

/** FALSE where @entity has a transfer encoding that is none of these. */
gboolean seal_body_encoding(SealEntity *entity, SealBodyEncoding *encoding);
void seal_body_init(SealBody *body, GInputStream *in, SealBodyEncoding encoding,
                    GCancellable *cancellable);
void seal_body_clear(SealBody *body);
/** Reads up to @room octets, SEAL_BODY_ROOM at least; *@length is 0 at the end alone. FALSE with
 * fault or error set. */
gboolean seal_body_read(SealBody *body, guint8 *out, gsize room, gsize *length);
