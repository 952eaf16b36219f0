/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-message.c: header blocks, splicing, and the MIME view.
 */
#include "core/base/content.h"
#include "core/mail/entity.h"
#include "core/mail/message.h"

#include <string.h>

static SealContent *text(const char *string)
{
    return seal_content_new_copy(string, strlen(string));
}

static char *to_string(SealContent *content)
{
    g_autoptr(GBytes) bytes = seal_content_to_bytes(content, 1 << 24, NULL);
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);

    return g_strndup(data, size);
}

static SealMessage *message_of(const char *string)
{
    g_autoptr(SealContent) content = text(string);
    g_autoptr(GError) error = NULL;
    SealMessage *message = seal_message_new(content, &error);

    g_assert_no_error(error);
    return message;
}

typedef struct {
    const char *in;
    const char *inner;
    const char *outer; /* with the entity "X: y\n\nz\n" put in */
    const char *clear;
} Splice;

static const Splice SPLICES[] = {
    /* The plain case. */
    {"From: a@x\nContent-Type: text/html\nSubject: s\n\nbody\n",
     "Content-Type: text/html\n\nbody\n", "From: a@x\nSubject: s\nMIME-Version: 1.0\nX: y\n\nz\n",
     "From: a@x\nContent-Type: text/html\nSubject: s\n\nbody\n"},
    /* No Content-* field: it says what it is. */
    {"From: a@x\n\nbody\n", "Content-Type: text/plain\n\nbody\n",
     "From: a@x\nMIME-Version: 1.0\nX: y\n\nz\n", "From: a@x\n\nbody\n"},
    /* Every Content-* field, in order, folded ones whole, whatever the case. */
    {"content-id: <1>\nFrom: a@x\nCONTENT-TYPE: multipart/mixed;\n\tboundary=b\n"
     "MIME-Version: 1.0\nContent-X-Own: 1\n\nb\n",
     "content-id: <1>\nCONTENT-TYPE: multipart/mixed;\n\tboundary=b\nContent-X-Own: 1\n\nb\n",
     "From: a@x\nMIME-Version: 1.0\nX: y\n\nz\n",
     "content-id: <1>\nFrom: a@x\nCONTENT-TYPE: multipart/mixed;\n\tboundary=b\n"
     "MIME-Version: 1.0\nContent-X-Own: 1\n\nb\n"},
    /* What never leaves, and what no longer holds. */
    {"Return-path: <a@x>\nBcc: c@x\nDKIM-Signature: v=1;\n b=1\nARC-Seal: i=1\n"
     "ARC-Message-Signature: i=1\nARC-Authentication-Results: i=1\nResent-Bcc: d@x\nTo: b@x\n\nb\n",
     "Content-Type: text/plain\n\nb\n", "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n",
     "DKIM-Signature: v=1;\n b=1\nARC-Seal: i=1\nARC-Message-Signature: i=1\n"
     "ARC-Authentication-Results: i=1\nTo: b@x\n\nb\n"},
    /* One MIME-Version, and a right one. */
    {"MIME-Version: 1.0 (x)\nMime-Version: 1.0\nTo: b@x\n\nb", "Content-Type: text/plain\n\nb",
     "MIME-Version: 1.0 (x)\nTo: b@x\nX: y\n\nz\n",
     "MIME-Version: 1.0 (x)\nMime-Version: 1.0\nTo: b@x\n\nb"},
    {"MIME-Version: 2\nTo: b@x\n\nb", "Content-Type: text/plain\n\nb",
     "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n", "MIME-Version: 2\nTo: b@x\n\nb"},
    /* A From_ line is none of the message. */
    {"From a@x Mon Jan  1\nTo: b@x\n\nFrom here\n", "Content-Type: text/plain\n\nFrom here\n",
     "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n", "To: b@x\n\nFrom here\n"},
    /* A line that is no field ends the header and begins the body. */
    {"To: b@x\nno field here\nSubject: s\n\nb\n",
     "Content-Type: text/plain\n\nno field here\nSubject: s\n\nb\n",
     "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n", "To: b@x\nno field here\nSubject: s\n\nb\n"},
    /* No header, no body, no last line end. */
    {"\nbody\n", "Content-Type: text/plain\n\nbody\n", "MIME-Version: 1.0\nX: y\n\nz\n",
     "\nbody\n"},
    {"no header at all", "Content-Type: text/plain\n\nno header at all",
     "MIME-Version: 1.0\nX: y\n\nz\n", "no header at all"},
    {"To: b@x", "Content-Type: text/plain\n\n", "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n",
     "To: b@x"},
    {"To: b@x\nBcc: c@x", "Content-Type: text/plain\n\n", "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n",
     "To: b@x\n"},
    {" leading blank\n\nb\n", "Content-Type: text/plain\n\n leading blank\n\nb\n",
     "MIME-Version: 1.0\nX: y\n\nz\n", " leading blank\n\nb\n"},
    /* Blanks before the colon (RFC 5322 4.5.8); a line of blanks only is a continuation, and does
     * not stand outside, where some readers end the header at it. */
    {"Subject : s\n \nBcc : c@x\nTo: b@x\n\nb\n", "Content-Type: text/plain\n\nb\n",
     "Subject : s\nTo: b@x\nMIME-Version: 1.0\nX: y\n\nz\n", "Subject : s\n \nTo: b@x\n\nb\n"},
    {"Subject: s\r\n\t\r\n more\r\n \t\r\n\r\nb\r\n", "Content-Type: text/plain\r\n\r\nb\r\n",
     "Subject: s\r\n more\r\nMIME-Version: 1.0\r\nX: y\n\nz\n",
     "Subject: s\r\n\t\r\n more\r\n \t\r\n\r\nb\r\n"},
    /* Before a line that is no field it stands for the empty line, the first of several. */
    {"Subject: s\n \nno field: here\n\nb\n", "Content-Type: text/plain\n\nno field: here\n\nb\n",
     "Subject: s\nMIME-Version: 1.0\nX: y\n\nz\n", "Subject: s\n \nno field: here\n\nb\n"},
    {"Content-Type: a/b\n\t\n  \n?\n", "Content-Type: a/b\n\n  \n?\n",
     "MIME-Version: 1.0\nX: y\n\nz\n", "Content-Type: a/b\n\t\n  \n?\n"},
    {"To: b@x\n \n", "Content-Type: text/plain\n\n", "To: b@x\nMIME-Version: 1.0\nX: y\n\nz\n",
     "To: b@x\n \n"},
    /* CRLF stays CRLF. */
    {"To: b@x\r\nContent-Type: a/b\r\n\r\nb\r\n", "Content-Type: a/b\r\n\r\nb\r\n",
     "To: b@x\r\nMIME-Version: 1.0\r\nX: y\n\nz\n", "To: b@x\r\nContent-Type: a/b\r\n\r\nb\r\n"},
    /* In the body anything may stand, and in a header every octet from 0x80 on. */
    {"To: \x80\xff\t b@x\n\nb\r\r\x01\nb\n", "Content-Type: text/plain\n\nb\r\r\x01\nb\n",
     "To: \x80\xff\t b@x\nMIME-Version: 1.0\nX: y\n\nz\n", "To: \x80\xff\t b@x\n\nb\r\r\x01\nb\n"},
};

