/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sevenbit.c: goes through an entity part by part and encodes what a relay would change.
 */
#include "core/mail/sevenbit.h"

#include "core/base/content.h"
#include "core/base/spool.h"
#include "core/mail/ascii.h"
#include "core/mail/entity.h"
#include "core/mail/transfer.h"

#include <string.h>

/* Of a header: less than header.c reads, since fields are added. */
enum { MAX_WRITTEN = 1000 * 1000 };

typedef struct {
    GOutputStream *out;
    gboolean clean;  /* nothing in the whole entity needs an encoding */
    gboolean change; /* something is written other than it came */
    char *why;       /* no encoding can help, and why */
    gboolean broken; /* nor would anybody carry it as it is */
} Work;

static gboolean write_part(Work *work, SealEntity *entity, GError **error);

static gboolean copy_content(Work *work, SealContent *content, GError **error)
{
    g_autoptr(GInputStream) in = seal_content_read(content);

    return seal_spool_copy(work->out, in, NULL, error);
}

/* Relays of today carry octets over 127; the rest of what is hard none does. */
static void give_up(Work *work, guint trouble, const char *why)
{
    if (!work->why)
        work->why = g_strdup(why);
    work->broken = work->broken || (trouble & SEAL_TROUBLE_HARD & ~SEAL_TROUBLE_EIGHT_BIT);
}

static gboolean scan_content(const Work *work, SealContent *content, SealScan *found,
                             GError **error)
{
    *found = (SealScan){0};
    if (work->clean)
        return TRUE;
    if (!seal_transfer_scan(content, found, error))
        return FALSE;
    /* Line ends are LF by now: what is left of CR is none. */
    if (found->any_cr)
        found->trouble |= SEAL_TROUBLE_CR;
    return TRUE;
}

/* Copies what no transfer encoding covers. */
static gboolean copy_bare(Work *work, SealContent *content, const char *where, GError **error)
{
    SealScan found;

    if (!scan_content(work, content, &found, error))
        return FALSE;
    if (found.trouble & SEAL_TROUBLE_HARD)
        give_up(work, found.trouble, where);
    return copy_content(work, content, error);
}

/* -------------------------------------------------------------------------------------------
 * Headers
 */

static gboolean field_is_raw(const SealHeader *header, const SealField *field)
{
    const char *start = (const char *)g_bytes_get_data(header->block, NULL) + field->offset;

    for (gsize i = 0; i < field->length; i++) {
        if (start[i] & 0x80)
            return TRUE;
    }
    return FALSE;
}

static gboolean any_field_is_raw(const SealHeader *header)
{
    for (guint i = 0; i < header->fields->len; i++) {
        if (field_is_raw(header, &g_array_index(header->fields, SealField, i)))
            return TRUE;
    }
    return FALSE;
}

/* As it came, or, where no relay would carry that, saying the same in ASCII, unless that makes the
 * header longer than anybody reads. */
static void append_field(GString *text, const SealHeader *header, const SealField *field)
{
    g_autofree char *ascii =
        field_is_raw(header, field) ? seal_field_to_ascii(header, field) : NULL;

    gsize behind = g_bytes_get_size(header->block) - field->offset - field->length;

    if (ascii && text->len + strlen(ascii) + behind <= MAX_WRITTEN)
        g_string_append(text, ascii);
    else
        seal_header_append(text, header, field);
}

/* @line, where it is one, in place of the first Content-Transfer-Encoding, or at the end. */
static GString *change_header(const SealHeader *header, const char *line)
{
    const SealField *first = seal_header_find(header, "Content-Transfer-Encoding");
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const SealField *field = &g_array_index(header->fields, SealField, i);

        if (!line || !seal_field_is(header, field, "Content-Transfer-Encoding"))
            append_field(text, header, field);
        else if (field == first)
            g_string_append(text, line);
    }
    if (line && !first)
        g_string_append(text, line);
    return text;
}

/* The header as it came, but for fields in raw UTF-8, and for Content-Transfer-Encoding, where one
 * is given. */
