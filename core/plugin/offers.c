/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * offers.c: whether what a module offers can be called.
 */
#include "core/plugin/offers.h"

static const struct {
    gsize size;
    gsize at; /* of the list in the descriptor */
} KINDS[] = {
    [SEAL_OFFER_STAGE] = {sizeof(SealStage), offsetof(SealModuleDescriptor, stages)},
    [SEAL_OFFER_FORMAT] = {sizeof(SealFormat), offsetof(SealModuleDescriptor, formats)},
    [SEAL_OFFER_SOURCE] = {sizeof(SealSource), offsetof(SealModuleDescriptor, sources)},
    [SEAL_OFFER_CHECK] = {sizeof(SealCheck), offsetof(SealModuleDescriptor, checks)},
    [SEAL_OFFER_COMMAND] = {sizeof(SealCommand), offsetof(SealModuleDescriptor, commands)},
};

gboolean seal_offer_is_zero(const gpointer *slots, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        if (slots[i])
            return FALSE;
    }
    return TRUE;
}

static gboolean has_functions(SealOfferKind kind, gconstpointer table)
{
    const SealFormat *format = table;
    const SealSource *source = table;
    const SealCommand *command = table;

    switch (kind) {
    case SEAL_OFFER_FORMAT:
        return format->read && format->detect && format->usable && format->encrypt;
    case SEAL_OFFER_SOURCE:
        return source->lookup && source->trust != SEAL_TRUST_UNSET &&
               source->trust <= SEAL_TRUST_MANUAL;
    case SEAL_OFFER_CHECK:
        return ((const SealCheck *)table)->run != NULL;
    case SEAL_OFFER_COMMAND:
        return command->usage && command->run;
    default:
        return TRUE;
    }
}

static gboolean reserves_are_zero(SealOfferKind kind, gconstpointer table)
{
    switch (kind) {
    case SEAL_OFFER_STAGE:
        return SEAL_IS_ZERO(((const SealStage *)table)->reserved);
    case SEAL_OFFER_FORMAT:
        return SEAL_IS_ZERO(((const SealFormat *)table)->reserved);
    case SEAL_OFFER_SOURCE:
        return SEAL_IS_ZERO(((const SealSource *)table)->reserved);
    case SEAL_OFFER_CHECK:
        return SEAL_IS_ZERO(((const SealCheck *)table)->reserved);
    default:
        return SEAL_IS_ZERO(((const SealCommand *)table)->reserved);
    }
}

const char *seal_offer_fault(SealOfferKind kind, gconstpointer table)
{
    const SealOfferHead *head = table;

    if (head->size < KINDS[kind].size)
        return "is shorter than this version's";
    if (!head->name)
        return "has no name";
    if (!has_functions(kind, table))
        return "lacks a function or member that it must have";
    return reserves_are_zero(kind, table) ? NULL : "uses reserved slots";
}

gsize seal_offer_size(SealOfferKind kind)
{
    return KINDS[kind].size;
}

const SealOfferHead *const *seal_offer_tables(SealOfferKind kind,
                                              const SealModuleDescriptor *descriptor)
{
    return *(const SealOfferHead *const *const *)((const guint8 *)descriptor + KINDS[kind].at);
}
