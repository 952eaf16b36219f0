/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * texts.h: what rules look at: texts of a message in every reading of them.
 */
#pragma once

#include "core/mail/entity.h"
#include "core/mail/words.h"

/** One text. Readings that are alike share a pointer. */
typedef struct {
    char *lower[SEAL_READINGS];  /* A to Z in lower case */
    char *folded[SEAL_READINGS]; /* as seal_text_fold() has it; NULL where that is too long */
    gboolean unclear;            /* some readers do not find it there */
} SealText;

/** The values of all fields of that name. (transfer full, element type SealText) */
GPtrArray *seal_texts_of_fields(const SealHeader *header, const char *name);

/** What the parts of a message are: their types and file names. */
typedef struct {
    GPtrArray *clear;   /* of SealText: what every reader finds there */
    GPtrArray *unclear; /* of SealText: what some may find */
    gboolean complete;  /* FALSE where a bound was passed: there may be more */
} SealParts;

/** Looks at every part of @entity, those of attached messages too. */
SealParts *seal_parts_new(SealEntity *entity);
void seal_parts_free(SealParts *parts);
