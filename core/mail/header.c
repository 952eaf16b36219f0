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

/* -------------------------------------------------------------------------------------------
 * Walking
 */

typedef struct {
    SealHeader *header;
    const char *data;
    gsize size;
    gsize start;    /* of the block */
    gboolean whole; /* @data is all there is */
    guint number;   /* of the line, from 1 */
    /* A run of lines of blanks at the end of what was read so far: where it begins, and where its
     * first line ends. 0: there is none. */
    gsize blanks;
    gsize blanks_next;
    guint blank_amid; /* the number of such a line with more of the header behind it; 0: none */
} Walk;

static SealField *last_field(const SealHeader *header)
{
    guint count = header->fields->len;

    return count ? &g_array_index(header->fields, SealField, count - 1) : NULL;
}

/* The first octet of the line that no header has: others may take it for a line end. */
static const char *find_stray(const Walk *walk, const Line *line)
{
    const char *end = walk->data + line->next;

    for (const char *c = walk->data + line->start; c < end; c++) {
        if ((guchar)*c >= ' ' && *c != 127)
            continue;
        if (*c == '\t' || *c == '\n' || (*c == '\r' && c + 1 < end && c[1] == '\n'))
            continue;
        if (*c == '\r' && c + 1 == walk->data + walk->size && !walk->whole)
            continue;
        return c;
    }
    return NULL;
}

static char *stray_name(guchar c)
{
    return c == '\r'   ? g_strdup("a carriage return (CR) without a line feed")
           : c == '\0' ? g_strdup("a NUL octet")
                       : g_strdup_printf("the control character 0x%02X", c);
}

/* @field: that to which the line belongs, or NULL. */
static void check_octets(Walk *walk, const Line *line, const SealField *field)
{
    const char *stray = walk->header->fault ? NULL : find_stray(walk, line);

    if (!stray)
        return;
    g_autofree char *what = stray_name((guchar)*stray);
    g_autofree char *name =
        field ? seal_text_line(walk->data + walk->start + field->offset, field->name_length, 60)
              : NULL;
    walk->header->fault =
        g_strdup_printf("malformed message: the header has %s in line %u%s%s; of the control "
                        "characters, tabs alone may stand there",
                        what, walk->number, name ? ", in the field " : "", name ? name : "");
}

static gboolean line_is_blank(const char *data, const Line *line)
{
    gsize i = line->start;

    while (i < line->next && (data[i] == ' ' || data[i] == '\t'))
        i++;
    return i > line->start && (i == line->next || data[i] == '\r' || data[i] == '\n');
}

/* More of the header behind a line of blanks. */
static void note_text(Walk *walk)
{
    if (walk->blanks && !walk->blank_amid)
        walk->blank_amid = walk->number - 1;
    walk->blanks = 0;
}

static void add_continuation(Walk *walk, const Line *line, SealField *field)
{
    if (!line_is_blank(walk->data, line)) {
        note_text(walk);
    } else if (!walk->blanks) {
        walk->blanks = line->start;
        walk->blanks_next = line->next;
    }
    field->length += line->next - line->start;
    check_octets(walk, line, field);
}

static gboolean add_field(Walk *walk, const Line *line, gsize name_length, GError **error)
{
    SealField field = {line->start - walk->start, line->next - line->start, name_length};

    if (walk->header->fields->len == MAX_FIELDS)
        return too_large(error, "fields", MAX_FIELDS);
    note_text(walk);
    g_array_append_val(walk->header->fields, field);
    check_octets(walk, line, &field);
    return TRUE;
}

/* No empty line is there. Where lines of blanks stand last, the first of them counts as that. */
static gboolean break_off(Walk *walk, gsize at, GError **error)
{
    SealHeader *header = walk->header;

    if (at > MAX_HEADER)
        return too_large(error, "octets", MAX_HEADER);
    header->block_end = walk->blanks ? walk->blanks : at;
    header->body_offset = walk->blanks ? walk->blanks_next : at;
    header->broken_off = walk->blanks || at < walk->size;
    if (walk->blanks)
        last_field(header)->length = walk->blanks - walk->start - last_field(header)->offset;
    if (walk->blank_amid && !header->fault)
        header->fault = g_strdup_printf(
            "malformed message: line %u of the header holds blanks alone, and no empty line ends "
            "the header, so that nobody can tell where the body begins",
            walk->blank_amid);
    return TRUE;
}

