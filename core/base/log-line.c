/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * log-line.c: a line of the log, and the journal's fields of it. Whatever came from outside is
 * quoted and escaped, so that no address can write a line or a field of its own.
 */
#include "core/base/log.h"
#include "core/base/text.h"

#include <string.h>

enum { MAX_VALUE = 600 };

struct SealLogLine {
    GString *text;
    GPtrArray *fields;
};

/* For `journalctl MESSAGE_ID=...`: they never change. */
static const char *const MESSAGE_IDS[] = {
    [SEAL_LOG_RESULT] = "MESSAGE_ID=2c6d4aab6f4b4e0f9bbd0c3d5e0f7a11",
    [SEAL_LOG_DECISION] = "MESSAGE_ID=7f0b6a5e1f8c4d38a2f46f7e9d1c3b52",
    [SEAL_LOG_NEWS] = "MESSAGE_ID=b3a1d7c84e5f4b6a9c0d2e8f71a65493",
    [SEAL_LOG_DISABLED] = "MESSAGE_ID=e94c58f2d0b74a1f8d3b6c7a5f2e1084",
};

SealLogLine *seal_log_line_new(SealLogKind kind)
{
    SealLogLine *self = g_new0(SealLogLine, 1);

    self->text = g_string_new(NULL);
    self->fields = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(self->fields, g_strdup(MESSAGE_IDS[kind]));
    return self;
}

void seal_log_line_free(SealLogLine *self)
{
    if (!self)
        return;
    g_string_free(self->text, TRUE);
    g_ptr_array_unref(self->fields);
    g_free(self);
}

static gboolean is_plain(const char *value)
{
    if (*value == '\0' || strlen(value) > MAX_VALUE)
        return FALSE;
    for (; *value; value++) {
        if (!g_ascii_isgraph(*value) || strchr("\"\\=", *value))
            return FALSE;
    }
    return TRUE;
}

/* (transfer full) As it stands between quotes. */
static char *escape_value(const char *value)
{
    GString *text = g_string_new(NULL);

    for (; *value && text->len + 1 < MAX_VALUE; value = g_utf8_next_char(value)) {
        gunichar u = g_utf8_get_char(value);

        if (u == '"' || u == '\\')
            g_string_append_printf(text, "\\%c", (char)u);
        else if (seal_text_is_shown(u))
            g_string_append_unichar(text, u);
        else
            g_string_append_printf(text, "\\u%04x", u);
    }
    return g_string_free(text, FALSE);
}

/* The two have names of their own there, which say whose they are. */
static void add_field(SealLogLine *self, const char *name, const char *value)
{
    const char *other = g_str_equal(name, "from") ? "SENDER"
                        : g_str_equal(name, "to") ? "RECIPIENT"
                                                  : name;
    g_autofree char *upper = g_ascii_strup(other, -1);

    g_ptr_array_add(self->fields, g_strdup_printf("SEALPIPE_%s=%s", upper, value));
}

void seal_log_put(SealLogLine *self, const char *name, const char *value)
{
    g_autofree char *safe = g_utf8_make_valid(value ? value : "", -1);
    gboolean plain = is_plain(safe);
    g_autofree char *text = plain ? g_strdup(safe) : escape_value(safe);

    g_string_append_printf(self->text, plain ? "%s%s=%s" : "%s%s=\"%s\"",
                           self->text->len > 0 ? " " : "", name, text);
    if (*text)
        add_field(self, name, text);
}

void seal_log_put_number(SealLogLine *self, const char *name, gint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);

    seal_log_put(self, name, text);
}

void seal_log_put_text(SealLogLine *self, const char *text)
{
    g_string_append_printf(self->text, "%s%s", self->text->len > 0 ? " " : "", text);
}

const char *seal_log_line_text(const SealLogLine *self)
{
    return self->text->str;
}

GPtrArray *seal_log_line_fields(const SealLogLine *self)
{
    return self->fields;
}
