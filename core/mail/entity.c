/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entity.c: the MIME view of a message: type, fields and parts, each part a range of the bytes as
 * they came. Parts are looked for when asked for.
 */
#include "core/mail/entity.h"

#include "core/base/content.h"
#include "core/mail/mime.h"

#include <string.h>

enum {
    MAX_DEPTH = 100,
    MAX_PARTS = 10000,
    MAX_BOUNDARY = 998,
    MAX_CONTENT_TYPE = 64 * 1024, /* as mime.c has it */
    SCAN_BUFFER = 64 * 1024,
};

struct SealEntity {
    SealHeader *header;
    SealContent *content;
    SealContent *body;
    guint64 offset;
    guint depth;
    gboolean in_digest; /* it is a part of a multipart/digest */
    char *type;         /* read when first asked for */
    char *encoding;
    GHashTable *parameters;
    GHashTable *values; /* unfolded fields that were asked for */
    GPtrArray *parts;
    guint64 frame_start; /* of the first delimiter */
    guint64 frame_end;   /* behind the closing one; zero where there is none */
};

SealEntity *seal_entity_new(SealContent *content, SealHeader *header, guint depth)
{
    SealEntity *entity = g_new0(SealEntity, 1);

    entity->header = header;
    entity->content = seal_content_ref(content);
    entity->body = seal_content_slice(content, header->body_offset, G_MAXUINT64);
    entity->depth = depth;
    entity->values = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return entity;
}

void seal_entity_free(SealEntity *entity)
{
    if (!entity)
        return;
    seal_header_free(entity->header);
    seal_content_unref(entity->content);
    seal_content_unref(entity->body);
    g_free(entity->type);
    g_free(entity->encoding);
    g_clear_pointer(&entity->parameters, g_hash_table_unref);
    g_hash_table_unref(entity->values);
    g_clear_pointer(&entity->parts, g_ptr_array_unref);
    g_free(entity);
}

const SealHeader *seal_entity_header(const SealEntity *entity)
{
    return entity->header;
}

gboolean seal_entity_is_unclear(const SealEntity *entity)
{
    return entity->header->fault || entity->header->broken_off;
}

guint64 seal_entity_offset(const SealEntity *entity)
{
    return entity->offset;
}

const char *seal_entity_field(SealEntity *entity, const char *name)
{
    const SealField *field = seal_header_find(entity->header, name);
    if (!field)
        return NULL;

    char *value = g_hash_table_lookup(entity->values, field);
    if (!value) {
        value = seal_field_value(entity->header, field);
        g_hash_table_insert(entity->values, (gpointer)field, value);
    }
    return value;
}

guint seal_entity_count(SealEntity *entity, const char *name)
{
    return seal_header_count(entity->header, name);
}

gboolean seal_entity_frame(const SealEntity *entity, guint64 *start, guint64 *end)
{
    if (entity->frame_end == 0)
        return FALSE;
    *start = entity->frame_start;
    *end = entity->frame_end;
    return TRUE;
}

SealContent *seal_entity_content(SealEntity *entity)
{
    return entity->content;
}

SealContent *seal_entity_body(SealEntity *entity)
{
    return entity->body;
}

static void read_type(SealEntity *entity)
{
    const char *value = seal_entity_field(entity, "Content-Type");

    if (entity->type)
        return;
    seal_mime_content_type(value, &entity->type, &entity->parameters);
    /* RFC 2046 5.1.5 */
    if (!value && entity->in_digest) {
        g_free(entity->type);
        entity->type = g_strdup("message/rfc822");
    }
}

const char *seal_entity_type(SealEntity *entity)
{
    read_type(entity);
    return entity->type;
}

const char *seal_entity_parameter(SealEntity *entity, const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);

    read_type(entity);
    return g_hash_table_lookup(entity->parameters, lower);
}

const char *seal_entity_encoding(SealEntity *entity)
{
    if (!entity->encoding) {
        const char *value = seal_entity_field(entity, "Content-Transfer-Encoding");
        gsize length = value ? strcspn(value, " \t;(") : 0;

        entity->encoding = length ? g_ascii_strdown(value, (gssize)length) : g_strdup("7bit");
    }
    return entity->encoding;
}

/* A token of RFC 2045 5.1, and how long it is. */
static gsize token_length(const char *text)
{
    gsize length = 0;

    while (g_ascii_isgraph(text[length]) && !strchr("()<>@,;:\\\"/[]?=", text[length]))
        length++;
    return length;
}

static gboolean ends_plainly(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text == '\0';
}

static gboolean encoding_is_plain(const char *value)
{
    value += strspn(value, " \t");
    return ends_plainly(value + token_length(value));
}

/* Type and subtype; what follows are parameters. */
static gboolean type_is_plain(const char *value)
{
    value += strspn(value, " \t");
    gsize type = token_length(value);
    gsize subtype = value[type] == '/' ? token_length(value + type + 1) : 0;
    const char *behind = value + type + 1 + subtype;

    return type > 0 && subtype > 0 && (*behind == '\0' || strchr("; \t(", *behind));
}

gboolean seal_entity_is_ambiguous(SealEntity *entity)
{
    const char *encoding = seal_entity_field(entity, "Content-Transfer-Encoding");
    const char *type = seal_entity_field(entity, "Content-Type");

    if (seal_entity_count(entity, "Content-Transfer-Encoding") > 1 ||
        seal_entity_count(entity, "Content-Type") > 1 || (encoding && !encoding_is_plain(encoding)))
        return TRUE;
    /* Elsewhere what it cannot be read as is a leaf for all. */
    return type && (strlen(type) > MAX_CONTENT_TYPE || (entity->in_digest && !type_is_plain(type)));
}