static void test_splice(void)
{
    g_autoptr(SealContent) entity = text("X: y\n\nz\n");

    for (guint i = 0; i < G_N_ELEMENTS(SPLICES); i++) {
        g_autoptr(SealMessage) message = message_of(SPLICES[i].in);
        g_autoptr(SealContent) inner = seal_message_inner(message);
        g_autoptr(SealContent) outer = seal_message_wrap(message, entity);
        g_autoptr(SealContent) clear = seal_message_clear(message, FALSE);
        g_autofree char *inner_text = to_string(inner);
        g_autofree char *outer_text = to_string(outer);
        g_autofree char *clear_text = to_string(clear);

        g_assert_cmpstr(inner_text, ==, SPLICES[i].inner);
        g_assert_cmpstr(outer_text, ==, SPLICES[i].outer);
        g_assert_cmpstr(clear_text, ==, SPLICES[i].clear);
    }
}

/* Some readers take a line of blanks for the header's end. */
static void test_tidy(void)
{
    static const char in[] =
        "To: a@x,\n \n b@x\nBcc: c@x\nContent-Type:\n\t \n text/html\n\nb\n \nc\n";
    g_autoptr(SealMessage) message = message_of(in);
    g_autoptr(SealContent) tidy = seal_message_clear(message, TRUE);
    g_autoptr(SealContent) clear = seal_message_clear(message, FALSE);
    g_autofree char *tidy_text = to_string(tidy);
    g_autofree char *clear_text = to_string(clear);

    g_assert_cmpstr(tidy_text, ==, "To: a@x,\n b@x\nContent-Type:\n text/html\n\nb\n \nc\n");
    g_assert_cmpstr(clear_text, ==,
                    "To: a@x,\n \n b@x\nContent-Type:\n\t \n text/html\n\nb\n \nc\n");
}