/* Walks the lines up to the end of the block. */
static gboolean find_fields(Walk *walk, GError **error)
{
    const char *data = walk->data;
    gsize at = walk->start;

    for (; at < walk->size; walk->number++) {
        Line line = line_at(data, walk->size, at);
        SealField *field = last_field(walk->header);
        gsize name_length;

        if (line_is_empty(data, &line)) {
            walk->header->block_end = line.start;
            walk->header->body_offset = line.next;
            return TRUE;
        }
        if ((data[at] == ' ' || data[at] == '\t') && field) {
            add_continuation(walk, &line, field);
        } else if ((name_length = field_name_length(data, &line)) > 0) {
            if (!add_field(walk, &line, name_length, error))
                return FALSE;
        } else {
            /* For some readers it still is one of the header. */
            check_octets(walk, &line, NULL);
            break;
        }
        at = line.next;
    }
    return break_off(walk, at, error);
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

    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autoptr(SealHeader) header = g_new0(SealHeader, 1);
    Walk walk = {header, data, size, .whole = size <= MAX_HEADER, .number = 1};
    header->fields = g_array_new(FALSE, FALSE, sizeof(SealField));
    header->eol = find_eol(data, size);
    if (may_have_from_line && is_from_line(data, size)) {
        Line line = line_at(data, size, 0);

        check_octets(&walk, &line, NULL);
        header->from_line = TRUE;
        walk.start = line.next;
        walk.number++;
    }
    if (!find_fields(&walk, error))
        return NULL;
    if (header->block_end > MAX_HEADER) {
        too_large(error, "octets", MAX_HEADER);
        return NULL;
    }
    /* A copy, so that a body read along with the header is not kept in memory. */
    header->block = g_bytes_new(data + walk.start, header->block_end - walk.start);
    return g_steal_pointer(&header);
}

void seal_header_free(SealHeader *header)
{
    if (!header)
        return;
    g_clear_pointer(&header->block, g_bytes_unref);
    g_array_unref(header->fields);
    g_free(header->fault);
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

char *seal_field_raw(const SealHeader *header, const SealField *field)
{
    const char *start = field_start(header, field);
    const char *value = (const char *)memchr(start, ':', field->length) + 1;
    gsize length = field->length - (gsize)(value - start);
    char *raw = g_malloc(length + 1);

    for (gsize i = 0; i < length; i++)
        raw[i] = value[i] ? value[i] : ' ';
    raw[length] = '\0';
    return raw;
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

/* What of a field stands last, with its line end. */
static void end_field(GString *out, const SealHeader *header)
{
    /* A header that breaks off at the end of the input has half of its last line end, or none. */
    if (out->str[out->len - 1] == '\r')
        g_string_append_c(out, '\n');
    else if (out->str[out->len - 1] != '\n')
        g_string_append(out, header->eol);
}

void seal_header_append(GString *out, const SealHeader *header, const SealField *field)
{
    g_string_append_len(out, field_start(header, field), (gssize)field->length);
    end_field(out, header);
}

void seal_header_append_tidy(GString *out, const SealHeader *header, const SealField *field)
{
    const char *start = field_start(header, field);

    for (gsize at = 0; at < field->length;) {
        Line line = line_at(start, field->length, at);

        if (!line_is_blank(start, &line))
            g_string_append_len(out, start + at, (gssize)(line.next - at));
        at = line.next;
    }
    end_field(out, header);
}

gboolean seal_field_has_blank_line(const SealHeader *header, const SealField *field)
{
    const char *start = field_start(header, field);

    for (gsize at = 0; at < field->length;) {
        Line line = line_at(start, field->length, at);

        if (line_is_blank(start, &line))
            return TRUE;
        at = line.next;
    }
    return FALSE;
}

gboolean seal_field_is_clean(const SealHeader *header, const SealField *field)
{
    return field_start(header, field)[field->name_length] == ':' &&
           !seal_field_has_blank_line(header, field);
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
