/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kept.h: private keys that are kept in another process.
 */
#pragma once

#include "core/plugin/registry.h"

/** Reads what seal_keeper_list() wrote. (transfer full) */
SealKept *seal_kept_read(int file, GError **error);
void seal_kept_free(SealKept *kept);
/** Asks at @socket from now on. */
void seal_kept_ask_at(SealKept *kept, int socket);
/** TRUE where nobody has answered. */
gboolean seal_kept_is_lost(const SealKept *kept);

void seal_kept_list(const SealKept *kept, const char *name, SealPrivateVisitor visit,
                    gpointer user_data);
gboolean seal_kept_sign(SealKept *kept, const char *name, const SealDigestSigning *signing,
                        GByteArray *signature, GError **error);
gboolean seal_kept_unwrap(SealKept *kept, const char *name, const SealKeyUnwrapping *unwrapping,
                          guint8 *key, GError **error);
