/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * notice.c: writes problem reports. Whatever is put into them from outside is escaped.
 */
#include "core/pipeline/notice.h"

#include "core/mail/entity.h"
#include "core/mail/mime.h"

#include <string.h>

/* Another language is one more row; %s is the job's id. */
typedef struct {
    const char *language;
    const char *subject;
    const char *what;
    const char *cause; /* stands before it, which is in English */
    const char *whom;
    const char *reference;
} Words;

static const Words WORDS[] = {
    {"en", "A message for you could not be encrypted",
     "A message was sent to you, and the rules of the sender's organisation say that it must be "
     "encrypted. It could not be, usually because no valid key or certificate of yours is known "
     "there. Its content was not sent.",
     "The cause:",
     "Please ask the sender, or the mail administrator of the sender's organisation, what to do: "
     "usually they need your certificate or public key.",
     "When you ask, please give this reference: %s"},
    {"de", "Eine Nachricht an Sie konnte nicht verschlüsselt werden",
     "Eine Nachricht wurde an Sie gesendet, die nach den Regeln der absendenden Organisation "
     "verschlüsselt werden muss. Das war nicht möglich, meist weil dort kein gültiger "
     "Schlüssel und kein gültiges Zertifikat von Ihnen bekannt ist. Der Inhalt wurde nicht "
     "gesendet.",
     "Die Ursache (auf Englisch):",
     "Bitte fragen Sie den Absender oder die Mail-Administration seiner Organisation, was zu tun "
     "ist: Meist wird Ihr Zertifikat oder Ihr öffentlicher Schlüssel gebraucht.",
     "Bitte nennen Sie dabei diese Kennung: %s"},
};

static const char *const KEPT[] = {"Received", "From", "Sender",     "Reply-To", "To",
                                   "Cc",       "Date", "Message-ID", NULL};

static const Words *find_words(const char *language)
{
    for (guint i = 0; i < G_N_ELEMENTS(WORDS); i++) {
        if (g_str_equal(WORDS[i].language, language))
            return &WORDS[i];
    }
    return NULL;
}

gboolean seal_notice_speaks(const char *language)
{
    return find_words(language) != NULL;
}

/* -------------------------------------------------------------------------------------------
 * The header
 */

static void append_kept_fields(GString *out, const SealHeader *header)
{
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is_any(header, field, KEPT))
            seal_header_append_tidy(out, header, field);
    }
}

/* -------------------------------------------------------------------------------------------
 * The cause
 */

enum {
    MAX_CAUSE = 400, /* octets of each recipient's */
    MAX_CAUSES = 10,
};

static char *cause_of(const SealRecipient *recipient)
{
    g_autofree char *demand = seal_recipient_demand(recipient, "encrypt");
    g_autofree char *text =
        g_strconcat(seal_address_text(recipient->address), ": ", recipient->cause,
                    recipient->policy->encrypt == SEAL_NEED_REQUIRED ? demand : "", NULL);

    /* What keys and addresses say of themselves may be anything. */
    return seal_text_line(text, strlen(text), MAX_CAUSE);
}

/* A line for each recipient, but for those whom the others do not know of; "" where nobody has a
 * cause of his own. (transfer full) */
static char *causes_of(const SealDelivery *delivery)
{
    g_autoptr(GString) all = g_string_new(NULL);
    guint count = 0;

    for (guint i = 0; i < delivery->recipients->len; i++) {
        const SealRecipient *recipient = g_ptr_array_index(delivery->recipients, i);

        if (!recipient->cause || (!recipient->named && delivery->recipients->len > 1) ||
            count++ >= MAX_CAUSES)
            continue;
        g_autofree char *cause = cause_of(recipient);
        g_string_append_printf(all, "%s%s", all->len > 0 ? "\n" : "", cause);
    }
    if (count > MAX_CAUSES)
        g_string_append_printf(all, "\nand %u more", count - MAX_CAUSES);
    return g_strdup(all->str);
}

/* -------------------------------------------------------------------------------------------
 * The texts. They are put together with LF and get the message's line ends at the end.
 */

static char *fill_in(const char *text, const char *id)
{
    g_auto(GStrv) parts = g_strsplit(text, "%s", 2);

    return g_strjoin(id, parts[0], parts[1], NULL);
}

