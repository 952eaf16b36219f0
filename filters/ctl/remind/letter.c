/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * letter.c: the mails. What keys say of themselves is anybody's text: it stands in the body alone,
 * and not as it came.
 */
#include "filters/ctl/remind/letter.h"

#include "filters/ctl/keys.h"

#include <string.h>

#define DAY ((gint64)86400)

enum {
    MAX_TEXT = 200,
    MAX_ITEMS = 200, /* of one mail; the others are counted */
    MAX_LINE = 900,  /* octets of a line that leaves as it is */
};

/* -------------------------------------------------------------------------------------------
 * Texts of keys
 */

static gboolean is_address(const char *word)
{
    g_autofree char *bare = g_strdup(word);
    gsize length = strlen(bare);

    while (length > 0 && strchr(">),;.\"'", bare[length - 1]))
        bare[--length] = '\0';
    const char *from = bare + strspn(bare, "<(\"'");
    g_autoptr(SealAddress) address =
        strchr(from, '@') && !strpbrk(from, "/\\%?&=") ? seal_address_parse(from, NULL) : NULL;
    return address != NULL;
}

static gboolean is_in_name(char c)
{
    return g_ascii_isalnum(c) || c == '-' || (guchar)c >= 0x80;
}

/* A dot between two names, the second of two letters at least, as in www.example.org; "S.A." is
 * none. */
static gboolean is_dot(const char *word, const char *at)
{
    return *at == '.' && at > word && is_in_name(at[-1]) && is_in_name(at[1]) && is_in_name(at[2]);
}

static void append_word(GString *text, const char *word)
{
    if (is_address(word)) {
        g_string_append(text, word);
        return;
    }
    for (const char *at = word; *at; at++) {
        if (is_dot(word, at))
            g_string_append(text, "[.]");
        else if (*at == ':' && at > word && at[1] && !g_ascii_isdigit(at[1]))
            g_string_append(text, "[:]");
        else
            g_string_append_c(text, *at);
    }
}

char *remind_text(const char *text)
{
    g_autofree char *line = seal_text_line(text, strlen(text), MAX_TEXT);
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    GString *shown = g_string_new(NULL);

    for (char **word = words; *word; word++) {
        if (shown->len > 0)
            g_string_append_c(shown, ' ');
        append_word(shown, *word);
    }
    return g_string_free(shown, FALSE);
}

gboolean remind_can_write_to(const SealAddress *address)
{
    const char *text = seal_address_text(address);

    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f)
            return FALSE;
    }
    return *text != '-';
}

/* -------------------------------------------------------------------------------------------
 * Sentences
 */

static const char *format_name(const SealKey *key)
{
    const char *format = seal_key_format(key);

    return g_str_equal(format, "smime") ? "S/MIME certificate"
           : g_str_equal(format, "pgp") ? "OpenPGP key"
                                        : "key";
}

char *remind_kind(const SealEnding *ending)
{
    static const char *const roles[] = {
        [SEAL_ENDING_SIGNER] = "mail is signed with it",
        [SEAL_ENDING_CHAIN] = "it goes along with signatures",
        [SEAL_ENDING_ANCHOR] = "it vouches for others, as the configuration says",
        [SEAL_ENDING_AUTHORITY] = "it vouches for others",
        [SEAL_ENDING_RECIPIENT] = "mail is encrypted to it",
    };

    return ending->key ? g_strdup_printf("%s; %s", format_name(ending->key), roles[ending->what])
                       : g_strdup(ending->check);
}

char *remind_when(const SealEnding *ending, gint64 now)
{
    g_autofree char *day = seal_text_day(ending->until);
    gint64 left = (ending->until - now) / DAY;

    if (ending->until <= 0)
        return g_strdup("has ended");
    if (ending->until <= now)
        return g_strdup_printf("expired on %s", day);
    if (left == 0)
        return g_strdup_printf("expires on %s, within a day", day);
    return g_strdup_printf("expires on %s, in %" G_GINT64_FORMAT " day%s", day, left,
                           left == 1 ? "" : "s");
}

static void append_line(GString *body, const char *name, const char *value)
{
    g_autofree char *shown = remind_text(value);

    if (*shown)
        g_string_append_printf(body, "  %s: %s\n", name, shown);
}

/* A path is the operator's. */
static void append_place(GString *body, const SealKey *key)
{
    const char *source = seal_key_source(key) ? seal_key_source(key) : "";
    const char *place = seal_key_place(key) ? seal_key_place(key) : "";
    g_autofree char *text = g_strdup_printf("%s%s%s", source, *place ? ", " : "", place);
    g_autofree char *line = seal_text_line(text, strlen(text), MAX_LINE);

    if (*line)
        g_string_append_printf(body, "  where: %s\n", line);
}

