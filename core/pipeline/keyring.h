/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * keyring.h: asks the key sources, in order, and says which key is to be used and why.
 */
#pragma once

#include "core/pipeline/keyring-query.h"

/** Reads [keyring]; a source named in a file must exist. (transfer full) */
SealKeyring *seal_keyring_new(const SealConfig *config, const SealRegistry *registry,
                              GError **error);
void seal_keyring_free(SealKeyring *keyring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealKeyring, seal_keyring_free)

/** Appends the keys to use to @keys (element type SealKey, with a free function): of the first
 *  source that has a usable one, the most trusted, and of those the newest one, or all of them up
 *  to SEAL_MAX_RECIPIENT_KEYS, the newest first. Where there is none, *@why says so for people
 * (else it is NULL), without the names of files, which *@detail has for the log; that is no error.
 * *@in_doubt: there is none, and something that could not be
 * read may hold one. FALSE where a source could not find out and its on_error is defer: this is not
 * "no key". Every key passed over is a decision of the job. @detail may be NULL. (@why and @detail:
 * transfer full) */
gboolean seal_keyring_find(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                           GCancellable *cancellable, GPtrArray *keys, char **why, char **detail,
                           gboolean *in_doubt, GError **error);

/** What the sources that are asked with @min_trust say of places without any key, for the log; NULL
 *  where there are none. *@names: those sources. (both transfer full) */
char *seal_keyring_lack(SealKeyring *keyring, SealTrust min_trust, char **names);

/** Appends all keys for the address, and those for it without its detail, that the sources and the
 *  Format itself have, fit for the purpose or not. *@in_doubt: there may be more. FALSE as above.
 */
gboolean seal_keyring_collect(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                              GCancellable *cancellable, GPtrArray *keys, gboolean *in_doubt,
                              GError **error);

/** Is @key, which has signed the message, fit? *@why is NULL where it is, and says why not for
 * people. Where that is in doubt, so is the signature. (transfer full) */
gboolean seal_keyring_judge(SealKeyring *keyring, SealJob *job, const SealKeyQuery *query,
                            SealKey *key, GCancellable *cancellable, char **why, GError **error);
