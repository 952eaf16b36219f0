/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * proof.h: whether he who submitted a message may write as its author.
 */
#pragma once

#include "senders.h"

/** What the settings say of it. */
typedef struct {
    Senders *senders;    /* NULL where senders= is not set */
    Authors *submission; /* submission_domains= */
    gboolean trust_from;
} SignProof;

/** Reads the settings. SEAL_ERROR_CONFIG. (transfer full) */
SignProof *sign_proof_new(SealModule *self, GError **error);
void sign_proof_free(SignProof *setup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignProof, sign_proof_free)

/** See SealStage. */
gboolean sign_prove(SealModule *self, SealJob *job, SealProof *proof, char **why, GError **error);
/** Says what the settings let be signed. */
extern const SealCheck *const sign_checks[];
