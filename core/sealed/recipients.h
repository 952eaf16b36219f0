/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * recipients.h: to whom a CMS message is encrypted, or by whom it is signed.
 */
#pragma once

#include "core/sealed/ber.h"

/** An object identifier, at most as long as those that mail uses. */
typedef struct {
    guint8 octets[32];
    gsize length;
} SealOid;

/** What was found: names and more that goes beyond what a recipient needs is a fault of its
 *  structure, other than that it cannot be read. */
typedef struct {
    GPtrArray *ids; /* element type char * */
    GByteArray *name;
    gsize names;        /* octets of the names seen so far, each counted once */
    GHashTable *seen;   /* of those names, by their digest */
    const char *beside; /* what stands there beside the recipients, or NULL */
    const char *doubt;  /* what could be text in who they are, or NULL */
} SealNames;

void seal_names_init(SealNames *names);
void seal_names_clear(SealNames *names);
/** Reads an OBJECT IDENTIFIER. */
gboolean seal_oid_read(SealOctets *octets, SealElement *element, SealOid *oid);
gboolean seal_oid_is(const SealOid *oid, const guint8 *octets, gsize length);
#define SEAL_OID_IS(oid, list) seal_oid_is(oid, list, sizeof(list))

/** RecipientInfos (RFC 5652 6.2): the elements of @set. */
gboolean seal_recipients_walk(SealOctets *octets, SealElement *set, SealNames *names);
/** SignerInfos (RFC 5652 5.3), likewise. */
gboolean seal_signers_walk(SealOctets *octets, SealElement *set, SealNames *names);