static void test_empty(void)
{
    g_autoptr(SealContent) content = text("");
    g_autoptr(GError) error = NULL;

    g_assert_null(seal_message_new(content, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_MESSAGE);
}

/* What some reader could take for another header than we do: the message and what is said of it. */
static void test_malformed(void)
{
    static const struct {
        const char *in;
        gsize size; /* 0: to the NUL */
        const char *why;
    } rows[] = {
        {"To: b@x\rBcc: c@x\n\nb\n", 0, "(CR) without a line feed in line 1, in the field To"},
        {"To: b@x\nSubject: a\r\rthe body\n\nb\n", 0,
         "(CR) without a line feed in line 2, in the field "
         "Subject"},
        {"Subject: a\n b\n c\rd\n\nb\n", 0, "in line 3, in the field Subject"},
        {"To: b@x\r\r\n\nb\n", 0, "(CR)"},
        {"To: b@x\n\r\r\nb\n", 0, "(CR) without a line feed in line 2;"},
        {"To: b@x\n\rthe body\n", 0, "(CR)"},
        {"To: b@x\r", 0, "(CR)"},
        {"To: b@x\n\r", 0, "(CR)"},
        {"To\r: b@x\n\nb\n", 0, "(CR) without a line feed in line 1;"},
        {"\rTo: b@x\n\nb\n", 0, "(CR)"},
        {"From a@x Mon\rBcc: c@x\nTo: b@x\n\nb\n", 0, "(CR) without a line feed in line 1;"},
        {"From a@x Mon\nTo: b@x\rc\n\nb\n", 0, "in line 2, in the field To"},
        {"Subject: a\0b\n\nb\n", 16, "a NUL octet in line 1, in the field Subject"},
        {"Sub\0ject: b\n\nb\n", 15, "a NUL octet in line 1;"},
        {"Subject: a\vb\n\nb\n", 0, "0x0B"},
        {"Subject: a\fb\n\nb\n", 0, "0x0C"},
        {"Subject: a\x1b[2J\n\nb\n", 0, "0x1B"},
        {"Subject: a\x1c"
         "b\n\nb\n",
         0, "0x1C"},
        {"Subject: a\x7f\n\nb\n", 0, "0x7F"},
        {"Subject: a\n\fX: y\n\nb\n", 0, "0x0C in line 2;"},
        {"To: b@x\n \nPassword: x\nno field\n", 0, "line 2 of the header holds blanks alone"},
        {"To: b@x\n\t\n more\nno field\n", 0, "line 2 of the header holds blanks alone"},
        {"To: b@x\n \nPassword: x\n", 0, "line 2 of the header holds blanks alone"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gsize size = rows[i].size ? rows[i].size : strlen(rows[i].in);
        g_autoptr(SealContent) content = seal_content_new_copy(rows[i].in, size);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", rows[i].why);
        g_assert_null(seal_message_new(content, &error));
        g_assert_error(error, SEAL_ERROR, SEAL_ERROR_MESSAGE);
        g_assert_nonnull(strstr(error->message, rows[i].why));
        g_assert_true(g_str_has_prefix(error->message, "malformed message: "));
    }
}

/* A part is looked at all the same; who relies on its header can ask. */
static void test_unclear_part(void)
{
    g_autoptr(SealMessage) message = message_of(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: a\rb\n\nx\n--b\nX: y\n\nx\n"
        "--b\nX: y\nno field\n--b--\n");
    GPtrArray *parts = NULL;

    g_assert_true(seal_entity_parts(seal_message_entity(message), &parts, NULL));
    g_assert_cmpuint(parts->len, ==, 3);
    g_assert_true(seal_entity_is_unclear(g_ptr_array_index(parts, 0)));
    g_assert_false(seal_entity_is_unclear(g_ptr_array_index(parts, 1)));
    g_assert_true(seal_entity_is_unclear(g_ptr_array_index(parts, 2)));
}

static void assert_too_large(GString *message)
{
    g_autoptr(SealContent) content = seal_content_new_copy(message->str, message->len);
    g_autoptr(GError) error = NULL;

    g_assert_null(seal_message_new(content, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
}

static void test_limits(void)
{
    g_autoptr(GString) fields = g_string_new(NULL);
    g_autoptr(GString) line = g_string_new("X: ");

    for (int i = 0; i < 20000; i++)
        g_string_append_printf(fields, "X-%d: y\n", i);
    assert_too_large(fields);
    for (int i = 0; i < 10 * 1024 * 1024; i++)
        g_string_append_c(line, 'x');
    assert_too_large(line);
    g_string_assign(line, "X: y");
    for (int i = 0; i < 1024 * 1024; i++)
        g_string_append(line, "\n ");
    assert_too_large(line);
}

static void test_return_path(void)
{
    g_autoptr(SealMessage) with = message_of("Return-path: <a@x>\n\n");
    g_autoptr(SealMessage) null = message_of("Return-Path: <>\n\n");
    g_autoptr(SealMessage) none = message_of("To: b@x\n\n");
    g_autofree char *path = seal_message_return_path(with);
    g_autofree char *null_path = seal_message_return_path(null);

    g_assert_cmpstr(path, ==, "a@x");
    g_assert_cmpstr(null_path, ==, "");
    g_assert_null(seal_message_return_path(none));
}

static void append_address(SealAddress *address, gpointer all)
{
    g_string_append_printf(all, "%s ", seal_address_text(address));
}

static void test_addresses(void)
{
    static const char *const fields[] = {"To", "Cc", NULL};
    g_autoptr(SealMessage) message =
        message_of("To: Alice <alice@x.org>, \"b, c\" <b@x.org>\n"
                   "Cc: team: d@x.org, e@x.org;, =?utf-8?q?F?= <f@x.org>,\n g@x.org\n"
                   "Bcc: no@x.org\nTo: h@x.org\n\n");
    g_autoptr(GString) all = g_string_new(NULL);

    g_assert_true(seal_message_each_address(message, fields, append_address, all, NULL));
    g_assert_cmpstr(all->str, ==, "alice@x.org b@x.org d@x.org e@x.org f@x.org g@x.org h@x.org ");
}

static void test_entity(void)
{
    g_autoptr(SealMessage) message =
        message_of("Content-Type: Multipart/Mixed; BOUNDARY=\"b b\"; x*0=one; x*1=two\n"
                   "Content-Transfer-Encoding: 8BIT (really)\n\n"
                   "preamble\n--b b\nContent-Type: a/b\n\none\n\n--b b  \r\n\r\ntwo\r\n--b bx\n"
                   "--b b--\nepilogue\n--b b\n");
    SealEntity *top = seal_message_entity(message);
    GPtrArray *parts = NULL;

    g_assert_cmpstr(seal_entity_type(top), ==, "multipart/mixed");
    g_assert_cmpstr(seal_entity_parameter(top, "Boundary"), ==, "b b");
    g_assert_cmpstr(seal_entity_parameter(top, "x"), ==, "onetwo");
    g_assert_null(seal_entity_parameter(top, "y"));
    g_assert_cmpstr(seal_entity_encoding(top), ==, "8bit");
    g_assert_true(seal_entity_parts(top, &parts, NULL));
    g_assert_cmpuint(parts->len, ==, 2);

    g_autofree char *one = to_string(seal_entity_content(g_ptr_array_index(parts, 0)));
    g_autofree char *two = to_string(seal_entity_body(g_ptr_array_index(parts, 1)));
    g_assert_cmpstr(one, ==, "Content-Type: a/b\n\none\n");
    g_assert_cmpstr(two, ==, "two\r\n--b bx");
    g_assert_cmpstr(seal_entity_type(g_ptr_array_index(parts, 0)), ==, "a/b");
    g_assert_cmpstr(seal_entity_type(g_ptr_array_index(parts, 1)), ==, "text/plain");
}

/* The last part lacks its closing delimiter; a part stands in the other form of nesting. */
static void test_entity_open_end(void)
{
    g_autoptr(SealMessage) message =
        message_of("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
                   "message/rfc822\n\nSubject: inner\n\ninner body\n");
    GPtrArray *parts = NULL, *inner = NULL;

    g_assert_true(seal_entity_parts(seal_message_entity(message), &parts, NULL));
    g_assert_cmpuint(parts->len, ==, 1);
    g_assert_true(seal_entity_parts(g_ptr_array_index(parts, 0), &inner, NULL));
    g_assert_cmpuint(inner->len, ==, 1);
    g_assert_cmpstr(seal_entity_field(g_ptr_array_index(inner, 0), "subject"), ==, "inner");
}

/* Delimiters are found wherever the reading buffer happens to be cut. */
static void test_entity_long_lines(void)
{
    g_autoptr(GString) body = g_string_new("Content-Type: multipart/mixed; boundary=b\n\n");

    for (gsize pad = 65520; pad < 65560; pad += 3) {
        g_string_append(body, "--b\n\n");
        for (gsize i = 0; i < pad; i++)
            g_string_append_c(body, i % 1000 ? 'x' : '\n');
        g_string_append_c(body, '\n');
    }
    g_string_append(body, "--b\n\n");
    for (int i = 0; i < 200000; i++)
        g_string_append_c(body, '-');
    g_string_append(body, "--b\n--b--\n");

    g_autoptr(SealMessage) message = message_of(body->str);
    GPtrArray *parts = NULL;
    g_assert_true(seal_entity_parts(seal_message_entity(message), &parts, NULL));
    g_assert_cmpuint(parts->len, ==, 15);
}

static gboolean walk(SealEntity *entity, guint *depth, GError **error)
{
    GPtrArray *parts = NULL;

    if (!seal_entity_parts(entity, &parts, error))
        return FALSE;
    ++*depth;
    return parts->len == 0 || walk(g_ptr_array_index(parts, 0), depth, error);
}

static void test_entity_depth(void)
{
    g_autoptr(GString) nested = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    guint depth = 0;

    for (int i = 0; i < 20000; i++)
        g_string_append_printf(nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
                               i);
    g_autoptr(SealMessage) message = message_of(nested->str);
    g_assert_false(walk(seal_message_entity(message), &depth, &error));
    g_assert_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT);
    g_assert_cmpuint(depth, <, 200);
}

static void test_parameters(void)
{
    g_autoptr(GString) many = g_string_new("Content-Type: text/plain");

    for (int i = 0; i < 20000; i++)
        g_string_append_printf(many, "; p%d=v", i);
    g_string_append(many, "\n\nb\n");
    assert_too_large(many);
}

/* What a multipart leaves without the text around its parts, and without signatures over that. */
static void test_without_rest(void)
{
    static const char *const rows[][2] = {
        {"DKIM-Signature: v=1;\n b=1\nContent-Type: multipart/mixed; boundary=b\nARC-Seal: i=1\nX: "
         "y\n\n"
         "before\n--b\n\nx\n--b--\nbehind\n",
         "Content-Type: multipart/mixed; boundary=b\nX: y\n\n--b\n\nx\n--b--\n"},
        {"DKIM-Signature: v=1\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
         NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SealMessage) message = message_of(rows[i][0]);
        g_autoptr(SealMessage) parts = NULL;

        g_assert_true(seal_message_without_rest(message, &parts, NULL));
        g_assert_true((parts != NULL) == (rows[i][1] != NULL));
        g_autofree char *left =
            parts ? to_string(seal_entity_content(seal_message_entity(parts))) : NULL;
        g_assert_cmpstr(left, ==, rows[i][1]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message/splice", test_splice);
    g_test_add_func("/message/tidy", test_tidy);
    g_test_add_func("/message/empty", test_empty);
    g_test_add_func("/message/malformed", test_malformed);
    g_test_add_func("/message/unclear-part", test_unclear_part);
    g_test_add_func("/message/limits", test_limits);
    g_test_add_func("/message/return-path", test_return_path);
    g_test_add_func("/message/addresses", test_addresses);
    g_test_add_func("/message/without-rest", test_without_rest);
    g_test_add_func("/entity/view", test_entity);
    g_test_add_func("/entity/open-end", test_entity_open_end);
    g_test_add_func("/entity/long-lines", test_entity_long_lines);
    g_test_add_func("/entity/depth", test_entity_depth);
    g_test_add_func("/entity/parameters", test_parameters);
    return g_test_run();
}
