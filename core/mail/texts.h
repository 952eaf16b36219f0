/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * texts.h: what rules look at: texts of a message in every reading of them.
 */
#pragma once

#include "core/mail/entity.h"
#include "core/mail/words.h"

/** One text. Readings that are alike share a pointer. */
typedef struct SealText SealText;
struct SealText {
    char *lower[SEAL_READINGS];  /* A to Z in lower case */
    char *folded[SEAL_READINGS]; /* as seal_text_fold() has it, without characters that nobody
                                    sees; NULL where that is too long */
    gboolean unclear;            /* some readers do not find it there */
    gboolean alone;              /* of a part: all readers find this, and nothing else */
    SealText *far;               /* what some readers may take it for beside that, or NULL */
};

/** The values of all fields of that name, of those too that some find behind where the header
 * breaks off. (transfer full, element type SealText) */
GPtrArray *seal_texts_of_fields(SealEntity *entity, const char *name);

/** What the parts of a message are: their types and file names. */
typedef struct {
    GPtrArray *texts;  /* of SealText, each once: what anybody may find there */
    GPtrArray *groups; /* of GArray of guint: places in @texts, of one part each, one of which every
                          reader finds; those of one alone are marked in @texts */
    gboolean complete; /* FALSE where a bound was passed: there may be more */
} SealParts;

/** Looks at every part of @entity, those of attached messages too, in every reading. */
SealParts *seal_parts_new(SealEntity *entity);
void seal_parts_free(SealParts *parts);
