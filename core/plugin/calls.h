/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * calls.h: the one place that calls into the tables of modules. A call that fails has a reason, and
 * what it should have set is set; otherwise the call has failed. For what each does, see
 * sealpipe.h.
 */
#pragma once

#include "core/frontend.h"
#include "core/plugin/registry.h"

/** What a call of @name has come to: TRUE only where it said so and named no error. Takes @problem
 * over. */
gboolean seal_call_ended(const char *name, gboolean ok, GError *problem, GError **error);

gboolean seal_stage_plan(const SealStageEntry *stage, SealJob *job, SealRecipient *recipient,
                         SealDecision *decision, GError **error);
gboolean seal_stage_apply(const SealStageEntry *stage, SealJob *job, SealDelivery *delivery,
                          GCancellable *cancellable, GError **error);
/** Asks a stage that has a prove(). */
gboolean seal_stage_prove(const SealStageEntry *stage, SealJob *job, SealProof *proof, char **why,
                          GError **error);

/** TRUE where the Format can sign at all. */
gboolean seal_format_can_sign(const SealFormatEntry *format);
/** (transfer full) */
SealDetection *seal_format_detect(const SealFormatEntry *format, SealEntity *entity,
                                  GCancellable *cancellable, GError **error);
gboolean seal_format_usable(const SealFormatEntry *format, SealKey *key, SealAddress *address,
                            SealPurpose purpose, gint64 at, SealDecision *decision, GError **error);
/** Of a Format with merge() alone. What it gives is a key of @copies' first one's format and
 *  fingerprint. (transfer full) */
SealKey *seal_format_merge(const SealFormatEntry *format, GPtrArray *copies, GError **error);
/** TRUE where it could prove any key, as it is configured. */
gboolean seal_format_can_prove(const SealFormatEntry *format);
/** *@by is NULL where nobody vouches for it. (@by: transfer full) */
gboolean seal_format_prove(const SealFormatEntry *format, SealKey *key, SealAddress *address,
                           gint64 at, SealProven *proven, char **by, GError **error);
/** *@why may be NULL. (@why: transfer full) */
gboolean seal_format_succeeds(const SealFormatEntry *format, SealKey *old, SealKey *key,
                              SealAddress *address, gint64 at, gboolean *succeeds, char **why,
                              GError **error);
/** (transfer full) */
SealContent *seal_format_encrypt(const SealFormatEntry *format, const SealSealing *sealing,
                                 GCancellable *cancellable, GError **error);
/** (transfer full) */
SealContent *seal_format_sign(const SealFormatEntry *format, const SealSealing *sealing,
                              GCancellable *cancellable, GError **error);
/** SEAL_ERROR_UNSUPPORTED where the Format cannot open anything. (transfer full) */
SealContent *seal_format_open(const SealFormatEntry *format, SealEntity *entity,
                              GCancellable *cancellable, SealDetection *detection, GError **error);
/** Appends nothing where the Format cannot verify. *@why may be NULL. */
gboolean seal_format_verify(const SealFormatEntry *format, const SealVerifying *verifying,
                            GCancellable *cancellable, GPtrArray *signers, char **why,
                            GError **error);
/** Appends nothing where the Format has no keys of its own. */
gboolean seal_format_signers(const SealFormatEntry *format, SealAddress *address,
                             GCancellable *cancellable, GPtrArray *keys, GError **error);

/** What the module's `trust=` says, else the source itself. */
SealTrust seal_source_trust(const SealSourceEntry *source);
/** Whether its not finding out may be passed over: `on_error=`, else the source itself, unless it
 *  once @gave a key for the address in question. */
gboolean seal_source_may_skip(const SealSourceEntry *source, gboolean gave);
/** Appends keys with the source's trust. *@doubt: what could not be read, or NULL. (transfer full)
 */
gboolean seal_source_lookup(const SealSourceEntry *source, SealAddress *address, const char *format,
                            GCancellable *cancellable, GPtrArray *keys, char **doubt,
                            GError **error);

/** See SealSource; 0 where it does not tell. */
guint64 seal_source_changes(const SealSourceEntry *source, SealAddress *address,
                            const char *format);
/** To the source of @key: something was encrypted to it. */
void seal_source_key_used(const SealRegistry *registry, SealKey *key);
/** What it was told to read and has no keys in it, for the log; NULL for nothing. (transfer full)
 */
char *seal_source_lack(const SealSourceEntry *source);

/** Appends what the source has of @key. A source without copies() is an error. */
gboolean seal_source_copies(const SealSourceEntry *source, SealKey *key, GCancellable *cancellable,
                            GPtrArray *keys, GError **error);

/** TRUE where keys can be put into it. */
gboolean seal_source_can_put(const SealSourceEntry *source);
/** Of a source that can. @kept, as many as @keys, says what has become of each. */
gboolean seal_source_put(const SealSourceEntry *source, GPtrArray *keys, SealPut *kept,
                         guint *added, GError **error);
/** Of a source with rehearse(). */
gboolean seal_source_rehearse(const SealSourceEntry *source, GPtrArray *keys, GError **error);
/** Of a source with list(). */
gboolean seal_source_list(const SealSourceEntry *source, const SealKeyFilter *filter,
                          SealKeyListed visit, gpointer user_data, GError **error);
/** Of a source with remove(). */
gboolean seal_source_remove(const SealSourceEntry *source, const SealKeyFilter *filter,
                            guint *removed, GError **error);
/** Of a source with unbind(). */
gboolean seal_source_unbind(const SealSourceEntry *source, const SealKeyFilter *filter,
                            const char *bound, guint *count, GError **error);
/** Of a source that keeps look-ups alone. */
gboolean seal_source_recall(const SealSourceEntry *source, SealRecollection *recollection,
                            gboolean *known, GError **error);
gboolean seal_source_remember(const SealSourceEntry *source, const SealRecollection *recollection,
                              GError **error);
/** Of a source with a book. */
gboolean seal_book_read(const SealSourceEntry *source, const SealAddress *address,
                        const char *format, SealStanding standing, GPtrArray *keys, GError **error);
gboolean seal_book_write(const SealSourceEntry *source, const SealAddress *address, SealKey *key,
                         SealStanding standing, GError **error);

/** *@count is 0 where the Format has no private keys, or finds none. (@where: transfer full) */
gboolean seal_format_install(const SealFormatEntry *format, GBytes *data,
                             const SealSecret *passphrase, const char *name, guint *count,
                             char **where, GError **error);

/** Visits nothing where the Format has no keys of its own. */
gboolean seal_format_own(const SealFormatEntry *format, SealOwnVisitor visit, gpointer user_data,
                         GError **error);
/** *@what is NULL where the check does not tell, and *@until G_MAXINT64. (@what: transfer full) */
gboolean seal_check_until(const SealCheckEntry *check, gint64 *until, char **what, GError **error);
gboolean seal_check_run(const SealCheckEntry *check, SealOut *out, GError **error);
/** Calls a refresh() that is there. */
gboolean seal_call_refresh(SealModule *module, gboolean all, gint64 now, GCancellable *cancellable,
                           SealOut *out, gint64 *next, GError **error);
