/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ber.c: reads BER (X.690 8.1) element by element while a body streams by, in base64 or not, so
 * that its size does not matter. Each length is checked against what encloses it, and nesting is
 * bounded.
 */
#include "smime.h"

#include <string.h>

enum {
    CHUNK = 64 * 1024,
    MAX_CAPTURE = 1024 * 1024,
    MAX_DEPTH = 32,
    TAG_CONSTRUCTED = 0x20,
    TAG_NUMBER = 0x1f,
    TAG_OCTET_STRING = 0x04,
};

/* -------------------------------------------------------------------------------------------
 * The octets of a body, its transfer encoding taken off
 */

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
        return smime_octets_fail(octets, "its base64 text ends within a group of four characters");
    else
        octets->spoilt = !seal_base64_decode(&octets->decoder, octets->raw, (gsize)got,
                                             octets->data, &octets->length);
    return TRUE;
}

/* Makes octets available, or finds that there are no more: length stays zero. */
static gboolean fill_buffer(SmimeOctets *octets)
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

/* Passes over up to @most octets and says where they stand; NULL where there are none. */
static const guint8 *take_piece(SmimeOctets *octets, guint64 most, gsize *length)
{
    if (octets->at == octets->length && !fill_buffer(octets))
        return NULL;
    if (octets->length == 0) {
        smime_octets_fail(octets, "it ends before all that it announces has come");
        return NULL;
    }

    const guint8 *piece = octets->data + octets->at;
    *length = (gsize)MIN(most, octets->length - octets->at);
    octets->at += *length;
    octets->taken += *length;
    if (octets->capture) {
        if (octets->capture->len + *length > MAX_CAPTURE) {
            smime_octets_fail(octets, "its recipients or signers take more than 1 MiB");
            return NULL;
        }
        g_byte_array_append(octets->capture, piece, (guint)*length);
    }
    return piece;
}

gboolean smime_octets_read(SmimeOctets *octets, guint8 *out, gsize length)
{
    while (length > 0) {
        gsize got = 0;
        const guint8 *piece = take_piece(octets, length, &got);

        if (!piece)
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
        gsize got = 0;

        if (!take_piece(octets, length, &got))
            return FALSE;
        length -= got;
    }
    return TRUE;
}

gboolean smime_octets_ended(SmimeOctets *octets, gboolean *ended)
{
    if (octets->at == octets->length && !fill_buffer(octets))
        return FALSE;
    *ended = octets->length == 0;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Elements
 */

static guint64 room_left(const SmimeOctets *octets, const SmimeBox *box)
{
    return box->end - octets->taken;
}

/* Every octet of a head has to be within the box. */
static gboolean read_head_octet(SmimeOctets *octets, const SmimeBox *box, guint8 *octet)
{
    if (room_left(octets, box) == 0)
        return smime_octets_fail(octets, "an element is longer than what encloses it");
    return smime_octets_read(octets, octet, 1);
}

static gboolean read_element_length(SmimeOctets *octets, const SmimeBox *box, SmimeElement *element)
{
    guint8 first = 0;
    guint64 length = 0;

    if (!read_head_octet(octets, box, &first))
        return FALSE;
    if (first == 0x80) {
        if (!(element->tag & TAG_CONSTRUCTED))
            return smime_octets_fail(octets, "a primitive element has no definite length");
        element->box.indefinite = TRUE;
        element->box.end = box->end;
        return TRUE;
    }
    if (first < 0x80) {
        length = first;
    } else {
        if (first - 0x80 > 8)
            return smime_octets_fail(octets,
                                     "the length of an element is written in more than 8 octets");
        for (int i = first - 0x80; i > 0; i--) {
            guint8 octet = 0;
            if (!read_head_octet(octets, box, &octet))
                return FALSE;
            length = length << 8 | octet;
        }
    }
    if (length > room_left(octets, box))
        return smime_octets_fail(octets, "an element is longer than what encloses it");
    element->box.indefinite = FALSE;
    element->box.end = octets->taken + length;
    return TRUE;
}

gboolean smime_ber_next(SmimeOctets *octets, SmimeBox *box, SmimeElement *element)
{
    element->none = FALSE;
    if (!box->indefinite && room_left(octets, box) == 0) {
        element->none = TRUE;
        return TRUE;
    }
    if (!read_head_octet(octets, box, &element->tag))
        return FALSE;

    element->box.depth = box->depth + 1;
    if (element->box.depth > MAX_DEPTH)
        return smime_octets_fail(octets, "its elements are nested more than 32 deep");
    if (!read_element_length(octets, box, element))
        return FALSE;
    if (element->tag == 0) {
        if (!box->indefinite || element->box.end != octets->taken)
            return smime_octets_fail(octets,
                                     "an end-of-contents mark stands where nothing is to be ended");
        element->none = TRUE;
        /* From here on the box counts as one that ended where we are. */
        box->indefinite = FALSE;
        box->end = octets->taken;
        return TRUE;
    }
    if ((element->tag & TAG_NUMBER) == TAG_NUMBER)
        return smime_octets_fail(octets, "it has a tag number over 30, which CMS does not use");
    return TRUE;
}

gboolean smime_ber_expect(SmimeOctets *octets, SmimeBox *box, guint8 tag, SmimeElement *element,
                          const char *fault)
{
    if (!smime_ber_next(octets, box, element))
        return FALSE;
    return (!element->none && element->tag == tag) || smime_octets_fail(octets, fault);
}

gboolean smime_ber_close(SmimeOctets *octets, SmimeBox *box)
{
    SmimeElement element = {0};

    if (!smime_ber_next(octets, box, &element))
        return FALSE;
    return element.none ||
           smime_octets_fail(octets, "an element follows where CMS allows no further one");
}

gboolean smime_ber_skip(SmimeOctets *octets, SmimeElement *element)
{
    if (!element->box.indefinite)
        return smime_octets_skip(octets, room_left(octets, &element->box));

    for (;;) {
        SmimeElement inner = {0};

        if (!smime_ber_next(octets, &element->box, &inner))
            return FALSE;
        if (inner.none)
            return TRUE;
        if (!smime_ber_skip(octets, &inner))
            return FALSE;
    }
}

gboolean smime_ber_value(SmimeOctets *octets, SmimeElement *element, guint8 *out, gsize most,
                         gsize *length)
{
    guint64 size = room_left(octets, &element->box);

    if (element->box.indefinite || (element->tag & TAG_CONSTRUCTED) || size > most)
        return smime_octets_fail(octets, "an element is longer than CMS allows, or not primitive");
    *length = (gsize)size;
    return smime_octets_read(octets, out, *length);
}

gboolean smime_ber_count(SmimeOctets *octets, SmimeElement *element, guint64 *count)
{
    if (!(element->tag & TAG_CONSTRUCTED)) {
        guint64 size = room_left(octets, &element->box);

        if (!smime_octets_skip(octets, size))
            return FALSE;
        *count += size;
        return TRUE;
    }
    for (;;) {
        SmimeElement piece = {0};

        if (!smime_ber_next(octets, &element->box, &piece))
            return FALSE;
        if (piece.none)
            return TRUE;
        if ((piece.tag & ~TAG_CONSTRUCTED) != TAG_OCTET_STRING)
            return smime_octets_fail(octets, "a piece of its content is no OCTET STRING");
        if (!smime_ber_count(octets, &piece, count))
            return FALSE;
    }
}
