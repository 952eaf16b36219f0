/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bounce.c: reads delivery reports, and writes them anew without what others have put into them.
 * Anybody can send what looks like one.
 */
#include "core/mail/bounce.h"

#include "core/base/content.h"
#include "core/mail/entity.h"

#include <string.h>

enum {
    MAX_STATUS = 64 * 1024, /* of a status part */
    MAX_GROUPS = 100,       /* recipients that are named */
    MAX_LOCAL = 64,         /* RFC 5321 4.5.3.1.1 */
};

static const char SUBJECT[] = "Delivery report";

static const char SENTENCE[] =
    "This is a report of what became of a message that was sent from your\n"
    "address: for each of its recipients named below, whether it was delivered,\n"
    "is delayed or failed. The report could not be encrypted to you. Its own\n"
    "words, and what it returned of the message, were therefore not sent.\n";

static const char *const KEPT[] = {"Received", "From", "To", "Date", "Message-ID", NULL};

static const char *const STATUS_TYPES[] = {"message/delivery-status",
                                           "message/global-delivery-status", NULL};

static gboolean is_report(SealEntity *entity)
{
    return g_str_equal(seal_entity_type(entity), "multipart/report");
}

gboolean seal_bounce_returns(SealMessage *message)
{
    static const char *const returned[] = {"message/rfc822",      "message/global",
                                           "text/rfc822-headers", "message/global-headers",
                                           "message/partial",     NULL};
    SealEntity *entity = seal_message_entity(message);
    GPtrArray *parts = NULL;

    if (!is_report(entity))
        return FALSE;
    if (!seal_entity_parts(entity, &parts, NULL) || parts->len == 0)
        return TRUE;
    for (guint i = 0; i < parts->len; i++) {
        if (g_strv_contains(returned, seal_entity_type(g_ptr_array_index(parts, i))))
            return TRUE;
    }
    return FALSE;
}

gboolean seal_bounce_is_status(SealMessage *message)
{
    SealEntity *entity = seal_message_entity(message);
    const char *type = seal_entity_parameter(entity, "report-type");

    return is_report(entity) && type && g_ascii_strcasecmp(type, "delivery-status") == 0;
}

/* -------------------------------------------------------------------------------------------
 * Values. Each is written anew, or NULL where it is not wholly of its form. (transfer full)
 */

/* Without the blanks, and without a comment behind it. */
static char *bare_value(const char *value)
{
    const char *comment = strchr(value, '(');

    return g_strstrip(comment ? g_strndup(value, (gsize)(comment - value)) : g_strdup(value));
}

/* Beyond ASCII, letters, digits and their marks: what Unicode has for blanks would make a text. */
static gboolean is_one_word(const char *local)
{
    for (const char *c = local; *c; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);

        if (u >= 0x80 && !g_unichar_isalnum(u) && !g_unichar_ismark(u))
            return FALSE;
    }
    return TRUE;
}

/* RFC 3464 2.3.1 and RFC 6533 3. */
static char *address_value(const char *value)
{
    const char *semicolon = strchr(value, ';');
    g_autofree char *type =
        semicolon ? g_strstrip(g_strndup(value, (gsize)(semicolon - value))) : NULL;

    if (!type ||
        (g_ascii_strcasecmp(type, "rfc822") != 0 && g_ascii_strcasecmp(type, "utf-8") != 0))
        return NULL;
    g_autofree char *text = g_strstrip(g_strdup(semicolon + 1));
    gsize length = strlen(text);
    gboolean angled = length > 2 && text[0] == '<' && text[length - 1] == '>';
    g_autofree char *bare = angled ? g_strndup(text + 1, length - 2) : g_strdup(text);
    g_autoptr(SealAddress) address = seal_address_parse(bare, NULL);
    if (!address || !is_one_word(seal_address_local(address)) ||
        strlen(seal_address_local(address)) > MAX_LOCAL || *seal_address_text(address) == '"' ||
        *seal_address_domain(address) == '[')
        return NULL;
    return g_strdup_printf("%s; %s",
                           g_str_is_ascii(seal_address_text(address)) ? "rfc822" : "utf-8",
                           seal_address_text(address));
}