static gboolean write_header(Work *work, SealEntity *entity, const char *encoding, GError **error)
{
    static const char *const where = "a part's header has octets that mail cannot carry";
    const SealHeader *header = seal_entity_header(entity);
    SealContent *content = seal_entity_content(entity);
    gboolean raw = !work->clean && !seal_entity_is_unclear(entity) && any_field_is_raw(header);

    if (!encoding && !raw) {
        g_autoptr(SealContent) whole = seal_content_slice(content, 0, header->body_offset);
        return copy_bare(work, whole, where, error);
    }
    work->change = TRUE;
    g_autofree char *line =
        encoding ? g_strdup_printf("Content-Transfer-Encoding: %s\n", encoding) : NULL;
    g_autoptr(GString) text = change_header(header, line);
    /* The empty line, where there is one. */
    if (encoding || header->block_end < header->body_offset)
        g_string_append_c(text, '\n');
    g_autoptr(SealContent) changed = seal_content_new_copy(text->str, text->len);
    return copy_bare(work, changed, where, error);
}

static gboolean has_empty_line(const SealHeader *header)
{
    return header->block_end != header->body_offset && !header->broken_off;
}

static gboolean says_eight_bit(SealEntity *entity)
{
    const char *encoding = seal_entity_encoding(entity);

    return g_str_equal(encoding, "8bit") || g_str_equal(encoding, "binary");
}

/* -------------------------------------------------------------------------------------------
 * Bodies
 */

/* What is inside is somebody's signature or message: it stays as it is. */
static gboolean write_untouched(Work *work, SealEntity *entity, const char *where, GError **error)
{
    return write_header(work, entity, says_eight_bit(entity) ? "7bit" : NULL, error) &&
           copy_bare(work, seal_entity_body(entity), where, error);
}

/* What stands before the first delimiter and behind the last, no reader of MIME shows. */
static gboolean write_hidden(Work *work, SealContent *content, GError **error)
{
    SealScan found;

    if (!scan_content(work, content, &found, error))
        return FALSE;
    if (!(found.trouble & SEAL_TROUBLE_HARD))
        return copy_content(work, content, error);
    work->change = TRUE;
    return seal_transfer_hide(content, work->out, error);
}

/* The octets of a body from @from to @to, of which those before @first and from @last on are
 * hidden.
 */
static gboolean write_between(Work *work, SealContent *body, guint64 from, guint64 to,
                              guint64 first, guint64 last, GError **error)
{
    static const char *const between = "octets that mail cannot carry stand between its parts";
    guint64 shown = CLAMP(first, from, to), hidden = CLAMP(last, shown, to);
    g_autoptr(SealContent) before = seal_content_slice(body, from, shown - from);
    g_autoptr(SealContent) delimiter = seal_content_slice(body, shown, hidden - shown);
    g_autoptr(SealContent) behind = seal_content_slice(body, hidden, to - hidden);

    return write_hidden(work, before, error) && copy_bare(work, delimiter, between, error) &&
           write_hidden(work, behind, error);
}

static gboolean write_multipart(Work *work, SealEntity *entity, GPtrArray *parts, GError **error)
{
    SealContent *body = seal_entity_body(entity);
    guint64 at = 0, first = 0, last = seal_content_size(body);

    if (!write_header(work, entity, says_eight_bit(entity) ? "7bit" : NULL, error))
        return FALSE;
    /* Without a part the text may be all that is shown, and without an empty line one of the
     * header.
     */
    if (parts->len > 0 && has_empty_line(seal_entity_header(entity)))
        seal_entity_frame(entity, &first, &last);
    for (guint i = 0; i < parts->len; i++) {
        SealEntity *part = g_ptr_array_index(parts, i);

        if (!write_between(work, body, at, seal_entity_offset(part), first, last, error) ||
            !write_part(work, part, error))
            return FALSE;
        at = seal_entity_offset(part) + seal_content_size(seal_entity_content(part));
    }
    return write_between(work, body, at, seal_content_size(body), first, last, error);
}

/* Text that is mostly ASCII stays readable. */
static gboolean suits_quoted(SealEntity *entity, const SealScan *found)
{
    return g_str_has_prefix(seal_entity_type(entity), "text/") &&
           found->odd <= seal_content_size(seal_entity_body(entity)) / 6;
}

