/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private.h: calls private halves, and believes none of them to say why it failed.
 */
#pragma once

#include "core/plugin/registry.h"

/** Loads it where it is not loaded yet. */
gboolean seal_private_load(const SealPrivateEntry *half, GError **error);
gboolean seal_private_sign(const SealPrivateEntry *half, const SealDigestSigning *signing,
                           GByteArray *signature, GError **error);
gboolean seal_private_unwrap(const SealPrivateEntry *half, const SealKeyUnwrapping *unwrapping,
                             guint8 *key, GError **error);
