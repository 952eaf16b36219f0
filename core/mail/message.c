/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * message.c: splices messages. Bytes move between inside and outside; none is rendered anew.
 */
#include "core/mail/message.h"

#include "core/base/spool.h"
#include "core/mail/entity.h"
#include "core/mail/mime.h"
#include "core/mail/words.h"

#include <string.h>

enum {
    MAX_NAME = 70,  /* of a field that is written here */
    MAX_LINE = 998, /* RFC 5322 2.1.1 */
    MAX_ADDRESSES = 20000,
    MAX_CONTENT_TYPE = 64 * 1024, /* as mime.h has it */
};

struct SealMessage {
    SealEntity *entity;
};

/* They name recipients that others must not see, or the envelope. */
static const char *const PRIVATE_FIELDS[] = {"Bcc", "Resent-Bcc", "Return-path", NULL};
/* Signatures over the message as it was (RFC 6376, RFC 8617). */
static const char *const SPENT_FIELDS[] = {"DKIM-Signature", "ARC-Seal", "ARC-Message-Signature",
                                           "ARC-Authentication-Results", NULL};

/* A field that a library reads must be no longer than that is good for; another would then be a
 * message of another kind for those who read it all. */
static gboolean check_structured(const SealHeader *header, GError **error)
{
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (field->length > MAX_CONTENT_TYPE && seal_field_is(header, field, "Content-Type")) {
            g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "Content-Type has more than %d octets",
                        MAX_CONTENT_TYPE);
            return FALSE;
        }
    }
    return TRUE;
}

SealMessage *seal_message_new(SealContent *content, GError **error)
{
    if (seal_content_size(content) == 0) {
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE,
                            "no message: the input is empty");
        return NULL;
    }

    SealHeader *header = seal_header_read(content, TRUE, error);
    if (!header)
        return NULL;
    if (header->fault)
        g_set_error_literal(error, SEAL_ERROR, SEAL_ERROR_MESSAGE, header->fault);
    if (header->fault || !check_structured(header, error)) {
        seal_header_free(header);
        return NULL;
    }
    SealMessage *message = g_new0(SealMessage, 1);
    message->entity = seal_entity_new(content, header, 0);
    return message;
}

void seal_message_free(SealMessage *message)
{
    if (!message)
        return;
    seal_entity_free(message->entity);
    g_free(message);
}

SealEntity *seal_message_entity(SealMessage *message)
{
    return message->entity;
}

const SealHeader *seal_message_header(const SealMessage *message)
{
    return seal_entity_header(message->entity);
}

char *seal_message_return_path(SealMessage *message)
{
    const char *value = seal_entity_field(message->entity, "Return-path");
    if (!value)
        return NULL;

    gsize length = strlen(value);
    if (length >= 2 && value[0] == '<' && value[length - 1] == '>')
        return g_strndup(value + 1, length - 2);
    return g_strdup(value);
}

gboolean seal_message_each_address(SealMessage *message, const char *const *names,
                                   SealMailboxVisitor visit, gpointer user_data, GError **error)
{
    const SealHeader *header = seal_message_header(message);
    SealMailboxCount count = {.most = MAX_ADDRESSES};

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is_any(header, field, names))
            continue;
        g_autofree char *value = seal_field_value(header, field);
        if (!seal_mailbox_each(value, &count, visit, user_data, error))
            return FALSE;
    }
    return TRUE;
}

/* -------------------------------------------------------------------------------------------
 * Fields
 */

static SealContent *join_text(GString *text, SealContent *rest)
{
    g_autoptr(GBytes) bytes = g_string_free_to_bytes(text);
    g_autoptr(SealContent) front = seal_content_new(bytes);

    return seal_content_join(front, rest);
}

/* -------------------------------------------------------------------------------------------
 * Tags
 */

/* Text without a tag, as it grows. */
typedef struct {
    GString *left;
    const char *tag;
    gsize length; /* of the tag */
    gsize floor;  /* what stands before it stays as it is */
} Cut;

/* Appends @c, unless it is the last of a tag, which then goes: what is left of others around it may
 * be one as well. TRUE where one went. */
