/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * header.c: finds header fields as ranges; changes and decodes nothing.
 */
#include "core/mail/header.h"

#include <string.h>

enum {
    MAX_HEADER = 1024 * 1024,
    MAX_FIELDS = 10000,
};

/* A line of the block: @next is where the one after it begins. */
typedef struct {
    gsize start;
    gsize next;
    gboolean complete; /* has its line end */
} Line;

static Line line_at(const char *data, gsize size, gsize start)
{
    const char *lf = memchr(data + start, '\n', size - start);

    return (Line){start, lf ? (gsize)(lf - data) + 1 : size, lf != NULL};
}

static gboolean line_is_empty(const char *data, const Line *line)
{
    gsize length = line->next - line->start;

    return line->complete && (length == 1 || (length == 2 && data[line->start] == '\r'));
}

/* RFC 5322 3.6.8 and 4.5.8: printable characters, then perhaps blanks, then a colon. Returns the
 * length of the name, 0 where the line is no field. */
static gsize field_name_length(const char *data, const Line *line)
{
    gsize i = line->start;

    while (i < line->next && data[i] > 32 && data[i] < 127 && data[i] != ':')
        i++;
    gsize length = i - line->start;
    while (i < line->next && (data[i] == ' ' || data[i] == '\t'))
        i++;
    return i < line->next && data[i] == ':' ? length : 0;
}

/* An mbox From_ line, and not a From field with a blank before its colon. */
static gboolean is_from_line(const char *data, gsize size)
{
    if (size <= 5 || memcmp(data, "From ", 5) != 0)
        return FALSE;
    Line line = line_at(data, size, 0);
    return field_name_length(data, &line) == 0;
}

static gboolean too_large(GError **error, const char *what, int most)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "the header has more than %d %s", most, what);
    return FALSE;
}

/* Walks the lines up to the end of the block. */
static gboolean find_fields(SealHeader *header, const char *data, gsize size, gsize start,
                            GError **error)
{
    gsize at = start;

    while (at < size) {
        Line line = line_at(data, size, at);
        gsize name_length;

        if (line_is_empty(data, &line)) {
            header->block_end = line.start;
            header->body_offset = line.next;
            return TRUE;
        }
        if ((data[at] == ' ' || data[at] == '\t') && header->fields->len > 0) {
            g_array_index(header->fields, SealField, header->fields->len - 1).length +=
                line.next - line.start;
        } else if ((name_length = field_name_length(data, &line)) > 0) {
            SealField field = {line.start - start, line.next - line.start, name_length};
            if (header->fields->len == MAX_FIELDS)
                return too_large(error, "fields", MAX_FIELDS);
            g_array_append_val(header->fields, field);
        } else {
            break;
        }
        at = line.next;
    }
    header->block_end = at;
    header->body_offset = at;
    return TRUE;
}

/* The line end to write with: that of the first line that has one. */
static const char *find_eol(const char *data, gsize size)
{
    const char *lf = memchr(data, '\n', size);

    return lf && lf > data && lf[-1] == '\r' ? "\r\n" : "\n";
}

SealHeader *seal_header_read(SealContent *content, gboolean may_have_from_line, GError **error)
{
    g_autoptr(SealContent) front = seal_content_slice(content, 0, MAX_HEADER + 1);
    g_autoptr(GBytes) bytes = seal_content_to_bytes(front, MAX_HEADER + 1, error);
    if (!bytes)
        return NULL;

    gsize size = 0, start = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autoptr(SealHeader) header = g_new0(SealHeader, 1);
    header->fields = g_array_new(FALSE, FALSE, sizeof(SealField));
    header->eol = find_eol(data, size);
    if (may_have_from_line && is_from_line(data, size)) {
        header->from_line = TRUE;
        start = line_at(data, size, 0).next;
    }
    if (!find_fields(header, data, size, start, error))
        return NULL;
    if (header->block_end > MAX_HEADER) {
        too_large(error, "octets", MAX_HEADER);
        return NULL;
    }
    /* A copy, so that a body read along with the header is not kept in memory. */
    header->block = g_bytes_new(data + start, header->block_end - start);
    return g_steal_pointer(&header);
}

void seal_header_free(SealHeader *header)
{
    if (!header)
        return;
    g_clear_pointer(&header->block, g_bytes_unref);
    g_array_unref(header->fields);
    g_free(header);
}

static const char *field_start(const SealHeader *header, const SealField *field)
{
    return (const char *)g_bytes_get_data(header->block, NULL) + field->offset;
}

gboolean seal_field_is(const SealHeader *header, const SealField *field, const char *name)
{
    return field->name_length == strlen(name) &&
           g_ascii_strncasecmp(field_start(header, field), name, field->name_length) == 0;
}

gboolean seal_field_is_any(const SealHeader *header, const SealField *field,
                           const char *const *names)
{
    while (*names && !seal_field_is(header, field, *names))
        names++;
    return *names != NULL;
}

gboolean seal_field_is_content(const SealHeader *header, const SealField *field)
{
    return field->name_length > 8 &&
           g_ascii_strncasecmp(field_start(header, field), "Content-", 8) == 0;
}

char *seal_field_value(const SealHeader *header, const SealField *field)
{
    const char *start = field_start(header, field);
    const char *end = start + field->length;
    const char *c = memchr(start, ':', field->length);
    GString *value = g_string_sized_new(field->length);

    for (c++; c < end; c++) {
        if (*c == '\n' || (*c == '\r' && c + 1 < end && c[1] == '\n'))
            continue;
        g_string_append_c(value, *c ? *c : ' ');
    }
    return g_strstrip(g_string_free(value, FALSE));
}

const SealField *seal_header_find(const SealHeader *header, const char *name)
{
    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (seal_field_is(header, field, name))
            return field;
    }
    return NULL;
}

guint seal_header_count(const SealHeader *header, const char *name)
{
    guint count = 0;

    for (guint i = 0; i < header->fields->len; i++)
        count += seal_field_is(header, &g_array_index(header->fields, SealField, i), name) ? 1 : 0;
    return count;
}

void seal_header_append(GString *out, const SealHeader *header, const SealField *field)
{
    g_string_append_len(out, field_start(header, field), (gssize)field->length);
    /* A header that breaks off at the end of the input has half of its last line end, or none. */
    if (out->str[out->len - 1] == '\r')
        g_string_append_c(out, '\n');
    else if (out->str[out->len - 1] != '\n')
        g_string_append(out, header->eol);
}

GString *seal_header_replace(const SealHeader *header, const char *name, const char *line)
{
    GString *fields = g_string_new(NULL);
    gboolean placed = FALSE;

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!seal_field_is(header, field, name)) {
            seal_header_append(fields, header, field);
        } else if (!placed) {
            g_string_append(fields, line);
            placed = TRUE;
        }
    }
    if (!placed)
        g_string_append(fields, line);
    return fields;
}
