/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * body.c: the octets of a body, its transfer encoding taken off (RFC 2045 6). Strict: what does not
 * belong is a fault, found where it stands.
 */
#include "core/sealed/body.h"

#include <string.h>

enum { CHUNK = 64 * 1024 };

gboolean seal_body_encoding(SealEntity *entity, SealBodyEncoding *encoding)
{
    const char *name = seal_entity_encoding(entity);

    if (g_str_equal(name, "base64"))
        *encoding = SEAL_BODY_BASE64;
    else if (g_str_equal(name, "quoted-printable"))
        *encoding = SEAL_BODY_QUOTED;
    else if (g_str_equal(name, "7bit") || g_str_equal(name, "8bit") || g_str_equal(name, "binary"))
        *encoding = SEAL_BODY_PLAIN;
    else
        return FALSE;
    return TRUE;
}

void seal_body_init(SealBody *body, GInputStream *in, SealBodyEncoding encoding,
                    GCancellable *cancellable)
{
    memset(body, 0, sizeof *body);
    body->in = g_object_ref(in);
    body->cancellable = cancellable;
    body->encoding = encoding;
    body->base64.may_have_blanks = TRUE;
    body->raw = encoding == SEAL_BODY_PLAIN ? NULL : g_malloc(CHUNK);
}

void seal_body_clear(SealBody *body)
{
    g_clear_object(&body->in);
    g_clear_pointer(&body->raw, g_free);
    g_clear_error(&body->error);
}

/* FALSE where the octet has no place there. */
static gboolean unquote_octet(SealBody *body, guint8 octet, guint8 *out, gsize *put)
{
    gboolean is_line_end = octet == '\n' || octet == '\r';

    switch (body->quoted) {
    case SEAL_QUOTED_EQUALS:
        if (g_ascii_isxdigit(octet)) {
            body->digit = (guint8)g_ascii_xdigit_value((char)octet);
            body->quoted = SEAL_QUOTED_DIGIT;
            return TRUE;
        }
        body->quoted = octet == '\n' ? SEAL_QUOTED_TEXT : SEAL_QUOTED_BREAK;
        return is_line_end || octet == ' ' || octet == '\t';
    case SEAL_QUOTED_DIGIT:
        if (!g_ascii_isxdigit(octet))
            return FALSE;
        out[(*put)++] = (guint8)(body->digit << 4 | g_ascii_xdigit_value((char)octet));
        body->quoted = SEAL_QUOTED_TEXT;
        return TRUE;
    case SEAL_QUOTED_BREAK:
        body->quoted = octet == '\n' ? SEAL_QUOTED_TEXT : SEAL_QUOTED_BREAK;
        return is_line_end || octet == ' ' || octet == '\t';
    case SEAL_QUOTED_TEXT:
    default:
        if (octet == '=')
            body->quoted = SEAL_QUOTED_EQUALS;
        else
            out[(*put)++] = octet;
        return TRUE;
    }
}

static gboolean unquote(SealBody *body, gsize length, guint8 *out, gsize *put)
{
    *put = 0;
    for (gsize i = 0; i < length; i++) {
        if (!unquote_octet(body, body->raw[i], out, put))
            return FALSE;
    }
    return TRUE;
}

static gboolean ends_well(const SealBody *body)
{
    return body->encoding == SEAL_BODY_BASE64 ? seal_base64_is_complete(&body->base64)
                                              : body->quoted == SEAL_QUOTED_TEXT;
}

static gboolean body_fail(SealBody *body, const char *fault)
{
    if (!body->fault)
        body->fault = fault;
    return FALSE;
}

/* What stands before an octet that has no place there is given out first, so that the fault is
 * found where it is. */
static gboolean read_encoded(SealBody *body, guint8 *out, gsize room, gsize *length, gboolean *end)
{
    /* One group may be complete but for its last character. */
    gsize most = MIN((gsize)CHUNK, room - 4);
    gssize got = g_input_stream_read(body->in, body->raw, most, body->cancellable, &body->error);

    *length = 0;
    *end = got == 0;
    if (got < 0)
        return FALSE;
    if (got == 0 && !ends_well(body))
        return body_fail(body, body->encoding == SEAL_BODY_BASE64
                                   ? "its base64 text ends within a group of four characters"
                                   : "its quoted-printable text ends within an escape");
    body->spoilt = body->encoding == SEAL_BODY_BASE64
                       ? !seal_base64_decode(&body->base64, body->raw, (gsize)got, out, length)
                       : !unquote(body, (gsize)got, out, length);
    return TRUE;
}

gboolean seal_body_read(SealBody *body, guint8 *out, gsize room, gsize *length)
{
    gboolean end = FALSE;

    *length = 0;
    if (body->encoding == SEAL_BODY_PLAIN) {
        gssize got = g_input_stream_read(body->in, out, room, body->cancellable, &body->error);
        *length = got > 0 ? (gsize)got : 0;
        return got >= 0;
    }
    while (*length == 0 && !end) {
        if (body->spoilt)
            return body_fail(body, body->encoding == SEAL_BODY_BASE64
                                       ? "there is something beside the base64 text"
                                       : "there is something that quoted-printable does not have");
        if (!read_encoded(body, out, room, length, &end))
            return FALSE;
    }
    return TRUE;
}