static gboolean cut_append(Cut *cut, char c)
{
    GString *left = cut->left;

    g_string_append_c(left, c);
    if (left->len < cut->floor + cut->length ||
        g_ascii_strncasecmp(left->str + left->len - cut->length, cut->tag, cut->length) != 0)
        return FALSE;
    g_string_truncate(left, left->len - cut->length);
    return TRUE;
}

/* A blank that begins a line keeps it one of the field's. */
static gboolean ends_in_blank(const Cut *cut)
{
    const GString *left = cut->left;

    return left->len > cut->floor && left->str[left->len - 1] == ' ' &&
           (left->len < 2 || left->str[left->len - 2] != '\n');
}

/* Cuts every @tag out of the text from @text to @end, each with one of the blanks around it. */
static void cut_text(Cut *cut, const char *text, const char *end)
{
    for (const char *c = text; c < end; c++) {
        if (!cut_append(cut, *c))
            continue;
        if (c + 1 < end && c[1] == ' ')
            c++;
        else if (ends_in_blank(cut))
            g_string_truncate(cut->left, cut->left->len - 1);
    }
}

static char *cut_tag(const char *text, const char *tag)
{
    Cut cut = {g_string_new(NULL), tag, strlen(tag), 0};

    cut_text(&cut, text, text + strlen(text));
    return g_string_free(cut.left, FALSE);
}

/* Likewise, without a look into encoded words. */
static char *cut_between_words(const char *text, const char *tag)
{
    Cut cut = {g_string_new(NULL), tag, strlen(tag), 0};
    const char *end = NULL, *word;

    for (; (word = seal_words_find(text, &end)); text = end) {
        cut_text(&cut, text, word);
        g_string_append_len(cut.left, word, end - word);
        cut.floor = cut.left->len;
    }
    cut_text(&cut, text, text + strlen(text));
    return g_string_free(cut.left, FALSE);
}

static gboolean has_tag(const char *value, const char *tag)
{
    g_autofree char *lower_tag = g_ascii_strdown(tag, -1);
    gboolean found = FALSE;

    for (guint i = 0; i < SEAL_READINGS && !found; i++) {
        g_autofree char *text = seal_words_decode(value, (SealReading)i);
        g_autofree char *lower = g_ascii_strdown(text, -1);

        found = strstr(lower, lower_tag) != NULL;
    }
    return found;
}

/* The lines of a value, but those of blanks alone, which would end the header for some. */
static char *tidy_lines(const char *value, const char *eol)
{
    g_auto(GStrv) lines = g_strsplit(value, "\n", -1);
    GString *out = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (i > 0 && strspn(lines[i], " \t\r") == strlen(lines[i]))
            continue;
        g_string_append_printf(out, "%s%s", i > 0 ? eol : "", g_strchomp(lines[i]));
    }
    return g_string_free(out, FALSE);
}

/* Where the tag stands as it is, only its octets go; where it is encoded, the value is written
 * anew. FALSE where it is not there. */
static gboolean append_untagged(GString *out, const SealHeader *header, const SealField *field,
                                const char *tag)
{
    g_autofree char *value = seal_field_value(header, field);

    if (!has_tag(value, tag)) {
        seal_header_append(out, header, field);
        return FALSE;
    }
    const char *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;
    const char *behind = (const char *)memchr(start, ':', field->length) + 1;
    g_autofree char *raw = seal_field_raw(header, field);
    g_autofree char *cut = cut_between_words(raw, tag);
    g_autofree char *lines = tidy_lines(cut, header->eol);
    g_autofree char *unfolded = tidy_lines(cut, "");

    g_string_append_len(out, start, behind - start);
    if (!has_tag(unfolded, tag)) {
        g_string_append_printf(out, "%s%s", lines, header->eol);
        return TRUE;
    }
    g_autofree char *text = seal_words_decode(value, SEAL_READING_LAX);
    g_autofree char *left = g_strstrip(cut_tag(text, tag));
    g_autofree char *encoded = seal_words_encode(left, header->eol);
    /* What no reader but the strangest sees may still be in it. */
    if (has_tag(encoded, tag))
        g_clear_pointer(&encoded, g_free);
    g_string_append_printf(out, " %s%s", encoded ? encoded : "", header->eol);
    return TRUE;
}

