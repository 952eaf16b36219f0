/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * message.h: a message taken apart and put together again, byte for byte.
 */
#pragma once

#include "core/frontend.h"
#include "core/mail/header.h"
#include "core/mail/mailbox.h"

const SealHeader *seal_message_header(const SealMessage *message);

/** The value of the first Return-path field without its angle brackets ("" is the null sender), or
 *  NULL where there is none. (transfer full) */
char *seal_message_return_path(SealMessage *message);

/** Visits the mailboxes of every field of these names. @names ends with NULL. SEAL_ERROR_LIMIT
 * beyond 20,000. */
gboolean seal_message_each_address(SealMessage *message, const char *const *names,
                                   SealMailboxVisitor visit, gpointer user_data, GError **error);

/** The message with @tag taken out of every Subject, whatever the reading of it and ASCII's case.
 *  (transfer full) */
SealMessage *seal_message_without_tag(SealMessage *message, const char *tag, GError **error);

/** The entity that is to be encrypted: every Content-* field in its order, an empty line, the body;
 *  "Content-Type: text/plain" where there is no Content-* field (RFC 8551 3.1). (transfer full) */
SealContent *seal_message_inner(SealMessage *message);

/** The message with @entity in place of its inner entity, with exactly one MIME-Version, and
 *  without what must not leave or would no longer hold: Bcc, Return-path, DKIM-Signature,
 *  ARC-*.
 *  (transfer full) */
SealContent *seal_message_wrap(SealMessage *message, SealContent *entity);

/** The message as it leaves in clear: without Bcc, Resent-Bcc and Return-path; @tidy: and
 *  without lines of blanks alone in its header. (transfer full) */
SealContent *seal_message_clear(SealMessage *message, gboolean tidy);

/** A multipart message without what stands before its first part and behind the last; *@ret_parts
 *  is NULL where nothing does, or where its end is missing. (transfer full) */
gboolean seal_message_without_rest(SealMessage *message, SealMessage **ret_parts, GError **error);

/** The name of a field in the header that never leaves (Bcc, Resent-Bcc, Return-path), or NULL.
 *  (borrowed) */
const char *seal_message_private_field(SealMessage *message);

/** @entity, which has LF line ends, with those of @message; what is written goes to @spool.
 * (transfer full) */
SealContent *seal_message_match_line_ends(SealMessage *message, SealContent *entity,
                                          GOutputStream *spool, GError **error);

/** The message with the field `@name: @value` in place of all of that name; see
 *  seal_delivery_set_field(). (transfer full) */
SealContent *seal_message_with_field(SealMessage *message, const char *name, const char *value,
                                     GError **error);
