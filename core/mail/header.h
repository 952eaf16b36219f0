/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * header.h: the header block of a message or part, as ranges of the bytes it came in.
 */
#pragma once

#include "core/sealpipe.h"

/** One field: name, colon, value and line end, continuation lines included. */
typedef struct {
    gsize offset; /* in the block */
    gsize length;
    gsize name_length;
} SealField;

typedef struct {
    GBytes *block;       /* the fields, without the empty line */
    GArray *fields;      /* of SealField, in their order */
    guint64 block_end;   /* where the fields end, in the content that was read */
    guint64 body_offset; /* where the body begins: behind the empty line, if there is one */
    gboolean from_line;  /* an mbox From_ line stood before the block and is not part of it */
    gboolean
        broken_off;  /* no empty line ends it, but one that is no field, or holds blanks alone */
    char *fault;     /* why it is malformed, for people; NULL where it is not */
    const char *eol; /* "\n" or "\r\n": that of the first line */
} SealHeader;

/** Finds the header block at the front of @content (RFC 5322 2.2): it ends at the first empty line,
 *  or before the first line that is neither field nor continuation, which then begins the body;
 * lines of blanks just before that one stand for the empty line. What others could read otherwise
 * is a fault: a control character that is neither a tab nor a line end, and a line of blanks amid a
 * header that no empty line ends. @may_have_from_line: drop a leading From_ line. SEAL_ERROR_LIMIT
 * beyond 1 MiB or 10,000 fields. (transfer full) */
SealHeader *seal_header_read(SealContent *content, gboolean may_have_from_line, GError **error);
void seal_header_free(SealHeader *header);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SealHeader, seal_header_free)

/** TRUE where the field has that name, without regard to case. */
gboolean seal_field_is(const SealHeader *header, const SealField *field, const char *name);
/** TRUE where it has one of these names. @names ends with NULL. */
gboolean seal_field_is_any(const SealHeader *header, const SealField *field,
                           const char *const *names);
/** TRUE where the field is a Content-* field (RFC 2045 3). */
gboolean seal_field_is_content(const SealHeader *header, const SealField *field);
/** The value, unfolded (RFC 5322 2.2.3); in a malformed header NUL octets are replaced by blanks.
 *  (transfer full) */
char *seal_field_value(const SealHeader *header, const SealField *field);
/** Likewise as it came, folds and all, and blanks for NUL octets. (transfer full) */
char *seal_field_raw(const SealHeader *header, const SealField *field);
/** The first field of that name, or NULL. */
const SealField *seal_header_find(const SealHeader *header, const char *name);
guint seal_header_count(const SealHeader *header, const char *name);

/** Appends a field as it came, and the line end that it lacks where the header breaks off. */
void seal_header_append(GString *out, const SealHeader *header, const SealField *field);
/** Likewise, but without continuation lines of blanks alone, at which some readers end the header.
 */
void seal_header_append_tidy(GString *out, const SealHeader *header, const SealField *field);
/** TRUE where a line of the field holds blanks alone: some readers take it for the empty line. */
gboolean seal_field_has_blank_line(const SealHeader *header, const SealField *field);
/** TRUE where every reader finds the field there: its colon stands right behind its name, and none
 *  of its lines holds blanks alone. */
gboolean seal_field_is_clean(const SealHeader *header, const SealField *field);
/** The fields with @line, which has its line end, in place of the first of that name, without
 * further ones; or with it behind the last. (transfer full) */
GString *seal_header_replace(const SealHeader *header, const char *name, const char *line);