/* @header without the signatures over what was changed. (transfer full) */
static GString *header_without_spent(const SealHeader *header)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is_any(header, field, SPENT_FIELDS))
            seal_header_append(out, header, field);
    }
    return out;
}

/* (transfer full) */
static SealMessage *message_without_spent(SealMessage *message, GError **error)
{
    const SealHeader *header = seal_message_header(message);
    g_autoptr(SealContent) rest =
        seal_content_slice(seal_entity_content(message->entity), header->block_end, G_MAXUINT64);
    g_autoptr(SealContent) whole = join_text(header_without_spent(header), rest);

    return seal_message_new(whole, error);
}

SealMessage *seal_message_without_tag(SealMessage *message, const char *tag, GError **error)
{
    const SealHeader *header = seal_message_header(message);
    SealContent *content = seal_entity_content(message->entity);
    GString *front = g_string_new(NULL);
    gboolean changed = FALSE;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is(header, field, "Subject"))
            changed = append_untagged(front, header, field, tag) || changed;
        else
            seal_header_append(front, header, field);
    }
    g_autoptr(SealContent) rest = seal_content_slice(content, header->block_end, G_MAXUINT64);
    g_autoptr(SealContent) whole = join_text(front, rest);
    g_autoptr(SealMessage) untagged = seal_message_new(whole, error);
    return untagged && changed ? message_without_spent(untagged, error)
                               : g_steal_pointer(&untagged);
}

/* -------------------------------------------------------------------------------------------
 * Splicing
 */

SealContent *seal_message_inner(SealMessage *message)
{
    const SealHeader *header = seal_message_header(message);
    GString *front = g_string_new(NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);
        if (seal_field_is_content(header, field))
            seal_header_append(front, header, field);
    }
    if (front->len == 0)
        g_string_append_printf(front, "Content-Type: text/plain%s", header->eol);
    g_string_append(front, header->eol);
    return join_text(front, seal_entity_body(message->entity));
}

/* RFC 2045 4: "1.0", comments aside. */
static gboolean is_version_1(const SealHeader *header, const SealField *field)
{
    g_autofree char *value = seal_field_value(header, field);

    return g_str_has_prefix(value, "1.0") && (!value[3] || strchr(" \t(", value[3]));
}

SealContent *seal_message_wrap(SealMessage *message, SealContent *entity)
{
    const SealHeader *header = seal_message_header(message);
    GString *front = g_string_new(NULL);
    gboolean versioned = FALSE;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is_content(header, field) ||
            seal_field_is_any(header, field, PRIVATE_FIELDS) ||
            seal_field_is_any(header, field, SPENT_FIELDS))
            continue;
        if (seal_field_is(header, field, "MIME-Version")) {
            if (versioned || !is_version_1(header, field))
                continue;
            versioned = TRUE;
        }
        seal_header_append_tidy(front, header, field);
    }
    if (!versioned)
        g_string_append_printf(front, "MIME-Version: 1.0%s", header->eol);
    return join_text(front, entity);
}

const char *seal_message_private_field(SealMessage *message)
{
    for (const char *const *name = PRIVATE_FIELDS; *name; name++) {
        if (seal_header_find(seal_message_header(message), *name))
            return *name;
    }
    return NULL;
}

static gboolean has_blank_line(const SealHeader *header)
{
    for (guint i = 0; i < header->fields->len; i++) {
        if (seal_field_has_blank_line(header, &g_array_index(header->fields, SealField, i)))
            return TRUE;
    }
    return FALSE;
}

