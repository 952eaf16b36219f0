/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entity.h: the MIME view, for core.
 */
#pragma once

#include "core/mail/header.h"
#include "core/sealpipe.h"

/** A view of @content, whose header block is already found; takes @header. (transfer full) */
SealEntity *seal_entity_new(SealContent *content, SealHeader *header, guint depth);
void seal_entity_free(SealEntity *entity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealEntity, seal_entity_free)

const SealHeader *seal_entity_header(const SealEntity *entity);
/** Where a part begins in the body of the entity that it is a part of; 0 for the outermost. */
guint64 seal_entity_offset(const SealEntity *entity);

/** TRUE where some reader could take the lines of its header otherwise than we do. */
gboolean seal_entity_is_unclear(const SealEntity *entity);
/** TRUE where readers may differ in its type or its transfer encoding: a field that says either is
 *  there twice, or does not say it plainly. */
gboolean seal_entity_is_ambiguous(SealEntity *entity);
/** Where in the body of a multipart its first delimiter begins, and where the one that closes it
 *  ends, line end included. FALSE where they are not both there. To be asked once the parts were.
 */
gboolean seal_entity_frame(const SealEntity *entity, guint64 *start, guint64 *end);
