/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * known.h: what mail programs write around ciphertext, so that nothing else stands there.
 */
#pragma once

#include "core/sealpipe.h"

/** TRUE where the line is an armour header that says which program wrote it and no more. */
gboolean seal_known_armor_header(const char *line, gsize length);
/** TRUE where a name reads as somebody's sentence rather than as a name: it has many words, or many
 *  in small letters. Certification authorities have names of ten. */
gboolean seal_known_is_prose(const char *name, gsize length);
/** What is wrong with the Content fields of @entity, or with any other field where it is a part;
 *  NULL where they are known ones, once each, and say nothing but what they are for. */
const char *seal_known_fields(SealEntity *entity, gboolean is_part);
