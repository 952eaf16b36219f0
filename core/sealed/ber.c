/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ber.c: reads BER (X.690 8.1) element by element while a body streams by, in base64 or not, so
 * that its size does not matter. Each length is checked against what encloses it, and nesting is
 * bounded.
 */
#include "core/sealed/ber.h"

#include <string.h>

enum {
    CHUNK = 64 * 1024,
    MAX_DEPTH = 32,
    TAG_CONSTRUCTED = 0x20,
    TAG_NUMBER = 0x1f,
    TAG_OCTET_STRING = 0x04,
};

/* -------------------------------------------------------------------------------------------
 * The octets of a body, its transfer encoding taken off
 */

void seal_octets_init(SealOctets *octets, GInputStream *in, SealBodyEncoding encoding,
                      GCancellable *cancellable)
{
    memset(octets, 0, sizeof *octets);
    seal_body_init(&octets->body, in, encoding, cancellable);
    octets->data = g_malloc(CHUNK);
}

void seal_octets_clear(SealOctets *octets)
{
    seal_body_clear(&octets->body);
    g_clear_pointer(&octets->data, g_free);
    g_clear_error(&octets->error);
}

gboolean seal_octets_fail(SealOctets *octets, const char *fault)
{
    if (!octets->fault)
        octets->fault = fault;
    return FALSE;
}

/* Makes octets available, or finds that there are no more: length stays zero. */
static gboolean fill_buffer(SealOctets *octets)
{
    octets->at = octets->length = 0;
    if (seal_body_read(&octets->body, octets->data, CHUNK, &octets->length))
        return TRUE;
    octets->error = g_steal_pointer(&octets->body.error);
    return octets->error ? FALSE : seal_octets_fail(octets, octets->body.fault);
}

/* Passes over up to @most octets and says where they stand; NULL where there are none. */
static const guint8 *take_piece(SealOctets *octets, guint64 most, gsize *length)
{
    if (octets->at == octets->length && !fill_buffer(octets))
        return NULL;
    if (octets->length == 0) {
        seal_octets_fail(octets, "it ends before all that it announces has come");
        return NULL;
    }

    const guint8 *piece = octets->data + octets->at;
    *length = (gsize)MIN(most, octets->length - octets->at);
    octets->at += *length;
    octets->taken += *length;
    if (octets->noise)
        seal_noise_add(octets->noise, piece, *length);
    if (octets->capture) {
        if (octets->capture->len + *length > octets->capture_most) {
            seal_octets_fail(octets, "a name in it is longer than any that serves");
            return NULL;
        }
        g_byte_array_append(octets->capture, piece, (guint)*length);
    }
    return piece;
}

gboolean seal_octets_read(SealOctets *octets, guint8 *out, gsize length)
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

gboolean seal_octets_skip(SealOctets *octets, guint64 length)
{
    while (length > 0) {
        gsize got = 0;

        if (!take_piece(octets, length, &got))
            return FALSE;
        length -= got;
    }
    return TRUE;
}