/* What stands in a report, one below the other. */
typedef void (*AddParagraph)(GString *out, const char *text);

static void add_plain(GString *out, const char *text)
{
    g_string_append_printf(out, "%s\n\n", text);
}

static void add_html(GString *out, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    g_auto(GStrv) lines = g_strsplit(escaped, "\n", -1);
    g_autofree char *broken = g_strjoinv("<br>\n", lines);

    g_string_append_printf(out, "<p>%s</p>\n", broken);
}

static void add_language(GString *out, AddParagraph add, const SealJob *job, const char *language,
                         const char *cause)
{
    const Words *words = find_words(language);
    g_autofree char *reference = fill_in(words->reference, seal_job_id(job));
    g_autofree char *own = g_strconcat(words->cause, "\n", cause, NULL);

    add(out, words->what);
    if (*cause)
        add(out, own);
    add(out, words->whom);
    add(out, reference);
}

/* @cause: "" where there is none. */
static void add_texts(GString *out, AddParagraph add, const SealJob *job,
                      const SealNoticeSpec *spec, const char *cause)
{
    g_auto(GStrv) parts = g_strsplit(spec->text ? spec->text : "", SEAL_NOTICE_CAUSE, -1);
    gboolean placed = parts[0] && parts[1];
    g_autofree char *own =
        g_strjoinv(*cause ? cause : "the mail administrator finds it in the log", parts);

    for (const char *const *language = spec->languages; *language; language++)
        add_language(out, add, job, *language, placed ? "" : cause);
    if (spec->text)
        add(out, own);
}

/* Base64, since the texts have long lines and more than ASCII. */
static void append_part(GString *out, const char *subtype, const GString *text)
{
    enum { OCTETS = 57, CHARACTERS = 76 }; /* in a line */
    g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
    g_autofree char *canonical = g_strjoinv("\r\n", lines);

    g_string_append_printf(out,
                           "Content-Type: text/%s; charset=utf-8\n"
                           "Content-Transfer-Encoding: base64\n\n",
                           subtype);
    for (gsize at = 0, length = strlen(canonical); at < length; at += OCTETS) {
        char line[CHARACTERS];
        gsize size =
            seal_base64_encode((const guint8 *)canonical + at, MIN(OCTETS, length - at), line);

        g_string_append_len(out, line, (gssize)size);
        g_string_append_c(out, '\n');
    }
}

static void append_body(GString *out, const SealJob *job, const SealDelivery *delivery,
                        const SealNoticeSpec *spec)
{
    g_autofree char *cause = causes_of(delivery);
    g_autofree char *boundary = g_strdup_printf("=_%08x%08x", g_random_int(), g_random_int());
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) html = g_string_new(NULL);

    add_texts(text, add_plain, job, spec, cause);
    g_string_append_printf(html, "<!DOCTYPE html>\n<html lang=\"%s\"><body>\n", spec->languages[0]);
    add_texts(html, add_html, job, spec, cause);
    g_string_append(html, "</body></html>\n");
    g_string_append_printf(out,
                           "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
                           "Content-Type: multipart/alternative; boundary=\"%s\"\n\n--%s\n",
                           boundary, boundary);
    append_part(out, "plain", text);
    g_string_append_printf(out, "--%s\n", boundary);
    append_part(out, "html", html);
    g_string_append_printf(out, "--%s--\n", boundary);
}

SealContent *seal_notice_new(SealJob *job, const SealDelivery *delivery, const SealNoticeSpec *spec)
{
    const SealHeader *header = seal_message_header(job->message);
    const char *subject =
        spec->subject && *spec->subject ? spec->subject : find_words(spec->languages[0])->subject;
    g_autofree char *encoded = seal_mime_encode(subject);
    g_autoptr(GString) own = g_string_new(NULL);
    g_autoptr(GString) whole = g_string_new(NULL);

    g_string_append_printf(own, "Subject: %s\n", encoded);
    append_body(own, job, delivery, spec);
    if (header->eol[0] == '\r')
        g_string_replace(own, "\n", "\r\n", 0);
    append_kept_fields(whole, header);
    g_string_append_len(whole, own->str, (gssize)own->len);
    return seal_content_new_copy(whole->str, whole->len);
}
