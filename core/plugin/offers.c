/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * offers.c: whether what a module offers can be called.
 */
#include "core/plugin/offers.h"

#define KIND(type, list)                                                                           \
    {                                                                                              \
        sizeof(type), offsetof(SealModuleDescriptor, list), offsetof(type, reserved),              \
            G_N_ELEMENTS(((type *)NULL)->reserved)                                                 \
    }

static const struct {
    gsize size;
    gsize at; /* of the list in the descriptor */
    gsize reserved;
    gsize reserved_count;
} KINDS[] = {
    [SEAL_OFFER_STAGE] = KIND(SealStage, stages),
    [SEAL_OFFER_FORMAT] = KIND(SealFormat, formats),
    [SEAL_OFFER_SOURCE] = KIND(SealSource, sources),
    [SEAL_OFFER_CHECK] = KIND(SealCheck, checks),
    [SEAL_OFFER_COMMAND] = KIND(SealCommand, commands),
    [SEAL_OFFER_PRIVATE] = KIND(SealPrivate, privates),
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
    const SealPrivate *half = table;

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
    case SEAL_OFFER_PRIVATE:
        return half->load && half->unload && half->list && half->sign;
    default:
        return TRUE;
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
    return seal_offer_is_zero((const gpointer *)((const guint8 *)table + KINDS[kind].reserved),
                              KINDS[kind].reserved_count)
               ? NULL
               : "uses reserved slots";
}

const char *seal_offer_bad_setting(const SealSetting *table, const char **why)
{
    for (const SealSetting *row = table; row && row->key; row++) {
        *why = NULL;
        if (row->type < SEAL_SETTING_STRING || row->type > SEAL_SETTING_SECRET)
            *why = "has no type";
        else if (row->type == SEAL_SETTING_CHOICE && !row->range)
            *why = "is a CHOICE without a range";
        else if (!SEAL_IS_ZERO(row->reserved))
            *why = "uses reserved slots";
        for (const SealSetting *other = table; other < row; other++)
            *why = g_str_equal(other->key, row->key) ? "is in the table twice" : *why;
        if (*why)
            return row->key;
    }
    return NULL;
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
