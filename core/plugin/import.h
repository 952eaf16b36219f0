/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * import.h: files of keys, entry by entry.
 */
#pragma once

#include "core/frontend-keys.h"
#include "core/plugin/registry.h"

/** Has every enabled Format say what is in @data. FALSE, with the first reason, where one of them
 *  could not read the whole of it; what was visited counts all the same. */
gboolean seal_registry_import(const SealRegistry *registry, GBytes *data,
                              const SealSecret *passphrase, const SealOrigin *origin,
                              SealImportVisitor visit, gpointer user_data, GError **error);
