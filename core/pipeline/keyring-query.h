/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring-query.h: what key is looked for.
 */
#pragma once

#include "core/pipeline/job.h"
#include "core/plugin/registry.h"

typedef struct SealKeyring SealKeyring;

/** To so many keys of one recipient a message is encrypted at most. */
enum { SEAL_MAX_RECIPIENT_KEYS = 8 };

/** A key that was judged. */
typedef struct {
    SealKey *key; /* as it is believed */
    SealServes serves;
    const SealDecision *decision; /* of the job */
} SealKeySeen;

/** What is looked for. */
typedef struct {
    SealAddress *address;
    const SealFormatEntry *format;
    SealPurpose purpose;
    SealTrust min_trust;
    gint64 at;         /* Unix seconds */
    gboolean every;    /* all that the source has, not the newest alone */
    gboolean asks;     /* nobody's message depends on the answer: nothing is written down */
    GArray *seen;      /* of SealKeySeen, which gets all there are, from whatever source; or NULL */
    GHashTable *among; /* one with one of these detected_ids comes first, wherever it is; NULL where
                          it does not matter */
} SealKeyQuery;
