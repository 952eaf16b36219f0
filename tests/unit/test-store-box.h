/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-store-box.h: the module keys-store opened for a test, with certificates as keys.
 */
#pragma once

#include "test-smime-pki.h"

/** A dispatcher with the store, and a CA. */
typedef struct {
    Smime smime;
    X509 *ca;
    char *state; /**< the folder */
    char *path;  /**< of the database */
    const SealSource *source;
    const SealSource *harvested;
    SealModule *module;
} Box;

void box_start(Box *box);
void box_end(Box *box);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Box, box_end)
/** Another dispatcher over the same, with a database that is not open yet: to be called before a
 *  fork. */
void box_reopen(Box *box);

/** A person's key as it would be read from a file; @bound: one whom it is given to, or NULL.
 *  (transfer full) */
SealKey *box_person(Box *box, const char *address, SealTrust trust, const char *bound);
/** How many were added. */
guint box_put_into(Box *box, const SealSource *source, SealKey *key);
/** The same into `store`; the key is gone. */
guint box_put(Box *box, SealKey *key);
/** NULL with an error; without @doubt there must be none. (transfer full) */
GPtrArray *box_find_in(Box *box, const SealSource *source, const char *address, const char *format,
                       char **doubt, GError **error);
/** In `store`, where nothing may go wrong. (transfer full) */
GPtrArray *box_find(Box *box, const char *address);
guint box_count(Box *box, const char *address);
/** What another process does, in words of SQL. */
void box_run_sql(Box *box, const char *sql);
/** A number that SQL gives. */
gint64 box_ask_sql(Box *box, const char *sql);
/** A text likewise. (transfer full) */
char *box_ask_text(Box *box, const char *sql);