/* -------------------------------------------------------------------------------------------
 * Parts (RFC 2046 5.1.1)
 */

typedef struct {
    SealEntity *parent;
    GString *delimiter; /* "--boundary" */
    guint64 part_start; /* of the part being read; meaningless before the first delimiter */
    gboolean in_part;
    gboolean closed;
} Scan;

static gboolean exceed_limit(GError **error, const char *what, int most)
{
    g_set_error(error, SEAL_ERROR, SEAL_ERROR_LIMIT, "more than %d %s", most, what);
    return FALSE;
}

static gboolean add_part(SealEntity *parent, guint64 start, guint64 length, GError **error)
{
    if (parent->parts->len == MAX_PARTS)
        return exceed_limit(error, "parts in one multipart", MAX_PARTS);
    if (parent->depth + 1 > MAX_DEPTH)
        return exceed_limit(error, "levels of parts within parts", MAX_DEPTH);

    g_autoptr(SealContent) content = seal_content_slice(parent->body, start, length);
    SealHeader *header = seal_header_read(content, FALSE, error);
    if (!header)
        return FALSE;
    SealEntity *part = seal_entity_new(content, header, parent->depth + 1);
    part->offset = start;
    part->in_digest = g_str_equal(seal_entity_type(parent), "multipart/digest");
    g_ptr_array_add(parent->parts, part);
    return TRUE;
}

/* Is this line the delimiter (1), the closing one (2), or neither? Blanks may follow. */
static int delimiter_kind(const Scan *scan, const char *line, gsize length)
{
    gsize at = scan->delimiter->len;
    int kind = 1;

    if (length < at || memcmp(line, scan->delimiter->str, at) != 0)
        return 0;
    if (length >= at + 2 && line[at] == '-' && line[at + 1] == '-') {
        kind = 2;
        at += 2;
    }
    while (at < length && strchr(" \t\r\n", line[at]) && line[at])
        at++;
    return at == length ? kind : 0;
}

/* @start and @end of the line in the body; @eol: the length of the line end before it, which
 * belongs to the delimiter. */
static gboolean scan_line(Scan *scan, const char *line, gsize length, guint64 start, gsize eol,
                          GError **error)
{
    int kind = scan->closed ? 0 : delimiter_kind(scan, line, length);

    if (kind == 0)
        return TRUE;
    if (!scan->in_part)
        scan->parent->frame_start = start;
    if (scan->in_part) {
        guint64 end = MAX(start - eol, scan->part_start);
        if (!add_part(scan->parent, scan->part_start, end - scan->part_start, error))
            return FALSE;
    }
    scan->in_part = kind == 1;
    scan->closed = kind == 2;
    if (scan->closed)
        scan->parent->frame_end = start + length;
    scan->part_start = start + length;
    return TRUE;
}

/* Feeds the body line by line. Only the front of an over-long line is looked at: a delimiter is
 * short. */
static gboolean scan_body(Scan *scan, GError **error)
{
    g_autofree char *buffer = g_malloc(SCAN_BUFFER);
    guint64 offset = 0;
    gsize eol = 0;
    gboolean continued = FALSE;

    while (offset < seal_content_size(scan->parent->body)) {
        gssize got = seal_content_pread(scan->parent->body, offset, buffer, SCAN_BUFFER, error);
        if (got < 0)
            return FALSE;

        gsize at = 0;
        while (at < (gsize)got) {
            const char *lf = memchr(buffer + at, '\n', (gsize)got - at);
            gsize length = lf ? (gsize)(lf - buffer) + 1 - at : (gsize)got - at;
            gboolean last = offset + (guint64)got == seal_content_size(scan->parent->body);

            /* A line cut by the buffer's end is read again from its start, unless it is longer
             * than the buffer. */
            if (!lf && at > 0 && !last)
                break;
            if (!continued && !scan_line(scan, buffer + at, length, offset + at, eol, error))
                return FALSE;
            continued = !lf;
            eol = lf && lf > buffer && lf[-1] == '\r' ? 2 : 1;
            at += length;
        }
        offset += at;
    }
    return TRUE;
}

static gboolean find_multipart(SealEntity *entity, GError **error)
{
    const char *boundary = seal_entity_parameter(entity, "boundary");
    if (!boundary || !*boundary || strlen(boundary) > MAX_BOUNDARY)
        return TRUE;

    Scan scan = {.parent = entity, .delimiter = g_string_new("--")};
    g_string_append(scan.delimiter, boundary);
    gboolean ok = scan_body(&scan, error);
    if (ok && scan.in_part)
        ok = add_part(entity, scan.part_start, seal_content_size(entity->body) - scan.part_start,
                      error);
    g_string_free(scan.delimiter, TRUE);
    return ok;
}

gboolean seal_entity_parts(SealEntity *entity, GPtrArray **parts, GError **error)
{
    gboolean ok = TRUE;

    if (!entity->parts) {
        entity->parts = g_ptr_array_new_with_free_func((GDestroyNotify)seal_entity_free);
        if (g_str_has_prefix(seal_entity_type(entity), "multipart/"))
            ok = find_multipart(entity, error);
        else if (g_str_equal(seal_entity_type(entity), "message/rfc822"))
            ok = add_part(entity, 0, seal_content_size(entity->body), error);
    }
    if (!ok) {
        g_clear_pointer(&entity->parts, g_ptr_array_unref);
        return FALSE;
    }
    *parts = entity->parts;
    return TRUE;
}
