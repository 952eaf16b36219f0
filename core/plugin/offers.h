/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * offers.h: the tables in which a module offers what it has, whatever they are of.
 */
#pragma once

#include "core/sealpipe.h"

/** A module offers no more of each. */
enum { SEAL_MAX_OFFERS = 64 };

typedef enum {
    SEAL_OFFER_STAGE,
    SEAL_OFFER_FORMAT,
    SEAL_OFFER_SOURCE,
    SEAL_OFFER_CHECK,
    SEAL_OFFER_COMMAND,
    SEAL_OFFER_PRIVATE,
    SEAL_OFFER_KINDS,
} SealOfferKind;

/** How every table begins. */
typedef struct {
    gsize size;
    const char *name;
} SealOfferHead;

/** Why core cannot use @table, for people; NULL where it can. (borrowed) */
const char *seal_offer_fault(SealOfferKind kind, gconstpointer table);
/** The key of the first setting in @table (NULL is allowed) that core cannot read by, and why in
 *  *@why; NULL where it can read all. (both borrowed) */
const char *seal_offer_bad_setting(const SealSetting *table, const char **why);
/** The size of a table as core knows it. */
gsize seal_offer_size(SealOfferKind kind);
/** The tables of @kind in @descriptor, NULL-terminated; NULL for none. (borrowed) */
const SealOfferHead *const *seal_offer_tables(SealOfferKind kind,
                                              const SealModuleDescriptor *descriptor);

/** TRUE where all @count reserved slots are zero. */
gboolean seal_offer_is_zero(const gpointer *slots, gsize count);
#define SEAL_IS_ZERO(slots) seal_offer_is_zero((const gpointer *)(slots), G_N_ELEMENTS(slots))
