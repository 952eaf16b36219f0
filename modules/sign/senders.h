/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * senders.h: who may write as whom: authors by login, from a table as Exim's lsearch reads it.
 */
#pragma once

#include "core/sealpipe.h"

/** A set of authors: mailboxes, and whole domains. */
typedef struct Authors Authors;

/** One that is empty. (transfer full) */
Authors *authors_new(void);
void authors_free(Authors *authors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Authors, authors_free)
/** Adds an address, or @domain. SEAL_ERROR_ADDRESS. */
gboolean authors_add(Authors *authors, const char *text, GError **error);
gboolean authors_has_any(const Authors *authors);
/** TRUE for a mailbox that is in it, with any subaddress, and for one in a domain that is. */
gboolean authors_have(const Authors *authors, const SealAddress *author);

typedef struct Senders Senders;

/** Reads a table of logins: `login: author, author`. SEAL_ERROR_CONFIG names the line. (transfer
 *  full) */
Senders *senders_parse(const char *text, gsize size, GError **error);
/** Likewise, from a file. */
Senders *senders_read(const char *path, GError **error);
void senders_free(Senders *senders);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Senders, senders_free)
guint senders_count(const Senders *senders);
/** Whom @login may write as, octet by octet the same as in the table; NULL where it is not in it.
 *  (borrowed) */
const Authors *senders_find(const Senders *senders, const char *login);