static gboolean write_encoded(Work *work, SealEntity *entity, const SealScan *found, GError **error)
{
    SealContent *body = seal_entity_body(entity);

    if (suits_quoted(entity, found))
        return write_header(work, entity, "quoted-printable", error) &&
               seal_transfer_quote(body, FALSE, work->out, error);
    return write_header(work, entity, "base64", error) &&
           seal_transfer_base64(body, work->out, error);
}

/* A body that no empty line parts from its header would become one, once it is mended. */
static gboolean part_from_header(Work *work, SealEntity *entity, GError **error)
{
    const SealHeader *header = seal_entity_header(entity);

    return has_empty_line(header) ||
           g_output_stream_write_all(work->out, "\n", 1, NULL, NULL, error);
}

static gboolean write_leaf(Work *work, SealEntity *entity, GError **error)
{
    const char *encoding = seal_entity_encoding(entity);
    SealContent *body = seal_entity_body(entity);
    SealScan found;

    if (!scan_content(work, body, &found, error))
        return FALSE;
    if (says_eight_bit(entity) || g_str_equal(encoding, "7bit")) {
        if (found.trouble)
            return write_encoded(work, entity, &found, error);
        return write_header(work, entity, says_eight_bit(entity) ? "7bit" : NULL, error) &&
               copy_content(work, body, error);
    }
    if (!write_header(work, entity, NULL, error))
        return FALSE;
    if (!found.trouble)
        return copy_content(work, body, error);
    work->change = TRUE;
    if (!part_from_header(work, entity, error))
        return FALSE;
    if (g_str_equal(encoding, "quoted-printable"))
        return seal_transfer_quote(body, TRUE, work->out, error);
    if (g_str_equal(encoding, "base64"))
        return seal_transfer_rewrap(body, work->out, error);
    if (found.trouble & SEAL_TROUBLE_HARD)
        give_up(work, found.trouble,
                "a part has a transfer encoding that is not known, and octets that mail cannot "
                "carry");
    return copy_content(work, body, error);
}

static gboolean is_encoded(SealEntity *entity)
{
    const char *encoding = seal_entity_encoding(entity);

    return g_str_equal(encoding, "base64") || g_str_equal(encoding, "quoted-printable");
}

/* *@parts is NULL where a bound is passed, or what is within is no entity. */
static gboolean find_parts(SealEntity *entity, GPtrArray **parts, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (seal_entity_parts(entity, parts, &problem))
        return TRUE;
    *parts = NULL;
    if (g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT) ||
        g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_MESSAGE))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* It cannot have a transfer encoding itself (RFC 2046 5.2.1), but the parts of the message in it
 * can. Where no relay needs that, it stays as somebody sent it. */
static gboolean write_message(Work *work, SealEntity *entity, GError **error)
{
    static const char *const where = "an attached message has octets that mail cannot carry";
    GPtrArray *parts = NULL;
    SealScan found;

    if (!scan_content(work, seal_entity_body(entity), &found, error))
        return FALSE;
    /* A field that is added to it would else be one of the entity around it. */
    if ((found.trouble & SEAL_TROUBLE_HARD) && has_empty_line(seal_entity_header(entity)) &&
        !find_parts(entity, &parts, error))
        return FALSE;
    return parts && parts->len > 0 ? write_multipart(work, entity, parts, error)
                                   : write_untouched(work, entity, where, error);
}

/* What one reader decodes, another takes as it stands: encoded by one reading, it would be lost
 * for the other. */
static gboolean write_ambiguous(Work *work, SealEntity *entity, GError **error)
{
    SealContent *body = seal_entity_body(entity);
    SealScan found;

    if (!scan_content(work, body, &found, error))
        return FALSE;
    if (found.trouble)
        give_up(work, found.trouble,
                "a part does not say plainly, or says twice, of what type it is or how it is "
                "encoded, and has what a relay may change");
    return write_header(work, entity, NULL, error) && copy_content(work, body, error);
}

static gboolean write_part(Work *work, SealEntity *entity, GError **error)
{
    const char *type = seal_entity_type(entity);
    GPtrArray *parts = NULL;

    if (seal_entity_is_ambiguous(entity))
        return write_ambiguous(work, entity, error);
    if (g_str_equal(type, "multipart/signed") || g_str_equal(type, "multipart/encrypted"))
        return write_untouched(work, entity,
                               "a part that is signed has octets that mail cannot carry", error);
    if (g_str_has_prefix(type, "message/") && !g_str_has_prefix(type, "message/global") &&
        !is_encoded(entity))
        return write_message(work, entity, error);
    if (!g_str_has_prefix(type, "multipart/"))
        return write_leaf(work, entity, error);
    if (!find_parts(entity, &parts, error))
        return FALSE;
    return parts ? write_multipart(work, entity, parts, error)
                 : write_untouched(work, entity,
                                   "parts that cannot be told apart have octets that mail cannot "
                                   "carry",
                                   error);
}

