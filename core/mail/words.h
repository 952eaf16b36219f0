/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * words.h: encoded words (RFC 2047, RFC 2231 5): the text that readers see in a field.
 */
#pragma once

#include <glib.h>

/** Readers differ in what they take for an encoded word. */
typedef enum {
    SEAL_READING_STRICT, /* as RFC 2047 has it; each word is characters of its own */
    SEAL_READING_LAX,    /* anywhere, of any length, with what is wrong in it; the octets of words
                            that follow each other are joined first */
    SEAL_READING_JOINED, /* likewise, and base64 goes on from one word to the next */
    SEAL_READINGS,
} SealReading;

/** The text of an unfolded value; valid UTF-8. Linear in its length. (transfer full) */
char *seal_words_decode(const char *value, SealReading reading);

/** The first encoded word in @text, for the lax reading: where it begins, and in @end where it
 *  ends; NULL where there is none. Asked for again and again from @end, linear. (borrowed) */
const char *seal_words_find(const char *text, const char **end);

/** What iconv calls the charset of an encoded word, a language behind it left out; NULL for one
 * that no mail is written in: it is not to be handed to iconv. (borrowed) */
const char *seal_words_charset(const char *name, gsize length);

/** The value of an unstructured field with that text: ASCII, in lines that @eol separates, without
 *  a last line end. (transfer full) */
char *seal_words_encode(const char *text, const char *eol);
