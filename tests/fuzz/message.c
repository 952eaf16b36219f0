/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * message.c: fuzzes header blocks, splicing, and the MIME view.
 */
#include "fuzz.h"

#include "core/mail/author.h"
#include "core/mail/entity.h"
#include "core/mail/message.h"

#include <string.h>

enum {
    MAX_ENTITIES = 300, /* looked at in one message */
    MAX_DEPTH = 100,    /* what core allows */
};

static const char ENTITY[] =
    "Content-Type: application/pkcs7-mime\nContent-Description: x\n\nMII=\n";

/* -------------------------------------------------------------------------------------------
 * The header
 */

/* The fields are all of the block, without a gap. */
static void check_header(const SealHeader *header, guint64 size)
{
    gsize at = 0;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);
        g_autofree char *value = seal_field_value(header, field);

        g_assert_cmpuint(field->offset, ==, at);
        g_assert_cmpuint(field->name_length, >, 0);
        g_assert_cmpuint(field->name_length, <, field->length);
        g_assert_null(strchr(value, '\n'));
        at += field->length;
    }
    g_assert_cmpuint(at, ==, g_bytes_get_size(header->block));
    g_assert_true(header->broken_off || header->body_offset - header->block_end <= 2);
    g_assert_cmpuint(header->body_offset, <=, size);
}

/* RFC 5322 4.5.8: blanks may stand before the colon, of From too. */
static void check_first_line(const SealHeader *header, const uint8_t *data, size_t size)
{
    size_t at = strlen("From");

    if (size < at || memcmp(data, "From", at) != 0)
        return;
    while (at < size && (data[at] == ' ' || data[at] == '\t'))
        at++;
    if (at < size && data[at] == ':')
        g_assert_cmpuint(seal_header_count(header, "From"), >, 0);
}

/* -------------------------------------------------------------------------------------------
 * Splicing
 */

static SealMessage *parse_again(SealContent *content)
{
    g_autoptr(GError) error = NULL;
    SealMessage *again = seal_message_new(content, &error);

    /* What was added may have taken it over a bound, which is then said. */
    g_assert_true(again || g_error_matches(error, SEAL_ERROR, SEAL_ERROR_LIMIT));
    return again;
}

static gboolean ends_with(SealContent *content, SealContent *end)
{
    guint64 size = seal_content_size(end);
    guint64 before = seal_content_size(content) - size;
    g_autoptr(SealContent) slice = seal_content_slice(content, before, size);

    g_assert_cmpuint(seal_content_size(content), >=, size);
    fuzz_assert_same(slice, end);
    return TRUE;
}

static void check_inner(SealMessage *message)
{
    g_autoptr(SealContent) inner = seal_message_inner(message);
    g_autoptr(SealMessage) again = parse_again(inner);

    g_assert_true(ends_with(inner, seal_entity_body(seal_message_entity(message))));
    if (!again)
        return;
    const SealHeader *header = seal_message_header(again);
    for (guint i = 0; i < header->fields->len; i++)
        g_assert_true(seal_field_is_content(header, &g_array_index(header->fields, SealField, i)));
    fuzz_assert_same(seal_entity_body(seal_message_entity(again)),
                     seal_entity_body(seal_message_entity(message)));
    g_assert_cmpstr(seal_entity_type(seal_message_entity(again)), ==,
                    seal_entity_type(seal_message_entity(message)));
}

/* Fields of the message that a wrapped one keeps. */
static guint count_kept(const SealHeader *header)
{
    static const char *const spent[] = {"DKIM-Signature", "ARC-Seal", "ARC-Message-Signature",
                                        "ARC-Authentication-Results", NULL};
    guint count = 0;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is_content(header, field) && !seal_field_is(header, field, "Bcc") &&
            !seal_field_is(header, field, "Resent-Bcc") &&
            !seal_field_is(header, field, "Return-path") &&
            !seal_field_is_any(header, field, spent) &&
            !seal_field_is(header, field, "MIME-Version"))
            count++;
    }
    return count;
}

static void check_wrap(SealMessage *message)
{
    g_autoptr(SealContent) entity = seal_content_new_copy(ENTITY, strlen(ENTITY));
    g_autoptr(SealContent) wrapped = seal_message_wrap(message, entity);
    g_autoptr(SealMessage) again = parse_again(wrapped);

    g_assert_true(ends_with(wrapped, entity));
    if (!again)
        return;
    const SealHeader *header = seal_message_header(again);
    SealEntity *top = seal_message_entity(again);
    g_assert_false(header->from_line);
    g_assert_false(seal_message_private_field(again));
    g_assert_cmpuint(seal_header_count(header, "MIME-Version"), ==, 1);
    g_assert_cmpuint(seal_header_count(header, "DKIM-Signature"), ==, 0);
    g_assert_cmpuint(header->fields->len, ==, count_kept(seal_message_header(message)) + 3);
    g_assert_cmpstr(seal_entity_type(top), ==, "application/pkcs7-mime");
    g_assert_cmpuint(seal_content_size(seal_entity_body(top)), ==, strlen("MII=\n"));
}

static void check_clear(SealMessage *message)
{
    g_autoptr(SealContent) clear = seal_message_clear(message, FALSE);

    g_assert_true(ends_with(clear, seal_entity_body(seal_message_entity(message))));
    if (seal_content_size(clear) == 0)
        return;
    g_autoptr(SealMessage) again = parse_again(clear);
    g_assert_nonnull(again);
    g_assert_false(seal_message_header(again)->from_line);
    g_assert_false(seal_message_private_field(again));
    if (!seal_message_header(message)->from_line && !seal_message_private_field(message))
        fuzz_assert_same(clear, seal_entity_content(seal_message_entity(message)));
}

