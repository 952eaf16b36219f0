/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ber.h: BER (X.690 8.1) while a body streams by; every length is checked against what encloses it.
 */
#pragma once

#include "core/sealed/body.h"
#include "core/sealed/noise.h"

enum {
    SEAL_BER_INTEGER = 0x02,
    SEAL_BER_BIT_STRING = 0x03,
    SEAL_BER_OCTET_STRING = 0x04,
    SEAL_BER_NULL = 0x05,
    SEAL_BER_OID = 0x06,
    SEAL_BER_UTC_TIME = 0x17,
    SEAL_BER_GENERALIZED_TIME = 0x18,
    SEAL_BER_CONSTRUCTED = 0x20,
    SEAL_BER_SEQUENCE = 0x30,
    SEAL_BER_SET = 0x31,
    SEAL_BER_0 = 0x80,
    SEAL_BER_0_CONSTRUCTED = 0xa0,
    SEAL_BER_1_CONSTRUCTED = 0xa1,
    SEAL_BER_2_CONSTRUCTED = 0xa2,
};

/** A body, its transfer encoding taken off, read piece by piece. */
typedef struct {
    SealBody body;
    guint8 *data;
    gsize at;
    gsize length;
    guint64 taken;       /* octets given out */
    SealNoise *noise;    /* is shown what is given out, where set */
    GByteArray *capture; /* gets a copy of what is given out, where set */
    gsize capture_most;
    const char *fault; /* what is wrong with the octets */
    GError *error;     /* they could not be read */
} SealOctets;

void seal_octets_init(SealOctets *octets, GInputStream *in, SealBodyEncoding encoding,
                      GCancellable *cancellable);
void seal_octets_clear(SealOctets *octets);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SealOctets, seal_octets_clear)
/** These return FALSE with fault or error set. */
gboolean seal_octets_read(SealOctets *octets, guint8 *out, gsize length);
gboolean seal_octets_skip(SealOctets *octets, guint64 length);
gboolean seal_octets_ended(SealOctets *octets, gboolean *ended);
/** Sets the fault. Always FALSE. */
gboolean seal_octets_fail(SealOctets *octets, const char *fault);

/** An element that was opened, or the whole. */
typedef struct {
    gboolean indefinite;
    guint64 end; /* where it ends, or where at the latest */
    guint depth;
} SealBox;

/** The head of an element. */
typedef struct {
    gboolean none; /* the box has no more */
    guint8 tag;    /* the identifier octet; tag numbers over 30 are a fault */
    SealBox box;   /* what is in it */
} SealElement;

/** The next element of @box, or that there is none. */
gboolean seal_ber_next(SealOctets *octets, SealBox *box, SealElement *element);
/** The next element of @box, which must have this identifier octet. */
gboolean seal_ber_expect(SealOctets *octets, SealBox *box, guint8 tag, SealElement *element,
                         const char *fault);
/** There must be nothing left in @box. */
gboolean seal_ber_close(SealOctets *octets, SealBox *box);
/** Passes over what is in @element. */
gboolean seal_ber_skip(SealOctets *octets, SealElement *element);
/** Reads a primitive element of at most @room octets. */
gboolean seal_ber_value(SealOctets *octets, SealElement *element, guint8 *out, gsize room,
                        gsize *length);
/** Passes over an OCTET STRING in one piece or many, counts its octets, and shows them to @noise,
 *  which may be NULL. */
gboolean seal_ber_count(SealOctets *octets, SealElement *element, SealNoise *noise, guint64 *count);
