/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * preamble.c: the sentences that mail programs write in front of what they encrypt or sign. Readers
 * of MIME do not show what stands there; all else could be somebody's text.
 */
#include "core/mail/preamble.h"

static const char *const PREAMBLES[] = {
    "This is an OpenPGP/MIME encrypted message (RFC 2440 and 3156)",
    "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)",
    "This is an OpenPGP/MIME encrypted message (RFC 9580 and 3156)",
    "This is an OpenPGP/MIME signed message (RFC 2440 and 3156)",
    "This is an OpenPGP/MIME signed message (RFC 4880 and 3156)",
    "This is an OpenPGP/MIME signed message (RFC 9580 and 3156)",
    "This is a cryptographically signed message in MIME format.",
    "This is an S/MIME signed message",
    "This is a multi-part message in MIME format.",
    "This is a multi-part message in MIME format",
    "This is a multipart message in MIME format.",
    "This is a multipart message in MIME format",
    "This is a multi-part message in MIME format...",
    "This is a MIME-encapsulated message",
    "This is a MIME-encapsulated message.",
    "This is an encrypted message",
    "This message is in MIME format and has been PGP encrypted.",
    "This message is in MIME format.",
    "This message is in MIME format. Since your mail reader does not understand this format, some "
    "or all of this message may not be legible.",
};

gboolean seal_preamble_is_known(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
    g_autoptr(GString) line = g_string_new(NULL);

    for (guint i = 0; words[i]; i++) {
        if (words[i][0])
            g_string_append_printf(line, "%s%s", line->len > 0 ? " " : "", words[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(PREAMBLES); i++) {
        if (g_ascii_strcasecmp(line->str, PREAMBLES[i]) == 0)
            return TRUE;
    }
    return line->len == 0;
}