SealContent *seal_message_clear(SealMessage *message, gboolean tidy)
{
    const SealHeader *header = seal_message_header(message);
    SealContent *content = seal_entity_content(message->entity);

    tidy = tidy && has_blank_line(header);
    if (!tidy && !header->from_line && !seal_message_private_field(message))
        return seal_content_ref(content);

    GString *front = g_string_new(NULL);
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);
        if (seal_field_is_any(header, field, PRIVATE_FIELDS))
            continue;
        if (tidy)
            seal_header_append_tidy(front, header, field);
        else
            seal_header_append(front, header, field);
    }
    /* What ended the header comes along as it was: an empty line, or none. Where no field is left,
     * the body would otherwise be read as a header. */
    if (front->len == 0 && header->block_end == header->body_offset)
        g_string_append(front, header->eol);
    g_autoptr(SealContent) rest = seal_content_slice(content, header->block_end, G_MAXUINT64);
    return join_text(front, rest);
}

gboolean seal_message_without_rest(SealMessage *message, SealMessage **ret_parts, GError **error)
{
    SealContent *body = seal_entity_body(message->entity);
    guint64 start, end;
    GPtrArray *parts;

    *ret_parts = NULL;
    if (!seal_entity_parts(message->entity, &parts, error))
        return FALSE;
    if (!seal_entity_frame(message->entity, &start, &end) ||
        (start == 0 && end == seal_content_size(body)))
        return TRUE;
    const SealHeader *header = seal_message_header(message);
    g_autoptr(SealContent) end_of_header =
        seal_content_slice(seal_entity_content(message->entity), header->block_end,
                           header->body_offset - header->block_end);
    g_autoptr(SealContent) front = join_text(header_without_spent(header), end_of_header);
    g_autoptr(SealContent) framed = seal_content_slice(body, start, end - start);
    g_autoptr(SealContent) both = seal_content_join(front, framed);
    *ret_parts = seal_message_new(both, error);
    return *ret_parts != NULL;
}

SealContent *seal_message_match_line_ends(SealMessage *message, SealContent *entity,
                                          GOutputStream *spool, GError **error)
{
    if (seal_message_header(message)->eol[0] == '\n')
        return seal_content_ref(entity);

    g_autoptr(GInputStream) stream = seal_content_read_canonical(entity);
    return seal_spool_copy(spool, stream, NULL, error) ? seal_spool_finish(spool, error) : NULL;
}

/* -------------------------------------------------------------------------------------------
 * A field in place of another
 */

/* RFC 5322 2.2: a name is printable ASCII without the colon. */
static gboolean check_field(const char *name, const char *value, GError **error)
{
    gboolean ok = *name && strlen(name) <= MAX_NAME && g_utf8_validate(value, -1, NULL);

    for (const char *c = name; *c && ok; c++)
        ok = g_ascii_isgraph(*c) && *c != ':';
    for (const char *c = value; *c && ok; c++)
        ok = !g_ascii_iscntrl(*c) || *c == '\t';
    if (!ok)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_MESSAGE,
                    "the header field %s cannot be written: a name is printable ASCII without a "
                    "colon, a value one line of UTF-8",
                    name);
    return ok;
}

static char *new_field(const SealHeader *header, const char *name, const char *value,
                       GError **error)
{
    g_autofree char *encoded = g_str_is_ascii(value) ? g_strdup(value) : seal_mime_encode(value);
    char *field = g_strconcat(name, ": ", encoded, header->eol, NULL);

    if (strlen(field) - strlen(header->eol) <= MAX_LINE)
        return field;
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT,
                "the header field %s would have more than %d octets in a line", name, MAX_LINE);
    g_free(field);
    return NULL;
}

SealContent *seal_message_with_field(SealMessage *message, const char *name, const char *value,
                                     GError **error)
{
    const SealHeader *header = seal_message_header(message);
    SealContent *content = seal_entity_content(message->entity);
    g_autofree char *new =
        check_field(name, value, error) ? new_field(header, name, value, error) : NULL;

    if (!new)
        return NULL;
    GString *front = seal_header_replace(header, name, new);
    /* Where no empty line ends the header, one must: the body is not to be read as fields. */
    if (header->block_end == header->body_offset)
        g_string_append(front, header->eol);
    g_autoptr(SealContent) rest = seal_content_slice(content, header->block_end, G_MAXUINT64);
    return join_text(front, rest);
}