gboolean seal_octets_ended(SealOctets *octets, gboolean *ended)
{
    if (octets->at == octets->length && !fill_buffer(octets))
        return FALSE;
    *ended = octets->length == 0;
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Elements
 */

static guint64 room_left(const SealOctets *octets, const SealBox *box)
{
    return box->end - octets->taken;
}

/* Every octet of a head has to be within the box. */
static gboolean read_head_octet(SealOctets *octets, const SealBox *box, guint8 *octet)
{
    if (room_left(octets, box) == 0)
        return seal_octets_fail(octets, "an element is longer than what encloses it");
    return seal_octets_read(octets, octet, 1);
}

static gboolean read_element_length(SealOctets *octets, const SealBox *box, SealElement *element)
{
    guint8 first = 0;
    guint64 length = 0;

    if (!read_head_octet(octets, box, &first))
        return FALSE;
    if (first == 0x80) {
        if (!(element->tag & TAG_CONSTRUCTED))
            return seal_octets_fail(octets, "a primitive element has no definite length");
        element->box.indefinite = TRUE;
        element->box.end = box->end;
        return TRUE;
    }
    if (first < 0x80) {
        length = first;
    } else {
        if (first - 0x80 > 8)
            return seal_octets_fail(octets,
                                    "the length of an element is written in more than 8 octets");
        for (int i = first - 0x80; i > 0; i--) {
            guint8 octet = 0;
            if (!read_head_octet(octets, box, &octet))
                return FALSE;
            length = length << 8 | octet;
        }
    }
    if (length > room_left(octets, box))
        return seal_octets_fail(octets, "an element is longer than what encloses it");
    element->box.indefinite = FALSE;
    element->box.end = octets->taken + length;
    return TRUE;
}

gboolean seal_ber_next(SealOctets *octets, SealBox *box, SealElement *element)
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
        return seal_octets_fail(octets, "its elements are nested more than 32 deep");
    if (!read_element_length(octets, box, element))
        return FALSE;
    if (element->tag == 0) {
        if (!box->indefinite || element->box.end != octets->taken)
            return seal_octets_fail(octets,
                                    "an end-of-contents mark stands where nothing is to be ended");
        element->none = TRUE;
        /* From here on the box counts as one that ended where we are. */
        box->indefinite = FALSE;
        box->end = octets->taken;
        return TRUE;
    }
    if ((element->tag & TAG_NUMBER) == TAG_NUMBER)
        return seal_octets_fail(octets, "it has a tag number over 30, which CMS does not use");
    return TRUE;
}

gboolean seal_ber_expect(SealOctets *octets, SealBox *box, guint8 tag, SealElement *element,
                         const char *fault)
{
    if (!seal_ber_next(octets, box, element))
        return FALSE;
    return (!element->none && element->tag == tag) || seal_octets_fail(octets, fault);
}

gboolean seal_ber_close(SealOctets *octets, SealBox *box)
{
    SealElement element = {0};

    if (!seal_ber_next(octets, box, &element))
        return FALSE;
    return element.none ||
           seal_octets_fail(octets, "an element follows where CMS allows no further one");
}

gboolean seal_ber_skip(SealOctets *octets, SealElement *element)
{
    if (!element->box.indefinite)
        return seal_octets_skip(octets, room_left(octets, &element->box));

    for (;;) {
        SealElement inner = {0};

        if (!seal_ber_next(octets, &element->box, &inner))
            return FALSE;
        if (inner.none)
            return TRUE;
        if (!seal_ber_skip(octets, &inner))
            return FALSE;
    }
}

gboolean seal_ber_value(SealOctets *octets, SealElement *element, guint8 *out, gsize most,
                        gsize *length)
{
    guint64 size = room_left(octets, &element->box);

    if (element->box.indefinite || (element->tag & TAG_CONSTRUCTED) || size > most)
        return seal_octets_fail(octets, "an element is longer than CMS allows, or not primitive");
    *length = (gsize)size;
    return seal_octets_read(octets, out, *length);
}

gboolean seal_ber_count(SealOctets *octets, SealElement *element, SealNoise *noise, guint64 *count)
{
    if (!(element->tag & TAG_CONSTRUCTED)) {
        guint64 size = room_left(octets, &element->box);

        octets->noise = noise;
        gboolean ok = seal_octets_skip(octets, size);
        octets->noise = NULL;
        *count += ok ? size : 0;
        return ok;
    }
    for (;;) {
        SealElement piece = {0};

        if (!seal_ber_next(octets, &element->box, &piece))
            return FALSE;
        if (piece.none)
            return TRUE;
        if ((piece.tag & ~TAG_CONSTRUCTED) != TAG_OCTET_STRING)
            return seal_octets_fail(octets, "a piece of its content is no OCTET STRING");
        if (!seal_ber_count(octets, &piece, noise, count))
            return FALSE;
    }
}
