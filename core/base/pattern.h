/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pattern.h: patterns of addresses and of texts, as they stand in rules.
 */
#pragma once

#include "core/sealpipe.h"

typedef struct SealPattern SealPattern;

/** Reads `user@domain`, `@domain`, `@.domain` (its subdomains), a glob with `*` and `?` over the
 *  whole address, or `<>`, the null sender. SEAL_ERROR_ADDRESS where it can match nothing.
 *  (transfer full) */
SealPattern *seal_pattern_parse(const char *text, GError **error);
void seal_pattern_free(SealPattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealPattern, seal_pattern_free)

/** TRUE where @address, or what is left of it without its subaddress, matches. NULL is the null
 *  sender. @wide: also what Unicode folds together counts as alike (JOSÉ and josé, straße and
 *  strasse); else the case of A to Z alone makes no difference. What makes policy stricter may
 * match widely, what loosens it must not. */
gboolean seal_pattern_match(const SealPattern *pattern, SealAddress *address, gboolean wide);

/** TRUE for `<>`. */
gboolean seal_pattern_is_null_sender(const SealPattern *pattern);

/** A glob over texts, with `*` and `?`. */
typedef struct SealGlob SealGlob;

SealGlob *seal_glob_new(const char *glob);
void seal_glob_free(SealGlob *glob);
/** TRUE where all of @lower, in which A to Z are lower case, matches without regard to their case.
 *  The time is that of the text's length times the glob's. */
gboolean seal_glob_match(const SealGlob *glob, const char *lower);
/** Likewise of @folded, which is what seal_text_fold() makes of a text. */
gboolean seal_glob_match_wide(const SealGlob *glob, const char *folded);
