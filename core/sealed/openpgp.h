/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * openpgp.h: OpenPGP messages and signatures by their packets.
 */
#pragma once

#include "core/sealed/body.h"

/** What is the armoured message in @body? As seal_openpgp_read_message(). */
gboolean seal_openpgp_message(SealContent *body, SealBodyEncoding encoding,
                              GCancellable *cancellable, SealDetection *detection, GError **error);
/** Is there an armoured signature over a message in @body, and by whom? */
gboolean seal_openpgp_signature(SealContent *body, SealBodyEncoding encoding,
                                GCancellable *cancellable, SealDetection *detection,
                                GError **error);
