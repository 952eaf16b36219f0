/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * octets.c: reads a body piece by piece, base64 or not, so that its size does not matter.
 */
#include "smime.h"

#include <string.h>

enum {
    CHUNK = 64 * 1024,
    MAX_CAPTURE = 1024 * 1024,
};

void smime_octets_init(SmimeOctets *octets, SealContent *body, gboolean base64,
                       GCancellable *cancellable)
{
    memset(octets, 0, sizeof *octets);
    octets->in = seal_content_read(body);
    octets->cancellable = cancellable;
    octets->base64 = base64;
    octets->raw = g_malloc(CHUNK);
    octets->data = base64 ? g_malloc(CHUNK) : octets->raw;
    octets->decoder.may_have_blanks = TRUE;
}

void smime_octets_clear(SmimeOctets *octets)
{
    g_clear_object(&octets->in);
    if (octets->data != octets->raw)
        g_free(octets->data);
    g_free(octets->raw);
    octets->raw = octets->data = NULL;
    g_clear_error(&octets->error);
}

gboolean smime_octets_fail(SmimeOctets *octets, const char *fault)
{
    if (!octets->fault)
        octets->fault = fault;
    return FALSE;
}

/* Reads and decodes one piece. What stands before a character that has no place there is given
 * out first, so that the fault is found where it is. */
static gboolean read_piece(SmimeOctets *octets, gboolean *end)
{
    gssize got =
        g_input_stream_read(octets->in, octets->raw, CHUNK, octets->cancellable, &octets->error);

    *end = got == 0;
    if (got < 0)
        return FALSE;
    if (!octets->base64)
        octets->length = (gsize)got;
    else if (got == 0 && !seal_base64_is_complete(&octets->decoder))
        return smime_octets_fail(octets, "the base64 text breaks off");
    else
        octets->spoilt = !seal_base64_decode(&octets->decoder, octets->raw, (gsize)got,
                                             octets->data, &octets->length);
    return TRUE;
}

/* Makes octets available, or finds that there are no more: length stays zero. */
static gboolean fill(SmimeOctets *octets)
{
    gboolean end = FALSE;

    octets->at = octets->length = 0;
    while (octets->length == 0 && !end) {
        if (octets->spoilt)
            return smime_octets_fail(octets, "there is something beside the base64 text");
        if (!read_piece(octets, &end))
            return FALSE;
    }
    return TRUE;
}

/* Passes over up to @most octets, which stand at @piece. */
static gboolean take(SmimeOctets *octets, guint64 most, const guint8 **piece, gsize *length)
{
    if (octets->at == octets->length && !fill(octets))
        return FALSE;
    if (octets->length == 0)
        return smime_octets_fail(octets, "it breaks off");

    *piece = octets->data + octets->at;
    *length = (gsize)MIN(most, octets->length - octets->at);
    octets->at += *length;
    octets->taken += *length;
    if (octets->capture) {
        if (octets->capture->len + *length > MAX_CAPTURE)
            return smime_octets_fail(octets, "what describes its content is over 1 MiB");
        g_byte_array_append(octets->capture, *piece, (guint)*length);
    }
    return TRUE;
}

gboolean smime_octets_read(SmimeOctets *octets, guint8 *out, gsize length)
{
    while (length > 0) {
        const guint8 *piece;
        gsize got;

        if (!take(octets, length, &piece, &got))
            return FALSE;
        memcpy(out, piece, got);
        out += got;
        length -= got;
    }
    return TRUE;
}

gboolean smime_octets_skip(SmimeOctets *octets, guint64 length)
{
    while (length > 0) {
        const guint8 *piece;
        gsize got;

        if (!take(octets, length, &piece, &got))
            return FALSE;
        length -= got;
    }
    return TRUE;
}

gboolean smime_octets_ended(SmimeOctets *octets, gboolean *ended)
{
    if (octets->at == octets->length && !fill(octets))
        return FALSE;
    *ended = octets->length == 0;
    return TRUE;
}