static char *host_value(const char *value)
{
    const char *semicolon = strchr(value, ';');

    if (!semicolon || g_ascii_strncasecmp(value, "dns", 3) != 0)
        return NULL;
    g_autofree char *host = bare_value(semicolon + 1);
    g_autofree char *probe = g_strconcat("x@", host, NULL);
    g_autoptr(SealAddress) address = seal_address_parse(probe, NULL);
    if (!address || *seal_address_domain(address) == '[')
        return NULL;
    return g_strconcat("dns; ", seal_address_domain(address), NULL);
}

static char *action_value(const char *value)
{
    static const char *const actions[] = {"failed",  "delayed",  "delivered",
                                          "relayed", "expanded", NULL};
    g_autofree char *bare = bare_value(value);
    g_autofree char *lower = g_ascii_strdown(bare, -1);

    return g_strv_contains(actions, lower) ? g_steal_pointer(&lower) : NULL;
}

/* RFC 3463 2. */
static char *status_value(const char *value)
{
    g_autofree char *bare = bare_value(value);

    return g_regex_match_simple("^[245]\\.\\d{1,3}\\.\\d{1,3}$", bare, 0, 0)
               ? g_steal_pointer(&bare)
               : NULL;
}

/* RFC 5322 3.3. */
static char *date_value(const char *value)
{
    static const char form[] =
        "^((Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\\d{1,2} "
        "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \\d{4} \\d\\d:\\d\\d(:\\d\\d)? "
        "([+-]\\d{4}|GMT|UT)$";
    g_autofree char *bare = bare_value(value);

    return g_regex_match_simple(form, bare, 0, 0) ? g_steal_pointer(&bare) : NULL;
}

typedef struct {
    const char *name;
    char *(*read)(const char *value);
} StatusField;

static const StatusField OF_MESSAGE[] = {
    {"Reporting-MTA", host_value}, {"Arrival-Date", date_value}, {NULL, NULL}};

static const StatusField OF_RECIPIENT[] = {
    {"Original-Recipient", address_value},
    {"Final-Recipient", address_value},
    {"Action", action_value},
    {"Status", status_value},
    {"Last-Attempt-Date", date_value},
    {"Will-Retry-Until", date_value},
    {NULL, NULL},
};

/* -------------------------------------------------------------------------------------------
 * The status part
 */

/* Appends the known fields of a group; the number of them. */
static guint append_group(GString *out, const char *group, const StatusField *known)
{
    g_auto(GStrv) lines = g_strsplit(group, "\n", -1);
    guint count = 0;

    for (; known->name; known++) {
        gsize length = strlen(known->name);
        g_autofree char *value = NULL;

        for (guint i = 0; lines[i] && !value; i++) {
            if (g_ascii_strncasecmp(lines[i], known->name, length) == 0 && lines[i][length] == ':')
                value = known->read(g_strstrip(lines[i] + length + 1));
        }
        if (value) {
            g_string_append_printf(out, "%s: %s\n", known->name, value);
            count++;
        }
    }
    return count;
}

/* A group about nobody is none. */
static gboolean names_recipient(const char *group)
{
    return strstr(group, "Final-Recipient: ") || strstr(group, "Original-Recipient: ");
}

static gboolean is_blank_line(const char *line)
{
    return line[strspn(line, " \t\r")] == '\0';
}

/* The groups, each with its lines unfolded. (transfer full) */
static GPtrArray *split_groups(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GPtrArray *groups = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) group = g_string_new(NULL);

    for (guint i = 0;; i++) {
        if (lines[i] && !is_blank_line(lines[i])) {
            g_strchomp(lines[i]);
            if (group->len > 0 && !strchr(" \t", lines[i][0]))
                g_string_append_c(group, '\n');
            g_string_append(group, lines[i]);
            continue;
        }
        if (group->len > 0)
            g_ptr_array_add(groups, g_strndup(group->str, group->len));
        g_string_truncate(group, 0);
        if (!lines[i])
            return groups;
    }
}

