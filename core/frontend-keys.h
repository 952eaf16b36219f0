/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frontend-keys.h: what people do with keys; a part of frontend.h, which includes it.
 */
#pragma once

#include "core/sealpipe.h"

G_BEGIN_DECLS

/** Marks what libsealpipe exports to the programs of this tree only. */
#define SEAL_FRONT __attribute__((visibility("default")))

typedef struct SealDispatcher SealDispatcher;

/** What an entry of a file of keys is. */
typedef enum {
    SEAL_IMPORT_KEY,    /**< a key that can be stored */
    SEAL_IMPORT_LEFT,   /**< something that is not stored among public keys */
    SEAL_IMPORT_FAILED, /**< something that should be a key and cannot be read */
} SealImported;

/** Borrowed. */
typedef struct {
    SealImported what;
    const char *format;
    const char *entry;     /**< its name for people, or NULL */
    SealKey *key;          /**< of KEY */
    const char *text;      /**< of LEFT: what it is */
    const GError *problem; /**< of FAILED */
} SealImportEntry;

typedef void (*SealImportVisitor)(const SealImportEntry *entry, gpointer user_data);

/** TRUE where a module fetches over the network what gets out of date. */
SEAL_FRONT gboolean seal_dispatcher_can_refresh(const SealDispatcher *dispatcher);
/** Has every such module fetch what is due, or everything (@all); see SealModuleDescriptor.refresh.
 *  Rows of "refreshed" in @out, which is there even without rows: "what" (a URL), "result"
 *  ("fetched", "unchanged", "failed", "dropped"), "until" (a day, or ""), "problem" ("" where there
 *  is none). *@next: when the first of them wants to be called again; G_MAXINT64: none does. FALSE,
 *  with the first error, where something could not be had; the others have been called all the
 *  same. */
SEAL_FRONT gboolean seal_dispatcher_refresh(SealDispatcher *dispatcher, gboolean all, SealOut *out,
                                            gint64 *next, GError **error);

/** What a message to @address would be encrypted to, and why by nothing else. In @out: "address",
 *  "found" and, where one is, its "format"; a row of "keys" for each key that any source has, in
 * the order in which they are asked: format, fingerprint, label, serves (address, bound, domain),
 *  origin, place, trust (as it is believed), proof (who vouches for it, or ""), standing, used
 *  (boolean), code and reason; a row of "sources" for each that was passed over: format, source,
 *  code and reason. Nothing is written down. *@found: there is a key. FALSE: cannot tell; what is
 * in
 *  @out counts all the same. */
SEAL_FRONT gboolean seal_dispatcher_lookup_keys(SealDispatcher *dispatcher, const char *address,
                                                SealOut *out, gboolean *found, GError **error);

G_END_DECLS
