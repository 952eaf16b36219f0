/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frontend-keys.h: what people do with keys; a part of frontend.h, which includes it.
 */
#pragma once

#include "core/sealpipe.h"

G_BEGIN_DECLS

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

G_END_DECLS