static void append_item(GString *body, const RemindItem *item, gint64 now)
{
    const SealEnding *ending = item->ending;
    g_autofree char *kind = remind_kind(ending), *when = remind_when(ending, now);
    g_autofree char *names = ending->key ? ctl_key_addresses(ending->key) : g_strdup("");
    g_autofree char *shown = remind_text(*names ? names : ending->text);

    g_string_append_printf(body, "\n- %s: %s\n", shown, when);
    g_string_append_printf(body, "  what: %s\n", kind);
    if (*names || !ending->key)
        append_line(body, "name", ending->text);
    if (!ending->key)
        return;
    g_string_append_printf(body, "  fingerprint: %s\n", seal_key_fingerprint(ending->key));
    append_place(body, ending->key);
    if (ending->successor) {
        g_autofree char *until = seal_text_day(seal_key_valid_until(ending->successor));
        g_string_append_printf(body, "  replaced by: %s, until %s\n",
                               seal_key_fingerprint(ending->successor), until);
    }
}

/* -------------------------------------------------------------------------------------------
 * The message around them
 */

static gboolean is_plain(const char *body)
{
    gsize length = 0;

    for (const char *at = body; *at; at++) {
        length = *at == '\n' ? 0 : length + 1;
        if ((guchar)*at >= 0x80 || length > MAX_LINE)
            return FALSE;
    }
    return TRUE;
}

/* With lines of 76. */
static void append_base64(GString *message, const char *body)
{
    g_autofree char *text = g_base64_encode((const guchar *)body, strlen(body));

    for (const char *at = text; *at; at += strnlen(at, 76))
        g_string_append_printf(message, "%.76s\n", at);
}

static char *join_addresses(const GPtrArray *addresses)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < addresses->len; i++)
        g_string_append_printf(text, "%s<%s>", i > 0 ? ",\n " : "",
                               seal_address_text(g_ptr_array_index(addresses, i)));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Nothing in the header is a key's: addresses are as seal_address_text() has them, ASCII alone, and
 * @subject is made of words, numbers and the host's name. */
static char *make_message(const RemindLetter *letter, const char *subject, const char *body)
{
    g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(letter->now);
    g_autofree char *date = g_date_time_format(now, "%a, %d %b %Y %H:%M:%S +0000");
    g_autofree char *to = join_addresses(letter->to);
    gboolean plain = is_plain(body);
    GString *message = g_string_new(NULL);

    g_string_append_printf(message,
                           "From: Sealpipe <%s>\n"
                           "To: %s\n"
                           "Subject: %s\n"
                           "Date: %s\n"
                           "Message-ID: <%s@%s>\n"
                           "Auto-Submitted: auto-generated\n"
                           "MIME-Version: 1.0\n"
                           "Content-Type: text/plain; charset=utf-8\n"
                           "Content-Transfer-Encoding: %s\n\n",
                           seal_address_text(letter->from), to, subject, date, letter->id,
                           seal_address_domain(letter->from), plain ? "7bit" : "base64");
    if (plain)
        g_string_append(message, body);
    else
        append_base64(message, body);
    return g_string_free(message, FALSE);
}

/* -------------------------------------------------------------------------------------------
 * To the administrator
 */

static gboolean is_own(const SealEnding *ending)
{
    return ending->what <= SEAL_ENDING_CHECK;
}

static guint count_ended(const RemindLetter *letter)
{
    guint count = 0;

    for (guint i = 0; i < letter->items->len; i++)
        count += g_array_index(letter->items, RemindItem, i).step == 0;
    return count;
}

static void append_section(GString *body, const RemindLetter *letter, gboolean own,
                           const char *title, const char *advice)
{
    guint count = 0;

    for (guint i = 0; i < letter->items->len; i++) {
        const RemindItem *item = &g_array_index(letter->items, RemindItem, i);

        if (is_own(item->ending) != own)
            continue;
        if (count == 0)
            g_string_append_printf(body, "\n%s\n", title);
        if (++count <= MAX_ITEMS)
            append_item(body, item, letter->now);
    }
    if (count > MAX_ITEMS)
        g_string_append_printf(body, "\nand %u more, which sealctl keys list --expiring 30d has\n",
                               count - MAX_ITEMS);
    if (count > 0)
        g_string_append_printf(body, "\n%s\n", advice);
}

static void append_note(GString *body, const char *before, const char *text)
{
    g_autofree char *line = text ? seal_text_line(text, strlen(text), MAX_LINE) : NULL;

    if (line)
        g_string_append_printf(body, "\n%s%s\n", before, line);
}