/* -------------------------------------------------------------------------------------------
 * The MIME view
 */

static void check_entity(SealEntity *entity)
{
    static const char *const parameters[] = {"boundary", "smime-type", "name", "PROTOCOL"};
    g_autofree char *lower = g_ascii_strdown(seal_entity_type(entity), -1);

    g_assert_cmpstr(lower, ==, seal_entity_type(entity));
    g_assert_nonnull(strchr(lower, '/'));
    g_assert_true(*seal_entity_encoding(entity));
    for (guint i = 0; i < G_N_ELEMENTS(parameters); i++)
        seal_entity_parameter(entity, parameters[i]);
    g_assert_true((seal_entity_field(entity, "Content-Type") != NULL) ==
                  (seal_entity_count(entity, "Content-Type") > 0));
    check_header(seal_entity_header(entity), seal_content_size(seal_entity_content(entity)));
    g_assert_true(ends_with(seal_entity_content(entity), seal_entity_body(entity)));
}

/* The parts stand in the body one behind the other. */
static void check_ranges(SealEntity *entity, GPtrArray *parts)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(seal_entity_body(entity), G_MAXSSIZE, NULL);
    gsize left = 0;
    const char *at = g_bytes_get_data(bytes, &left);

    for (guint i = 0; i < parts->len; i++) {
        SealContent *content = seal_entity_content(g_ptr_array_index(parts, i));
        g_autoptr(GBytes) part = seal_content_to_bytes(content, G_MAXSSIZE, NULL);
        gsize length = 0;
        const char *data = g_bytes_get_data(part, &length);
        const char *found = length > 0 ? memmem(at, left, data, length) : at;

        g_assert_true(length == 0 || found);
        left -= length > 0 ? (gsize)(found - at) + length : 0;
        at = length > 0 ? found + length : at;
    }
}

static void walk(SealEntity *entity, guint depth, guint *seen)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *parts = NULL;

    if (++*seen > MAX_ENTITIES)
        return;
    g_assert_cmpuint(depth, <=, MAX_DEPTH);
    check_entity(entity);
    if (!seal_entity_parts(entity, &parts, &error)) {
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
        return;
    }
    check_ranges(entity, parts);
    for (guint i = 0; i < parts->len; i++)
        walk(g_ptr_array_index(parts, i), depth + 1, seen);
}

/* How the octets lie in memory makes no difference. */
static void compare(SealEntity *one, SealEntity *other, guint *seen)
{
    GPtrArray *parts = NULL, *others = NULL;

    fuzz_assert_same(seal_entity_content(one), seal_entity_content(other));
    fuzz_assert_same(seal_entity_body(one), seal_entity_body(other));
    if (++*seen > MAX_ENTITIES || !seal_entity_parts(one, &parts, NULL))
        return;
    g_assert_true(seal_entity_parts(other, &others, NULL));
    g_assert_cmpuint(parts->len, ==, others->len);
    for (guint i = 0; i < parts->len; i++)
        compare(g_ptr_array_index(parts, i), g_ptr_array_index(others, i), seen);
}

static void check_address(SealAddress *address, gpointer user_data)
{
    fuzz_assert_one_line(seal_address_text(address));
}

/* An author is among those whom anybody could take for one, and alone there: but for the last word
 * of one in quotes, and for what has no domain of several labels. */
typedef struct {
    SealAddress *author;
    gboolean found;
} Guess;

static void note_guess(SealAddress *address, gpointer user_data)
{
    Guess *guess = user_data;

    if (guess->author && seal_address_equal(guess->author, address))
        guess->found = TRUE;
    else if (guess->author && !strchr(seal_address_local(guess->author), ' '))
        g_assert_null(strchr(seal_address_domain(address), '.'));
}

static void check_addresses(SealMessage *message)
{
    static const char *const names[] = {"From", "To", "Cc", NULL};
    g_autofree char *return_path = seal_message_return_path(message);
    g_autofree char *why = NULL;
    g_autoptr(SealAddress) author = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true((return_path != NULL) ==
                  (seal_entity_field(seal_message_entity(message), "Return-path") != NULL));
    if (!seal_message_each_address(message, names, check_address, NULL, &error))
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
    author = seal_author_read(seal_message_header(message), &why);
    g_assert_true((author == NULL) == (why != NULL));
    g_clear_error(&error);
    Guess guess = {author, FALSE};
    if (!seal_author_guess(seal_message_header(message), note_guess, &guess, &error))
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
    else
        g_assert_true(!author || guess.found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SealContent) whole = fuzz_content(data, size);
    g_autoptr(SealContent) cut = fuzz_content_cut(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(SealMessage) message = seal_message_new(whole, &error);
    g_autoptr(SealMessage) other = seal_message_new(cut, NULL);
    guint seen = 0, compared = 0;

    g_assert_true((message != NULL) == (other != NULL));
    if (!message) {
        g_assert_true(g_error_matches(error, SEAL_ERROR, SEAL_ERROR_MESSAGE) ||
                      (size > 0 && g_error_matches(error, SEAL_ERROR, SEAL_ERROR_LIMIT)));
        return 0;
    }
    check_first_line(seal_message_header(message), data, size);
    check_inner(message);
    check_wrap(message);
    check_clear(message);
    check_addresses(message);
    walk(seal_message_entity(message), 0, &seen);
    compare(seal_message_entity(message), seal_message_entity(other), &compared);
    return 0;
}