/* -------------------------------------------------------------------------------------------
 * The whole
 */

/* The parts that a reader goes into; *@parts is NULL where there are none. */
static gboolean find_shown_parts(SealEntity *entity, GPtrArray **parts, GError **error)
{
    *parts = NULL;
    if (g_str_equal(seal_entity_type(entity), "message/rfc822") && is_encoded(entity))
        return TRUE;
    if (!find_parts(entity, parts, error))
        return FALSE;
    if (*parts && (*parts)->len == 0)
        *parts = NULL;
    return TRUE;
}

/* *@same: the same parts, of the same types, in the same places. */
static gboolean compare_parts(SealEntity *before, SealEntity *after, gboolean *same, GError **error)
{
    GPtrArray *parts, *others;

    if (!find_shown_parts(before, &parts, error) || !find_shown_parts(after, &others, error))
        return FALSE;
    *same = g_str_equal(seal_entity_type(before), seal_entity_type(after)) &&
            (parts ? parts->len : 0) == (others ? others->len : 0);
    for (guint i = 0; *same && parts && i < parts->len; i++) {
        if (!compare_parts(g_ptr_array_index(parts, i), g_ptr_array_index(others, i), same, error))
            return FALSE;
    }
    return TRUE;
}

/* An encoding must not make a part of what was none. Were one made for all that, nothing that was
 * written may be sent. */
static gboolean check_parts(Work *work, SealEntity *before, SealContent *written, GError **error)
{
    g_autoptr(GError) problem = NULL;
    SealHeader *header = seal_header_read(written, FALSE, &problem);
    gboolean same = FALSE;

    /* What is encoded is longer, and may pass a bound that it did not pass before. */
    if (!header && !g_error_matches(problem, SEAL_ERROR, SEAL_ERROR_LIMIT)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    g_autoptr(SealEntity) after = header ? seal_entity_new(written, header, 0) : NULL;
    if (after && !compare_parts(before, after, &same, error))
        return FALSE;
    if (!same)
        give_up(work, SEAL_TROUBLE_HARD, "an encoding would change which parts it has");
    return TRUE;
}

/* @entity with LF for every line end. */
static SealContent *with_lf(SealContent *entity, const SealScan *found, const char *dir,
                            gsize memory, GError **error)
{
    if (!found->any_cr)
        return seal_content_ref(entity);

    g_autoptr(GOutputStream) spool = seal_spool_open(dir, memory);
    return seal_transfer_to_lf(entity, spool, error) ? seal_spool_finish(spool, error) : NULL;
}

gboolean seal_sevenbit(SealContent *entity, const char *dir, gsize memory, SealContent **ready,
                       char **why, GError **error)
{
    g_autoptr(GOutputStream) out = seal_spool_open(dir, memory);
    Work work = {.out = out};
    SealScan found;

    if (!seal_transfer_scan(entity, &found, error))
        return FALSE;
    g_autoptr(SealContent) lines = with_lf(entity, &found, dir, memory, error);
    if (!lines || (found.any_cr && !seal_transfer_scan(lines, &found, error)))
        return FALSE;
    SealHeader *header = seal_header_read(lines, FALSE, error);
    if (!header)
        return FALSE;

    g_autoptr(SealEntity) view = seal_entity_new(lines, header, 0);
    work.clean = found.trouble == 0 && !found.any_cr;
    if (!write_part(&work, view, error)) {
        g_free(work.why);
        return FALSE;
    }
    g_autoptr(SealContent) written = seal_spool_finish(out, error);
    if (!written || (work.change && !check_parts(&work, view, written, error))) {
        g_free(work.why);
        return FALSE;
    }
    *why = work.why;
    *ready = work.broken ? NULL : work.change ? g_steal_pointer(&written) : seal_content_ref(lines);
    return TRUE;
}