char *remind_letter_to_admin(const RemindLetter *letter)
{
    guint ended = count_ended(letter), soon = letter->items->len - ended;
    g_autoptr(GString) body = g_string_new("Sealpipe");
    g_autoptr(GString) subject = g_string_new("Sealpipe");

    if (letter->host) {
        g_string_append_printf(subject, " on %s", letter->host);
        g_string_append_printf(body, " on %s", letter->host);
    }
    g_string_append(subject, ": keys: ");
    if (soon > 0)
        g_string_append_printf(subject, "%u expire%s soon%s", soon, soon == 1 ? "s" : "",
                               ended > 0 ? ", " : "");
    if (ended > 0)
        g_string_append_printf(subject, "%u ha%s expired", ended, ended == 1 ? "s" : "ve");
    g_string_append(body, ": what expires soon, or has expired.\n");
    append_section(body, letter, TRUE, "What is this installation's own:",
                   "Renew it, or put another one in its place: sealctl keys add --server FILE for\n"
                   "private keys with their certificates, sealctl license install FILE for a "
                   "licence;\nelse where it says.");
    append_section(body, letter, FALSE, "What belongs to those whom mail goes to:",
                   "Have its owner send a new one: sealctl keys add FILE takes it in. Without one, "
                   "[policy]\nfallback says what becomes of mail to him.");
    append_note(body, "Not all could be looked at: ", letter->trouble);
    append_note(body, "What was said before is not known, so that all is said that is due: ",
                letter->damage);
    g_string_append(body, "\nsealctl keys remind --dry-run lists all of it. [expiry] in the "
                          "configuration says\nwho is told, and when.\n");
    return make_message(letter, subject->str, body->str);
}

/* -------------------------------------------------------------------------------------------
 * To an owner
 */

static void append_owned(GString *body, const RemindItem *item, gint64 now)
{
    const SealKey *key = item->ending->key;
    g_autofree char *when = remind_when(item->ending, now);
    g_autofree char *name = remind_text(item->ending->text);

    g_string_append_printf(body, "  %s of %s\n  fingerprint %s\n  It %s.\n\n", format_name(key),
                           *name ? name : "yours", seal_key_fingerprint(key), when);
}

static gboolean have_all_ended(const RemindLetter *letter)
{
    return count_ended(letter) == letter->items->len;
}

static gboolean has_format(const RemindLetter *letter, const char *format)
{
    for (guint i = 0; i < letter->items->len; i++) {
        const RemindItem *item = &g_array_index(letter->items, RemindItem, i);

        if (g_str_equal(seal_key_format(item->ending->key), format))
            return TRUE;
    }
    return FALSE;
}

static void append_advice(GString *body, const RemindLetter *letter)
{
    gboolean smime = has_format(letter, "smime"), pgp = has_format(letter, "pgp");

    g_string_append(body, "What to do:\n\n");
    if (smime || !pgp)
        g_string_append(body, "- Get a new certificate, and sign a message with it.\n");
    if (pgp)
        g_string_append(body, "- Extend your OpenPGP key or make a new one, and attach the public "
                              "key to a message.\n");
    g_string_append_printf(body,
                           "- Send that to %s. Never send a private key to anybody.\n\n"
                           "If you have done so already, you need do nothing.\n\n",
                           seal_address_text(letter->mended));
}

char *remind_letter_to_owner(const RemindLetter *letter)
{
    const char *address = seal_address_text(g_ptr_array_index(letter->to, 0));
    const SealEnding *first = g_array_index(letter->items, RemindItem, 0).ending;
    g_autofree char *when = remind_when(first, letter->now);
    g_autofree char *subject = g_strdup_printf("Your key for encrypted mail %s", when);
    g_autoptr(GString) body = g_string_new("Hello,\n\n");

    g_string_append_printf(body,
                           "mail from %s to you, %s,\n"
                           "is encrypted, so that you alone can read it. That is done with:\n\n",
                           seal_address_domain(letter->from), address);
    for (guint i = 0; i < MIN(letter->items->len, MAX_ITEMS); i++)
        append_owned(body, &g_array_index(letter->items, RemindItem, i), letter->now);
    g_string_append(body, have_all_ended(letter)
                              ? "Mail to you can no longer be encrypted with it, and may not reach "
                                "you.\n\n"
                              : "After that, mail to you can no longer be encrypted with it, and "
                                "may not reach\nyou.\n\n");
    if (letter->instead)
        g_string_append_printf(body, "%s%s\n", letter->instead,
                               g_str_has_suffix(letter->instead, "\n") ? "" : "\n");
    else
        append_advice(body, letter);
    g_string_append(body, "This message was made by a program.\n");
    return make_message(letter, subject, body->str);
}
