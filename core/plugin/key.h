/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * key.h: keys, for core.
 */
#pragma once

#include "core/frontend-keys.h"

/** @key with another trust, as @by, for people, vouches for it: all else is @key's. (transfer full)
 */
SealKey *seal_key_with_trust(SealKey *key, SealTrust trust, const char *by);
/** What seal_key_with_trust() was given, or the key itself. (borrowed) */
SealKey *seal_key_as_found(SealKey *key);
/** NULL where it is trusted as its source is. (borrowed) */
const char *seal_key_proven_by(const SealKey *key);

/** @key without whom the operator has given it to. (transfer full) */
SealKey *seal_key_without_bound(SealKey *key);

/** @key as one that is given to @address, and to nobody else. (transfer full) */
SealKey *seal_key_given_to(SealKey *key, const SealAddress *address);

/** Octets of memory that it takes, about. */
gsize seal_key_weight(const SealKey *key);

/** TRUE where one of the key's detected_ids is in @ids. */
gboolean seal_key_is_among(const SealKey *key, GHashTable *ids);
