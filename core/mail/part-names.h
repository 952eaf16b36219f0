/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * part-names.h: the type and the file names that a part's fields give it, in every reading of them.
 */
#pragma once

#include <glib.h>

typedef struct {
    GHashTable *sure; /* sets of texts: what readers that keep to the standards may take for it, */
    GHashTable *far;  /* and what others may */
    gsize left;       /* so many octets of readings more, and then it is not complete */
    gboolean complete;
} SealPartNames;

/** For the fields of a whole message: the sets are emptied between parts. */
void seal_part_names_init(SealPartNames *names);
void seal_part_names_clear(SealPartNames *names);
void seal_part_names_empty(SealPartNames *names);

/** The type in a Content-Type field; @value as it came, folds and all. */
void seal_part_names_add_type(SealPartNames *names, const char *value);
/** The file names in a field with parameters: filename and name, in RFC 2231's forms and without
 *  them, twice, within comments or quotes or behind them. */
void seal_part_names_add_parameters(SealPartNames *names, const char *value);
/** A file name; @sure: for readers that keep to the standards. */
void seal_part_names_add(SealPartNames *names, const char *value, gboolean sure);

/** TRUE where the parameter stands once in @value at most, in RFC 2045's form. */
gboolean seal_part_names_is_plain(const char *value, const char *parameter);
/** @text without the comments (RFC 5322 3.2.2), and the quotation marks of quoted strings.
 *  (transfer full) */
char *seal_part_names_bare(const char *text);
/** @text, valid UTF-8 or not, without characters that nobody sees. (transfer full) */
char *seal_part_names_visible(const char *text);
/** @text as readers show it who take octets that are no UTF-8 for Windows-1252; NULL where it is
 *  UTF-8. (transfer full) */
char *seal_part_names_latin(const char *text);
/** @folded without its line ends and the blanks behind them; NULL where it has none. (transfer
 *  full) */
char *seal_part_names_unfold_tightly(const char *folded);