/* NULL where it tells of no recipient. */
static char *reduce_status(const char *text)
{
    g_autoptr(GPtrArray) groups = split_groups(text);
    g_autoptr(GString) out = g_string_new(NULL);
    guint named = 0;

    for (guint i = 0; i < groups->len && named < MAX_GROUPS; i++) {
        g_autoptr(GString) group = g_string_new(NULL);
        const char *came = g_ptr_array_index(groups, i);

        if (i == 0)
            append_group(out, came, OF_MESSAGE);
        append_group(group, came, OF_RECIPIENT);
        if (!names_recipient(group->str))
            continue;
        g_string_append_printf(out, "%s%s", out->len > 0 ? "\n" : "", group->str);
        named++;
    }
    return named > 0 ? g_strndup(out->str, out->len) : NULL;
}

static char *decode_body(SealEntity *part, GBytes *bytes)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autofree char *text = g_strndup(data, size);

    if (g_str_equal(seal_entity_encoding(part), "base64") && *text) {
        g_base64_decode_inplace(text, &size);
        return g_utf8_make_valid(text, (gssize)size);
    }
    if (g_str_equal(seal_entity_encoding(part), "quoted-printable")) {
        g_autoptr(GString) joined = g_string_new(text);
        /* Soft line breaks; what else is quoted is in no value that is kept. */
        g_string_replace(joined, "=\r\n", "", 0);
        g_string_replace(joined, "=\n", "", 0);
        return g_utf8_make_valid(joined->str, -1);
    }
    return g_utf8_make_valid(text, -1);
}

/* The first status part counts. *@status is NULL where there is none that tells anything. */
static gboolean read_status(SealEntity *entity, char **status, GError **error)
{
    GPtrArray *parts = NULL;

    *status = NULL;
    if (!seal_entity_parts(entity, &parts, error))
        return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        SealEntity *part = g_ptr_array_index(parts, i);

        if (!g_strv_contains(STATUS_TYPES, seal_entity_type(part)))
            continue;
        g_autoptr(SealContent) front = seal_content_slice(seal_entity_body(part), 0, MAX_STATUS);
        g_autoptr(GBytes) bytes = seal_content_to_bytes(front, MAX_STATUS, error);
        g_autofree char *text = bytes ? decode_body(part, bytes) : NULL;
        *status = text ? reduce_status(text) : NULL;
        return text != NULL;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * The whole
 */

static SealContent *write_report(const SealHeader *header, const char *status)
{
    g_autofree char *boundary = g_strdup_printf("=_%08x%08x", g_random_int(), g_random_int());
    gboolean ascii = g_str_is_ascii(status);
    g_autoptr(GString) own = g_string_new(NULL);
    g_autoptr(GString) whole = g_string_new(NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);
        if (seal_field_is_any(header, field, KEPT))
            seal_header_append_tidy(whole, header, field);
    }
    g_string_append_printf(own,
                           "Subject: %s\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
                           "Content-Type: multipart/report; report-type=delivery-status;\n"
                           " boundary=\"%s\"\n\n--%s\n"
                           "Content-Type: text/plain; charset=us-ascii\n\n%s\n--%s\n",
                           SUBJECT, boundary, boundary, SENTENCE, boundary);
    g_string_append(own, ascii ? "Content-Type: message/delivery-status\n\n"
                               : "Content-Type: message/global-delivery-status\n"
                                 "Content-Transfer-Encoding: 8bit\n\n");
    g_string_append_printf(own, "%s\n--%s--\n", status, boundary);
    if (header->eol[0] == '\r')
        g_string_replace(own, "\n", "\r\n", 0);
    g_string_append_len(whole, own->str, (gssize)own->len);
    return seal_content_new_copy(whole->str, whole->len);
}

gboolean seal_bounce_reduce(SealMessage *message, SealContent **reduced, GError **error)
{
    g_autofree char *status = NULL;

    *reduced = NULL;
    if (!seal_bounce_is_status(message))
        return TRUE;
    if (!read_status(seal_message_entity(message), &status, error))
        return FALSE;
    if (status)
        *reduced = write_report(seal_message_header(message), status);
    return TRUE;
}
